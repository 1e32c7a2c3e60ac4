//! Calls counted together.

use std::collections::BTreeMap;

use super::Call;
use crate::domain::report::{Cell, Column, Table};
use crate::types::{Micros, Outcome};

/// Most groups of one kind; further ones are counted together.
const MAX_GROUPS: usize = 10_000;

/// Most rows of a table.
const MAX_ROWS: usize = 100;

/// Where groups beyond [`MAX_GROUPS`] go.
const OTHERS: &str = "(others)";

/// Calls that have something in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) success: u64,
    pub(super) first: Micros,
    pub(super) last: Micros,
}

impl Tally {
    fn new(call: &Call) -> Self {
        Self {
            calls: 0,
            success: 0,
            first: call.received,
            last: call.received,
        }
    }

    fn add(&mut self, call: &Call) {
        self.calls = self.calls.saturating_add(1);
        if call.outcome == Outcome::Success {
            self.success = self.success.saturating_add(1);
        }
        self.first = self.first.min(call.received);
        self.last = self.last.max(call.received);
    }
}

/// Groups of one kind, by their name in one or more words.
#[derive(Debug, Default)]
pub(super) struct Groups<const WORDS: usize>(BTreeMap<[String; WORDS], Tally>);

impl<const WORDS: usize> Groups<WORDS> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn add(&mut self, name: [String; WORDS], call: &Call) {
        let name = if self.0.len() >= MAX_GROUPS && !self.0.contains_key(&name) {
            std::array::from_fn(|_| OTHERS.to_owned())
        } else {
            name
        };
        let tally = self.0.entry(name).or_insert_with(|| Tally::new(call));
        tally.add(call);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, name: &[String; WORDS]) -> Option<&Tally> {
        self.0.get(name)
    }

    /// As a table: the words, how many calls, how many of them succeeded, first and last; most calls
    /// first.
    pub(super) fn table(
        &self,
        key: &'static str,
        title: &str,
        note: &str,
        words: [Column; WORDS],
        more: Option<String>,
    ) -> Table {
        let mut groups: Vec<_> = self.0.iter().collect();
        groups.sort_by(|(a, one), (b, other)| other.calls.cmp(&one.calls).then_with(|| a.cmp(b)));
        let rows: Vec<Vec<Cell>> = groups
            .iter()
            .take(MAX_ROWS)
            .map(|(name, tally)| {
                let words = name.iter().map(|word| Cell::text(word.as_str()));
                words.chain(figures(tally)).collect()
            })
            .collect();
        Table {
            key,
            title: title.to_owned(),
            note: note.to_owned(),
            columns: words.into_iter().chain(FIGURES).collect(),
            all: groups.len() as u64,
            more: more.filter(|_| groups.len() > rows.len()),
            rows,
        }
    }
}

const FIGURES: [Column; 4] = [
    Column::new("calls", "Calls"),
    Column::new("succeeded", "Succeeded"),
    Column::new("first", "First"),
    Column::new("last", "Last"),
];

fn figures(tally: &Tally) -> [Cell; 4] {
    [
        Cell::Count(tally.calls),
        Cell::Count(tally.success),
        Cell::Time(tally.first),
        Cell::Time(tally.last),
    ]
}
