use super::*;
use crate::adapters::ledger::sqlite::schema::open_writer;
use crate::adapters::ledger::{CallRow, Filter, Number, Page, RecordStore, SqliteStore, samples};
use crate::domain::record::{CallRecord, Fingerprint, Pseudonym, Subject, SubjectRole};
use crate::types::{Decision, Effect, Micros, Outcome, PiiClass};
use proptest::prelude::*;
use sqlx::Executor;

fn id(millis: i64) -> CallId {
    CallId::floor(millis)
}

fn all(mut windows: Windows) -> Vec<Window> {
    std::iter::from_fn(|| windows.next_window()).collect()
}

#[test]
fn windows_grow_and_end_with_the_period() {
    let found = all(Windows::new(
        Order::NewestFirst,
        id(0),
        id(10_000),
        Some(id(9_900)),
    ));
    let cuts: Vec<_> = found.iter().map(|window| millis(window.low)).collect();
    assert_eq!(cuts, [9_900, 8_300, 0]);
    let found = all(Windows::new(
        Order::OldestFirst,
        id(0),
        id(10_000),
        Some(id(100)),
    ));
    let cuts: Vec<_> = found.iter().map(|window| millis(window.high)).collect();
    assert_eq!(cuts, [100, 1_700, 10_000]);
    let whole = Windows::new(Order::OldestFirst, id(0), id(10_000), None);
    assert_eq!(all(whole).len(), 1);
}

proptest! {
    #[test]
    fn windows_cover_the_period_once_and_are_few(
        low in 0_i64..1 << 47,
        length in 1_i64..1 << 47,
        turn in any::<prop::sample::Index>(),
        newest in any::<bool>(),
    ) {
        let high = low + length;
        let turn = Some(id(low + turn.index(length as usize) as i64));
        let order = if newest { Order::NewestFirst } else { Order::OldestFirst };
        let mut windows = all(Windows::new(order, id(low), id(high), turn));
        prop_assert!(windows.len() < 16);
        if newest {
            windows.reverse();
        }
        prop_assert_eq!(windows.first().map(|w| w.low), Some(id(low)));
        prop_assert_eq!(windows.last().map(|w| w.high), Some(id(high)));
        for pair in windows.windows(2) {
            prop_assert_eq!(pair[0].high, pair[1].low);
        }
    }
}

/// Calls that differ in who did what and how it ended; the later ones lie further apart.
fn records() -> Vec<CallRecord> {
    let record = |n: u64| {
        let mut record = samples::plain(n * n);
        if n.is_multiple_of(3) {
            record.caller.name = Some("payouts".into());
        }
        if n.is_multiple_of(4) {
            record.pii = [PiiClass::PersonName, PiiClass::Email]
                .into_iter()
                .collect();
        }
        if n % 50 == 1 {
            record.pii = [PiiClass::GovernmentId].into_iter().collect();
        }
        if n.is_multiple_of(7) {
            record.mint = samples::full(1).mint;
        }
        if n.is_multiple_of(5) {
            record.target.effect = Some(Effect::Money);
        }
        match n % 11 {
            1 => {
                record.outcome = Outcome::Failure;
                record.status = Some(if n.is_multiple_of(2) { 401 } else { 422 });
                record.error_code = Some(if n < 99 { "early" } else { "late" }.into());
            }
            2 => record.outcome = Outcome::Unknown,
            3 => {
                record.outcome = Outcome::Failure;
                record.decision = Decision::Denied;
                record.status = Some(407);
            }
            _ => {}
        }
        record
    };
    (0..300).map(record).collect()
}

async fn ledger(records: Vec<CallRecord>) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    let records: Vec<_> = records.into_iter().map(Box::new).collect();
    store.write(&records).await.unwrap();
    store.close().await.unwrap();
    (dir, path)
}

