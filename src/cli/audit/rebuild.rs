//! `egret audit rebuild`: the ledger is a copy of what the journal says, so it can be made anew.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{AuditError, Context, RebuildArgs};
use crate::adapters::journal::{Directory, DirectoryError, ReadError, Reader};
use crate::adapters::ledger::{LedgerPlace, SqliteStore, drain_all};
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
    let LedgerPlace::Sqlite(ledger) = ledger;
    let old = with_suffix(ledger, ".before-rebuild");
    if old.exists() {
        return Err(RebuildError::InTheWay(old).into());
    }
    let fresh = with_suffix(ledger, ".rebuilding");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(with_suffix(&fresh, suffix));
    }
    let mut store = SqliteStore::open(&fresh).await?;
    let calls = drain_all(&mut reader, &mut store)
        .await
        .map_err(RebuildError::Drain)?;
    let own = context.own_calls.drain_into(&mut store, PATIENCE).await;
    let own = own.map_err(RebuildError::Drain)?;
    store.close().await?;
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
