//! How long the console waits on a ledger of ten million calls.
//!
//! `cargo bench --bench console` makes four weeks of calls (`EGRET_BENCH_ROWS`, ten million) in a
//! file of SQLite's, which takes some minutes and gigabytes; it is kept in the target directory, or
//! in `EGRET_BENCH_DIR`, for the next run. `-- --postgres` makes them in a throw-away server
//! instead, `-- --postgres=URL` in that one, as its superuser, and keeps them there. Then it starts
//! a gateway on them and sends each request of each page of the console, some times over
//! (`EGRET_BENCH_ASKED`), as an auditor over a socket of its own. `-- --only=TEXT` asks only those
//! whose name has the text in it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench talks to whoever runs it"
)]

mod asked;
mod gateway;
#[allow(dead_code, reason = "shared with the bench of questions")]
#[path = "../questions/place.rs"]
mod place;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "made for tests"
)]
#[path = "../../tests/it/harness/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "shared with the bench of questions")]
#[path = "../questions/year.rs"]
mod year;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use asked::{Kind, Request};
use egret::types::Micros;
use gateway::Gateway;
use year::{DAY, Year};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the ledger spans.
const WEEKS: i64 = 28 * DAY;

/// What somebody who clicks should not have to wait longer than.
const GOAL: Duration = Duration::from_millis(300);

/// How often what reads a whole period is asked.
const LONG_ASKED: u64 = 2;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok().and_then(|text| text.parse().ok());
    value.unwrap_or(default)
}

/// When the calls end: for a ledger that is there, then; else at the last full hour.
fn end(directory: &Path, name: &str) -> Result<i64, Box<dyn Error>> {
    let mut ends = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.file_name();
        let end = file
            .to_str()
            .and_then(|file| file.strip_prefix(name)?.strip_suffix(".db"))
            .and_then(|end| end.parse::<i64>().ok());
        ends.extend(end);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let hour = i64::try_from(now.as_secs())? / 3_600 * 3_600;
    Ok(ends.into_iter().max().unwrap_or(hour))
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = setting("EGRET_BENCH_ROWS", 10_000_000).max(1_000);
    let times = setting("EGRET_BENCH_ASKED", 7).max(1);
    let given: Vec<String> = std::env::args().collect();
    let option = |name: &str| given.iter().find_map(|one| one.strip_prefix(name));
    let directory = place::directory();
    fs::create_dir_all(&directory)?;
    let name = format!("console-rows-{rows}-until-");
    let end = end(&directory, &name)?;
    let (begin, end) = (Micros(end * 1_000_000 - WEEKS), Micros(end * 1_000_000));
    let weeks = Year::between(begin, end, rows);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut server = None;
    let ledger = if option("--postgres").is_some() {
        let address = option("--postgres=").map(str::to_owned);
        let made = place::named_in_postgres("console", &weeks, rows, address);
        let Some((made, url)) = runtime.block_on(made)? else {
            return Ok(());
        };
        println!("Postgres, {rows} calls in four weeks");
        let section = format!("url = \"{url}\"");
        server = Some(made);
        section
    } else {
        let path: PathBuf = directory.join(format!("{name}{}.db", end.as_secs()));
        runtime.block_on(place::make_file(&weeks, rows, &path))?;
        println!("SQLite, {rows} calls in four weeks");
        format!("path = \"{}\"", path.display())
    };
    let gateway = Gateway::start(&ledger)?;
    let only = option("--only=").unwrap_or_default();
    let requests: Vec<_> = asked::requests(&weeks, rows, begin, end)
        .into_iter()
        .filter(|request| request.name.contains(only))
        .collect();
    println!(
        "{:<52} {:>9} {:>9} {:>9} {:>10}  note",
        "request", "first ms", "p50 ms", "max ms", "bytes"
    );
    let mut slow = 0;
    for request in &requests {
        let times = if request.kind == Kind::Long {
            LONG_ASKED
        } else {
            times
        };
        slow += usize::from(measure(&gateway, request, times)?);
    }
    if slow > 0 {
        println!("{slow} requests of pages took longer than {GOAL:?} at the median");
    }
    if only.is_empty() {
        beside(&gateway, &requests)?;
    }
    drop(gateway);
    drop(server);
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

/// Asks a request some times and prints how long it took; says whether that was too long.
fn measure(gateway: &Gateway, request: &Request, times: u64) -> Result<bool, Box<dyn Error>> {
    let mut took = Vec::new();
    let (mut bytes, mut note) = (0, String::new());
    for _ in 0..times {
        let begun = Instant::now();
        let answer = gateway.ask(request.method, &request.path, request.body.as_deref())?;
        took.push(begun.elapsed());
        if answer.status >= 400 {
            let text = String::from_utf8_lossy(&answer.body);
            let text: String = text.chars().take(200).collect();
            note = format!("status {}: {text}", answer.status);
        } else {
            note = asked::note(&answer.body);
        }
        bytes = answer.body.len();
    }
    let first = took[0];
    took.sort_unstable();
    let p50 = took[took.len() / 2];
    println!(
        "{:<52} {:>9} {:>9} {:>9} {:>10}  {note}",
        request.name,
        millis(first),
        millis(p50),
        millis(took[took.len() - 1]),
        bytes,
    );
    Ok(request.kind == Kind::Page && p50 > GOAL)
}

/// What a page waits while reports and investigations are made beside it.
fn beside(gateway: &Gateway, requests: &[Request]) -> Result<(), Box<dyn Error>> {
    let long = requests.iter().filter(|request| request.kind == Kind::Long);
    let pages = ["now", "calls, a day", "tokens, a day"];
    println!("beside two who read the whole ledger:");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for request in long.take(2) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = gateway.ask(request.method, &request.path, None);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let pages = requests
            .iter()
            .filter(|request| pages.contains(&request.name));
        let measured = pages.map(|request| measure(gateway, request, 15));
        let measured: Result<Vec<_>, _> = measured.collect();
        done.store(true, Ordering::Relaxed);
        measured.map(drop)
    })
}
