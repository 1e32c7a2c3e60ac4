//! `egret audit hold`: keeps what somebody has a claim on.

use std::io::Write;

use clap::{Args, Subcommand};

use super::args::{
    parse_caller, parse_cursor, parse_customer, parse_fingerprint, parse_pseudonym, parse_subject,
};
use super::erase::{parse_reason, user};
use super::{AuditError, Context, Moment, Tally};
use crate::adapters::ledger::Store;
use crate::adapters::ledger::hold::{self, HoldOn, Whom};
use crate::adapters::ledger::{CUSTOMER, LedgerPlace, RawSubject};
use crate::app::own_calls::PATIENCE;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{CallId, Secret};

pub(super) const HOLD_EXAMPLES: &str = "\
Examples:
      egret audit hold add --caller billing --from 2026-01-01 --to 2026-04-01 --reason 'case 17/26'
      egret audit hold add --customer 3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11 --reason 'case 18/26'
      egret audit hold list
      egret audit hold release 1 --reason 'case 17/26 is closed'";

const ADD_EXAMPLES: &str = "\
Examples:
      egret audit hold add --caller billing --from 2026-01-01 --to 2026-04-01 --reason 'case 17/26'
      egret audit hold add --customer 3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11 --reason 'case 18/26'";

const LIST_EXAMPLES: &str = "\
Examples:
      egret audit hold list";

const RELEASE_EXAMPLES: &str = "\
Examples:
      egret audit hold release 1 --reason 'case 17/26 is closed'";

/// `egret audit hold`
#[derive(Args, Clone, Debug)]
pub struct HoldArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: HoldCommand,
}

/// What to do with holds.
#[derive(Subcommand, Clone, Debug)]
pub enum HoldCommand {
    /// Keep calls from being pruned and erased until the hold is released
    #[command(after_help = ADD_EXAMPLES)]
    Add(HoldAddArgs),
    /// List every hold, released ones too
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Release a hold; it stays on record
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(HoldReleaseArgs),
}

/// Which calls to hold: those that meet every condition.
#[derive(Args, Clone, Debug)]
#[group(id = "held", multiple = true)]
pub struct HoldAddArgs {
    /// Received at or after: 7d, a date or an RFC 3339 time
    #[arg(long, value_name = "TIME", required_unless_present_any = ["to", "caller", "customer", "subject", "pseudonym", "fingerprint", "call_id"])]
    pub from: Option<Moment>,
    /// Received before: same forms
    #[arg(long, value_name = "TIME")]
    pub to: Option<Moment>,
    /// Name of the caller
    #[arg(long, value_name = "NAME", value_parser = parse_caller)]
    pub caller: Option<String>,
    /// Concerns this customer, by its raw GUID
    #[arg(long, value_name = "GUID", value_parser = parse_customer, conflicts_with_all = ["subject", "pseudonym"])]
    pub customer: Option<Secret<String>>,
    /// Concerns this identifier, by its raw value
    #[arg(long, value_name = "KIND:VALUE", value_parser = parse_subject, conflicts_with = "pseudonym")]
    pub subject: Option<RawSubject>,
    /// Concerns this identifier, by its pseudonym as shown
    #[arg(long, value_name = "HEX", value_parser = parse_pseudonym)]
    pub pseudonym: Option<Pseudonym>,
    /// Made with this token or handed it out, by its fingerprint
    #[arg(long, value_name = "HEX", value_parser = parse_fingerprint)]
    pub fingerprint: Option<Fingerprint>,
    /// This call
    #[arg(long, value_name = "ID", value_parser = parse_cursor)]
    pub call_id: Option<CallId>,
    /// Why; stays on record
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: String,
}

/// Which hold to release.
#[derive(Args, Clone, Debug)]
pub struct HoldReleaseArgs {
    /// Its number, as `hold list` shows it
    #[arg(value_name = "NUMBER", value_parser = parse_hold)]
    pub id: i64,
    /// Why; stays on record
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: String,
}

fn parse_hold(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        "not the number of a hold: `egret audit hold list` shows them, as in 3".to_owned()
    })
}

