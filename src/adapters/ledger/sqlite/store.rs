//! Writes batches of records into SQLite.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Executor};

use super::schema::open_writer;
use crate::adapters::ledger::detail::write_rest;
use crate::adapters::ledger::entries::{Entries, Known};
use crate::adapters::ledger::feed::cursor;
use crate::adapters::ledger::{LedgerError, RecordStore};
use crate::domain::journal::{Batch, Cursor, Gap, Leaves};
use crate::domain::record::{CallRecord, Subject, SubjectRole};
use crate::types::{Micros, Outcome};

mod checkpoints;
mod dictionary;

use dictionary::InSqlite;

/// Rows per statement, largest first. Few distinct texts, so that SQLite keeps each prepared; in
/// powers of four, so that any batch takes few statements, for each is a trip to the thread on which
/// sqlx runs SQLite. The largest stays far below SQLite's 32,766 values.
const ROWS_PER_STATEMENT: [usize; 5] = [256, 64, 16, 4, 1];

/// The stored columns in the order of the bound values.
const CALL_COLUMNS: &str = "call_id, received_at, forwarded_after, first_byte_after, \
    completed_after, profile_id, credential_id, minted_fingerprint, outcome, status, error_code, \
    attempts, request_bytes, response_bytes, trace_high, trace_low, detail, activity_id, \
    journal_id, intent_seq, outcome_seq, completion_seq";
const CALL_VALUES: usize = 22;
const SUBJECT_COLUMNS: &str = "subject, call_id";
const SUBJECT_VALUES: usize = 2;

/// Size to reserve for the JSON of a row: most are below.
const USUAL_DETAIL_BYTES: usize = 192;

/// The writing end of a SQLite ledger.
pub struct SqliteStore {
    path: PathBuf,
    conn: Option<Open>,
    statements: Statements,
    /// Lets a test make the disk look full: the most pages that the file may have.
    #[cfg(test)]
    max_pages: Option<Arc<std::sync::atomic::AtomicUsize>>,
}

struct Open {
    conn: SqliteConnection,
    known: Known,
    /// Of the ledger as `known` knows it: changes when another connection has written.
    data_version: i64,
    /// Device and inode: the file that is open, whatever its path leads to by now.
    file: (u64, u64),
}

impl SqliteStore {
    /// Opens the ledger, creating and migrating it as needed.
    ///
    /// # Errors
    /// [`LedgerError`], see [`open_writer`].
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut store = Self {
            path: path.into(),
            conn: None,
            statements: Statements::new(),
            #[cfg(test)]
            max_pages: None,
        };
        store.conn = Some(store.connect().await?);
        Ok(store)
    }

    #[cfg(test)]
    pub(crate) async fn limit_pages(&mut self, pages: Arc<std::sync::atomic::AtomicUsize>) {
        self.max_pages = Some(pages);
        self.conn = Some(self.connect().await.unwrap());
    }

    async fn connect(&self) -> Result<Open, LedgerError> {
        #[cfg_attr(not(test), expect(unused_mut))]
        let mut conn = open_writer(&self.path).await?;
        #[cfg(test)]
        if let Some(pages) = &self.max_pages {
            let pages = pages.load(std::sync::atomic::Ordering::SeqCst);
            let pragma = format!("PRAGMA max_page_count = {pages}");
            conn.execute(AssertSqlSafe(pragma)).await.unwrap();
        }
        let file = identity(&self.path).ok_or_else(|| LedgerError::Replaced {
            path: self.path.clone(),
        })?;
        Ok(Open {
            conn,
            known: Known::default(),
            data_version: 0,
            file,
        })
    }

    /// The open connection, or a new one: after an error none is kept, since a new one has no past.
    async fn take_connection(&mut self) -> Result<Open, LedgerError> {
        match self.conn.take() {
            // Rows written to a deleted file would be lost with it.
            Some(open) if identity(&self.path) == Some(open.file) => Ok(open),
            Some(_) => Err(LedgerError::Replaced {
                path: self.path.clone(),
            }),
            None => self.connect().await,
        }
    }
}

impl RecordStore for SqliteStore {
    type Error = LedgerError;

    async fn write(&mut self, records: &[Box<CallRecord>]) -> Result<usize, LedgerError> {
        let rows = records.iter().map(|record| (&**record, Leaves::default()));
        self.insert(rows.collect(), None).await
    }

    async fn drain(&mut self, batch: &Batch) -> Result<usize, LedgerError> {
        let rows = batch.calls.iter().map(|call| (&*call.record, call.leaves));
        self.insert(rows.collect(), Some(batch)).await
    }

    async fn cursors(&mut self) -> Result<Vec<Cursor>, LedgerError> {
        let mut open = self.take_connection().await?;
        let cursors = read_cursors(&mut open.conn).await;
        self.conn = Some(open);
        cursors.map_err(|source| LedgerError::database(&self.path.as_path().into(), "read", source))
    }
}

/// A record and the events that it was made of.
type CallRow<'a> = (&'a CallRecord, Leaves);

