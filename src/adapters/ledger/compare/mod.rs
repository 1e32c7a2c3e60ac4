//! Rows as digests, to compare what a ledger holds with what the journal says it should hold.
//!
//! The same fields are taken from a stored row and from a record, in the same order and spelling;
//! fields that the view only derives from others are left out. So any difference in what was stored
//! shows, whichever table it was made in.

mod rows;
mod subjects;

pub use rows::{KnownJournal, Unvouched};
pub use subjects::{MAX_PAIRS, NamedBy, Pair, Stray};

use super::LedgerError;
use super::detail::write_facts;
use super::json::push_array;
use super::query::Reader;
use super::row::{COLUMNS, Column, Kind, Value};
use super::sql::Row;
use crate::domain::evidence::merkle::{NodeHash, leaf_hash};
use crate::domain::journal::Leaves;
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
    /// Number of its token in the table `credentials`.
    pub credential: Option<i64>,
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
        credential: row.integer(at + 4)?,
        digest: leaf_hash(&content.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::{RecordStore, SqliteStore, samples};
    use crate::domain::journal::{Batch, Cursor, Finished, JournalId};

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
                .unvouched(&[journal.number])
                .await
                .unwrap()
                .is_empty()
        );
    }
}
