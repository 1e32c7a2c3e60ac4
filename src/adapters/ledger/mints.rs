//! Counts handed-out tokens by time, kind, caller and provider.
//!
//! Activities that hand out tokens are few; the index of the activities knows their calls in the
//! order of time. So each step of each activity is a range of the index, which is counted without
//! a look at the calls: a month of two million tokens takes some tenths of a second, where to look
//! at each of them would take ten times that.

use super::error::LedgerError;
use super::filter::Filter;
use super::query::Reader;
use super::sql::Sql;
use crate::types::{CallId, Micros};

/// Most groups that are read: those of a busy year in steps of a day.
const MAX_GROUPS: i64 = 100_000;

/// Most steps of time: each is some values of the question.
pub const MAX_STEPS: usize = 1_000;

/// Tokens of one kind that one caller obtained from one provider in one step of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    /// Which step, from 0.
    pub step: i64,
    /// What was handed out.
    pub kind: String,
    /// Who obtained it; empty if unknown.
    pub caller: String,
    /// From whom.
    pub provider: String,
    /// How many.
    pub calls: u64,
}

/// A period in steps of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first moment that counts.
    pub from: Micros,
    /// The first that does not count any more.
    pub to: Micros,
    /// Where the first step begins, which is not after `from`.
    pub origin: Micros,
    /// How long a step is, in seconds.
    pub length_s: i64,
}

impl Steps {
    /// The ranges of call ids, numbered: ids begin with the time of reception in milliseconds.
    fn ranges(self) -> Vec<(i64, CallId, CallId)> {
        let length = self.length_s.max(1).saturating_mul(1_000_000);
        let mut ranges = Vec::new();
        let mut begin = self.origin.0;
        while begin < self.to.0 && ranges.len() < MAX_STEPS {
            let end = begin.saturating_add(length);
            let low = Micros(begin.max(self.from.0)).as_millis();
            let high = Micros(end.min(self.to.0)).as_millis();
            let number = i64::try_from(ranges.len()).unwrap_or(i64::MAX);
            ranges.push((number, CallId::floor(low), CallId::floor(high)));
            begin = end;
        }
        ranges
    }
}

impl Reader {
    /// Counts tokens that the answers of calls handed out, step by step. Of the filter only what is
    /// said of activities counts: who called what.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn mints(
        &mut self,
        filter: &Filter,
        steps: Steps,
    ) -> Result<Vec<Minted>, LedgerError> {
        let ranges = steps.ranges();
        let (Some((_, low, _)), Some((_, _, high))) = (ranges.first(), ranges.last()) else {
            return Ok(Vec::new());
        };
        let is_sqlite = self.is_sqlite();
        let bytes = |id: &CallId| id.as_bytes().to_vec();
        let mut sql = Sql::new("WITH steps (step, low, high) AS (VALUES ");
        for (index, (number, low, high)) in ranges.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" });
            // A number bound here would have no type in Postgres.
            sql.push(number).push(", ").push_bind(bytes(low));
            sql.push(", ").push_bind(bytes(high)).push(")");
        }
        let index = match is_sqlite {
            true => "INDEXED BY records_by_activity",
            false => "",
        };
        sql.push(format!(
            "), makers AS (SELECT id, minted_kind, caller, provider FROM activities AS a \
             WHERE minted_kind IS NOT NULL AND EXISTS (SELECT 1 FROM records AS r {index} \
             WHERE r.activity_id = a.id AND r.call_id >= "
        ));
        sql.push_bind(bytes(low)).push(" AND r.call_id < ");
        sql.push_bind(bytes(high)).push(")");
        filter.push_activity(&mut sql);
        sql.push(format!(
            "), counted AS (SELECT step, minted_kind, caller, provider, \
             (SELECT count(*) FROM records AS r {index} WHERE r.activity_id = makers.id \
             AND r.call_id >= steps.low AND r.call_id < steps.high) AS calls \
             FROM makers CROSS JOIN steps) \
             SELECT CAST(step AS BIGINT), coalesce(minted_kind, ''), coalesce(caller, ''), \
             coalesce(provider, ''), CAST(sum(calls) AS BIGINT) \
             FROM counted GROUP BY 1, 2, 3, 4 HAVING sum(calls) > 0 ORDER BY 1 DESC LIMIT "
        ));
        sql.push_bind(MAX_GROUPS);
        self.rows(sql, |row| {
            let text = |at| Ok::<_, sqlx::Error>(row.text(at)?.unwrap_or_default());
            Ok(Minted {
                step: row.integer(0)?.unwrap_or(0),
                kind: text(1)?,
                caller: text(2)?,
                provider: text(3)?,
                calls: u64::try_from(row.integer(4)?.unwrap_or(0)).unwrap_or(0),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_ranges_of_ids_within_the_period() {
        let steps = Steps {
            from: Micros::from_secs(90),
            to: Micros::from_secs(200),
            origin: Micros::from_secs(60),
            length_s: 60,
        };
        let id = |secs: i64| CallId::floor(secs * 1_000);
        assert_eq!(
            steps.ranges(),
            [
                (0, id(90), id(120)),
                (1, id(120), id(180)),
                (2, id(180), id(200))
            ]
        );
        let none = Steps {
            to: steps.origin,
            ..steps
        };
        assert!(none.ranges().is_empty());
    }
}
