//! The thread that writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{RecordStore, RecorderSettings, Shared};
use crate::domain::record::CallRecord;

/// The most records per transaction: a commit every few thousand rows costs nothing more per row,
/// and a failed one is not too much to repeat.
const BATCH: usize = 8_192;

/// The first pause after a failure, doubled each time up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);

pub(super) struct Writer<S> {
    shared: Arc<Shared>,
    store: S,
    settings: RecorderSettings,
    /// Taken out of the lists and not yet known to be written, oldest first.
    pending: Vec<Box<CallRecord>>,
}

/// Gives no more places once the writer has ended, whatever ended it.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }
}

impl<S: RecordStore> Writer<S> {
    pub(super) fn new(shared: Arc<Shared>, store: S, settings: RecorderSettings) -> Self {
        Self {
            shared,
            store,
            settings,
            pending: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let _close = CloseOnDrop(Arc::clone(&self.shared));
        let mut pause = self.settings.gather;
        let mut retry = None;
        loop {
            self.pause(retry.unwrap_or(pause)).await;
            let deadline = *self.shared.deadline.lock();
            self.shared.drain(&mut self.pending);
            pause = if self.pending.is_empty() {
                (pause * 2).min(self.settings.idle.max(self.settings.gather))
            } else {
                self.settings.gather
            };
            retry = if self.write_pending(retry.is_some(), deadline).await {
                None
            } else {
                Some(retry.map_or(FIRST_RETRY, |last| (last * 2).min(LAST_RETRY)))
            };
            if let Some(deadline) = deadline {
                let done = self.shared.unwritten.load(Ordering::SeqCst) == 0;
                if done || Instant::now() >= deadline {
                    return;
                }
                // Open calls may end at any moment, and every moment counts now.
                pause = self.settings.gather.min(FIRST_RETRY);
                retry = retry.map(|_| FIRST_RETRY);
            }
        }
    }

    /// Sleeps, unless it is told to stop meanwhile.
    async fn pause(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.shared.wake.notified()).await;
    }

    /// Writes what is pending, batch by batch. `false` when one failed; it stays pending.
    async fn write_pending(&mut self, again: bool, deadline: Option<Instant>) -> bool {
        let mut again = again;
        while !self.pending.is_empty() {
            let size = self.pending.len().min(BATCH);
            let (batch, _) = self.pending.split_at(size);
            match self.store.write(batch).await {
                Ok(added) => {
                    self.note_written(size, size.saturating_sub(added), again);
                    self.pending.drain(..size);
                }
                Err(error) => {
                    self.note_failure(&error);
                    return false;
                }
            }
            again = false;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return true;
            }
        }
        true
    }

    fn note_written(&self, size: usize, already_there: usize, again: bool) {
        let shared = &self.shared;
        shared.written.fetch_add(size as u64, Ordering::AcqRel);
        shared.in_hand.fetch_sub(size, Ordering::AcqRel);
        shared.unwritten.fetch_sub(size, Ordering::AcqRel);
        if shared.failing.swap(false, Ordering::AcqRel) {
            tracing::info!(target: "egret::ledger", "audit records are being written again");
        }
        if already_there > 0 {
            shared
                .already_there
                .fetch_add(already_there as u64, Ordering::AcqRel);
            if !again {
                // Two calls with one id: the second is not in the ledger.
                tracing::error!(
                    target: "egret::ledger",
                    count = already_there,
                    "audit records with the id of another record were not written; is the random source broken?"
                );
            }
        }
    }

    fn note_failure(&self, error: &S::Error) {
        let shared = &self.shared;
        shared.failures.fetch_add(1, Ordering::AcqRel);
        if !shared.failing.swap(true, Ordering::AcqRel) {
            tracing::error!(
                target: "egret::ledger",
                %error,
                waiting = self.pending.len(),
                capacity = shared.capacity,
                "audit records cannot be written; they are kept and tried again, and calls are \
                 refused once there is no room left"
            );
        }
    }
}
