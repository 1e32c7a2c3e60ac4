//! Counts for reports: piece by piece, so that memory stays bounded whatever the period and the
//! one who waits can be told how far it is.

use sqlx::QueryBuilder;

use super::filter::{Filter, Over, push_id};
use super::query::Reader;
use super::schema::{LedgerError, SCHEMA_VERSION};
use crate::domain::report::{Activity, Counted, Gap, JournalMark, TokenUse};
use crate::types::{CallId, Micros, Outcome};

/// Gaps that are listed; the others are only counted.
const GAP_ROWS: i64 = 100;

/// The gaps of a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The first of them.
    pub first: Vec<Gap>,
    /// How many there are.
    pub all: u64,
    /// Sums over all of them: refused, shed, dropped.
    pub lost: [u64; 3],
}

impl Reader {
    /// The schema of the ledger.
    pub fn schema(&self) -> i64 {
        SCHEMA_VERSION
    }

    /// From now on all answers are of one state of the ledger, until the reader is dropped. The
    /// write-ahead log grows meanwhile.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn hold_still(&mut self) -> Result<(), LedgerError> {
        let begun = sqlx::query("BEGIN").execute(&mut self.conn).await;
        begun.map(|_| ()).map_err(|source| self.failed(source))
    }

    /// The activities that a filter can concern, with their numbers.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn activities(
        &mut self,
        filter: &Filter,
    ) -> Result<Vec<(i64, Activity)>, LedgerError> {
        let mut sql = QueryBuilder::new(
            "SELECT id, caller, provider, environment, operation, effect, token_type, pii, \
             minted_kind, decision, reason FROM activities WHERE 1",
        );
        filter.push_activity(&mut sql);
        type Text = Option<String>;
        type Row = (
            i64,
            Text,
            Text,
            Text,
            String,
            Text,
            String,
            Text,
            Text,
            String,
            Text,
        );
        let rows: Vec<Row> = sql
            .build_query_as()
            .fetch_all(&mut self.conn)
            .await
            .map_err(|source| self.failed(source))?;
        let activities = rows.into_iter().map(|row| {
            let pii = row.7.as_deref().map(serde_json::from_str);
            let activity = Activity {
                caller: row.1,
                provider: row.2,
                environment: row.3,
                operation: row.4,
                effect: row.5,
                token_type: row.6,
                pii: pii.and_then(Result::ok).unwrap_or_default(),
                minted_kind: row.8,
                decision: row.9,
                reason: row.10,
            };
            (row.0, activity)
        });
        Ok(activities.collect())
    }

    /// Counts the calls that meet the filter by activity and by how they ended.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn tally(&mut self, filter: &Filter) -> Result<Vec<Counted>, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let table = resolved.path().table();
        let mut sql = QueryBuilder::new(format!(
            "SELECT activity_id, outcome, status, error_code, count(*) FROM {table} WHERE 1"
        ));
        resolved.push(&mut sql, Over::Records);
        sql.push(" GROUP BY 1, 2, 3, 4");
        let rows: Vec<(Option<i64>, String, Option<i64>, Option<String>, i64)> = sql
            .build_query_as()
            .fetch_all(&mut self.conn)
            .await
            .map_err(|source| self.failed(source))?;
        let counted = rows
            .into_iter()
            .map(|(activity, outcome, status, error_code, calls)| Counted {
                activity: activity.unwrap_or_default(),
                outcome: outcome_of(&outcome),
                status: status.and_then(|status| u16::try_from(status).ok()),
                error_code,
                calls: unsigned(calls),
            });
        Ok(counted.collect())
    }

    /// When the first call was received that came at or after `from`: counting can begin there.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn first_from(&mut self, from: Micros) -> Result<Option<Micros>, LedgerError> {
        let mut sql = QueryBuilder::new("SELECT received_at FROM records WHERE 1");
        push_id(&mut sql, ">=", CallId::floor(from.as_millis()));
        sql.push(" ORDER BY call_id LIMIT 1");
        let at: Option<i64> = sql
            .build_query_scalar()
            .fetch_optional(&mut self.conn)
            .await
            .map_err(|source| self.failed(source))?;
        Ok(at.map(Micros))
    }

    /// The highest number of a token.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn last_token(&mut self) -> Result<i64, LedgerError> {
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM credentials")
            .fetch_one(&mut self.conn)
            .await
            .map_err(|source| self.failed(source))
    }

    /// How the tokens numbered from `first` to `last` were used in calls that meet the filter, in
    /// the order of their numbers.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn token_uses(
        &mut self,
        filter: &Filter,
        first: i64,
        last: i64,
    ) -> Result<Vec<TokenUse>, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let mut sql = QueryBuilder::new(
            "SELECT u.credential_id, lower(hex(c.token_fingerprint)), a.token_type, a.caller, \
             u.outcome, c.token_expires_at, EXISTS (SELECT 1 FROM records AS m \
             WHERE m.minted_fingerprint = c.token_fingerprint), u.calls, u.first, u.last \
             FROM (SELECT credential_id, activity_id, outcome, count(*) AS calls, \
             min(received_at) AS first, max(received_at) AS last \
             FROM records INDEXED BY records_by_credential WHERE credential_id IS NOT NULL \
             AND credential_id BETWEEN ",
        );
        sql.push_bind(first).push(" AND ").push_bind(last);
        resolved.push(&mut sql, Over::Records);
        sql.push(
            " GROUP BY 1, 2, 3) AS u JOIN credentials AS c ON c.id = u.credential_id \
             LEFT JOIN activities AS a ON a.id = u.activity_id \
             WHERE c.token_fingerprint IS NOT NULL ORDER BY u.credential_id",
        );
        type Row = (
            i64,
            String,
            Option<String>,
            Option<String>,
            String,
            Option<i64>,
            bool,
            i64,
            i64,
            i64,
        );
        let rows: Vec<Row> = sql
            .build_query_as()
            .fetch_all(&mut self.conn)
            .await
            .map_err(|source| self.failed(source))?;
        let uses = rows.into_iter().map(|row| TokenUse {
            token: row.0,
            fingerprint: row.1,
            token_type: row.2.unwrap_or_default(),
            caller: row.3,
            outcome: outcome_of(&row.4),
            expires_at: row.5.map(Micros),
            was_minted_here: row.6,
            calls: unsigned(row.7),
            first: Micros(row.8),
            last: Micros(row.9),
        });
        Ok(uses.collect())
    }

    /// What could not be recorded in a period.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn gaps(&mut self, from: Micros, to: Micros) -> Result<Gaps, LedgerError> {
        let rows: Vec<(Option<String>, i64, i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT lower(hex(j.journal)), g.began_at, g.ended_at, g.refused, g.shed, g.dropped \
             FROM journal_gaps AS g LEFT JOIN journals AS j ON j.id = g.journal_id \
             WHERE g.began_at < ? AND g.ended_at >= ? ORDER BY g.began_at, g.seq LIMIT ?",
        )
        .bind(to.0)
        .bind(from.0)
        .bind(GAP_ROWS)
        .fetch_all(&mut self.conn)
        .await
        .map_err(|source| self.failed(source))?;
        let (all, refused, shed, dropped): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(refused), 0), coalesce(sum(shed), 0), \
             coalesce(sum(dropped), 0) FROM journal_gaps WHERE began_at < ? AND ended_at >= ?",
        )
        .bind(to.0)
        .bind(from.0)
        .fetch_one(&mut self.conn)
        .await
        .map_err(|source| self.failed(source))?;
        let first = rows.into_iter().map(|row| Gap {
            journal: row.0.unwrap_or_default(),
            from: Micros(row.1),
            to: Micros(row.2),
            refused: unsigned(row.3),
            shed: unsigned(row.4),
            dropped: unsigned(row.5),
        });
        Ok(Gaps {
            first: first.collect(),
            all: unsigned(all),
            lost: [refused, shed, dropped].map(unsigned),
        })
    }

    /// How far the ledger has come with each journal.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn journals(&mut self) -> Result<Vec<JournalMark>, LedgerError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT lower(hex(journal)), done_to FROM journals ORDER BY id")
                .fetch_all(&mut self.conn)
                .await
                .map_err(|source| self.failed(source))?;
        let marks = rows.into_iter().map(|(journal, done_to)| JournalMark {
            journal,
            done_to: unsigned(done_to),
        });
        Ok(marks.collect())
    }
}

/// A word that is not known says that nothing is known.
fn outcome_of(word: &str) -> Outcome {
    word.parse().unwrap_or(Outcome::Unknown)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
