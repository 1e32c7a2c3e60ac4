//! The one form that an event has. What is read was written like this or is refused: the bytes are
//! leaves of evidence, and two encodings of one event would be two leaves.
//!
//! Each field is looked at once as it is read. Writing the event again and comparing says the same
//! at three times the cost; a test does that.

use super::decode::DecodeError;
use super::encode::tag;

/// Written for every first step of a call.
const REQUEST: &[u8] = &[
    tag::NODE,
    tag::VERSION,
    tag::CONFIG_HASH,
    tag::RECEIVED_AT,
    tag::METHOD,
    tag::TOKEN_TYPE,
];

/// Written for every step.
const STATE: &[u8] = &[tag::DECISION, tag::OUTCOME];

/// What was seen of an event's fields.
#[derive(Debug, Default)]
pub(super) struct Form<'a> {
    /// A bit for each tag.
    seen: u128,
    last: u8,
    class: Option<&'a [u8]>,
}

const fn bit(tag: u8) -> u128 {
    1_u128.rotate_left(tag as u32)
}

impl<'a> Form<'a> {
    /// Takes the next field, of which the tag is known and the value can be read.
    pub(super) fn take(&mut self, tag: u8, value: &'a [u8]) -> Result<(), DecodeError> {
        let again = self.has(tag);
        let is_list = matches!(
            tag,
            tag::TOKEN_PRESENT | tag::TOKEN_SCOPE | tag::SUBJECT | tag::FACT | tag::PII
        );
        let in_order = tag >= self.last && (is_list || !again);
        let is_short = match tag {
            tag::RECEIVED_AT
            | tag::TOKEN_EXPIRES_AT
            | tag::FORWARDED_AT
            | tag::FIRST_BYTE_AT
            | tag::COMPLETED_AT
            | tag::MINT_EXPIRES_AT
            | tag::STATUS
            | tag::AT
            | tag::TO => value.first() != Some(&0),
            // Left out if zero.
            tag::TOKEN_SCOPES_UNLISTED
            | tag::ATTEMPTS
            | tag::REQUEST_BYTES
            | tag::RESPONSE_BYTES
            | tag::SUBJECTS_TOLD
            | tag::CUT_BYTES
            | tag::REFUSED
            | tag::SHED
            | tag::DROPPED => value.first().is_some_and(|first| *first != 0),
            // A set, in the order of the names.
            tag::PII => self
                .class
                .replace(value)
                .is_none_or(|before| before < value),
            // The last eight bytes of a long address are left out if they are zero.
            tag::CALLER_ADDRESS | tag::UPSTREAM => value
                .get(18..)
                .is_none_or(|rest| rest.is_empty() || rest.iter().any(|b| *b != 0)),
            _ => true,
        };
        self.seen |= bit(tag);
        self.last = tag;
        if in_order && is_short {
            Ok(())
        } else {
            Err(DecodeError::NotCanonical)
        }
    }

    fn has(&self, tag: u8) -> bool {
        self.seen & bit(tag) != 0
    }

    /// All of these were there.
    pub(super) fn end(&self, needed: &[u8]) -> Result<(), DecodeError> {
        if needed.iter().all(|tag| self.has(*tag)) {
            Ok(())
        } else {
            Err(DecodeError::NotCanonical)
        }
    }