impl SqliteStore {
    /// Writes all rows in one durable transaction and says how many were not there before.
    async fn insert(
        &mut self,
        rows: Vec<CallRow<'_>>,
        batch: Option<&Batch>,
    ) -> Result<usize, LedgerError> {
        let mut open = self.take_connection().await?;
        match insert(&mut open, &self.statements, rows, batch).await {
            Ok(added) => {
                self.conn = Some(open);
                Ok(added)
            }
            Err(source) => {
                // Release the file's locks before the next try opens it again.
                let _ = open.conn.close().await;
                Err(LedgerError::database(
                    &self.path.as_path().into(),
                    "write to",
                    source,
                ))
            }
        }
    }

    /// Closes the ledger, so that all of it is in its one file.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn close(mut self) -> Result<(), LedgerError> {
        if let Some(open) = self.conn.take() {
            open.conn.close().await.map_err(|source| {
                LedgerError::database(&self.path.as_path().into(), "close", source)
            })?;
        }
        Ok(())
    }
}

async fn read_cursors(conn: &mut SqliteConnection) -> Result<Vec<Cursor>, sqlx::Error> {
    let rows: Vec<(Vec<u8>, i64, i64)> =
        sqlx::query_as("SELECT journal, resume_at, done_to FROM journals")
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().filter_map(cursor).collect())
}

/// Moves the cursor of a journal; gives the journal's number in this ledger.
async fn write_cursor(conn: &mut SqliteConnection, cursor: &Cursor) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO journals (journal, resume_at, done_to) VALUES (?, ?, ?) \
         ON CONFLICT (journal) DO UPDATE SET resume_at = excluded.resume_at, \
         done_to = excluded.done_to RETURNING id",
    )
    .bind(&cursor.journal.as_bytes()[..])
    .bind(count(cursor.resume_at))
    .bind(count(cursor.done_to))
    .fetch_one(conn)
    .await
}

async fn write_gap(
    conn: &mut SqliteConnection,
    journal_id: i64,
    seq: u64,
    gap: &Gap,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO journal_gaps (journal_id, seq, began_at, ended_at, refused, shed, dropped) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (journal_id, seq) DO NOTHING",
    )
    .bind(journal_id)
    .bind(count(seq))
    .bind(gap.from.0)
    .bind(gap.to.0)
    .bind(count(gap.refused))
    .bind(count(gap.shed))
    .bind(count(gap.dropped))
    .execute(conn)
    .await?;
    Ok(())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The texts of a statement, one per count of rows.
type Texts = [Arc<str>; ROWS_PER_STATEMENT.len()];

/// The texts of the insert statements.
struct Statements {
    calls: Texts,
    subjects: Texts,
}

impl Statements {
    fn new() -> Self {
        Self {
            calls: ROWS_PER_STATEMENT
                .map(|rows| insert_sql("records", CALL_COLUMNS, CALL_VALUES, rows, "(call_id)")),
            subjects: ROWS_PER_STATEMENT.map(|rows| {
                let key = "(subject, call_id)";
                insert_sql("call_subjects", SUBJECT_COLUMNS, SUBJECT_VALUES, rows, key)
            }),
        }
    }
}

/// Not `OR IGNORE`, which would also swallow other conflicts than that of the key. `OR ROLLBACK`,
/// because a batch fails as a whole anyway: a statement that could fail alone has to copy every
/// page that it changes first.
fn insert_sql(table: &str, columns: &str, values: usize, rows: usize, key: &str) -> Arc<str> {
    let row = format!("({})", vec!["?"; values].join(","));
    let rows = vec![row.as_str(); rows].join(",");
    format!(
        "INSERT OR ROLLBACK INTO {table} ({columns}) VALUES {rows} ON CONFLICT {key} DO NOTHING"
    )
    .into()
}

