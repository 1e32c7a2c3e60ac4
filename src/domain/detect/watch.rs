//! Detection that goes on for as long as there is a ledger: where it stands in it, how many alerts
//! it has given, and all of that as bytes, so that a restart goes on as if there had been none.
//!
//! After a restart from a state that is a minute old the rows of that minute are judged again, and
//! give the same alerts with the same [marks](Mark). Whoever takes alerts in order and remembers
//! the last mark takes each of them once.

use std::io::Write;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::engine::{Detection, Position};
use super::place::NetworkMap;
use super::row::Row;
use super::settings::Settings;
use super::snapshot::SnapshotFault;

/// First bytes of a kept state.
const MAGIC: &[u8; 8] = b"egretwat";
/// Version of what follows.
const VERSION: u32 = 1;
/// Length of the digest at the end, over everything before it.
const DIGEST: usize = 32;

/// Which alert it is: alerts of one run have rising numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The run: another one where numbers do not follow from the same rows and settings.
    pub run: u64,
    /// Its number in the run, from 1.
    pub number: u64,
}

/// An alert of the running gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which one it is.
    pub mark: Mark,
    /// What its incident is called outside: the same for all alerts of one incident, and never that
    /// of another incident, also after detection was begun anew.
    pub cause: u64,
    /// The alert.
    pub alert: Alert,
}

/// What is kept besides the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Drawn when everything was begun: tells incidents of this life from those before.
    life: u64,
    /// Drawn when numbers of alerts begin to mean something else.
    run: u64,
    /// Digest of the settings with which the run goes on.
    settings: [u8; 32],
    /// Alerts of the run so far.
    alerts: u64,
    /// Behind the last row that was taken in.
    position: Position,
    /// Alerts about what was before, in milliseconds since 1970, are learned from and not told.
    tell_from: i64,
}

/// Detection and its place in the ledger.
pub struct Watch {
    head: Head,
    detection: Detection,
}

/// Why a kept state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WatchFault {
    /// It is something else, or of another version.
    #[error("it is no state of detection that this version of Egret reads")]
    Foreign,
    /// Bytes were lost or changed.
    #[error("it is damaged")]
    Damaged,
    /// The engine's part.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
}

impl Watch {
    /// Begins at a place with nothing known. `life` is a random number. What alerts are about that
    /// happened before `tell_from` (milliseconds since 1970) is learned from and not told.
    #[must_use]
    pub fn begin(settings: Settings, life: u64, position: Position, tell_from: i64) -> Self {
        Self {
            head: Head {
                life,
                run: life,
                settings: fingerprint(&settings),
                alerts: 0,
                position,
                tell_from,
            },
            detection: Detection::new(settings),
        }
    }

    /// Goes on from a kept state. `fresh` is a random number, used if the settings are others than
    /// they were: the alerts behind the state would be numbered otherwise.
    ///
    /// # Errors
    /// [`WatchFault`].
    pub fn restore(settings: Settings, fresh: u64, bytes: &[u8]) -> Result<Self, WatchFault> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(WatchFault::Foreign)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(WatchFault::Foreign)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(WatchFault::Foreign);
        }
        let (rest, sum) = rest
            .split_last_chunk::<DIGEST>()
            .ok_or(WatchFault::Damaged)?;
        if digest(&SHA256, rest).as_ref() != sum {
            return Err(WatchFault::Damaged);
        }
        let (mut head, engine): (Head, &[u8]) =
            postcard::take_from_bytes(rest).map_err(|_| WatchFault::Damaged)?;
        let now = fingerprint(&settings);
        if head.settings != now {
            head.settings = now;
            head.run = fresh;
            head.alerts = 0;
        }
        Ok(Self {
            head,
            detection: Detection::restore(settings, engine)?,
        })
    }

    /// The state as bytes.
    ///
    /// # Errors
    /// The state cannot be written; memory is all that it needs.
    pub fn save(&self) -> Result<Vec<u8>, SnapshotFault> {
        let mut out = Vec::new();
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let start = out.len();
        postcard::to_io(&self.head, &mut out).map_err(SnapshotFault::Write)?;
        self.detection.snapshot(&mut out)?;
        let sum = digest(&SHA256, out.get(start..).unwrap_or_default());
        out.extend_from_slice(sum.as_ref());
        Ok(out)
    }

    /// Behind the last row that was taken in.
    #[must_use]
    pub fn position(&self) -> Position {
        self.head.position
    }

    /// Goes on at another place: the ledger is another one, in which the rows have other numbers.
    pub fn move_to(&mut self, position: Position) {
        self.head.position = position;
    }

    /// The engine.
    #[must_use]
    pub fn detection(&self) -> &Detection {
        &self.detection
    }

    /// Takes in the next row; gives what is to be told.
    pub fn take(&mut self, position: Position, row: &Row, map: &dyn NetworkMap) -> Vec<Told> {
        let mut alerts = Vec::new();
        self.detection.observe_row(row, map, &mut alerts);
        self.head.position = position;
        self.mark(alerts)
    }

    /// Lets time pass while no row comes; see [`Detection::pass_time`].
    pub fn pass_time(&mut self, now: i64) -> Vec<Told> {
        let mut alerts = Vec::new();
        self.detection.pass_time(now, &mut alerts);
        self.mark(alerts)
    }

    fn mark(&mut self, alerts: Vec<Alert>) -> Vec<Told> {
        let mut told = Vec::with_capacity(alerts.len());
        for alert in alerts {
            self.head.alerts += 1;
            if alert.at < self.head.tell_from {
                continue;
            }
            told.push(Told {
                mark: Mark {
                    run: self.head.run,
                    number: self.head.alerts,
                },
                cause: cause(self.head.life, alert.incident),
                alert,
            });
        }
        told
    }
}

