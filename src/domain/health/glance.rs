//! A gateway at a glance: what two looks at its figures say.

use std::time::Duration;

use super::scrape::{Figure, Scrape};

/// What is to be seen between two looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// Version of the gateway.
    pub version: String,
    /// Whether it is ready for calls.
    pub ready: bool,
    /// Whether it was asked to stop.
    pub draining: bool,
    /// Checks of readiness that are red.
    pub red: Vec<String>,
    /// Calls that ended, a second.
    pub calls: f64,
    /// Part of them that did not end well.
    pub failed: Option<f64>,
    /// Times of calls in seconds: half, 95 and 99 of 100 were faster.
    pub times: [Option<f64>; 3],
    /// Calls in flight.
    pub in_flight: f64,
    /// Connections of callers.
    pub connections: f64,
    /// Lockdowns in force.
    pub locks: f64,
    /// Incidents that are open; `None` if nobody looks for any.
    pub incidents: Option<f64>,
    /// Tokens minted, a minute.
    pub mints: f64,
    /// The banks, by name.
    pub banks: Vec<BankGlance>,
    /// The banks' limits, the scarcest first.
    pub budgets: Vec<BudgetGlance>,
    /// Parts of the banks' interfaces, those that are left alone first.
    pub groups: Vec<GroupGlance>,
    /// The record; `None` while it is being opened.
    pub record: Option<RecordGlance>,
}

/// A bank.
#[derive(Clone, Debug, PartialEq)]
pub struct BankGlance {
    /// Its provider.
    pub provider: String,
    /// Calls that ended, a second.
    pub calls: f64,
    /// Part of them that did not end well.
    pub failed: Option<f64>,
    /// Times of its answers in seconds: half and 95 of 100 came faster.
    pub times: [Option<f64>; 2],
}

/// A limit of a bank.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetGlance {
    /// Its name.
    pub name: String,
    /// Calls that the bank allows in a window.
    pub limit: f64,
    /// How many are left.
    pub remaining: f64,
    /// Calls that wait.
    pub waiting: f64,
    /// Calls refused for it here or by the bank, a second.
    pub refused: f64,
}

impl BudgetGlance {
    /// The part that is left, from 0 to 1.
    pub fn left(&self) -> f64 {
        if self.limit > 0.0 {
            (self.remaining / self.limit).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// A part of a bank's interface.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupGlance {
    /// Its name.
    pub name: String,
    /// Whether it is left alone or probed.
    pub open: bool,
    /// Calls in flight to it.
    pub in_flight: f64,
    /// How many there may be.
    pub limit: f64,
    /// Calls that wait for a place.
    pub waiting: f64,
}

/// The record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordGlance {
    /// The journal cannot be written.
    pub journal_failing: bool,
    /// Part of what it may hold for the ledger that it holds.
    pub held: f64,
    /// Seconds that 99 of 100 commits did not exceed.
    pub commit: Option<f64>,
    /// Calls that could not be recorded, a second, refused or not.
    pub lost: f64,
    /// Seconds since the ledger lacks something.
    pub lag: f64,
    /// Rows written, a second.
    pub rows: f64,
    /// The last write to the ledger failed.
    pub ledger_failing: bool,
    /// Events that no signed checkpoint covers; `None` without evidence.
    pub unsealed: Option<f64>,
    /// No checkpoint is signed.
    pub evidence_failing: bool,
}

impl Glance {
    /// From two looks that are `span` apart.
    pub fn between(earlier: &Scrape, later: &Scrape, span: Duration) -> Self {
        let look = Look {
            earlier,
            later,
            seconds: span.as_secs_f64().max(0.001),
        };
        let every = |_: &Figure| true;
        let calls = look.rate("egret_calls_total", every);
        let version = later.all("egret_build_info").first();
        let red = later
            .all("egret_check_ok")
            .iter()
            .filter(|check| check.value == 0.0);
        let mut glance = Self {
            version: version
                .and_then(|figure| figure.label("version"))
                .unwrap_or_default()
                .to_owned(),
            ready: look.is("egret_ready"),
            draining: look.is("egret_draining"),
            red: red
                .filter_map(|check| check.label("check").map(str::to_owned))
                .collect(),
            calls,
            failed: look.failed(calls, every),
            times: [0.5, 0.95, 0.99].map(|part| look.time(SERVER, part, every)),
            in_flight: look.now("egret_calls_in_flight"),
            connections: look.now("egret_connections_open"),
            locks: look.now("egret_locks"),
            incidents: later.sum("egret_incidents_open"),
            mints: 60.0 * look.rate("egret_mints_total", every),
            banks: look.banks(),
            budgets: look.budgets(),
            groups: look.groups(),
            record: look.record(),
        };
        glance
            .budgets
            .sort_by(|one, other| one.left().total_cmp(&other.left()));
        glance.groups.sort_by_key(|group| !group.open);
        glance
    }
}

const SERVER: &str = "http_server_request_duration_seconds";
const CLIENT: &str = "http_client_request_duration_seconds";

struct Look<'a> {
    earlier: &'a Scrape,
    later: &'a Scrape,
    seconds: f64,
}

