//! Reads calls. The connection is read-only: a question never holds up the writer.

use std::time::Duration;

use super::error::LedgerError;
use super::filter::{
    Filter, IdPrefix, MANY_ACTIVITIES, MANY_CREDENTIALS, Over, Path as Way, Resolved, push_id,
};
use super::gather::{Gathered, id_before, millis, next_id};
use super::place::LedgerPlace;
use super::row::{COLUMNS, CallRow};
use super::sql::{Connection, Row, Sql};
use super::sqlite::schema::Abandoned;
use super::{feed, postgres, sqlite};
use crate::domain::journal::Cursor;
use crate::domain::record::Fingerprint;
use crate::types::{CallId, Micros};

/// How many calls of a token's history [`Reader::show`] lists; the others are only counted.
pub const LINEAGE_ROWS: u32 = 10;

/// How many calls with the same beginning of an id [`Reader::show`] names.
const CANDIDATES: u32 = 5;

/// So many rows SQLite reads one after the other sooner than it follows an index to few of them.
const NEAR: i64 = 20_000;

/// In which order calls come. Call ids begin with the time of reception, so their order is the
/// order of reception to the millisecond, and never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last received first.
    #[default]
    NewestFirst,
    /// The first received first.
    OldestFirst,
}

/// Which piece of an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// In which order.
    pub order: Order,
    /// At most so many calls.
    pub limit: u32,
    /// Only what comes after this call in that order: the last one of the page before.
    pub after: Option<CallId>,
}

/// One piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The calls.
    pub rows: Vec<CallRow>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<CallId>,
    /// The time of the search was over: it has looked at all calls up to this moment, in its
    /// order. `next` goes on there.
    pub searched_to: Option<Micros>,
}

/// How many calls there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// So many were found.
    pub calls: u64,
    /// The time was over: only calls since this moment were counted.
    pub counted_to: Option<Micros>,
}

/// What was written into the ledger after some other call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The calls that are meant.
    pub rows: Vec<CallRow>,
    /// All rows up to this number were looked at: the next look begins after it.
    pub looked_to: i64,
}

/// The moment in an id.
fn moment(id: CallId) -> Micros {
    Micros(millis(id).saturating_mul(1_000))
}

/// The history of the tokens of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The calls whose answer handed out the token that this call used, newest first.
    pub minted_by: Vec<CallRow>,
    /// How many calls used the token that this call's answer handed out.
    pub used_by_count: u64,
    /// The first few of them.
    pub used_by: Vec<CallRow>,
}

/// What is known of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// There is none.
    Nothing,
    /// The call and its tokens' history.
    Call(Box<CallRow>, Lineage),
    /// The beginning of the id fits several: the first few.
    Several(Vec<CallRow>),
}

/// The reading end of a ledger.
pub struct Reader {
    /// Before the connection, which goes on with its question until it hears of this.
    #[cfg_attr(not(test), expect(dead_code, reason = "it acts when it is dropped"))]
    pub(super) abandoned: Option<Abandoned>,
    place: LedgerPlace,
    conn: Connection,
}

impl Reader {
    /// Opens the ledger for reading.
    ///
    /// # Errors
    /// [`LedgerError`]: it is not there, is none, or has another schema.
    pub async fn open(place: &LedgerPlace) -> Result<Self, LedgerError> {
        let (conn, abandoned) = match place {
            LedgerPlace::Sqlite(path) => {
                let mut conn = sqlite::schema::open_reader(path).await?;
                let abandoned = Abandoned::watched_by(&mut conn)
                    .await
                    .map_err(|source| LedgerError::database(place, "read", source))?;
                (Connection::Sqlite(conn), Some(abandoned))
            }
            LedgerPlace::Postgres(at) => {
                let conn = postgres::schema::open_reader(at).await?;
                (Connection::Postgres(Box::new(conn)), None)
            }
        };
        Ok(Self {
            abandoned,
            place: place.clone(),
            conn,
        })
    }

