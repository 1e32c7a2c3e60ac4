//! Takes a subject out of a ledger, and rows whose time is over.
//!
//! Both databases are append-only by triggers. The way around them is a row of `maintenance` that is
//! open, and here is the only place that opens one: at the beginning of a transaction that closes it
//! before its end, so that nobody else ever sees an open one.
//!
//! What is erased is told from what was tampered with by the journal: there, too, the opening is
//! gone. Kind and role stay, so that a row still says that it concerned somebody.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;

use super::error::LedgerError;
use super::hold::{FROM, IS_HELD};
use super::place::LedgerPlace;
use super::query::Reader;
use super::sql::{Connection, Sql};
use super::{postgres, sqlite};
use crate::domain::journal::JournalId;
use crate::domain::own::{OWN_PROVIDER, OwnOperation};
use crate::domain::record::{OperationClass, Pseudonym};
use crate::domain::retention::Periods;
use crate::types::Micros;

pub use super::sqlite::traces::{holds as file_holds, settle as settle_file};

/// A shared ledger: removing much takes longer than a batch may, and no gateway writes meanwhile.
const KEEPER_SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = '60s'";
/// The counterpart of `egret.maintained()`.
const KEEP_WRITERS_AWAY: &str =
    "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('egret.maintenance'))";

/// Who asks for it, why and when; it stays on record in the table `maintenance`.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Micros,
}

/// What was set to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedRows {
    /// Calls that named the subject apart from their tokens.
    pub calls: u64,
    /// Tokens that named it.
    pub credentials: u64,
}

/// Rows that were, or would be, removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunedRows {
    /// Calls whose time is over.
    pub calls: u64,
    /// Calls whose time is over and that a hold protects.
    pub held: u64,
}

/// Opens a ledger to change it. Making one, or bringing one up to date, is the gateway's.
pub(super) async fn open(place: &LedgerPlace) -> Result<Connection, LedgerError> {
    drop(Reader::open(place).await?);
    match place {
        LedgerPlace::Sqlite(path) => {
            let conn = sqlite::schema::open_writer(path).await?;
            Ok(Connection::Sqlite(conn))
        }
        LedgerPlace::Postgres(at) => {
            let conn = postgres::schema::open_writer(at).await?;
            let mut conn = Connection::Postgres(Box::new(conn));
            conn.say(KEEPER_SETTINGS)
                .await
                .map_err(|source| LedgerError::database(place, "open", source))?;
            Ok(conn)
        }
    }
}

/// What is done in one transaction, in which rows may be changed.
struct Change {
    conn: Connection,
    id: i64,
}

impl Change {
    async fn begin(
        mut conn: Connection,
        kind: &str,
        order: &Order<'_>,
    ) -> Result<Self, sqlx::Error> {
        match conn {
            // Immediate: a transaction that begins as a reader cannot wait for another writer.
            Connection::Sqlite(_) => conn.say("BEGIN IMMEDIATE").await?,
            Connection::Postgres(_) => {
                conn.say("BEGIN").await?;
                conn.say(KEEP_WRITERS_AWAY).await?;
            }
        }
        let mut sql =
            Sql::new("INSERT INTO maintenance (kind, by_user, reason, began_at) VALUES (");
        sql.push_bind(kind).push(", ").push_bind(order.by);
        sql.push(", ").push_bind(order.reason);
        sql.push(", ").push_bind(order.at.0).push(") RETURNING id");
        let id = number(&mut conn, sql).await?;
        Ok(Self { conn, id })
    }

