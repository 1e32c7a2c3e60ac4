//! `egret audit`: reads the ledger for people and programs. What it shows is on record before it is
//! shown. It never writes to the ledger, but for that, and for `rebuild`, which makes a new one,
//! `erase`, which takes a person out of it, and `prune` and `hold`, which decide what is kept for
//! how long.

pub(super) mod args;
pub(super) mod erase;
mod export;
mod hold;
pub(super) mod investigate;
mod proof;
mod prune;
mod rebuild;
mod render;
mod report;
mod verify;

use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

pub use crate::domain::moment::{Moment, NotAMoment};
pub use args::{
    AuditArgs, AuditCommand, FilterArgs, Format, QueryArgs, RebuildArgs, ShowArgs, StatsArgs,
    TailArgs,
};
pub use erase::{EraseArgs, EraseFailure};
pub use export::{ExportArgs, ExportError, ExportFormat};
pub use hold::{HoldArgs, HoldCommand, HoldFailure};
pub use proof::{KeyArgs, ProofError, ProveArgs, VerifyProofArgs, run_verify_proof};
pub use prune::{PruneArgs, PruneFailure};
pub use report::{ReportArgs, ReportError, ReportFormat};
pub use verify::{VerifyArgs, VerifyFormat};

use crate::adapters::evidence::FileError;
use crate::adapters::evidence::verify::NotAudited;
use crate::adapters::journal::ReadError;
use crate::adapters::key_file::KeyError;
use crate::adapters::ledger::{
    CallRow, LedgerError, LedgerPlace, Order, Page, Reader, Shown, Store, Written,
};
use crate::adapters::signing_key::SigningKeyError;
use crate::app::audit::concerning;
use crate::app::own_calls::{CommandError, OwnCallError, OwnCalls, Tally};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::Pseudonym;
use crate::domain::retention::Periods;
use crate::types::{Micros, Outcome};
use render::Rows;

/// Calls that are read and written out at a time: bounds memory whatever the limit.
const CHUNK: u32 = 1_000;

/// Pause between two looks for new calls.
const POLL: Duration = Duration::from_millis(250);

/// What the commands need from outside.
pub struct Context<'a> {
    /// The present time, for `--from 15m`.
    pub now: Micros,
    /// Directory of the journal.
    pub journal: &'a Path,
    /// Puts on record what is done here.
    pub own_calls: &'a OwnCalls,
    /// Tells the person at the terminal something that is no result.
    pub notice: &'a dyn Fn(&str),
    /// File of the key that signs for the log.
    pub key_file: &'a Path,
    /// Colour tables: see [`colour_wanted`].
    pub colour: bool,
    /// How long records are kept; `None` for ever.
    pub retention: Option<Periods>,
    /// Turns the kind and the raw value of an identifier into its pseudonym.
    pub pseudonymise: &'a dyn Fn(&str, &str) -> Result<Pseudonym, KeyError>,
}

impl Context<'_> {
    /// Does something once it is on record, and puts on record how it went.
    ///
    /// # Errors
    /// What `work` says; or that it was not done because it cannot be put on record.
    pub async fn record(
        &self,
        call: OwnCall,
        work: impl AsyncFnOnce(&mut Tally) -> Result<(), AuditError>,
    ) -> Result<(), AuditError> {
        let pending = self.own_calls.record(call, work).await?;
        for said in pending.notices(self.own_calls.journal()) {
            (self.notice)(&said);
        }
        Ok(())
    }
}