async fn pages(reader: &mut Reader, filter: &Filter, order: Order, limit: u32) -> Vec<CallRow> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = Page {
            order,
            limit,
            after,
        };
        let found = reader.query(filter, page).await.unwrap();
        assert!(found.rows.len() <= limit as usize);
        rows.extend(found.rows);
        after = found.next;
        if after.is_none() {
            return rows;
        }
    }
}

type Meant = fn(&CallRow) -> bool;

fn has_pii(row: &CallRow, word: &str) -> bool {
    row.text("pii").contains(&format!("\"{word}\""))
}

fn is_money(row: &CallRow) -> bool {
    row.text("effect") == "money"
}

fn is_failed(row: &CallRow) -> bool {
    row.text("outcome") != "success"
}

fn questions() -> Vec<(Filter, Meant)> {
    let none = Filter::default;
    vec![
        (
            Filter {
                caller: Some("payouts".into()),
                ..none()
            },
            |row| row.text("caller") == "payouts",
        ),
        (
            Filter {
                has_pii: true,
                ..none()
            },
            |row| !row.text("pii").is_empty(),
        ),
        (
            Filter {
                pii: vec![PiiClass::Email],
                ..none()
            },
            |row| has_pii(row, "email"),
        ),
        (
            Filter {
                pii: vec![PiiClass::GovernmentId, PiiClass::Document],
                ..none()
            },
            |row| has_pii(row, "government_id"),
        ),
        (
            Filter {
                pii: vec![PiiClass::Document],
                ..none()
            },
            |_| false,
        ),
        (
            Filter {
                mints: true,
                ..none()
            },
            |row| !row.text("minted_kind").is_empty(),
        ),
        (
            Filter {
                mints: true,
                caller: Some("payouts".into()),
                ..none()
            },
            |row| !row.text("minted_kind").is_empty() && row.text("caller") == "payouts",
        ),
        (
            Filter {
                failed: true,
                ..none()
            },
            is_failed,
        ),
        (
            Filter {
                failed: true,
                effect: Some(Effect::Money),
                ..none()
            },
            |row| is_failed(row) && is_money(row),
        ),
        (
            Filter {
                auth_failed: true,
                ..none()
            },
            |row| row.integer("status") == Some(401) || row.text("decision") == "denied",
        ),
        (
            Filter {
                decision: Some(Decision::Denied),
                ..none()
            },
            |row| row.text("decision") == "denied",
        ),
        (
            Filter {
                outcome: Some(Outcome::Unknown),
                effect: Some(Effect::Money),
                ..none()
            },
            |row| row.text("outcome") == "unknown" && is_money(row),
        ),
        (
            Filter {
                outcome: Some(Outcome::Success),
                effect: Some(Effect::Money),
                ..none()
            },
            |row| !is_failed(row) && is_money(row),
        ),
        (
            Filter {
                status: "422".parse().ok(),
                ..none()
            },
            |row| row.integer("status") == Some(422),
        ),
        (
            Filter {
                status: "4xx".parse().ok(),
                caller: Some("payouts".into()),
                ..none()
            },
            |row| row.integer("status") >= Some(400) && row.text("caller") == "payouts",
        ),
        (
            Filter {
                status: "2xx".parse().ok(),
                ..none()
            },
            |row| row.integer("status") == Some(200),
        ),
        (
            Filter {
                status: "206".parse().ok(),
                ..none()
            },
            |_| false,
        ),
        (
            Filter {
                error_code: Some("early".into()),
                status: "4xx".parse().ok(),
                failed: true,
                ..none()
            },
            |row| row.text("error_code") == "early",
        ),
    ]
}

/// As [`pages`], by somebody who has no time: each question ends after its first window.
async fn hurried_pages(reader: &mut Reader, filter: &Filter, order: Order) -> Vec<CallRow> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = Page {
            order,
            limit: 7,
            after,
        };
        let found = reader.query_within(filter, page, Duration::ZERO).await;
        let found = found.unwrap();
        assert!(found.searched_to.is_none() || found.next.is_some());
        assert!(found.searched_to.is_none() || found.rows.len() < 7);
        rows.extend(found.rows);
        after = found.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// Every question, over all time and over a part of it, in both orders, in pages of any size, and
