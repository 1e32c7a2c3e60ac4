//! Rows as digests, to compare what a ledger holds with what the journal says it should hold.
//!
//! The same fields are taken from a stored row and from a record, in the same order and spelling;
//! fields that the view only derives from others are left out. So any difference in what was stored
//! shows, whichever table it was made in.

use super::LedgerError;
use super::detail::write_facts;
use super::json::push_array;
use super::query::Reader;
use super::row::{COLUMNS, Column, Kind, Value};
use super::sql::{Row, Sql};
use crate::domain::evidence::StoredCheckpoint;
use crate::domain::evidence::merkle::{NodeHash, leaf_hash};
use crate::domain::journal::{Cursor, Gap, JournalId, Leaves};
use crate::domain::record::{CallRecord, Subject, SubjectRole};
use crate::types::{CallId, Micros};

/// Most calls that are asked for at a time.
pub const MAX_CALLS: usize = 256;

/// Columns that the view makes of others, and the key.
const DERIVED: [&str; 12] = [
    "seq",
    "call_id",
    "received",
    "forwarded",
    "first_byte",
    "completed",
    "gateway_us",
    "upstream_us",
    "total_us",
    "token_expires",
    "minted_expires",
    "on_behalf_of",
];

fn compared() -> impl Iterator<Item = &'static Column> {
    COLUMNS
        .iter()
        .filter(|column| !DERIVED.contains(&column.name))
}

/// A row as an audit sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The call.
    pub call_id: CallId,
    /// Digest of everything that it says, but for the id; see [`digest_of`].
    pub digest: NodeHash,
}

/// The digest of the row that a record must have.
pub fn digest_of(record: &CallRecord, leaves: &Leaves) -> NodeHash {
    let mut content = Content::default();
    for column in compared() {
        content.value(column, &expected(record, column.name));
    }
    content.leaves(leaves);
    leaf_hash(&content.0)
}

/// What a record says, by the names of the ledger's columns; absent values are left out.
pub fn fields_of(record: &CallRecord) -> Vec<(&'static str, Value)> {
    let id = Value::Text(record.call_id.to_string());
    let fields = compared().map(|column| (column.name, expected(record, column.name)));
    std::iter::once(("call_id", id))
        .chain(fields)
        .filter(|(_, value)| *value != Value::Null)
        .collect()
}

/// Values one after another, so that no two lists look the same.
#[derive(Default)]
struct Content(Vec<u8>);

impl Content {
    fn value(&mut self, column: &Column, value: &Value) {
        match (value, column.kind) {
            (Value::Null, _) => self.0.push(0),
            (Value::Integer(number), _) => {
                self.0.push(1);
                self.0.extend_from_slice(&number.to_le_bytes());
            }
            (Value::Text(text), Kind::Text) => self.text(text),
            (Value::Text(text), _) => self.json(text),
            (Value::Json(text), _) => self.json(text),
        }
    }

    fn text(&mut self, text: &str) {
        self.0.push(2);
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// One spelling for each value: databases write JSON in their own way.
    fn json(&mut self, text: &str) {
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) => self.text(&value.to_string()),
            Err(_) => self.text(text),
        }
    }

    fn leaves(&mut self, leaves: &Leaves) {
        for seq in [leaves.intent, leaves.outcome, leaves.completion] {
            match seq {
                None => self.0.push(0),
                Some(seq) => {
                    self.0.push(1);
                    self.0.extend_from_slice(&seq.to_le_bytes());
                }
            }
        }
    }
}

