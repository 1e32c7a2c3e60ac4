//! Writes batches of records into Postgres.
//!
//! A batch travels as one array a column (`UNNEST`): three statements whatever its size. `COPY`
//! would be faster over a local socket, but over TCP each one waits 40 ms for an acknowledgement.

use std::ops::Range;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Executor};

use super::dictionary::InPostgres;
use super::schema::{open_writer, within};
use super::text::{clean, clean_json};
use crate::adapters::ledger::detail::write_rest;
use crate::adapters::ledger::entries::{Entries, Known};
use crate::adapters::ledger::feed::cursor;
use crate::adapters::ledger::{LedgerError, LedgerPlace, RecordStore};
use crate::domain::config::PostgresPlace;
use crate::domain::journal::{Batch, Cursor, Gap, Leaves};
use crate::domain::record::{CallRecord, SubjectRole};
use crate::types::Micros;

/// Longest time for a batch. The server gives up a statement sooner; this is for a server that is
/// gone without a word.
pub(super) const BATCH_TIMEOUT: Duration = Duration::from_secs(60);

/// How long before the end of a month the partitions of the next are made. Months are shorter.
const AHEAD_MILLIS: i64 = 31 * 24 * 3_600 * 1_000;

/// When partitions could not be made, their rows go to the default ones; how long until the next
/// try.
const PARTITION_RETRY: Duration = Duration::from_secs(60);

/// The stored columns and the types of their arrays, in the order of the bound values. The journal
/// is the same for all rows.
const COLUMNS: [(&str, &str); 21] = [
    ("call_id", "bytea"),
    ("received_at", "bigint"),
    ("forwarded_after", "bigint"),
    ("first_byte_after", "bigint"),
    ("completed_after", "bigint"),
    ("profile_id", "bigint"),
    ("credential_id", "bigint"),
    ("minted_fingerprint", "bytea"),
    ("outcome", "text"),
    ("status", "bigint"),
    ("error_code", "text"),
    ("attempts", "bigint"),
    ("request_bytes", "bigint"),
    ("response_bytes", "bigint"),
    ("trace_high", "bigint"),
    ("trace_low", "bigint"),
    ("detail", "text"),
    ("activity_id", "bigint"),
    ("intent_seq", "bigint"),
    ("outcome_seq", "bigint"),
    ("completion_seq", "bigint"),
];

const INSERT_SUBJECTS: &str = "INSERT INTO egret.call_subjects (subject, call_id) \
    SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING";

/// The writing end of a ledger in Postgres.
pub struct PostgresStore {
    place: PostgresPlace,
    pub(super) conn: Option<Open>,
    insert_calls: String,
}

pub(super) struct Open {
    pub(super) conn: PgConnection,
    known: Known,
    /// The last change of the ledger that `known` has seen.
    maintained: i64,
    partitions: Partitions,
}

impl PostgresStore {
    /// A store that connects with the first use.
    pub fn new(place: PostgresPlace) -> Self {
        let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
        let arrays: Vec<_> = (1..)
            .zip(COLUMNS)
            .map(|(number, (_, kind))| format!("${number}::{kind}[]"))
            .collect();
        let journal = COLUMNS.len() + 1;
        let insert_calls = format!(
            "INSERT INTO egret.records ({}, journal_id) SELECT u.*, ${journal}::bigint \
             FROM unnest({}) AS u ON CONFLICT (call_id) DO NOTHING",
            names.join(", "),
            arrays.join(", "),
        );
        Self {
            place,
            conn: None,
            insert_calls,
        }
    }

    /// Connects; makes the ledger or brings it up to date if that is needed.
    ///
    /// # Errors
    /// [`LedgerError`], see [`open_writer`].
    pub async fn open(place: &PostgresPlace) -> Result<Self, LedgerError> {
        let mut store = Self::new(place.clone());
        store.conn = Some(store.connect().await?);
        Ok(store)
    }