async fn insert(
    open: &mut Open,
    statements: &Statements,
    mut records: Vec<CallRow<'_>>,
    batch: Option<&Batch>,
) -> Result<usize, sqlx::Error> {
    // In the order of the unique index, most inserts go where the one before went.
    records.sort_unstable_by_key(|(record, _)| record.call_id);
    // Immediate: a transaction that begins as a reader cannot wait for another writer.
    let mut transaction = open.conn.begin_with("BEGIN IMMEDIATE").await?;
    // A command may have erased what an entry says: calls to come need one of their own.
    let data_version = sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(&mut *transaction)
        .await?;
    if data_version != open.data_version {
        open.data_version = data_version;
        open.known = Known::default();
    }
    let calls = records.iter().map(|(record, _)| *record);
    let entries = open
        .known
        .resolve(&mut InSqlite(&mut transaction), calls)
        .await?;
    let rows: Vec<_> = records
        .iter()
        .zip(entries)
        .map(|((record, leaves), entries)| (*record, entries, *leaves))
        .collect();
    let mut journal_id = None;
    if let Some(batch) = batch {
        let id = write_cursor(&mut transaction, &batch.cursor).await?;
        for (seq, gap) in &batch.gaps {
            write_gap(&mut transaction, id, *seq, gap).await?;
        }
        journal_id = Some(id);
    }
    let mut added = 0;
    let calls = chunks(&rows, &statements.calls, CALL_VALUES, |row, values| {
        bind_call(row.0, row.1, values)?;
        values.add(journal_id)?;
        for seq in [row.2.intent, row.2.outcome, row.2.completion] {
            values.add(seq.map(count))?;
        }
        Ok(())
    });
    for (sql, values) in calls {
        let query = sqlx::query_with(AssertSqlSafe(sql), values?);
        added += transaction.execute(query).await?.rows_affected();
    }
    let subjects: Vec<(&CallRecord, &Subject)> = records
        .iter()
        .flat_map(|(record, _)| {
            record
                .subjects
                .iter()
                .map(move |subject| (*record, subject))
        })
        .filter(|(_, subject)| subject.role != SubjectRole::Token)
        .filter(|(_, subject)| subject.pseudonym.is_some())
        .collect();
    let subjects = chunks(
        &subjects,
        &statements.subjects,
        SUBJECT_VALUES,
        |(record, subject), values| {
            values.add(subject.pseudonym.as_ref().map(|p| &p.as_bytes()[..]))?;
            values.add(&record.call_id.as_bytes()[..])
        },
    );
    for (sql, values) in subjects {
        transaction
            .execute(sqlx::query_with(AssertSqlSafe(sql), values?))
            .await?;
    }
    transaction.commit().await?;
    Ok(usize::try_from(added).unwrap_or(usize::MAX))
}

type BindError = sqlx::error::BoxDynError;

/// Cuts rows into pieces of the allowed sizes and binds each piece.
fn chunks<'a, T>(
    mut rows: &'a [T],
    statements: &'a Texts,
    values_per_row: usize,
    bind: impl Fn(&T, &mut SqliteArguments) -> Result<(), BindError> + 'a,
) -> impl Iterator<Item = (Arc<str>, Result<SqliteArguments, sqlx::Error>)> + 'a {
    let sizes = ROWS_PER_STATEMENT.iter().zip(statements);
    std::iter::from_fn(move || {
        let (size, sql) = sizes.clone().find(|(size, _)| **size <= rows.len())?;
        let (piece, rest) = rows.split_at(*size);
        rows = rest;
        let mut values = SqliteArguments::default();
        Arguments::reserve(&mut values, size * values_per_row, 0);
        let bound = piece.iter().try_for_each(|row| bind(row, &mut values));
        let bound = bound.map(|()| values).map_err(sqlx::Error::Encode);
        Some((Arc::clone(sql), bound))
    })
}

fn bind_call(
    record: &CallRecord,
    entries: Entries,
    values: &mut SqliteArguments,
) -> Result<(), BindError> {
    let times = &record.times;
    let traffic = &record.traffic;
    let after = |at: Option<Micros>| at.map(|at| at.0.saturating_sub(times.received_at.0));
    let minted = record.mint.as_ref().and_then(|mint| mint.fingerprint);
    let trace = record.trace_id.as_ref().map(|id| halves(id.as_bytes()));
    let mut detail = String::with_capacity(USUAL_DETAIL_BYTES);
    write_rest(&mut detail, record);

    values.add(&record.call_id.as_bytes()[..])?;
    values.add(times.received_at.0)?;
    values.add(after(times.forwarded_at))?;
    values.add(after(times.first_byte_at))?;
    values.add(after(times.completed_at))?;
    values.add(entries.profile)?;
    values.add(entries.credential)?;
    values.add(minted.as_ref().map(|f| &f.as_bytes()[..]))?;
    values.add(outcome_text(record.outcome))?;
    values.add(record.status.map(i64::from))?;
    values.add(record.error_code.as_deref())?;
    values.add(i64::from(traffic.attempts))?;
    values.add(count(traffic.request_bytes))?;
    values.add(count(traffic.response_bytes))?;
    values.add(trace.map(|(high, _)| high))?;
    values.add(trace.map(|(_, low)| low))?;
    values.add((!detail.is_empty()).then_some(detail))?;
    values.add(entries.activity)
}

/// A count. Those beyond what SQLite's integers hold are written as the largest.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Sixteen bytes as two numbers: they are bound without an allocation.
fn halves(bytes: &[u8; 16]) -> (i64, i64) {
    let number = u128::from_be_bytes(*bytes);
    ((number >> 64) as i64, number as i64)
}

/// The outcomes as shared strings: binding one is a count up, not an allocation.
static OUTCOMES: LazyLock<Vec<(Outcome, Arc<str>)>> = LazyLock::new(|| {
    let spelled = |outcome: &Outcome| (*outcome, Arc::from(outcome.as_str()));
    Outcome::ALL.iter().map(spelled).collect()
});

fn outcome_text(outcome: Outcome) -> Arc<str> {
    let shared = OUTCOMES.iter().find(|(word, _)| *word == outcome);
    shared.map_or_else(|| outcome.as_str().into(), |(_, text)| Arc::clone(text))
}

#[cfg(test)]
mod tests;