    /// How far the ledger has come with every journal that it knows.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn cursors(&mut self) -> Result<Vec<Cursor>, LedgerError> {
        let sql = Sql::new("SELECT journal, resume_at, done_to FROM journals");
        let rows = self
            .rows(sql, |row| {
                Ok((row.bytes(0)?, row.integer(1)?, row.integer(2)?))
            })
            .await?;
        let rows = rows.into_iter();
        let cursors = rows.filter_map(|(journal, resume_at, done_to)| {
            feed::cursor((journal?, resume_at?, done_to?))
        });
        Ok(cursors.collect())
    }

    /// Calls that meet the filter.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn query(&mut self, filter: &Filter, page: Page) -> Result<Found, LedgerError> {
        self.look(filter, page, None).await
    }

    /// As [`Reader::query`], for somebody who waits: a search that no index leads is ended after
    /// about that time, and says how far it has come.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn query_within(
        &mut self,
        filter: &Filter,
        page: Page,
        time: Duration,
    ) -> Result<Found, LedgerError> {
        self.look(filter, page, Some(time)).await
    }

    async fn look(
        &mut self,
        filter: &Filter,
        page: Page,
        time: Option<Duration>,
    ) -> Result<Found, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let (comparison, direction) = match page.order {
            Order::NewestFirst => ("<", " ORDER BY call_id DESC"),
            Order::OldestFirst => (">", " ORDER BY call_id"),
        };
        // One more than wanted tells whether there is a next page.
        let wanted = page.limit.saturating_add(1);
        let time = time.filter(|_| resolved.is_slow());
        let mut stopped = None;
        let mut rows = match resolved.path() {
            Way::Planned if time.is_none() => {
                let mut sql = select(&resolved);
                if let Some(after) = page.after {
                    push_id(&mut sql, comparison, after);
                }
                sql.push(direction).push(" LIMIT ");
                sql.push_bind(i64::from(wanted));
                self.fetch(sql).await?
            }
            way => {
                let found = self.gather(&resolved, way, page.order, page.after, wanted, time);
                let Gathered { ids, stopped: at } = found.await?;
                stopped = at;
                if ids.is_empty() {
                    Vec::new()
                } else {
                    let mut sql = columns();
                    sql.push(" WHERE call_id IN (");
                    for (index, id) in ids.into_iter().enumerate() {
                        sql.push(if index == 0 { "" } else { ", " }).push_bind(id);
                    }
                    sql.push(")").push(direction);
                    self.fetch(sql).await?
                }
            }
        };
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().and_then(|row| row.text("call_id").parse().ok());
        Ok(Found {
            next: last.filter(|_| more).or(stopped),
            searched_to: stopped.map(moment),
            rows,
        })
    }

    /// One call by its id or the beginning of it, with the history of its tokens.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn show(&mut self, call_id: IdPrefix) -> Result<Shown, LedgerError> {
        let filter = Filter {
            call_id: Some(call_id),
            ..Filter::default()
        };
        let page = page(Order::OldestFirst, CANDIDATES);
        let mut rows = self.query(&filter, page).await?.rows;
        match rows.pop() {
            None => Ok(Shown::Nothing),
            Some(row) if rows.is_empty() => {
                let lineage = self.lineage(&row).await?;
                Ok(Shown::Call(Box::new(row), lineage))
            }
            Some(row) => {
                rows.push(row);
                Ok(Shown::Several(rows))
            }
        }
    }

    async fn lineage(&mut self, row: &CallRow) -> Result<Lineage, LedgerError> {
        let mut lineage = Lineage::default();
        if let Some(used) = Fingerprint::parse_hex(row.text("token_fingerprint")) {
            let filter = Filter {
                minted: Some(used),
                ..Filter::default()
            };
            let page = page(Order::NewestFirst, LINEAGE_ROWS);
            lineage.minted_by = self.query(&filter, page).await?.rows;
        }
        if let Some(minted) = Fingerprint::parse_hex(row.text("minted_fingerprint")) {
            let filter = Filter {
                fingerprint: Some(minted),
                ..Filter::default()
            };
            let page = page(Order::OldestFirst, LINEAGE_ROWS);
            lineage.used_by = self.query(&filter, page).await?.rows;
            lineage.used_by_count = self.count(&filter).await?;
        }
        Ok(lineage)
    }

    /// How many calls meet the filter.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn count(&mut self, filter: &Filter) -> Result<u64, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let table = resolved.path().table(self.is_sqlite());
        let mut sql = Sql::new(format!("SELECT count(*) FROM {table} WHERE true"));
        resolved.push(&mut sql, Over::Records);
        let count = self.number(sql).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many calls meet the filter, but no more than `most`: what is beyond is not looked at.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn count_up_to(&mut self, filter: &Filter, most: u64) -> Result<u64, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let table = resolved.path().table(self.is_sqlite());
        let mut sql = Sql::new(format!(
            "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE true"
        ));
        resolved.push(&mut sql, Over::Records);
        sql.push(" LIMIT ")
            .push_bind(i64::try_from(most).unwrap_or(i64::MAX))
            .push(") AS found");
        let count = self.number(sql).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// As [`Reader::count_up_to`], for somebody who waits: what no index leads to is counted for
    /// about that time, from the newest calls on.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn count_within(
        &mut self,
        filter: &Filter,
        most: u64,
        time: Duration,
    ) -> Result<Number, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let path = resolved.path();
        if !resolved.is_slow() {
            let calls = self.count_up_to(filter, most).await?;
            return Ok(Number {
                calls,
                counted_to: None,
            });
        }
        let (calls, stopped) = self.number_in(&resolved, path, most, time).await?;
        Ok(Number {
            calls,
            counted_to: stopped.map(moment),
        })
    }

    /// Whether any call meets the filter.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn has_any(&mut self, filter: &Filter) -> Result<bool, LedgerError> {
        Ok(self.count_up_to(filter, 1).await? > 0)
    }

    /// The last calls written that meet the filter, oldest first.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn last(&mut self, filter: &Filter, limit: u32) -> Result<Vec<CallRow>, LedgerError> {
        let settled = self.last_seq().await?;
        let mut sql = select(&self.resolve(filter).await?);
        sql.push(" AND seq <= ").push_bind(settled);
        sql.push(" ORDER BY seq DESC LIMIT ")
            .push_bind(i64::from(limit));
        let mut rows = self.fetch(sql).await?;
        rows.reverse();
        Ok(rows)
    }

    /// Calls written after the one with number `seq` that meet the filter, in the order in which
    /// they were written.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn since(
        &mut self,
        filter: &Filter,
        seq: i64,
        limit: u32,
    ) -> Result<Written, LedgerError> {
        let settled = self.last_seq().await?;
        if settled <= seq {
            return Ok(Written {
                rows: Vec::new(),
                looked_to: seq,
            });
        }
        let resolved = self.resolve(filter).await?;
        // SQLite takes any condition to be rarer than a range of numbers: for those who wait for
        // failures to come it would read all that there ever were.
        let is_near = settled.saturating_sub(seq) <= NEAR;
        let by_number = self.is_sqlite() && (is_near || !resolved.is_narrow());
        let mut sql = if by_number {
            let mut sql = columns();
            sql.push(" WHERE seq IN (SELECT seq FROM records NOT INDEXED WHERE true");
            resolved.push(&mut sql, Over::Records);
            sql
        } else {
            select(&resolved)
        };
        sql.push(" AND seq > ").push_bind(seq);
        sql.push(" AND seq <= ").push_bind(settled);
        sql.push(" ORDER BY seq LIMIT ").push_bind(i64::from(limit));
        if by_number {
            sql.push(") ORDER BY seq");
        }
        let rows = self.fetch(sql).await?;
        let is_full = u32::try_from(rows.len()).is_ok_and(|length| length >= limit);
        let last = rows.last().and_then(|row| row.integer("seq"));
        Ok(Written {
            looked_to: last.filter(|_| is_full).unwrap_or(settled),
            rows,
        })
    }

    /// The number of the last row written; 0 when there is none. No row with a smaller number will
    /// appear later: where many write at once, the rows after it are not all there yet.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn last_seq(&mut self) -> Result<i64, LedgerError> {
        let sql = match self.conn {
            Connection::Sqlite(_) => "SELECT coalesce(max(seq), 0) FROM records",
            Connection::Postgres(_) => "SELECT egret.settled()",
        };
        self.number(sql.into()).await
    }

    /// The call in the row with a number, if there is one.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn call_at(&mut self, seq: i64) -> Result<Option<CallId>, LedgerError> {
        let mut sql = Sql::new("SELECT call_id FROM records WHERE seq = ");
        sql.push_bind(seq);
        let rows = self.rows(sql, |row| row.bytes(0)).await?;
        let bytes = rows.into_iter().next().flatten();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        Ok(bytes.map(CallId::from_bytes))
    }

    /// Looks up what the filter names by value and the rows name by number.
    pub(super) async fn resolve<'f>(
        &mut self,
        filter: &'f Filter,
    ) -> Result<Resolved<'f>, LedgerError> {
        let credentials = match filter.fingerprint {
            None => Vec::new(),
            Some(fingerprint) => {
                let mut sql = Sql::new("SELECT id FROM credentials WHERE token_fingerprint = ");
                sql.push_bind(fingerprint.as_bytes().to_vec());
                sql.push(" ORDER BY id");
                self.rows(sql, |row| Ok(row.integer(0)?.unwrap_or(0)))
                    .await?
            }
        };
        let mut is_wide = Vec::with_capacity(filter.subjects.len());
        for subject in &filter.subjects {
            let mut sql = Sql::new(
                "SELECT count(*) FROM (SELECT 1 FROM credential_subjects WHERE subject = ",
            );
            sql.push_bind(subject.as_bytes().to_vec());
            sql.push(" LIMIT ")
                .push_bind(MANY_CREDENTIALS)
                .push(") AS named");
            is_wide.push(self.number(sql).await? >= MANY_CREDENTIALS);
        }
        let mut is_broad = false;
        if !self.is_sqlite() && filter.asks_rare_ends() {
            let mut sql = Sql::new("SELECT count(*) FROM (SELECT 1 FROM activities WHERE true");
            filter.push_activity(&mut sql);
            sql.push(" LIMIT ")
                .push_bind(MANY_ACTIVITIES)
                .push(") AS named");
            is_broad = self.number(sql).await? >= MANY_ACTIVITIES;
        }
        Ok(Resolved {
            filter,
            credentials,
            is_wide,
            is_broad,
            is_sqlite: self.is_sqlite(),
        })
    }

    pub(super) const fn is_sqlite(&self) -> bool {
        self.conn.is_sqlite()
    }

    async fn fetch(&mut self, sql: Sql) -> Result<Vec<CallRow>, LedgerError> {
        self.rows(sql, CallRow::read).await
    }

    /// Asks and reads every row of the answer.
    pub(super) async fn rows<T>(
        &mut self,
        sql: Sql,
        read: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, LedgerError> {
        let rows = self.conn.fetch_all(sql).await;
        rows.and_then(|rows| rows.iter().map(read).collect())
            .map_err(|source| LedgerError::database(&self.place, "read", source))
    }

    /// Asks for one number; 0 if there is none.
    pub(super) async fn number(&mut self, sql: Sql) -> Result<i64, LedgerError> {
        let rows = self.rows(sql, |row| row.integer(0)).await?;
        Ok(rows.into_iter().next().flatten().unwrap_or(0))
    }
}

impl Page {
    /// The last place before a call in the order of the page, from which the page begins with it.
    pub fn just_before(order: Order, call: CallId) -> CallId {
        match order {
            Order::NewestFirst => next_id(call),
            Order::OldestFirst => id_before(call),
        }
    }
}

fn page(order: Order, limit: u32) -> Page {
    Page {
        order,
        limit,
        after: None,
    }
}

fn columns() -> Sql {
    let columns: Vec<_> = COLUMNS.iter().map(|column| column.source).collect();
    Sql::new(format!("SELECT {} FROM calls", columns.join(", ")))
}

fn select(filter: &Resolved) -> Sql {
    let mut sql = columns();
    sql.push(" WHERE true");
    filter.push(&mut sql, Over::Calls);
    sql
}

#[cfg(test)]
mod tests;