    async fn connect(&self) -> Result<Open, LedgerError> {
        Ok(Open {
            conn: open_writer(&self.place).await?,
            known: Known::default(),
            maintained: 0,
            partitions: Partitions::default(),
        })
    }

    /// The open connection, or a new one: after an error none is kept, since a new one has no past.
    pub(super) async fn take_connection(&mut self) -> Result<Open, LedgerError> {
        match self.conn.take() {
            Some(open) => Ok(open),
            None => self.connect().await,
        }
    }

    /// Closes the connection; the next use opens another. A connection belongs to the runtime in
    /// which it was opened.
    pub async fn rest(&mut self) {
        if let Some(open) = self.conn.take() {
            let _ = within(BATCH_TIMEOUT, open.conn.close()).await;
        }
    }

    async fn insert(
        &mut self,
        rows: Vec<CallRow<'_>>,
        batch: Option<&Batch>,
    ) -> Result<usize, LedgerError> {
        let mut open = self.take_connection().await?;
        let done = within(
            BATCH_TIMEOUT,
            insert(&mut open, &self.insert_calls, rows, batch),
        )
        .await;
        match done {
            Ok(added) => {
                self.conn = Some(open);
                Ok(added)
            }
            Err(source) => Err(self.failed("write to", source)),
        }
    }

    pub(super) fn failed(&self, doing: &'static str, source: sqlx::Error) -> LedgerError {
        LedgerError::database(&LedgerPlace::Postgres(self.place.clone()), doing, source)
    }
}

impl RecordStore for PostgresStore {
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
        match within(BATCH_TIMEOUT, read_cursors(&mut open.conn)).await {
            Ok(cursors) => {
                self.conn = Some(open);
                Ok(cursors)
            }
            Err(source) => Err(self.failed("read", source)),
        }
    }
}

pub(super) async fn read_cursors(conn: &mut PgConnection) -> Result<Vec<Cursor>, sqlx::Error> {
    let sql = "SELECT journal, resume_at, done_to FROM egret.journals";
    let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(sql).fetch_all(conn).await?;
    Ok(rows.into_iter().filter_map(cursor).collect())
}

/// A record and the events that it was made of.
type CallRow<'a> = (&'a CallRecord, Leaves);

/// Writes all rows in one durable transaction and says how many were not there before.
async fn insert(
    open: &mut Open,
    insert_calls: &str,
    mut rows: Vec<CallRow<'_>>,
    batch: Option<&Batch>,
) -> Result<usize, sqlx::Error> {
    // In the order of the key, most inserts go where the one before went, and two gateways that
    // write the same rows do not wait for each other in a circle.
    rows.sort_unstable_by_key(|(record, _)| record.call_id);
    open.partitions.cover(&mut open.conn, &rows).await?;
    // In transactions of their own, so that no gateway waits for a batch of another one that has
    // the same token. An entry that no row names yet does no harm.
    let calls = || rows.iter().map(|(record, _)| *record);
    let mut dictionary = InPostgres(&mut open.conn);
    let mut entries = open.known.resolve(&mut dictionary, calls()).await?;

    let mut transaction = open.conn.begin().await?;
    // From here to the end no command changes anything.
    let maintained = sqlx::query_scalar("SELECT egret.maintained()")
        .fetch_one(&mut *transaction)
        .await?;
    if maintained != open.maintained {
        // One has, and may have erased what an entry says, or removed it.
        open.maintained = maintained;
        open.known = Known::default();
        let mut dictionary = InPostgres(&mut transaction);
        entries = open.known.resolve(&mut dictionary, calls()).await?;
    }
    let mut journal_id = None;
    if let Some(batch) = batch {
        // First: should an earlier try of this batch still be going on, this waits for its end.
        let id = advance(&mut transaction, &batch.cursor).await?;
        write_gaps(&mut transaction, id, &batch.gaps).await?;
        journal_id = Some(id);
    }
    let mut added = 0;
    if !rows.is_empty() {
        transaction.execute("SELECT egret.begin_writing()").await?;
        let values = bind_calls(&rows, &entries, journal_id).map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_with(AssertSqlSafe(insert_calls), values);
        added = transaction.execute(query).await?.rows_affected();
        write_subjects(&mut transaction, &rows).await?;
    }
    transaction.commit().await?;
    Ok(usize::try_from(added).unwrap_or(usize::MAX))
}

