//! The cost of a row: feeding it from the journal, and writing it durably.
//!
//! `cargo bench --bench ledger`. First a steady load goes through the journal, and the CPU time of
//! the ledger's two threads and the bytes written are told per row (`EGRET_BENCH_ROWS_PER_SECOND`, default
//! 15,000; `EGRET_BENCH_ROWS`, default 150,000; `EGRET_BENCH_TOKENS`, default 64). Then comes how fast
//! SQLite and Postgres, a throw-away server, are drained into (`EGRET_BENCH_DRAIN_ROWS`, default
//! 200,000), then the timings of single steps. The rows
//! are on disk (write-ahead log, `synchronous=FULL`) when a write returns, so the small batches
//! show the disk as much as the program.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench talks to whoever runs it"
)]

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use egret::adapters::journal::{Journal, JournalSettings};
use egret::adapters::ledger::detail::write_detail;
use egret::adapters::ledger::{LedgerFeed, RecordStore, SqliteStore};
use egret::domain::journal::Source;
use egret::domain::record::{
    CallRecord, CallerVia, Fact, Fingerprint, Gateway, Pseudonym, Recorder, Step, Subject,
    SubjectRole, Wait,
};
use egret::types::{
    CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType, TraceId,
};

mod drain;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "made for tests"
)]
#[path = "../tests/it/harness/postgres.rs"]
mod postgres;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if let Err(error) = steady_load() {
        eprintln!("the steady load could not be measured: {error}");
    }
    if let Err(error) = drain::measure() {
        eprintln!("the draining could not be measured: {error}");
    }
    divan::main();
}

/// How much of what the calls of a fintech repeat.
const TOKENS: u64 = 64;
const CUSTOMERS: u64 = 64;
const SCOPES: usize = 20;

/// Parts that the proxy shares between records.
struct Shared {
    tokens: u64,
    gateway: Arc<Gateway>,
    callers: [Arc<str>; 3],
    operations: [(Arc<str>, Arc<str>, Effect, &'static str); 8],
    scopes: Vec<Arc<str>>,
    names: [Arc<str>; 8],
}

impl Shared {
    fn new() -> Self {
        Self {
            tokens: setting("EGRET_BENCH_TOKENS", TOKENS).max(1),
            gateway: Arc::new(Gateway {
                node: "gateway-1".into(),
                version: "0.1.0".into(),
                config_hash: "00112233aabbccdd".into(),
            }),
            callers: ["billing", "payouts", "onboarding"].map(Arc::from),
            operations: [
                ("createTrade", "/api/trades", Effect::Money, "POST"),
                ("listTrades", "/api/trades", Effect::Read, "GET"),
                ("getTrade", "/api/trades/{trade_guid}", Effect::Read, "GET"),
                ("createQuote", "/api/quotes", Effect::Write, "POST"),
                ("listAccounts", "/api/accounts", Effect::Read, "GET"),
                (
                    "getAccount",
                    "/api/accounts/{account_guid}",
                    Effect::Read,
                    "GET",
                ),
                ("createTransfer", "/api/transfers", Effect::Money, "POST"),
                (
                    "getCustomer",
                    "/api/customers/{customer_guid}",
                    Effect::Read,
                    "GET",
                ),
            ]
            .map(|(name, path, effect, method)| (name.into(), path.into(), effect, method)),
            scopes: (0..SCOPES)
                .map(|n| format!("resource_{n}:execute").into())
                .collect(),
            names: [
                "cybrid",
                "bank",
                "customer",
                "organization",
                "account",
                "quote_guid",
                "key-1",
                "https://id.sandbox.cybrid.app",
            ]
            .map(Arc::from),
        }
    }

    /// A usual record: a customer token does something at the bank.
    fn record(&self, n: u64) -> CallRecord {
        let at = 1_767_323_045_000_000 + n as i64 * 100;
        // Spreads what repeats, so that neighbours differ.
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&mixed.to_be_bytes());
        let id = CallId::from_parts(at / 1_000, random);
        let mut record = CallRecord::new(id, Micros(at), Arc::clone(&self.gateway));
        let [
            provider,
            service,
            customer,
            organization,
            account,
            quote,
            key,
            issuer,
        ] = self.names.clone();
        let token = (mixed >> 30) % self.tokens;
        let caller = &self.callers[token as usize % self.callers.len()];
        let (operation, path, effect, method) = &self.operations[(mixed >> 50) as usize % 8];
        record.times.forwarded_at = Some(Micros(at + 180));
        record.times.first_byte_at = Some(Micros(at + 9_180));
        record.times.completed_at = Some(Micros(at + 9_950));
        record.caller.name = Some(Arc::clone(caller));
        record.caller.via = CallerVia::Key;
        record.caller.key_id = Some(key);
        record.caller.address = Some(([127, 0, 0, 1], 40_000 + (mixed >> 30) as u16 % 64).into());
        record.target.provider = Some(provider);
        record.target.service = Some(Arc::clone(&service));
        record.target.environment = Some(Environment::Sandbox);
        record.target.operation = Some(Arc::clone(operation));
        record.target.effect = Some(*effect);
        record.target.method = method;
        record.target.path_template = Some(Arc::clone(path));
        record.credential.token_type = TokenType::Customer;
        record.credential.present.push(TokenType::Customer);
        record.credential.fingerprint = Some(Fingerprint::from_bytes(*pseudonym(token).as_bytes()));
        record.credential.scopes.clone_from(&self.scopes);
        record.credential.jti = Some("0b4b8d7c-2f0e-4f0e-9d5b-0a0a0a0a0a0a".into());
        record.credential.issuer = Some(issuer);
        record.credential.expires_at = Some(Micros(1_767_326_000_000_000 + token as i64));
        let customer_of = token % CUSTOMERS;
        for (kind, value) in [
            (customer, customer_of),
            (service, 1_000),
            (organization, 1_001),
        ] {
            record.add_subject(Subject {
                kind,
                role: SubjectRole::Token,
                pseudonym: Some(pseudonym(value)),
            });
        }
        if method == &"POST" {
            record.add_subject(Subject {
                kind: account,
                role: SubjectRole::Request,
                pseudonym: Some(pseudonym(2_000 + customer_of)),
            });
            record.facts.push(Fact {
                name: quote,
                value: format!("{mixed:016x}{mixed:016x}").into(),
            });
        }
        record.pii = [PiiClass::Financial].into_iter().collect();
        record.decision = Decision::Forwarded;
        record.outcome = Outcome::Success;
        record.status = Some(201);
        record.traffic.attempts = 1;
        record.traffic.request_bytes = 412;
        record.traffic.response_bytes = 1_290 + (mixed >> 60);
        record.traffic.upstream = "203.0.113.7:443".parse().ok();
        record.traffic.tls_version = Some("TLSv1.3".into());
        let mut trace = [7; 16];
        trace[..8].copy_from_slice(&mixed.to_be_bytes());
        record.trace_id = TraceId::from_bytes(trace);
        record
    }
}

fn pseudonym(n: u64) -> Pseudonym {
    let mut bytes = [3; 16];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0xd6e8_feb8_6659_fd93).to_be_bytes());
    Pseudonym::from_bytes(bytes)
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok().and_then(|text| text.parse().ok());
    value.unwrap_or(default)
}

