//! Checkpoints in the ledger.

use sqlx::Connection;

use super::{Open, SqliteStore, count};
use crate::adapters::ledger::LedgerError;
use crate::domain::evidence::{CheckpointStore, StoredCheckpoint};
use crate::domain::journal::JournalId;

impl CheckpointStore for SqliteStore {
    type Error = LedgerError;

    async fn newest_size(&mut self, journal: JournalId) -> Result<Option<u64>, LedgerError> {
        let mut open = self.take_connection().await?;
        let sql = "SELECT max(size) FROM checkpoints WHERE journal = ?";
        let size: Result<Option<i64>, _> = sqlx::query_scalar(sql)
            .bind(&journal.as_bytes()[..])
            .fetch_one(&mut open.conn)
            .await;
        self.conn = Some(open);
        match size {
            Ok(size) => Ok(size.and_then(|size| size.try_into().ok())),
            Err(source) => Err(LedgerError::database(
                &self.path.as_path().into(),
                "read",
                source,
            )),
        }
    }

    async fn add(
        &mut self,
        journal: JournalId,
        checkpoints: &[StoredCheckpoint],
    ) -> Result<(), LedgerError> {
        let mut open = self.take_connection().await?;
        match add(&mut open, journal, checkpoints).await {
            Ok(()) => {
                self.conn = Some(open);
                Ok(())
            }
            Err(source) => {
                // Release the file's locks before the next try opens it again.
                let _ = open.conn.close().await;
                Err(LedgerError::database(
                    &self.path.as_path().into(),
                    "write to",
                    source,
                ))
            }
        }
    }
}

async fn add(
    open: &mut Open,
    journal: JournalId,
    checkpoints: &[StoredCheckpoint],
) -> Result<(), sqlx::Error> {
    let mut transaction = open.conn.begin_with("BEGIN IMMEDIATE").await?;
    for checkpoint in checkpoints {
        sqlx::query(
            "INSERT INTO checkpoints (journal, size, cosignatures, note, origin, root, made_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&journal.as_bytes()[..])
        .bind(count(checkpoint.size))
        .bind(count(checkpoint.cosignatures))
        .bind(&checkpoint.note)
        .bind(&checkpoint.origin)
        .bind(&checkpoint.root.as_bytes()[..])
        .bind(checkpoint.made_at.0)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
