use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::server::{database, execute, number, try_execute};
use super::*;
use crate::adapters::ledger::{
    CallRow, Filter, LedgerError, LedgerPlace, Order, Page, Reader, RecordStore, SqliteStore,
    Steps, samples,
};
use crate::domain::config::PostgresPlace;
use crate::domain::journal::{Batch, Cursor, Finished, Gap, JournalId, Leaves};
use crate::domain::record::{CallRecord, Fact, Fingerprint, Pseudonym, Subject, SubjectRole};
use crate::types::{Decision, Effect, Micros, Outcome};

/// A database for one test; the test ends here if there is no server.
macro_rules! database {
    () => {
        match database() {
            Some(url) => url,
            None => return,
        }
    };
}

mod events;
mod reports;

fn place(url: &str) -> PostgresPlace {
    PostgresPlace::parse(url).unwrap()
}

async fn reader(url: &str) -> Reader {
    let place = LedgerPlace::Postgres(place(url));
    Reader::open(&place).await.unwrap()
}

#[allow(clippy::vec_box, reason = "what the feed hands over")]
fn boxed(records: impl IntoIterator<Item = CallRecord>) -> Vec<Box<CallRecord>> {
    records.into_iter().map(Box::new).collect()
}

/// Calls `from..to` of a journal; call `n` ends with event `n`.
fn batch(journal: u8, from: u64, to: u64) -> Batch {
    let calls = (from..to).map(|n| Finished {
        record: Box::new(samples::full(u64::from(journal) * 1_000_000 + n)),
        leaves: Leaves {
            completion: Some(n),
            ..Leaves::default()
        },
    });
    Batch {
        calls: calls.collect(),
        gaps: Vec::new(),
        cursor: Cursor {
            journal: JournalId::from_bytes([journal; 16]),
            resume_at: to,
            done_to: to,
        },
        bytes: 1,
    }
}

/// Does something in a thread and a runtime of its own, as a gateway does.
fn apart<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work())
    })
}

/// Calls of every kind that the samples know, and what is awkward in texts.
fn mixed() -> Vec<CallRecord> {
    let mut records: Vec<_> = (0..40)
        .map(|n| match n % 4 {
            0 => samples::empty(n),
            1 => samples::full(n),
            _ => samples::plain(n),
        })
        .collect();
    records[5].caller.name = Some("a \"quoted\" \\ name, ünïcode €".into());
    records[5].target.query = Some("a=\"b\"\\c\n\t\u{1}é".into());
    records[9].credential.expires_at = Some(Micros(i64::MAX));
    records[9].credential.fingerprint = Some(Fingerprint::from_bytes([1; 16]));
    records[13].times.completed_at = None;
    records[13].outcome = Outcome::Unknown;
    records[17].credential.scopes.clear();
    records[17].traffic.upstream = Some("[2001:db8::1]:443".parse().unwrap());
    records[21].traffic.response_bytes = u64::MAX;
    records[6].status = Some(503);
    records[6].outcome = Outcome::Failure;
    for value in ["q1", "q2"] {
        records[7].facts.push(Fact {
            name: "quote".into(),
            value: value.into(),
        });
    }
    for role in [SubjectRole::Token, SubjectRole::Request] {
        records[10].add_subject(Subject {
            kind: "organization \"x\"".into(),
            role,
            pseudonym: Some(Pseudonym::from_bytes([7; 16])),
        });
    }
    records
}

/// What is the same wherever a call is kept: all but its number.
fn shown(rows: &[CallRow]) -> Vec<String> {
    let text = |row: &CallRow| {
        let fields = row.fields().filter(|(column, _)| column.name != "seq");
        let fields = fields.map(|(column, value)| format!("{}={value:?}", column.name));
        fields.collect::<Vec<_>>().join(" ")
    };
    rows.iter().map(text).collect()
}

