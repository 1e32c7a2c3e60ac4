//! Where the proxy hands over its record.

use std::sync::Arc;

use super::CallRecord;

/// There is no room to keep another record. The call must not go on: nothing proceeds unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for another audit record: the writer has fallen behind or failed")]
pub struct RecorderFull;

/// Takes records. Implementations neither block nor fail once a place has been reserved.
pub trait Recorder: Send + Sync {
    /// Reserves the place of one record before the call goes on.
    ///
    /// # Errors
    /// [`RecorderFull`] when the stated bound of unwritten records is reached or the writer failed.
    fn reserve(&self) -> Result<(), RecorderFull>;

    /// Hands over a finished record into its reserved place.
    fn submit(&self, record: Box<CallRecord>);
}

/// A record that has its place and is still being filled. It reaches the recorder exactly once:
/// by [`OpenRecord::close`], or when it is dropped (the exchange was cut off), as it then stands.
pub struct OpenRecord {
    record: Option<Box<CallRecord>>,
    recorder: Arc<dyn Recorder>,
}

impl OpenRecord {
    /// Reserves a place and opens the record.
    ///
    /// # Errors
    /// [`RecorderFull`], with nothing recorded.
    pub fn open(recorder: &Arc<dyn Recorder>, record: CallRecord) -> Result<Self, RecorderFull> {
        recorder.reserve()?;
        Ok(Self {
            record: Some(Box::new(record)),
            recorder: Arc::clone(recorder),
        })
    }

    /// Changes the record, while it is open.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut CallRecord) -> R) -> Option<R> {
        self.record.as_deref_mut().map(change)
    }

    /// Reads the record, while it is open.
    pub fn get(&self) -> Option<&CallRecord> {
        self.record.as_deref()
    }

    /// Hands the record over.
    pub fn close(mut self) {
        self.hand_over();
    }

    fn hand_over(&mut self) {
        if let Some(record) = self.record.take() {
            self.recorder.submit(record);
        }
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Gateway;
    use crate::types::{CallId, Micros, Outcome};
    use parking_lot::Mutex;

    #[derive(Default)]
    struct Memory {
        full: bool,
        records: Mutex<Vec<CallRecord>>,
    }

    impl Recorder for Memory {
        fn reserve(&self) -> Result<(), RecorderFull> {
            if self.full { Err(RecorderFull) } else { Ok(()) }
        }
        fn submit(&self, record: Box<CallRecord>) {
            self.records.lock().push(*record);
        }
    }

    fn record() -> CallRecord {
        let gateway = Gateway {
            node: "n".into(),
            version: "0",
            config_hash: "h".into(),
        };
        CallRecord::new(CallId::floor(1), Micros(1_000), Arc::new(gateway))
    }

    #[test]
    fn a_record_is_handed_over_once_closed_or_dropped() {
        let memory = Arc::new(Memory::default());
        let recorder: Arc<dyn Recorder> = memory.clone();
        let mut closed = OpenRecord::open(&recorder, record()).unwrap();
        closed.update(|r| r.outcome = Outcome::Success);
        closed.close();
        drop(OpenRecord::open(&recorder, record()).unwrap());
        let outcomes: Vec<_> = memory.records.lock().iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes, [Outcome::Success, Outcome::Unknown]);
    }

    #[test]
    fn a_full_recorder_refuses_before_anything_happens() {
        let memory = Arc::new(Memory {
            full: true,
            ..Memory::default()
        });
        let recorder: Arc<dyn Recorder> = memory.clone();
        assert!(OpenRecord::open(&recorder, record()).is_err());
        assert!(memory.records.lock().is_empty());
    }
}