/// What a column says of a record.
fn expected(record: &CallRecord, column: &str) -> Value {
    let CallRecord {
        gateway,
        times,
        caller,
        target,
        credential,
        mint,
        traffic,
        ..
    } = record;
    let mint = mint.as_ref();
    match column {
        "received_at" => Value::Integer(times.received_at.0),
        "forwarded_at" => time(times.forwarded_at),
        "first_byte_at" => time(times.first_byte_at),
        "completed_at" => time(times.completed_at),
        "caller" => text(caller.name.as_deref()),
        "caller_via" => text(Some(caller.via.as_str())),
        "caller_key_id" => text(caller.key_id.as_deref()),
        "caller_address" => shown(caller.address),
        "provider" => text(target.provider.as_deref()),
        "service" => text(target.service.as_deref()),
        "environment" => text(target.environment.map(|word| word.as_str())),
        "operation" => text(Some(target.operation.as_deref().unwrap_or("unknown"))),
        "effect" => text(target.effect.map(|word| word.as_str())),
        "method" => text(Some(target.method)),
        "path_template" => text(target.path_template.as_deref()),
        "query" => text(target.query.as_deref()),
        "accept_version" => text(target.accept_version.as_deref()),
        "token_type" => text(Some(credential.token_type.as_str())),
        "tokens_present" => array(credential.present.iter().map(|word| word.as_str())),
        "token_fingerprint" => shown(credential.fingerprint),
        "token_scopes" => array(credential.scopes.iter().map(|scope| &**scope)),
        "token_scopes_unlisted" => Value::Integer(i64::from(credential.unlisted_scopes)),
        "token_jti" => text(credential.jti.as_deref()),
        "token_expires_at" => time(credential.expires_at),
        "token_issuer" => text(credential.issuer.as_deref()),
        "token_fault" => text(credential.fault.as_deref()),
        "subjects" => subjects(&record.subjects),
        "facts" => facts(record),
        "pii" => array(record.pii.iter().map(|class| class.as_str())),
        "minted_kind" => text(mint.map(|mint| &*mint.kind)),
        "minted_fingerprint" => shown(mint.and_then(|mint| mint.fingerprint)),
        "minted_expires_at" => time(mint.and_then(|mint| mint.expires_at)),
        "decision" => text(Some(record.decision.as_str())),
        "reason" => text(record.reason.as_deref()),
        "outcome" => text(Some(record.outcome.as_str())),
        "status" => record
            .status
            .map_or(Value::Null, |status| Value::Integer(i64::from(status))),
        "error_code" => text(record.error_code.as_deref()),
        "attempts" => Value::Integer(i64::from(traffic.attempts)),
        "request_bytes" => count(traffic.request_bytes),
        "response_bytes" => count(traffic.response_bytes),
        "upstream_address" => shown(traffic.upstream),
        "tls_version" => text(traffic.tls_version.as_deref()),
        "trace_id" => shown(record.trace_id.as_ref().map(|id| {
            let hex: String = id.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
            hex
        })),
        "node" => text(Some(&gateway.node)),
        "gateway_version" => text(Some(&gateway.version)),
        "config_hash" => text(Some(&gateway.config_hash)),
        // A column that is not known here: a test insists that there is none.
        _ => Value::Text(format!("unknown column {column}")),
    }
}

fn text(value: Option<&str>) -> Value {
    value.map_or(Value::Null, |text| Value::Text(text.to_owned()))
}

fn shown(value: Option<impl std::fmt::Display>) -> Value {
    value.map_or(Value::Null, |value| Value::Text(value.to_string()))
}

fn time(value: Option<Micros>) -> Value {
    value.map_or(Value::Null, |at| Value::Integer(at.0))
}

fn count(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn array<'v>(words: impl Iterator<Item = &'v str>) -> Value {
    let mut words = words.peekable();
    if words.peek().is_none() {
        return Value::Null;
    }
    let mut out = String::new();
    push_array(&mut out, words);
    Value::Json(out.into())
}

/// Those of the token first, as they are stored apart.
fn subjects(all: &[Subject]) -> Value {
    let of_token = |subject: &&Subject| subject.role == SubjectRole::Token;
    let ordered = all
        .iter()
        .filter(of_token)
        .chain(all.iter().filter(|subject| !of_token(subject)));
    let list: Vec<_> = ordered
        .map(|subject| {
            serde_json::json!({
                "kind": &*subject.kind,
                "role": subject.role.as_str(),
                "subject": subject.pseudonym.map(|pseudonym| pseudonym.to_string()),
            })
        })
        .collect();
    if list.is_empty() {
        return Value::Null;
    }
    Value::Json(serde_json::Value::from(list).to_string().into())
}

