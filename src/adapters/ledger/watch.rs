//! Which gateway of a fleet watches the ledger, and what it has learned, in the ledger that they
//! share.
//!
//! Whoever holds an advisory lock of the database watches. The lock belongs to a session that does
//! nothing else, and goes with it: when the process ends, when the machine goes, when the network
//! does, and also when the process only stands still, since the server ends a session that says
//! nothing for fifteen seconds. What was learned is written through that same session, so that nobody
//! writes who does not hold the lock.

use std::time::{Duration, Instant};

use super::postgres::schema::{open_writer, within};
use super::sql::{Connection, Sql};
use super::{LedgerError, LedgerPlace};
use crate::domain::config::PostgresPlace;
use crate::types::Micros;

/// How long an answer may take. A server that does not answer has perhaps given the lock to another.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what was learned may take to be written: a hundred megabytes.
const KEEP_PATIENCE: Duration = Duration::from_secs(25);
/// How often the one who holds the lock makes sure of it, and the others try to get it.
const LOOK: Duration = Duration::from_secs(1);

/// Settings of the session. The server ends it after fifteen seconds without a word, and notices
/// within about ten that the other side is gone. Servers before version 14 know the former not.
const SESSION: &str = "DO $$ BEGIN \
    PERFORM set_config('tcp_keepalives_idle', '4', false); \
    PERFORM set_config('tcp_keepalives_interval', '2', false); \
    PERFORM set_config('tcp_keepalives_count', '3', false); \
    PERFORM set_config('tcp_user_timeout', '10000', false); \
    PERFORM set_config('idle_session_timeout', '15000', false); \
    EXCEPTION WHEN undefined_object THEN NULL; END $$";

/// The lock: "EG" and its number. Locks with two numbers do not meet those with one, by which
/// writers say how far they are.
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(17735, 1)::int::bigint";

/// Who watches, and what was learned.
pub struct SharedWatch {
    place: PostgresPlace,
    conn: Option<Connection>,
    is_held: bool,
    looked_at: Option<Instant>,
}

impl SharedWatch {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(place: PostgresPlace) -> Self {
        Self {
            place,
            conn: None,
            is_held: false,
            looked_at: None,
        }
    }

    /// Whether this gateway watches; it tries to if nobody does.
    ///
    /// # Errors
    /// [`LedgerError`]; then it does not.
    pub async fn leads(&mut self) -> Result<bool, LedgerError> {
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK) {
            return Ok(self.is_held);
        }
        let was_held = std::mem::take(&mut self.is_held);
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        let question = if was_held {
            "SELECT 1::bigint"
        } else {
            TRY_LOCK
        };
        let rows = within(PATIENCE, conn.fetch_all(question.into())).await;
        let answer = rows.and_then(|rows| rows.first().map_or(Ok(None), |row| row.integer(0)));
        let answer = answer.map_err(|source| self.failed("watch", source))?;
        self.is_held = answer == Some(1);
        self.conn = Some(conn);
        self.looked_at = Some(Instant::now());
        Ok(self.is_held)
    }

    /// What was learned; `None` if nothing was.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn load(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let sql = Sql::new("SELECT content FROM egret.detection WHERE name = 'state'");
        let mut conn = self.held()?;
        let rows = within(KEEP_PATIENCE, conn.fetch_all(sql)).await;
        let found = rows.and_then(|rows| rows.first().map_or(Ok(None), |row| row.bytes(0)));
        let found = found.map_err(|source| self.lost("read", source))?;
        self.conn = Some(conn);
        Ok(found)
    }

    /// Keeps what was learned.
    ///
    /// # Errors
    /// [`LedgerError`]; what was kept before is still there.
    pub async fn save(&mut self, state: &[u8], now: Micros) -> Result<(), LedgerError> {
        let mut sql = Sql::new(
            "INSERT INTO egret.detection AS d (name, content, version, changed_at) \
             VALUES ('state', ",
        );
        sql.push_bind(state.to_vec()).push(", 1, ");
        sql.push_bind(now.0).push(
            ") ON CONFLICT (name) DO UPDATE SET content = excluded.content, \
             version = d.version + 1, changed_at = excluded.changed_at",
        );
        let mut conn = self.held()?;
        let changed = within(KEEP_PATIENCE, conn.change(sql)).await;
        changed.map_err(|source| self.lost("keep what was learned in", source))?;
        self.conn = Some(conn);
        Ok(())
    }

    /// Ends the session, so that another takes over at once.
    pub async fn release(&mut self) {
        self.is_held = false;
        if let Some(conn) = self.conn.take() {
            let _ = within(PATIENCE, conn.close()).await;
        }
    }

    /// The session that holds the lock. It is put back only after an answer.
    fn held(&mut self) -> Result<Connection, LedgerError> {
        let conn = self.conn.take().filter(|_| self.is_held);
        conn.ok_or_else(|| self.lost("watch", sqlx::Error::PoolClosed))
    }

    async fn connect(&self) -> Result<Connection, LedgerError> {
        let mut conn = Connection::Postgres(Box::new(open_writer(&self.place).await?));
        let done = within(PATIENCE, conn.say(SESSION)).await;
        done.map_err(|source| self.failed("watch", source))?;
        Ok(conn)
    }

    /// The session is gone, and the lock with it.
    fn lost(&mut self, doing: &'static str, source: sqlx::Error) -> LedgerError {
        self.is_held = false;
        self.looked_at = None;
        self.failed(doing, source)
    }

    fn failed(&self, doing: &'static str, source: sqlx::Error) -> LedgerError {
        LedgerError::database(&LedgerPlace::Postgres(self.place.clone()), doing, source)
    }
}
