//! The journal as an audit walks over it: its frames in order, and what is missing in between.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::{LeafStore, NotAudited, list};
use crate::adapters::journal::{Met, Place, ReadError, Walk};
use crate::domain::evidence::KeyRotation;
use crate::domain::evidence::merkle::{NodeHash, leaf_hash};
use crate::domain::journal::{Kind, PAYLOAD_PREFIX};
use crate::types::CallId;

/// What comes next in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    Frame {
        seq: u64,
        leaf: NodeHash,
    },
    /// A record of a segment that is gone.
    Gone {
        seq: u64,
    },
    Foreign {
        place: Place,
    },
}

/// The frames of the journal with what is missing in between.
pub(super) struct Frames {
    directory: PathBuf,
    pub(super) walk: Walk,
    ahead: VecDeque<Next>,
    /// Segments of which only the leaf hashes are left: first record and end.
    gone: Vec<(u64, u64)>,
    /// The record that should come next.
    expected: u64,
    ended: bool,
    /// Records that announce a key.
    pub(super) rotations: Vec<u64>,
}

impl Frames {
    pub(super) fn open(directory: &Path) -> Result<Self, NotAudited> {
        let walk = Walk::open(directory, 0)?;
        let leaves = list(directory, ".leaves")?;
        let size = LeafStore::open_without_nodes(directory)?.size();
        let mut all: Vec<u64> = walk.segments().iter().chain(&leaves).copied().collect();
        all.sort_unstable();
        all.dedup();
        let ends = all.iter().skip(1).copied().chain([size.max(1)]);
        let gone = all
            .iter()
            .copied()
            .zip(ends)
            .filter(|(first, end)| first < end && !walk.segments().contains(first))
            .collect();
        Ok(Self {
            directory: directory.to_owned(),
            walk,
            ahead: VecDeque::new(),
            gone,
            expected: 0,
            ended: false,
            rotations: Vec::new(),
        })
    }

    pub(super) fn file(&self, segment: u64) -> PathBuf {
        crate::adapters::journal::segment_path(&self.directory, segment)
    }

    pub(super) fn is_first_gone(&self, seq: u64) -> bool {
        self.gone.iter().any(|(first, _)| *first == seq)
    }

    pub(super) fn gone_until(&self, seq: u64) -> u64 {
        let of = |(first, end): &&(u64, u64)| (*first..*end).contains(&seq);
        self.gone.iter().find(of).map_or(seq + 1, |(_, end)| *end)
    }

    /// Takes the next record below `size`.
    pub(super) fn take_below(&mut self, size: u64) -> Result<Option<Next>, NotAudited> {
        if self.expected < size
            && self
                .gone
                .iter()
                .any(|(a, b)| (*a..*b).contains(&self.expected))
        {
            let seq = self.expected;
            self.expected += 1;
            return Ok(Some(Next::Gone { seq }));
        }
        self.look_ahead(2)?;
        let Some(next) = self.ahead.front().copied() else {
            return Ok(None);
        };
        if let Next::Frame { seq, .. } = next {
            // One that is numbered beyond the checkpoint waits, unless the right one follows it:
            // then it was put in between.
            let follows =
                |next: &Next| matches!(next, Next::Frame { seq, .. } if *seq == self.expected);
            let is_between = seq != self.expected && self.ahead.get(1).is_some_and(follows);
            if seq >= size && !is_between {
                return Ok(None);
            }
            if !is_between {
                self.expected = seq.saturating_add(1);
            }
        }
        self.ahead.pop_front();
        Ok(Some(next))
    }

    fn look_ahead(&mut self, count: usize) -> Result<(), NotAudited> {
        while !self.ended && self.ahead.len() < count {
            let next = match self.walk.advance()? {
                None => {
                    self.ended = true;
                    return Ok(());
                }
                Some((_, Met::Frame(seq))) => {
                    let payload = self.walk.payload();
                    if KeyRotation::is_in(payload) {
                        self.rotations.push(seq);
                    }
                    Next::Frame {
                        seq,
                        leaf: leaf_hash(payload),
                    }
                }
                Some((_, Met::Damaged)) => {
                    // Stands for the record that should be here; nothing else has this hash.
                    let before = self.ahead.iter().rev().find_map(|next| match next {
                        Next::Frame { seq, .. } | Next::Gone { seq } => Some(seq + 1),
                        Next::Foreign { .. } => None,
                    });
                    Next::Frame {
                        seq: before.unwrap_or(self.expected),
                        leaf: leaf_hash(b"damaged"),
                    }
                }
                Some((place, Met::Foreign)) => Next::Foreign { place },
            };
            self.ahead.push_back(next);
        }
        Ok(())
    }

    /// How many records follow in order.
    pub(super) fn count_from(&mut self, from: u64) -> Result<u64, NotAudited> {
        let mut next = from;
        loop {
            self.look_ahead(1)?;
            match self.ahead.pop_front() {
                Some(Next::Frame { seq, .. }) if seq == next => next += 1,
                _ => return Ok(next - from),
            }
        }
    }
}

/// Where a record stands, or should stand, and the call that it belongs to.
///
/// # Errors
/// [`ReadError`].
pub fn find(directory: &Path, seq: u64) -> Result<Option<(Place, Option<CallId>)>, ReadError> {
    let mut walk = Walk::open(directory, seq)?;
    let mut expected = None;
    while let Some((place, met)) = walk.advance()? {
        match met {
            Met::Frame(found) if found == seq => {
                return Ok(Some((place, call_of(walk.payload()))));
            }
            Met::Frame(found) if found > seq => return Ok(Some((place, None))),
            Met::Frame(found) => expected = Some(found + 1),
            Met::Damaged if expected.unwrap_or(place.segment) == seq => {
                return Ok(Some((place, None)));
            }
            Met::Damaged => expected = Some(expected.unwrap_or(place.segment) + 1),
            Met::Foreign => {}
        }
    }
    Ok(None)
}

/// Whether the journal has a record with this number once, and not twice.
pub(super) fn stands_once(directory: &Path, seq: u64) -> Result<bool, ReadError> {
    let mut walk = Walk::open(directory, seq)?;
    let mut times = 0;
    let mut segment = None;
    while let Some((place, met)) = walk.advance()? {
        // A record that was moved is still in the segment of its number, or it would be void.
        if *segment.get_or_insert(place.segment) != place.segment {
            break;
        }
        times += u32::from(met == Met::Frame(seq));
    }
    Ok(times == 1)
}

/// The call that a payload is a step of.
pub fn call_of(payload: &[u8]) -> Option<CallId> {
    let (prefix, fields) = payload.split_first_chunk::<PAYLOAD_PREFIX>()?;
    let [_, kind, ..] = *prefix;
    match Kind::from_code(kind)? {
        Kind::Call(_) => Some(CallId::from_bytes(*fields.first_chunk::<16>()?)),
        _ => None,
    }
}
