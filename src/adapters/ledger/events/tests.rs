use super::*;
use crate::adapters::ledger::{
    Filter, LedgerPlace, Order, Page, RecordStore, SqliteStore, samples,
};
use crate::domain::record::{CallRecord, Fact, Mint, Pseudonym, Subject, SubjectRole};
use crate::types::{Decision, Outcome};

/// Rows of every shape that the ledger can have.
pub fn varied() -> Vec<CallRecord> {
    (1..60)
        .map(|n| {
            let mut record = match n % 4 {
                0 => samples::empty(n),
                1 => samples::plain(n),
                _ => samples::full(n),
            };
            if n % 5 == 0 {
                record.facts.push(Fact {
                    name: "requested_scopes".into(),
                    value: "trades:read customers:read \"x\" ü".into(),
                });
                record.facts.push(Fact {
                    name: "view_id".into(),
                    value: "owner".into(),
                });
                record.facts.push(Fact {
                    name: "view_id".into(),
                    value: "auditor".into(),
                });
            }
            if n % 7 == 0 {
                record.add_subject(Subject {
                    kind: "customer".into(),
                    role: SubjectRole::Request,
                    pseudonym: (n % 2 == 0).then(|| Pseudonym::from_bytes(samples::bytes(7))),
                });
            }
            if n % 11 == 0 {
                record.outcome = Outcome::Unknown;
                record.status = None;
                record.decision = Decision::Limited;
                record.times.completed_at = None;
                record.target.query = Some("include_pii=true&a=\"b\"".into());
                record.caller.address = Some("[2001:db8::1]:443".parse().unwrap());
            }
            if n % 13 == 0 {
                record.mint = Some(Mint {
                    kind: "api_key".into(),
                    fingerprint: None,
                    expires_at: None,
                });
            }
            record
        })
        .collect()
}

/// That detection reads the same of every row as of its line in an export.
pub async fn assert_same_as_exported(reader: &mut Reader) {
    let direct = reader.events(0, 1_000).await.unwrap();
    let page = Page {
        order: Order::OldestFirst,
        limit: 1_000,
        after: None,
    };
    let exported = reader.query(&Filter::default(), page).await.unwrap().rows;
    assert_eq!(direct.len(), exported.len());
    for row in exported {
        let line = serde_json::to_vec(&row).unwrap();
        let read = Row::read(&line).unwrap();
        let seq = row.integer("seq").unwrap();
        let direct = direct.iter().find(|one| one.position.seq == seq).unwrap();
        assert_eq!(format!("{:?}", direct.row), format!("{read:?}"));
        assert_eq!(
            direct
                .position
                .call
                .map(|call| CallId::from_bytes(call).to_string())
                .as_deref(),
            Some(row.text("call_id"))
        );
    }
}

async fn ledger(records: Vec<CallRecord>) -> (tempfile::TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    // One by one: within a batch, rows stand in the order of their ids.
    for record in records {
        store.write(&[Box::new(record)]).await.unwrap();
    }
    let place = LedgerPlace::Sqlite(path);
    (dir, Reader::open(&place).await.unwrap())
}

#[tokio::test]
async fn detection_reads_of_a_row_what_its_export_says() {
    let (_dir, mut reader) = ledger(varied()).await;
    assert_same_as_exported(&mut reader).await;
}

#[tokio::test]
async fn batches_follow_each_other_without_gaps() {
    let (_dir, mut reader) = ledger((1..=25).map(samples::plain).collect()).await;
    let mut seen = Vec::new();
    let mut at = 0;
    loop {
        let rows = reader.events(at, 10).await.unwrap();
        let Some(last) = rows.last() else { break };
        at = last.position.seq;
        seen.extend(rows.iter().filter_map(|row| row.position.call));
    }
    let expected: Vec<_> = (1..=25).map(|n| *samples::id(n).as_bytes()).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_moment_is_found_by_a_place_before_it() {
    // The slow call 5 was written last.
    let mut order: Vec<u64> = (1..=20).filter(|n| *n != 5).collect();
    order.push(5);
    let (_dir, mut reader) = ledger(order.into_iter().map(samples::plain).collect()).await;
    for (from, expected) in [(1, 0), (6, 4), (20, 18), (21, 20)] {
        let found = reader.before(samples::received(from)).await.unwrap();
        assert_eq!(found.seq, expected, "{from}");
    }
    // It may be as early as the row of call 6.
    let found = reader.before(samples::received(5)).await.unwrap();
    assert_eq!(
        (found.seq, found.call),
        (4, Some(*samples::id(4).as_bytes()))
    );
}

#[tokio::test]
async fn another_ledger_is_noticed() {
    let (_dir, mut reader) = ledger((1..=5).map(samples::plain).collect()).await;
    let place = reader.place_behind(5).await.unwrap();
    assert!(reader.has_row(place).await.unwrap());
    assert!(reader.has_row(Position::default()).await.unwrap());
    let (_dir, mut other) = ledger((11..=15).map(samples::plain).collect()).await;
    assert!(!other.has_row(place).await.unwrap());
    let (_dir, mut shorter) = ledger((1..=3).map(samples::plain).collect()).await;
    assert!(!shorter.has_row(place).await.unwrap());
}