    async fn end(
        mut self,
        order: &Order<'_>,
        calls: u64,
        credentials: u64,
        keep: bool,
    ) -> Result<(), sqlx::Error> {
        let mut sql = Sql::new("UPDATE maintenance SET ended_at = ");
        sql.push_bind(order.at.0);
        sql.push(", calls = ").push_bind(count(calls));
        sql.push(", credentials = ").push_bind(count(credentials));
        sql.push(" WHERE id = ").push_bind(self.id);
        self.conn.change(sql).await?;
        self.conn
            .say(if keep { "COMMIT" } else { "ROLLBACK" })
            .await?;
        self.conn.close().await
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn number(conn: &mut Connection, sql: Sql) -> Result<i64, sqlx::Error> {
    let rows = conn.fetch_all(sql).await?;
    let number = rows.first().map(|row| row.integer(0)).transpose()?;
    Ok(number.flatten().unwrap_or(0))
}

/// Sets every place that names the subjects to nothing, in one transaction that also says so. Can be
/// repeated.
///
/// # Errors
/// [`LedgerError`]; then nothing was changed.
pub async fn erase(
    place: &LedgerPlace,
    pseudonyms: &[Pseudonym],
    order: &Order<'_>,
) -> Result<ErasedRows, LedgerError> {
    let conn = open(place).await?;
    let work = async {
        let mut change = Change::begin(conn, "erase", order).await?;
        let mut rows = ErasedRows::default();
        for pseudonym in pseudonyms {
            erase_one(&mut change.conn, pseudonym, &mut rows).await?;
        }
        change
            .end(order, rows.calls, rows.credentials, true)
            .await?;
        Ok(rows)
    };
    work.await
        .map_err(|source| LedgerError::keeping(place, "erase in", source))
}

async fn erase_one(
    conn: &mut Connection,
    pseudonym: &Pseudonym,
    rows: &mut ErasedRows,
) -> Result<(), sqlx::Error> {
    let bytes = || pseudonym.as_bytes().to_vec();
    // Subjects are arrays of kind, role and pseudonym, without blanks; a quotation mark within a text
    // would have a backslash before it, so this is found nowhere else.
    let (named, unnamed) = (format!(",\"{pseudonym}\"]"), ",null]");
    let mut sql = Sql::new("UPDATE records SET detail = replace(detail, ");
    sql.push_bind(named.as_str()).push(", ").push_bind(unnamed);
    sql.push(") WHERE call_id IN (SELECT call_id FROM call_subjects WHERE subject = ");
    sql.push_bind(bytes()).push(")");
    rows.calls += conn.change(sql).await?;

    // The key of an entry is a hash of what it says: with the key of pseudonyms, a guess could be
    // tried on it. A random one takes its place.
    let random = match conn {
        Connection::Sqlite(_) => "randomblob(16)",
        Connection::Postgres(_) => "pg_catalog.uuid_send(pg_catalog.gen_random_uuid())",
    };
    let mut sql = Sql::new("UPDATE credentials SET key = ");
    sql.push(random).push(", subjects = replace(subjects, ");
    sql.push_bind(named.as_str()).push(", ").push_bind(unnamed);
    sql.push(") WHERE id IN (SELECT credential_id FROM credential_subjects WHERE subject = ");
    sql.push_bind(bytes()).push(")");
    rows.credentials += conn.change(sql).await?;

    for table in ["call_subjects", "credential_subjects"] {
        let mut sql = Sql::new(format!("DELETE FROM {table} WHERE subject = "));
        sql.push_bind(bytes());
        conn.change(sql).await?;
    }
    // One in force forbids to erase; one that is over need not name anybody.
    let mut sql = Sql::new("UPDATE holds SET subject = ");
    sql.push_bind(Vec::new());
    sql.push(" WHERE released_at IS NOT NULL AND subject = ");
    sql.push_bind(bytes());
    conn.change(sql).await?;
    Ok(())
}

/// Sees to it that no file of the ledger keeps a copy of what was erased; gives those that still do.
/// A shared database cleans up after itself: `VACUUM` of its own.
///
/// # Errors
/// [`LedgerError`].
pub async fn clean(
    place: &LedgerPlace,
    pseudonyms: &[Pseudonym],
) -> Result<Vec<PathBuf>, LedgerError> {
    match place {
        LedgerPlace::Sqlite(path) => sqlite::traces::clean(path, pseudonyms).await,
        LedgerPlace::Postgres(_) => Ok(Vec::new()),
    }
}

/// Condition on a profile that gives calls of a class.
const fn is_class(class: OperationClass) -> &'static str {
    match class {
        OperationClass::Read => "p.effect = 'read' AND p.pii IS NULL",
        OperationClass::PersonalRead => "p.effect = 'read' AND p.pii IS NOT NULL",
        OperationClass::Write => "p.effect = 'write'",
        OperationClass::Money => "p.effect = 'money'",
        OperationClass::Mint => "p.effect = 'mint'",
        OperationClass::AccessChange => "p.effect = 'access-change'",
        OperationClass::Unknown => "p.effect IS NULL",
    }
}

/// Removes the rows whose time is over and that no hold protects, in one transaction that also says
/// so. With `dry_run` only counts them. Also says what is then still needed of the journals.
///
/// # Errors
/// [`LedgerError`]; then nothing was removed.
pub async fn prune(
    place: &LedgerPlace,
    periods: &Periods,
    order: &Order<'_>,
    dry_run: bool,
) -> Result<(PrunedRows, Needed), LedgerError> {
    let conn = open(place).await?;
    let work = async {
        let mut change = Change::begin(conn, "prune", order).await?;
        let rows = prune_rows(&mut change.conn, periods, order.at).await?;
        let needed = needed(&mut change.conn).await?;
        change.end(order, rows.calls, 0, !dry_run).await?;
        Ok((rows, needed))
    };
    work.await
        .map_err(|source| LedgerError::keeping(place, "prune", source))
}

async fn prune_rows(
    conn: &mut Connection,
    periods: &Periods,
    now: Micros,
) -> Result<PrunedRows, sqlx::Error> {
    // What a hold says must outlive it: from these commands holds are made anew. Their time begins
    // when no hold is in force any more.
    let hold = OwnOperation::AuditHold.as_str();
    let is_kept = format!(
        "(p.provider = '{OWN_PROVIDER}' AND p.operation = '{hold}' \
         AND EXISTS (SELECT 1 FROM holds WHERE released_at IS NULL))"
    );
    let mut rows = PrunedRows::default();
    for class in OperationClass::ALL {
        let limit = periods.limit(*class, now).0;
        let over = |begin: &str, end: &str| {
            let of_class = is_class(*class);
            let mut sql = Sql::new(format!("{begin} {FROM} WHERE r.received_at < "));
            sql.push_bind(limit);
            sql.push(format_args!(
                " AND {of_class} AND coalesce(NOT {is_kept}, true) AND {end}"
            ));
            sql
        };
        let held = number(conn, over("SELECT count(*)", IS_HELD)).await?;
        rows.held += u64::try_from(held).unwrap_or(0);
        let begin = "DELETE FROM records WHERE seq IN (SELECT r.seq";
        let delete = over(begin, &format!("NOT {IS_HELD})"));
        rows.calls += conn.change(delete).await?;
    }
    // What nothing refers to any more. Profiles and lists of scopes name nobody and stay.
    for sql in [
        "DELETE FROM call_subjects WHERE NOT EXISTS \
         (SELECT 1 FROM records AS r WHERE r.call_id = call_subjects.call_id)",
        "DELETE FROM credentials WHERE NOT EXISTS \
         (SELECT 1 FROM records AS r WHERE r.credential_id = credentials.id)",
        "DELETE FROM credential_subjects WHERE NOT EXISTS \
         (SELECT 1 FROM credentials AS c WHERE c.id = credential_subjects.credential_id)",
    ] {
        conn.change(sql.into()).await?;
    }
    Ok(rows)
}

/// The first event of each journal that is still needed: that of the oldest call that has not ended
/// or is not in the ledger, or that the ledger keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed(Vec<(JournalId, u64)>);

impl Needed {
    /// Of one journal. All of it is, if the ledger knows nothing of it.
    pub fn from(&self, journal: JournalId) -> u64 {
        let found = self.0.iter().find(|(known, _)| *known == journal);
        found.map_or(0, |(_, first)| *first)
    }
}

async fn needed(conn: &mut Connection) -> Result<Needed, sqlx::Error> {
    let mut found: Vec<(JournalId, u64)> = Vec::new();
    let of_rows = ["intent_seq", "outcome_seq", "completion_seq"].map(|column| {
        format!(
            "SELECT j.journal, min(r.{column}) FROM records AS r \
             JOIN journals AS j ON j.id = r.journal_id GROUP BY j.journal"
        )
    });
    let cursors = "SELECT journal, resume_at FROM journals".to_owned();
    for sql in [cursors].into_iter().chain(of_rows) {
        for row in conn.fetch_all(Sql::new(sql)).await? {
            let journal = row.bytes(0)?.and_then(|bytes| bytes.try_into().ok());
            let first = row.integer(1)?.and_then(|first| u64::try_from(first).ok());
            let (Some(journal), Some(first)) = (journal.map(JournalId::from_bytes), first) else {
                continue;
            };
            match found.iter_mut().find(|(known, _)| *known == journal) {
                Some((_, least)) => *least = first.min(*least),
                None => found.push((journal, first)),
            }
        }
    }
    Ok(Needed(found))
}

/// Brings what was done to a ledger, and the holds that were placed in it, into another one that was
/// made anew.
///
/// # Errors
/// [`LedgerError`].
pub async fn carry_over(from: &Path, to: &Path) -> Result<(), LedgerError> {
    let mut conn = sqlite::schema::open_writer(to).await?;
    // Says whether it is a ledger of this schema.
    drop(sqlite::schema::open_reader(from).await?);
    sqlite::traces::carry_over(&mut conn, from, to).await?;
    conn.close()
        .await
        .map_err(|source| LedgerError::database(&to.into(), "close", source))
}

#[cfg(test)]
mod tests;
