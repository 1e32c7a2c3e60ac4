//! What the audit record is worth when the process dies: `kill -9` under load, at random moments,
//! and then a comparison of what the bank saw and what the clients were told with the ledger.
//!
//! [`kill_9_under_load_loses_no_record`] runs with the suite. [`soak`] is the same for minutes, with
//! the ledger locked, moved away and restored from a copy at random: `make soak`.

mod load;
mod outage;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egret::sim::{Faults, Vendor};

use crate::harness::{Authority, Config, Sim};

use load::{Answered, Clients};
use rows::{Rows, Said};

/// How often the gateway is killed. `EGRET_CRASH_ROUNDS` asks for more.
const ROUNDS: u64 = 50;

/// Longest wait for the first answers of a round.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long `make soak` takes. `EGRET_SOAK_MINUTES` asks for more or less.
const SOAK_MINUTES: u64 = 10;

/// What calls are made, and the effect that their records must have: each class of operation.
const CALLS: [(&str, &str, &str); 7] = [
    ("GET", "/cybrid/bank/api/banks?page=0", "read"),
    // Of personal data.
    ("GET", "/cybrid/bank/api/customers", "read"),
    ("POST", "/cybrid/bank/api/customers", "write"),
    ("POST", "/cybrid/bank/api/trades", "money"),
    ("POST", "/cybrid/identity/oauth/token", "mint"),
    (
        "DELETE",
        "/cybrid/identity/api/bank_applications/x1",
        "access-change",
    ),
    // The catalog does not know it.
    ("POST", "/cybrid/bank/api/no/such/thing", ""),
];

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

