//! The book of incidents of a fleet, in the Postgres ledger that its gateways share.
//!
//! A thread of its own talks to the database: the book is used by threads and by commands that may
//! already be inside a runtime, where nobody may wait for another one.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::postgres::schema::{open_writer, within};
use super::sql::{Connection, Sql};
use super::{LedgerError, LedgerPlace};
use crate::adapters::clock;
use crate::domain::config::PostgresPlace;
use crate::domain::incident::SharedBook;

/// How long an answer may take; another node changes the book for some milliseconds at a time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What there is before the first incident.
const PREPARE: &str = "BEGIN; \
    INSERT INTO egret.detection (name, content, version, changed_at) \
    VALUES ('incidents', '', 0, 0) ON CONFLICT DO NOTHING";

enum Request {
    Begin(i64, Sender<Result<(i64, Option<String>), String>>),
    Write(String, Sender<Result<i64, String>>),
    End,
}

/// The book of a fleet.
#[derive(Debug)]
pub struct SharedIncidents {
    requests: Sender<Request>,
}

impl SharedIncidents {
    /// The book beside a ledger; `None` where no other gateway sees it, or if there is no thread.
    #[must_use]
    pub fn beside(place: &LedgerPlace) -> Option<Self> {
        let LedgerPlace::Postgres(place) = place else {
            return None;
        };
        let (requests, received) = channel();
        let desk = Clerk {
            place: place.clone(),
            conn: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        let thread = thread::Builder::new().name("egret-book".to_owned());
        let work = move || runtime.block_on(desk.serve(&received));
        thread.spawn(work).ok()?;
        Some(Self { requests })
    }

    fn ask<T>(
        &self,
        request: impl FnOnce(Sender<Result<T, String>>) -> Request,
    ) -> Result<T, String> {
        let (sender, answer) = channel();
        let gone = || "the thread that keeps the incidents of the fleet has ended".to_owned();
        self.requests.send(request(sender)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl SharedBook for SharedIncidents {
    fn begin(&mut self, known: i64) -> Result<(i64, Option<String>), String> {
        self.ask(|answer| Request::Begin(known, answer))
    }

    fn write(&mut self, text: String) -> Result<i64, String> {
        self.ask(|answer| Request::Write(text, answer))
    }

    fn end(&mut self) {
        // If the thread is gone, so is the transaction.
        let _ = self.requests.send(Request::End);
    }
}

struct Clerk {
    place: PostgresPlace,
    /// Put back only after an answer: what was given up in the middle is of no use.
    conn: Option<Connection>,
}

impl Clerk {
    /// Until nobody asks any more.
    async fn serve(mut self, requests: &Receiver<Request>) {
        while let Ok(request) = requests.recv() {
            match request {
                Request::Begin(known, answer) => {
                    let begun = match self.begin(known).await {
                        // The server may have ended a session that said nothing for long.
                        Err(error) if error.is_lost() => self.begin(known).await,
                        begun => begun,
                    };
                    let _ = answer.send(begun.map_err(|error| error.to_string()));
                }
                Request::Write(text, answer) => {
                    let written = self.write(text).await;
                    let _ = answer.send(written.map_err(|error| error.to_string()));
                }
                Request::End => {
                    if let Some(mut conn) = self.conn.take()
                        && within(PATIENCE, conn.say("ROLLBACK")).await.is_ok()
                    {
                        self.conn = Some(conn);
                    }
                }
            }
        }
    }

    async fn begin(&mut self, known: i64) -> Result<(i64, Option<String>), BookError> {
        let (mut conn, was_there) = match self.conn.take() {
            Some(conn) => (conn, true),
            None => {
                let conn = open_writer(&self.place).await.map_err(BookError::Ledger)?;
                (Connection::Postgres(Box::new(conn)), false)
            }
        };
        let mut sql = Sql::new("SELECT version, CASE WHEN version <> ");
        sql.push_bind(known);
        sql.push(" THEN content END FROM egret.detection WHERE name = 'incidents' FOR UPDATE");
        let rows = within(PATIENCE, async {
            conn.say(PREPARE).await?;
            conn.fetch_all(sql).await
        })
        .await
        .map_err(|source| self.failed("read the incidents of", source, was_there))?;
        let row = rows.first();
        let read = row.map(|row| Ok((row.integer(0)?.unwrap_or(0), row.bytes(1)?)));
        let (version, content) = read
            .transpose()
            .map_err(|source| self.failed("read the incidents of", source, false))?
            .unwrap_or_default();
        self.conn = Some(conn);
        let text = content.filter(|_| version > 0);
        Ok((
            version,
            text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ))
    }

    async fn write(&mut self, text: String) -> Result<i64, BookError> {
        let mut conn = self.conn.take().ok_or(BookError::NotBegun)?;
        let mut sql = Sql::new("UPDATE egret.detection SET content = ");
        sql.push_bind(text.into_bytes());
        sql.push(", version = version + 1, changed_at = ");
        sql.push_bind(clock::now().0);
        sql.push(" WHERE name = 'incidents' RETURNING version");
        let rows = within(PATIENCE, async {
            let rows = conn.fetch_all(sql).await?;
            conn.say("COMMIT").await?;
            Ok(rows)
        })
        .await
        .map_err(|source| self.failed("keep the incidents in", source, false))?;
        let version = rows.first().map(|row| row.integer(0)).transpose();
        let version =
            version.map_err(|source| self.failed("keep the incidents in", source, false))?;
        self.conn = Some(conn);
        Ok(version.flatten().unwrap_or(0))
    }

    fn failed(&self, doing: &'static str, source: sqlx::Error, was_there: bool) -> BookError {
        let place = LedgerPlace::Postgres(self.place.clone());
        let error = LedgerError::database(&place, doing, source);
        if was_there {
            BookError::Lost(error)
        } else {
            BookError::Ledger(error)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum BookError {
    #[error(transparent)]
    Ledger(LedgerError),
    /// Over a connection that was there before.
    #[error(transparent)]
    Lost(LedgerError),
    #[error("the incidents of the fleet were written without having been read")]
    NotBegun,
}

impl BookError {
    fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}
