//! Texts that recur from record to record, such as who called which operation: shared, not
//! allocated anew each time.

use std::sync::Arc;

/// How many texts are remembered, a power of two. A gateway's catalogs and callers have some
/// hundreds in use.
const SLOTS: usize = 1024;

/// Longer texts are not remembered: what recurs is short.
const LONGEST: usize = 256;

/// The texts met last, each in the slot that its bytes lead to. Two texts of one slot take turns,
/// which costs an allocation and nothing else.
#[derive(Debug)]
pub(super) struct Texts(Box<[Option<Arc<str>>]>);

impl Default for Texts {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| None).collect())
    }
}

impl Texts {
    /// The text of these bytes; `None` if they are none.
    pub(super) fn get(&mut self, bytes: &[u8]) -> Option<Arc<str>> {
        let slot = self.0.get_mut(slot(bytes))?;
        if let Some(known) = slot
            && known.as_bytes() == bytes
        {
            return Some(Arc::clone(known));
        }
        let text: Arc<str> = std::str::from_utf8(bytes).ok()?.into();
        if bytes.len() <= LONGEST {
            *slot = Some(Arc::clone(&text));
        }
        Some(text)
    }
}

/// Cheaper than an allocation, which a hash over all bytes would not be: of the beginning, the
/// end and the length.
fn slot(bytes: &[u8]) -> usize {
    let eight = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let first = bytes.first_chunk().map(|eight| u64::from_le_bytes(*eight));
    let last = bytes.last_chunk().map(|eight| u64::from_le_bytes(*eight));
    let (first, last) = match (first, last) {
        (Some(first), Some(last)) => (first, last),
        _ => (eight(bytes), 0),
    };
    // Multiplying by odd numbers without pattern spreads the bits upwards.
    let mixed = first.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ last.rotate_left(29).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ (bytes.len() as u64).wrapping_mul(0x1656_67b1_9e37_79f9);
    (mixed >> 48) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_recurs_is_shared() {
        let mut texts = Texts::default();
        let first = texts.get(b"cybrid").unwrap();
        let again = texts.get(b"cybrid").unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn texts_of_one_slot_are_not_mixed_up() {
        let mut texts = Texts::default();
        // The same beginning, end and length.
        let (one, two) = (b"/accounts/a/balances", b"/accounts/b/balances");
        assert_eq!(slot(one), slot(two));
        for text in [one, two, one] {
            assert_eq!(texts.get(text).unwrap().as_bytes(), text);
        }
    }

    #[test]
    fn bytes_that_are_no_text_and_long_texts_are_not_remembered() {
        let mut texts = Texts::default();
        assert_eq!(texts.get(b"\xff\xff"), None);
        let long = "x".repeat(LONGEST + 1);
        let first = texts.get(long.as_bytes()).unwrap();
        assert_eq!(*first, *long);
        assert!(!Arc::ptr_eq(&first, &texts.get(long.as_bytes()).unwrap()));
    }
}
