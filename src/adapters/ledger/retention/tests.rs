use std::path::Path;
use std::time::Duration;

use super::*;
use crate::adapters::ledger::hold::{
    HoldOn, Whom, holds, holds_on, next_hold, place_hold, release_hold, restore,
};
use crate::adapters::ledger::sqlite::schema::open_writer;
use crate::adapters::ledger::{Filter, Order as Rows, Page, RecordStore, SqliteStore, samples};
use crate::domain::retention::Profile;
use sqlx::Executor as _;

const PAGE: Page = Page {
    order: Rows::OldestFirst,
    limit: 100,
    after: None,
};

const ORDER: Order<'static> = Order {
    by: "ann",
    reason: "request 17",
    at: Micros(5),
};

async fn erase_from(path: &Path, pseudonyms: &[Pseudonym]) -> ErasedRows {
    erase(&path.into(), pseudonyms, &ORDER).await.unwrap()
}

async fn rows(path: &Path, subjects: Vec<Pseudonym>) -> Vec<String> {
    let filter = Filter {
        subjects,
        ..Filter::default()
    };
    let mut reader = Reader::open(&path.into()).await.unwrap();
    let found = reader.query(&filter, PAGE).await.unwrap();
    found
        .rows
        .iter()
        .map(|row| row.text("subjects").to_owned())
        .collect()
}

#[tokio::test]
async fn a_subject_is_nowhere_and_the_others_are_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    let records: Vec<_> = (0..50).map(|n| Box::new(samples::full(n))).collect();
    store.write(&records).await.unwrap();
    // As the samples have them: one that the token names, and one of the call.
    let (token, account) = (
        Pseudonym::from_bytes([0xcc; 16]),
        Pseudonym::from_bytes([0xbb; 16]),
    );
    assert_eq!(rows(&path, vec![token]).await.len(), 50);
    for (subject, other, calls, credentials) in [(account, token, 50, 0), (token, account, 0, 1)] {
        let done = erase_from(&path, &[subject]).await;
        assert_eq!(done, ErasedRows { calls, credentials });
        // The feed is open meanwhile.
        let left = clean(&path.as_path().into(), &[subject]).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
        assert!(rows(&path, vec![subject]).await.is_empty());
        if subject == account {
            assert_eq!(rows(&path, vec![other]).await.len(), 50);
        }
    }
    let all = rows(&path, Vec::new()).await;
    assert_eq!(all.len(), 50);
    for subjects in all {
        let expected = r#"[{"kind":"customer","role":"token","subject":null},{"kind":"bank_account","role":"on_behalf_of","subject":null}]"#;
        assert_eq!(subjects, expected);
    }
    // The store does not go on with the entry of the token that names nobody any more.
    let fresh = vec![Box::new(samples::full(99))];
    store.write(&fresh).await.unwrap();
    assert_eq!(rows(&path, vec![token]).await.len(), 1);
    let again = erase_from(&path, &[token, account]).await;
    let expected = ErasedRows {
        calls: 1,
        credentials: 1,
    };
    assert_eq!(again, expected);
    let nothing = erase_from(&path, &[token, account]).await;
    assert_eq!(nothing, ErasedRows::default());
}

#[tokio::test]
async fn nothing_else_changes_or_removes_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    store.write(&[Box::new(samples::full(1))]).await.unwrap();
    erase_from(&path, &[]).await;
    let mut conn = open_writer(&path).await.unwrap();
    for sql in [
        "UPDATE records SET status = 200",
        "DELETE FROM records",
        "UPDATE activities SET caller = 'x'",
        "DELETE FROM activities",
        "UPDATE profiles SET caller = 'x'",
        "UPDATE profiles SET key = x'00'",
        "DELETE FROM profiles",
        "UPDATE credentials SET subjects = NULL",
        "DELETE FROM credentials",
        "UPDATE scope_lists SET token_scopes = '[]'",
        "DELETE FROM scope_lists",
        "DELETE FROM call_subjects",
        "DELETE FROM credential_subjects",
        "UPDATE maintenance SET ended_at = NULL",
        "DELETE FROM maintenance",
    ] {
        let error = conn.execute(sql).await.err();
        let error = error.unwrap_or_else(|| panic!("{sql} was let through"));
        assert!(error.to_string().contains("ledger"), "{sql}: {error}");
    }
}