impl Look<'_> {
    fn now(&self, name: &str) -> f64 {
        self.later.sum(name).unwrap_or_default()
    }

    fn is(&self, name: &str) -> bool {
        self.now(name) >= 1.0
    }

    fn rate(&self, name: &str, fits: impl Fn(&Figure) -> bool) -> f64 {
        self.later.growth(self.earlier, name, fits) / self.seconds
    }

    fn time(&self, name: &str, part: f64, fits: impl Fn(&Figure) -> bool) -> Option<f64> {
        self.later.quantile(self.earlier, name, part, fits)
    }

    fn failed(&self, calls: f64, fits: impl Fn(&Figure) -> bool) -> Option<f64> {
        let failed = self.rate("egret_calls_total", |figure| {
            fits(figure) && figure.label("outcome") != Some("success")
        });
        (calls > 0.0).then_some(failed / calls)
    }

    fn banks(&self) -> Vec<BankGlance> {
        let of = |figure: &Figure| figure.label("provider").map(str::to_owned);
        names(self.later.all("egret_calls_total"), of)
            .map(|provider| {
                let fits = |figure: &Figure| figure.label("provider") == Some(&provider);
                let calls = self.rate("egret_calls_total", fits);
                BankGlance {
                    calls,
                    failed: self.failed(calls, fits),
                    times: [0.5, 0.95].map(|part| self.time(CLIENT, part, fits)),
                    provider: provider.clone(),
                }
            })
            .collect()
    }

    fn budgets(&self) -> Vec<BudgetGlance> {
        let of = |figure: &Figure| figure.label("budget").map(str::to_owned);
        names(self.later.all("egret_budget_limit"), of)
            .map(|name| {
                let fits = |figure: &Figure| figure.label("budget") == Some(&name);
                BudgetGlance {
                    limit: self.labelled("egret_budget_limit", fits),
                    remaining: self.labelled("egret_budget_remaining", fits),
                    waiting: self.labelled("egret_budget_waiting", fits),
                    refused: self.rate("egret_budget_refused_total", fits)
                        + self.rate("egret_budget_throttled_total", fits),
                    name: name.clone(),
                }
            })
            .collect()
    }

    fn groups(&self) -> Vec<GroupGlance> {
        let of = |figure: &Figure| figure.label("group").map(str::to_owned);
        names(self.later.all("egret_breaker_open"), of)
            .map(|name| {
                let fits = |figure: &Figure| figure.label("group") == Some(&name);
                GroupGlance {
                    open: self.labelled("egret_breaker_open", fits) >= 1.0,
                    in_flight: self.labelled("egret_bulkhead_in_flight", fits),
                    limit: self.labelled("egret_bulkhead_limit", fits),
                    waiting: self.labelled("egret_bulkhead_waiting", fits),
                    name: name.clone(),
                }
            })
            .collect()
    }

    fn labelled(&self, name: &str, fits: impl Fn(&Figure) -> bool) -> f64 {
        let all = self.later.all(name).iter();
        all.filter(|figure| fits(figure))
            .fold(0.0, |sum, figure| sum + figure.value)
    }

    fn record(&self) -> Option<RecordGlance> {
        let every = |_: &Figure| true;
        let most = self
            .later
            .sum("egret_journal_max_bytes")
            .filter(|most| *most > 0.0)?;
        let sealed = self.later.sum("egret_evidence_sealed_seq");
        Some(RecordGlance {
            journal_failing: self.is("egret_journal_failing"),
            held: self.now("egret_journal_undrained_bytes") / most,
            commit: self.time("egret_journal_commit_duration_seconds", 0.99, every),
            lost: self.rate("egret_journal_refused_total", every)
                + self.rate("egret_journal_shed_total", every),
            lag: self.now("egret_ledger_lag_seconds"),
            rows: self.rate("egret_ledger_rows_written_total", every),
            ledger_failing: self.is("egret_ledger_failing"),
            unsealed: sealed.map(|sealed| (self.now("egret_journal_next_seq") - sealed).max(0.0)),
            evidence_failing: self.is("egret_evidence_failing"),
        })
    }
}

