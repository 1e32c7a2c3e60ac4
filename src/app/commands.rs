//! Looks after the journal of commands while the gateway runs. A command seals what it puts on
//! record and brings it into the ledger itself, if it can: one whose user may not read the signing
//! key, or may only read the ledger, leaves that to the gateway.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::own_calls::OwnCalls;
use crate::adapters::journal::{LastWrite, last_write};

/// How often the journal is looked at: one listing of a small directory.
const LOOK: Duration = Duration::from_secs(1);

/// How many looks until what could not be done is tried again: half a minute.
const RETRY_LOOKS: u32 = 30;

/// The thread that looks after it.
pub struct CommandsKeeper {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl CommandsKeeper {
    /// Starts it.
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime for it.
    pub fn start(calls: OwnCalls) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("egret-commands".to_owned())
            .spawn(move || {
                let mut rounds = Rounds::default();
                while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    runtime.block_on(rounds.go(&calls));
                }
            })?;
        Ok(Self { stop, thread })
    }

    /// Ends it, after the round that it is on.
    pub fn stop(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

/// What it knows from earlier rounds.
#[derive(Default)]
struct Rounds {
    /// When the journal was written to before all was done.
    done: Option<LastWrite>,
    /// How many looks to let pass.
    wait: u32,
    said: Option<String>,
}

impl Rounds {
    async fn go(&mut self, calls: &OwnCalls) {
        let written = last_write(calls.journal());
        self.wait = self.wait.saturating_sub(1);
        if written.is_none() || written == self.done || self.wait > 0 {
            return;
        }
        match calls.keep().await {
            // A command has it.
            Ok(false) => {}
            // As it was before: what has come meanwhile is seen in the next round.
            Ok(true) => {
                self.done = written;
                self.said = None;
            }
            Err(pending) => {
                self.wait = RETRY_LOOKS;
                let why: Vec<String> = pending.notices(calls.journal()).collect();
                let why = why.join("; ");
                if self.said.as_ref() != Some(&why) {
                    tracing::warn!(target: "egret::evidence", %why, "what commands have done");
                    self.said = Some(why);
                }
            }
        }
    }
}
