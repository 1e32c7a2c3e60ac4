//! The tables.

use std::io::Write;
use std::time::Duration;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use crate::Failure;
use crate::client::Measured;
use crate::compare::Subject;
use crate::histogram::Histogram;
use crate::proxies::Kind;

/// Other processes may take this much of the machine. Beyond it a proxy that waits for a core finds
/// more work at a time when it gets one, and looks cheaper than it is.
const QUIET_PERCENT: f64 = 10.0;

/// Prints what was measured.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn print(rate: f64, connections: usize, subjects: &[Subject]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\nAs fast as answers come, {connections} connections:\n"
    )?;
    writeln!(out, "{}", fastest(subjects))?;
    writeln!(out, "\nAt {} calls/s:\n", grouped(rate))?;
    writeln!(out, "{}", paced(subjects))?;
    if let Some(table) = threads(subjects) {
        writeln!(
            out,
            "\nWhere Egret's CPU us/call goes, as fast as answers come:\n\n{table}"
        )?;
    }
    let slices = |subject: &Subject| [subject.fastest.clone(), subject.paced.clone()].concat();
    let all: Vec<Measured> = subjects.iter().flat_map(slices).collect();
    let others = Spread::of(all.iter().map(|one| one.others * 100.0));
    writeln!(
        out,
        "\nCPU of the proxy's process per call, median (quartiles) of {} rounds, with what it does \
         after the last answer; x bare: median of the rounds' ratios.\nOther processes took a median \
         {:.0} % (worst {:.0} %) of the machine meanwhile.",
        subjects.first().map_or(0, |subject| subject.fastest.len()),
        others.median,
        others.most,
    )?;
    if others.median > QUIET_PERCENT {
        writeln!(
            out,
            "!! The machine was not quiet: these numbers do not compare."
        )?;
    }
    Ok(())
}

/// Prints what the ledger holds.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn ledger(
    name: &str,
    rows: u64,
    complete: u64,
    calls: u64,
    bytes: u64,
) -> Result<(), Failure> {
    writeln!(
        std::io::stdout(),
        "{name}: {} rows in the ledger for {} calls, {} of them complete, {} bytes a row.",
        grouped(rows as f64),
        grouped(calls as f64),
        grouped(complete as f64),
        bytes / rows.max(1),
    )?;
    Ok(())
}

fn fastest(subjects: &[Subject]) -> Table {
    let header = [
        "proxy",
        "calls/s",
        "CPU us/call",
        "x bare",
        "p50 us",
        "p99 us",
        "RSS MiB",
        "load us/call",
        "errors",
    ];
    let bare = bare(subjects).map(|subject| &subject.fastest);
    let rows = subjects.iter().map(|subject| {
        let measured = &subject.fastest;
        let latency = merged(measured);
        let memory = measured.last().and_then(|one| one.resident);
        let memory = memory.map(|bytes| bytes as f64 / 1_048_576.0);
        vec![
            subject.kind.name().to_owned(),
            grouped(Spread::of(measured.iter().map(Measured::calls_per_second)).median),
            cpu(measured),
            ratio(measured, bare),
            micros(latency.quantile(0.5)),
            micros(latency.quantile(0.99)),
            memory.map_or_else(none, |memory| format!("{memory:.0}")),
            format!(
                "{:.1}",
                Spread::of(measured.iter().map(Measured::generator_us_per_call)).median
            ),
            measured
                .iter()
                .map(Measured::errors)
                .sum::<u64>()
                .to_string(),
        ]
    });
    table(&header, rows)
}

fn paced(subjects: &[Subject]) -> Table {
    let header = [
        "proxy",
        "p50 us",
        "added p50",
        "p99 us",
        "added p99",
        "p99.9 us",
        "CPU us/call",
        "x bare",
        "errors",
    ];
    let direct = subjects.iter().find(|subject| subject.kind == Kind::Direct);
    let direct = direct.map(|subject| merged(&subject.paced));
    let bare = bare(subjects).map(|subject| &subject.paced);
    let rows = subjects.iter().map(|subject| {
        let measured = &subject.paced;
        let latency = merged(measured);
        let added = |share| match &direct {
            Some(direct) if subject.kind != Kind::Direct => micros(
                latency
                    .quantile(share)
                    .saturating_sub(direct.quantile(share)),
            ),
            _ => none(),
        };
        vec![
            subject.kind.name().to_owned(),
            micros(latency.quantile(0.5)),
            added(0.5),
            micros(latency.quantile(0.99)),
            added(0.99),
            micros(latency.quantile(0.999)),
            cpu(measured),
            ratio(measured, bare),
            measured
                .iter()
                .map(Measured::errors)
                .sum::<u64>()
                .to_string(),
        ]
    });
    table(&header, rows)
}

