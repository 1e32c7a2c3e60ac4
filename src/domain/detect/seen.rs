//! A bounded set of values that were seen, with what is known of each: networks of a caller,
//! its operations, grantees.

use serde::{Deserialize, Serialize};

use super::table::{Row, Table, Worth};

/// Seconds of a day.
pub(super) const DAY: u32 = 86_400;

/// How long a value that raised an alarm is held apart: nobody has said that it is right.
pub(super) const QUARANTINE: u32 = 28 * DAY;

/// One value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Value {
    hash: u64,
    /// Second at which it was first seen.
    pub first: u32,
    /// Second at which it was last seen.
    pub last: u32,
    /// How often, up to the largest number that fits.
    pub count: u32,
    /// It raised an alarm and is not learned.
    pub quarantined: bool,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Never seen, or forgotten.
    New,
    /// It raised an alarm before and nobody has said that it is right.
    Quarantined,
    /// Usual.
    Learned,
}

impl Value {
    fn new(hash: u64, now: u32, alarming: bool) -> Self {
        Self {
            hash,
            first: now,
            last: now,
            count: 1,
            quarantined: alarming,
        }
    }

    fn known(&self, now: u32, forget: u32) -> Known {
        if self.quarantined && now.saturating_sub(self.first) < QUARANTINE {
            Known::Quarantined
        } else if now.saturating_sub(self.last) < forget {
            Known::Learned
        } else {
            Known::New
        }
    }

    fn note(&mut self, now: u32, alarming: bool) {
        if self.quarantined && now.saturating_sub(self.first) >= QUARANTINE {
            self.quarantined = false;
        }
        if alarming && !self.quarantined {
            self.quarantined = true;
            self.first = now;
        }
        self.last = self.last.max(now);
        self.count = self.count.saturating_add(1);
    }
}

impl Row for Value {
    fn key(&self) -> u64 {
        self.hash
    }

    fn worth(&self, _: u32) -> Worth {
        if self.quarantined || self.count <= 2 {
            Worth::Once(self.last)
        } else {
            Worth::Kept(self.last)
        }
    }
}

/// Values that many callers share, or that one caller has thousands of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ManySeen(Table<Value>);

/// How many that are, in 32 bytes each.
const MANY: usize = 4096;

impl Default for ManySeen {
    fn default() -> Self {
        Self(Table::new(MANY))
    }
}

impl ManySeen {
    pub(super) fn get(&self, hash: u64) -> Option<&Value> {
        self.0.get(hash)
    }

    /// What is known of a value that is forgotten after `forget` seconds without it.
    pub(super) fn known(&self, hash: u64, now: u32, forget: u32) -> Known {
        self.get(hash)
            .map_or(Known::New, |value| value.known(now, forget))
    }

    /// Notes that a value was seen; `alarming` holds a new one apart.
    pub(super) fn note(&mut self, hash: u64, now: u32, alarming: bool) {
        match self.0.get_mut(hash) {
            Some(value) => value.note(now, alarming),
            None => self.0.insert(Value::new(hash, now, alarming), now),
        }
    }
}

/// Values, ordered by hash; the least recently used goes when the set is full.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    values: Vec<Value>,
}

impl Seen {
    fn place(&self, hash: u64) -> Result<usize, usize> {
        self.values.binary_search_by_key(&hash, |value| value.hash)
    }

    pub(super) fn get(&self, hash: u64) -> Option<&Value> {
        self.values.get(self.place(hash).ok()?)
    }

    /// What is known of a value that is forgotten after `forget` seconds without it.
    pub(super) fn known(&self, hash: u64, now: u32, forget: u32) -> Known {
        self.get(hash)
            .map_or(Known::New, |value| value.known(now, forget))
    }

    /// Notes that a value was seen; `alarming` holds a new one apart.
    pub(super) fn note(&mut self, hash: u64, now: u32, alarming: bool, max: usize) {
        match self.place(hash) {
            Ok(at) => {
                if let Some(value) = self.values.get_mut(at) {
                    value.note(now, alarming);
                }
            }
            Err(at) => {
                self.values.insert(at, Value::new(hash, now, alarming));
                if self.values.len() > max {
                    self.forget_oldest(hash);
                }
            }
        }
    }

    /// Gives up an eighth, so that a flood costs little each time. Held-apart and rare values go
    /// first, so that strange ones cannot push out the usual.
    fn forget_oldest(&mut self, but: u64) {
        let rank = |value: &Value| {
            let usual = !value.quarantined && value.count > 2;
            (value.hash == but, usual, value.last, value.hash)
        };
        let mut ranks: Vec<_> = self.values.iter().map(rank).collect();
        let last = (ranks.len() / 8).max(1) - 1;
        let (_, last, _) = ranks.select_nth_unstable(last);
        let last = *last;
        self.values.retain(|value| rank(value) > last);
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// How many learned values were first seen in the `span` seconds before `now`.
    pub(super) fn fresh(&self, now: u32, span: u32) -> usize {
        let values = self.values.iter().filter(|value| !value.quarantined);
        values
            .filter(|value| now.saturating_sub(value.first) < span)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_learned_forgotten_and_held_apart() {
        let mut seen = Seen::default();
        seen.note(5, 10, false, 8);
        seen.note(6, 10, true, 8);
        assert_eq!(seen.known(5, 20, DAY), Known::Learned);
        assert_eq!(seen.known(5, 10 + DAY, DAY), Known::New);
        assert_eq!(seen.known(6, 20, DAY), Known::Quarantined);
        assert_eq!(seen.known(7, 20, DAY), Known::New);
        let later = 10 + QUARANTINE;
        seen.note(6, later, false, 8);
        assert_eq!(seen.known(6, later, DAY), Known::Learned);
    }

    #[test]
    fn a_flood_leaves_the_usual_values() {
        let mut seen = Seen::default();
        for _ in 0..3 {
            seen.note(1, 10, false, 8);
        }
        for n in 2..100 {
            seen.note(n, 10 + n as u32, true, 8);
        }
        assert_eq!(seen.values.len(), 8);
        assert_eq!(seen.known(1, 200, DAY), Known::Learned);
    }
}
