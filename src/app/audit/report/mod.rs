//! Reports on a period, for those who must show it to others: made of the ledger, and written as
//! CSV, as JSON or as a page.
//!
//! The counts are made day by day and the tokens read some thousand at a time, so memory stays
//! bounded whatever the period. All of it is read from one state of the ledger.

pub mod csv;
pub mod html;
pub mod json;

use serde_json::Value as Json;

use crate::adapters::ledger::{CallRow, Filter, LedgerError, LedgerPlace, Order, Page, Reader};
use crate::domain::own::OWN_PROVIDER;
use crate::domain::report::{Asked, Builder, DAY, Document, ReportKind, Shown, Source};
use crate::types::{Effect, Micros, Outcome, PiiClass};

/// Tokens whose uses are read at a time.
const TOKENS: i64 = 20_000;

/// Calls that a report shows one by one.
const CALLS: u32 = 200;

/// Changes of access that a report shows one by one: they are few, and each matters.
const CHANGES: u32 = 1_000;

/// Classes whose calls are shown one by one.
const SHOWN_CLASSES: [PiiClass; 3] = [
    PiiClass::GovernmentId,
    PiiClass::Document,
    PiiClass::SecurityQuestion,
];

/// The report says itself what its calls do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the report {0} is about one effect already: leave out --effect")]
pub struct HasEffect(pub ReportKind);

/// The calls that a report is about, among those that were asked for.
///
/// # Errors
/// The report says itself what its calls do.
pub fn scope(kind: ReportKind, mut filter: Filter) -> Result<Filter, HasEffect> {
    let mut effect = |effect| match filter.effect.replace(effect) {
        None => Ok(()),
        Some(_) => Err(HasEffect(kind)),
    };
    match kind {
        ReportKind::PiiAccess => filter.has_pii = true,
        // Egret's own commands carry no credential of a bank.
        ReportKind::TokenUse => filter.banks_only |= filter.provider.is_none(),
        ReportKind::FailedAuth => filter.auth_failed = true,
        ReportKind::AccessChanges => effect(Effect::AccessChange)?,
        ReportKind::Money => effect(Effect::Money)?,
    }
    Ok(filter)
}

/// The calls that are shown one by one, and how many at most.
fn shown(kind: ReportKind, filter: &Filter) -> Option<(Filter, u32)> {
    let filter = filter.clone();
    match kind {
        ReportKind::PiiAccess => {
            let is_asked = |class: &PiiClass| filter.pii.is_empty() || filter.pii.contains(class);
            let pii: Vec<_> = SHOWN_CLASSES.into_iter().filter(is_asked).collect();
            (!pii.is_empty()).then_some((Filter { pii, ..filter }, CALLS))
        }
        ReportKind::TokenUse => None,
        ReportKind::FailedAuth => Some((filter, CALLS)),
        ReportKind::AccessChanges => Some((filter, CHANGES)),
        ReportKind::Money => match filter.outcome {
            Some(outcome) if outcome != Outcome::Unknown => None,
            _ => {
                let outcome = Some(Outcome::Unknown);
                Some((Filter { outcome, ..filter }, CALLS))
            }
        },
    }
}