#[tokio::test]
async fn both_databases_give_the_same_answers() {
    let url = database!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let records = boxed(mixed());
    let mut store = SqliteStore::open(&path).await.unwrap();
    store.write(&records).await.unwrap();
    let mut store = PostgresStore::open(&place(&url)).await.unwrap();
    assert_eq!(store.write(&records).await.unwrap(), records.len());
    let mut sqlite = Reader::open(&path.as_path().into()).await.unwrap();
    let mut postgres = reader(&url).await;
    let none = Filter::default;
    let filters = [
        none(),
        Filter {
            from: Some(samples::received(3)),
            to: Some(samples::received(30)),
            ..none()
        },
        Filter {
            caller: Some("billing".into()),
            provider: Some("cybrid".into()),
            ..none()
        },
        Filter {
            operation: Some("unknown".into()),
            ..none()
        },
        Filter {
            effect: Some(Effect::Money),
            ..none()
        },
        Filter {
            outcome: Some(Outcome::Unknown),
            ..none()
        },
        Filter {
            outcome: Some(Outcome::Success),
            ..none()
        },
        Filter {
            status: "4xx".parse().ok(),
            ..none()
        },
        Filter {
            status: "2xx".parse().ok(),
            ..none()
        },
        Filter {
            outcome: Some(Outcome::Unknown),
            decision: Some(Decision::Forwarded),
            ..none()
        },
        Filter {
            error_code: Some("invalid_parameter".into()),
            ..none()
        },
        Filter {
            fingerprint: Some(Fingerprint::from_bytes(samples::bytes(0xaa))),
            ..none()
        },
        Filter {
            fingerprint: Some(Fingerprint::from_bytes([9; 16])),
            ..none()
        },
        Filter {
            minted: Some(Fingerprint::from_bytes(samples::bytes(0xdd))),
            ..none()
        },
        Filter {
            subjects: vec![Pseudonym::from_bytes(samples::bytes(0xcc))],
            ..none()
        },
        Filter {
            subjects: vec![Pseudonym::from_bytes([7; 16])],
            ..none()
        },
        Filter {
            call_id: samples::id(4).to_string()[..20].parse().ok(),
            ..none()
        },
    ];
    for filter in &filters {
        for (order, limit) in [(Order::NewestFirst, 7), (Order::OldestFirst, 100)] {
            let page = Page {
                order,
                limit,
                after: None,
            };
            let one = sqlite.query(filter, page).await.unwrap();
            let other = postgres.query(filter, page).await.unwrap();
            assert_eq!(shown(&one.rows), shown(&other.rows), "{filter:?}");
            assert_eq!(one.next, other.next);
        }
        assert_eq!(
            sqlite.count(filter).await.unwrap(),
            postgres.count(filter).await.unwrap()
        );
        let stats = sqlite.stats(filter).await.unwrap();
        assert_eq!(stats, postgres.stats(filter).await.unwrap(), "{filter:?}");
        let page = Page {
            order: Order::NewestFirst,
            limit: 7,
            after: None,
        };
        for time in [Duration::ZERO, Duration::MAX] {
            let one = sqlite.query_within(filter, page, time).await.unwrap();
            let other = postgres.query_within(filter, page, time).await.unwrap();
            assert_eq!(shown(&one.rows), shown(&other.rows), "{filter:?}");
            assert_eq!(one.next, other.next);
            assert_eq!(one.searched_to, other.searched_to);
            let one = sqlite.count_within(filter, 9, time).await.unwrap();
            assert_eq!(one, postgres.count_within(filter, 9, time).await.unwrap());
        }
        let last = sqlite.last(filter, 5).await.unwrap();
        assert_eq!(
            shown(&last),
            shown(&postgres.last(filter, 5).await.unwrap())
        );
    }
    let first = postgres.since(&none(), 0, 1_000).await.unwrap().rows;
    assert_eq!(first.len(), records.len());
    let steps = Steps {
        from: samples::received(0),
        to: samples::received(90_000),
        origin: samples::received(0),
        length_s: 600,
    };
    let minted = sqlite.mints(&none(), steps).await.unwrap();
    assert!(!minted.is_empty());
    assert_eq!(minted, postgres.mints(&none(), steps).await.unwrap());
    for n in [1, 5, 9] {
        let id = samples::id(n).into();
        let shown = |found: crate::adapters::ledger::Shown| match found {
            crate::adapters::ledger::Shown::Call(row, lineage) => {
                let used = lineage.used_by_count;
                (
                    shown(&[*row]),
                    shown(&lineage.minted_by),
                    used,
                    shown(&lineage.used_by),
                )
            }
            other => panic!("{other:?}"),
        };
        let one = shown(sqlite.show(id).await.unwrap());
        assert_eq!(one, shown(postgres.show(id).await.unwrap()));
    }
}

#[tokio::test]
async fn gateways_that_start_at_once_make_one_ledger() {
    let url = database!();
    let starts = (0..6).map(|_| {
        let place = place(&url);
        apart(async move || PostgresStore::open(&place).await.map(drop))
    });
    for start in starts.collect::<Vec<_>>() {
        start.join().unwrap().unwrap();
    }
    let applied = number(
        &url,
        "SELECT count(*) FROM egret._sqlx_migrations WHERE success",
    );
    assert_eq!(applied, schema::SCHEMA_VERSION);
}

#[tokio::test]
async fn what_is_no_ledger_or_a_newer_one_is_refused() {
    let url = database!();
    let shown = LedgerPlace::Postgres(place(&url));
    let missing = Reader::open(&shown).await.map(drop).unwrap_err();
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    PostgresStore::open(&place(&url)).await.unwrap();
    execute(
        &url,
        "INSERT INTO egret._sqlx_migrations VALUES (99, 'later', now(), true, '', 0)",
    );
    let errors = [
        PostgresStore::open(&place(&url))
            .await
            .map(drop)
            .unwrap_err(),
        Reader::open(&shown).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error, LedgerError::Newer { found: 99, .. }),
            "{error}"
        );
    }
}

