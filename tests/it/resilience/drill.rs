//! The outage drill: a vendor that fails, recovers by half, becomes slow and is well again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use egret::sim::{Faults, Vendor};

use crate::harness::{Client, Config, Gateway, Sim, until};

const ASSETS: &str = "/cybrid/bank/api/assets";
const TRADES: &str = "/cybrid/bank/api/trades";

/// Clients that call all the time, each a read and a write in turn.
const CLIENTS: usize = 4;
/// Hard failures in a row that open the breaker.
const CONSECUTIVE: u64 = 5;
/// Calls that go after a pause.
const PROBES: u64 = 2;
/// The longest pause, in milliseconds.
const MAX_PAUSE: u64 = 800;

/// A hundred times as quick as the defaults.
const SECTIONS: &str = "[retries]\nbase = \"1ms\"\ncap = \"5ms\"\n\
    [breaker]\nconsecutive = 5\nwindow = \"2s\"\nmin_calls = 20\nslow_call = \"150ms\"\n\
    pause = \"100ms\"\nmax_pause = \"800ms\"\nprobes = 2\n";

#[derive(Default)]
struct Tally {
    /// Answers of the bank that it is well, and those with 500 and above.
    well: AtomicU64,
    failed: AtomicU64,
    /// Calls that the breaker stopped.
    stopped: AtomicU64,
}

struct Drill {
    sim: Sim,
    gateway: Gateway,
    number: AtomicU64,
}

impl Drill {
    fn figure(&self, name: &str) -> u64 {
        let series = format!("{name}{{group=\"cybrid.sandbox.bank\"}}");
        self.gateway.figure(&series) as u64
    }

    fn opened(&self) -> u64 {
        self.figure("egret_breaker_opened_total")
    }

    fn is_open(&self) -> bool {
        self.figure("egret_breaker_open") == 1
    }

    /// One call; every write is unlike all others.
    fn call(&self, client: &mut Client, is_write: bool, tally: &Tally) {
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let answer = if is_write {
            let body = format!("{{\"quote_guid\":\"{number:032x}\"}}");
            let headers = [("Content-Type", "application/json")];
            client.call("POST", TRADES, &headers, body.as_bytes())
        } else {
            client.call("GET", ASSETS, &[], b"")
        };
        let count = if answer.header("Content-Type") == Some("application/problem+json") {
            assert_eq!(answer.problem(), "breaker_open");
            // Rounded up to whole seconds.
            let wait: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
            assert!(wait <= MAX_PAUSE.div_ceil(1_000), "{wait}");
            *client = Client::tcp(self.gateway.address());
            &tally.stopped
        } else if answer.status >= 500 {
            &tally.failed
        } else {
            &tally.well
        };
        count.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets the clients call until something holds.
    fn until(&self, what: &str, holds: impl Fn(&Tally) -> bool) -> Tally {
        let tally = Tally::default();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = Client::tcp(self.gateway.address());
                    let mut is_write = false;
                    while !over.load(Ordering::SeqCst) {
                        self.call(&mut client, is_write, &tally);
                        is_write = !is_write;
                    }
                });
            }
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                until(what, || holds(&tally));
            }));
            over.store(true, Ordering::SeqCst);
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic);
            }
        });
        tally
    }

    /// Requests that reached the vendor since it had seen so many.
    fn since(&self, before: u64) -> u64 {
        self.sim.count() - before
    }
}

#[test]
fn an_outage_is_not_made_worse_and_its_end_is_noticed() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).section(SECTIONS).start();
    let drill = Drill {
        sim,
        gateway,
        number: AtomicU64::new(0),
    };
    let clients = CLIENTS as u64;

    // All is well.
    let tally = drill.until("calls go", |tally| tally.well.load(Ordering::SeqCst) >= 40);
    assert_eq!(tally.failed.into_inner() + tally.stopped.into_inner(), 0);
    assert_eq!(drill.opened(), 0);

    // Every request fails. Whatever the clients do, the vendor sees those that open the breaker, those
    // that were under way then, and a few probes for each time that it opens again.
    let before = drill.sim.count();
    drill.sim.set_faults(Faults {
        error_rate: 1.0,
        ..Faults::default()
    });
    let tally = drill.until("the breaker has opened again and again", |tally| {
        drill.opened() >= 4 && tally.stopped.load(Ordering::SeqCst) >= 400
    });
    let bound = CONSECUTIVE + clients + drill.opened() * PROBES;
    let sent = drill.since(before);
    assert!(sent <= bound, "{sent} requests, at most {bound} allowed");
    assert!(tally.stopped.into_inner() >= 400);
    assert_eq!(drill.sim.repeated_writes(), 0);

    // A third still fails: calls go again, reads are repeated within the budget, and no write is.
    drill.sim.set_faults(Faults {
        error_rate: 0.3,
        ..Faults::default()
    });
    drill.until("calls go again", |tally| {
        !drill.is_open() && tally.well.load(Ordering::SeqCst) >= 100
    });
    assert!(drill.figure("egret_retries_total") > 0);
    assert_eq!(drill.sim.repeated_writes(), 0);

    // It answers, but slowly. That opens it, too.
    let opened = drill.opened();
    drill.sim.set_faults(Faults {
        latency_ms: Some((250, 300)),
        ..Faults::default()
    });
    drill.until("slow answers have opened it", |_| {
        drill.opened() > opened + 1
    });

    // It is well again. The first calls after the pause find that out: no more than the probes, and
    // it does not open once more but for what was under way.
    let before = drill.sim.count();
    drill.sim.set_faults(Faults::default());
    let mut client = Client::tcp(drill.gateway.address());
    let tally = Tally::default();
    let opened = drill.opened();
    until("its end is noticed", || {
        drill.call(&mut client, false, &tally);
        !drill.is_open()
    });
    let noticed = drill.since(before);
    assert!(noticed <= PROBES + clients, "after {noticed} requests");
    assert!(drill.opened() <= opened + 1);
    let tally = drill.until("calls go", |tally| tally.well.load(Ordering::SeqCst) >= 200);
    assert_eq!(tally.failed.into_inner() + tally.stopped.into_inner(), 0);

    // No write was sent twice, whatever happened to it.
    assert_eq!(drill.sim.repeated_writes(), 0);
    let writes = drill.sim.requests();
    assert!(
        writes
            .iter()
            .filter(|seen| seen.request.method == "POST")
            .count()
            > 100
    );
    let openings = drill.opened() as usize;
    let records = drill.gateway.rows(
        openings,
        &["--provider", "egret", "--operation", "breaker.open"],
    );
    assert_eq!(records.len(), openings);
}