async fn advance(conn: &mut PgConnection, cursor: &Cursor) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT egret.advance($1, $2, $3)")
        .bind(&cursor.journal.as_bytes()[..])
        .bind(count(cursor.resume_at))
        .bind(count(cursor.done_to))
        .fetch_one(conn)
        .await
}

async fn write_gaps(
    conn: &mut PgConnection,
    journal_id: i64,
    gaps: &[(u64, Gap)],
) -> Result<(), sqlx::Error> {
    for (seq, gap) in gaps {
        let sql = "INSERT INTO egret.journal_gaps \
            (journal_id, seq, began_at, ended_at, refused, shed, dropped) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql)
            .bind(journal_id)
            .bind(count(*seq))
            .bind(gap.from.0)
            .bind(gap.to.0)
            .bind(count(gap.refused))
            .bind(count(gap.shed))
            .bind(count(gap.dropped));
        conn.execute(query).await?;
    }
    Ok(())
}

async fn write_subjects(conn: &mut PgConnection, rows: &[CallRow<'_>]) -> Result<(), sqlx::Error> {
    let mut subjects: Vec<(&[u8], &[u8])> = Vec::new();
    for (record, _) in rows {
        let of_call = record.subjects.iter();
        for subject in of_call.filter(|subject| subject.role != SubjectRole::Token) {
            if let Some(pseudonym) = &subject.pseudonym {
                subjects.push((&pseudonym.as_bytes()[..], &record.call_id.as_bytes()[..]));
            }
        }
    }
    if subjects.is_empty() {
        return Ok(());
    }
    subjects.sort_unstable();
    let (pseudonyms, calls): (Vec<_>, Vec<_>) = subjects.into_iter().unzip();
    let query = sqlx::query(INSERT_SUBJECTS).bind(pseudonyms).bind(calls);
    conn.execute(query).await?;
    Ok(())
}

fn bind_calls(
    rows: &[CallRow<'_>],
    entries: &[Entries],
    journal_id: Option<i64>,
) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut values = PgArguments::default();
    let bytes: usize = rows.len().saturating_mul(USUAL_ROW_BYTES);
    Arguments::reserve(&mut values, COLUMNS.len() + 1, bytes);
    let column = |of: &dyn Fn(&CallRecord) -> Option<i64>| -> Vec<Option<i64>> {
        rows.iter().map(|(record, _)| of(record)).collect()
    };
    let leaf = |of: &dyn Fn(&Leaves) -> Option<u64>| -> Vec<Option<i64>> {
        rows.iter()
            .map(|(_, leaves)| of(leaves).map(count))
            .collect()
    };
    let after = |record: &CallRecord, at: Option<Micros>| {
        at.map(|at| at.0.saturating_sub(record.times.received_at.0))
    };
    let ids = rows
        .iter()
        .map(|(record, _)| &record.call_id.as_bytes()[..]);
    values.add(ids.collect::<Vec<_>>())?;
    values.add(column(&|record| Some(record.times.received_at.0)))?;
    values.add(column(&|record| after(record, record.times.forwarded_at)))?;
    values.add(column(&|record| after(record, record.times.first_byte_at)))?;
    values.add(column(&|record| after(record, record.times.completed_at)))?;
    values.add(entries.iter().map(|of| of.profile).collect::<Vec<_>>())?;
    values.add(entries.iter().map(|of| of.credential).collect::<Vec<_>>())?;
    let minted = rows.iter().map(|(record, _)| {
        let mint = record.mint.as_ref()?;
        mint.fingerprint.as_ref().map(|print| &print.as_bytes()[..])
    });
    values.add(minted.collect::<Vec<_>>())?;
    let outcomes = rows.iter().map(|(record, _)| record.outcome.as_str());
    values.add(outcomes.collect::<Vec<_>>())?;
    values.add(column(&|record| record.status.map(i64::from)))?;
    let codes = rows.iter().map(|(record, _)| {
        let code = record.error_code.as_deref()?;
        Some(clean(code))
    });
    values.add(codes.collect::<Vec<_>>())?;
    values.add(column(&|record| Some(i64::from(record.traffic.attempts))))?;
    values.add(column(&|record| Some(count(record.traffic.request_bytes))))?;
    values.add(column(&|record| Some(count(record.traffic.response_bytes))))?;
    let half = |record: &CallRecord, shift: u32| {
        let id = u128::from_be_bytes(*record.trace_id.as_ref()?.as_bytes());
        Some((id >> shift) as i64)
    };
    values.add(column(&|record| half(record, 64)))?;
    values.add(column(&|record| half(record, 0)))?;
    let mut written = String::new();
    let details = rows.iter().map(|(record, _)| {
        written.clear();
        write_rest(&mut written, record);
        (!written.is_empty()).then(|| clean_json(&written))
    });
    values.add(details.collect::<Vec<_>>())?;
    values.add(entries.iter().map(|of| of.activity).collect::<Vec<_>>())?;
    values.add(leaf(&|leaves| leaves.intent))?;
    values.add(leaf(&|leaves| leaves.outcome))?;
    values.add(leaf(&|leaves| leaves.completion))?;
    values.add(journal_id)?;
    Ok(values)
}

/// Size of most rows on the wire.
const USUAL_ROW_BYTES: usize = 320;

/// A count. Those beyond what Postgres's integers hold are written as the largest.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The months whose partitions are there.
#[derive(Default)]
struct Partitions {
    /// In milliseconds; few, since a gateway writes what happens.
    covered: Vec<Range<i64>>,
    retry_at: Option<Instant>,
}

impl Partitions {
    /// Sees to it that the months of these rows, and of what comes after them, have partitions.
    async fn cover(
        &mut self,
        conn: &mut PgConnection,
        rows: &[CallRow<'_>],
    ) -> Result<(), sqlx::Error> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let times = rows.iter().map(|(record, _)| record.call_id.unix_millis());
        let ahead = rows
            .last()
            .map(|(record, _)| record.call_id.unix_millis().saturating_add(AHEAD_MILLIS));
        for millis in times.chain(ahead) {
            // From the end: the last added is asked for most.
            if self
                .covered
                .iter()
                .rev()
                .any(|month| month.contains(&millis))
            {
                continue;
            }
            match self.make(conn, millis).await {
                Ok(month) => self.covered.push(month),
                // The server said no, as when a reader holds the table: the default partition
                // takes the rows meanwhile.
                Err(sqlx::Error::Database(error)) => {
                    tracing::warn!(
                        target: "egret::ledger",
                        error = error.message(),
                        "the ledger's partitions cannot be made; rows go to the default partition"
                    );
                    self.retry_at = Some(Instant::now() + PARTITION_RETRY);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.retry_at = None;
        Ok(())
    }

    async fn make(&self, conn: &mut PgConnection, millis: i64) -> Result<Range<i64>, sqlx::Error> {
        let sql = "SELECT begins, ends FROM egret.make_partitions($1)";
        let month: (Option<i64>, Option<i64>) =
            sqlx::query_as(sql).bind(millis).fetch_one(conn).await?;
        Ok(match month {
            (Some(begins), Some(ends)) => begins..ends,
            // A time that cannot be meant; not asked for again.
            _ => millis..millis.saturating_add(1),
        })
    }
}