/// The address of a database as another user.
fn as_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, rest) = rest.split_once('@').unwrap();
    format!("{scheme}://{user}@{rest}")
}

#[tokio::test]
async fn roles_can_do_what_they_are_for_and_no_more() {
    let url = database!();
    let suffix = url
        .rsplit('_')
        .next()
        .unwrap()
        .trim_end_matches('?')
        .to_owned();
    let suffix = format!("{}_{suffix}", std::process::id());
    let (gateway, auditor) = (format!("gateway_{suffix}"), format!("auditor_{suffix}"));
    let writing = as_user(&url, &gateway);
    execute(
        &url,
        &format!("CREATE ROLE {gateway} LOGIN; CREATE ROLE {auditor} LOGIN"),
    );
    // A gateway that may not make the ledger says who can.
    let error = PostgresStore::open(&place(&writing))
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, LedgerError::NotTheOwner { .. }), "{error}");

    PostgresStore::open(&place(&url)).await.unwrap();
    execute(
        &url,
        &format!("GRANT egret_writer TO {gateway}; GRANT egret_auditor TO {auditor}"),
    );
    let mut store = PostgresStore::open(&place(&writing)).await.unwrap();
    assert_eq!(store.drain(&batch(1, 0, 10)).await.unwrap(), 10);
    let reading = as_user(&url, &auditor);
    let rows = reader(&reading).await.last(&Filter::default(), 100).await;
    assert_eq!(rows.unwrap().len(), 10);

    let partition = "egret.records_2026_01";
    let changes = [
        "UPDATE egret.records SET outcome = 'success'".to_owned(),
        "DELETE FROM egret.records".to_owned(),
        "TRUNCATE egret.records".to_owned(),
        format!("DELETE FROM {partition}"),
        format!("TRUNCATE {partition}"),
        "UPDATE egret.profiles SET caller = 'x'".to_owned(),
        "UPDATE egret.activities SET caller = 'x'".to_owned(),
        "DELETE FROM egret.activities".to_owned(),
        "DELETE FROM egret.call_subjects".to_owned(),
        "DELETE FROM egret.credential_subjects".to_owned(),
        "TRUNCATE egret.journals CASCADE".to_owned(),
        "DELETE FROM egret.journals".to_owned(),
        "UPDATE egret.journal_gaps SET shed = 0".to_owned(),
    ];
    for change in &changes {
        for user in [&writing, &reading, &url] {
            // The owner's `UPDATE` of no rows would be no change: there is none to refuse.
            if change.contains("journal_gaps") && *user == url {
                continue;
            }
            assert!(try_execute(user, change).is_err(), "{change} as {user}");
        }
    }
    for change in [
        "UPDATE egret.journals SET done_to = 0",
        "ALTER TABLE egret.records DISABLE TRIGGER ALL",
        "DROP TABLE egret.records_default",
        "CREATE TABLE egret.mine (a int)",
    ] {
        assert!(try_execute(&writing, change).is_err(), "{change}");
    }
    for change in [
        "INSERT INTO egret.scope_lists (key, token_scopes) VALUES ('', '')",
        "SELECT egret.advance('', 1, 1)",
        "SELECT * FROM egret.make_partitions(1767323045000)",
    ] {
        assert!(try_execute(&reading, change).is_err(), "{change}");
    }
    execute(
        &url,
        &format!("DROP OWNED BY {gateway}; DROP OWNED BY {auditor}"),
    );
    execute(&url, &format!("DROP ROLE {gateway}; DROP ROLE {auditor}"));
}

#[tokio::test]
async fn a_batch_and_its_cursor_are_there_once_and_the_cursor_goes_only_forward() {
    let url = database!();
    let mut store = PostgresStore::open(&place(&url)).await.unwrap();
    let mut later = batch(1, 0, 100);
    later.gaps.push((
        7,
        Gap {
            refused: 3,
            ..Gap::default()
        },
    ));
    assert_eq!(store.drain(&later).await.unwrap(), 100);
    // After a commit whose answer was lost.
    assert_eq!(store.drain(&later).await.unwrap(), 0);
    assert_eq!(store.drain(&batch(1, 0, 50)).await.unwrap(), 0);
    assert_eq!(store.cursors().await.unwrap(), [later.cursor]);
    for (sql, expected) in [
        ("SELECT count(*) FROM egret.calls", 100),
        ("SELECT count(*) FROM egret.call_subjects", 100),
        ("SELECT count(*) FROM egret.credential_subjects", 1),
        ("SELECT count(*) FROM egret.credentials", 1),
        ("SELECT count(*) FROM egret.profiles", 1),
        ("SELECT refused FROM egret.journal_gaps WHERE seq = 7", 3),
        (
            "SELECT count(*) FROM egret.records WHERE completion_seq IS NOT NULL",
            100,
        ),
        ("SELECT count(*) FROM egret.records_2026_01", 100),
        ("SELECT count(*) FROM egret.records_default", 0),
    ] {
        assert_eq!(number(&url, sql), expected, "{sql}");
    }
    // Also when the memory of the connection is gone.
    store.rest().await;
    assert_eq!(store.drain(&batch(1, 100, 110)).await.unwrap(), 10);
    assert_eq!(number(&url, "SELECT count(*) FROM egret.credentials"), 1);
}

