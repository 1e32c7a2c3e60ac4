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
fn words_are_found_by_their_place() {
    for word in TokenType::ALL {
        assert_eq!(&*WORDS.token_type(*word), word.as_str());
    }
    for word in Outcome::ALL {
        assert_eq!(&*WORDS.outcome(*word), word.as_str());
    }
    for word in Decision::ALL {
        assert_eq!(&*WORDS.decision(*word), word.as_str());
    }
    for word in Effect::ALL {
        assert_eq!(&*WORDS.effect(*word), word.as_str());
    }
    for word in Environment::ALL {
        assert_eq!(&*WORDS.environment(*word), word.as_str());
    }
    for role in ROLES {
        assert_eq!(&*WORDS.role(role), role.as_str());
    }
}

#[tokio::test]
async fn any_number_of_rows_is_written_with_its_subjects() {
    for rows in [1, 7, 8, 9, 63, 64, 65, 137] {
        let (_dir, mut store) = store().await;
        let records = boxed((0..rows).map(samples::full));
        assert_eq!(store.write(&records).await.unwrap(), rows as usize);
        assert_eq!(count(&mut store, "calls").await, rows as i64);
        assert_eq!(count(&mut store, "call_subjects").await, 2 * rows as i64);
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
    assert_eq!(count(&mut store, "call_subjects").await, 40);
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
    assert_eq!(row.get::<Option<String>, _>("token_fingerprint_hex"), None);
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
