//! What auditors read is on record in a shared ledger though they may not write into it: a function
//! of the database takes readings from them, and nothing else (`migrations/postgres`).

use sqlx::postgres::PgConnection;

use super::schema::{open_writer, within};
use super::store::{BATCH_TIMEOUT, count, read_cursors};
use super::text::{clean, clean_json};
use crate::adapters::ledger::detail::write_rest;
use crate::adapters::ledger::{LedgerError, LedgerPlace, RecordStore};
use crate::domain::config::PostgresPlace;
use crate::domain::journal::{Batch, Cursor, Finished};
use crate::domain::record::CallRecord;

/// Whether the login may insert rows, as gateways may, and whether it may record readings.
const RIGHTS: &str = "SELECT has_table_privilege('egret.records', 'INSERT'), \
    has_function_privilege('egret.record_readings(bytea, bigint, bigint, jsonb)', 'EXECUTE')";

const RECORD: &str = "SELECT egret.record_readings($1, $2, $3, $4::jsonb)";

/// A ledger in which a login may record what it reads.
pub struct ReadingsStore {
    place: PostgresPlace,
    conn: PgConnection,
}

impl ReadingsStore {
    /// Connects; `None` if the login may write as a gateway does, or may record nothing at all.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(place: &PostgresPlace) -> Result<Option<Self>, LedgerError> {
        let mut conn = open_writer(place).await?;
        let rights = sqlx::query_as(RIGHTS).fetch_one(&mut conn);
        let (may_insert, may_record): (bool, bool) =
            within(BATCH_TIMEOUT, rights).await.map_err(|source| {
                LedgerError::database(&LedgerPlace::Postgres(place.clone()), "read", source)
            })?;
        let place = place.clone();
        Ok((!may_insert && may_record).then_some(Self { place, conn }))
    }

    fn failed(&self, doing: &'static str, source: sqlx::Error) -> LedgerError {
        LedgerError::database(&LedgerPlace::Postgres(self.place.clone()), doing, source)
    }
}

impl RecordStore for ReadingsStore {
    type Error = LedgerError;

    /// Refused: the function wants to know the journal.
    async fn write(&mut self, _: &[Box<CallRecord>]) -> Result<usize, LedgerError> {
        let refused = sqlx::Error::Protocol("a reading comes from a journal".to_owned());
        Err(self.failed("write to", refused))
    }

    async fn drain(&mut self, batch: &Batch) -> Result<usize, LedgerError> {
        let readings: Vec<_> = batch.calls.iter().map(reading).collect();
        let readings = serde_json::Value::from(readings).to_string();
        let Cursor {
            journal,
            resume_at,
            done_to,
        } = batch.cursor;
        // One statement is one transaction.
        let added = sqlx::query_scalar(RECORD)
            .bind(journal.as_bytes().to_vec())
            .bind(count(resume_at))
            .bind(count(done_to))
            .bind(readings)
            .fetch_one(&mut self.conn);
        let added: i64 = within(BATCH_TIMEOUT, added)
            .await
            .map_err(|source| self.failed("record a reading in", source))?;
        Ok(usize::try_from(added).unwrap_or(0))
    }

    async fn cursors(&mut self) -> Result<Vec<Cursor>, LedgerError> {
        within(BATCH_TIMEOUT, read_cursors(&mut self.conn))
            .await
            .map_err(|source| self.failed("read", source))
    }
}

/// A reading as the function takes it; names as in the ledger's columns.
fn reading(call: &Finished) -> serde_json::Value {
    let record = &call.record;
    let mut detail = String::new();
    write_rest(&mut detail, record);
    let pii: Vec<&str> = record.pii.iter().map(|class| class.as_str()).collect();
    let received = record.times.received_at;
    let completed = record.times.completed_at;
    let hex: String = record
        .call_id
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    serde_json::json!({
        "call_id": hex,
        "received_at": received.0,
        "completed_after": completed.map(|at| at.0.saturating_sub(received.0)),
        "caller": record.caller.name.as_deref().map(clean),
        "operation": record.target.operation.as_deref(),
        "effect": record.target.effect.map(|effect| effect.as_str()),
        "method": record.target.method,
        "reason": record.reason.as_deref(),
        "pii": (!pii.is_empty()).then(|| serde_json::json!(pii).to_string()),
        "node": clean(&record.gateway.node),
        "gateway_version": clean(&record.gateway.version),
        "config_hash": clean(&record.gateway.config_hash),
        "outcome": record.outcome.as_str(),
        "detail": (!detail.is_empty()).then(|| clean_json(&detail)),
        "intent_seq": call.leaves.intent.map(count),
        "outcome_seq": call.leaves.outcome.map(count),
        "completion_seq": call.leaves.completion.map(count),
    })
}
