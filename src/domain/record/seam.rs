//! Where the proxy hands over what it knows of a call, step by step.

use std::sync::Arc;

use super::{CallRecord, LossPolicy, Wait};

/// The record could not be taken, or did not get as far as was waited for. What depends on it
/// must not go on: nothing proceeds unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit record cannot be kept: the journal has failed or is full")]
pub struct NotRecorded;

/// What a call has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It is about to go to the bank.
    Intent,
    /// Its answer is about to go to the caller.
    Outcome,
    /// It is over.
    Completion,
}

/// A record that was taken and is on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its number in the journal.
    pub seq: u64,
    /// How far it must come.
    pub wait: Wait,
}

/// Takes records of calls. Implementations do not block.
pub trait Recorder: Send + Sync {
    /// Takes what is known at one step. `known` is how many subjects of this call the recorder has
    /// taken with earlier steps. `None`: it has taken nothing of this call before; it must then
    /// keep all of the record, and may refuse. Later steps are kept for as long as memory allows
    /// even while nothing can be written, so that the record is whole once that is over.
    ///
    /// # Errors
    /// [`NotRecorded`] when the step does not, or not for now, reach the disk.
    fn append(
        &self,
        step: Step,
        known: Option<usize>,
        record: &CallRecord,
        wait: Wait,
    ) -> Result<Ticket, NotRecorded>;
}

/// A record that is still being filled. Its last step reaches the recorder exactly once: by
/// [`OpenRecord::close`], or when it is dropped (the exchange was cut off), as it then stands.
pub struct OpenRecord {
    record: Option<Box<CallRecord>>,
    recorder: Arc<dyn Recorder>,
    policy: LossPolicy,
    /// The recorder has taken a step, and with the last that it is known to have so many subjects.
    known: Option<usize>,
}

impl OpenRecord {
    /// Opens a record; nothing is handed over yet.
    pub fn open(recorder: &Arc<dyn Recorder>, record: CallRecord, policy: LossPolicy) -> Self {
        Self {
            record: Some(Box::new(record)),
            recorder: Arc::clone(recorder),
            policy,
            known: None,
        }
    }

    /// Changes the record, while it is open.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut CallRecord) -> R) -> Option<R> {
        self.record.as_deref_mut().map(change)
    }

    /// Reads the record, while it is open.
    pub fn get(&self) -> Option<&CallRecord> {
        self.record.as_deref()
    }

    /// Hands over the intent or the outcome, if the policy demands it. A ticket must be waited
    /// for before the call goes on.
    ///
    /// # Errors
    /// [`NotRecorded`]; if nothing was recorded before, then nothing is later either.
    pub fn step(&mut self, step: Step) -> Result<Option<Ticket>, NotRecorded> {
        match self.policy.wait() {
            Wait::Nothing => Ok(None),
            wait => self.append(step, wait).map(Some),
        }
    }

    /// Hands the record over for the last time; nobody has to wait. Gives it back; `None` if it could
    /// not be taken and nothing of it was kept before.
    pub fn close(mut self) -> Option<Box<CallRecord>> {
        // If only this last step is missing, the recorder counts it.
        let _ = self.append(Step::Completion, Wait::Nothing);
        self.record.take()
    }

    fn append(&mut self, step: Step, wait: Wait) -> Result<Ticket, NotRecorded> {
        let record = self.record.as_deref().ok_or(NotRecorded)?;
        let done = self.recorder.append(step, self.known, record, wait);
        match (&done, self.known) {
            (Ok(_), _) => self.known = Some(record.subjects.len()),
            // Refused whole; it has been counted once.
            (Err(_), None) => self.record = None,
            // Perhaps taken and perhaps not: the next step says its subjects again, in their place.
            (Err(_), Some(_)) => {}
        }
        done
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        if self.record.is_some() {
            let _ = self.append(Step::Completion, Wait::Nothing);
        }
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
        failing: bool,
        steps: Mutex<Vec<(Step, bool, Outcome, Wait)>>,
    }

    impl Recorder for Memory {
        fn append(
            &self,
            step: Step,
            known: Option<usize>,
            record: &CallRecord,
            wait: Wait,
        ) -> Result<Ticket, NotRecorded> {
            let first = known.is_none();
            self.steps.lock().push((step, first, record.outcome, wait));
            if self.failing {
                return Err(NotRecorded);
            }
            Ok(Ticket { seq: 0, wait })
        }
    }

    fn open(memory: &Arc<Memory>, policy: LossPolicy) -> OpenRecord {
        let gateway = Gateway {
            node: "n".into(),
            version: "0".into(),
            config_hash: "h".into(),
        };
        let record = CallRecord::new(CallId::floor(1), Micros(1_000), Arc::new(gateway));
        let recorder: Arc<dyn Recorder> = memory.clone();
        OpenRecord::open(&recorder, record, policy)
    }

    #[test]
    fn each_step_is_handed_over_once_and_the_last_also_by_dropping() {
        let memory = Arc::new(Memory::default());
        let mut record = open(&memory, LossPolicy::Strict);
        record.step(Step::Intent).unwrap().unwrap();
        record.update(|r| r.outcome = Outcome::Success);
        record.step(Step::Outcome).unwrap().unwrap();
        assert_eq!(record.close().unwrap().outcome, Outcome::Success);
        drop(open(&memory, LossPolicy::Strict));
        assert_eq!(
            *memory.steps.lock(),
            [
                (Step::Intent, true, Outcome::Unknown, Wait::Durable),
                (Step::Outcome, false, Outcome::Success, Wait::Durable),
                (Step::Completion, false, Outcome::Success, Wait::Nothing),
                (Step::Completion, true, Outcome::Unknown, Wait::Nothing),
            ]
        );
    }

    #[test]
    fn what_may_be_shed_is_recorded_once_at_the_end() {
        let memory = Arc::new(Memory::default());
        let mut record = open(&memory, LossPolicy::Shed);
        assert_eq!(record.step(Step::Intent), Ok(None));
        assert_eq!(record.step(Step::Outcome), Ok(None));
        assert!(record.close().is_some());
        let steps = memory.steps.lock();
        assert_eq!(
            *steps,
            [(Step::Completion, true, Outcome::Unknown, Wait::Nothing)]
        );
    }

    #[test]
    fn a_call_that_was_refused_for_want_of_a_record_leaves_none() {
        let memory = Arc::new(Memory {
            failing: true,
            ..Memory::default()
        });
        let mut record = open(&memory, LossPolicy::Strict);
        assert_eq!(record.step(Step::Intent), Err(NotRecorded));
        assert!(record.get().is_none());
        drop(record);
        assert_eq!(memory.steps.lock().len(), 1);
    }
}
