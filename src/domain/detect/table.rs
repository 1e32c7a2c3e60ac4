//! A table with a fixed bound: rows in one block of memory, found through an index of their
//! keys, and recycled by a hand that goes round like that of a clock.
//!
//! Which row goes when the table is full depends on the rows alone, never on the index, so a
//! table that was written out and read back goes on exactly as before.

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize};

/// How many rows the hand looks at to find one to give up.
const LOOKS: usize = 24;

/// What a table holds.
pub(super) trait Row: Default + Copy {
    /// The key; 0 means that the row is free.
    fn key(&self) -> u64;

    /// How easily it is given up at `now` (seconds): [`Worth::Nothing`] at once.
    fn worth(&self, now: u32) -> Worth;
}

/// How much a row is worth keeping. The lesser goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Nothing any more, such as a token that has ended.
    Nothing,
    /// Seen once, at this second: what a flood of made-up identifiers leaves behind.
    Once(u32),
    /// In use, last at this second.
    Kept(u32),
}

impl Worth {
    /// The same order in one number, since the hand compares many.
    fn weight(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Once(second) => (1 << 32) | u64::from(second),
            Self::Kept(second) => (2 << 32) | u64::from(second),
        }
    }
}

/// Rows by key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Table<R> {
    max: usize,
    rows: Vec<R>,
    free: Vec<u32>,
    hand: u32,
    evicted: u64,
    #[serde(skip)]
    index: HashTable<u32>,
}

impl<R: Row> Table<R> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            rows: Vec::new(),
            free: Vec::new(),
            hand: 0,
            evicted: 0,
            index: HashTable::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many rows went before their time.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Where the row of a key is now: a hint for [`Table::get_near`].
    pub(super) fn place(&self, key: u64) -> Option<u32> {
        let rows = &self.rows;
        let is = |at: &u32| rows.get(*at as usize).is_some_and(|row| row.key() == key);
        self.index.find(key, is).copied()
    }

    pub(super) fn get(&self, key: u64) -> Option<&R> {
        self.rows.get(self.place(key)? as usize)
    }

    /// The same for somebody who knows where the row was before, and need not search if it still is.
    pub(super) fn get_near(&self, key: u64, hint: u32) -> Option<&R> {
        match self.rows.get(hint as usize) {
            Some(row) if row.key() == key && key != 0 => Some(row),
            _ => self.get(key),
        }
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut R> {
        let place = self.place(key)?;
        self.rows.get_mut(place as usize)
    }

    /// Puts a row in; one with its key must not be there.
    pub(super) fn insert(&mut self, row: R, now: u32) {
        let key = row.key();
        if key == 0 {
            return;
        }
        self.sweep(now);
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.rows.len() < self.max => {
                self.grow();
                self.rows.push(R::default());
                (self.rows.len() - 1) as u32
            }
            None => self.evict(now),
        };
        if let Some(slot) = self.rows.get_mut(place as usize) {
            *slot = row;
            let rows = &self.rows;
            let key_at = |at: &u32| rows.get(*at as usize).map_or(0, Row::key);
            self.index.insert_unique(key, place, key_at);
        }
    }

    /// A quarter at a time: doubling would need twice the memory for a moment.
    fn grow(&mut self) {
        if self.rows.len() == self.rows.capacity() {
            let more = (self.rows.len() / 4)
                .max(64)
                .min(self.max - self.rows.len());
            self.rows.reserve_exact(more);
        }
    }

    /// Moves the hand over two rows and frees those that are worth nothing: with two for each
    /// that comes in, what has ended never outweighs what lives.
    fn sweep(&mut self, now: u32) {
        for _ in 0..2 {
            let Some(row) = self.rows.get(self.hand as usize) else {
                self.hand = 0;
                return;
            };
            if row.key() != 0 && row.worth(now) == Worth::Nothing {
                self.remove(self.hand);
            }
            self.hand += 1;
        }
    }

    fn remove(&mut self, place: u32) {
        self.unlink(place);
        if let Some(row) = self.rows.get_mut(place as usize) {
            *row = R::default();
        }
        self.free.push(place);
    }

    fn unlink(&mut self, place: u32) {
        let key = self.rows.get(place as usize).map_or(0, Row::key);
        if let Ok(entry) = self.index.find_entry(key, |at| *at == place) {
            entry.remove();
        }
    }

    /// Gives up the row worth least among the next few, and returns its place.
    fn evict(&mut self, now: u32) -> u32 {
        let len = self.rows.len();
        let first = self.hand as usize % len;
        let mut at = first;
        let mut found = (u64::MAX, first);
        for _ in 0..LOOKS.min(len) {
            if let Some(row) = self.rows.get(at) {
                let weight = row.worth(now).weight();
                if weight < found.0 {
                    found = (weight, at);
                }
            }
            at += 1;
            if at == len {
                at = 0;
            }
        }
        self.hand = at as u32;
        self.evicted += 1;
        self.unlink(found.1 as u32);
        found.1 as u32
    }

    fn index(&mut self) {
        let rows = &self.rows;
        let key_at = |at: &u32| rows.get(*at as usize).map_or(0, Row::key);
        let mut index = HashTable::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.key() != 0) {
            index.insert_unique(row.key(), at as u32, key_at);
        }
        self.index = index;
    }
}

