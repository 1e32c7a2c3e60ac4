//! `egret audit erase`: takes a person out of the records without breaking a proof.

use std::collections::HashSet;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::args::{parse_customer, parse_pseudonym, parse_subject};
use super::hold::settle;
use super::{AuditError, Context, Tally};
use crate::adapters::journal::{EraseError, Erased, Maintenance};
use crate::adapters::ledger::retention::{self, Order};
use crate::adapters::ledger::{CUSTOMER, LedgerError, LedgerPlace, RawSubject, Reader, hold};
use crate::domain::journal::Cursor;
use crate::domain::own::{MAX_REASON, OwnCall, OwnOperation};
use crate::domain::record::Pseudonym;
use crate::types::Secret;

/// How long another command that erases or prunes is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two looks whether calls have ended.
const POLL: Duration = Duration::from_millis(100);

pub(super) const ERASE_EXAMPLES: &str = "\
Works while the gateway runs. What is erased cannot be brought back; leaves and proofs stay as they are.
Repeating it is safe, and needed for records that come later. Copies elsewhere (backups, exports) are
not touched.

Examples:
      egret audit erase --customer 3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11 --reason 'Art. 17 request 2026-118'
      egret audit erase --subject account:1234 --reason 'Art. 17 request 2026-119'";

/// `egret audit erase`
#[derive(Args, Clone, Debug)]
#[group(id = "whom", multiple = true)]
pub struct EraseArgs {
    /// This customer, by its raw GUID
    #[arg(long, value_name = "GUID", value_parser = parse_customer, required_unless_present_any = ["subject", "pseudonym"])]
    pub customer: Option<Secret<String>>,
    /// This identifier, by its raw value; may be repeated
    #[arg(long, value_name = "KIND:VALUE", value_parser = parse_subject)]
    pub subject: Vec<RawSubject>,
    /// This identifier, by its pseudonym as shown; may be repeated
    #[arg(long, value_name = "HEX", value_parser = parse_pseudonym)]
    pub pseudonym: Vec<Pseudonym>,
    /// Why; stays on record, so name the request and not the person
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: String,
    /// How many seconds to wait for calls in flight that concern the subject
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
}

/// Why a subject was not, or not wholly, erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseFailure {
    /// The journal could not be changed.
    #[error(transparent)]
    Journal(#[from] EraseError),
    /// The reason would undo it.
    #[error("the reason names the identifier, and the reason stays on record: name the request")]
    Reason,
    /// Somebody has a claim on it.
    #[error(
        "calls that concern the subject are under legal hold {0}, so nothing was erased: see `egret \
         audit hold list`"
    )]
    Held(i64),
    /// Calls in flight may bring it back.
    #[error(
        "not wholly erased: calls that concern the subject are still under way, or the ledger lags \
         behind the journal; repeat the command when they are over"
    )]
    UnderWay,
    /// A file still holds it.
    #[error(
        "not wholly erased: {0} still holds copies of what was erased; if somebody reads the ledger, \
         repeat the command when that is over; an old copy must be removed by hand"
    )]
    Left(PathBuf),
    /// The system refused.
    #[error("cannot search {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

pub(in crate::cli) fn parse_reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        text if text.len() > MAX_REASON || text.chars().any(char::is_control) => {
            Err(format!("use one line of at most {MAX_REASON} bytes"))
        }
        text => Ok(text.to_owned()),
    }
}

/// Whom the arguments name.
fn wanted(args: &EraseArgs, context: &Context<'_>) -> Result<Vec<Pseudonym>, AuditError> {
    let customer = args
        .customer
        .iter()
        .map(|guid| (CUSTOMER, guid.expose().as_str()));
    let subjects = args
        .subject
        .iter()
        .map(|subject| (&*subject.kind, subject.value.expose().as_str()));
    let mut pseudonyms = args.pseudonym.clone();
    for (kind, value) in customer.chain(subjects) {
        if args.reason.contains(value) {
            return Err(EraseFailure::Reason.into());
        }
        pseudonyms.push((context.pseudonymise)(kind, value)?);
    }
    let is_named = |one: &Pseudonym| args.reason.contains(&one.to_string());
    if pseudonyms.iter().any(is_named) {
        return Err(EraseFailure::Reason.into());
    }
    Ok(pseudonyms)
}

pub(super) async fn run(
    ledger: &LedgerPlace,
    args: &EraseArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let pseudonyms = wanted(args, context)?;
    settle(ledger, context).await?;
    if let Some(first) = hold::holds_on(ledger, &pseudonyms).await?.first() {
        return Err(EraseFailure::Held(*first).into());
    }
    // Whom it was about must not be on record again, so the record does not say.
    let call = OwnCall::new(OwnOperation::AuditErase).fact("subjects", pseudonyms.len());
    let work = async |_: &mut Tally| erase(ledger, args, &pseudonyms, context, out).await;
    context.record(call, work).await
}

