//! Reading no more of a call's steps than its row needs.
//!
//! Each step but the first says all that has become of the call so far, so an outcome says nothing
//! that the completion behind it does not say again. Most calls end a moment after their outcome:
//! that is put aside as it is, and read only if nothing has come after it by the time somebody
//! wants to know.

use std::collections::HashMap;
use std::ops::Range;

use super::Decoder;
use super::assemble::Assembler;
use super::decode::DecodeError;
use super::frame::{Kind, PAYLOAD_PREFIX, VERSION};
use crate::domain::record::Step;
use crate::types::CallId;

/// How many bytes are put aside before what is still wanted of them is read: some thousand
/// outcomes, nearly all of which have been followed by then.
const ROOM: usize = 1 << 20;

/// Outcomes that nobody has read yet; for the time of one batch.
#[derive(Debug, Default)]
pub struct Aside {
    /// By call: the number of the event, and where its payload is in `bytes`.
    outcomes: HashMap<CallId, (u64, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Aside {
    /// Takes the next event. Gives false for a step of a call whose first step is not there.
    ///
    /// # Errors
    /// [`DecodeError`], of this event or of one that was put aside.
    pub fn push(
        &mut self,
        (assembler, decoder): (&mut Assembler, &mut Decoder),
        seq: u64,
        payload: &[u8],
    ) -> Result<bool, DecodeError> {
        if self.bytes.len() > ROOM {
            self.settle(assembler, decoder)
                .map_err(|(_, source)| source)?;
        }
        match step_of(payload) {
            Some((Step::Outcome, call)) if assembler.is_open(&call) => {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(payload);
                self.outcomes.insert(call, (seq, from..self.bytes.len()));
                return Ok(true);
            }
            Some((Step::Completion, call)) => {
                if let Some((outcome, _)) = self.outcomes.remove(&call) {
                    assembler.note_outcome(&call, outcome);
                }
            }
            Some((_, call)) if !self.outcomes.contains_key(&call) => {}
            // A start ends the calls that are open, by what is known of them.
            _ => self
                .settle(assembler, decoder)
                .map_err(|(_, source)| source)?,
        }
        let (_, event) = decoder.decode(payload)?;
        Ok(assembler.push(seq, event))
    }

    /// Reads what is left, in the order in which it was written.
    ///
    /// # Errors
    /// [`DecodeError`], and which event has it.
    pub fn settle(
        &mut self,
        assembler: &mut Assembler,
        decoder: &mut Decoder,
    ) -> Result<(), (u64, DecodeError)> {
        let mut left: Vec<(u64, Range<usize>)> =
            self.outcomes.drain().map(|(_, place)| place).collect();
        left.sort_unstable_by_key(|(seq, _)| *seq);
        for (seq, place) in left {
            let payload = self.bytes.get(place).unwrap_or_default();
            let (_, event) = decoder.decode(payload).map_err(|source| (seq, source))?;
            assembler.push(seq, event);
        }
        self.bytes.clear();
        Ok(())
    }
}

/// The step and the call of a payload, without reading the rest; `None` if it is something else.
fn step_of(payload: &[u8]) -> Option<(Step, CallId)> {
    let (prefix, fields) = payload.split_first_chunk::<PAYLOAD_PREFIX>()?;
    let [version, kind, ..] = *prefix;
    match Kind::from_code(kind) {
        Some(Kind::Call(step)) if version == VERSION => {
            Some((step, CallId::from_bytes(*fields.first_chunk()?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Start;
    use super::super::frame::{push_frame, read_frame, seal_frame};
    use super::super::{encode_call, encode_start, samples};
    use super::*;
    use crate::domain::record::CallRecord;
    use proptest::prelude::*;

    fn payload(kind: Kind, seq: u64, fields: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        push_frame(&mut frame, kind, seq, fields);
        seal_frame(&mut frame, 0).unwrap();
        read_frame(&frame).unwrap().payload.to_vec()
    }

    fn event(seq: u64, what: usize, call: i64, record: &CallRecord) -> Vec<u8> {
        let mut fields = Vec::new();
        let step = [Step::Intent, Step::Outcome, Step::Outcome, Step::Completion].get(what);
        let Some(step) = step else {
            encode_start(
                &mut fields,
                &Start {
                    at: record.times.received_at,
                    node: "n".into(),
                    version: "0".into(),
                    config_hash: "h".into(),
                    cut_bytes: 0,
                },
            );
            return payload(Kind::Start, seq, &fields);
        };
        let mut record = record.clone();
        record.call_id = CallId::floor(call);
        // One that a call may take: the hours of random times would cut it off.
        record.times.received_at = crate::types::Micros(1_000 * call);
        encode_call(&mut fields, *step == Step::Intent, &record);
        payload(Kind::Call(*step), seq, &fields)
    }

    proptest! {
        #[test]
        fn rows_are_the_same_as_from_reading_everything(
            steps in prop::collection::vec((0_usize..5, 1_i64..4, 0_usize..3), 1..30),
            records in prop::collection::vec(samples::record(), 3),
            cut in 1_usize..6,
        ) {
            let (mut all, mut few) = (Assembler::default(), Assembler::default());
            let (mut decoder, mut other, mut aside) =
                (Decoder::default(), Decoder::default(), Aside::default());
            for (seq, (what, call, record)) in (0..).zip(steps) {
                let payload = event(seq, what, call, &records[record]);
                let (_, event) = decoder.decode(&payload).unwrap();
                let expected = all.push(seq, event);
                let found = aside.push((&mut few, &mut other), seq, &payload).unwrap();
                prop_assert_eq!(found, expected);
                if (seq as usize).is_multiple_of(cut) {
                    aside.settle(&mut few, &mut other).unwrap();
                    prop_assert_eq!(few.take(), all.take());
                    prop_assert_eq!(few.resume_at(seq + 1), all.resume_at(seq + 1));
                    prop_assert_eq!(few.open_calls(), all.open_calls());
                }
            }
            aside.settle(&mut few, &mut other).unwrap();
            prop_assert_eq!(few.take(), all.take());
        }
    }
}
