//! What a record costs in the journal: records a second, and microseconds of CPU for each, at 1,
//! 64 and 1,024 writers that wait for each of their records to be on disk; and nobody waiting.
//!
//! `cargo bench --bench journal [-- SECONDS [DIRECTORY]]`. The writers are tasks on two threads, as
//! in the gateway. CPU is that of the whole process: encoding, waiting, writing, the kernel's part.
//! Not divan: the figure wanted is CPU over threads, not time of one.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench talks to whoever runs it, and may stop"
)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use egret::adapters::journal::{Journal, JournalSettings};
use egret::domain::evidence::Salt;
use egret::domain::journal::{Encoded, encode_call};
use egret::domain::record::{
    CallRecord, CallerVia, Fingerprint, Gateway, Pseudonym, Recorder, Step, Subject, SubjectRole,
    Wait,
};
use egret::types::{CallId, Decision, Effect, Environment, Micros, Outcome, TokenType, TraceId};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const THREADS: usize = 2;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let seconds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2.0);
    let scratch = tempfile::tempdir().expect("a directory");
    let place = arguments
        .next()
        .map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let time = Duration::from_secs_f64(seconds);
    encoding(time);
    println!("| writers | waiting for | records/s | CPU µs/record | p50 µs | p99 µs |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (writers, wait, name) in [
        (1, Wait::Durable, "disk"),
        (64, Wait::Durable, "disk"),
        (1_024, Wait::Durable, "disk"),
        (64, Wait::Written, "system"),
        (1_024, Wait::Written, "system"),
        (2, Wait::Nothing, "nothing"),
    ] {
        let directory = place.join(format!("journal-{writers}-{name}"));
        measure(&directory, writers, wait, name, time);
        let _ = std::fs::remove_dir_all(directory);
    }
}

fn record(n: u64) -> CallRecord {
    let gateway = Arc::new(Gateway {
        node: "gateway-1".into(),
        version: "0.1.0".into(),
        config_hash: "00112233aabbccdd".into(),
    });
    let at = 1_767_323_045_000_000 + n as i64 * 100;
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    let id = CallId::from_parts(at / 1_000, random);
    let mut record = CallRecord::new(id, Micros(at), gateway);
    record.times.forwarded_at = Some(Micros(at + 180));
    record.caller.name = Some("billing".into());
    record.caller.via = CallerVia::Key;
    record.caller.address = "127.0.0.1:40001".parse().ok();
    record.target.provider = Some("cybrid".into());
    record.target.service = Some("bank".into());
    record.target.environment = Some(Environment::Sandbox);
    record.target.operation = Some("bank.create_trade".into());
    record.target.effect = Some(Effect::Money);
    record.target.method = "POST";
    record.target.path_template = Some("/api/trades".into());
    record.credential.token_type = TokenType::Customer;
    record.credential.present.push(TokenType::Customer);
    record.credential.fingerprint = Some(Fingerprint::from_bytes([n as u8; 16]));
    record.credential.scopes.push("trades:execute".into());
    record.credential.expires_at = Some(Micros(at + 1_800_000_000));
    record.add_subject(Subject {
        kind: "customer".into(),
        role: SubjectRole::Token,
        pseudonym: Some(Pseudonym::from_bytes([(n >> 4) as u8; 16])),
    });
    record.decision = Decision::Forwarded;
    record.outcome = Outcome::Success;
    record.status = Some(201);
    record.traffic.attempts = 1;
    record.traffic.request_bytes = 412;
    record.trace_id = TraceId::from_bytes([7; 16]);
    record
}

