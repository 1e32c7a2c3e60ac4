//! How long the questions of auditors take on a ledger of a year.
//!
//! `cargo bench --bench questions` makes a ledger of ten million calls (`EGRET_BENCH_ROWS`), which
//! takes some minutes and gigabytes, in SQLite and in Postgres. `-- --sqlite` or `-- --postgres`
//! measures one of them. The file is kept in the target directory, or in `EGRET_BENCH_DIR`, for the
//! next run. Postgres is a throw-away server, unless `--postgres=URL` or `EGRET_TEST_POSTGRES_URL`
//! names one, as its superuser: there the database is kept. Then it asks each question some hundred
//! times (`EGRET_BENCH_ASKED`), each time about another caller, token, customer or period, and
//! prints how long the answers took. The rows are written by the same code that writes them in
//! production, and read by the same code that reads them there.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench talks to whoever runs it"
)]

mod asked;
mod place;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "made for tests"
)]
#[path = "../../tests/it/harness/postgres.rs"]
mod postgres;
mod year;

use std::error::Error;
use std::time::{Duration, Instant};

use asked::{Also, questions};
use egret::adapters::ledger::{LedgerPlace, Order, Page, Reader};
use year::{Year, mix};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a page.
const PAGE: u32 = 100;

/// What every question should stay below, at the 95th percentile.
const GOAL: Duration = Duration::from_millis(50);

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok().and_then(|text| text.parse().ok());
    value.unwrap_or(default)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = setting("EGRET_BENCH_ROWS", 10_000_000).max(1);
    let asked = setting("EGRET_BENCH_ASKED", 300).max(1);
    let arguments: Vec<String> = std::env::args().collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument.starts_with(name));
    let both = !is_given("--sqlite") && !is_given("--postgres");
    let address = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("--postgres="))
        .map(str::to_owned)
        .or_else(|| std::env::var("EGRET_TEST_POSTGRES_URL").ok());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let year = Year::new(rows);
    runtime.block_on(async {
        if both || is_given("--sqlite") {
            let place = place::in_sqlite(&year, rows, &place::directory()).await?;
            println!("SQLite, {rows} rows");
            ask_all(&year, &place, asked).await?;
        }
        if (both || is_given("--postgres"))
            && let Some(ledger) = place::in_postgres(&year, rows, address).await?
        {
            println!("Postgres, {rows} rows");
            ask_all(&year, &ledger.place, asked).await?;
        }
        Ok(())
    })
}

async fn ask_all(year: &Year, place: &LedgerPlace, asked: u64) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(place).await?;
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
