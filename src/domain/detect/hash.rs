//! The hash under which names, fingerprints and addresses are kept.
//!
//! It must be the same in every run and on every machine, since snapshots hold its results, so
//! it is written out here instead of taken from a library that may change it. It needs no secret
//! seed: customers and tokens reach the engine as keyed pseudonyms and fingerprints, callers and
//! operations are the operator's own words, and what a stranger can choose (an address, a
//! grantee) only ever fills sets with a small fixed bound.

const A: u64 = 0x9e37_79b9_7f4a_7c15;
const B: u64 = 0xd6e8_feb8_6659_fd93;

/// Multiplies to 128 bits and folds: every input bit reaches every output bit.
const fn fold(left: u64, right: u64) -> u64 {
    let wide = (left as u128).wrapping_mul(right as u128);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Mixes two numbers into one.
pub(super) const fn pair(left: u64, right: u64) -> u64 {
    fold(left ^ A, right ^ B).wrapping_add(left.rotate_left(29))
}

/// The hash of some bytes; never 0, which means "absent" in tables.
pub(super) fn bytes(text: &[u8]) -> u64 {
    let mut state = fold(text.len() as u64 ^ B, A);
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word), A);
    }
    let mut tail = [0; 8];
    for (to, from) in tail.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    fold(state ^ u64::from_le_bytes(tail), B).max(1)
}

/// The hash of a name.
pub(super) fn text(text: &str) -> u64 {
    bytes(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_stay_since_snapshots_hold_them() {
        assert_eq!(text(""), text(""));
        assert_ne!(text("a"), text("b"));
        assert_ne!(text("abcdefgh"), text("abcdefgh\0"));
        assert_eq!(text("payments"), KNOWN);
    }

    const KNOWN: u64 = 1_138_006_273_981_837_987;

    #[test]
    fn close_names_are_far_apart() {
        let mut all: Vec<u64> = (0..100_000)
            .map(|n| text(&format!("cust-{n:07}")))
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100_000);
        let low = all.iter().filter(|hash| *hash & 0xff == 7).count();
        assert!((250..550).contains(&low), "{low}");
    }
}