fn encoding(time: Duration) {
    let record = record(1);
    let mut out = Encoded::default();
    // As in the gateway, the salts come from a pool of the thread; here only their use is measured.
    let salt = || Ok::<_, Infallible>(Salt::from_bytes([7; 16]));
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < time / 4 {
        for _ in 0..1_000 {
            out.clear();
            let _ = encode_call(&mut out, None, std::hint::black_box(&record), salt);
            std::hint::black_box(&out);
        }
        count += 1_000;
    }
    let (whole, openings) = (out.fields.len(), out.openings.len());
    let each = start.elapsed().as_nanos() as f64 / count as f64;
    out.clear();
    let _ = encode_call(&mut out, Some(record.subjects.len()), &record, salt);
    println!(
        "encoding an intent with a subject: {each:.0} ns, {whole} bytes and {openings} beside it; a \
         later step is {} bytes\n",
        out.fields.len()
    );
}

fn measure(directory: &std::path::Path, writers: usize, wait: Wait, name: &str, time: Duration) {
    let settings = JournalSettings {
        directory: directory.to_owned(),
        segment_size: 64 << 20,
        max_bytes: u64::MAX,
        sync_interval: Duration::from_millis(100),
        writer_priority: 0,
    };
    let gateway = Gateway {
        node: "gateway-1".into(),
        version: "0.1.0".into(),
        config_hash: "00".into(),
    };
    let journal = Arc::new(Journal::open(settings, &gateway, |_| 0).expect("a journal"));
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let cpu = cpu_micros();
    let start = Instant::now();
    let threads: Vec<_> = (0..THREADS.min(writers))
        .map(|thread| {
            let (journal, stop, done) =
                (Arc::clone(&journal), Arc::clone(&stop), Arc::clone(&done));
            let tasks = writers / THREADS.min(writers);
            std::thread::spawn(move || work(&journal, &stop, &done, thread, tasks, wait))
        })
        .collect();
    std::thread::sleep(time);
    stop.store(true, Ordering::SeqCst);
    let mut waits: Vec<u32> = Vec::new();
    for thread in threads {
        waits.extend(thread.join().expect("a thread"));
    }
    if journal.shutdown(Duration::from_secs(30)).is_err() {
        println!("not everything reached the disk");
    }
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = cpu_micros().saturating_sub(cpu);
    let done = done.load(Ordering::SeqCst);
    waits.sort_unstable();
    let rank = |share: f64| {
        let at = (waits.len() as f64 * share) as usize;
        waits.get(at).map_or(0.0, |nanos| f64::from(*nanos) / 1e3)
    };
    println!(
        "| {writers} | {name} | {:.0} | {:.2} | {:.0} | {:.0} |",
        done as f64 / elapsed,
        cpu as f64 / done.max(1) as f64,
        rank(0.5),
        rank(0.99),
    );
}

fn work(
    journal: &Arc<Journal>,
    stop: &Arc<AtomicBool>,
    done: &AtomicU64,
    thread: usize,
    tasks: usize,
    wait: Wait,
) -> Vec<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let handles: Vec<_> = (0..tasks)
            .map(|task| {
                let (journal, stop) = (Arc::clone(journal), Arc::clone(stop));
                tokio::task::spawn_local(async move {
                    let record = record((thread * 10_000 + task) as u64);
                    let mut waits = Vec::new();
                    let mut count = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        let Ok(ticket) = journal.append(Step::Intent, None, &record, wait) else {
                            // Nobody waits, so the writer may be behind.
                            std::thread::sleep(Duration::from_millis(1));
                            continue;
                        };
                        if journal.settled(ticket).await.is_ok() {
                            count += 1;
                        }
                        if count.is_multiple_of(16) {
                            waits.push(
                                u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX),
                            );
                        }
                    }
                    (count, waits)
                })
            })
            .collect();
        let mut all = Vec::new();
        for handle in handles {
            let (count, waits) = handle.await.expect("a task");
            done.fetch_add(count, Ordering::SeqCst);
            all.extend(waits);
        }
        all
    })
}

/// CPU time of this process, user and system, from the kernel's clock ticks of 10 ms.
fn cpu_micros() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = |index: usize| -> u64 {
        fields
            .split(' ')
            .nth(index)
            .and_then(|ticks| ticks.parse().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) * 10_000
}
