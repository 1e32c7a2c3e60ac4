//! The banks' rate limits: `[limits]` as far as it is about them, and the budgets of a provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{KnownProvider, is_caller_name};
use crate::domain::config::budgets::{BudgetKey, BudgetRule, Budgets, Patience, SharedStore};
use crate::domain::config::fault::nearest;
use crate::domain::config::reader::{
    DurationIn, Flag, IntegerIn, Kind, Names, OneOf, Problem, Raw, Shape, Table, Text, quoted,
};
use crate::domain::quota::Shares;
use crate::types::Priority;

/// Longest that a call may wait: its caller holds a connection and memory for as long.
const MAX_PATIENCE: Duration = Duration::from_secs(600);
/// Longest window: a month, as OBP has them.
const MAX_WINDOW: Duration = Duration::from_secs(31 * 24 * 3600);
/// Longest that an answer is kept: prices are valid for seconds.
const MAX_KEEP: Duration = Duration::from_secs(10);
/// Most budgets of one provider.
const MAX_RULES: usize = 64;
/// Most callers with a priority of their own.
const MAX_PRIORITIES: usize = 10_000;

const PRIORITIES: OneOf<Priority> = OneOf(&[
    ("money", Priority::Money),
    ("write", Priority::Write),
    ("read", Priority::Read),
    ("batch", Priority::Batch),
]);

const OPERATIONS: Names = Names {
    max: 1_000,
    valid: is_operation,
    what: "write operation ids such as \"bank.create_trade\"",
};