fn facts(record: &CallRecord) -> Value {
    if record.facts.is_empty() {
        return Value::Null;
    }
    let mut out = String::new();
    write_facts(&mut out, &record.facts);
    Value::Json(out.into())
}

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
    pub async fn unvouched(&mut self, known: Option<i64>) -> Result<Vec<Unvouched>, LedgerError> {
        let mut sql = Sql::new(
            "SELECT j.journal, min(p.node), count(*) FROM records AS r \
             LEFT JOIN journals AS j ON j.id = r.journal_id \
             LEFT JOIN profiles AS p ON p.id = r.profile_id WHERE true",
        );
        if let Some(known) = known {
            sql.push(" AND r.journal_id IS DISTINCT FROM ")
                .push_bind(known);
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
            "SELECT {}, r.call_id, r.intent_seq, r.outcome_seq, r.completion_seq \
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

fn unsigned(number: i64) -> u64 {
    number.try_into().unwrap_or(0)
}

/// A number that is not null.
fn number(row: &Row, at: usize) -> Result<i64, sqlx::Error> {
    Ok(row.integer(at)?.unwrap_or(0))
}

/// `None` for what is no call id.
fn call_id(row: &Row, at: usize) -> Result<Option<CallId>, sqlx::Error> {
    let bytes = row.bytes(at)?.and_then(|bytes| bytes.try_into().ok());
    Ok(bytes.map(CallId::from_bytes))
}

fn leaves(row: &Row, at: usize) -> Result<Leaves, sqlx::Error> {
    Ok(Leaves {
        intent: row.integer(at)?.map(unsigned),
        outcome: row.integer(at + 1)?.map(unsigned),
        completion: row.integer(at + 2)?.map(unsigned),
    })
}

fn read_row(row: &Row) -> Result<StoredRow, sqlx::Error> {
    let mut content = Content::default();
    for (at, column) in compared().enumerate() {
        content.value(column, &row.as_stored(at, column.kind)?);
    }
    let at = compared().count();
    content.leaves(&leaves(row, at + 1)?);
    Ok(StoredRow {
        call_id: call_id(row, at)?.unwrap_or(CallId::from_bytes([0; 16])),
        digest: leaf_hash(&content.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::{RecordStore, SqliteStore, samples};
    use crate::domain::journal::{Batch, Finished};

    fn batch(records: Vec<CallRecord>) -> Batch {
        let calls = records
            .into_iter()
            .enumerate()
            .map(|(at, record)| Finished {
                record: Box::new(record),
                leaves: Leaves {
                    intent: Some(at as u64),
                    outcome: None,
                    completion: Some(at as u64 + 100),
                },
            });
        Batch {
            calls: calls.collect(),
            gaps: Vec::new(),
            cursor: Cursor {
                journal: JournalId::from_bytes([3; 16]),
                resume_at: 200,
                done_to: 200,
            },
            bytes: 0,
        }
    }

    #[test]
    fn every_stored_column_is_compared() {
        let record = samples::full(1);
        for column in compared() {
            let value = expected(&record, column.name);
            let unknown = format!("unknown column {}", column.name);
            assert_ne!(value, Value::Text(unknown));
        }
    }

    #[tokio::test]
    async fn a_row_has_the_digest_of_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let mut store = SqliteStore::open(&path).await.unwrap();
        let mut odd = samples::full(2);
        odd.facts.push(odd.facts[0].clone());
        odd.target.query = Some("a=\"\\\u{7}ü".into());
        odd.traffic.request_bytes = u64::MAX;
        let v6 = "[2001:db8::1%7]:443".parse();
        odd.caller.address = v6.ok();
        let batch = batch(vec![
            samples::empty(0),
            samples::plain(1),
            odd,
            samples::full(3),
        ]);
        store.drain(&batch).await.unwrap();
        let mut reader = Reader::open(&path.as_path().into()).await.unwrap();
        let journal = reader.journal(batch.cursor.journal).await.unwrap().unwrap();
        assert_eq!((journal.cursor, journal.rows), (batch.cursor, 4));
        let ids: Vec<CallId> = batch.calls.iter().map(|call| call.record.call_id).collect();
        let rows = reader.rows_of(journal.number, &ids).await.unwrap();
        assert_eq!(rows.len(), 4);
        for call in &batch.calls {
            let row = rows.iter().find(|row| row.call_id == call.record.call_id);
            let wanted = digest_of(&call.record, &call.leaves);
            assert_eq!(row.unwrap().digest, wanted, "{:#?}", call.record);
        }
        let known = reader.leaves_of(ids[2]).await.unwrap().unwrap();
        assert_eq!(known, (batch.cursor.journal, batch.calls[2].leaves));
        let found = reader.call_of_record(journal.number, 102).await.unwrap();
        assert_eq!(found, Some(ids[2]));
        assert!(
            reader
                .unvouched(Some(journal.number))
                .await
                .unwrap()
                .is_empty()
        );
    }
}
