//! What a series is told apart by, packed into one word.

/// What is counted. Never 0, so that no key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Server = 1,
    Client,
    Calls,
    Denials,
    Credentials,
    Mints,
    Resends,
    Redactions,
}

const TAGS: [Tag; 8] = [
    Tag::Server,
    Tag::Client,
    Tag::Calls,
    Tag::Denials,
    Tag::Credentials,
    Tag::Mints,
    Tag::Resends,
    Tag::Redactions,
];

/// Places that can be told apart, the one that is no place included.
pub const MAX_PLACES: usize = 1 << 12;

/// A series: what is counted, the place, and up to three indices whose meaning depends on what is
/// counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub tag: Tag,
    /// 0 for no place.
    pub place: usize,
    pub a: u16,
    pub b: u16,
    pub c: u16,
}

impl Key {
    /// As one word, not 0.
    pub fn pack(self) -> u64 {
        let place = (self.place % MAX_PLACES) as u64;
        (self.tag as u64) << 60
            | place << 48
            | u64::from(self.a) << 32
            | u64::from(self.b) << 16
            | u64::from(self.c)
    }

    /// From one word.
    pub fn unpack(word: u64) -> Option<Self> {
        let part = |shift: u32| (word >> shift) as u16;
        let tag = TAGS.iter().find(|tag| **tag as u64 == word >> 60)?;
        Some(Self {
            tag: *tag,
            place: usize::from(part(48)) % MAX_PLACES,
            a: part(32),
            b: part(16),
            c: part(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(tag in 0..TAGS.len(), place in 0..MAX_PLACES, a: u16, b: u16, c: u16) {
            let key = Key { tag: TAGS[tag], place, a, b, c };
            prop_assert_eq!(Key::unpack(key.pack()), Some(key));
            prop_assert_ne!(key.pack(), 0);
        }
    }
}