/// What figures are told apart by, each once, in order.
fn names(
    figures: &[Figure],
    of: impl Fn(&Figure) -> Option<String>,
) -> impl Iterator<Item = String> {
    let names: std::collections::BTreeSet<String> = figures.iter().filter_map(of).collect();
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
egret_build_info{version=\"0.1.0\"} 1
egret_ready 1
egret_calls_total{provider=\"cybrid\",operation=\"a\",outcome=\"success\"} 100
egret_journal_max_bytes 100
";

    const AFTER: &str = "\
egret_build_info{version=\"0.1.0\"} 1
egret_ready 0
egret_check_ok{check=\"ledger\"} 0
egret_check_ok{check=\"clock\"} 1
egret_calls_total{provider=\"cybrid\",operation=\"a\",outcome=\"success\"} 115
egret_calls_total{provider=\"cybrid\",operation=\"a\",outcome=\"unknown\"} 5
egret_calls_total{provider=\"obp\",operation=\"b\",outcome=\"success\"} 0
http_client_request_duration_seconds_bucket{provider=\"cybrid\",le=\"0.1\"} 10
http_client_request_duration_seconds_bucket{provider=\"cybrid\",le=\"+Inf\"} 10
egret_budget_limit{budget=\"cybrid.general\"} 100
egret_budget_remaining{budget=\"cybrid.general\"} 80
egret_budget_limit{budget=\"cybrid.tokens\"} 20
egret_budget_remaining{budget=\"cybrid.tokens\"} 2
egret_breaker_open{group=\"cybrid.sandbox.bank\"} 0
egret_breaker_open{group=\"obp.sandbox.api\"} 1
egret_journal_max_bytes 100
egret_journal_undrained_bytes 25
egret_journal_next_seq 12
egret_evidence_sealed_seq 10
";

    #[test]
    fn two_looks_say_what_happened_between_them() {
        let read = |text| Scrape::read(text).unwrap();
        let glance = Glance::between(&read(BEFORE), &read(AFTER), Duration::from_secs(2));
        assert_eq!(glance.version, "0.1.0");
        assert!(!glance.ready);
        assert_eq!(glance.red, ["ledger"]);
        assert_eq!(glance.calls, 10.0);
        assert_eq!(glance.failed, Some(0.25));
        let names: Vec<_> = glance.banks.iter().map(|bank| &*bank.provider).collect();
        assert_eq!(names, ["cybrid", "obp"]);
        assert_eq!(glance.banks[0].times[0], Some(0.05));
        assert_eq!(glance.banks[1].failed, None, "no call, no part of them");
        assert_eq!(
            glance.budgets[0].name, "cybrid.tokens",
            "the scarcest first"
        );
        assert_eq!(
            glance.groups[0].name, "obp.sandbox.api",
            "what is left alone first"
        );
        let record = glance.record.unwrap();
        assert_eq!((record.held, record.unsealed), (0.25, Some(2.0)));
        assert_eq!(glance.incidents, None);
    }
}
