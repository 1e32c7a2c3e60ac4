//! Everything about a token, a caller or a customer, gathered from the ledger.

use std::collections::VecDeque;
use std::time::Duration;

use super::report;
use crate::adapters::ledger::{CUSTOMER, CallRow, Filter, LedgerError, Order, Page, Reader};
use crate::domain::investigation::{Builder, Call, Subject, Whom};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::Fingerprint;
use crate::domain::report::{Asked, Document};
use crate::types::{Micros, Outcome};

/// Calls that are read at a time.
const CHUNK: u32 = 1_000;

/// Most calls that are taken in, the newest: beyond, one page says less and less.
pub const MAX_CALLS: u64 = 100_000;

/// The same for somebody who waits at a page, in the gateway's own memory.
pub const MAX_SHOWN_CALLS: u64 = 20_000;

/// Most tokens whose origin is looked up, one question each.
const MAX_LOOKUPS: usize = 1_000;

/// Length of a line from a client credential to the token of a customer is two; some more for banks
/// where tokens beget tokens.
const MAX_DEPTH: usize = 8;

/// The period unless another is given.
pub const DEFAULT_PERIOD: Duration = Duration::from_secs(30 * 86_400);

/// The calls of somebody or something in a period.
pub fn about(whom: &Whom, period: &Filter) -> Filter {
    let mut filter = period.clone();
    match whom {
        Whom::Token(fingerprint) => filter.fingerprint = Some(*fingerprint),
        Whom::Caller(name) => filter.caller = Some(name.clone()),
        Whom::Subject(pseudonym) => filter.subjects = vec![*pseudonym],
    }
    filter
}

/// What is put on record of it.
pub fn on_record(whom: &Whom, from: Micros, to: Micros) -> OwnCall {
    let call = OwnCall::new(OwnOperation::AuditInvestigate)
        .fact("about", whom.kind())
        .fact("from", from)
        .fact("to", to);
    match whom {
        Whom::Token(fingerprint) => call.fact("token", fingerprint),
        Whom::Caller(_) => call,
        Whom::Subject(pseudonym) => call.subject(CUSTOMER, *pseudonym),
    }
}

/// Gathers everything about at most so many calls.
///
/// # Errors
/// The ledger cannot be read.
pub async fn gather(
    reader: &mut Reader,
    whom: Whom,
    filter: &Filter,
    asked: Asked,
    source: Vec<(&'static str, String)>,
    most: u64,
) -> Result<Document, LedgerError> {
    let follows_uses = matches!(whom, Whom::Token(_));
    let mut builder = Builder::new(whom, asked, source);
    // Downwards: calls, and where a token is asked about also those with the tokens it obtained.
    let mut filters = VecDeque::from([(filter.clone(), 0)]);
    let mut tokens = Vec::new();
    tokens.extend(filter.fingerprint.map(|token| token.to_string()));
    while let Some((filter, depth)) = filters.pop_front() {
        for call in calls(reader, &filter, &mut builder, most).await? {
            let found = builder.add(&call);
            for token in found {
                let is_obtained = token == call.minted;
                if let Some(fingerprint) = Fingerprint::parse_hex(&token)
                    && follows_uses
                    && is_obtained
                    && depth < MAX_DEPTH
                {
                    let fingerprint = Some(fingerprint);
                    let with_it = Filter {
                        fingerprint,
                        ..filter.clone()
                    };
                    filters.push_back((with_it, depth + 1));
                }
                tokens.push(token);
            }
        }
    }
    // Upwards: where each token came from, whenever that was.
    let mut looked_up = 0;
    while let Some(token) = tokens.pop() {
        let Some(fingerprint) = Fingerprint::parse_hex(&token) else {
            continue;
        };
        if looked_up >= MAX_LOOKUPS {
            builder.cut();
            break;
        }
        looked_up += 1;
        let minted = Filter {
            minted: Some(fingerprint),
            ..Filter::default()
        };
        let page = Page {
            order: Order::NewestFirst,
            limit: 1,
            after: None,
        };
        for row in reader.query(&minted, page).await?.rows {
            tokens.extend(builder.trace(&call(&row)));
        }
    }
    Ok(builder.finish())
}

/// The newest calls that meet a filter, as many as the investigation still takes.
async fn calls(
    reader: &mut Reader,
    filter: &Filter,
    builder: &mut Builder,
    most: u64,
) -> Result<Vec<Call>, LedgerError> {
    let mut calls = Vec::new();
    let mut page = Page {
        order: Order::NewestFirst,
        limit: CHUNK,
        after: None,
    };
    loop {
        if builder.len() + calls.len() as u64 >= most {
            builder.cut();
            return Ok(calls);
        }
        let found = reader.query(filter, page).await?;
        calls.extend(found.rows.iter().map(call));
        page.after = found.next;
        if page.after.is_none() {
            return Ok(calls);
        }
    }
}

/// What an investigation looks at of a row.
fn call(row: &CallRow) -> Call {
    let text = |name| row.text(name).to_owned();
    let operation = match row.text("operation") {
        "" => "unknown",
        operation => operation,
    };
    let why = match (row.text("reason"), row.text("error_code")) {
        ("", code) => code,
        (reason, _) => reason,
    };
    Call {
        call_id: text("call_id"),
        received: Micros(row.integer("received_at").unwrap_or_default()),
        caller: text("caller"),
        address: host(row.text("caller_address")).to_owned(),
        operation: match row.text("provider") {
            // The request led to none.
            "" => operation.to_owned(),
            provider => format!("{provider}/{operation}"),
        },
        effect: text("effect"),
        token_type: text("token_type"),
        token: text("token_fingerprint"),
        minted: text("minted_fingerprint"),
        minted_kind: text("minted_kind"),
        minted_until: row.integer("minted_expires_at").map(Micros),
        outcome: row.text("outcome").parse().unwrap_or(Outcome::Unknown),
        decision: text("decision"),
        why: why.to_owned(),
        status: row
            .integer("status")
            .and_then(|status| status.try_into().ok()),
        pii: serde_json::from_str(row.text("pii")).unwrap_or_default(),
        subjects: subjects(row.text("subjects")),
        facts: report::facts(row.text("facts")),
    }
}

/// An address without its port, which says nothing of who it is.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

fn subjects(json: &str) -> Vec<Subject> {
    let subjects: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let mut found: Vec<Subject> = Vec::new();
    for subject in &subjects {
        let text = |name: &str| subject.get(name).and_then(serde_json::Value::as_str);
        let one = Subject {
            kind: text("kind").unwrap_or_default().to_owned(),
            pseudonym: text("subject").map(str::to_owned),
        };
        // A call names the same one in its path and in its answer.
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}
