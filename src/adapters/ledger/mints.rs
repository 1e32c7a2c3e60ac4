//! Counts handed-out tokens by time, kind, caller and provider.

use super::error::LedgerError;
use super::filter::{Filter, Over};
use super::query::Reader;
use super::sql::Sql;
use crate::types::Micros;

/// Most groups that are read: those of a busy year in steps of a day.
const MAX_GROUPS: i64 = 100_000;

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

impl Reader {
    /// Counts tokens that the answers of calls handed out, in steps of so many seconds from
    /// `origin` on, which is not after the filter's `from`.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn mints(
        &mut self,
        filter: &Filter,
        origin: Micros,
        step_s: i64,
    ) -> Result<Vec<Minted>, LedgerError> {
        let resolved = self.resolve(filter).await?;
        let mut sql = Sql::new("SELECT (received_at - ");
        sql.push_bind(origin.0);
        sql.push(") / ")
            .push_bind(step_s.max(1).saturating_mul(1_000_000));
        sql.push(
            " AS step, coalesce(minted_kind, '') AS kind, coalesce(caller, '') AS who, \
             coalesce(provider, '') AS bank, count(*) FROM calls WHERE minted_kind IS NOT NULL",
        );
        resolved.push(&mut sql, Over::Calls);
        sql.push(" GROUP BY step, kind, who, bank ORDER BY step DESC LIMIT ")
            .push_bind(MAX_GROUPS);
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
