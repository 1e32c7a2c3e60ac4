//! Seeded pseudo-randomness: the same seed and the same calls give the same answers.
//!
//! Not for real secrets. Everything a simulator makes is fake, and repeatable on purpose.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SplitMix64 (Steele, Lea and Flood, 2014): one word of state, good enough for fakes.
#[derive(Clone, Debug)]
pub struct Entropy {
    state: u64,
}

impl Entropy {
    /// Starts a sequence.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to but not including `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word().checked_rem(bound).unwrap_or(0)
    }

    /// True with this probability (0 never, 1 always).
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits make a float in [0, 1) exactly.
        let unit = (self.word() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }

    /// `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length.saturating_add(8));
        while out.len() < length {
            out.extend_from_slice(&self.word().to_le_bytes());
        }
        out.truncate(length);
        out
    }

    /// `length` characters out of `alphabet` (which must not be empty).
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .filter_map(|_| {
                let at = self.below(alphabet.len() as u64) as usize;
                alphabet.get(at).map(|byte| char::from(*byte))
            })
            .collect()
    }

    /// A Cybrid guid: 32 lowercase hexadecimal characters.
    pub fn guid(&mut self) -> String {
        format!("{:016x}{:016x}", self.word(), self.word())
    }

    /// A UUID in its version 4 form (RFC 9562).
    pub fn uuid(&mut self) -> String {
        let bits = (u128::from(self.word()) << 64) | u128::from(self.word());
        uuid::Builder::from_random_bytes(bits.to_be_bytes())
            .into_uuid()
            .hyphenated()
            .to_string()
    }

    /// `length` random bytes in base64url.
    pub fn base64url(&mut self, length: usize) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_seed_differs() {
        let mut one = Entropy::new(7);
        let mut two = Entropy::new(7);
        let mut three = Entropy::new(8);
        let (a, b, c) = (one.guid(), two.guid(), three.guid());
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!(a.len(), 32);
        assert_eq!(one.uuid().as_bytes()[14], b'4');
        assert_eq!(one.base64url(512).len(), 683);
    }

    #[test]
    fn chance_keeps_its_ends() {
        let mut entropy = Entropy::new(1);
        assert!((0..200).all(|_| !entropy.chance(0.0)));
        assert!((0..200).all(|_| entropy.chance(1.0)));
    }
}
