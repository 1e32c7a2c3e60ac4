//! What the audit record is worth when things break: `kill -9` under load, a full disk, a journal
//! that is removed while the gateway runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use egret::sim::{Faults, Vendor};

use crate::harness::{Config, Row, Sim, until};

/// How often the gateway is killed. `EGRET_CRASH_ROUNDS` asks for more.
const ROUNDS: u64 = 50;

const CLIENTS: u64 = 6;

/// What calls are made: an intent is needed for the writes, the mint, the unknown operation and
/// the reads of personal data.
const CALLS: [(&str, &str); 6] = [
    ("GET", "/cybrid/bank/api/banks?page=0"),
    ("GET", "/cybrid/bank/api/customers"),
    ("POST", "/cybrid/bank/api/trades"),
    ("POST", "/cybrid/bank/api/customers"),
    ("POST", "/cybrid/identity/oauth/token"),
    ("POST", "/cybrid/bank/api/no/such/thing"),
];

/// An answer whose header a client has read.
#[derive(Debug)]
struct Answered {
    status: u16,
    call_id: String,
}

/// Reproducible randomness (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }
}

fn trace_id(number: u64) -> String {
    format!("{:032x}", u128::from(number) + 0xc0ff_ee00_0000_0000)
}

/// One call on a connection. An error is a connection that broke before the header was there.
fn call(
    stream: &mut BufReader<TcpStream>,
    (method, target): (&str, &str),
    trace: &str,
) -> std::io::Result<Answered> {
    let body = if method == "POST" { "{}" } else { "" };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let mut answered = Answered {
        status: 0,
        call_id: String::new(),
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
            answered.status = status[..3].parse().unwrap();
        } else if let Some((name, value)) = line.split_once(": ") {
            if name.eq_ignore_ascii_case("egret-call-id") {
                answered.call_id = value.to_owned();
            } else if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            }
        }
    }
    // Once its header is there the answer counts, even if its body is cut off.
    let _ = stream.read_exact(&mut vec![0; length]);
    Ok(answered)
}

/// Calls until the connection breaks and `stop` says why.
fn load(address: &str, stop: &AtomicBool, next: &AtomicU64, seed: u64) -> Vec<(String, Answered)> {
    let mut dice = Dice(seed | 1);
    let mut answers = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let Ok(stream) = TcpStream::connect(address) else {
            continue;
        };
        let mut stream = BufReader::new(stream);
        loop {
            let trace = trace_id(next.fetch_add(1, Ordering::SeqCst));
            let kind = CALLS[dice.roll(CALLS.len() as u64) as usize];
            match call(&mut stream, kind, &trace) {
                Ok(answer) => answers.push((trace, answer)),
                Err(_) => break,
            }
        }
    }
    answers
}

/// Trace ids of the requests that the bank has seen.
fn seen(sim: &Sim) -> impl Iterator<Item = String> {
    sim.requests().into_iter().map(|seen| {
        let headers = &seen.request.headers;
        let (_, value) = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
            .expect("a traceparent");
        value.split('-').nth(1).expect("a trace id").to_owned()
    })
}