const NO: HoldOn = HoldOn {
    from: None,
    to: None,
    caller: None,
    subject: None,
    token: None,
    call_id: None,
};

/// Long after everything, with a period of an hour for every class.
async fn prune_all(path: &Path, dry_run: bool) -> PrunedRows {
    let mut periods = Periods::of(Profile::Pci12m);
    for class in OperationClass::ALL {
        periods.set(*class, Duration::from_secs(3600));
    }
    let now = samples::full(1)
        .times
        .received_at
        .plus(Duration::from_secs(1 << 30));
    prune(&path.into(), &periods, &Order { at: now, ..ORDER }, dry_run)
        .await
        .unwrap()
        .0
}

async fn hold_in(path: &Path, on: &HoldOn, reason: &str) -> i64 {
    let place = path.into();
    let id = next_hold(&place).await.unwrap();
    place_hold(&place, id, on, reason, "ann", Micros(1))
        .await
        .unwrap();
    id
}

async fn count_rows(path: &Path) -> u64 {
    let mut reader = Reader::open(&path.into()).await.unwrap();
    reader.count(&Filter::default()).await.unwrap()
}

async fn ledger(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("ledger.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    let mut records: Vec<_> = (0..10).map(|n| Box::new(samples::full(n))).collect();
    records.extend((10..15).map(|n| Box::new(samples::plain(n))));
    records.extend((15..18).map(|n| Box::new(samples::empty(n))));
    store.write(&records).await.unwrap();
    path
}

#[tokio::test]
async fn what_is_over_goes_and_what_is_held_stays() {
    let subject = Pseudonym::from_bytes([0xbb; 16]);
    let in_token = Pseudonym::from_bytes([0xcc; 16]);
    let of = |n| samples::full(n);
    let received = of(3).times.received_at;
    for (on, kept) in [
        (NO, 18),
        (
            HoldOn {
                subject: Some(Whom::Known(subject)),
                ..NO
            },
            10,
        ),
        (
            HoldOn {
                subject: Some(Whom::Known(in_token)),
                ..NO
            },
            10,
        ),
        (
            HoldOn {
                subject: Some(Whom::Known(Pseudonym::from_bytes([1; 16]))),
                ..NO
            },
            0,
        ),
        (
            HoldOn {
                call_id: Some(of(3).call_id),
                ..NO
            },
            1,
        ),
        (
            HoldOn {
                token: of(3).credential.fingerprint,
                ..NO
            },
            15,
        ),
        (
            HoldOn {
                caller: Some("nobody".into()),
                ..NO
            },
            0,
        ),
        (
            HoldOn {
                from: Some(received),
                to: Some(received),
                ..NO
            },
            0,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = ledger(dir.path()).await;
        let now = Micros(1);
        let id = hold_in(&path, &on, "case 1").await;
        let expected = PrunedRows {
            calls: 18 - kept,
            held: kept,
        };
        assert_eq!(prune_all(&path, true).await, expected, "{on:?}");
        assert_eq!(count_rows(&path).await, 18);
        assert_eq!(prune_all(&path, false).await, expected, "{on:?}");
        assert_eq!(count_rows(&path).await, kept);
        // Again is nothing more; without the hold the rest goes.
        assert_eq!(
            prune_all(&path, false).await,
            PrunedRows {
                calls: 0,
                held: kept
            }
        );
        assert!(
            release_hold(&path.as_path().into(), id, "over", "bob", now)
                .await
                .unwrap()
        );
        assert!(
            !release_hold(&path.as_path().into(), id, "over", "bob", now)
                .await
                .unwrap()
        );
        assert_eq!(prune_all(&path, false).await.calls, kept);
        let listed = holds(&path.as_path().into()).await.unwrap();
        assert_eq!(listed[0].release.as_ref().map(|one| &*one.by), Some("bob"));
    }
}

#[tokio::test]
async fn what_is_not_over_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = ledger(dir.path()).await;
    let now = samples::full(1)
        .times
        .received_at
        .plus(Duration::from_secs(86_400 * 300));
    let periods = Periods::of(Profile::Pci12m);
    let (rows, _) = prune(
        &path.as_path().into(),
        &periods,
        &Order { at: now, ..ORDER },
        false,
    )
    .await
    .unwrap();
    assert_eq!(rows, PrunedRows::default());
    assert_eq!(count_rows(&path).await, 18);
}

#[tokio::test]
async fn a_hold_forbids_to_erase_whom_it_concerns() {
    let dir = tempfile::tempdir().unwrap();
    let path = ledger(dir.path()).await;
    let account = Pseudonym::from_bytes([0xbb; 16]);
    assert!(
        holds_on(&path.as_path().into(), &[account])
            .await
            .unwrap()
            .is_empty()
    );
    let other = HoldOn {
        call_id: Some(samples::plain(12).call_id),
        ..NO
    };
    hold_in(&path, &other, "case 1").await;
    let call = HoldOn {
        call_id: Some(samples::full(3).call_id),
        ..NO
    };
    let second = hold_in(&path, &call, "case 2").await;
    assert_eq!(
        holds_on(&path.as_path().into(), &[account]).await.unwrap(),
        [second]
    );
    let stranger = Pseudonym::from_bytes([1; 16]);
    let on = HoldOn {
        subject: Some(Whom::Known(stranger)),
        ..NO
    };
    let third = hold_in(&path, &on, "case 3").await;
    assert_eq!(
        holds_on(&path.as_path().into(), &[account, stranger])
            .await
            .unwrap(),
        [second, third]
    );
}

/// The record of a command that ended.
#[allow(clippy::unnecessary_box_returns, reason = "what the feed hands over")]
fn command(
    number: u64,
    call: crate::domain::own::OwnCall,
    outcome: crate::types::Outcome,
) -> Box<crate::domain::record::CallRecord> {
    let sample = samples::empty(number);
    let (id, at) = (sample.call_id, sample.times.received_at);
    let mut record = call.open(id, at, std::sync::Arc::clone(&sample.gateway), "ann");
    crate::domain::own::complete(&mut record, outcome, None, at);
    Box::new(record)
}

#[tokio::test]
async fn holds_come_back_from_the_records_of_the_commands() {
    use crate::adapters::ledger::hold::released;
    use crate::types::Outcome::{Failure, Success, Unknown};
    let dir = tempfile::tempdir().unwrap();
    let path = ledger(dir.path()).await;
    let place = path.as_path().into();
    let call = samples::full(3);
    let on = HoldOn {
        from: Some(Micros(1)),
        to: Some(Micros(9)),
        caller: Some("billing".to_owned()),
        subject: Some(Whom::Known(Pseudonym::from_bytes([0xbb; 16]))),
        token: call.credential.fingerprint,
        call_id: Some(call.call_id),
    };
    let mut store = SqliteStore::open(&path).await.unwrap();
    let commands = [
        command(20, on.on_record(1, Some("customer")), Success),
        command(21, NO.on_record(2, None), Failure),
        command(22, NO.on_record(3, None), Unknown),
        command(23, NO.on_record(4, None), Success),
        command(24, released(4), Success),
        command(25, released(3), Failure),
    ];
    store.write(&commands).await.unwrap();
    assert_eq!(restore(&place).await.unwrap(), 3);
    assert_eq!(restore(&place).await.unwrap(), 0);
    let holds = holds(&place).await.unwrap();
    let state: Vec<_> = holds
        .iter()
        .map(|hold| (hold.id, hold.release.is_none()))
        .collect();
    assert_eq!(state, [(1, true), (3, true), (4, false)]);
    assert_eq!(holds[0].on, on);
    assert_eq!(next_hold(&place).await.unwrap(), 5);
    // While a hold is in force, the commands that say so stay.
    let kept = prune_all(&path, false).await;
    assert_eq!(kept.calls, 0);
    assert_eq!(kept.held, 18, "hold 3 has no condition");
    for id in [1, 3] {
        assert!(
            release_hold(&place, id, "over", "ann", Micros(2))
                .await
                .unwrap()
        );
    }
    assert_eq!(prune_all(&path, false).await.calls, 24);
}