/// What each kind of thread of Egret uses; the threads that use next to nothing are left out.
fn threads(subjects: &[Subject]) -> Option<Table> {
    let egrets = || {
        subjects
            .iter()
            .filter(|one| one.kind.loss_policy().is_some())
    };
    let used = |subject: &Subject, name: &str| {
        let rounds = subject.fastest.iter();
        Spread::of(rounds.map(|one| one.thread_us_per_call(name))).median
    };
    let all = egrets().flat_map(|subject| subject.fastest.iter().flat_map(|one| &one.threads));
    let mut names: Vec<&str> = all.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| egrets().any(|subject| used(subject, name) >= 0.1));
    if names.is_empty() {
        return None;
    }
    let header: Vec<&str> = std::iter::once("proxy").chain(names.clone()).collect();
    let rows = egrets().map(|subject| {
        let figures = names
            .iter()
            .map(|name| format!("{:.1}", used(subject, name)));
        let kind = subject.kind.name().to_owned();
        std::iter::once(kind).chain(figures).collect()
    });
    Some(table(&header, rows))
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_header(header.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn bare(subjects: &[Subject]) -> Option<&Subject> {
    subjects.iter().find(|subject| subject.kind == Kind::Bare)
}

fn merged(measured: &[Measured]) -> Histogram {
    let mut all = Histogram::default();
    for one in measured {
        all.merge(&one.latency);
    }
    all
}

fn cpu(measured: &[Measured]) -> String {
    let values: Vec<f64> = measured
        .iter()
        .filter_map(Measured::cpu_us_per_call)
        .collect();
    if values.is_empty() {
        return none();
    }
    let spread = Spread::of(values);
    let Spread {
        low, median, high, ..
    } = spread;
    format!("{median:.1} ({low:.0}..{high:.0})")
}

/// How many times what the bare pass-through took in the same round.
fn ratio(measured: &[Measured], bare: Option<&Vec<Measured>>) -> String {
    let rounds = measured.iter().zip(bare.into_iter().flatten());
    let ratios: Vec<f64> = rounds
        .filter_map(|(one, bare)| Some(one.cpu_us_per_call()? / bare.cpu_us_per_call()?))
        .collect();
    if ratios.is_empty() {
        return none();
    }
    format!("{:.2}", Spread::of(ratios).median)
}

fn none() -> String {
    "-".to_owned()
}

fn micros(duration: Duration) -> String {
    grouped(duration.as_secs_f64() * 1e6)
}

/// A whole number with its thousands set apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How measurements of the same thing lie.
#[derive(Debug, PartialEq)]
struct Spread {
    /// First quartile.
    low: f64,
    median: f64,
    /// Third quartile.
    high: f64,
    most: f64,
}

impl Spread {
    /// All zero without values.
    fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        // Between two values, the point that lies as far along as the share asks.
        let at = |share: f64| {
            let exact = share * values.len().saturating_sub(1) as f64;
            let below = exact.floor() as usize;
            let value = values.get(below).copied().unwrap_or(0.0);
            let next = values.get(below + 1).copied().unwrap_or(value);
            value + (next - value) * (exact - exact.floor())
        };
        Self {
            low: at(0.25),
            median: at(0.5),
            high: at(0.75),
            most: at(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, grouped};

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0.4, "0"), (999.0, "999"), (1000.0, "1,000")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(1_234_567.8), "1,234,568");
    }

    #[test]
    fn a_spread_does_not_depend_on_order() {
        let expected = Spread {
            low: 2.0,
            median: 3.0,
            high: 4.0,
            most: 5.0,
        };
        assert_eq!(Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]), expected);
        assert_eq!(Spread::of([1.0, 2.0]).median, 1.5);
        assert_eq!(Spread::of([]).median, 0.0);
    }
}