/// its count: the same as a look at each call.
async fn check_questions(path: &std::path::Path) {
    let mut reader = Reader::open(&path.into()).await.unwrap();
    let all = pages(&mut reader, &Filter::default(), Order::OldestFirst, 1_000).await;
    assert_eq!(all.len(), 300);
    let (from, to) = (samples::received(40 * 40), samples::received(200 * 200));
    for (number, (filter, is_meant)) in questions().into_iter().enumerate() {
        for (from, to) in [
            (None, None),
            (Some(from), Some(to)),
            (Some(Micros(from.0 + 1)), None),
        ] {
            let filter = Filter {
                from,
                to,
                ..filter.clone()
            };
            let is_in = |row: &&CallRow| {
                let at = Micros(row.integer("received_at").unwrap());
                from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to) && is_meant(row)
            };
            let mut expected: Vec<CallRow> = all.iter().filter(is_in).cloned().collect();
            let count = reader.count(&filter).await.unwrap();
            assert_eq!(count, expected.len() as u64, "question {number}");
            let whole = reader.count_within(&filter, 1_000, Duration::MAX).await;
            assert_eq!(
                whole.unwrap(),
                Number {
                    calls: count,
                    counted_to: None
                }
            );
            let part = reader.count_within(&filter, 1_000, Duration::ZERO).await;
            let part = part.unwrap();
            assert!(part.calls == count || part.counted_to.is_some());
            assert!(part.calls <= count);
            let found = hurried_pages(&mut reader, &filter, Order::OldestFirst).await;
            assert_eq!(found, expected, "question {number}");
            for limit in [7, 1_000] {
                let found = pages(&mut reader, &filter, Order::OldestFirst, limit).await;
                assert_eq!(found, expected, "question {number}");
            }
            expected.reverse();
            let found = hurried_pages(&mut reader, &filter, Order::NewestFirst).await;
            assert_eq!(found, expected, "question {number}");
            for limit in [7, 1_000] {
                let found = pages(&mut reader, &filter, Order::NewestFirst, limit).await;
                assert_eq!(found, expected, "question {number}");
            }
        }
    }
}

#[tokio::test]
async fn what_an_index_leads_to_is_what_a_look_at_each_call_finds() {
    let (_dir, path) = ledger(records()).await;
    check_questions(&path).await;
}

#[tokio::test]
async fn a_ledger_of_before_learns_who_did_what() {
    let (_dir, path) = ledger(records()).await;
    let mut conn = open_writer(&path).await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    for trigger in triggers {
        let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
        conn.execute(drop).await.unwrap();
    }
    conn.execute(
        "DROP INDEX records_by_activity; DROP INDEX records_failed_by_activity; \
         DROP INDEX records_by_status; DROP INDEX records_by_error; \
         DROP INDEX records_not_successful; \
         CREATE INDEX records_not_successful ON records (outcome, call_id) \
         WHERE outcome <> 'success'; \
         ALTER TABLE records DROP COLUMN activity_id; DROP TABLE activities; \
         DROP TABLE maintenance; DROP TABLE holds; \
         DELETE FROM _sqlx_migrations WHERE version >= 5; PRAGMA user_version = 2",
    )
    .await
    .unwrap();
    drop(conn);
    let mut store = SqliteStore::open(&path).await.unwrap();
    let again = Box::new(samples::plain(0));
    assert_eq!(
        store.write(&[again]).await.unwrap(),
        0,
        "it was there already"
    );
    store.close().await.unwrap();
    check_questions(&path).await;
}