/// Whether to colour: only on a terminal, and not if `NO_COLOR` is set and not empty
/// (<https://no-color.org>).
pub fn colour_wanted(is_terminal: bool, no_color: Option<&std::ffi::OsStr>) -> bool {
    is_terminal && no_color.is_none_or(std::ffi::OsStr::is_empty)
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No moment is in the period.
    #[error("the period is empty: --from {from} is not before --to {to}")]
    EmptyPeriod {
        /// Where it should begin.
        from: Micros,
        /// Where it should end.
        to: Micros,
    },
    /// No call has the id.
    #[error("no call has an id that begins so; find ids with `egret audit query`")]
    NoSuchCall,
    /// Several calls have ids that begin so.
    #[error("several calls have ids that begin so, give more digits; the first are {0}")]
    Ambiguous(String),
    /// Identifiers cannot be hashed without the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A subject was not, or not wholly, erased.
    #[error(transparent)]
    Erase(#[from] EraseFailure),
    /// Nothing, or not everything, was pruned.
    #[error(transparent)]
    Prune(#[from] PruneFailure),
    /// Nothing was held or released.
    #[error(transparent)]
    Hold(#[from] HoldFailure),
    /// The ledger could not be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] rebuild::RebuildError),
    /// A report was not made.
    #[error(transparent)]
    Report(#[from] report::ReportError),
    /// Calls were not exported, or not all of them.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The command cannot be put on record.
    #[error(transparent)]
    OwnCall(#[from] OwnCallError),
    /// The journal could not be audited.
    #[error(transparent)]
    NotAudited(#[from] NotAudited),
    /// A file of the evidence cannot be used.
    #[error(transparent)]
    Evidence(#[from] FileError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// Something was changed.
    #[error("the evidence is not sound: {0} faults")]
    NotSound(usize),
    /// A proof was not made, or does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The key to come could not be made.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The result could not be written out.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

impl CommandError for AuditError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Cancelled,
            Self::Export(ExportError::Interrupted { .. }) => Outcome::Cancelled,
            _ => Outcome::Failure,
        }
    }
}

impl From<export::StateError> for AuditError {
    fn from(error: export::StateError) -> Self {
        Self::Export(error.into())
    }
}

/// Runs one of the commands. `stop` ends `tail --follow`, and cuts an export off.
///
/// # Errors
/// [`AuditError`]. A reader that went away (as `head` does) is not an error.
pub async fn run(
    ledger: &LedgerPlace,
    args: &AuditArgs,
    context: &Context<'_>,
    out: &mut impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), AuditError> {
    let done = match &args.command {
        AuditCommand::Query(args) => run_query(ledger, args, context, out).await,
        AuditCommand::Show(args) => run_show(ledger, args, context, out).await,
        AuditCommand::Tail(args) => run_tail(ledger, args, context, out, stop).await,
        AuditCommand::Stats(args) => run_stats(ledger, args, context, out).await,
        AuditCommand::Report(args) => report::run(ledger, args, context, out).await,
        AuditCommand::Export(args) => export::run(ledger, args, context, out, stop).await,
        AuditCommand::Erase(args) => erase::run(ledger, args, context, out).await,
        AuditCommand::Prune(args) => prune::run(ledger, args, context, out).await,
        AuditCommand::Hold(args) => hold::run(ledger, args, context, out).await,
        AuditCommand::Rebuild(args) => rebuild::run(ledger, args, context, out).await,
        AuditCommand::Migrate => run_migrate(ledger, out).await,
        AuditCommand::Verify(args) => verify::run(ledger, args, context, out).await,
        AuditCommand::Prove(args) => proof::run_prove(ledger, args, context, out).await,
        AuditCommand::VerifyProof(args) => run_verify_proof(args, out),
        AuditCommand::Key(args) => proof::run_key(args, context, out),
        AuditCommand::RotateKey => proof::run_rotate(context, out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        Err(AuditError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Lists calls.
///
/// # Errors
/// [`AuditError`].
pub async fn run_query(
    ledger: &LedgerPlace,
    args: &QueryArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let filter = args.filter.resolve(context)?;
    let mut reader = Reader::open(ledger).await?;
    let mut rows = Rows::new(args.format, context.colour);
    let order = if args.oldest_first {
        Order::OldestFirst
    } else {
        Order::NewestFirst
    };
    let mut left = match args.limit {
        0 => u64::MAX,
        limit => limit,
    };
    let mut after = args.after;
    let call = args.filter.on_record(OwnOperation::AuditQuery, &filter);
    let work = async |tally: &mut Tally| {
        loop {
            let limit = u32::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let page = Page {
                order,
                limit,
                after,
            };
            let found = reader.query(&filter, page).await?;
            tally.add(found.rows.len());
            rows.write(out, &found.rows)?;
            left = left.saturating_sub(found.rows.len() as u64);
            after = found.next;
            if after.is_none() || left == 0 {
                break;
            }
        }
        rows.finish(out, after)?;
        Ok(out.flush()?)
    };
    context.record(call, work).await
}

/// Shows one call.
///
/// # Errors
/// [`AuditError`].
pub async fn run_show(
    ledger: &LedgerPlace,
    args: &ShowArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let mut reader = Reader::open(ledger).await?;
    // Before the record of it, which says whom the call concerns.
    let shown = reader.show(args.call_id).await?;
    let call = OwnCall::new(OwnOperation::AuditShow);
    let call = match &shown {
        Shown::Call(row, _) => concerning(call, row),
        Shown::Nothing | Shown::Several(_) => call,
    };
    let work = async |tally: &mut Tally| match shown {
        Shown::Nothing => Err(AuditError::NoSuchCall),
        Shown::Several(rows) => {
            let ids: Vec<_> = rows.iter().map(|row| row.text("call_id")).collect();
            Err(AuditError::Ambiguous(ids.join(", ")))
        }
        Shown::Call(row, lineage) => {
            tally.add(1 + lineage.minted_by.len() + lineage.used_by.len());
            render::call(out, args.format, context.colour, &row, &lineage)?;
            Ok(out.flush()?)
        }
    };
    context.record(call, work).await
}

/// Writes calls as `egret audit query` shows them.
///
/// # Errors
/// The output fails.
pub(in crate::cli) fn call_table(out: &mut impl Write, rows: &[CallRow]) -> io::Result<()> {
    Rows::new(Format::Table, false).write(out, rows)
}

/// Shows the last calls and, if wanted, new ones until `stop`.
///
/// # Errors
/// [`AuditError`].
pub async fn run_tail(
    ledger: &LedgerPlace,
    args: &TailArgs,
    context: &Context<'_>,
    out: &mut impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), AuditError> {
    let filter = args.filter.resolve(context)?;
    let mut reader = Reader::open(ledger).await?;
    let mut lines = render::Lines::new(args.format, context.colour);
    let mut call = args.filter.on_record(OwnOperation::AuditTail, &filter);
    if args.follow {
        call = call.fact("follow", true);
    }
    let work = async |tally: &mut Tally| {
        // Before the rows are read: what is written in between then comes by number.
        let mut seq = reader.last_seq().await?;
        let last = reader.last(&filter, args.limit).await?;
        tally.add(last.len());
        lines.write(out, &last)?;
        seq = last
            .last()
            .and_then(|row| row.integer("seq"))
            .unwrap_or(seq)
            .max(seq);
        out.flush()?;
        if !args.follow {
            return Ok(());
        }
        let mut stop = pin!(stop);
        loop {
            out.flush()?;
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(POLL) => {}
            }
            loop {
                let Written { rows, looked_to } = reader.since(&filter, seq, CHUNK).await?;
                seq = looked_to;
                if rows.is_empty() {
                    break;
                }
                tally.add(rows.len());
                lines.write(out, &rows)?;
            }
        }
    };
    context.record(call, work).await
}

/// Counts calls.
///
/// # Errors
/// [`AuditError`].
pub async fn run_stats(
    ledger: &LedgerPlace,
    args: &StatsArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let mut filter = args.filter.resolve(context)?;
    if filter.from.is_some() {
        // "The last hour" ends now, not with the last call: it matters for calls per minute.
        filter.to = filter.to.or(Some(context.now));
    }
    let mut reader = Reader::open(ledger).await?;
    let call = args.filter.on_record(OwnOperation::AuditStats, &filter);
    let work = async |_: &mut Tally| {
        let stats = reader.stats(&filter).await?;
        render::stats(out, args.format, context.colour, &stats)?;
        Ok(out.flush()?)
    };
    context.record(call, work).await
}

/// Makes the ledger or brings it up to date.
///
/// # Errors
/// [`AuditError`].
pub async fn run_migrate(ledger: &LedgerPlace, out: &mut impl Write) -> Result<(), AuditError> {
    Store::open(ledger).await?;
    writeln!(out, "the ledger {ledger} is up to date")?;
    Ok(())
}

#[cfg(test)]
mod tests;
