//! What readiness depends on.

use std::time::Duration;

use super::clock::{EARLIEST, MAX_BEHIND};
use super::vitals::{Stage, Vitals};

/// Bounds that an operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long the oldest record may wait for the ledger.
    pub max_ledger_lag: Duration,
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Good,
    /// Calls should go elsewhere, and why.
    Bad(String),
}

impl Verdict {
    fn good_if(good: bool, otherwise: impl FnOnce() -> String) -> Self {
        if good {
            Self::Good
        } else {
            Self::Bad(otherwise())
        }
    }
}

/// One thing that readiness depends on.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name in `/readyz`, in the metrics and in the documentation.
    pub name: &'static str,
    /// What to do when it is red.
    pub advice: &'static str,
    /// Whether only a new process can put it right. Then the process is not alive either.
    pub needs_restart: bool,
    judge: fn(&Vitals, &Bounds) -> Verdict,
}

impl Check {
    /// Judges what was measured.
    pub fn judge(&self, vitals: &Vitals, bounds: &Bounds) -> Verdict {
        (self.judge)(vitals, bounds)
    }
}

/// Every check, in the order in which they are told.
pub const CHECKS: &[Check] = &[
    Check {
        name: "startup",
        advice: "wait: the ledger and the journal are being opened; after a crash the end of the \
                 journal is read first",
        needs_restart: false,
        judge: |vitals, _| {
            Verdict::good_if(vitals.stage != Stage::Starting, || {
                "the gateway is starting".to_owned()
            })
        },
    },
    Check {
        name: "draining",
        advice: "nothing: the gateway was asked to stop, and calls in flight end",
        needs_restart: false,
        judge: |vitals, _| {
            Verdict::good_if(vitals.stage != Stage::Draining, || {
                "the gateway is stopping".to_owned()
            })
        },
    },
    Check {
        name: "listeners",
        advice: "look for an error of a worker in the log, and restart the gateway",
        needs_restart: false,
        judge: listeners,
    },
    Check {
        name: "workers",
        advice: "restart the gateway: a thread that serves calls is blocked; report it with the log",
        needs_restart: true,
        judge: |vitals, _| silence(vitals, vitals.silence.workers, "a worker"),
    },
    Check {
        name: "background",
        advice: "restart the gateway: the thread that resolves names and follows callers and locks is \
                 blocked; report it with the log",
        needs_restart: true,
        judge: |vitals, _| silence(vitals, vitals.silence.background, "the background thread"),
    },
    Check {
        name: "journal",
        advice: "make room on the disk of the journal, or mend it; the gateway tries again by itself",
        needs_restart: false,
        judge: journal,
    },
    Check {
        name: "journal_writer",
        advice: "restart the gateway: the thread that writes the journal has ended; report it",
        needs_restart: true,
        judge: |vitals, _| {
            // While draining it ends because it is told to.
            let ended = vitals.journal.is_some_and(|journal| journal.ended);
            Verdict::good_if(!ended || vitals.stage == Stage::Draining, || {
                "the thread that writes the journal has ended".to_owned()
            })
        },
    },
    Check {
        name: "journal_space",
        advice: "bring the ledger back: the journal holds as much as journal.max_bytes allows that \
                 the ledger has not taken, and calls are refused by policy until it has",
        needs_restart: false,
        judge: journal_space,
    },
    Check {
        name: "ledger",
        advice: "look for the ledger's error in the log; nothing is lost, the journal keeps every \
                 record and the ledger is fed again by itself",
        needs_restart: false,
        judge: |vitals, bounds| {
            let (lag, most) = (vitals.ledger_lag(), bounds.max_ledger_lag);
            Verdict::good_if(lag <= most, || {
                format!(
                    "the ledger lacks records since {} s, the bound is {} s",
                    lag.as_secs(),
                    most.as_secs()
                )
            })
        },
    },
    Check {
        name: "clock",
        advice: "set the clock and keep it right with NTP; records are numbered, so that their order \
                 is not in doubt, but those made meanwhile carry a wrong time",
        needs_restart: false,
        judge: clock,
    },
];

fn listeners(vitals: &Vitals, _: &Bounds) -> Verdict {
    match vitals.listening {
        // Before they are bound, `startup` says it; while draining they are closed on purpose.
        Some(all) if vitals.stage == Stage::Serving => {
            Verdict::good_if(all.accepting >= all.wanted, || {
                format!("{} of {} sockets accept", all.accepting, all.wanted)
            })
        }
        _ => Verdict::Good,
    }
}

/// Threads say each second that they go on. On a machine that has too much to do they may be late;
/// one that is silent for so long will not speak again.
const MAX_SILENCE: Duration = Duration::from_secs(30);

fn silence(vitals: &Vitals, silence: Duration, who: &str) -> Verdict {
    let is_quiet = vitals.stage != Stage::Serving || silence <= MAX_SILENCE;
    Verdict::good_if(is_quiet, || {
        format!("{who} has not been heard of for {} s", silence.as_secs())
    })
}

fn journal(vitals: &Vitals, _: &Bounds) -> Verdict {
    let Some(journal) = &vitals.journal else {
        return Verdict::Good;
    };
    if let Some(since) = journal.failing_since {
        return Verdict::Bad(format!("the journal cannot be written since {since}"));
    }
    Verdict::good_if(!journal.stalled, || {
        "the disk of the journal does not answer".to_owned()
    })
}

fn journal_space(vitals: &Vitals, _: &Bounds) -> Verdict {
    let Some(journal) = &vitals.journal else {
        return Verdict::Good;
    };
    Verdict::good_if(journal.undrained_bytes < journal.max_bytes, || {
        format!(
            "{} bytes of the journal are not in the ledger, the bound is {}",
            journal.undrained_bytes, journal.max_bytes
        )
    })
}

fn clock(vitals: &Vitals, _: &Bounds) -> Verdict {
    if vitals.now < EARLIEST {
        return Verdict::Bad(format!("the clock says {}", vitals.now));
    }
    let behind = vitals.clock_behind;
    Verdict::good_if(behind <= MAX_BEHIND, || {
        format!("the clock went back by {} s", behind.as_secs())
    })
}

/// The checks that are red, with why.
pub fn failing(vitals: &Vitals, bounds: &Bounds) -> Vec<(&'static Check, String)> {
    let judged = CHECKS
        .iter()
        .map(|check| (check, check.judge(vitals, bounds)));
    judged
        .filter_map(|(check, verdict)| match verdict {
            Verdict::Good => None,
            Verdict::Bad(why) => Some((check, why)),
        })
        .collect()
}
