//! `egret investigate`: everything about a token, a caller or a customer.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::args::{CUSTOMER, parse_customer, parse_fingerprint, parse_pseudonym};
use super::report::{self, ReportFormat};
use super::{AuditError, CHUNK, Context, Moment};
use crate::adapters::ledger::{CallRow, Filter, LedgerPlace, Order, Page, Reader};
use crate::adapters::machine;
use crate::app::own_calls::Tally;
use crate::domain::investigation::{Builder, Call, Subject, Whom};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::domain::report::{Asked, Document};
use crate::types::{Micros, Outcome, Secret};

/// Most calls that are taken in, the newest: beyond, one page says less and less.
const MAX_CALLS: u64 = 100_000;

/// Most tokens whose origin is looked up, one question each.
const MAX_LOOKUPS: usize = 1_000;

/// Length of a line from a client credential to the token of a customer is two; some more for banks
/// where tokens beget tokens.
const MAX_DEPTH: usize = 8;

/// The period unless another is given.
const DEFAULT_PERIOD: Duration = Duration::from_secs(30 * 86_400);

/// `egret investigate`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  What was done with a token, and where it came from:
      egret investigate token 5bd1e3c0a1f24c6d8e9f00112233aabb
  What a service has done this week, as a page for the file:
      egret investigate caller payments --from 7d --format html -o payments.html
  Who touched a customer:
      egret investigate customer 3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11

Putting the question is itself on record, with the user and whom it was about.")]
pub struct InvestigateArgs {
    #[command(subcommand)]
    about: About,
}

#[derive(Subcommand, Clone, Debug)]
enum About {
    /// From the credential that it was obtained with to each use
    #[command(after_help = "Example:\n  egret investigate token 5bd1e3c0a1f24c6d8e9f00112233aabb")]
    Token {
        /// Its token_fingerprint, as in the records
        #[arg(value_parser = parse_fingerprint)]
        fingerprint: Fingerprint,
        #[command(flatten)]
        how: How,
    },
    /// All that a caller has done
    #[command(
        after_help = "Example:\n  egret investigate caller payments --from 7d --format html -o payments.html"
    )]
    Caller {
        /// Its name, as in the records
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// All that concerns a customer
    #[command(
        after_help = "Example:\n  egret investigate customer 3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11 --format json"
    )]
    Customer {
        /// The GUID; it is hashed before the search
        #[arg(value_parser = parse_customer, required_unless_present = "pseudonym")]
        guid: Option<Secret<String>>,
        /// The pseudonym of a customer or of anybody else, as the records show it
        #[arg(long, value_name = "HEX", value_parser = parse_pseudonym, conflicts_with = "guid")]
        pseudonym: Option<Pseudonym>,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Args, Clone, Debug)]
struct How {
    /// Received at or after: 7d, a date or an RFC 3339 time; 30 days if not given
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Received before: same forms
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Write it to this file, which only its owner may read, instead of the standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Gathers and writes an investigation.
///
/// # Errors
/// [`AuditError`].
pub async fn run(
    ledger: &LedgerPlace,
    args: &InvestigateArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let (whom, how) = match &args.about {
        About::Token { fingerprint, how } => (Whom::Token(*fingerprint), how),
        About::Caller { name, how } => (Whom::Caller(name.clone()), how),
        About::Customer {
            guid,
            pseudonym,
            how,
        } => {
            let of_guid = guid
                .as_ref()
                .map(|guid| (context.pseudonymise)(CUSTOMER, guid.expose()))
                .transpose()?;
            // One of the two is there: the command line insists.
            let whom = of_guid.or(*pseudonym).ok_or(AuditError::NoSuchCall)?;
            (Whom::Subject(whom), how)
        }
    };
    let to = how.to.map_or(context.now, |to| to.resolve(context.now));
    let earlier = Micros(to.0.saturating_sub(DEFAULT_PERIOD.as_micros() as i64));
    let from = how.from.map_or(earlier, |from| from.resolve(context.now));
    if from >= to {
        return Err(AuditError::EmptyPeriod { from, to });
    }
    let period = Filter {
        from: Some(from),
        to: Some(to),
        banks_only: true,
        ..Filter::default()
    };
    let filter = about(&whom, &period);
    let asked = Asked {
        from,
        to,
        filters: filter.conditions(),
        at: context.now,
        by: machine::user_name(),
    };
    let call = on_record(&whom, from, to);
    let work = async |tally: &mut Tally| {
        let mut reader = Reader::open(ledger).await?;
        reader.hold_still().await?;
        let source = vec![
            ("ledger", ledger.to_string()),
            ("schema", reader.schema().to_string()),
            ("made_with", format!("egret {}", crate::app::VERSION)),
        ];
        let document = gather(&mut reader, whom, &filter, asked, source).await?;
        tally.add(document.tables.iter().map(|table| table.rows.len()).sum());
        let to = how.output.as_deref();
        report::deliver(out, to, how.format, context.colour, &document)?;
        Ok(out.flush()?)
    };
    match context.record(call, work).await {
        Err(AuditError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn about(whom: &Whom, period: &Filter) -> Filter {
    let mut filter = period.clone();
    match whom {
        Whom::Token(fingerprint) => filter.fingerprint = Some(*fingerprint),
        Whom::Caller(name) => filter.caller = Some(name.clone()),
        Whom::Subject(pseudonym) => filter.subjects = vec![*pseudonym],
    }
    filter
}

fn on_record(whom: &Whom, from: Micros, to: Micros) -> OwnCall {
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

async fn gather(
    reader: &mut Reader,
    whom: Whom,
    filter: &Filter,
    asked: Asked,
    source: Vec<(&'static str, String)>,
) -> Result<Document, AuditError> {
    let follows_uses = matches!(whom, Whom::Token(_));
    let mut builder = Builder::new(whom, asked, source);
    // Downwards: calls, and where a token is asked about also those with the tokens it obtained.
    let mut filters = VecDeque::from([(filter.clone(), 0)]);
    let mut tokens = Vec::new();
    tokens.extend(filter.fingerprint.map(|token| token.to_string()));
    while let Some((filter, depth)) = filters.pop_front() {
        for call in calls(reader, &filter, &mut builder).await? {
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
) -> Result<Vec<Call>, AuditError> {
    let mut calls = Vec::new();
    let mut page = Page {
        order: Order::NewestFirst,
        limit: CHUNK,
        after: None,
    };
    loop {
        if builder.len() + calls.len() as u64 >= MAX_CALLS {
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
        operation: format!("{}/{operation}", row.text("provider")),
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