/// Reads what a report is made of, day by day. `tell` hears what is done, and how much of how much.
///
/// # Errors
/// The ledger cannot be read.
pub async fn make(
    reader: &mut Reader,
    ledger: &LedgerPlace,
    kind: ReportKind,
    filter: &Filter,
    asked: Asked,
    mut tell: impl FnMut(&str, i64, i64),
) -> Result<Document, LedgerError> {
    reader.hold_still().await?;
    let (from, to) = (asked.from, asked.to);
    let period = Filter {
        from: Some(from),
        to: Some(to),
        ..Filter::default()
    };
    let own = Filter {
        provider: Some(OWN_PROVIDER.to_owned()),
        ..period.clone()
    };
    // Both are counted in an index; to leave the few out would be to look at each row.
    let of_all = reader.count(&period).await?;
    let of_commands = reader.count(&own).await?;
    let source = Source {
        ledger: ledger.to_string(),
        schema: reader.schema(),
        version: crate::app::VERSION.to_owned(),
        calls: of_all.saturating_sub(of_commands),
        journals: reader.journals().await?,
    };
    let mut builder = Builder::new(kind, asked, source);
    for (number, activity) in reader.activities(filter).await? {
        builder.activity(number, activity);
    }
    let mut at = from;
    while at < to {
        match reader.first_from(at).await? {
            None => break,
            Some(first) => at = first,
        }
        let midnight = Micros(at.0.div_euclid(DAY).saturating_add(1).saturating_mul(DAY));
        let end = midnight.min(to);
        if at >= end {
            break;
        }
        let day = Filter {
            from: Some(at),
            to: Some(end),
            ..filter.clone()
        };
        for counted in reader.tally(&day).await? {
            builder.count(at, &counted);
        }
        at = end;
        tell("counting calls", at.0 - from.0, to.0 - from.0);
    }
    if kind == ReportKind::TokenUse {
        let last = reader.last_token().await?;
        let mut first = 1;
        while first <= last {
            let uses = reader.token_uses(filter, first, first.saturating_add(TOKENS - 1));
            for used in uses.await? {
                builder.token(&used);
            }
            first = first.saturating_add(TOKENS);
            tell("looking at tokens", first.min(last), last);
        }
    }
    if let Some((filter, limit)) = shown(kind, filter) {
        let page = Page {
            order: Order::NewestFirst,
            limit,
            after: None,
        };
        let found = reader.query(&filter, page).await?;
        let all = match found.next {
            None => found.rows.len() as u64,
            Some(_) => reader.count(&filter).await?,
        };
        let rows: Vec<_> = found.rows.iter().map(show).collect();
        builder.calls(&rows, all);
    }
    let gaps = reader.gaps(from, to).await?;
    builder.gaps(gaps.first, gaps.all, gaps.lost);
    Ok(builder.finish())
}

/// What a report shows of a call.
fn show(row: &CallRow) -> Shown {
    let operation = match row.text("provider") {
        "" => row.text("operation").to_owned(),
        provider => format!("{provider}/{}", row.text("operation")),
    };
    let why = match (row.text("reason"), row.text("error_code")) {
        ("", code) => code,
        (reason, _) => reason,
    };
    Shown {
        received: Micros(row.integer("received_at").unwrap_or_default()),
        call_id: row.text("call_id").to_owned(),
        caller: row.text("caller").to_owned(),
        operation,
        token_type: row.text("token_type").to_owned(),
        status: row
            .integer("status")
            .and_then(|status| status.try_into().ok()),
        outcome: row.text("outcome").to_owned(),
        why: why.to_owned(),
        concerns: subjects(row.text("subjects")),
        facts: facts(row.text("facts")),
    }
}

/// Kinds and pseudonyms, each once.
pub fn subjects(json: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    if let Ok(Json::Array(subjects)) = serde_json::from_str(json) {
        for subject in subjects {
            let text = |name: &str| subject.get(name).and_then(Json::as_str);
            let kind = text("kind").unwrap_or_default();
            // Erased when the person asked for it.
            let one = format!("{kind} {}", text("subject").unwrap_or("(erased)"));
            if !shown.contains(&one) {
                shown.push(one);
            }
        }
    }
    shown.join(", ")
}

/// Facts as words.
pub fn facts(json: &str) -> String {
    let Ok(Json::Object(facts)) = serde_json::from_str(json) else {
        return String::new();
    };
    let text = |value: &Json| value.as_str().map_or(value.to_string(), str::to_owned);
    let shown: Vec<_> = facts
        .iter()
        .map(|(name, value)| match value {
            Json::Array(values) => {
                let values: Vec<_> = values.iter().map(text).collect();
                format!("{name} {}", values.join(" "))
            }
            value => format!("{name} {}", text(value)),
        })
        .collect();
    shown.join(", ")
}
