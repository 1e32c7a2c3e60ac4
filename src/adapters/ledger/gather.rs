//! Finds a page of calls through an index that is not in the order of time.
//!
//! The index of the activities has the calls of each activity in order, but a question concerns
//! many activities: to take all their calls and sort them would be to read a year for one page. So
//! the search goes through the period in windows, from the end at which the page begins. The first
//! is as long as some thousand calls took, each further one [`GROWTH`] times as long as the one
//! before, until the page is full. What is frequent is found in the first window, what is rare is
//! not much in a long one.
//!
//! Some conditions no index knows: a status of calls that went well, whom nearly all calls
//! concern, both a frequent caller and a rare status. A search for them may have to look at each
//! call of a period. Whoever waits for it gives it a [time](Pace): its windows grow no longer than
//! can be searched in a part of that, and when it is over the search says how far it has come. It goes
//! on from there if it is asked to.

use std::time::Duration;

use super::error::LedgerError;
use super::filter::{Over, Path, Resolved, push_id};
use super::query::{Order, Reader};
use super::sql::Sql;
use crate::adapters::clock::Steady;
use crate::types::{CallId, Micros};

/// How many calls the first window spans; few in tests, so that those have several windows.
const FIRST_WINDOW: i64 = if cfg!(test) { 16 } else { 4_096 };

/// How many times as long as the last a window is: each costs one look into the index per
/// activity, so there should be few.
const GROWTH: i64 = 16;

/// How many windows there should be in the time of a search.
const PARTS: i64 = 4;

/// As [`GROWTH`], at least, after a window that was quick enough.
const PACED_GROWTH: i64 = 4;

/// The ids of calls, as bytes.
type Ids = Vec<Vec<u8>>;

/// What a search found.
#[derive(Default)]
pub(super) struct Gathered {
    /// The ids of calls, as bytes.
    pub(super) ids: Ids,
    /// Where it stopped, because its time was over: what comes after this in its order was not
    /// looked at.
    pub(super) stopped: Option<CallId>,
}

/// The time that a search has.
struct Pace {
    clock: Steady,
    length: Micros,
    told: Micros,
}

impl Pace {
    fn begin(length: Duration) -> Self {
        Self {
            clock: Steady::default(),
            length: Micros(0).plus(length),
            told: Micros(0),
        }
    }

    fn is_over(&self) -> bool {
        self.clock.now() >= self.length
    }

    /// How long a window may be after one of a length. One that took its part of the time is
    /// followed by a shorter one; a quick one says little, since much of its time was not the
    /// search's.
    fn next(&mut self, span: i64) -> i64 {
        let now = self.clock.now();
        let took = now.0.saturating_sub(self.told.0).max(1);
        self.told = now;
        let part = self.length.0 / PARTS;
        let fits = i128::from(span) * i128::from(part) / i128::from(took);
        let fits = i64::try_from(fits).unwrap_or(i64::MAX).max(1);
        match took <= part {
            true => fits.max(span.saturating_mul(PACED_GROWTH)),
            false => fits,
        }
    }
}

impl Reader {
    /// The ids of the first `wanted` calls in that order, found by way of an index, or as many as
    /// are found within a time.
    pub(super) async fn gather(
        &mut self,
        filter: &Resolved<'_>,
        path: Path,
        order: Order,
        after: Option<CallId>,
        wanted: u32,
        time: Option<Duration>,
    ) -> Result<Gathered, LedgerError> {
        let mut found = Gathered::default();
        let Some(mut windows) = self.windows(filter, order, after).await? else {
            return Ok(found);
        };
        let mut pace = time.map(Pace::begin);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        while let Some(window) = windows.next_window() {
            let left = wanted.saturating_sub(found.ids.len());
            let sql = search(filter, path, self.is_sqlite(), order, window, left);
            let ids = self.rows(sql, |row| row.bytes(0)).await?;
            found.ids.extend(ids.into_iter().flatten());
            if found.ids.len() >= wanted {
                break;
            }
            if windows.stop(&mut pace) {
                found.stopped = Some(windows.reached());
                break;
            }
        }
        Ok(found)
    }