impl<'de, R: Row + Deserialize<'de>> Deserialize<'de> for Table<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (max, rows, free, hand, evicted) = Deserialize::deserialize(deserializer)?;
        let mut table = Self {
            max,
            rows,
            free,
            hand,
            evicted,
            index: HashTable::new(),
        };
        table.index();
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Cell {
        key: u64,
        seen: u32,
        often: bool,
    }

    impl Row for Cell {
        fn key(&self) -> u64 {
            self.key
        }
        fn worth(&self, now: u32) -> Worth {
            match self {
                cell if cell.seen + 1000 < now => Worth::Nothing,
                cell if cell.often => Worth::Kept(cell.seen),
                cell => Worth::Once(cell.seen),
            }
        }
    }

    fn cell(key: u64, seen: u32, often: bool) -> Cell {
        Cell { key, seen, often }
    }

    fn spread(n: u64) -> u64 {
        crate::domain::detect::hash::pair(n, 1).max(1)
    }

    #[test]
    fn a_flood_stays_within_the_bound_and_spares_what_is_in_use() {
        let mut table = Table::new(1000);
        for n in 0..500 {
            table.insert(cell(spread(n), 1, true), 1);
        }
        for n in 500..50_000 {
            table.insert(cell(spread(n), 2, false), 2);
        }
        assert_eq!(table.len(), 1000);
        assert_eq!(table.evicted(), 49_000);
        let kept = (0..500).filter(|n| table.get(spread(*n)).is_some()).count();
        assert!(kept > 450, "{kept}");
    }

    #[test]
    fn ended_rows_make_room() {
        let mut table = Table::new(100_000);
        for n in 0..50_000_u32 {
            table.insert(cell(spread(u64::from(n)), n, false), n);
        }
        assert!(table.rows.len() < 3000, "{}", table.rows.len());
        assert_eq!(table.evicted(), 0);
    }

    #[test]
    fn a_copy_goes_on_alike() {
        let mut table = Table::new(64);
        for n in 0..200 {
            table.insert(cell(spread(n), n as u32, n % 3 == 0), n as u32);
        }
        let bytes = postcard::to_stdvec(&table).unwrap();
        let mut copy: Table<Cell> = postcard::from_bytes(&bytes).unwrap();
        for n in 200..400 {
            table.insert(cell(spread(n), n as u32, n % 5 == 0), n as u32);
            copy.insert(cell(spread(n), n as u32, n % 5 == 0), n as u32);
        }
        assert_eq!(table.rows, copy.rows);
    }
}
