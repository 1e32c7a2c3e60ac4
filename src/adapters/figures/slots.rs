//! A bounded table of counters by key: no lock, no growth, and nothing is ever removed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many places of the table are tried for a key: with at most three quarters of them taken, more
/// would hardly ever be needed.
const MAX_PROBES: usize = 64;

struct Slot<V> {
    /// 0 while the slot is free.
    key: AtomicU64,
    value: V,
}

/// Values by key. One thread adds to it and others read it; more may add, too, and then share cache lines.
pub struct Slots<V> {
    slots: Box<[Slot<V>]>,
    used: AtomicUsize,
}

impl<V: Default> Slots<V> {
    /// A table with `size` slots, rounded up to a power of two; three quarters of them can be used.
    pub fn new(size: usize) -> Self {
        let slots = (0..size.next_power_of_two()).map(|_| Slot {
            key: AtomicU64::new(0),
            value: V::default(),
        });
        Self {
            slots: slots.collect(),
            used: AtomicUsize::new(0),
        }
    }

    /// The value of a key, which is not 0; `None` for a key that finds no room.
    pub fn at(&self, key: u64) -> Option<&V> {
        let mask = self.slots.len() - 1;
        let first = usize::try_from(mix(key) >> 32).unwrap_or(0);
        for at in (first..).take(MAX_PROBES) {
            let slot = self.slots.get(at & mask)?;
            let mut found = slot.key.load(Ordering::Acquire);
            if found == 0 {
                if self.used.load(Ordering::Relaxed) >= self.slots.len() / 4 * 3 {
                    return None;
                }
                let taken = slot
                    .key
                    .compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire);
                match taken {
                    Ok(_) => {
                        self.used.fetch_add(1, Ordering::Relaxed);
                        found = key;
                    }
                    Err(other) => found = other,
                }
            }
            if found == key {
                return Some(&slot.value);
            }
        }
        None
    }

    /// Every key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.slots.iter().filter_map(|slot| {
            let key = slot.key.load(Ordering::Acquire);
            (key != 0).then_some((key, &slot.value))
        })
    }
}

/// Spreads keys that differ in few bits (the multiplier of Fibonacci hashing: 2^64 over the golden
/// ratio).
const fn mix(key: u64) -> u64 {
    let key = key ^ (key >> 32);
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_table_takes_no_more_and_forgets_nothing() {
        let slots = Slots::<AtomicU64>::new(16);
        let taken = (1..=100_u64).filter(|key| slots.at(*key).is_some()).count();
        assert_eq!(taken, 12);
        let known: Vec<u64> = slots.iter().map(|(key, _)| key).collect();
        for key in known {
            assert!(slots.at(key).is_some());
        }
    }

    #[test]
    fn threads_that_meet_lose_nothing() {
        let slots = Slots::<AtomicU64>::new(64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..4_000_u64 {
                        let value = slots.at(n % 40 + 1).unwrap();
                        value.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let counts: Vec<u64> = slots
            .iter()
            .map(|(_, n)| n.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts, vec![400; 40]);
    }

    proptest! {
        #[test]
        fn it_counts_as_a_map_does(keys in prop::collection::vec(1_u64..500, 0..300)) {
            let slots = Slots::<AtomicU64>::new(1024);
            let mut map = HashMap::new();
            for key in keys {
                let key = key << 24;
                slots.at(key).unwrap().fetch_add(1, Ordering::Relaxed);
                *map.entry(key).or_insert(0) += 1;
            }
            let found: HashMap<u64, u64> =
                slots.iter().map(|(key, n)| (key, n.load(Ordering::Relaxed))).collect();
            prop_assert_eq!(found, map);
        }
    }
}
