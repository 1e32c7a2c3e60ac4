//! Checkpoints in the ledger.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use super::schema::within;
use super::store::{BATCH_TIMEOUT, PostgresStore, count};
use crate::adapters::ledger::LedgerError;
use crate::domain::evidence::{CheckpointStore, StoredCheckpoint};
use crate::domain::journal::JournalId;

impl CheckpointStore for PostgresStore {
    type Error = LedgerError;

    async fn newest_size(&mut self, journal: JournalId) -> Result<Option<u64>, LedgerError> {
        let mut open = self.take_connection().await?;
        let newest =
            sqlx::query_scalar("SELECT max(size) FROM egret.checkpoints WHERE journal = $1")
                .bind(&journal.as_bytes()[..])
                .fetch_one(&mut open.conn);
        let size: Result<Option<i64>, _> = within(BATCH_TIMEOUT, newest).await;
        match size {
            Ok(size) => {
                self.conn = Some(open);
                Ok(size.and_then(|size| size.try_into().ok()))
            }
            Err(source) => Err(self.failed("read", source)),
        }
    }

    async fn add(
        &mut self,
        journal: JournalId,
        checkpoints: &[StoredCheckpoint],
    ) -> Result<(), LedgerError> {
        let mut open = self.take_connection().await?;
        let added = add(&mut open.conn, journal, checkpoints);
        match within(BATCH_TIMEOUT, added).await {
            Ok(()) => {
                self.conn = Some(open);
                Ok(())
            }
            Err(source) => Err(self.failed("write to", source)),
        }
    }
}

async fn add(
    conn: &mut PgConnection,
    journal: JournalId,
    checkpoints: &[StoredCheckpoint],
) -> Result<(), sqlx::Error> {
    let mut transaction = conn.begin().await?;
    for checkpoint in checkpoints {
        let query = sqlx::query(
            "INSERT INTO egret.checkpoints \
             (journal, size, cosignatures, note, origin, root, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&journal.as_bytes()[..])
        .bind(count(checkpoint.size))
        .bind(count(checkpoint.cosignatures))
        .bind(&checkpoint.note)
        .bind(&checkpoint.origin)
        .bind(&checkpoint.root.as_bytes()[..])
        .bind(checkpoint.made_at.0);
        transaction.execute(query).await?;
    }
    transaction.commit().await
}
