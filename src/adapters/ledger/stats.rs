//! Counts calls over a period.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::LedgerError;
use super::filter::{Filter, Resolved};
use super::query::Reader;
use super::sql::Sql;
use crate::types::{Micros, Outcome};

const MINUTE_MICROS: i64 = 60_000_000;

/// What calls are counted by: the name, and the expression that gives the group. Operations are
/// named with their provider, since two providers may use one name.
const DIMENSIONS: [(&str, &str); 7] = [
    ("operation", "coalesce(provider || '/', '') || operation"),
    ("status", "coalesce(CAST(status AS TEXT), '(none)')"),
    ("error_code", "coalesce(error_code, '(none)')"),
    ("token_type", "token_type"),
    ("decision", "decision"),
    ("outcome", "outcome"),
    ("caller", "coalesce(caller, '(none)')"),
];

/// How long calls took from the request's header to the end of the answer, in microseconds.
/// Percentiles by nearest rank: a time that some call really took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of the calls took no longer.
    pub p50: i64,
    /// 95 % of the calls took no longer.
    pub p95: i64,
    /// 99 % of the calls took no longer.
    pub p99: i64,
    /// The longest.
    pub max: i64,
}

/// How many calls are in one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The group; `(none)` for calls without a value.
    pub value: String,
    /// How many.
    pub calls: u64,
}

/// The minute with the most calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busiest {
    /// Where the minute begins.
    pub at: Micros,
    /// How many calls were received in it.
    pub calls: u64,
}

/// What happened in a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// How many calls.
    pub calls: u64,
    /// The first of them was received then.
    pub first: Option<Micros>,
    /// The last of them was received then.
    pub last: Option<Micros>,
    /// Share of calls that did not end well (`failure` or `unknown`), from 0 to 1.
    pub error_rate: f64,
    /// Mean number of calls per minute, over the asked period as far as it is bounded, else from
    /// the first call to the last, and over one minute at least.
    pub per_minute: f64,
    /// The busiest minute.
    pub busiest: Option<Busiest>,
    /// Times, over the calls that have one.
    pub total_us: Option<Percentiles>,
    /// Counts by one field each, the largest first.
    pub by: Vec<(&'static str, Vec<Count>)>,
}

impl Reader {
    /// Counts the calls that meet the filter.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn stats(&mut self, filter: &Filter) -> Result<Stats, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let groups = self.groups(&resolved).await?;
        let mut by: [BTreeMap<String, u64>; DIMENSIONS.len()] = Default::default();
        let (mut calls, mut errors) = (0, 0);
        for (values, count) in groups {
            calls += count;
            for ((counts, value), (name, _)) in by.iter_mut().zip(values).zip(DIMENSIONS) {
                let bad = [Outcome::Failure.as_str(), Outcome::Unknown.as_str()];
                if name == "outcome" && bad.contains(&value.as_str()) {
                    errors += count;
                }
                *counts.entry(value).or_default() += count;
            }
        }
        let (first, last) = self.extent(&resolved).await?;
        let span = match (filter.from.or(first), filter.to.or(last)) {
            (Some(from), Some(to)) => to.0.saturating_sub(from.0).max(MINUTE_MICROS),
            _ => MINUTE_MICROS,
        };
        Ok(Stats {
            calls,
            first,
            last,
            error_rate: if calls == 0 {
                0.0
            } else {
                errors as f64 / calls as f64
            },
            per_minute: calls as f64 * MINUTE_MICROS as f64 / span as f64,
            busiest: self.busiest(&resolved).await?,
            total_us: self.percentiles(&resolved).await?,
            by: DIMENSIONS
                .iter()
                .map(|(name, _)| *name)
                .zip(by.into_iter().map(largest_first))
                .collect(),
        })
    }

    /// One pass over the calls: counts by all fields together, added up by the caller.
    async fn groups(
        &mut self,
        filter: &Resolved<'_>,
    ) -> Result<Vec<([String; DIMENSIONS.len()], u64)>, LedgerError> {
        let texts: Vec<_> = DIMENSIONS
            .iter()
            .map(|(_, expression)| format!("CAST({expression} AS TEXT)"))
            .collect();
        let mut sql = Sql::new(format!(
            "SELECT {}, count(*) FROM calls WHERE true",
            texts.join(", ")
        ));
        filter.push(&mut sql);
        sql.push(" GROUP BY 1, 2, 3, 4, 5, 6, 7");
        self.rows(sql, |row| {
            let mut values: [String; DIMENSIONS.len()] = Default::default();
            for (at, value) in values.iter_mut().enumerate() {
                *value = row.text(at)?.unwrap_or_default();
            }
            let calls = row.integer(DIMENSIONS.len())?.unwrap_or(0);
            Ok((values, unsigned(calls)))
        })
        .await
    }

    async fn extent(
        &mut self,
        filter: &Resolved<'_>,
    ) -> Result<(Option<Micros>, Option<Micros>), LedgerError> {
        let mut sql = Sql::new("SELECT min(received_at), max(received_at) FROM records WHERE true");
        filter.push(&mut sql);
        let rows = self
            .rows(sql, |row| Ok((row.integer(0)?, row.integer(1)?)))
            .await?;
        let (first, last) = rows.into_iter().next().unwrap_or_default();
        Ok((first.map(Micros), last.map(Micros)))
    }

    async fn busiest(&mut self, filter: &Resolved<'_>) -> Result<Option<Busiest>, LedgerError> {
        let mut sql = Sql::new("SELECT received_at / ");
        sql.push_bind(MINUTE_MICROS)
            .push(" AS minute, count(*) AS calls FROM records WHERE true");
        filter.push(&mut sql);
        sql.push(" GROUP BY minute ORDER BY calls DESC, minute LIMIT 1");
        let rows = self
            .rows(sql, |row| {
                let minute = row.integer(0)?.unwrap_or(0);
                Ok(Busiest {
                    at: Micros(minute.saturating_mul(MINUTE_MICROS)),
                    calls: unsigned(row.integer(1)?.unwrap_or(0)),
                })
            })
            .await?;
        Ok(rows.into_iter().next())
    }

    async fn percentiles(
        &mut self,
        filter: &Resolved<'_>,
    ) -> Result<Option<Percentiles>, LedgerError> {
        // The database sorts on disk if it must, so memory stays bounded whatever the period.
        let mut sql = Sql::new(
            "WITH times AS (SELECT completed_after AS us, \
             row_number() OVER (ORDER BY completed_after) AS rank, \
             count(*) OVER () AS n FROM records WHERE completed_after IS NOT NULL",
        );
        filter.push(&mut sql);
        sql.push(
            ") SELECT us FROM times, (VALUES (50), (95), (99), (100)) AS p \
             WHERE rank = (n * p.column1 + 99) / 100 ORDER BY p.column1",
        );
        let times = self
            .rows(sql, |row| Ok(row.integer(0)?.unwrap_or(0)))
            .await?;
        Ok(match times[..] {
            [p50, p95, p99, max] => Some(Percentiles { p50, p95, p99, max }),
            _ => None,
        })
    }
}