    /// How many calls there are, the newest first, up to `most` or as many as are counted within a
    /// time; and where the counting stopped, if that was over.
    pub(super) async fn number_in(
        &mut self,
        filter: &Resolved<'_>,
        path: Path,
        most: u64,
        time: Duration,
    ) -> Result<(u64, Option<CallId>), LedgerError> {
        let mut counted = 0;
        let order = Order::NewestFirst;
        let Some(mut windows) = self.windows(filter, order, None).await? else {
            return Ok((counted, None));
        };
        let mut pace = Some(Pace::begin(time));
        while let Some(window) = windows.next_window() {
            let left = most.saturating_sub(counted);
            let table = path.table(self.is_sqlite());
            let mut sql = Sql::new(format!(
                "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE true"
            ));
            window.push(&mut sql);
            filter.push_others(&mut sql, Over::Records);
            sql.push(" LIMIT ")
                .push_bind(i64::try_from(left).unwrap_or(i64::MAX))
                .push(") AS found");
            let more = self.number(sql).await?;
            counted = counted.saturating_add(u64::try_from(more).unwrap_or(0));
            if counted >= most {
                break;
            }
            if windows.stop(&mut pace) {
                return Ok((counted, Some(windows.reached())));
            }
        }
        Ok((counted, None))
    }

    /// `None` if no call is in the period.
    async fn windows(
        &mut self,
        filter: &Resolved<'_>,
        order: Order,
        after: Option<CallId>,
    ) -> Result<Option<Windows>, LedgerError> {
        let (mut low, mut high) = filter.filter.id_bounds();
        match (order, after) {
            (Order::NewestFirst, Some(after)) => {
                high = Some(high.map_or(after, |high| high.min(after)));
            }
            (Order::OldestFirst, Some(after)) => {
                let next = next_id(after);
                low = Some(low.map_or(next, |low| low.max(next)));
            }
            (_, None) => {}
        }
        let ends = [
            ("DESC", 0),
            ("ASC", 0),
            match order {
                Order::NewestFirst => ("DESC", FIRST_WINDOW),
                Order::OldestFirst => ("ASC", FIRST_WINDOW),
            },
        ];
        let mut ids = [None; 3];
        for ((direction, offset), id) in ends.into_iter().zip(&mut ids) {
            let mut sql = Sql::new("SELECT call_id FROM records WHERE true");
            if let Some(low) = low {
                push_id(&mut sql, ">=", low);
            }
            if let Some(high) = high {
                push_id(&mut sql, "<", high);
            }
            sql.push(" ORDER BY call_id ").push(direction);
            sql.push(" LIMIT 1 OFFSET ").push_bind(offset);
            let rows = self.rows(sql, |row| row.bytes(0)).await?;
            let bytes = rows.into_iter().next().flatten();
            *id = bytes
                .and_then(|bytes| bytes.try_into().ok())
                .map(CallId::from_bytes);
        }
        let [Some(last), Some(first), turn] = ids else {
            return Ok(None);
        };
        Ok(Some(Windows::new(order, first, next_id(last), turn)))
    }
}

/// The question for a window.
fn search(
    filter: &Resolved<'_>,
    path: Path,
    is_sqlite: bool,
    order: Order,
    window: Window,
    limit: usize,
) -> Sql {
    let table = path.table(is_sqlite);
    let mut sql = Sql::new(if is_sqlite {
        ""
    } else {
        "WITH found AS MATERIALIZED ("
    });
    sql.push(format!("SELECT call_id FROM {table} WHERE true"));
    window.push(&mut sql);
    filter.push_others(&mut sql, Over::Records);
    if !is_sqlite {
        // Of a window all that there is: it is not much, or an earlier window had been enough. For
        // a page alone Postgres would read calls in the order of time until it is full, since it
        // takes what is asked for to be as frequent as everything else.
        sql.push(") SELECT call_id FROM found");
    }
    sql.push(match order {
        Order::NewestFirst => " ORDER BY call_id DESC LIMIT ",
        Order::OldestFirst => " ORDER BY call_id LIMIT ",
    });
    sql.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    sql
}