async fn erase(
    ledger: &LedgerPlace,
    args: &EraseArgs,
    pseudonyms: &[Pseudonym],
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let set: HashSet<Pseudonym> = pseudonyms.iter().copied().collect();
    let mut openings = 0;
    let mut complete = true;
    for directory in journals(context) {
        let maintenance = Maintenance::begin(&directory, PATIENCE).map_err(EraseFailure::from)?;
        // Commands hold their journal for moments, and none of them tells its subjects twice.
        let patience = if directory == context.journal {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let done = erase_journal(&maintenance, ledger, &set, patience, deadline).await?;
        openings += done.openings;
        complete &= done.too_fresh == 0 && has_ended(ledger, &done, deadline).await?;
    }
    let order = Order {
        by: &user(),
        reason: &args.reason,
        at: context.now,
    };
    let rows = retention::erase(ledger, pseudonyms, &order).await?;
    let mut left = retention::clean(ledger, pseudonyms).await?;
    while !left.is_empty() && Instant::now() < deadline {
        // Somebody reads the ledger as it was.
        tokio::time::sleep(POLL).await;
        left = retention::clean(ledger, pseudonyms).await?;
    }
    left.extend(old_copy(ledger, pseudonyms)?);
    writeln!(
        out,
        "erased {openings} openings in the journal; in the ledger, from {} calls and {} tokens",
        rows.calls, rows.credentials
    )?;
    out.flush()?;
    if !complete {
        return Err(EraseFailure::UnderWay.into());
    }
    match left.into_iter().next() {
        None => Ok(()),
        Some(path) => Err(EraseFailure::Left(path).into()),
    }
}

/// The journal of the gateway and that of commands, as far as they are there.
pub(super) fn journals(context: &Context<'_>) -> Vec<PathBuf> {
    let all = [context.journal, context.own_calls.journal()];
    let there = all.into_iter().filter(|path| path.is_dir());
    there.map(Path::to_owned).collect()
}

/// Erases what is on disk, again and again until nothing is left that was too fresh.
async fn erase_journal(
    maintenance: &Maintenance,
    ledger: &LedgerPlace,
    wanted: &HashSet<Pseudonym>,
    patience: Duration,
    deadline: Instant,
) -> Result<Erased, AuditError> {
    let mut all = Erased::default();
    loop {
        let cursors = cursors(ledger).await?;
        let durable_to = |journal| {
            let cursor = cursors.iter().find(|cursor| cursor.journal == journal);
            cursor.map_or(0, |cursor| cursor.done_to)
        };
        let done = maintenance
            .erase(wanted, patience, durable_to)
            .map_err(EraseFailure::from)?;
        all = Erased {
            openings: all.openings + done.openings,
            last_seq: all.last_seq.max(done.last_seq),
            ..done
        };
        if done.too_fresh == 0 || Instant::now() >= deadline {
            return Ok(all);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn cursors(ledger: &LedgerPlace) -> Result<Vec<Cursor>, LedgerError> {
    Reader::open(ledger).await?.cursors().await
}

/// Whether every call that had an opening erased is in the ledger. Until then the gateway may hold
/// its first step in memory as it was, and write that.
async fn has_ended(
    ledger: &LedgerPlace,
    done: &Erased,
    deadline: Instant,
) -> Result<bool, AuditError> {
    let (Some(journal), Some(last), true) = (done.journal, done.last_seq, done.in_use) else {
        return Ok(true);
    };
    let is_behind = |cursor: &Cursor| cursor.journal == journal && cursor.resume_at > last;
    loop {
        if cursors(ledger).await?.iter().any(is_behind) {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The ledger that a rebuild has put aside, if it holds one of them.
fn old_copy(
    ledger: &LedgerPlace,
    pseudonyms: &[Pseudonym],
) -> Result<Option<PathBuf>, EraseFailure> {
    let Some(file) = ledger.file() else {
        return Ok(None);
    };
    let path = super::rebuild::put_aside(file);
    match retention::file_holds(&path, pseudonyms) {
        Ok(found) => Ok(found.then_some(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EraseFailure::Io { path, source }),
    }
}

/// The user whose rights the command has, by number: names can be set to anything.
pub(super) fn user() -> String {
    let owner = std::fs::metadata("/proc/self").map(|meta| meta.uid());
    owner.map_or_else(|_| "unknown".to_owned(), |uid| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(parse_reason(" request 7 "), Ok("request 7".to_owned()));
        for bad in ["", "  ", "a\nb", &"x".repeat(MAX_REASON + 1)] {
            assert!(parse_reason(bad).is_err(), "{bad:?}");
        }
    }
}
