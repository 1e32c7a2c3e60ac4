//! What erasing leaves behind in the files of a ledger, and what a new ledger takes over from the
//! old one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memchr::memmem;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use super::schema::open_writer;
use crate::adapters::ledger::LedgerError;
use crate::domain::record::Pseudonym;

/// Companions of a ledger file that may hold copies of its pages.
const COMPANIONS: [&str; 2] = ["", "-wal"];

/// How long connections may take to be closed.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Pause between two looks whether they are.
const SETTLE_POLL: Duration = Duration::from_millis(10);

/// Read at a time when a file is searched.
const PIECE: usize = 1 << 20;

/// Brings what is in the write-ahead log into the file and empties it: it holds pages as they were.
/// Then, if a copy of something is left in a page that is not in use, writes the file anew. Gives
/// the files that still hold something of the subjects, as while somebody reads an older state.
///
/// # Errors
/// [`LedgerError`].
pub async fn clean(path: &Path, pseudonyms: &[Pseudonym]) -> Result<Vec<PathBuf>, LedgerError> {
    let place = path.into();
    let mut conn = open_writer(path).await?;
    let failed = |source| LedgerError::database(&place, "clean", source);
    empty_log(&mut conn).await.map_err(failed)?;
    let mut left = holding(path, pseudonyms)?;
    if left.iter().any(|file| file == path) {
        match conn.execute("VACUUM").await {
            Ok(_) => {}
            // Somebody reads or writes; what is left is said.
            Err(error) if is_busy(&error) => {}
            Err(error) => return Err(failed(error)),
        }
        empty_log(&mut conn).await.map_err(failed)?;
        left = holding(path, pseudonyms)?;
    }
    conn.close()
        .await
        .map_err(|source| LedgerError::database(&place, "close", source))?;
    Ok(left)
}

async fn empty_log(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    match conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
        Err(error) if !is_busy(&error) => Err(error),
        _ => Ok(()),
    }
}

/// SQLITE_BUSY and SQLITE_LOCKED, with whatever they are extended by.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Which of a ledger's files hold one of the pseudonyms, in either spelling.
fn holding(path: &Path, pseudonyms: &[Pseudonym]) -> Result<Vec<PathBuf>, LedgerError> {
    let mut found = Vec::new();
    for suffix in COMPANIONS {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        match holds(&file, pseudonyms) {
            Ok(true) => found.push(file),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(LedgerError::Io {
                    doing: "search",
                    path: file,
                    source,
                });
            }
        }
    }
    Ok(found)
}

/// Whether a file holds one of the pseudonyms, as bytes or as hexadecimal digits.
///
/// # Errors
/// What the system says.
pub fn holds(path: &Path, pseudonyms: &[Pseudonym]) -> io::Result<bool> {
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for pseudonym in pseudonyms {
        needles.push(pseudonym.as_bytes().to_vec());
        needles.push(pseudonym.to_string().into_bytes());
    }
    // What of a needle may lie at the end of a piece.
    let overlap = needles.iter().map(Vec::len).max().unwrap_or(1) - 1;
    let mut file = File::open(path)?;
    let mut buffer = Vec::new();
    loop {
        let kept = buffer.len().min(overlap);
        buffer.drain(..buffer.len() - kept);
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut buffer)?;
        let is_there = |needle: &Vec<u8>| memmem::find(&buffer, needle).is_some();
        if needles.iter().any(is_there) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
    }
}

/// Copies the tables that no journal has, as they are.
pub(in crate::adapters::ledger) async fn carry_over(
    conn: &mut SqliteConnection,
    from: &Path,
    to: &Path,
) -> Result<(), LedgerError> {
    let place = to.into();
    let failed = |source| LedgerError::database(&place, "write to", source);
    let from = from.to_string_lossy();
    sqlx::query("ATTACH ? AS old")
        .bind(&*from)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    let copy = "BEGIN IMMEDIATE; \
        INSERT INTO maintenance SELECT * FROM old.maintenance; \
        INSERT INTO holds SELECT * FROM old.holds; \
        COMMIT; DETACH old";
    conn.execute(copy).await.map(|_| ()).map_err(failed)
}

/// Sees to it that the file alone is the whole ledger, so that it can be renamed: what is in its
/// write-ahead log would be left behind under the old name. Waits for connections of this process
/// that are still being closed.
///
/// # Errors
/// [`LedgerError`]; also when somebody else has it open.
pub async fn settle(path: &Path) -> Result<(), LedgerError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    let deadline = Instant::now() + SETTLE_TIME;
    loop {
        let place = path.into();
        let mut conn = open_writer(path).await?;
        let emptied = empty_log(&mut conn).await;
        emptied.map_err(|source| LedgerError::database(&place, "write to", source))?;
        conn.close()
            .await
            .map_err(|source| LedgerError::database(&place, "close", source))?;
        match std::fs::metadata(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(meta) if meta.len() == 0 => return Ok(()),
            Ok(_) if Instant::now() < deadline => tokio::time::sleep(SETTLE_POLL).await,
            found => {
                let in_use = || io::Error::from(io::ErrorKind::ResourceBusy);
                return Err(LedgerError::Io {
                    doing: "bring in",
                    source: found.err().unwrap_or_else(in_use),
                    path: log,
                });
            }
        }
    }
}
