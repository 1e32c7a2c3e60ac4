//! `cargo bench --bench detect`: how many events a second the detectors take on one core, reading
//! them from JSON included, and in how much memory.
//!
//! Two feeds, made here and read as a replay reads them:
//!
//! * `fleet`: 40 callers, a million customers, tokens that live for eight hours, so that two
//!   million of them are alive at the end;
//! * `flood`: nothing but identifiers that were never seen: callers, customers, tokens, networks,
//!   operations, scopes, grantees.
//!
//! The feed is made in pieces between which the clock stands still, so that making it is not measured.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench talks to whoever runs it, and may stop"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use egret::domain::detect::{Alert, Detection, Line, NoMap, Settings};

/// A Monday in 2026.
const START: i64 = 1_767_571_200_000;
const PIECE: u64 = 20_000;

/// Kilobytes that the process has, and had at most.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (field("VmRSS"), field("VmHWM"))
}

/// Well mixed and the same in every run.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// A line of the fleet: one in four events mints, the others use what was minted lately.
fn fleet(n: u64, out: &mut String) {
    // Two million mints in eight hours, and three uses of each.
    let at = START + (n * 28_800_000 / 8_000_000) as i64;
    let visit = n / 4;
    let customer = visit * 7 % 1_000_000;
    let caller = customer % 40;
    let token = mixed(visit ^ 0xabcd);
    let _ = write!(
        out,
        r#"{{"id":{n},"ts":{at},"env":"sandbox","provider":"cybrid","op":"{}","caller":"service-{caller}","ip":"192.0.2.{caller}","country":"CA","asn":64500,"token_type":"{}","token":"{:016x}","subject":"{:016x}""#,
        [
            "token.customer",
            "accounts.list",
            "trades.get",
            "prices.list"
        ][(n % 4) as usize],
        if n.is_multiple_of(4) {
            "bank"
        } else {
            "customer"
        },
        if n.is_multiple_of(4) {
            caller + 1
        } else {
            token
        },
        mixed(customer + 7),
    );
    if n.is_multiple_of(4) {
        let _ = write!(
            out,
            r#","scopes":["accounts:read","trades:read"],"mint":{{"type":"customer","token":"{token:016x}","ttl":28800}}"#
        );
    }
    out.push_str(r#","status":200,"by":"upstream","latency_ms":41,"bytes":1822}"#);
    out.push('\n');
}

/// A line in which everything is new.
fn flood(n: u64, out: &mut String) {
    let at = START + n as i64;
    let _ = writeln!(
        out,
        r#"{{"id":{n},"ts":{at},"env":"production","provider":"p{n}","op":"op{n}.create","caller":"caller-{n}","ip":"2001:db8:{:x}::1","country":"CA","asn":{n},"token_type":"customer","token":"{:016x}","subject":"{:016x}","scopes":["s{n}:write"],"mint":{{"type":"customer","token":"{:016x}","ttl":1800}},"target":"t{n}","view":"v{n}","pii":true,"status":201,"by":"upstream","latency_ms":41,"bytes":1822}}"#,
        n & 0xffff,
        mixed(n),
        mixed(n ^ 0x1111),
        mixed(n ^ 0x2222),
    );
}

fn run(name: &str, events: u64, line: fn(u64, &mut String)) {
    let mut detection = Detection::new(Settings::default());
    let mut told: Vec<Alert> = Vec::new();
    let mut text = String::new();
    let mut spent = Duration::ZERO;
    let mut alerts = 0;
    let mut n = 0;
    while n < events {
        text.clear();
        for _ in 0..PIECE {
            line(n, &mut text);
            n += 1;
        }
        let began = Instant::now();
        for line in text.lines() {
            let line = Line::read(line.as_bytes()).expect("an event");
            detection.observe(&line.event(0), &NoMap, &mut told);
        }
        spent += began.elapsed();
        alerts += told.len();
        told.clear();
    }
    let rate = events as f64 / spent.as_secs_f64();
    let (now, most) = memory();
    println!(
        "{name}: {rate:.0} events/s, {} MiB now, {} MiB at most, {alerts} alerts",
        now >> 10,
        most >> 10
    );
    println!("  {:?}", detection.figures());
    let began = Instant::now();
    let mut bytes = Vec::new();
    detection.snapshot(&mut bytes).expect("a snapshot");
    let wrote = began.elapsed();
    drop(detection);
    let began = Instant::now();
    let restored = Detection::restore(Settings::default(), &bytes);
    assert!(restored.is_ok());
    println!(
        "  snapshot: {} MiB, written in {} ms, read in {} ms",
        bytes.len() >> 20,
        wrote.as_millis(),
        began.elapsed().as_millis()
    );
}

fn main() {
    // One feed a process, since memory is given back late: `fleet`, `flood`, or both in turn.
    let wanted = std::env::args().nth(1).unwrap_or_default();
    match wanted.as_str() {
        "fleet" => run("fleet", 8_000_000, fleet),
        "flood" => run("flood", 3_000_000, flood),
        _ => {
            let program = std::env::current_exe().expect("the own path");
            for feed in ["fleet", "flood"] {
                let status = std::process::Command::new(&program).arg(feed).status();
                assert!(status.is_ok_and(|status| status.success()));
            }
        }
    }
}