fn number(variable: &str, otherwise: u64) -> u64 {
    let asked = std::env::var(variable).ok();
    asked
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
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

/// Everything that a test has seen from outside.
#[derive(Default)]
struct Witnessed {
    at_bank: BTreeSet<String>,
    answered: BTreeMap<String, Answered>,
}

struct Trial {
    sim: Sim,
    clients: Clients,
    witnessed: Witnessed,
    dice: Dice,
    config: Option<Config>,
}

impl Trial {
    fn new() -> Self {
        let seed = number("EGRET_CRASH_SEED", 20_261_122);
        eprintln!("EGRET_CRASH_SEED={seed}");
        let sim = Sim::start(Vendor::Cybrid);
        sim.set_faults(Faults {
            // So that each kill meets calls at the bank.
            latency_ms: Some((0, 8)),
            ..Faults::default()
        });
        let authority = Authority::new("egret-test");
        let config = Config::new()
            .log("warn,egret=info")
            .listener("address = \"127.0.0.1:0\"")
            .listener(
                "address = \"127.0.0.1:0\"\n\
                 tls = { certificate = \"server.pem\", key = \"server.key\" }",
            )
            .cybrid(&sim.url())
            .section(
                "[journal]\nsegment_size = \"1MiB\"\n[ledger]\npath = \"data/ledger/ledger.db\"",
            );
        authority
            .issue("localhost", &["localhost"])
            .write(config.directory(), "server");
        Self {
            sim,
            clients: Clients::new(&authority),
            witnessed: Witnessed::default(),
            dice: Dice(seed),
            config: Some(config),
        }
    }

    /// Starts the gateway, loads it for a while, kills it. `trouble` goes on beside the load. In some
    /// rounds the while begins when there was an answer in each protocol.
    fn round(&mut self, pause: Duration, trouble: Option<&mut outage::Trouble>) {
        let gateway = self.config.take().expect("a configuration").start();
        let stop = AtomicBool::new(false);
        let before = self.clients.answers();
        let wait = self.dice.roll(4) == 0;
        let (answered, config) = std::thread::scope(|scope| {
            let running = self
                .clients
                .start(scope, gateway.addresses(), &stop, &mut self.dice);
            let mut began = Instant::now();
            if wait {
                // A busy machine may need longer than the pause for the first answers.
                let is_missing = || {
                    let mut counts = self.clients.answers().into_iter().zip(before);
                    counts.any(|(now, before)| now == before)
                };
                while is_missing() && began.elapsed() < PATIENCE {
                    std::thread::sleep(Duration::from_millis(1));
                }
                began = Instant::now();
            }
            if let Some(trouble) = trouble {
                trouble.make(gateway.directory(), pause, &mut self.dice);
            }
            std::thread::sleep(pause.saturating_sub(began.elapsed()));
            stop.store(true, Ordering::SeqCst);
            let config = gateway.kill();
            let answered: Vec<_> = running
                .into_iter()
                .flat_map(|client| client.join().expect("a client"))
                .collect();
            (answered, config)
        });
        self.config = Some(config);
        self.witnessed.answered.extend(answered);
        self.witnessed.at_bank.extend(seen(&self.sim));
    }

    /// Starts it once more, which ends what the last kill has left open, stops it and compares.
    fn end(mut self) -> (Config, Rows) {
        let gateway = self.config.take().expect("a configuration").start();
        let (ran, config) = gateway.stop();
        assert!(
            ran.stderr.contains("every record is in the ledger"),
            "{}",
            ran.stderr
        );
        let rows = rows::read(&config);
        check(&rows, &self.witnessed);
        (config, rows)
    }
}

#[test]
fn kill_9_under_load_loses_no_record() {
    let mut trial = Trial::new();
    for _ in 0..number("EGRET_CRASH_ROUNDS", ROUNDS) {
        let pause = Duration::from_micros(20_000 + trial.dice.roll(200_000));
        trial.round(pause, None);
    }
    let (config, rows) = trial.end();
    // The ledger is a copy: made anew it says the same.
    let said = config.egret(&["audit", "rebuild"]).ok();
    assert!(said.contains(&format!("{} calls", rows.len())), "{said}");
    assert!(
        rows == rows::read(&config),
        "a rebuilt ledger says something else"
    );
}

/// As above, for minutes, while the ledger comes and goes. Not for each run of the suite.
#[test]
#[ignore = "takes minutes: make soak"]
fn soak() {
    let mut trial = Trial::new();
    let length = Duration::from_secs(60 * number("EGRET_SOAK_MINUTES", SOAK_MINUTES));
    let began = Instant::now();
    let mut trouble = outage::Trouble::default();
    let mut rounds = 0_u64;
    while began.elapsed() < length {
        // Mostly short lives, now and then one that is long enough to fail and recover in.
        let longest = if trial.dice.roll(4) == 0 {
            6_000_000
        } else {
            400_000
        };
        let pause = Duration::from_micros(20_000 + trial.dice.roll(longest));
        trial.round(pause, Some(&mut trouble));
        trouble.mend(trial.config.as_ref().expect("a configuration").directory());
        rounds += 1;
        if rounds.is_multiple_of(20) {
            let answers = trial.witnessed.answered.len();
            eprintln!("{:?}: {rounds} kills, {answers} answers", began.elapsed());
        }
    }
    eprintln!("{rounds} kills; {trouble:?}");
    trial.end();
}

/// Compares the ledger with what the bank saw and with what the clients saw.
fn check(rows: &Rows, witnessed: &Witnessed) {
    let Witnessed { at_bank, answered } = witnessed;
    let unrecorded: Vec<_> = at_bank
        .iter()
        .filter(|trace| !rows.contains_key(*trace))
        .collect();
    assert!(
        unrecorded.is_empty(),
        "at the bank without a record: {unrecorded:?}"
    );
    let mut effects: BTreeMap<&str, usize> = BTreeMap::new();
    let mut protocols: BTreeMap<&str, usize> = BTreeMap::new();
    for (trace, answer) in answered {
        let row = rows
            .get(trace)
            .unwrap_or_else(|| panic!("{answer:?} has no record"));
        assert_eq!(row.call_id, answer.call_id);
        assert_eq!(row.status, Some(answer.status), "{row:?}");
        assert_ne!(row.reason, "gateway_stopped", "{row:?}");
        assert_eq!(row.effect, answer.effect, "{row:?}");
        *effects.entry(answer.effect).or_default() += 1;
        *protocols.entry(answer.protocol).or_default() += 1;
    }
    let cut_off: Vec<&Said> = rows
        .values()
        .filter(|row| row.reason == "gateway_stopped")
        .collect();
    for row in &cut_off {
        assert_eq!(
            (row.outcome.as_str(), row.status),
            ("unknown", None),
            "{row:?}"
        );
    }
    eprintln!(
        "{} rows, {} requests at the bank, {} answers ({protocols:?}, {effects:?}), {} calls cut off",
        rows.len(),
        at_bank.len(),
        answered.len(),
        cut_off.len(),
    );
    let classes: BTreeSet<_> = CALLS.iter().map(|(_, _, effect)| *effect).collect();
    assert_eq!(effects.len(), classes.len(), "every class was answered");
    assert_eq!(protocols.len(), load::PROTOCOLS, "in every protocol");
    assert!(
        !cut_off.is_empty() && answered.len() > cut_off.len(),
        "the test met what it is about"
    );
}
