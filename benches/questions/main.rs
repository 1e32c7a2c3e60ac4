//! How long the questions of auditors take on a ledger of a year.
//!
//! `cargo bench --bench questions` makes a ledger of ten million calls (`EGRET_BENCH_ROWS`), which
//! takes some minutes and gigabytes, and keeps it in the target directory, or in `EGRET_BENCH_DIR`,
//! for the next run. Then it asks each question some hundred times (`EGRET_BENCH_ASKED`), each time
//! about another caller, token, customer or period, and prints how long the answers took. The rows
//! are written by the same code that writes them in production.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench talks to whoever runs it"
)]

mod year;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egret::adapters::ledger::sqlite::schema::SCHEMA_VERSION;
use egret::adapters::ledger::{Filter, Order, Page, Reader, RecordStore, SqliteStore};
use egret::types::{Effect, Micros, Outcome, PiiClass};
use year::{BEGIN, CALLERS, CUSTOMERS, DAY, YEAR, Year, mix};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a page.
const PAGE: u32 = 100;

/// Rows of a batch: about what a ledger that catches up writes at once.
const BATCH: u64 = 16_384;

/// What every question should stay below, at the 95th percentile.
const GOAL: Duration = Duration::from_millis(50);

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok().and_then(|text| text.parse().ok());
    value.unwrap_or(default)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = setting("EGRET_BENCH_ROWS", 10_000_000).max(1);
    let asked = setting("EGRET_BENCH_ASKED", 300).max(1);
    let directory = std::env::var_os("EGRET_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("questions"),
        PathBuf::from,
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let year = Year::new(rows);
    let path = directory.join(format!("schema-{SCHEMA_VERSION}-rows-{rows}.db"));
    if !path.exists() {
        runtime.block_on(generate(&year, rows, &path))?;
    }
    runtime.block_on(ask_all(&year, &path, asked))
}

