//! Writes batches of records into SQLite.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Executor};

use super::detail::write_detail;
use super::feed::RecordStore;
use super::schema::{LedgerError, open_writer};
use crate::domain::journal::{Batch, Cursor, Gap, JournalId, Leaves};
use crate::domain::record::{CallRecord, SubjectRole};
use crate::types::{Decision, Effect, Environment, Outcome, TokenType};

/// Rows per statement, largest first. Few distinct texts, so that SQLite keeps each prepared; in
/// powers of two, so that any batch takes few statements, for each is a trip to the thread on which
/// sqlx runs SQLite. Beyond 64 rows nothing more was gained.
const ROWS_PER_STATEMENT: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// The stored columns in the order of the bound values.
const CALL_COLUMNS: &str = "call_id, received_at, completed_at, caller, provider, service, \
    environment, operation, effect, token_type, token_fingerprint, minted_fingerprint, decision, \
    outcome, status, error_code, detail, journal, intent_seq, outcome_seq, completion_seq";
const CALL_VALUES: usize = 21;
const SUBJECT_COLUMNS: &str = "subject, call_id, role, kind";
const SUBJECT_VALUES: usize = 4;

/// Size to reserve for the JSON of a row: most are below.
const USUAL_DETAIL_BYTES: usize = 768;

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
        Ok(Open { conn, file })
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
        let rows: Vec<_> = records.iter().map(|record| (&**record, None)).collect();
        self.insert(&rows, None).await
    }

    async fn drain(&mut self, batch: &Batch) -> Result<usize, LedgerError> {
        let journal = batch.cursor.journal;
        let rows: Vec<_> = batch
            .calls
            .iter()
            .map(|call| (&*call.record, Some((journal, call.leaves))))
            .collect();
        self.insert(&rows, Some(batch)).await
    }

    async fn cursors(&mut self) -> Result<Vec<Cursor>, LedgerError> {
        let mut open = self.take_connection().await?;
        let cursors = read_cursors(&mut open.conn).await;
        self.conn = Some(open);
        cursors.map_err(|source| LedgerError::database(&self.path, "read", source))
    }
}

/// A record and the events that it was made of.
type CallRow<'a> = (&'a CallRecord, Option<(JournalId, Leaves)>);

impl SqliteStore {
    /// Writes all rows in one durable transaction and says how many were not there before.
    async fn insert(
        &mut self,
        rows: &[CallRow<'_>],
        batch: Option<&Batch>,
    ) -> Result<usize, LedgerError> {
        let mut open = self.take_connection().await?;
        match insert(&mut open.conn, &self.statements, rows, batch).await {
            Ok(added) => {
                self.conn = Some(open);
                Ok(added)
            }
            Err(source) => {
                // Release the file's locks before the next try opens it again.
                let _ = open.conn.close().await;
                Err(LedgerError::database(&self.path, "write to", source))
            }
        }
    }

    /// Closes the ledger, so that all of it is in its one file.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn close(mut self) -> Result<(), LedgerError> {
        if let Some(open) = self.conn.take() {
            open.conn
                .close()
                .await
                .map_err(|source| LedgerError::database(&self.path, "close", source))?;
        }
        Ok(())
    }
}

async fn read_cursors(conn: &mut SqliteConnection) -> Result<Vec<Cursor>, sqlx::Error> {
    let rows: Vec<(Vec<u8>, i64, i64)> =
        sqlx::query_as("SELECT journal, resume_at, done_to FROM journal_cursors")
            .fetch_all(conn)
            .await?;
    let cursors = rows
        .into_iter()
        .filter_map(|(journal, resume_at, done_to)| {
            Some(Cursor {
                journal: JournalId::from_bytes(journal.try_into().ok()?),
                resume_at: resume_at.try_into().ok()?,
                done_to: done_to.try_into().ok()?,
            })
        });
    Ok(cursors.collect())
}