/// Why nothing was held or released.
#[derive(Debug, thiserror::Error)]
pub enum HoldFailure {
    /// No such hold.
    #[error("no hold {0} is in force: see `egret audit hold list`")]
    NoSuchHold(i64),
    /// The holds that are on record could not be looked at.
    #[error(
        "the ledger lacks what is in the journal of commands, where holds may be on record, so \
         nothing was done: {0}"
    )]
    NotSettled(String),
}

/// Sees to it that every hold that is on record is in the ledger, also if that was made anew.
pub(super) async fn settle(ledger: &LedgerPlace, context: &Context<'_>) -> Result<(), AuditError> {
    // Making a ledger is the gateway's.
    drop(crate::adapters::ledger::Reader::open(ledger).await?);
    let mut store = Store::open(ledger).await?;
    let drained = context.own_calls.drain_into(&mut store, PATIENCE).await;
    store.close().await?;
    drained.map_err(HoldFailure::NotSettled)?;
    let restored = hold::restore(ledger).await?;
    if restored > 0 {
        (context.notice)(&format!(
            "{restored} legal holds that the ledger lacked are in force again, as on record: see \
             `egret audit hold list`"
        ));
    }
    Ok(())
}

pub(super) async fn run(
    ledger: &LedgerPlace,
    args: &HoldArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    match &args.command {
        HoldCommand::Add(args) => add(ledger, args, context, out).await,
        HoldCommand::List => list(ledger, context, out).await,
        HoldCommand::Release(args) => {
            settle(ledger, context).await?;
            let work = async |_: &mut Tally| {
                let (id, reason, now) = (args.id, &args.reason, context.now);
                if !hold::release_hold(ledger, id, reason, &user(), now).await? {
                    return Err(HoldFailure::NoSuchHold(id).into());
                }
                writeln!(out, "hold {id} is released")?;
                Ok(out.flush()?)
            };
            context.record(hold::released(args.id), work).await
        }
    }
}

async fn add(
    ledger: &LedgerPlace,
    args: &HoldAddArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let (on, kind) = resolve(args, context)?;
    settle(ledger, context).await?;
    let id = hold::next_hold(ledger).await?;
    let work = async |_: &mut Tally| {
        hold::place_hold(ledger, id, &on, &args.reason, &user(), context.now).await?;
        writeln!(out, "hold {id} is in force")?;
        Ok(out.flush()?)
    };
    context.record(on.on_record(id, kind), work).await
}

async fn list(
    ledger: &LedgerPlace,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let call = OwnCall::new(OwnOperation::AuditHold);
    let work = async |tally: &mut Tally| {
        let holds = hold::holds(ledger).await?;
        tally.add(holds.len());
        if holds.is_empty() {
            writeln!(out, "nothing is held, and nothing was")?;
        }
        for held in holds {
            let released = held.release.map_or_else(String::new, |release| {
                let (at, by, why) = (release.at, release.by, release.reason);
                format!("; released {at} by {by}: {why}")
            });
            let (id, on, at, by, why) =
                (held.id, held.on, held.placed_at, held.by_user, held.reason);
            writeln!(out, "{id}  {on}  placed {at} by {by}: {why}{released}")?;
        }
        Ok(out.flush()?)
    };
    context.record(call, work).await
}

/// What to hold, and the kind of the subject if it was said.
fn resolve<'a>(
    args: &'a HoldAddArgs,
    context: &Context<'_>,
) -> Result<(HoldOn, Option<&'a str>), AuditError> {
    let from = args.from.map(|moment| moment.resolve(context.now));
    let to = args.to.map(|moment| moment.resolve(context.now));
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(AuditError::EmptyPeriod { from, to });
    }
    let customer = args
        .customer
        .as_ref()
        .map(|guid| (CUSTOMER, guid.expose().as_str()));
    let raw = args
        .subject
        .as_ref()
        .map(|subject| (&*subject.kind, subject.value.expose().as_str()));
    let named = customer.or(raw);
    let subject = match named {
        Some((kind, value)) => Some((context.pseudonymise)(kind, value)?),
        None => args.pseudonym,
    };
    let on = HoldOn {
        from,
        to,
        caller: args.caller.clone(),
        subject: subject.map(Whom::Known),
        token: args.fingerprint,
        call_id: args.call_id,
    };
    Ok((on, named.map(|(kind, _)| kind)))
}
