//! Events from the ledger, in the order in which they were written into it.

use std::io::Write;

use super::Judge;
use crate::adapters::ledger::Reader;
use crate::app::own_calls::Tally;
use crate::cli::{Failure, Outcome};
use crate::types::Micros;

/// Rows that are read at a time: bounds memory whatever the ledger holds.
const PAGE: u32 = 4_000;
/// Calls are written when they are over; none lasts longer than this many microseconds.
const LONGEST_CALL: i64 = 86_400_000_000;

/// Shows the detectors the rows of calls that were received in a period. What is written meanwhile
/// is not read.
///
/// # Errors
/// The ledger cannot be read, or the output fails.
pub(super) async fn run(
    judge: &mut Judge<'_>,
    reader: &mut Reader,
    period: (Option<Micros>, Option<Micros>),
    tally: &mut Tally,
    out: &mut impl Write,
) -> Outcome {
    let mut end = reader.last_seq().await.map_err(Failure::new)?;
    let mut at = match period.0 {
        Some(from) => reader.before(from).await.map_err(Failure::new)?.seq,
        None => 0,
    };
    if let Some(to) = period.1 {
        let late = Micros(to.0.saturating_add(LONGEST_CALL));
        end = end.min(reader.before(late).await.map_err(Failure::new)?.seq);
    }
    tally.add(0);
    while at < end {
        let rows = reader.events(at, PAGE).await.map_err(Failure::new)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        at = last.position.seq;
        for row in rows.iter().filter(|row| row.position.seq <= end) {
            judge.count.read += 1;
            judge.row(&row.row);
            judge.write(out)?;
        }
        tally.add(rows.len());
    }
    Ok(())
}
