//! Two lists of hashes: the first place where they differ, and in which way.

use crate::domain::evidence::merkle::NodeHash;

/// How a store first departs from the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Another content stands in the place of a record.
    #[error("record {sequence} was changed")]
    Changed {
        /// The record.
        sequence: u64,
    },
    /// A record is missing.
    #[error("record {sequence} was removed")]
    Removed {
        /// The record.
        sequence: u64,
    },
    /// There is a record that the log never had (or had once and not twice).
    #[error("a record numbered {numbered} was inserted before record {sequence}")]
    Inserted {
        /// The record of the log before which it stands.
        sequence: u64,
        /// The sequence number that it carries.
        numbered: u64,
    },
    /// A record of the log stands in another's place.
    #[error("record {sequence} was moved: a record numbered {numbered} stands in its place")]
    Moved {
        /// The record that is not in its place.
        sequence: u64,
        /// The sequence number that the record there carries.
        numbered: u64,
    },
}

/// Compares what is stored, as (sequence number, hash) in stored order, with the hashes that
/// should be there from `first` on. Linear in the lengths.
pub fn first_difference(
    first: u64,
    truth: &[NodeHash],
    stored: &[(u64, NodeHash)],
) -> Option<Difference> {
    let differs = |(at, want): (usize, &NodeHash)| {
        let expected = (number(first, at), *want);
        (stored.get(at) != Some(&expected)).then_some((at, *want))
    };
    let Some((at, want)) = truth.iter().enumerate().find_map(differs) else {
        // The truth is all there; whatever follows is more than it.
        let (numbered, _) = stored.get(truth.len())?;
        let sequence = number(first, truth.len());
        return Some(Difference::Inserted {
            sequence,
            numbered: *numbered,
        });
    };
    let sequence = number(first, at);
    let Some((numbered, found)) = stored.get(at).copied() else {
        return Some(Difference::Removed { sequence });
    };
    // Two records may have the same content: what counts is how often each is there.
    let in_truth = |hash: NodeHash| truth.iter().filter(|want| **want == hash).count();
    let in_store = |hash: NodeHash| stored.iter().filter(|(_, found)| *found == hash).count();
    let surplus = in_store(found) > in_truth(found);
    let missing = in_store(want) < in_truth(want);
    Some(match (surplus, missing) {
        (true, true) => Difference::Changed { sequence },
        (true, false) => Difference::Inserted { sequence, numbered },
        (false, true) => Difference::Removed { sequence },
        (false, false) => Difference::Moved { sequence, numbered },
    })
}

fn number(first: u64, at: usize) -> u64 {
    first.saturating_add(u64::try_from(at).unwrap_or(u64::MAX))
}
