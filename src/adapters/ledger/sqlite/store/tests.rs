use super::*;
use crate::adapters::ledger::samples;
use sqlx::Row;

#[allow(clippy::vec_box, reason = "what the recorder hands over")]
fn boxed(records: impl IntoIterator<Item = CallRecord>) -> Vec<Box<CallRecord>> {
    records.into_iter().map(Box::new).collect()
}

async fn store() -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("egret.db"))
        .await
        .unwrap();
    (dir, store)
}

fn conn(store: &mut SqliteStore) -> &mut SqliteConnection {
    &mut store.conn.as_mut().unwrap().conn
}

async fn count(store: &mut SqliteStore, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(conn(store))
        .await
        .unwrap()
}

#[test]
fn outcomes_are_spelled_by_their_type() {
    for word in Outcome::ALL {
        assert_eq!(&*outcome_text(*word), word.as_str());
    }
}

#[tokio::test]
async fn any_number_of_rows_is_written_with_its_subjects() {
    for rows in [1, 3, 4, 5, 63, 64, 65, 300] {
        let (_dir, mut store) = store().await;
        let records = boxed((0..rows).map(samples::full));
        assert_eq!(store.write(&records).await.unwrap(), rows as usize);
        assert_eq!(count(&mut store, "calls").await, rows as i64);
        assert_eq!(count(&mut store, "call_subjects").await, rows as i64);
        assert_eq!(count(&mut store, "credential_subjects").await, 1);
    }
}

#[tokio::test]
async fn a_batch_written_twice_is_there_once() {
    let (_dir, mut store) = store().await;
    store
        .write(&boxed((0..10).map(samples::full)))
        .await
        .unwrap();
    let again = boxed((5..20).map(samples::full));
    assert_eq!(store.write(&again).await.unwrap(), 10);
    assert_eq!(count(&mut store, "calls").await, 20);
    assert_eq!(count(&mut store, "call_subjects").await, 20);
    for dictionary in ["profiles", "scope_lists", "credentials"] {
        assert_eq!(count(&mut store, dictionary).await, 1, "{dictionary}");
    }
}

