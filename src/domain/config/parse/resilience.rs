//! `[retries]`, `[breaker]` and `[bulkheads]`, and the same for one provider.

use std::time::Duration;

use crate::domain::config::reader::{
    DurationIn, Flag, IntegerIn, Kind, Problem, SizeIn, Table, Text, Texts,
};
use crate::domain::resilience::{
    Backoff, BreakerSettings, BulkheadSettings, MAX_REPLAY_BYTES, Resilience, RetryAllowance,
    RetrySettings, Symptoms,
};

/// Most attempts of a call: with a pause before each, later ones find no caller any more.
const MAX_ATTEMPTS: usize = 8;
/// Longest pause between attempts, and of a breaker.
const MAX_PAUSE: Duration = Duration::from_secs(3600);
/// Longest name of a header.
const MAX_HEADER: usize = 64;
/// Most beginnings of error codes, and the longest.
const MAX_CODES: usize = 100;
const MAX_CODE: usize = 64;
/// Most calls in flight in a group: more than the ports of one address.
const MAX_IN_FLIGHT: usize = 100_000;

/// Where the keys stand: what holds if one is not written is said accordingly.
enum Scope {
    Everywhere,
    Provider,
}

/// A section in one of the two places.
struct Section<'t> {
    table: Table<'t>,
    scope: Scope,
    name: &'static str,
}

impl<'t> Section<'t> {
    fn new(parent: &Table<'t>, name: &'static str, scope: Scope) -> Self {
        Self {
            table: parent.table(name),
            scope,
            name,
        }
    }

    fn value<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
        default: K::Value,
        meaning: &str,
    ) -> K::Value {
        match self.scope {
            Scope::Everywhere => self.table.value(key, kind, default, meaning).value,
            Scope::Provider => self
                .table
                .optional(key, kind, &self.inherited(), meaning)
                .map_or(default, |found| found.value),
        }
    }

    fn count(
        &self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<usize>,
        default: u32,
        meaning: &str,
    ) -> u32 {
        let value = self.value(key, &IntegerIn(bounds), default as usize, meaning);
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    fn inherited(&self) -> String {
        format!("as in `[{}]`", self.name)
    }
}

/// Reads what holds for every provider.
pub(super) fn read(top: &Table<'_>) -> Resilience {
    read_from(top, || Scope::Everywhere, &Resilience::default())
}

/// Reads what is different for one provider.
pub(super) fn read_for_provider(table: &Table<'_>, defaults: &Resilience) -> Resilience {
    read_from(table, || Scope::Provider, defaults)
}

fn read_from(parent: &Table<'_>, scope: impl Fn() -> Scope, defaults: &Resilience) -> Resilience {
    let (breaker, symptoms) = read_breaker(&Section::new(parent, "breaker", scope()), defaults);
    Resilience {
        retries: read_retries(&Section::new(parent, "retries", scope()), &defaults.retries),
        breaker,
        symptoms,
        bulkheads: read_bulkheads(
            &Section::new(parent, "bulkheads", scope()),
            &defaults.bulkheads,
        ),
    }
}

fn read_retries(section: &Section<'_>, defaults: &RetrySettings) -> RetrySettings {
    let attempts = section.count(
        "attempts",
        1..=MAX_ATTEMPTS,
        defaults.attempts,
        "Attempts of one call, the first included; 1 repeats nothing. Repeated are reads, and other \
         calls if the bank cannot have acted on them. A mint or a movement of money that may have \
         reached the bank is not.",
    );
    let pauses = DurationIn(Duration::from_millis(1)..=MAX_PAUSE);
    let base = section.value(
        "base",
        &pauses,
        defaults.backoff.base,
        "Bound of the first pause; it doubles with each repetition. The pause is a random part of its \
         bound, and `Retry-After` of the bank is kept if it asks for more.",
    );
    let cap = section.value(
        "cap",
        &pauses,
        defaults.backoff.cap,
        "Bound of every pause; not below `base`. A repetition that would begin after the call's time \
         is over is not made: the caller gets the answer that there is.",
    );
    if cap < base {
        let hint = "raise cap or lower base";
        let problem = Problem::new("shorter than the first pause", hint);
        section.table.fault(&section.table.place_of("cap"), problem);
    }
    let percent = section.count(
        "budget",
        0..=100,
        defaults.allowance.percent,
        "Repetitions in percent of the provider's calls, so that they do not multiply an outage.",
    );
    let floor = section.count(
        "floor",
        0..=1_000,
        defaults.allowance.floor,
        "Repetitions a second that are there in any case.",
    );
    let body_bytes = section.value(
        "body_bytes",
        &SizeIn(0..=MAX_REPLAY_BYTES),
        usize::try_from(defaults.body_bytes).unwrap_or(usize::MAX),
        "A request whose body has passed this size when its attempt fails is not repeated.",
    );
    let guarded = section.value(
        "guarded",
        &Flag,
        defaults.guarded,
        "Whether a call may be repeated after it may have reached the bank, where the provider \
         documents what keeps a repetition from acting twice (`replay_guard` of the provider file). \
         If the first did reach the bank, the caller gets the bank's conflict, and the record says \
         `unknown`.",
    );
    let header = section.table.optional(
        "idempotency_header",
        &Text {
            max: MAX_HEADER,
            what: "name of a header",
        },
        &match section.scope {
            Scope::Everywhere => "none".to_owned(),
            Scope::Provider => section.inherited(),
        },
        "Requests that carry this header may be repeated after they may have reached the bank, mints \
         excepted. Only where the bank's servers honour it: OBP's do from late 2026 on \
         (`Idempotency-Key`), older ones ignore it and act twice.",
    );
    let idempotency_header = match header {
        Some(found) => {
            let is_name = !found.value.is_empty()
                && found.value.bytes().all(crate::domain::http::is_token_byte);
            if !is_name {
                let problem = Problem::new("not the name of a header", "write Idempotency-Key");
                section.table.fault(&found.place, problem);
            }
            Some(found.value.to_ascii_lowercase().into())
        }
        None => defaults.idempotency_header.clone(),
    };
    RetrySettings {
        attempts,
        backoff: Backoff { base, cap },
        allowance: RetryAllowance { percent, floor },
        body_bytes: body_bytes as u64,
        guarded,
        idempotency_header,
    }
}