fn largest_first(counts: BTreeMap<String, u64>) -> Vec<Count> {
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(value, calls)| Count { value, calls })
        .collect();
    // Stable: equal counts stay in the order of their names.
    counts.sort_by_key(|count| std::cmp::Reverse(count.calls));
    counts
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::{RecordStore, SqliteStore, samples};

    #[tokio::test]
    async fn counts_rates_and_percentiles() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("egret.db");
        let mut store = SqliteStore::open(&path).await.unwrap();
        // 100 calls, one a second, that take 1 to 100 ms; the 10 slowest fail.
        let mut records: Vec<_> = (0..100).map(|n| Box::new(samples::plain(n))).collect();
        for (n, record) in (1..).zip(&mut records) {
            record.times.completed_at = Some(Micros(record.times.received_at.0 + n * 1_000));
            if n > 90 {
                record.outcome = Outcome::Failure;
                record.status = Some(503);
            }
        }
        records.push(Box::new(samples::empty(100)));
        store.write(&records).await.unwrap();
        let mut reader = Reader::open(&path.as_path().into()).await.unwrap();
        let stats = reader.stats(&Filter::default()).await.unwrap();
        assert_eq!(stats.calls, 101);
        assert_eq!(
            (stats.first, stats.last),
            (Some(samples::received(0)), Some(samples::received(100)))
        );
        let times = stats.total_us.unwrap();
        let ranks = (times.p50, times.p95, times.p99, times.max);
        assert_eq!(ranks, (50_000, 95_000, 99_000, 100_000));
        assert!((stats.error_rate - 11.0 / 101.0).abs() < 1e-9);
        assert!((stats.per_minute - 60.6).abs() < 1e-9);
        // 03:04:05 is where the samples begin: 55 calls in that minute, 46 in the next.
        let busiest = stats.busiest.unwrap();
        assert_eq!(
            (busiest.at.to_string().as_str(), busiest.calls),
            ("2026-01-02T03:04:00.000000Z", 55)
        );
        let by = |name: &str| {
            let (_, counts) = stats.by.iter().find(|(n, _)| *n == name).unwrap();
            let pairs = counts.iter().map(|c| (c.value.as_str(), c.calls));
            pairs.map(|(v, n)| format!("{v}={n}")).collect::<Vec<_>>()
        };
        assert_eq!(by("operation"), ["cybrid/listTrades=100", "unknown=1"]);
        assert_eq!(by("status"), ["200=90", "503=10", "(none)=1"]);
        assert_eq!(by("outcome"), ["success=90", "failure=10", "unknown=1"]);
        assert_eq!(by("caller"), ["billing=100", "(none)=1"]);

        let half = Filter {
            from: Some(samples::received(0)),
            to: Some(Micros(samples::received(0).0 + 120_000_000)),
            ..Filter::default()
        };
        let stats = reader.stats(&half).await.unwrap();
        assert!(
            (stats.per_minute - 50.5).abs() < 1e-9,
            "over the asked period"
        );
    }

    #[tokio::test]
    async fn an_empty_ledger_has_no_times_and_no_division_by_zero() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("egret.db");
        SqliteStore::open(&path).await.unwrap();
        let mut reader = Reader::open(&path.as_path().into()).await.unwrap();
        let stats = reader.stats(&Filter::default()).await.unwrap();
        assert_eq!(
            (stats.calls, stats.error_rate, stats.per_minute),
            (0, 0.0, 0.0)
        );
        assert_eq!((stats.total_us, stats.busiest), (None, None));
    }
}
