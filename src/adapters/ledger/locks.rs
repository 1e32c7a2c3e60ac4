//! The locks of a fleet, in the Postgres ledger that its gateways share.

use std::time::Duration;

use super::postgres::schema::{open_writer, within};
use super::sql::{Connection, Row, Sql};
use super::{LedgerError, LedgerPlace};
use crate::domain::config::PostgresPlace;
use crate::domain::lockdown::{Lock, LockBook, LockTarget, MAX_LOCKS};
use crate::types::{CallId, Micros};

/// How long a question may take. A lock shall hold within a second, and a server that does not
/// answer is told about after as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The locks that gateways share.
pub struct SharedLocks {
    place: PostgresPlace,
    conn: Option<Connection>,
}

impl SharedLocks {
    /// The locks beside a ledger; `None` where no other gateway sees it.
    pub fn beside(place: &LedgerPlace) -> Option<Self> {
        match place {
            LedgerPlace::Sqlite(_) => None,
            LedgerPlace::Postgres(place) => Some(Self {
                place: place.clone(),
                conn: None,
            }),
        }
    }

    /// The locks in force. The connection is kept for the next time.
    ///
    /// # Errors
    /// [`LedgerError`]; the next call connects anew.
    pub async fn read(&mut self, now: Micros) -> Result<LockBook, LedgerError> {
        let mut sql = Sql::new(
            "SELECT id, target, reason, by_user, placed_at, until FROM egret.locks AS l \
             WHERE NOT EXISTS (SELECT 1 FROM egret.lifts WHERE lock_id = l.id) \
             AND (until IS NULL OR until > ",
        );
        sql.push_bind(now.0);
        sql.push(format_args!(") ORDER BY placed_at LIMIT {MAX_LOCKS}"));
        let mut conn = self.connect().await?;
        let rows = within(PATIENCE, conn.fetch_all(sql)).await;
        let rows = rows.map_err(|source| self.failed("read", source))?;
        let locks = rows.iter().map(lock).collect::<Result<Vec<_>, _>>();
        let locks = locks.map_err(|source| self.failed("read", source))?;
        self.conn = Some(conn);
        Ok(LockBook::new(locks.into_iter().flatten()))
    }

    /// Places a lock.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn place(&mut self, lock: &Lock) -> Result<(), LedgerError> {
        let mut sql = Sql::new(
            "INSERT INTO egret.locks (id, target, reason, by_user, placed_at, until) VALUES (",
        );
        sql.push_bind(lock.id.as_bytes().to_vec()).push(", ");
        sql.push_bind(lock.target.to_string()).push(", ");
        sql.push_bind(&*lock.reason).push(", ");
        sql.push_bind(&*lock.by).push(", ");
        sql.push_bind(lock.placed_at.0).push(", ");
        sql.push_bind(lock.until.map(|until| until.0)).push(")");
        self.change(sql).await.map(drop)
    }

    /// Lifts a lock. False if there is none of this id that has not been lifted.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn lift(
        &mut self,
        id: CallId,
        reason: &str,
        by: &str,
        now: Micros,
    ) -> Result<bool, LedgerError> {
        let mut sql =
            Sql::new("INSERT INTO egret.lifts (lock_id, reason, by_user, lifted_at) SELECT id, ");
        sql.push_bind(reason).push("::text, ");
        sql.push_bind(by).push("::text, ");
        sql.push_bind(now.0)
            .push("::bigint FROM egret.locks WHERE id = ");
        sql.push_bind(id.as_bytes().to_vec());
        sql.push(" ON CONFLICT DO NOTHING");
        Ok(self.change(sql).await? > 0)
    }

    async fn change(&mut self, sql: Sql) -> Result<u64, LedgerError> {
        let mut conn = self.connect().await?;
        let changed = within(PATIENCE, conn.change(sql)).await;
        let changed = changed.map_err(|source| self.failed("write a lock into", source))?;
        self.conn = Some(conn);
        Ok(changed)
    }

    /// The kept connection or a new one. It is put back only after an answer: what was given up in
    /// the middle is of no use.
    async fn connect(&mut self) -> Result<Connection, LedgerError> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => Ok(Connection::Postgres(Box::new(
                open_writer(&self.place).await?,
            ))),
        }
    }

    fn failed(&self, doing: &'static str, source: sqlx::Error) -> LedgerError {
        LedgerError::database(&LedgerPlace::Postgres(self.place.clone()), doing, source)
    }
}

/// `None` for a lock of a kind that only a later version knows.
fn lock(row: &Row) -> Result<Option<Lock>, sqlx::Error> {
    let id = row.bytes(0)?.and_then(|bytes| bytes.try_into().ok());
    let target = LockTarget::parse(&row.text(1)?.unwrap_or_default()).ok();
    let (Some(id), Some(target)) = (id, target) else {
        return Ok(None);
    };
    Ok(Some(Lock {
        id: CallId::from_bytes(id),
        target,
        reason: row.text(2)?.unwrap_or_default().into(),
        by: row.text(3)?.unwrap_or_default().into(),
        placed_at: Micros(row.integer(4)?.unwrap_or(0)),
        until: row.integer(5)?.map(Micros),
    }))
}