#[test]
fn kill_9_under_load_loses_no_record() {
    let rounds = std::env::var("EGRET_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS);
    let seed = std::env::var("EGRET_CRASH_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_122);
    eprintln!("seed {seed}, {rounds} rounds");
    let mut dice = Dice(seed);
    let sim = Sim::start(Vendor::Cybrid);
    sim.set_faults(Faults {
        // So that each kill meets calls at the bank.
        latency_ms: Some((0, 8)),
        ..Faults::default()
    });
    let next = AtomicU64::new(0);
    let mut at_bank = BTreeSet::new();
    let mut answered: BTreeMap<String, Answered> = BTreeMap::new();
    let mut config = Config::new()
        .log("warn,egret=info")
        .cybrid(&sim.url())
        .section("[journal]\nsegment_size = \"1MiB\"");
    for _ in 0..rounds {
        let gateway = config.start();
        let address = gateway.address().to_owned();
        let stop = AtomicBool::new(false);
        let seeds: Vec<u64> = (0..CLIENTS)
            .map(|_| dice.roll(u64::from(u32::MAX)))
            .collect();
        let pause = Duration::from_micros(20_000 + dice.roll(200_000));
        config = std::thread::scope(|scope| {
            let clients: Vec<_> = seeds
                .into_iter()
                .map(|seed| {
                    let (address, stop, next) = (&address, &stop, &next);
                    scope.spawn(move || load(address, stop, next, seed))
                })
                .collect();
            std::thread::sleep(pause);
            stop.store(true, Ordering::SeqCst);
            let config = gateway.kill();
            for client in clients {
                answered.extend(client.join().unwrap());
            }
            config
        });
        at_bank.extend(seen(&sim));
    }
    // A last start ends what the last kill has left open.
    let gateway = config.start();
    let (ran, config) = gateway.stop();
    assert!(
        ran.stderr.contains("every record is in the ledger"),
        "{}",
        ran.stderr
    );
    let rows = query(&config);
    check(&rows, &at_bank, &answered);

    // The ledger is a copy: made anew it says the same.
    let said = config.egret(&["audit", "rebuild"]).ok();
    assert!(said.contains(&format!("{} calls", rows.len())), "{said}");
    let again = query(&config);
    assert_eq!(again.len(), rows.len());
    for (old, new) in rows.iter().zip(&again) {
        assert_eq!(without_number(old), without_number(new));
    }
}

fn query(config: &Config) -> Vec<Row> {
    let output = config.egret(&[
        "audit",
        "query",
        "--format",
        "json",
        "--limit",
        "0",
        "--oldest-first",
    ]);
    let lines = output.ok();
    lines
        .lines()
        .map(|line| Row(serde_json::from_str(line).unwrap()))
        .collect()
}

fn without_number(row: &Row) -> serde_json::Value {
    let mut row = row.0.clone();
    row.as_object_mut().unwrap().remove("seq");
    row
}

/// Compares the ledger with what the bank saw and with what the clients saw.
fn check(rows: &[Row], at_bank: &BTreeSet<String>, answered: &BTreeMap<String, Answered>) {
    let mut by_trace: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows {
        let other = by_trace.insert(row.text("trace_id"), row);
        assert!(other.is_none(), "two rows for one call: {row:?} {other:?}");
    }
    let unrecorded: Vec<_> = at_bank
        .iter()
        .filter(|trace| !by_trace.contains_key(trace.as_str()))
        .collect();
    assert!(
        unrecorded.is_empty(),
        "at the bank without a record: {unrecorded:?}"
    );
    for (trace, answer) in answered {
        let row = by_trace
            .get(trace.as_str())
            .unwrap_or_else(|| panic!("{answer:?} has no record"));
        assert_eq!(row.text("call_id"), answer.call_id);
        assert_eq!(row.number("status"), i64::from(answer.status), "{row:?}");
        assert_ne!(row.text("reason"), "gateway_stopped", "{row:?}");
    }
    let cut_off = rows
        .iter()
        .filter(|row| row.text("reason") == "gateway_stopped")
        .inspect(|row| row.expect(&[("outcome", "unknown"), ("status", "")]))
        .count();
    eprintln!(
        "{} rows, {} requests at the bank, {} answers, {cut_off} calls cut off",
        rows.len(),
        at_bank.len(),
        answered.len(),
    );
    assert!(
        cut_off > 0 && answered.len() > cut_off,
        "the test met what it is about"
    );
}

const TRADES: &str = "/cybrid/bank/api/trades";
const BANKS: &str = "/cybrid/bank/api/banks";

/// What a gateway does whose journal has failed, and what it does when that is over.
fn outage(config: Config, sim: &Sim, fail: impl FnOnce(&Path), heal: impl FnOnce(&Path)) {
    let gateway = config.start();
    let journal = gateway.directory().join("data/journal");
    assert_eq!(gateway.post(TRADES, &[], "{}").status, 401);
    let before = sim.count();
    fail(&journal);
    // One call is in the middle of it; it is refused like those after it.
    for _ in 0..20 {
        let answer = gateway.post(TRADES, &[], "{}");
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(
            answer.text().contains("record_unavailable"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(sim.count(), before, "nothing goes to the bank unrecorded");
    // What may be shed goes on.
    for _ in 0..5 {
        assert_eq!(gateway.get(BANKS, &[]).status, 401);
    }
    assert_eq!(sim.count(), before + 5);
    assert!(gateway.log("the journal cannot be written; calls are refused as their policy says, until it can").is_some());
    heal(&journal);
    gateway.wait_for_log("the journal can be written again");
    assert_eq!(gateway.post(TRADES, &[], "{}").status, 401);
    let (ran, config) = gateway.stop();
    assert!(
        ran.stderr.contains("every record is in the ledger"),
        "{}",
        ran.stderr
    );
    let rows = query(&config);
    let forwarded = rows
        .iter()
        .filter(|row| row.text("operation") == "bank.create_trade" && row.field("status") == 401);
    assert_eq!(forwarded.count(), 2, "{rows:#?}");
}

fn shed_reads(sim: &Sim) -> Config {
    Config::new()
        .cybrid(&sim.url())
        .section("[journal]\nsegment_size = \"1MiB\"\n[journal.policy]\nread = \"shed\"")
}

#[test]
fn a_journal_removed_under_a_running_gateway_refuses_by_policy_and_recovers() {
    let sim = Sim::start(Vendor::Cybrid);
    outage(
        shed_reads(&sim),
        &sim,
        |journal| std::fs::remove_dir_all(journal).unwrap(),
        |journal| std::fs::create_dir(journal).unwrap(),
    );
}

/// A small file system in memory, unmounted when dropped.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    /// `None` where that is not allowed.
    fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "egret-test"])
            .arg(path)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(path.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_by_policy_and_recovers() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = shed_reads(&sim);
    let Some(disk) = Tmpfs::mount(&config.directory().join("data/journal"), "3m") else {
        eprintln!("skipped: mounting a tmpfs needs root");
        return;
    };
    // Takes every block but those of the segment that is open; many calls fill that.
    let filler = disk.0.join("filler");
    outage_by_filling(config, &sim, &filler);
}

fn outage_by_filling(config: Config, sim: &Sim, filler: &Path) {
    let gateway = config.start();
    assert_eq!(gateway.post(TRADES, &[], "{}").status, 401);
    let mut file = std::fs::File::create(filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    // A segment of 1 MiB was made with all its room; the next finds none.
    let refused = (0..20_000).find_map(|_| {
        let answer = gateway.post(TRADES, &[], "{}");
        (answer.status != 401).then_some(answer)
    });
    let refused = refused.expect("the disk is full in the end");
    assert_eq!(refused.status, 503, "{}", refused.text());
    let before = sim.count();
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("record_unavailable"),
        "{}",
        answer.text()
    );
    assert_eq!(sim.count(), before);
    assert_eq!(
        gateway.get(BANKS, &[]).status,
        401,
        "what may be shed goes on"
    );
    std::fs::remove_file(filler).unwrap();
    gateway.wait_for_log("the journal can be written again");
    until("calls are taken again", || {
        gateway.post(TRADES, &[], "{}").status == 401
    });
    let (ran, config) = gateway.stop();
    assert!(
        ran.stderr.contains("every record is in the ledger"),
        "{}",
        ran.stderr
    );
    let rows = query(&config);
    assert!(rows.iter().all(|row| !row.text("operation").is_empty()));
    drop(config);
}