/// Writes the year into a new ledger.
async fn generate(year: &Year, rows: u64, path: &Path) -> Result<(), Box<dyn Error>> {
    let unfinished = path.with_extension("unfinished");
    for suffix in ["", "-wal", "-shm"] {
        let mut name = unfinished.clone().into_os_string();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
    let mut store = SqliteStore::open(&unfinished).await?;
    let begun = Instant::now();
    for first in (0..rows).step_by(BATCH as usize) {
        let batch: Vec<_> = (first..rows.min(first + BATCH))
            .map(|n| Box::new(year.record(n)))
            .collect();
        store.write(&batch).await?;
        if (first / BATCH).is_multiple_of(32) {
            eprintln!("{first} of {rows} rows after {:.0?}", begun.elapsed());
        }
    }
    store.close().await?;
    std::fs::rename(&unfinished, path)?;
    let bytes = std::fs::metadata(path)?.len();
    println!(
        "{rows} rows written in {:.0?}, {} bytes each",
        begun.elapsed(),
        bytes / rows
    );
    Ok(())
}

/// What is asked for beside the first page.
#[derive(Clone, Copy, PartialEq)]
enum Also {
    Nothing,
    /// How many calls there are.
    Count,
    /// How many by whom and how they ended.
    ByWhom,
}

type Question<'a> = (&'static str, Also, Box<dyn Fn(u64) -> Filter + 'a>);

fn period(drawn: u64, length: i64) -> Filter {
    let from = BEGIN.0 + (drawn % (YEAR - length) as u64) as i64;
    Filter {
        from: Some(Micros(from)),
        to: Some(Micros(from + length)),
        ..Filter::default()
    }
}

fn class(drawn: u64) -> PiiClass {
    let classes = [
        PiiClass::PersonName,
        PiiClass::DateOfBirth,
        PiiClass::BankAccount,
        PiiClass::Financial,
        PiiClass::GovernmentId,
        // In no call at all.
        PiiClass::SecurityQuestion,
    ];
    classes[(drawn % classes.len() as u64) as usize]
}

fn questions(year: &Year) -> Vec<Question<'_>> {
    let none = Filter::default;
    let caller = |drawn: u64| Some(year::caller_name(drawn % CALLERS));
    let reads = |filter: Filter| Filter {
        has_pii: true,
        effect: Some(Effect::Read),
        ..filter
    };
    vec![
        (
            "who touched this customer",
            Also::Count,
            Box::new(move |drawn| Filter {
                subjects: vec![year::customer(drawn % CUSTOMERS)],
                ..none()
            }),
        ),
        (
            "who touched this bank, in a month",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                subjects: vec![year::bank()],
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "every use of this token",
            Also::Count,
            Box::new(move |drawn| Filter {
                fingerprint: Some(year::customer_token(drawn % year.tokens())),
                ..none()
            }),
        ),
        (
            "every use of this bank token",
            Also::Count,
            Box::new(move |drawn| Filter {
                fingerprint: Some(year::bank_token(drawn % CALLERS, (drawn >> 20) % 365)),
                ..none()
            }),
        ),
        (
            "every mint by this caller",
            Also::Count,
            Box::new(move |drawn| Filter {
                mints: true,
                caller: caller(drawn),
                ..none()
            }),
        ),
        (
            "every mint by this caller, in a month",
            Also::Count,
            Box::new(move |drawn| Filter {
                mints: true,
                caller: caller(drawn >> 32),
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "denied or failed, in a day",
            Also::Count,
            Box::new(|drawn| Filter {
                failed: true,
                ..period(drawn, DAY)
            }),
        ),
        (
            "denied or failed, in a month",
            Also::Count,
            Box::new(|drawn| Filter {
                failed: true,
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "denied, in a month",
            Also::Count,
            Box::new(|drawn| Filter {
                decision: Some(egret::types::Decision::Denied),
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "failed authentication, in a month",
            Also::Nothing,
            Box::new(|drawn| Filter {
                auth_failed: true,
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "failed calls of this caller, ever",
            Also::Count,
            Box::new(move |drawn| Filter {
                failed: true,
                caller: caller(drawn),
                ..none()
            }),
        ),
        (
            "money with unknown outcome, ever",
            Also::Count,
            Box::new(move |_| Filter {
                outcome: Some(Outcome::Unknown),
                effect: Some(Effect::Money),
                ..none()
            }),
        ),
        (
            "personal data read, in a day",
            Also::Count,
            Box::new(move |drawn| reads(period(drawn, DAY))),
        ),
        (
            "personal data read in a day, by whom",
            Also::ByWhom,
            Box::new(move |drawn| reads(period(drawn, DAY))),
        ),
        (
            "personal data read, in a month",
            Also::Nothing,
            Box::new(move |drawn| reads(period(drawn, 30 * DAY))),
        ),
        (
            "personal data of a class read, in a month",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                pii: vec![class(drawn >> 40)],
                ..reads(period(drawn, 30 * DAY))
            }),
        ),
        (
            "personal data of a class read, ever",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                pii: vec![class(drawn)],
                ..reads(none())
            }),
        ),
        (
            "personal data read by this caller, ever",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                caller: caller(drawn),
                ..reads(none())
            }),
        ),
        (
            "personal data read by this caller, in a month",
            Also::Count,
            Box::new(move |drawn| Filter {
                caller: caller(drawn >> 40),
                ..reads(period(drawn, 30 * DAY))
            }),
        ),
    ]
}

async fn ask_all(year: &Year, path: &Path, asked: u64) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(&path.into()).await?;
    let page = Page {
        order: Order::NewestFirst,
        limit: PAGE,
        after: None,
    };
    println!(
        "{:<48} {:>9} {:>9} {:>9} {:>9}",
        "question", "p50 ms", "p95 ms", "max ms", "rows"
    );
    let mut slow = 0;
    for (number, (name, also, filter)) in questions(year).into_iter().enumerate() {
        let mut times = Vec::new();
        let mut rows = 0;
        for n in 0..asked {
            let filter = filter(mix(n ^ (number as u64) << 32));
            let begun = Instant::now();
            rows += reader.query(&filter, page).await?.rows.len();
            match also {
                Also::Nothing => {}
                Also::Count => {
                    reader.count(&filter).await?;
                }
                Also::ByWhom => {
                    reader.tally(&filter).await?;
                }
            }
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
        let millis = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1_000.0);
        let also = match also {
            Also::Nothing => "",
            Also::Count => " +count",
            Also::ByWhom => " +counts",
        };
        println!(
            "{:<48} {:>9} {:>9} {:>9} {:>9.1}",
            format!("{name}{also}"),
            millis(rank(50)),
            millis(rank(95)),
            millis(rank(100)),
            rows as f64 / asked as f64,
        );
        slow += usize::from(rank(95) > GOAL);
    }
    if slow > 0 {
        println!("{slow} questions took longer than {GOAL:?} at the 95th percentile");
    }
    Ok(())
}