fn read_breaker(
    section: &Section<'_>,
    defaults: &Resilience,
) -> (Option<BreakerSettings>, Symptoms) {
    let is_on = section.value(
        "enabled",
        &Flag,
        defaults.breaker.is_some(),
        "Whether an endpoint group that fails is left alone for a while: calls to it are answered 503 \
         with `Retry-After` and not sent.",
    );
    let was = defaults.breaker.unwrap_or_default();
    let consecutive = section.count(
        "consecutive",
        1..=10_000,
        was.consecutive,
        "Hard failures in a row that open it: no connection, no answer, 500 and above, a code of \
         `error_codes`.",
    );
    let window = section.value(
        "window",
        &DurationIn(Duration::from_secs(1)..=MAX_PAUSE),
        was.window,
        "Time over which percentages are counted.",
    );
    let min_calls = section.count(
        "min_calls",
        1..=1_000_000,
        was.min_calls,
        "Calls in the window below which percentages say nothing.",
    );
    let failure_percent = section.count(
        "failure_percent",
        1..=100,
        was.failure_percent,
        "Percent of hard failures that open it.",
    );
    let slow_percent = section.count(
        "slow_percent",
        1..=100,
        was.slow_percent,
        "Percent of slow answers that open it.",
    );
    let slow_call = section.value(
        "slow_call",
        &DurationIn(Duration::from_millis(1)..=MAX_PAUSE),
        defaults.symptoms.slow_call,
        "An answer whose header takes longer is slow.",
    );
    let error_codes = section.value(
        "error_codes",
        &Texts {
            max: MAX_CODES,
            max_bytes: MAX_CODE,
        },
        defaults
            .symptoms
            .error_codes
            .iter()
            .map(|code| code.to_string())
            .collect(),
        "Error codes of the bank that begin so are hard failures, whatever the status.",
    );
    let pauses = DurationIn(Duration::from_millis(1)..=MAX_PAUSE);
    let pause = section.value(
        "pause",
        &pauses,
        was.pause,
        "First pause after it has opened; it doubles each time that the probes after it fail.",
    );
    let max_pause = section.value(
        "max_pause",
        &pauses,
        was.max_pause,
        "Longest pause; not below `pause`.",
    );
    if max_pause < pause {
        let problem = Problem::new(
            "shorter than the first pause",
            "raise max_pause or lower pause",
        );
        let place = section.table.place_of("max_pause");
        section.table.fault(&place, problem);
    }
    let probes = section.count(
        "probes",
        1..=1_000,
        was.probes,
        "Calls that are let through after a pause; it closes when all of them went well.",
    );
    let settings = BreakerSettings {
        consecutive,
        window,
        min_calls,
        failure_percent,
        slow_percent,
        pause,
        max_pause,
        probes,
    };
    let symptoms = Symptoms {
        slow_call,
        error_codes: error_codes.into_iter().map(Into::into).collect(),
    };
    (is_on.then_some(settings), symptoms)
}

fn read_bulkheads(section: &Section<'_>, defaults: &BulkheadSettings) -> BulkheadSettings {
    let bounds = || IntegerIn(1..=MAX_IN_FLIGHT);
    let in_flight = section.value(
        "in_flight",
        &bounds(),
        defaults.in_flight,
        "Calls in flight to one endpoint group.",
    );
    let in_flight_per_caller = section.value(
        "in_flight_per_caller",
        &bounds(),
        defaults.in_flight_per_caller,
        "Those of one caller.",
    );
    let queue = section.value(
        "queue",
        &IntegerIn(0..=MAX_IN_FLIGHT),
        defaults.queue,
        "Calls that may wait for a place; free places go round the callers.",
    );
    let max_wait = section.value(
        "max_wait",
        &DurationIn(Duration::ZERO..=MAX_PAUSE),
        defaults.max_wait,
        "Longest wait for a place. A call that would wait longer, or beyond its own time, is refused \
         at once.",
    );
    let is_adaptive = section.value(
        "adaptive",
        &Flag,
        defaults.adaptive.is_some(),
        "Whether the bound adapts: it grows while calls go well, and shrinks by a tenth when answers \
         fail or take twice the quickest of late. `in_flight` is its upper end.",
    );
    let least = section.value(
        "min_in_flight",
        &bounds(),
        defaults.adaptive.unwrap_or(LEAST_IN_FLIGHT),
        "The lower end of an adaptive bound.",
    );
    BulkheadSettings {
        in_flight,
        in_flight_per_caller,
        queue,
        max_wait,
        adaptive: is_adaptive.then_some(least),
    }
}

/// What an adaptive bound shrinks to: a few calls must go on, or nothing is learned any more.
const LEAST_IN_FLIGHT: usize = 4;
