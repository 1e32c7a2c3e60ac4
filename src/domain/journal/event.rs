//! What is recorded.

use crate::domain::record::{CallRecord, Step};
use crate::types::Micros;

/// One event of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process has opened the journal. Calls that are open here were cut off.
    Start(Start),
    /// A step of a call.
    Call(CallEvent),
    /// Something could not be recorded.
    Gap(Gap),
    /// The key that signs for the log changes: the announcement, a signed note with the number of
    /// this event in it (see `evidence::KeyRotation`).
    Rotation(Box<[u8]>),
}

impl Event {
    /// When it was recorded, as far as the event itself tells.
    pub fn at(&self) -> Option<Micros> {
        match self {
            Self::Start(start) => Some(start.at),
            Self::Gap(gap) => Some(gap.to),
            Self::Rotation(_) => None,
            Self::Call(call) => {
                let times = &call.record.times;
                let later = [times.completed_at, times.first_byte_at, times.forwarded_at];
                let first = call.whole.then_some(times.received_at);
                later.into_iter().flatten().max().or(first)
            }
        }
    }
}

/// A process has opened the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// When.
    pub at: Micros,
    /// Name of the node.
    pub node: Box<str>,
    /// Version of the program.
    pub version: Box<str>,
    /// Hash of its configuration.
    pub config_hash: Box<str>,
    /// Bytes of torn records that were cut from the end of the journal.
    pub cut_bytes: u64,
}

/// A step of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEvent {
    /// Which.
    pub step: Step,
    /// Whether `record` is all there is. Later steps leave out what cannot change: who called
    /// what with which credential, and when it came.
    pub whole: bool,
    /// Where the subjects of `record` belong among those that the call has: steps before this one
    /// have told so many that hold. Later steps say only what came since.
    pub told: usize,
    /// What is known.
    pub record: Box<CallRecord>,
}

/// Something could not be recorded, and this much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// When it began.
    pub from: Micros,
    /// When it was over.
    pub to: Micros,
    /// Calls that were answered 503 because they could not be recorded; nothing was sent.
    pub refused: u64,
    /// Calls that went on unrecorded, as their policy allows.
    pub shed: u64,
    /// Later steps of recorded calls for which there was no memory left.
    pub dropped: u64,
}

impl Gap {
    /// Whether anything is missing.
    pub const fn is_empty(&self) -> bool {
        self.refused == 0 && self.shed == 0 && self.dropped == 0
    }
}
