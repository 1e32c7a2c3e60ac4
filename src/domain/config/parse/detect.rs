//! `[detect]`: how the gateway watches its own ledger.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use toml::de::DeValue;

use super::files::{Files, unreadable};
use super::{Surroundings, is_caller_name};
use crate::domain::config::Faults;
use crate::domain::config::detect::{Action, Detect, Response, Responses};
use crate::domain::config::fault::nearest;
use crate::domain::config::reader::{
    Document, DurationIn, FilePath, Flag, IntegerIn, Kind, Names, OneOf, Problem, Raw, Shape,
    Table, Text, Texts, Timestamp, no_variables,
};
use crate::domain::detect::{
    self, Bounds, LoadTest, Prefix, RULES, Rule, RuleSettings, Sensitivity, Settings,
};
use crate::domain::incident::Severity;

/// Where what was learned is, in the data directory.
const DIRECTORY: &str = "detect";
/// Most callers, networks and load tests that can be named.
const MAX_NAMES: usize = 1_000;
/// Longest history that is learned from: what is older says little about today.
const MAX_HISTORY: Duration = Duration::from_secs(400 * 86_400);
const HISTORY: Duration = Duration::from_secs(30 * 86_400);
/// Longest learning: half a year.
const MAX_LEARNING_DAYS: usize = 180;
/// Longest time for which something is done that nobody has asked for: a day, by which somebody
/// has looked.
const MAX_RESPONSE: Duration = Duration::from_secs(86_400);
const RESPONSE: Duration = Duration::from_secs(900);
/// Most responses in an hour that can be allowed. A company whose callers are locked down faster
/// than that is stopped by its own alarm.
const MAX_PER_HOUR: usize = 20;
const PER_HOUR: usize = 3;
/// Calls a minute of a throttled caller.
const CALLS_PER_MINUTE: usize = 10;
const MAX_CALLS_PER_MINUTE: usize = 100_000;

const SENSITIVITY: OneOf<Sensitivity> = OneOf(&[
    ("low", Sensitivity::Low),
    ("normal", Sensitivity::Normal),
    ("high", Sensitivity::High),
]);

const MAX_SEVERITY: OneOf<detect::Severity> = OneOf(&[
    ("info", detect::Severity::Info),
    ("low", detect::Severity::Low),
    ("medium", detect::Severity::Medium),
    ("high", detect::Severity::High),
    ("critical", detect::Severity::Critical),
]);

