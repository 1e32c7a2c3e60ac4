//! From the steps of calls to rows: one per call, in the order in which calls end.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::decode::merge;
use super::event::{CallEvent, Event, Gap};
use crate::domain::record::{CallRecord, CallerVia, Step};
use crate::types::{CallId, Micros, Outcome};

/// How long a call may be open before it counts as cut off: twice the longest time that a call
/// may be configured to take. Only a journal that ran out of memory loses a call's last step.
pub const MAX_OPEN: Duration = Duration::from_secs(2 * 3600);

/// Reason of a row whose call was cut off before its outcome was recorded.
const CUT_OFF: &str = "gateway_stopped";

/// The events that a row was made of, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaves {
    /// The intent.
    pub intent: Option<u64>,
    /// The outcome.
    pub outcome: Option<u64>,
    /// The completion.
    pub completion: Option<u64>,
}

impl Leaves {
    fn set(&mut self, step: Step, seq: u64) {
        match step {
            Step::Intent => self.intent = Some(seq),
            Step::Outcome => self.outcome = Some(seq),
            Step::Completion => self.completion = Some(seq),
        }
    }

    fn first(&self) -> u64 {
        let all = [self.intent, self.outcome, self.completion];
        all.into_iter().flatten().min().unwrap_or(0)
    }
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What is known of it.
    pub record: Box<CallRecord>,
    /// Where that is said.
    pub leaves: Leaves,
}

/// An open call, by its first event.
#[derive(Debug)]
struct First {
    call: CallId,
    received_at: Micros,
    /// What a person follows may go on for days, and the next command sees when it is over.
    has_no_end: bool,
}

/// Puts calls together out of their steps.
#[derive(Debug, Default)]
pub struct Assembler {
    open: HashMap<CallId, Finished>,
    /// First events of the open calls.
    firsts: BTreeMap<u64, First>,
    /// The latest reception so far: the journal's own clock.
    newest: Option<Micros>,
    /// Rows of calls that ended before this are in the ledger already.
    done_to: u64,
    finished: Vec<Finished>,
    gaps: Vec<(u64, Gap)>,
}

impl Assembler {
    /// Begins where a ledger stands.
    pub fn new(done_to: u64) -> Self {
        Self {
            done_to,
            ..Self::default()
        }
    }

    /// Takes the next event. Gives false for a step of a call whose first step is not there.
    pub fn push(&mut self, seq: u64, event: Event) -> bool {
        match event {
            Event::Start(_) => {
                while let Some((_, first)) = self.firsts.pop_first() {
                    self.cut_off(seq, first.call);
                }
                true
            }
            Event::Gap(gap) => {
                if seq >= self.done_to {
                    self.gaps.push((seq, gap));
                }
                true
            }
            Event::Rotation(_) => true,
            Event::Call(event) => self.step(seq, event),
        }
    }

    fn step(&mut self, seq: u64, event: CallEvent) -> bool {
        let CallEvent {
            step,
            whole,
            told,
            record,
        } = event;
        let id = record.call_id;
        match self.open.entry(id) {
            Entry::Occupied(mut open) => {
                let call = open.get_mut();
                if whole {
                    call.record = record;
                } else {
                    merge(&mut call.record, *record, told);
                }
                call.leaves.set(step, seq);
                if step == Step::Completion {
                    let call = open.remove();
                    self.firsts.remove(&call.leaves.first());
                    self.finish(seq, call);
                }
            }
            // Its first step was before the place where reading began: then its row is there.
            Entry::Vacant(_) if !whole => return seq < self.done_to,
            Entry::Vacant(place) => {
                self.newest = self.newest.max(Some(record.times.received_at));
                let first = First {
                    call: id,
                    received_at: record.times.received_at,
                    has_no_end: record.caller.via == CallerVia::User,
                };
                let mut leaves = Leaves::default();
                leaves.set(step, seq);
                let call = Finished { record, leaves };
                if step == Step::Completion {
                    self.finish(seq, call);
                } else {
                    place.insert(call);
                    self.firsts.insert(seq, first);
                }
            }
        }
        self.cut_off_old(seq);
        true
    }

    fn cut_off_old(&mut self, seq: u64) {
        while let Some(first) = self.firsts.first_entry() {
            let age = self.newest.map(|now| now.since(first.get().received_at));
            if first.get().has_no_end || age.is_some_and(|age| age < MAX_OPEN) {
                return;
            }
            let id = first.remove().call;
            self.cut_off(seq, id);
        }
    }

    /// Ends a call whose end was not recorded: by its outcome if that was, else as unknown.
    fn cut_off(&mut self, seq: u64, id: CallId) {
        let Some(mut call) = self.open.remove(&id) else {
            return;
        };
        if call.leaves.outcome.is_none() {
            call.record.outcome = Outcome::Unknown;
            call.record.reason.get_or_insert(CUT_OFF.into());
        }
        self.finish(seq, call);
    }

    fn finish(&mut self, seq: u64, call: Finished) {
        if seq >= self.done_to {
            self.finished.push(call);
        }
    }

    /// The calls that have not ended, in no order.
    pub fn into_open(self) -> impl Iterator<Item = Finished> {
        self.open.into_values()
    }

    /// How many calls have not ended.
    pub fn open_calls(&self) -> usize {
        self.open.len()
    }

    /// What is known of the calls that have not ended.
    pub fn open_records(&self) -> impl Iterator<Item = &CallRecord> {
        self.firsts
            .values()
            .filter_map(|first| self.open.get(&first.call))
            .map(|call| &*call.record)
    }

    /// How many rows are ready.
    pub fn ready(&self) -> usize {
        self.finished.len() + self.gaps.len()
    }

    /// Takes the rows that are ready.
    pub fn take(&mut self) -> (Vec<Finished>, Vec<(u64, Gap)>) {
        (
            std::mem::take(&mut self.finished),
            std::mem::take(&mut self.gaps),
        )
    }

    /// Where reading would have to begin again, `next` being the event to come.
    pub fn resume_at(&self, next: u64) -> u64 {
        self.firsts
            .first_key_value()
            .map_or(next, |(first, _)| *first)
    }
}
