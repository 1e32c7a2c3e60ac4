//! `egret audit rebuild`: the ledger is a copy of what the journal says, so it can be made anew.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{AuditError, Context, RebuildArgs};
use crate::adapters::journal::{Directory, DirectoryError, ReadError, Reader};
use crate::adapters::ledger::{
    LedgerPlace, PostgresStore, RecordStore, SqliteStore, drain_all, hold, retention,
};
use crate::app::own_calls::{PATIENCE, Tally};
use crate::domain::journal::Source;
use crate::domain::own::{OwnCall, OwnOperation};

/// Files that belong to a ledger besides itself.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Why a ledger was not rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The journal is in use, or its directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows could not be made of it or written.
    #[error("the ledger was not rebuilt, the old one is as it was: {0}")]
    Drain(String),
    /// The shared ledger has rows of this journal, and none of its rows is ever removed.
    #[error(
        "the ledger {0} has calls of this journal already and is append-only: the gateway goes on \
         where it stands. To rebuild it, name an empty database"
    )]
    NotEmpty(LedgerPlace),
    /// The rest can be written later.
    #[error("the ledger lacks a part, the gateway brings it in when it starts: {0}")]
    Cut(String),
    /// The journal lacks its beginning.
    #[error(
        "the journal begins with event {0}: what came before it cannot be rebuilt. To make a ledger \
         without that, say --partial"
    )]
    Pruned(u64),
    /// An older rebuild left something.
    #[error("{0} is there already: move it away first, it may be the only copy of an old ledger")]
    InTheWay(PathBuf),
    /// The system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a rebuild puts the old ledger.
pub(super) fn put_aside(ledger: &Path) -> PathBuf {
    with_suffix(ledger, ".before-rebuild")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn rename(from: &Path, to: &Path) -> Result<(), RebuildError> {
    std::fs::rename(from, to).map_err(|source| RebuildError::Io {
        doing: "rename",
        path: from.to_owned(),
        source,
    })
}

pub(super) async fn run(
    ledger: &LedgerPlace,
    args: &RebuildArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let call = OwnCall::new(OwnOperation::AuditRebuild);
    let work = async |_: &mut Tally| rebuild(ledger, args, context, out).await;
    context.record(call, work).await
}

async fn rebuild(
    ledger: &LedgerPlace,
    args: &RebuildArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    // First, so that nothing is made where there is no journal.
    let mut reader = Reader::open(context.journal).map_err(RebuildError::from)?;
    // For as long as this goes on no gateway may feed the ledger.
    let _lock = Directory::open(context.journal).map_err(RebuildError::from)?;
    reader.seek(None).map_err(RebuildError::from)?;
    let first = reader.next_seq();
    if first > 0 && !args.partial {
        return Err(RebuildError::Pruned(first).into());
    }
    match ledger {
        LedgerPlace::Sqlite(path) => into_file(path, &mut reader, context, out).await?,
        LedgerPlace::Postgres(place) => {
            let mut store = PostgresStore::open(place).await?;
            let cursors = store.cursors().await?;
            if cursors.iter().any(|at| at.journal == reader.journal()) {
                return Err(RebuildError::NotEmpty(ledger.clone()).into());
            }
            let calls = drain_all(&mut reader, &mut store)
                .await
                .map_err(RebuildError::Cut)?;
            let own = context.own_calls.drain_into(&mut store, PATIENCE).await;
            let own = own.map_err(RebuildError::Cut)?;
            hold::restore(ledger).await?;
            writeln!(
                out,
                "{calls} calls and {own} of Egret's own commands are in the ledger {ledger}"
            )?;
        }
    }
    let open = reader.open_calls();
    if open > 0 {
        writeln!(
            out,
            "{open} calls had not ended when the gateway stopped; they come as `unknown` when it \
             starts again"
        )?;
    }
    Ok(())
}

/// A file is made anew beside the old one, which is kept.
async fn into_file(
    ledger: &Path,
    reader: &mut Reader,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let old = put_aside(ledger);
    if old.exists() {
        return Err(RebuildError::InTheWay(old).into());
    }
    let fresh = with_suffix(ledger, ".rebuilding");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(with_suffix(&fresh, suffix));
    }
    let mut store = SqliteStore::open(&fresh).await?;
    let calls = drain_all(reader, &mut store)
        .await
        .map_err(RebuildError::Drain)?;
    let own = context.own_calls.drain_into(&mut store, PATIENCE).await;
    let own = own.map_err(RebuildError::Drain)?;
    store.close().await?;
    if ledger.exists()
        && let Err(error) = retention::carry_over(ledger, &fresh).await
    {
        // It may be what the rebuild is for. Holds come back from the record of commands.
        (context.notice)(&format!(
            "what was erased and pruned, and why, is only in the old ledger: {error}"
        ));
    }
    hold::restore(&fresh.as_path().into()).await?;
    retention::settle_file(&fresh).await?;
    if ledger.exists() {
        for suffix in COMPANIONS {
            let companion = with_suffix(ledger, suffix);
            if companion.exists() {
                rename(&companion, &with_suffix(&old, suffix))?;
            }
        }
        rename(ledger, &old)?;
    }
    rename(&fresh, ledger)?;
    writeln!(
        out,
        "{calls} calls and {own} of Egret's own commands are in the new ledger {}",
        ledger.display()
    )?;
    Ok(())
}
