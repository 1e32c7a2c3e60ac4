//! Counts what the redactor has masked in this process: lines of the log, captures, reasons.
//!
//! One tally for the process, as there is one log. What calls leave out of their records is counted by
//! their worker, with the rest of a call.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::health::{KeptFrom, RedactionSeries};
use crate::domain::redact::{Counts, KINDS, Kind};

/// Kinds that are told apart: those of the engine, and all kinds of a configuration's own rules as one,
/// since a reload may change what they are.
const ROWS: usize = KINDS.len() + 1;

/// By [`KeptFrom`] and kind.
static TALLY: [[AtomicU64; ROWS]; KeptFrom::ALL.len()] =
    [const { [const { AtomicU64::new(0) }; ROWS] }; KeptFrom::ALL.len()];

/// Adds what was masked in one output.
pub fn note(kept_from: KeptFrom, counts: &Counts) {
    let Some(row) = TALLY.get(kept_from as usize) else {
        return;
    };
    for (kind, count) in counts.iter() {
        if let Some(counter) = row.get(index(kind)) {
            counter.fetch_add(u64::from(count), Ordering::Relaxed);
        }
    }
}

/// All that was masked so far, without what never was.
pub fn vitals() -> Vec<RedactionSeries> {
    let rows = KeptFrom::ALL.iter().zip(&TALLY);
    let all = rows.flat_map(|(kept_from, row)| {
        row.iter().enumerate().map(|(at, counter)| RedactionSeries {
            place: None,
            kept_from: *kept_from,
            kind: KINDS.get(at).map_or(Kind::User(0).name(), |row| row.name),
            count: counter.load(Ordering::Relaxed),
        })
    });
    all.filter(|series| series.count > 0).collect()
}

/// The place of a kind in a row.
fn index(kind: Kind) -> usize {
    let known = KINDS.iter().position(|row| row.kind == kind);
    known.unwrap_or(KINDS.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redact::{Redactor, Surface};

    fn seen(kind: &str) -> u64 {
        let all = vitals();
        let found = all
            .iter()
            .find(|series| series.kept_from == KeptFrom::Reason && series.kind == kind);
        found.map_or(0, |series| series.count)
    }

    #[test]
    fn masks_are_counted_by_kind_and_never_by_value() {
        let before = (seen("card"), seen("user"));
        let text = b"the card 4111 1111 1111 1111 was stolen, and so was 4242 4242 4242 4242";
        let redaction = Redactor::default().redact(Surface::Text, text, Default::default());
        assert!(redaction.counts.total() >= 2);
        note(KeptFrom::Reason, &redaction.counts);
        assert!(seen("card") >= before.0 + 2);
        assert!(!format!("{:?}", vitals()).contains("4111"));
        // Kinds of a configuration's own rules are one row, whatever they are.
        for rule in [0, 7, u8::MAX] {
            assert_eq!(index(Kind::User(rule)), KINDS.len());
        }
    }
}
