//! How the gateway is, and how it was in the last hour.

use std::collections::BTreeMap;
use std::time::Duration;

use super::AdminDesk;
use crate::domain::health::{
    BudgetVitals, CHECKS, GroupVitals, Span, Stage, Traffic, Verdict, Vitals,
};
use crate::edge::admin::model;
use crate::types::Micros;

/// Length of a step of the history, in seconds.
const STEP_S: u64 = super::SAMPLE.as_secs();

pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

const fn stage(vitals: &Vitals) -> &'static str {
    match vitals.stage {
        Stage::Starting => "starting",
        Stage::Serving => "serving",
        Stage::Draining => "draining",
    }
}

pub(super) fn breaker(group: &GroupVitals) -> model::Breaker {
    model::Breaker {
        name: group.name.to_string(),
        state: group.breaker.as_str(),
        in_flight: group.in_flight,
        limit: group.limit,
        waiting: group.waiting,
        opened: group.opened,
        stopped: group.stopped,
        shed: group.shed,
        repeated: group.repeated,
        not_repeated: group.not_repeated,
    }
}

fn budget(budget: &BudgetVitals) -> model::Budget {
    model::Budget {
        name: budget.name.to_string(),
        limit: budget.limit.into(),
        remaining: budget.remaining.into(),
        waiting: budget.waiting,
        admitted: budget.admitted,
        waited: budget.waited,
        waited_us: budget.waited_us,
        refused: budget.refused,
        over: budget.over,
        throttled: budget.throttled,
    }
}

fn provider(id: &str, traffic: &Traffic) -> model::ProviderNow {
    model::ProviderNow {
        provider: id.to_owned(),
        calls: traffic.calls,
        failed: traffic.failed,
        p50_us: traffic.p50.map(micros),
        p95_us: traffic.p95.map(micros),
        p99_us: traffic.p99.map(micros),
        mints: traffic.mints,
        denied: traffic.denied,
    }
}

impl AdminDesk {
    pub(super) fn version(&self) -> model::Version {
        model::Version {
            version: crate::app::VERSION,
            node: self.config().node.to_string(),
            config_hash: self.config().config_hash.to_string(),
            started_at: self.health.vitals().started_at.to_string(),
        }
    }

    fn checks(&self, vitals: &Vitals) -> BTreeMap<&'static str, model::Check> {
        let bounds = self.health.bounds();
        let told = CHECKS.iter().map(|check| {
            let told = match check.judge(vitals, &bounds) {
                Verdict::Good => model::Check {
                    ok: true,
                    why: None,
                    advice: None,
                },
                Verdict::Bad(why) => model::Check {
                    ok: false,
                    why: Some(why),
                    advice: Some(check.advice.to_owned()),
                },
            };
            (check.name, told)
        });
        told.collect()
    }

    pub(super) fn health_now(&self) -> model::Health {
        let vitals = self.health.vitals();
        let checks = self.checks(&vitals);
        model::Health {
            ok: checks.values().all(|check| check.ok),
            stage: stage(&vitals),
            checks,
        }
    }

    pub(super) fn budgets(&self) -> model::Budgets {
        let vitals = self.health.vitals();
        model::Budgets {
            budgets: vitals.budgets.iter().map(budget).collect(),
            shared: vitals.budgets_shared,
        }
    }

    pub(super) fn breakers(&self) -> model::Breakers {
        let groups = self.health.vitals().groups;
        model::Breakers {
            breakers: groups.iter().map(breaker).collect(),
        }
    }

    /// One look at everything.
    pub(super) async fn now(&self, history: bool, since: Option<Micros>) -> model::Now {
        let vitals = self.health.vitals();
        let checks = self.checks(&vitals);
        let minute = self.history.lock().last_minute(&vitals);
        let configured = self.configured();
        let nothing = Traffic::default();
        let served = configured.served.ids();
        let providers = served
            .map(|id| provider(id, minute.get(id).unwrap_or(&nothing)))
            .collect();
        model::Now {
            at: vitals.now.to_string(),
            node: self.config().node.to_string(),
            ok: checks.values().all(|check| check.ok),
            stage: stage(&vitals),
            checks,
            calls_in_flight: vitals.calls_in_flight,
            connections: vitals.connections,
            locks: vitals.locks,
            incidents: self.open_incidents().await,
            journal: vitals.journal.as_ref().map(|journal| model::JournalNow {
                ok: journal.failing_since.is_none() && !journal.stalled && !journal.ended,
                next_seq: journal.next_seq,
                durable_seq: journal.durable_seq,
                undrained_bytes: journal.undrained_bytes,
                max_bytes: journal.max_bytes,
                refused: journal.refused,
                shed: journal.shed,
            }),
            ledger: vitals.ledger.as_ref().map(|ledger| model::LedgerNow {
                ok: !ledger.failing,
                lag_us: micros(vitals.ledger_lag()),
                lag_events: vitals.ledger_lag_events(),
                written: ledger.written,
                failures: ledger.failures,
            }),
            evidence: vitals.evidence.as_ref().map(|evidence| model::EvidenceNow {
                ok: !evidence.failing,
                sealed_seq: evidence.sealed_seq,
                checkpoints: evidence.checkpoints,
            }),
            providers,
            breakers: vitals.groups.iter().map(breaker).collect(),
            budgets: vitals.budgets.iter().map(budget).collect(),
            history: history.then(|| self.history_since(since)),
        }
    }

    fn history_since(&self, since: Option<Micros>) -> model::History {
        let history = self.history.lock();
        let spans: Vec<&Span> = history.since(since).collect();
        let mut shown = model::History {
            step_s: STEP_S,
            ..model::History::default()
        };
        for span in &spans {
            shown.at.push(span.at.to_string());
            shown.calls.push(span.all.calls);
            shown.failed.push(span.all.failed);
            shown.denied.push(span.all.denied);
            shown.p50_us.push(span.all.p50.map(micros));
            shown.p95_us.push(span.all.p95.map(micros));
            shown.p99_us.push(span.all.p99.map(micros));
            shown.in_flight.push(span.in_flight);
            shown.ledger_lag_us.push(micros(span.ledger_lag));
        }
        let nothing = Traffic::default();
        let configured = self.configured();
        for id in configured.served.ids() {
            let mut of = model::ProviderHistory::default();
            for span in &spans {
                let traffic = span.providers.get(id).unwrap_or(&nothing);
                of.calls.push(traffic.calls);
                of.failed.push(traffic.failed);
                of.p50_us.push(traffic.p50.map(micros));
                of.p95_us.push(traffic.p95.map(micros));
                of.p99_us.push(traffic.p99.map(micros));
            }
            shown.providers.insert(id.to_owned(), of);
        }
        let names = spans.last().map(|span| &*span.budgets).unwrap_or_default();
        for (name, _) in names {
            let remaining = spans.iter().map(|span| {
                let found = span.budgets.iter().find(|(known, _)| known == name);
                found.map(|(_, remaining)| u64::from(*remaining))
            });
            let remaining = remaining.collect();
            let of = model::BudgetHistory { remaining };
            shown.budgets.insert(name.to_string(), of);
        }
        shown
    }
}