#[tokio::test]
async fn a_time_that_cannot_be_meant_is_still_a_row() {
    let url = database!();
    let mut store = PostgresStore::open(&place(&url)).await.unwrap();
    let mut record = samples::plain(1);
    record.call_id = crate::types::CallId::from_parts(1 << 46, [1; 10]);
    record.target.query = Some("a\0b\\u0000".into());
    record.error_code = Some("a\0b".into());
    record.caller.name = Some("a\0b".into());
    store.write(&boxed([record])).await.unwrap();
    assert_eq!(
        number(&url, "SELECT count(*) FROM egret.records_default"),
        1
    );
    let rows = reader(&url)
        .await
        .last(&Filter::default(), 1)
        .await
        .unwrap();
    for (field, expected) in [
        ("query", "a\u{fffd}b\\u0000"),
        ("error_code", "a\u{fffd}b"),
        ("caller", "a\u{fffd}b"),
    ] {
        assert_eq!(rows[0].text(field), expected, "{field}");
    }
}

#[tokio::test]
async fn who_follows_a_ledger_that_many_write_misses_nothing() {
    const NODES: u8 = 3;
    const BATCHES: u64 = 15;
    const ROWS: u64 = 40;
    let url = database!();
    PostgresStore::open(&place(&url)).await.unwrap();
    let writers = (1..=NODES).map(|node| {
        let place = place(&url);
        apart(async move || {
            let mut store = PostgresStore::open(&place).await.unwrap();
            for n in 0..BATCHES {
                let batch = batch(node, n * ROWS, (n + 1) * ROWS);
                assert_eq!(store.drain(&batch).await.unwrap(), ROWS as usize);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut detector = reader(&url).await;
    let mut reader = reader(&url).await;
    let (mut seq, mut seen) = (0, BTreeSet::new());
    let (mut detected_to, mut detected) = (0, Vec::new());
    loop {
        let done = writers.iter().all(JoinHandle::is_finished);
        let rows = reader
            .since(&Filter::default(), seq, 10_000)
            .await
            .unwrap()
            .rows;
        for row in &rows {
            assert!(seen.insert(row.text("call_id").to_owned()), "shown twice");
        }
        seq = rows
            .last()
            .and_then(|row| row.integer("seq"))
            .unwrap_or(seq);
        detected.extend(detector.events(detected_to, 10_000).await.unwrap());
        detected_to = detected.last().map_or(0, |row| row.position.seq);
        if done && rows.is_empty() {
            break;
        }
    }
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(seen.len() as u64, u64::from(NODES) * BATCHES * ROWS);
    let calls = detected.iter().filter_map(|row| row.position.call);
    let calls: BTreeSet<_> = calls
        .map(|call| crate::types::CallId::from_bytes(call).to_string())
        .collect();
    assert_eq!((detected.len(), calls), (seen.len(), seen));
    assert!(detected.is_sorted_by_key(|row| row.position.seq));
    let cursors = number(
        &url,
        "SELECT count(*) FROM egret.journals WHERE done_to = 600",
    );
    assert_eq!(cursors, i64::from(NODES));
    assert_eq!(number(&url, "SELECT count(*) FROM egret.credentials"), 1);
}

#[tokio::test]
async fn the_columns_of_both_views_are_the_same() {
    let url = database!();
    PostgresStore::open(&place(&url)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    SqliteStore::open(&path).await.unwrap();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut sqlite = options.connect().await.unwrap();
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('calls')")
        .fetch_all(&mut sqlite)
        .await
        .unwrap();
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'egret' \
        AND table_name = 'calls'";
    assert_eq!(number(&url, columns), names.len() as i64);
    for name in names {
        let sql = format!(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'egret' \
             AND table_name = 'calls' AND column_name = '{name}' \
             AND data_type IN ('bigint', 'text', 'bytea')"
        );
        assert_eq!(number(&url, &sql), 1, "{name}");
    }
}

mod retention;
mod watch;