/// CPU time of the threads whose name begins so, in nanoseconds.
fn cpu(name: &str) -> std::io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.starts_with(name) {
            let text = fs::read_to_string(task.join("schedstat"))?;
            sum += text
                .split(' ')
                .next()
                .and_then(|ns| ns.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    Ok(sum)
}

/// Bytes that the process has handed to `write` calls.
fn bytes_written() -> std::io::Result<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0))
}

/// Sends rows at a steady rate through the journal and tells what they cost the ledger.
fn steady_load() -> Result<(), Box<dyn std::error::Error>> {
    let rate = setting("EGRET_BENCH_ROWS_PER_SECOND", 15_000).max(1);
    let rows = setting("EGRET_BENCH_ROWS", 150_000).max(1);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path().join("egret.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = runtime.block_on(SqliteStore::open(&path))?;
    let shared = Shared::new();
    let settings = JournalSettings {
        directory: directory.path().join("journal"),
        segment_size: 64 << 20,
        max_bytes: u64::MAX,
        sync_interval: Duration::from_millis(100),
        writer_priority: 0,
    };
    let journal = Journal::open(settings, &shared.gateway, |_| 0)?;
    let mut reader = journal.reader();
    reader.seek(None)?;
    let feed = LedgerFeed::start(reader, store)?;
    let before = (cpu("egret-ledger")?, cpu("egret-sqlite")?, bytes_written()?);
    let start = Instant::now();
    let mut sent = 0;
    while sent < rows {
        let due = (start.elapsed().as_micros() as u64 * rate / 1_000_000).min(rows);
        for n in sent..due {
            journal.append(Step::Completion, None, &shared.record(n), Wait::Nothing)?;
        }
        sent = due;
        thread::sleep(Duration::from_millis(2));
    }
    while feed.stats().written < rows {
        thread::sleep(Duration::from_millis(10));
    }
    let ledger = cpu("egret-ledger")? - before.0;
    let sqlite = cpu("egret-sqlite")? - before.1;
    let written = bytes_written()? - before.2;
    feed.shutdown(Duration::from_secs(30))?;
    let micros = |nanos: u64| nanos as f64 / rows as f64 / 1_000.0;
    let each = |bytes: u64| bytes / rows;
    println!("{rows} rows at {rate} a second; per row:");
    println!("  CPU of the ledger's thread  {:6.2} us", micros(ledger));
    println!("  CPU of SQLite's thread      {:6.2} us", micros(sqlite));
    println!(
        "  CPU of both                 {:6.2} us",
        micros(ledger + sqlite)
    );
    println!(
        "  bytes in the file           {:6}",
        each(fs::metadata(&path)?.len())
    );
    println!("  bytes written, log included {:6}", each(written));
    Ok(())
}

#[divan::bench]
fn assemble_detail(bencher: Bencher) {
    let record = Shared::new().record(1);
    let mut out = String::with_capacity(1_024);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        out.clear();
        write_detail(&mut out, black_box(&record));
        out.len()
    });
}

#[divan::bench(args = [1, 8, 64, 512], max_time = Duration::from_secs(3))]
fn write_durably(bencher: Bencher, rows: u64) {
    let (Ok(directory), Ok(runtime)) = (
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")),
        tokio::runtime::Builder::new_current_thread().build(),
    ) else {
        return;
    };
    let path = directory.path().join("egret.db");
    let Ok(mut store) = runtime.block_on(SqliteStore::open(&path)) else {
        return;
    };
    let shared = Shared::new();
    let mut next = 0;
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| {
            let batch: Vec<_> = (next..next + rows)
                .map(|n| Box::new(shared.record(n)))
                .collect();
            next += rows;
            batch
        })
        .bench_local_refs(|batch| runtime.block_on(store.write(batch)).unwrap_or(0));
}