/// A range of call ids, the high end not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    low: CallId,
    high: CallId,
}

impl Window {
    fn push(self, sql: &mut Sql) {
        push_id(sql, ">=", self.low);
        push_id(sql, "<", self.high);
    }
}

/// The windows of a search.
struct Windows {
    order: Order,
    low: CallId,
    high: CallId,
    /// Where the first window ends; `None` if it is the only one, or is over.
    turn: Option<CallId>,
    /// How long the last one was, in milliseconds.
    span: i64,
    /// The longest that the next one may be.
    most: i64,
}

impl Windows {
    fn new(order: Order, low: CallId, high: CallId, turn: Option<CallId>) -> Self {
        let begin = match order {
            Order::NewestFirst => high,
            Order::OldestFirst => low,
        };
        let span = turn.map_or(i64::MAX, |turn| (millis(begin) - millis(turn)).abs().max(1));
        Self {
            order,
            low,
            high,
            turn,
            span,
            most: i64::MAX,
        }
    }

    /// After a window: whether to stop, as the time is over and there is more. If not, the next
    /// window fits the time.
    fn stop(&mut self, pace: &mut Option<Pace>) -> bool {
        let Some(pace) = pace else {
            return false;
        };
        self.most = pace.next(self.span);
        self.low < self.high && pace.is_over()
    }

    /// All calls before this one in the order of the search were looked at.
    fn reached(&self) -> CallId {
        match self.order {
            Order::NewestFirst => self.high,
            Order::OldestFirst => id_before(self.low),
        }
    }

    fn next_window(&mut self) -> Option<Window> {
        if self.low >= self.high {
            return None;
        }
        let cut = match self.turn.take() {
            Some(turn) => turn,
            None => {
                self.span = self.span.saturating_mul(GROWTH).min(self.most);
                match self.order {
                    Order::NewestFirst => {
                        CallId::floor(millis(self.high).saturating_sub(self.span))
                    }
                    Order::OldestFirst => {
                        CallId::floor(millis(self.low).saturating_add(self.span).min(LAST_MILLIS))
                    }
                }
            }
        };
        // Beyond the other end there is nothing: the rest is one window.
        let cut = match cut > self.low && cut < self.high {
            true => cut,
            false => match self.order {
                Order::NewestFirst => self.low,
                Order::OldestFirst => self.high,
            },
        };
        let window;
        match self.order {
            Order::NewestFirst => {
                window = Window {
                    low: cut,
                    high: self.high,
                };
                self.high = cut;
            }
            Order::OldestFirst => {
                window = Window {
                    low: self.low,
                    high: cut,
                };
                self.low = cut;
            }
        }
        Some(window)
    }
}

/// The largest time that fits the 48 bits of a UUIDv7.
const LAST_MILLIS: i64 = (1 << 48) - 1;

/// The time in an id.
pub(super) fn millis(id: CallId) -> i64 {
    let bytes = id.as_bytes();
    bytes
        .iter()
        .take(6)
        .fold(0, |millis, byte| millis << 8 | i64::from(*byte))
}

/// The id that comes next.
pub(super) fn next_id(id: CallId) -> CallId {
    let number = u128::from_be_bytes(*id.as_bytes());
    CallId::from_bytes(number.saturating_add(1).to_be_bytes())
}

/// The id that comes before.
pub(super) fn id_before(id: CallId) -> CallId {
    let number = u128::from_be_bytes(*id.as_bytes());
    CallId::from_bytes(number.saturating_sub(1).to_be_bytes())
}

#[cfg(test)]
mod tests;
