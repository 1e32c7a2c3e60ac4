//! `egret audit prune`: gives up what need not be kept any longer.

use std::io::Write;
use std::path::Path;

use clap::Args;

use super::erase::{PATIENCE, journals, parse_reason, user};
use super::hold::settle;
use super::{AuditError, Context, Tally};
use crate::adapters::evidence::commands::{NotSealed, signer_of};
use crate::adapters::journal::{EraseError, GivingUp, Maintenance, Pruned};
use crate::adapters::ledger::LedgerPlace;
use crate::adapters::ledger::retention::{self, Needed, Order};
use crate::domain::evidence::SignerKey;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::retention::{Periods, segments_to_give_up};

pub(super) const PRUNE_EXAMPLES: &str = "\
How long records are kept is said by [retention] in the configuration. Works while the gateway runs.
The hash of every leaf is kept, so that proofs of other records, and older ones, still verify.

Examples:
      egret audit prune --dry-run
      egret audit prune --reason 'yearly, ticket 2027-3'";

/// `egret audit prune`
#[derive(Args, Clone, Debug)]
pub struct PruneArgs {
    /// Say what would go, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why; stays on record
    #[arg(long, value_name = "TEXT", value_parser = parse_reason, default_value = "retention")]
    pub reason: String,
}

/// Why nothing, or not everything, was pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneFailure {
    /// Nobody has said how long records are to be kept.
    #[error(
        "the configuration does not say how long records are kept: set [retention] profile, one of \
         pci-12m, nydfs-5y, mica-7y"
    )]
    NoPeriods,
    /// The journal could not be changed.
    #[error(transparent)]
    Journal(#[from] EraseError),
    /// The mark of what is given up must be signed, or it could not be told from what was removed.
    #[error("what is given up must be signed for by the log's key, so nothing was: {0}")]
    NotSigned(#[from] NotSealed),
}

pub(super) async fn run(
    ledger: &LedgerPlace,
    args: &PruneArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let periods = context.retention.ok_or(PruneFailure::NoPeriods)?;
    settle(ledger, context).await?;
    let call = OwnCall::new(OwnOperation::AuditPrune);
    let call = if args.dry_run {
        call.fact("dry_run", true)
    } else {
        call
    };
    let work = async |_: &mut Tally| prune(ledger, args, &periods, context, out).await;
    context.record(call, work).await
}

async fn prune(
    ledger: &LedgerPlace,
    args: &PruneArgs,
    periods: &Periods,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let order = Order {
        by: &user(),
        reason: &args.reason,
        at: context.now,
    };
    // Before anything goes.
    let mut signed = Vec::new();
    for journal in journals(context) {
        let signer = signer_of(&journal, context.journal, context.key_file);
        let signer = match signer {
            Err(_) if args.dry_run => None,
            signer => signer.map_err(PruneFailure::from)?,
        };
        signed.push((journal, signer));
    }
    let (rows, needed) = retention::prune(ledger, periods, &order, args.dry_run).await?;
    let mut pruned = Pruned::default();
    for (journal, signer) in &signed {
        let signer = signer.as_ref();
        let of_journal = prune_journal(journal, signer, &needed, periods, &order, args.dry_run)?;
        pruned.segments += of_journal.segments;
        pruned.events += of_journal.events;
        pruned.bytes += of_journal.bytes;
    }
    let would = if args.dry_run {
        "would remove"
    } else {
        "removed"
    };
    writeln!(
        out,
        "{would} {} calls from the ledger and {} segments ({} events, {} bytes) from the journal",
        rows.calls, pruned.segments, pruned.events, pruned.bytes
    )?;
    if rows.held > 0 {
        writeln!(
            out,
            "{} calls whose time is over are under legal hold",
            rows.held
        )?;
    }
    Ok(out.flush()?)
}

fn prune_journal(
    directory: &Path,
    signer: Option<&SignerKey>,
    needed: &Needed,
    periods: &Periods,
    order: &Order<'_>,
    dry_run: bool,
) -> Result<Pruned, AuditError> {
    let maintenance = Maintenance::begin(directory, PATIENCE).map_err(PruneFailure::from)?;
    let mut pruned = Pruned::default();
    let Some((journal, firsts)) = maintenance.segments().map_err(PruneFailure::from)? else {
        return Ok(pruned);
    };
    let who = GivingUp {
        journal,
        at: order.at,
        by: order.by,
        reason: order.reason,
        signer,
    };
    let who = (!dry_run).then_some(&who);
    let needed = needed.from(journal);
    let ends = firsts.iter().skip(1);
    for (segment, end) in segments_to_give_up(&firsts, needed).iter().zip(ends) {
        let given_up = maintenance
            .give_up(*segment, *end, who, |event| {
                periods.is_over(event, order.at)
            })
            .map_err(PruneFailure::from)?;
        let Some(given_up) = given_up else {
            break;
        };
        pruned.segments += given_up.segments;
        pruned.events += given_up.events;
        pruned.bytes += given_up.bytes;
    }
    Ok(pruned)
}
