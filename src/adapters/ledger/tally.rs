//! Counts for reports: piece by piece, so that memory stays bounded whatever the period and the
//! one who waits can be told how far it is.

use super::error::LedgerError;
use super::filter::{Filter, ID_SLACK_MILLIS, Over, push_id};
use super::query::Reader;
use super::sql::Sql;
use super::{postgres, sqlite};
use crate::domain::evidence::merkle::NodeHash;
use crate::domain::report::{Activity, CheckpointMark, Counted, Gap, JournalMark, TokenUse};
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
        if self.is_sqlite() {
            sqlite::schema::SCHEMA_VERSION
        } else {
            postgres::schema::SCHEMA_VERSION
        }
    }

    /// From now on all answers are of one state of the ledger, until the reader is dropped. In
    /// SQLite the write-ahead log grows meanwhile.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn hold_still(&mut self) -> Result<(), LedgerError> {
        let begin = if self.is_sqlite() {
            "BEGIN"
        } else {
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        };
        self.rows(Sql::new(begin), |_| Ok(())).await?;
        Ok(())
    }

    /// The activities that a filter can concern, with their numbers.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn activities(
        &mut self,
        filter: &Filter,
    ) -> Result<Vec<(i64, Activity)>, LedgerError> {
        let mut sql = Sql::new(
            "SELECT id, caller, provider, environment, operation, effect, token_type, pii, \
             minted_kind, decision, reason FROM activities WHERE true",
        );
        filter.push_activity(&mut sql);
        self.rows(sql, |row| {
            let pii = row.text(7)?;
            let pii = pii.as_deref().map(serde_json::from_str);
            let activity = Activity {
                caller: row.text(1)?,
                provider: row.text(2)?,
                environment: row.text(3)?,
                operation: row.text(4)?.unwrap_or_default(),
                effect: row.text(5)?,
                token_type: row.text(6)?.unwrap_or_default(),
                pii: pii.and_then(Result::ok).unwrap_or_default(),
                minted_kind: row.text(8)?,
                decision: row.text(9)?.unwrap_or_default(),
                reason: row.text(10)?,
            };
            Ok((row.integer(0)?.unwrap_or_default(), activity))
        })
        .await
    }

    /// Counts the calls that meet the filter by activity and by how they ended.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn tally(&mut self, filter: &Filter) -> Result<Vec<Counted>, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let table = resolved.path().table(self.is_sqlite());
        let mut sql = Sql::new(format!(
            "SELECT activity_id, outcome, status, error_code, count(*) FROM {table} WHERE true"
        ));
        resolved.push(&mut sql, Over::Records);
        sql.push(" GROUP BY 1, 2, 3, 4");
        self.rows(sql, |row| {
            let status = row.integer(2)?;
            Ok(Counted {
                activity: row.integer(0)?.unwrap_or_default(),
                outcome: outcome_of(row.text(1)?),
                status: status.and_then(|status| u16::try_from(status).ok()),
                error_code: row.text(3)?,
                calls: unsigned(row.integer(4)?),
            })
        })
        .await
    }

    /// A time before which, from `from` on, no call was received; `None` if there is none after it
    /// either. Counting can begin there.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn first_from(&mut self, from: Micros) -> Result<Option<Micros>, LedgerError> {
        let mut sql = Sql::new("SELECT received_at FROM records WHERE true");
        let millis = from.as_millis().saturating_sub(ID_SLACK_MILLIS);
        push_id(&mut sql, ">=", CallId::floor(millis));
        sql.push(" ORDER BY call_id LIMIT 1");
        let rows = self.rows(sql, |row| row.integer(0)).await?;
        // The time of reception and that in the id may lie apart for this call and for the next.
        let slack = 2_000 * ID_SLACK_MILLIS;
        let first = rows.into_iter().next().flatten();
        Ok(first.map(|at| Micros(at.saturating_sub(slack)).max(from)))
    }

    /// The highest number of a token.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn last_token(&mut self) -> Result<i64, LedgerError> {
        self.number(Sql::new("SELECT max(id) FROM credentials"))
            .await
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
        let hint = if self.is_sqlite() {
            "INDEXED BY records_by_credential"
        } else {
            ""
        };
        let mut sql = Sql::new(format!(
            "SELECT u.credential_id, c.token_fingerprint, u.token_type, u.caller, u.outcome, \
             c.token_expires_at, CAST(CASE WHEN EXISTS (SELECT 1 FROM records AS m \
             WHERE m.minted_fingerprint = c.token_fingerprint) THEN 1 ELSE 0 END AS BIGINT), \
             u.calls, u.first_at, u.last_at \
             FROM (SELECT credential_id, a.token_type, a.caller, outcome, count(*) AS calls, \
             min(received_at) AS first_at, max(received_at) AS last_at \
             FROM records {hint} LEFT JOIN activities AS a ON a.id = activity_id \
             WHERE credential_id IS NOT NULL AND credential_id BETWEEN "
        ));
        sql.push_bind(first).push(" AND ").push_bind(last);
        resolved.push(&mut sql, Over::Records);
        sql.push(
            " GROUP BY 1, 2, 3, 4) AS u JOIN credentials AS c ON c.id = u.credential_id \
             WHERE c.token_fingerprint IS NOT NULL ORDER BY u.credential_id",
        );
        self.rows(sql, |row| {
            Ok(TokenUse {
                token: row.integer(0)?.unwrap_or_default(),
                fingerprint: hex(row.bytes(1)?),
                token_type: row.text(2)?.unwrap_or_default(),
                caller: row.text(3)?,
                outcome: outcome_of(row.text(4)?),
                expires_at: row.integer(5)?.map(Micros),
                was_minted_here: row.integer(6)? == Some(1),
                calls: unsigned(row.integer(7)?),
                first: Micros(row.integer(8)?.unwrap_or_default()),
                last: Micros(row.integer(9)?.unwrap_or_default()),
            })
        })
        .await
    }

    /// What could not be recorded in a period.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn gaps(&mut self, from: Micros, to: Micros) -> Result<Gaps, LedgerError> {
        let mut sql = Sql::new(
            "SELECT j.journal, g.began_at, g.ended_at, g.refused, g.shed, g.dropped \
             FROM journal_gaps AS g LEFT JOIN journals AS j ON j.id = g.journal_id \
             WHERE g.began_at < ",
        );
        sql.push_bind(to.0).push(" AND g.ended_at >= ");
        sql.push_bind(from.0);
        sql.push(" ORDER BY g.began_at, g.seq LIMIT ");
        sql.push_bind(GAP_ROWS);
        let first = self.rows(sql, |row| {
            Ok(Gap {
                journal: hex(row.bytes(0)?),
                from: Micros(row.integer(1)?.unwrap_or_default()),
                to: Micros(row.integer(2)?.unwrap_or_default()),
                refused: unsigned(row.integer(3)?),
                shed: unsigned(row.integer(4)?),
                dropped: unsigned(row.integer(5)?),
            })
        });
        let first = first.await?;
        // Sums of whole numbers are of another type in Postgres.
        let mut sql = Sql::new(
            "SELECT count(*), CAST(sum(refused) AS BIGINT), CAST(sum(shed) AS BIGINT), \
             CAST(sum(dropped) AS BIGINT) FROM journal_gaps WHERE began_at < ",
        );
        sql.push_bind(to.0).push(" AND ended_at >= ");
        sql.push_bind(from.0);
        let sums = self.rows(sql, |row| {
            let sum = |at| row.integer(at).map(unsigned);
            Ok((sum(0)?, [sum(1)?, sum(2)?, sum(3)?]))
        });
        let (all, lost) = sums.await?.into_iter().next().unwrap_or_default();
        Ok(Gaps { first, all, lost })
    }

    /// How far the ledger has come with each journal.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn journals(&mut self) -> Result<Vec<JournalMark>, LedgerError> {
        // The key of the table leads to the last of each journal.
        let of_last = |column| {
            format!(
                "(SELECT {column} FROM checkpoints AS c WHERE c.journal = j.journal \
                 ORDER BY c.size DESC, c.cosignatures DESC, c.note DESC LIMIT 1)"
            )
        };
        let sql = Sql::new(format!(
            "SELECT j.journal, j.done_to, {}, {}, {}, {} FROM journals AS j ORDER BY j.id",
            of_last("origin"),
            of_last("size"),
            of_last("root"),
            of_last("made_at"),
        ));
        self.rows(sql, |row| {
            let root = row.bytes(4)?.and_then(|root| root.try_into().ok());
            let checkpoint = match (row.text(2)?, row.integer(3)?, root, row.integer(5)?) {
                (Some(origin), Some(size), Some(root), Some(at)) => Some(CheckpointMark {
                    origin,
                    size: unsigned(Some(size)),
                    root: NodeHash::from_bytes(root).to_string(),
                    at: Micros(at),
                }),
                _ => None,
            };
            Ok(JournalMark {
                journal: hex(row.bytes(0)?),
                done_to: unsigned(row.integer(1)?),
                checkpoint,
            })
        })
        .await
    }
}

/// A word that is not known says that nothing is known.
fn outcome_of(word: Option<String>) -> Outcome {
    let word = word.unwrap_or_default();
    word.parse().unwrap_or(Outcome::Unknown)
}

fn unsigned(count: Option<i64>) -> u64 {
    count.and_then(|count| count.try_into().ok()).unwrap_or(0)
}

/// As hexadecimal digits; empty if there is nothing.
fn hex(bytes: Option<Vec<u8>>) -> String {
    let bytes: Option<[u8; 16]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let mut out = String::new();
    if let Some(bytes) = bytes {
        super::json::push_hex(&mut out, &bytes);
    }
    out
}