#[tokio::test]
async fn a_row_shows_every_field_by_name() {
    let (_dir, mut store) = store().await;
    store.write(&boxed([samples::full(3)])).await.unwrap();
    let row = sqlx::query("SELECT * FROM calls")
        .fetch_one(conn(&mut store))
        .await
        .unwrap();
    let text = |name: &str| row.get::<Option<String>, _>(name).unwrap_or_default();
    let number = |name: &str| row.get::<Option<i64>, _>(name).unwrap_or_default();
    assert_eq!(text("call_uuid"), samples::id(3).to_string());
    assert_eq!(text("received"), "2026-01-02T03:04:08.000000Z");
    assert_eq!(text("forwarded"), "2026-01-02T03:04:08.000200Z");
    assert_eq!(text("first_byte"), "2026-01-02T03:04:08.005200Z");
    assert_eq!(text("completed"), "2026-01-02T03:04:08.006000Z");
    assert_eq!(
        (
            number("gateway_us"),
            number("upstream_us"),
            number("total_us")
        ),
        (200, 5_000, 6_000)
    );
    for (name, expected) in [
        ("caller", "billing"),
        ("caller_via", "key"),
        ("caller_key_id", "k1"),
        ("caller_address", "127.0.0.1:40001"),
        ("provider", "cybrid"),
        ("service", "bank"),
        ("environment", "sandbox"),
        ("operation", "createTrade"),
        ("effect", "money"),
        ("method", "POST"),
        ("path_template", "/api/trades"),
        ("query", "page=1"),
        ("accept_version", "2025-10-01"),
        ("token_type", "customer"),
        ("tokens_present", r#"["customer"]"#),
        ("token_scopes", r#"["trades:read","trades:execute"]"#),
        ("token_issuer", "https://id.sandbox.cybrid.app"),
        ("token_fault", "no_signature"),
        ("token_expires", "2026-01-02T04:04:05.000000Z"),
        ("facts", r#"{"quote_guid":"9f3c"}"#),
        ("pii", r#"["person_name","email"]"#),
        ("minted_kind", "customer_access_token"),
        ("minted_expires", "2026-01-02T03:34:05.000000Z"),
        ("decision", "forwarded"),
        ("reason", "report_only"),
        ("outcome", "failure"),
        ("error_code", "invalid_parameter"),
        ("upstream_address", "203.0.113.7:443"),
        ("tls_version", "TLSv1.3"),
        ("node", "node-1"),
        ("gateway_version", "0.1.0"),
        ("config_hash", "00112233aabbccdd"),
    ] {
        assert_eq!(text(name), expected, "{name}");
    }
    assert_eq!(text("token_fingerprint_hex"), "aa".repeat(16));
    assert_eq!(text("minted_fingerprint_hex"), "dd".repeat(16));
    assert_eq!(text("on_behalf_of"), "bb".repeat(16));
    let subjects: serde_json::Value = serde_json::from_str(&text("subjects")).unwrap();
    assert_eq!(
        subjects,
        serde_json::json!([
            {"kind": "customer", "role": "token", "subject": "cc".repeat(16)},
            {"kind": "bank_account", "role": "on_behalf_of", "subject": "bb".repeat(16)},
        ])
    );
    assert_eq!(text("trace_id"), "ee".repeat(16));
    assert_eq!(number("status"), 422);
    assert_eq!(number("token_scopes_unlisted"), 1);
    assert_eq!(number("attempts"), 1);
    assert_eq!(number("request_bytes"), 120);
    assert_eq!(number("response_bytes"), 340);
}

#[tokio::test]
async fn a_record_that_knows_nothing_is_still_a_row() {
    let (_dir, mut store) = store().await;
    store.write(&boxed([samples::empty(1)])).await.unwrap();
    let row = sqlx::query("SELECT * FROM calls")
        .fetch_one(conn(&mut store))
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>("operation"), "unknown");
    assert_eq!(row.get::<String, _>("outcome"), "unknown");
    assert_eq!(row.get::<Option<i64>, _>("total_us"), None);
    assert_eq!(row.get::<Option<String>, _>("forwarded"), None);
    assert_eq!(row.get::<i64, _>("token_scopes_unlisted"), 0);
    for name in [
        "token_fingerprint_hex",
        "token_scopes",
        "subjects",
        "on_behalf_of",
        "facts",
        "pii",
        "tokens_present",
        "trace_id",
        "detail",
    ] {
        assert_eq!(row.get::<Option<String>, _>(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_ledger_that_was_deleted_is_noticed_and_made_anew() {
    let (dir, mut store) = store().await;
    let path = dir.path().join("egret.db");
    store.write(&boxed([samples::plain(1)])).await.unwrap();
    for name in ["egret.db", "egret.db-wal", "egret.db-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    let batch = boxed([samples::plain(2)]);
    let error = store.write(&batch).await.unwrap_err();
    assert!(matches!(error, LedgerError::Replaced { .. }), "{error}");
    store.write(&batch).await.unwrap();
    assert!(path.exists());
    assert_eq!(count(&mut store, "calls").await, 1);
}

#[tokio::test]
async fn a_reopened_ledger_finds_its_entries_again() {
    let (dir, mut store) = store().await;
    store.write(&boxed([samples::full(1)])).await.unwrap();
    drop(store);
    let path = dir.path().join("egret.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    store.write(&boxed([samples::full(2)])).await.unwrap();
    for dictionary in ["profiles", "scope_lists", "credentials"] {
        assert_eq!(count(&mut store, dictionary).await, 1, "{dictionary}");
    }
    assert_eq!(count(&mut store, "calls").await, 2);
}

#[tokio::test]
async fn calls_that_differ_keep_their_own_values() {
    let (_dir, mut store) = store().await;
    let mut records: Vec<_> = (0..6).map(samples::full).collect();
    records[1].caller.name = Some("payouts".into());
    records[2].target.accept_version = None;
    // The same token, read with another list of scopes.
    records[3].credential.scopes.pop();
    records[4].credential.scopes.clear();
    records[5].traffic.upstream = Some("[2001:db8::1]:443".parse().unwrap());
    store.write(&boxed(records)).await.unwrap();
    let sql = "SELECT caller, accept_version, token_scopes, upstream_address FROM calls \
               ORDER BY call_id";
    type Row = (String, Option<String>, Option<String>, String);
    let rows: Vec<Row> = sqlx::query_as(sql)
        .fetch_all(conn(&mut store))
        .await
        .unwrap();
    let both = Some(r#"["trades:read","trades:execute"]"#);
    let (v4, version) = ("203.0.113.7:443", Some("2025-10-01"));
    let expected = [
        ("billing", version, both, v4),
        ("payouts", version, both, v4),
        ("billing", None, both, v4),
        ("billing", version, Some(r#"["trades:read"]"#), v4),
        ("billing", version, None, v4),
        ("billing", version, both, "[2001:db8::1]:443"),
    ];
    for (row, expected) in rows.iter().zip(expected) {
        let row = (&*row.0, row.1.as_deref(), row.2.as_deref(), &*row.3);
        assert_eq!(row, expected);
    }
    assert_eq!(rows.len(), expected.len());
    assert_eq!(count(&mut store, "profiles").await, 4);
    assert_eq!(count(&mut store, "credentials").await, 3);
}
