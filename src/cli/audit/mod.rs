//! `egret audit`: reads the ledger for people and programs. It never writes to it, but for
//! `rebuild`, which makes a new one.

mod args;
mod moment;
mod proof;
mod rebuild;
mod render;
mod verify;

use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

pub use args::{
    AuditArgs, AuditCommand, FilterArgs, Format, QueryArgs, RawSubject, RebuildArgs, ShowArgs,
    StatsArgs, TailArgs,
};
pub use moment::{Moment, NotAMoment};
pub use proof::{KeyArgs, ProofError, ProveArgs, VerifyProofArgs, run_verify_proof};
pub use verify::{ReportFormat, VerifyArgs};

use crate::adapters::evidence::FileError;
use crate::adapters::evidence::verify::NotAudited;
use crate::adapters::journal::ReadError;
use crate::adapters::key_file::KeyError;
use crate::adapters::ledger::{LedgerError, Order, Page, Reader, Shown};
use crate::adapters::signing_key::SigningKeyError;
use crate::domain::record::Pseudonym;
use crate::types::Micros;
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
    /// File of the key that signs for the log.
    pub key_file: &'a Path,
    /// Colour tables: see [`colour_wanted`].
    pub colour: bool,
    /// Turns the kind and the raw value of an identifier into its pseudonym.
    pub pseudonymise: &'a dyn Fn(&str, &str) -> Result<Pseudonym, KeyError>,
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
    /// The ledger could not be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] rebuild::RebuildError),
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

/// Runs one of the commands. `stop` ends `tail --follow`.
///
/// # Errors
/// [`AuditError`]. A reader that went away (as `head` does) is not an error.
pub async fn run(
    ledger: &Path,
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
        AuditCommand::Rebuild(args) => rebuild::run(ledger, args, context, out).await,
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
    ledger: &Path,
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
    loop {
        let limit = u32::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let page = Page {
            order,
            limit,
            after,
        };
        let found = reader.query(&filter, page).await?;
        rows.write(out, &found.rows)?;
        left = left.saturating_sub(found.rows.len() as u64);
        after = found.next;
        if after.is_none() || left == 0 {
            break;
        }
    }
    rows.finish(out, after)?;
    Ok(())
}

/// Shows one call.
///
/// # Errors
/// [`AuditError`].
pub async fn run_show(
    ledger: &Path,
    args: &ShowArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let mut reader = Reader::open(ledger).await?;
    match reader.show(args.call_id).await? {
        Shown::Nothing => Err(AuditError::NoSuchCall),
        Shown::Several(rows) => {
            let ids: Vec<_> = rows.iter().map(|row| row.text("call_id")).collect();
            Err(AuditError::Ambiguous(ids.join(", ")))
        }
        Shown::Call(row, lineage) => {
            render::call(out, args.format, context.colour, &row, &lineage)?;
            Ok(())
        }
    }
}

/// Shows the last calls and, if wanted, new ones until `stop`.
///
/// # Errors
/// [`AuditError`].
pub async fn run_tail(
    ledger: &Path,
    args: &TailArgs,
    context: &Context<'_>,
    out: &mut impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), AuditError> {
    let filter = args.filter.resolve(context)?;
    let mut reader = Reader::open(ledger).await?;
    let mut lines = render::Lines::new(args.format, context.colour);
    // Before the rows are read: what is written in between then comes by number.
    let mut seq = reader.last_seq().await?;
    let last = reader.last(&filter, args.limit).await?;
    lines.write(out, &last)?;
    seq = last
        .last()
        .and_then(|row| row.integer("seq"))
        .unwrap_or(seq)
        .max(seq);
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
            let rows = reader.since(&filter, seq, CHUNK).await?;
            let Some(newest) = rows.last().and_then(|row| row.integer("seq")) else {
                break;
            };
            seq = newest;
            lines.write(out, &rows)?;
        }
    }
}

/// Counts calls.
///
/// # Errors
/// [`AuditError`].
pub async fn run_stats(
    ledger: &Path,
    args: &StatsArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let mut filter = args.filter.resolve(context)?;
    if filter.from.is_some() {
        // "The last hour" ends now, not with the last call: it matters for calls per minute.
        filter.to = filter.to.or(Some(context.now));
    }
    let stats = Reader::open(ledger).await?.stats(&filter).await?;
    render::stats(out, args.format, context.colour, &stats)?;
    Ok(())
}

#[cfg(test)]
mod tests;