#[tokio::test]
async fn a_window_is_searched_by_its_index_alone() {
    let (_dir, path) = ledger(records()).await;
    let mut reader = Reader::open(&path.as_path().into()).await.unwrap();
    let window = Window {
        low: samples::id(0),
        high: samples::id(90_000),
    };
    let by_activity =
        "COVERING INDEX records_by_activity (activity_id=? AND call_id>? AND call_id<?)";
    let by_outcome =
        "COVERING INDEX records_not_successful (outcome=? AND call_id>? AND call_id<?)";
    let failed = "COVERING INDEX records_failed_by_activity \
                  (activity_id=? AND call_id>? AND call_id<?)";
    for (filter, expected) in [
        (
            Filter {
                mints: true,
                ..Filter::default()
            },
            by_activity,
        ),
        (
            Filter {
                has_pii: true,
                caller: Some("x".into()),
                ..Filter::default()
            },
            by_activity,
        ),
        (
            Filter {
                failed: true,
                ..Filter::default()
            },
            by_outcome,
        ),
        (
            Filter {
                failed: true,
                caller: Some("x".into()),
                ..Filter::default()
            },
            failed,
        ),
        (
            Filter {
                outcome: Some(Outcome::Unknown),
                ..Filter::default()
            },
            by_outcome,
        ),
        (
            Filter {
                status: "404".parse().ok(),
                caller: Some("x".into()),
                ..Filter::default()
            },
            "COVERING INDEX records_by_status (status=? AND call_id>? AND call_id<?)",
        ),
        (
            Filter {
                error_code: Some("x".into()),
                caller: Some("x".into()),
                ..Filter::default()
            },
            "COVERING INDEX records_by_error (error_code=? AND call_id>? AND call_id<?)",
        ),
    ] {
        let resolved = reader.resolve(&filter).await.unwrap();
        let path = resolved.path();
        let mut sql = Sql::new("EXPLAIN QUERY PLAN ");
        sql.append(search(
            &resolved,
            path,
            true,
            Order::NewestFirst,
            window,
            10,
        ));
        // Id, parent, a number without use, and the text.
        let plan = reader.rows(sql, |row| row.text(3)).await.unwrap();
        let plan: Vec<String> = plan.into_iter().flatten().collect();
        assert!(plan.join("\n").contains(expected), "{filter:?}\n{plan:#?}");
    }
}

#[tokio::test]
async fn a_subject_of_many_tokens_is_found_in_the_order_of_time() {
    let bank = Pseudonym::from_bytes(samples::bytes(0x77));
    let records = (0..60).map(|n: u8| {
        let mut record = samples::plain(n.into());
        record.credential.fingerprint = Some(Fingerprint::from_bytes([n; 16]));
        if !n.is_multiple_of(3) {
            record.add_subject(Subject {
                kind: "bank".into(),
                role: if n % 3 == 1 {
                    SubjectRole::Token
                } else {
                    SubjectRole::Request
                },
                pseudonym: Some(bank),
            });
        }
        record
    });
    let (_dir, path) = ledger(records.collect()).await;
    let mut reader = Reader::open(&path.as_path().into()).await.unwrap();
    let filter = Filter {
        subjects: vec![bank],
        ..Filter::default()
    };
    assert_eq!(reader.resolve(&filter).await.unwrap().is_wide, [true]);
    assert_eq!(reader.count(&filter).await.unwrap(), 40);
    assert_eq!(
        pages(&mut reader, &filter, Order::NewestFirst, 7)
            .await
            .len(),
        40
    );
    assert_eq!(reader.last(&filter, 5).await.unwrap().len(), 5);
}

#[tokio::test]
async fn what_nobody_waits_for_is_ended() {
    let (_dir, path) = ledger(records()).await;
    let place = path.as_path().into();
    let mut reader = Reader::open(&place).await.unwrap();
    // For hours.
    let sql =
        Sql::new("SELECT count(*) FROM records a, records b, records c, records d, records e");
    let asked = tokio::time::timeout(Duration::from_millis(50), reader.number(sql)).await;
    assert!(asked.is_err());
    let asks_on = reader.abandoned.as_ref().unwrap().seen();
    drop(reader);
    // The handler that is asked whether to go on goes with the connection, once that is at rest.
    let ended = async {
        while asks_on.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(ended.is_ok(), "it goes on");
}