const FROM: OneOf<Severity> = OneOf(&[
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Throttle,
    LockCaller,
    LockToken,
}

const ACTIONS: OneOf<Word> = OneOf(&[
    ("throttle", Word::Throttle),
    ("lock-caller", Word::LockCaller),
    ("lock-token", Word::LockToken),
]);

const CALLERS: Names = Names {
    max: MAX_NAMES,
    valid: is_caller_name,
    what: "use the names of callers: 1 to 255 letters, digits and marks without blanks",
};

/// A moment as a date and time, or as milliseconds since 1970, which is what events have.
struct Moment;

impl Kind for Moment {
    type Value = i64;

    fn read(&self, raw: Raw<'_>) -> Result<i64, Problem> {
        if let Raw::File(DeValue::Integer(integer)) = raw {
            return i64::from_str_radix(integer.as_str(), integer.radix())
                .map_err(|_| Problem::new("the number is too large", ""));
        }
        Timestamp.read(raw).map(|at| at.as_millis())
    }

    fn describe(&self) -> String {
        "date and time with offset, or milliseconds since 1970".to_owned()
    }

    fn show(&self, value: &i64) -> String {
        value.to_string()
    }

    fn shape(&self) -> Shape {
        // Milliseconds up to the year 9999.
        Shape::Either(vec![
            Timestamp.shape(),
            Shape::Integer(0, 253_402_300_799_999),
        ])
    }
}

/// Reads `[detect]`.
pub(super) fn read(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Detect {
    read_table(&top.table("detect"), files, data_dir)
}

/// Reads a file that says by itself what `[detect]` says in a configuration: its keys stand at the
/// top. Paths are relative to the file's directory.
///
/// # Errors
/// Every fault.
pub fn parse_detect(
    file: &Path,
    text: &str,
    surroundings: &dyn Surroundings,
) -> Result<Detect, Faults> {
    let name = file.display().to_string();
    let directory = file.parent().unwrap_or(Path::new(""));
    let document = Document::new(&name, text, &no_variables);
    let files = Files::new(directory, surroundings);
    let read = document.read(|top| read_table(&top, &files, directory));
    document.finish(read)
}

fn read_table(table: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Detect {
    let enabled = table.value(
        "enabled",
        &Flag,
        true,
        "Whether the gateway watches its own ledger. In a fleet one node does, for all.",
    );
    let history = table.value(
        "history",
        &DurationIn(Duration::ZERO..=MAX_HISTORY),
        HISTORY,
        "How much of a ledger that is there already is learned from at the very first start. Nobody is \
         called about what is older than an hour then.",
    );
    let directory = files.in_data_dir(
        table,
        "directory",
        data_dir,
        DIRECTORY,
        "Directory of what was learned. With a ledger in Postgres it is kept there.",
    );
    let netmap = table.optional(
        "netmap",
        &FilePath,
        "none: networks are told apart by their prefixes",
        "What is known of networks: a MaxMind database, or a JSON list of objects with `cidr`, \
         `country`, `asn` and `own`.",
    );
    let netmap = netmap.map(|path| {
        let resolved = files.resolve(&path.value);
        if let Err(error) = files.readable(&resolved) {
            table.fault(&path.place, unreadable(&resolved, &error));
        }
        resolved
    });
    let (settings, by_rule) = read_settings(table);
    Detect {
        enabled: enabled.value,
        settings,
        netmap,
        history: history.value,
        directory,
        responses: read_responses(table, by_rule),
    }
}

type ByRule = BTreeMap<&'static str, Response>;

fn read_settings(table: &Table<'_>) -> (Settings, ByRule) {
    let defaults = Settings::default();
    let sensitivity = table.value(
        "sensitivity",
        &SENSITIVITY,
        defaults.sensitivity,
        "How easily rules that count tell something.",
    );
    let learning_days = table.value(
        "learning_days",
        &IntegerIn(0..=MAX_LEARNING_DAYS),
        defaults.learning_days as usize,
        "Days of records until rules that learn call somebody.",
    );
    let known_callers = table.value(
        "known_callers",
        &CALLERS,
        Vec::new(),
        "Callers that may appear at any time.",
    );
    let own_networks = table.value(
        "own_networks",
        &Texts {
            max: MAX_NAMES,
            max_bytes: 50,
        },
        Vec::new(),
        "Networks of the operator, in CIDR notation: never strange.",
    );
    if own_networks
        .value
        .iter()
        .any(|text| Prefix::parse(text).is_none())
    {
        let problem = Problem::new("an entry is no network", "write it like 192.0.2.0/24");
        table.fault(&own_networks.place, problem);
    }
    let (rules, by_rule) = read_rules(table);
    let settings = Settings {
        sensitivity: sensitivity.value,
        learning_days: u32::try_from(learning_days.value).unwrap_or(defaults.learning_days),
        known_callers: known_callers
            .value
            .iter()
            .map(|name| name.to_string())
            .collect(),
        own_networks: own_networks.value,
        load_tests: read_load_tests(table),
        rules,
        bounds: read_bounds(table, defaults.bounds),
    };
    (settings, by_rule)
}

fn read_load_tests(table: &Table<'_>) -> Vec<LoadTest> {
    let tables = table.tables("load_tests");
    if tables.len() > MAX_NAMES {
        let problem = Problem::new("too many load tests", format!("use at most {MAX_NAMES}"));
        table.fault(&table.place_of("load_tests"), problem);
    }
    let mut tests = Vec::new();
    for table in tables.iter().take(MAX_NAMES) {
        let caller = table.required(
            "caller",
            &Text {
                max: 255,
                what: "name of a caller",
            },
            "Whose calls are neither judged nor learned from.",
        );
        let from = table.required("from", &Moment, "When the load test begins.");
        let to = table.required("to", &Moment, "When it is over.");
        if let (Some(caller), Some(from), Some(to)) = (caller, from, to) {
            if from.value >= to.value {
                let problem = Problem::new("the load test ends before it begins", "");
                table.fault(&to.place, problem);
            }
            tests.push(LoadTest {
                caller: caller.value,
                from: from.value,
                to: to.value,
            });
        }
    }
    tests
}

fn read_bounds(table: &Table<'_>, defaults: Bounds) -> Bounds {
    let table = table.table("bounds");
    let bound = |key, most, default, meaning| {
        let found = table.value(key, &IntegerIn(1..=most), default, meaning);
        found.value
    };
    Bounds {
        subjects: bound(
            "subjects",
            1 << 28,
            defaults.subjects,
            "Customers and accounts that are remembered; about 50 bytes each.",
        ),
        tokens: bound(
            "tokens",
            1 << 28,
            defaults.tokens,
            "Tokens that are remembered; about 50 bytes each.",
        ),
        callers: bound(
            "callers",
            60_000,
            defaults.callers,
            "Callers with an own profile, per environment; about 30 KiB each. Others share one.",
        ),
        pending: bound(
            "pending",
            1 << 26,
            defaults.pending,
            "Minted tokens whose use is waited for; 64 bytes each.",
        ),
    }
}

fn read_rules(table: &Table<'_>) -> (BTreeMap<String, RuleSettings>, ByRule) {
    let (mut rules, mut by_rule) = (BTreeMap::new(), ByRule::new());
    let table = table.table("rules");
    for entry in table.entries() {
        let own = entry.table("<rule>");
        let enabled = own.optional("enabled", &Flag, "`true`", "Whether it tells anything.");
        let sensitivity = own.optional(
            "sensitivity",
            &SENSITIVITY,
            "that of all rules",
            "How easily it tells something.",
        );
        let max_severity = own.optional(
            "max_severity",
            &MAX_SEVERITY,
            "none",
            "The most that it says by itself. Somebody is called from `medium` on.",
        );
        let response = read_response(&own);
        let Some(rule) = RULES.iter().find(|rule| rule.name == entry.name) else {
            let hint = match nearest(entry.name, RULES.iter().map(|rule| rule.name)) {
                Some(near) => format!("did you mean {near:?}? `egret detect rules` lists them"),
                None => "`egret detect rules` lists them".to_owned(),
            };
            table.fault(&entry.place, Problem::new("there is no such rule", hint));
            continue;
        };
        let settings = RuleSettings {
            enabled: enabled.map(|found| found.value),
            sensitivity: sensitivity.map(|found| found.value),
            max_severity: max_severity.map(|found| found.value),
        };
        if settings != RuleSettings::default() {
            rules.insert(rule.name.to_owned(), settings);
        }
        if let Some(response) = response {
            check_response(&own, rule);
            by_rule.insert(rule.name, response);
        }
    }
    (rules, by_rule)
}

fn read_response(rule: &Table<'_>) -> Option<Response> {
    let table = rule.table("respond");
    let missing = if table.is_present() {
        "required"
    } else {
        "none"
    };
    let action = table.optional(
        "action",
        &ACTIONS,
        missing,
        "What is done by itself when this rule shows an incident: let few calls of the caller \
         through, or lock the caller or the token down.",
    );
    let lasts = table.value(
        "for",
        &DurationIn(Duration::from_secs(60)..=MAX_RESPONSE),
        RESPONSE,
        "For how long; it lifts itself then.",
    );
    let from = table.value(
        "from",
        &FROM,
        Severity::High,
        "From which severity of the incident on.",
    );
    let calls = table.optional(
        "calls_per_minute",
        &IntegerIn(1..=MAX_CALLS_PER_MINUTE),
        &format!("`{CALLS_PER_MINUTE}`"),
        "How many calls a minute a throttled caller may make on each node.",
    );
    if !table.is_present() {
        return None;
    }
    let Some(action) = action else {
        let problem = Problem::new("missing", format!("write action = {}", ACTIONS.describe()));
        table.fault(&table.place_of("action"), problem);
        return None;
    };
    if let Some(calls) = &calls
        && action.value != Word::Throttle
    {
        let problem = Problem::new("only throttle has calls_per_minute", "remove it");
        table.fault(&calls.place, problem);
    }
    let calls = calls.map_or(CALLS_PER_MINUTE, |calls| calls.value);
    Some(Response {
        action: match action.value {
            Word::Throttle => Action::Throttle {
                calls_per_minute: u32::try_from(calls).unwrap_or(u32::MAX),
            },
            Word::LockCaller => Action::LockCaller,
            Word::LockToken => Action::LockToken,
        },
        lasts: lasts.value,
        from: from.value,
    })
}

/// What the gateway's own changes show is done by people, and a caller that has fallen silent has
/// nothing to lock.
fn check_response(table: &Table<'_>, rule: &Rule) {
    if matches!(rule.name, "configuration" | "silence") {
        let problem = Problem::new(
            "this rule is not about calls that could be stopped",
            "remove the response",
        );
        table.fault(&table.place_of("respond"), problem);
    }
}

fn read_responses(table: &Table<'_>, by_rule: ByRule) -> Responses {
    let table = table.table("responses");
    let dry_run = table.value(
        "dry_run",
        &Flag,
        false,
        "Only say in the log and in the incident what would be done.",
    );
    let max_per_hour = table.value(
        "max_per_hour",
        &IntegerIn(1..=MAX_PER_HOUR),
        PER_HOUR,
        "Most responses within an hour, all rules together: a false alarm must not stop a company.",
    );
    let never = table.value(
        "never",
        &CALLERS,
        Vec::new(),
        "Callers that nothing is done to.",
    );
    Responses {
        dry_run: dry_run.value,
        max_per_hour: max_per_hour.value,
        never: never.value,
        by_rule,
    }
}