/// The name of an incident: two lives give the same one with a chance of one in 2^64.
fn cause(life: u64, incident: u64) -> u64 {
    let mut text = [0; 16];
    let (first, second) = text.split_at_mut(8);
    first.copy_from_slice(&life.to_le_bytes());
    second.copy_from_slice(&incident.to_le_bytes());
    let sum = digest(&SHA256, &text);
    let first = sum.as_ref().first_chunk::<8>();
    first.map_or(incident, |bytes| u64::from_le_bytes(*bytes))
}

fn fingerprint(settings: &Settings) -> [u8; 32] {
    // Maps are in order and numbers are finite: this cannot fail.
    let text = serde_json::to_vec(settings).unwrap_or_default();
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &text).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detect::{NoMap, Sensitivity};
    use serde_json::json;

    const START: i64 = 1_795_323_600_000;

    /// A caller whom nobody knows asks for customers who do not exist, and every hour another one.
    fn row(number: u32) -> Row {
        let line = json!({
            "call_id": format!("019a2b3c-4d5e-7f60-8123-{number:012x}"),
            "received_at": (START + i64::from(number) * 2_000) * 1000,
            "completed_at": (START + i64::from(number) * 2_000 + 20) * 1000,
            "caller": format!("app-{}", number / 1800), "caller_address": "192.0.2.1:5", "provider": "cybrid",
            "environment": "production", "operation": "identity.create_customer_token",
            "effect": "mint", "token_type": "bank", "token_fingerprint": "aa".repeat(16),
            "subjects": [{ "kind": "customer", "role": "request", "subject": format!("{number:032x}") }],
            "decision": "forwarded", "outcome": "failure", "status": 404,
        });
        Row::read(line.to_string().as_bytes()).unwrap()
    }

    fn place(number: u32) -> Position {
        Position {
            seq: i64::from(number) + 1,
            call: Some([1; 16]),
        }
    }

    fn run(watch: &mut Watch, from: u32, to: u32) -> Vec<Told> {
        let numbers = from..to;
        numbers
            .flat_map(|number| watch.take(place(number), &row(number), &NoMap))
            .collect()
    }

    fn begin(tell_from: i64) -> Watch {
        Watch::begin(Settings::default(), 7, Position::default(), tell_from)
    }

    #[test]
    fn what_is_judged_again_has_the_same_marks() {
        let whole = run(&mut begin(0), 0, 4_000);
        assert!(whole.len() >= 2, "{}", whole.len());
        let mut watch = begin(0);
        let mut told = run(&mut watch, 0, 1_000);
        let kept = watch.save().unwrap();
        // This is lost.
        told.extend(run(&mut watch, 1_000, 2_500));
        let mut watch = Watch::restore(Settings::default(), 99, &kept).unwrap();
        assert_eq!(watch.position(), place(999));
        for again in run(&mut watch, 1_000, 4_000) {
            if told
                .last()
                .is_none_or(|last| again.mark.number > last.mark.number)
            {
                told.push(again);
            }
        }
        assert_eq!(told, whole);
    }

    #[test]
    fn other_settings_are_another_run_of_the_same_life() {
        let mut watch = begin(0);
        let before = run(&mut watch, 0, 2_500);
        let kept = watch.save().unwrap();
        let other = Settings {
            sensitivity: Sensitivity::High,
            ..Settings::default()
        };
        let mut watch = Watch::restore(other, 99, &kept).unwrap();
        let after = run(&mut watch, 2_500, 5_000);
        let runs: Vec<_> = after.iter().map(|told| told.mark.run).collect();
        assert!(!runs.is_empty() && runs.iter().all(|run| *run == 99));
        let causes = |told: &[Told]| told.iter().map(|told| told.cause).collect::<Vec<_>>();
        assert_eq!(cause(7, before[0].alert.incident), before[0].cause);
        assert_eq!(cause(7, after[0].alert.incident), causes(&after)[0]);
        assert_ne!(cause(8, 1), cause(7, 1));
    }

    #[test]
    fn what_is_old_is_learned_and_not_told() {
        let all = run(&mut begin(0), 0, 4_000);
        let from = all[1].alert.at;
        let told = run(&mut begin(from), 0, 4_000);
        assert_eq!(told, all[1..]);
    }

    #[test]
    fn a_damaged_state_is_noticed() {
        let mut watch = begin(0);
        run(&mut watch, 0, 50);
        let kept = watch.save().unwrap();
        for at in [0, 9, 13, kept.len() / 2, kept.len() - 1] {
            let mut bytes = kept.clone();
            bytes[at] ^= 1;
            assert!(
                Watch::restore(Settings::default(), 1, &bytes).is_err(),
                "{at}"
            );
        }
        for length in [0, 7, 12, 43, kept.len() - 1] {
            let result = Watch::restore(Settings::default(), 1, &kept[..length]);
            assert!(result.is_err(), "{length}");
        }
    }
}