/// Counts of events fit: it takes 300,000 years at a million a second to exceed SQLite's integers.
fn stored(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

async fn write_cursor(conn: &mut SqliteConnection, cursor: &Cursor) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO journal_cursors (journal, resume_at, done_to) VALUES (?, ?, ?) \
         ON CONFLICT (journal) DO UPDATE SET resume_at = excluded.resume_at, \
         done_to = excluded.done_to",
    )
    .bind(&cursor.journal.as_bytes()[..])
    .bind(stored(cursor.resume_at))
    .bind(stored(cursor.done_to))
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_gap(
    conn: &mut SqliteConnection,
    journal: JournalId,
    seq: u64,
    gap: &Gap,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO journal_gaps (journal, seq, began_at, ended_at, refused, shed, dropped) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (journal, seq) DO NOTHING",
    )
    .bind(&journal.as_bytes()[..])
    .bind(stored(seq))
    .bind(gap.from.0)
    .bind(gap.to.0)
    .bind(stored(gap.refused))
    .bind(stored(gap.shed))
    .bind(stored(gap.dropped))
    .execute(conn)
    .await?;
    Ok(())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The texts of the insert statements, one per count of rows.
struct Statements {
    calls: [Arc<str>; ROWS_PER_STATEMENT.len()],
    subjects: [Arc<str>; ROWS_PER_STATEMENT.len()],
}

impl Statements {
    fn new() -> Self {
        Self {
            // Not `INSERT OR IGNORE`, which would also swallow other conflicts.
            calls: ROWS_PER_STATEMENT
                .map(|rows| insert_sql("records", CALL_COLUMNS, CALL_VALUES, rows, "(call_id)")),
            subjects: ROWS_PER_STATEMENT.map(|rows| {
                let key = "(subject, call_id, role)";
                insert_sql("call_subjects", SUBJECT_COLUMNS, SUBJECT_VALUES, rows, key)
            }),
        }
    }
}

fn insert_sql(table: &str, columns: &str, values: usize, rows: usize, key: &str) -> Arc<str> {
    let row = format!("({})", vec!["?"; values].join(","));
    let rows = vec![row.as_str(); rows].join(",");
    format!("INSERT INTO {table} ({columns}) VALUES {rows} ON CONFLICT {key} DO NOTHING").into()
}

async fn insert(
    conn: &mut SqliteConnection,
    statements: &Statements,
    records: &[CallRow<'_>],
    batch: Option<&Batch>,
) -> Result<usize, sqlx::Error> {
    // Immediate: a transaction that begins as a reader cannot wait for another writer.
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
    let mut added = 0;
    let calls = chunks(records, &statements.calls, CALL_VALUES, |row, values| {
        bind_call(row, values)
    });
    for (sql, values) in calls {
        let query = sqlx::query_with(AssertSqlSafe(sql), values?);
        added += transaction.execute(query).await?.rows_affected();
    }
    let subjects: Vec<_> = records
        .iter()
        .flat_map(|(record, _)| record.subjects.iter().map(move |subject| (record, subject)))
        .collect();
    let subjects = chunks(
        &subjects,
        &statements.subjects,
        SUBJECT_VALUES,
        |(record, subject), values| {
            values.add(&subject.pseudonym.as_bytes()[..])?;
            values.add(&record.call_id.as_bytes()[..])?;
            values.add(WORDS.role(subject.role))?;
            values.add(Arc::clone(&subject.kind))
        },
    );
    for (sql, values) in subjects {
        transaction
            .execute(sqlx::query_with(AssertSqlSafe(sql), values?))
            .await?;
    }
    if let Some(batch) = batch {
        for (seq, gap) in &batch.gaps {
            write_gap(&mut transaction, batch.cursor.journal, *seq, gap).await?;
        }
        write_cursor(&mut transaction, &batch.cursor).await?;
    }
    transaction.commit().await?;
    Ok(usize::try_from(added).unwrap_or(usize::MAX))
}

type BindError = sqlx::error::BoxDynError;

/// Cuts rows into pieces of the allowed sizes and binds each piece.
fn chunks<'a, T>(
    mut rows: &'a [T],
    statements: &'a [Arc<str>; ROWS_PER_STATEMENT.len()],
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
    (record, source): &CallRow<'_>,
    values: &mut SqliteArguments,
) -> Result<(), BindError> {
    let target = &record.target;
    let credential = &record.credential;
    let minted = record.mint.as_ref().and_then(|mint| mint.fingerprint);
    let mut detail = String::with_capacity(USUAL_DETAIL_BYTES);
    write_detail(&mut detail, record);

    values.add(&record.call_id.as_bytes()[..])?;
    values.add(record.times.received_at.0)?;
    values.add(record.times.completed_at.map(|at| at.0))?;
    values.add(record.caller.name.clone())?;
    values.add(target.provider.clone())?;
    values.add(target.service.clone())?;
    values.add(target.environment.map(|word| WORDS.environment(word)))?;
    let operation = target.operation.as_ref().unwrap_or(&WORDS.unknown);
    values.add(Arc::clone(operation))?;
    values.add(target.effect.map(|word| WORDS.effect(word)))?;
    values.add(WORDS.token_type(credential.token_type))?;
    values.add(credential.fingerprint.as_ref().map(|f| &f.as_bytes()[..]))?;
    values.add(minted.as_ref().map(|f| &f.as_bytes()[..]))?;
    values.add(WORDS.decision(record.decision))?;
    values.add(WORDS.outcome(record.outcome))?;
    values.add(record.status.map(i64::from))?;
    values.add(record.error_code.as_deref())?;
    values.add(detail)?;
    values.add(source.as_ref().map(|(journal, _)| &journal.as_bytes()[..]))?;
    let leaves = source.map(|(_, leaves)| leaves).unwrap_or_default();
    for seq in [leaves.intent, leaves.outcome, leaves.completion] {
        values.add(seq.map(stored))?;
    }
    Ok(())
}