    /// The end of a step: of the first, which says everything, or of a later one.
    pub(super) fn end_call(&self, whole: bool) -> Result<(), DecodeError> {
        self.end(STATE)?;
        if whole {
            self.end(REQUEST)?;
        }
        let request = self.seen & (bit(tag::FORWARDED_AT) - 1);
        // Only a later step tells of earlier subjects, and only before its own.
        let told = !self.has(tag::SUBJECTS_TOLD) || (!whole && self.has(tag::SUBJECT));
        if (whole || request == 0) && told {
            Ok(())
        } else {
            Err(DecodeError::NotCanonical)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::evidence::Salt;
    use crate::domain::journal::fields::{Reader, push_length};
    use crate::domain::journal::frame::{Kind, PAYLOAD_PREFIX, VERSION};
    use crate::domain::journal::{
        Decoder, Encoded, Gap, Start, encode_call, encode_gap, encode_rotation, encode_start,
        samples,
    };
    use crate::domain::record::Step;
    use crate::types::Micros;
    use proptest::prelude::*;

    /// What is done to an event's fields.
    #[derive(Clone, Debug)]
    enum Change {
        Remove(prop::sample::Index),
        Repeat(prop::sample::Index),
        Swap(prop::sample::Index, prop::sample::Index),
        Retag(prop::sample::Index, u8),
        LeadingZero(prop::sample::Index),
        Empty(prop::sample::Index),
        TakeOver(prop::sample::Index, prop::sample::Index),
        LongLength(prop::sample::Index),
    }

    fn change() -> impl Strategy<Value = Change> {
        let at = any::<prop::sample::Index>;
        prop_oneof![
            at().prop_map(Change::Remove),
            at().prop_map(Change::Repeat),
            (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
            (at(), 0_u8..80).prop_map(|(at, tag)| Change::Retag(at, tag)),
            at().prop_map(Change::LeadingZero),
            at().prop_map(Change::Empty),
            (at(), at()).prop_map(|(from, to)| Change::TakeOver(from, to)),
            at().prop_map(Change::LongLength),
        ]
    }

    /// The fields of an event of some kind: of the first step of a call, of a later one that
    /// tells nothing new or something, or of something else.
    fn event(record: &crate::domain::record::CallRecord, shape: u8) -> (Kind, Vec<u8>) {
        let mut out = Encoded::default();
        let at = record.times.received_at;
        let known = match shape {
            0 => None,
            1 => Some(0),
            2 => Some(1),
            3 => Some(record.subjects.len()),
            4 => {
                let (refused, shed) = (u64::from(record.traffic.attempts), 1);
                let gap = Gap {
                    from: at,
                    to: Micros(0),
                    refused,
                    shed,
                    dropped: 0,
                };
                encode_gap(&mut out.fields, &gap);
                return (Kind::Gap, out.fields);
            }
            5 => {
                let start = Start {
                    at,
                    node: "n".into(),
                    version: "1".into(),
                    config_hash: "h".into(),
                    cut_bytes: u64::from(record.traffic.attempts),
                };
                encode_start(&mut out.fields, &start);
                return (Kind::Start, out.fields);
            }
            _ => {
                encode_rotation(&mut out.fields, b"note");
                return (Kind::Rotation, out.fields);
            }
        };
        let salt = || Ok::<_, ()>(Salt::from_bytes([7; 16]));
        encode_call(&mut out, known, record, salt).unwrap();
        (Kind::Call(Step::Outcome), out.fields)
    }

    fn payload(kind: Kind, fields: &[u8]) -> Vec<u8> {
        let mut payload = vec![VERSION, kind.code()];
        payload.extend_from_slice(&9_u64.to_be_bytes());
        assert_eq!(payload.len(), PAYLOAD_PREFIX);
        payload.extend_from_slice(fields);
        payload
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn what_is_taken_is_what_would_be_written(
            record in samples::record(),
            shape in 0_u8..7,
            changes in prop::collection::vec(change(), 0..3),
        ) {
            let (kind, bytes) = event(&record, shape);
            let prefix = if matches!(kind, Kind::Call(_)) { 16 } else { 0 };
            let mut fields = Vec::new();
            let mut reader = Reader(&bytes[prefix..]);
            while let Some((tag, value)) = reader.next().unwrap() {
                fields.push((tag, value.to_vec(), false));
            }
            let unchanged = changes.is_empty();
            for change in changes {
                let count = fields.len();
                if count == 0 {
                    continue;
                }
                match change {
                    Change::Remove(at) => drop(fields.remove(at.index(count))),
                    Change::Repeat(at) => {
                        let at = at.index(count);
                        fields.insert(at, fields[at].clone());
                    }
                    Change::Swap(one, other) => fields.swap(one.index(count), other.index(count)),
                    Change::Retag(at, tag) => fields[at.index(count)].0 = tag,
                    Change::LeadingZero(at) => fields[at.index(count)].1.insert(0, 0),
                    Change::Empty(at) => fields[at.index(count)].1.clear(),
                    Change::TakeOver(from, to) => {
                        let value = fields[from.index(count)].1.clone();
                        fields[to.index(count)].1 = value;
                    }
                    Change::LongLength(at) => fields[at.index(count)].2 = true,
                }
            }
            let mut changed = bytes[..prefix].to_vec();
            for (tag, value, padded) in &fields {
                changed.push(*tag);
                push_length(&mut changed, value.len());
                if *padded {
                    *changed.last_mut().unwrap() |= 0x80;
                    changed.push(0);
                }
                changed.extend_from_slice(value);
            }
            let mut decoder = Decoder::default();
            match decoder.decode_sealed(&payload(kind, &changed)) {
                Ok((_, event)) => prop_assert_eq!(decoder.encode_again(&event), changed),
                Err(error) => prop_assert!(!unchanged, "{}", error),
            }
        }
    }
}