fn is_operation(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The address of a Redis or Valkey.
struct Store;

impl Kind for Store {
    type Value = SharedStore;

    fn read(&self, raw: Raw<'_>) -> Result<SharedStore, Problem> {
        const HINT: &str = "write it as redis://user:password@host:6379/0";
        let text = raw.text().ok_or_else(|| Problem::new("wrong type", HINT))?;
        SharedStore::parse(text).map_err(|what| Problem::new(what, HINT))
    }

    fn describe(&self) -> String {
        "address, `redis://host:6379`".to_owned()
    }

    fn show(&self, value: &SharedStore) -> String {
        quoted(&value.to_string())
    }

    fn shape(&self) -> Shape {
        Shape::Pattern(vec!["^rediss?://"])
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// Reads what `[limits]` says of the banks' limits.
pub(super) fn read(table: &Table<'_>) -> Budgets {
    let shared = table.optional(
        "shared",
        &Store,
        "none",
        "Redis or Valkey where replicas share the banks' rate limits. Without it each process counts \
         for itself.",
    );
    let replicas = table.value(
        "replicas",
        &IntegerIn(1..=1_000),
        2,
        "How many replicas share the limits: while the store is away each uses its part. More are \
         believed if more were seen.",
    );
    let egress = table.value(
        "egress",
        &Text {
            max: 64,
            what: "text",
        },
        "default".to_owned(),
        "Name of the address that calls leave from. Replicas behind the same address have the same \
         name here; those behind another have budgets of their own.",
    );
    let shadow = table.value(
        "shadow",
        &Flag,
        false,
        "Whether the banks' limits are only counted: no call waits or is refused for them, and \
         metrics tell what would have happened.",
    );
    let waiting = table.value(
        "waiting",
        &IntegerIn(0..=100_000),
        1_000,
        "Most calls that wait for one budget.",
    );
    let waiting_per_caller = table.value(
        "waiting_per_caller",
        &IntegerIn(0..=100_000),
        200,
        "Most calls of one caller that wait for one budget.",
    );
    let coalesce = table.value(
        "coalesce",
        &Flag,
        false,
        "Whether identical reads by the same credential at the same time are one call to the bank, for operations with the flag `coalesce` such as prices. Each caller has its own record.",
    );
    let coalesce_keep = table.value(
        "coalesce_keep",
        &DurationIn(Duration::ZERO..=MAX_KEEP),
        Duration::ZERO,
        "For how long such an answer is given to those who ask after it has come.",
    );
    Budgets {
        coalesce: coalesce.value,
        coalesce_keep: coalesce_keep.value,
        shadow: shadow.value,
        waiting: waiting.value,
        waiting_per_caller: waiting_per_caller.value,
        shares: read_shares(&table.table("shares")),
        patience: read_patience(&table.table("patience")),
        priorities: read_priorities(&table.table("priority")),
        shared: shared.map(|found| found.value),
        replicas: u32::try_from(replicas.value).unwrap_or(u32::MAX),
        egress: egress.value.into(),
    }
}

fn read_shares(table: &Table<'_>) -> Shares {
    let usual = Shares::default();
    let share = |name, priority, meaning| {
        let usual = usize::try_from(usual.of(priority)).unwrap_or(0);
        let found = table.value(name, &IntegerIn(0..=100), usual, meaning);
        u8::try_from(found.value).unwrap_or(0)
    };
    let percent = [
        share(
            "money",
            Priority::Money,
            "Percent of a contended budget that calls that move money, and mints, are sure to get; \
             the four add up to 100. What one does not use goes to whoever waits.",
        ),
        share("write", Priority::Write, "Percent for other writes."),
        share("read", Priority::Read, "Percent for reads."),
        share(
            "batch",
            Priority::Batch,
            "Percent for calls whose callers say that they can wait.",
        ),
    ];
    Shares::new(percent).unwrap_or_else(|| {
        let problem = Problem::new("the shares do not add up to 100", "write all four");
        table.fault(table.place(), problem);
        usual
    })
}

fn read_patience(table: &Table<'_>) -> Patience {
    let patience = |name, seconds, meaning| {
        let kind = DurationIn(Duration::ZERO..=MAX_PATIENCE);
        let usual = Duration::from_secs(seconds);
        table.value(name, &kind, usual, meaning).value
    };
    Patience {
        usual: [
            patience(
                "money",
                20,
                "How long a call that moves money, or mints, waits for a place before it is answered \
                 429. The time for the bank's answer begins after that.",
            ),
            patience("write", 20, "How long another write waits."),
            patience("read", 10, "How long a read waits."),
            patience("batch", 60, "How long a call of batch priority waits."),
        ],
        most: patience(
            "most",
            120,
            "The longest that a caller may ask for with `Egret-Patience`.",
        ),
    }
}

fn read_priorities(table: &Table<'_>) -> BTreeMap<Arc<str>, Priority> {
    let entries = table.entries();
    if entries.len() > MAX_PRIORITIES {
        let hint = format!("use at most {MAX_PRIORITIES}");
        table.fault(table.place(), Problem::new("too many callers", hint));
    }
    let mut priorities = BTreeMap::new();
    for entry in entries.iter().take(MAX_PRIORITIES) {
        if !is_caller_name(entry.name) {
            let problem = Problem::new("not the name of a caller", super::CALLER_FORM);
            table.fault(&entry.place, problem);
        }
        let priority = entry.value(
            "<caller>",
            &PRIORITIES,
            "The most urgent priority that this caller may ask for with `Egret-Priority`. Others may \
             ask for a less urgent one than their call has by itself, and for no other.",
        );
        if let Some(priority) = priority {
            priorities.insert(entry.name.into(), priority.value);
        }
    }
    priorities
}

/// Reads `[providers.<id>.budgets]`.
pub(super) fn read_rules(
    provider: &Table<'_>,
    known: Option<&KnownProvider>,
) -> BTreeMap<Arc<str>, BudgetRule> {
    let table = provider.table("budgets");
    let entries = table.entries();
    if entries.len() > MAX_RULES {
        let hint = format!("use at most {MAX_RULES}");
        table.fault(table.place(), Problem::new("too many budgets", hint));
    }
    let entries = entries.iter().take(MAX_RULES);
    entries
        .map(|entry| {
            if !is_name(entry.name) {
                let hint = "use 1 to 32 small letters, digits, hyphens and underscores";
                table.fault(&entry.place, Problem::new("not the name of a budget", hint));
            }
            let rule = read_rule(&entry.table("<budget>"), entry.name, known);
            (entry.name.into(), rule)
        })
        .collect()
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

fn read_rule(table: &Table<'_>, name: &str, known: Option<&KnownProvider>) -> BudgetRule {
    const AS_FILE: &str = "as the provider file says";
    let limit = table.optional(
        "limit",
        &IntegerIn(1..=1_000_000),
        AS_FILE,
        "Calls that the bank allows in a window.",
    );
    let window = table.optional(
        "window",
        &DurationIn(Duration::from_millis(100)..=MAX_WINDOW),
        AS_FILE,
        "The window.",
    );
    let per = table.optional(
        "per",
        &OneOf(BudgetKey::ALL),
        AS_FILE,
        "What the bank counts by: `source_ip` for all that leaves here, `consumer` or `account` as \
         the token names it, `token`, or `caller` where each caller has a contract of its own.",
    );
    let operations = table.optional(
        "operations",
        &OPERATIONS,
        AS_FILE,
        "Operations that spend it; empty for all that no other budget lists.",
    );
    let status = table.optional(
        "status",
        &IntegerIn(400..=599),
        AS_FILE,
        "Status with which the bank refuses when it is spent. A 403 without a listed error code is \
         taken for that, one with a listed code is not.",
    );
    let shadow = table.optional(
        "shadow",
        &Flag,
        "`limits.shadow`",
        "Whether this budget is only counted.",
    );
    let off = table.value("off", &Flag, false, "Whether there is no such budget.");
    let documented = known.and_then(|known| {
        let mut limits = known.rate_limits.iter();
        limits.find(|limit| &*limit.id == name)
    });
    let has_limit = limit.is_some() || documented.is_some_and(|of| of.limit.is_some());
    let has_window = window.is_some() || documented.is_some_and(|of| of.window.is_some());
    if known.is_some() && !off.value && !(has_limit && has_window) {
        let names = known.iter().flat_map(|known| &known.rate_limits);
        let hint = match nearest(name, names.map(|limit| &*limit.id)) {
            Some(near) if documented.is_none() => {
                format!("write limit and window, or did you mean {near:?}?")
            }
            _ => "write limit and window, as in limit = 60, window = \"1m\"".to_owned(),
        };
        let problem = Problem::new("the provider file gives no numbers for this budget", hint);
        table.fault(table.place(), problem);
    }
    check_operations(table, operations.as_ref(), known);
    BudgetRule {
        limit: limit.and_then(|found| u32::try_from(found.value).ok()),
        window: window.map(|found| found.value),
        per: per.map(|found| found.value),
        operations: operations.map(|found| found.value),
        status: status.and_then(|found| u16::try_from(found.value).ok()),
        shadow: shadow.map(|found| found.value),
        off: off.value,
    }
}

fn check_operations(
    table: &Table<'_>,
    operations: Option<&crate::domain::config::reader::Found<Vec<Arc<str>>>>,
    known: Option<&KnownProvider>,
) {
    let (Some(operations), Some(known)) = (operations, known) else {
        return;
    };
    let ids = || known.operations.iter().map(|id| &**id);
    for operation in &operations.value {
        if ids().any(|id| id == &**operation) {
            continue;
        }
        let hint = match nearest(operation, ids()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("`egret catalog list {}` lists them", known.id),
        };
        let problem = Problem::new("an entry is no operation of the provider", hint);
        table.fault(&operations.place, problem);
    }
}