/// The vocabulary as shared strings: binding one is a count up, not an allocation. A test checks
/// that the order of declaration is the index.
struct Words {
    environments: Vec<Arc<str>>,
    effects: Vec<Arc<str>>,
    token_types: Vec<Arc<str>>,
    decisions: Vec<Arc<str>>,
    outcomes: Vec<Arc<str>>,
    roles: [Arc<str>; 4],
    unknown: Arc<str>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| Words {
    environments: shared(Environment::ALL, |word| word.as_str()),
    effects: shared(Effect::ALL, |word| word.as_str()),
    token_types: shared(TokenType::ALL, |word| word.as_str()),
    decisions: shared(Decision::ALL, |word| word.as_str()),
    outcomes: shared(Outcome::ALL, |word| word.as_str()),
    roles: ROLES.map(|role| Arc::from(role.as_str())),
    unknown: Arc::from("unknown"),
});

const ROLES: [SubjectRole; 4] = [
    SubjectRole::Token,
    SubjectRole::Request,
    SubjectRole::Response,
    SubjectRole::OnBehalfOf,
];

fn shared<T: Copy>(all: &[T], spell: impl Fn(T) -> &'static str) -> Vec<Arc<str>> {
    all.iter().map(|word| Arc::from(spell(*word))).collect()
}

/// Looks a word up by its place; one that is not in the table is spelled out anew.
fn pick(words: &[Arc<str>], index: usize, spelling: &'static str) -> Arc<str> {
    words
        .get(index)
        .map_or_else(|| Arc::from(spelling), Arc::clone)
}

impl Words {
    fn environment(&self, word: Environment) -> Arc<str> {
        pick(&self.environments, word as usize, word.as_str())
    }
    fn effect(&self, word: Effect) -> Arc<str> {
        pick(&self.effects, word as usize, word.as_str())
    }
    fn token_type(&self, word: TokenType) -> Arc<str> {
        pick(&self.token_types, word as usize, word.as_str())
    }
    fn decision(&self, word: Decision) -> Arc<str> {
        pick(&self.decisions, word as usize, word.as_str())
    }
    fn outcome(&self, word: Outcome) -> Arc<str> {
        pick(&self.outcomes, word as usize, word.as_str())
    }
    fn role(&self, role: SubjectRole) -> Arc<str> {
        pick(&self.roles, role as usize, role.as_str())
    }
}

#[cfg(test)]
mod tests;
