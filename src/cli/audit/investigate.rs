//! `egret investigate`: everything about a token, a caller or a customer.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::{parse_customer, parse_fingerprint, parse_pseudonym};
use super::report::{self, ReportFormat};
use super::{AuditError, Context, Moment};
use crate::adapters::ledger::{CUSTOMER, Filter, LedgerPlace, Reader};
use crate::adapters::machine;
use crate::app::audit::investigate::{DEFAULT_PERIOD, MAX_CALLS, about, gather, on_record};
use crate::app::own_calls::Tally;
use crate::domain::investigation::Whom;
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::domain::report::Asked;
use crate::types::{Micros, Secret};

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
        let document = gather(&mut reader, whom, &filter, asked, source, MAX_CALLS).await?;
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
