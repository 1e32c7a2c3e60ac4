//! What an audit reads of a ledger.

use super::{
    LedgerError, MAX_CALLS, Reader, StoredRow, call_id, compared, leaves, number, read_row,
    unsigned,
};
use crate::adapters::ledger::sql::Sql;
use crate::domain::evidence::StoredCheckpoint;
use crate::domain::evidence::merkle::NodeHash;
use crate::domain::journal::{Cursor, Gap, JournalId, Leaves};
use crate::types::{CallId, Micros};

/// A journal as a ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownJournal {
    /// Its number in this ledger.
    pub number: i64,
    /// How far the ledger has come.
    pub cursor: Cursor,
    /// Rows that say they are of it.
    pub rows: u64,
}

/// Rows that no journal at hand vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unvouched {
    /// The journal that they name; `None` for rows that name none.
    pub journal: Option<JournalId>,
    /// Node in the first of them.
    pub node: String,
    /// How many.
    pub rows: u64,
}

impl Reader {
    /// A journal, if the ledger knows it.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn journal(&mut self, id: JournalId) -> Result<Option<KnownJournal>, LedgerError> {
        let mut sql = Sql::new(
            "SELECT id, resume_at, done_to, \
             (SELECT count(*) FROM records WHERE journal_id = journals.id) \
             FROM journals WHERE journal = ",
        );
        sql.push_bind(id.as_bytes().to_vec());
        let rows = self.rows(sql, |row| {
            Ok(KnownJournal {
                number: number(row, 0)?,
                cursor: Cursor {
                    journal: id,
                    resume_at: unsigned(number(row, 1)?),
                    done_to: unsigned(number(row, 2)?),
                },
                rows: unsigned(number(row, 3)?),
            })
        });
        Ok(rows.await?.into_iter().next())
    }

    /// Rows of other journals and of none.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn unvouched(&mut self, known: &[i64]) -> Result<Vec<Unvouched>, LedgerError> {
        let mut sql = Sql::new(
            "SELECT j.journal, min(p.node), count(*) FROM records AS r \
             LEFT JOIN journals AS j ON j.id = r.journal_id \
             LEFT JOIN profiles AS p ON p.id = r.profile_id WHERE true",
        );
        for number in known {
            sql.push(" AND r.journal_id IS DISTINCT FROM ")
                .push_bind(*number);
        }
        sql.push(" GROUP BY r.journal_id, j.journal");
        self.rows(sql, |row| {
            Ok(Unvouched {
                journal: row
                    .bytes(0)?
                    .and_then(|id| id.try_into().ok())
                    .map(JournalId::from_bytes),
                node: row.text(1)?.unwrap_or_default(),
                rows: unsigned(number(row, 2)?),
            })
        })
        .await
    }

    /// The rows of calls, in no order; at most [`MAX_CALLS`] are asked for.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn rows_of(
        &mut self,
        journal: i64,
        calls: &[CallId],
    ) -> Result<Vec<StoredRow>, LedgerError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<_> = compared()
            .map(|column| format!("c.{}", column.source))
            .collect();
        let mut sql = Sql::new(format!(
            "SELECT {}, r.call_id, r.intent_seq, r.outcome_seq, r.completion_seq, r.credential_id \
             FROM records AS r JOIN calls AS c ON c.call_id = r.call_id WHERE r.journal_id = ",
            columns.join(", ")
        ));
        sql.push_bind(journal).push(" AND r.call_id IN (");
        for (at, id) in calls.iter().take(MAX_CALLS).enumerate() {
            if at > 0 {
                sql.push(", ");
            }
            sql.push_bind(id.as_bytes().to_vec());
        }
        sql.push(")");
        self.rows(sql, read_row).await
    }

    /// The journals that the ledger has taken rows from, but for some, with the name of their log as
    /// far as the ledger has a checkpoint of it.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn other_logs(
        &mut self,
        known: &[JournalId],
    ) -> Result<Vec<(JournalId, String)>, LedgerError> {
        let sql = Sql::new(
            "SELECT journal, (SELECT origin FROM checkpoints AS c \
             WHERE c.journal = journals.journal LIMIT 1) FROM journals",
        );
        let rows = self.rows(sql, |row| {
            let journal = row.bytes(0)?.and_then(|id| id.try_into().ok());
            Ok((journal.map(JournalId::from_bytes), row.text(1)?))
        });
        let rows = rows.await?.into_iter();
        Ok(rows
            .filter_map(|(journal, origin)| Some((journal?, origin?)))
            .filter(|(journal, _)| !known.contains(journal))
            .collect())
    }

    /// Calls of a journal in the order in which they were written, after a row.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn calls_after(
        &mut self,
        journal: i64,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<(i64, CallId)>, LedgerError> {
        let mut sql = Sql::new("SELECT seq, call_id FROM records WHERE journal_id = ");
        sql.push_bind(journal).push(" AND seq > ").push_bind(seq);
        sql.push(" ORDER BY seq LIMIT ").push_bind(i64::from(limit));
        let rows = self.rows(sql, |row| Ok((number(row, 0)?, call_id(row, 1)?)));
        let rows = rows.await?.into_iter();
        Ok(rows.filter_map(|(seq, id)| Some((seq, id?))).collect())
    }

    /// The first row that names no journal: such rows are made by nobody.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn first_without_journal(&mut self) -> Result<Option<CallId>, LedgerError> {
        let sql = "SELECT r.call_id FROM records AS r \
                   LEFT JOIN journals AS j ON j.id = r.journal_id \
                   WHERE j.id IS NULL ORDER BY r.seq LIMIT 1";
        let rows = self.rows(sql.into(), |row| call_id(row, 0)).await?;
        Ok(rows.into_iter().next().flatten())
    }

    /// When rows were last given up by retention, if they ever were.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn last_prune(&mut self) -> Result<Option<Micros>, LedgerError> {
        let sql = "SELECT max(began_at) FROM maintenance \
                   WHERE kind = 'prune' AND ended_at IS NOT NULL";
        let rows = self.rows(sql.into(), |row| row.integer(0)).await?;
        Ok(rows.into_iter().next().flatten().map(Micros))
    }

    /// What could not be recorded, as the ledger says.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn gaps_of(&mut self, journal: i64) -> Result<Vec<(u64, Gap)>, LedgerError> {
        let mut sql = Sql::new(
            "SELECT seq, began_at, ended_at, refused, shed, dropped FROM journal_gaps \
             WHERE journal_id = ",
        );
        sql.push_bind(journal).push(" ORDER BY seq");
        self.rows(sql, |row| {
            let gap = Gap {
                from: Micros(number(row, 1)?),
                to: Micros(number(row, 2)?),
                refused: unsigned(number(row, 3)?),
                shed: unsigned(number(row, 4)?),
                dropped: unsigned(number(row, 5)?),
            };
            Ok((unsigned(number(row, 0)?), gap))
        })
        .await
    }

    /// The checkpoints of a journal whose size is in a range, smallest first.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn checkpoints(
        &mut self,
        journal: JournalId,
        above: u64,
        to: u64,
    ) -> Result<Vec<StoredCheckpoint>, LedgerError> {
        let bound = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
        let mut sql = Sql::new(
            "SELECT size, cosignatures, origin, root, made_at, note FROM checkpoints \
             WHERE journal = ",
        );
        sql.push_bind(journal.as_bytes().to_vec());
        sql.push(" AND size > ").push_bind(bound(above));
        sql.push(" AND size <= ").push_bind(bound(to));
        sql.push(" ORDER BY size, cosignatures, note");
        self.rows(sql, |row| {
            // What is not a hash is none that was signed.
            let root = row.bytes(3)?.unwrap_or_default();
            Ok(StoredCheckpoint {
                size: unsigned(number(row, 0)?),
                cosignatures: unsigned(number(row, 1)?),
                origin: row.text(2)?.unwrap_or_default(),
                root: NodeHash::from_bytes(root.try_into().unwrap_or_default()),
                made_at: Micros(number(row, 4)?),
                note: row.text(5)?.unwrap_or_default(),
            })
        })
        .await
    }

    /// The records that the row of a call was made of, and their journal.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn leaves_of(
        &mut self,
        call: CallId,
    ) -> Result<Option<(JournalId, Leaves)>, LedgerError> {
        let mut sql = Sql::new(
            "SELECT j.journal, r.intent_seq, r.outcome_seq, r.completion_seq \
             FROM records AS r JOIN journals AS j ON j.id = r.journal_id WHERE r.call_id = ",
        );
        sql.push_bind(call.as_bytes().to_vec());
        let rows = self.rows(sql, |row| {
            let journal = row.bytes(0)?.and_then(|id| id.try_into().ok());
            Ok((journal.map(JournalId::from_bytes), leaves(row, 1)?))
        });
        let row = rows.await?.into_iter().next();
        Ok(row.and_then(|(journal, leaves)| Some((journal?, leaves))))
    }

    /// The call that a record of a journal belongs to, as the ledger says. Reads every row.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn call_of_record(
        &mut self,
        journal: i64,
        record: u64,
    ) -> Result<Option<CallId>, LedgerError> {
        let mut sql = Sql::new("SELECT call_id FROM records WHERE journal_id = ");
        sql.push_bind(journal).push(" AND ");
        sql.push_bind(i64::try_from(record).unwrap_or(i64::MAX));
        sql.push(" IN (intent_seq, outcome_seq, completion_seq) LIMIT 1");
        let rows = self.rows(sql, |row| call_id(row, 0)).await?;
        Ok(rows.into_iter().next().flatten())
    }
}
