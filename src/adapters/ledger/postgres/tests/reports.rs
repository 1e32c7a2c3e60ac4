//! What reports are made of, from one database and from the other.

use std::collections::BTreeMap;

use super::*;
use crate::domain::report::{Activity, Counted, TokenUse};
use crate::types::{Decision, PiiClass};

/// The numbers of activities and tokens differ from ledger to ledger; what they say does not.
#[derive(Debug, PartialEq)]
struct Counts {
    activities: Vec<String>,
    calls: Vec<String>,
    tokens: Vec<String>,
}

async fn counts(reader: &mut Reader, filter: &Filter) -> Counts {
    let activities: BTreeMap<i64, Activity> = reader
        .activities(filter)
        .await
        .unwrap()
        .into_iter()
        .collect();
    let counted = reader.tally(filter).await.unwrap();
    let calls = counted.into_iter().map(|counted| {
        // What is counted is among what the filter can concern.
        let activity = &activities[&counted.activity];
        let counted = Counted {
            activity: 0,
            ..counted
        };
        format!("{activity:?} {counted:?}")
    });
    let mut calls: Vec<_> = calls.collect();
    calls.sort();
    let last = reader.last_token().await.unwrap();
    let uses = reader.token_uses(filter, 1, last).await.unwrap();
    let tokens = uses.into_iter().map(|used| {
        let used = TokenUse { token: 0, ..used };
        format!("{used:?}")
    });
    let mut tokens: Vec<_> = tokens.collect();
    tokens.sort();
    let mut activities: Vec<_> = activities.values().map(|a| format!("{a:?}")).collect();
    activities.sort();
    Counts {
        activities,
        calls,
        tokens,
    }
}

#[tokio::test]
async fn both_databases_count_the_same_for_reports() {
    let url = database!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut records = mixed();
    records[2].decision = Decision::Denied;
    records[2].outcome = Outcome::Failure;
    records[3].status = Some(401);
    let calls = records.into_iter().zip(0..).map(|(record, n)| Finished {
        record: Box::new(record),
        leaves: Leaves {
            completion: Some(n),
            ..Leaves::default()
        },
    });
    let gap = |n| Gap {
        from: samples::received(n),
        to: samples::received(n + 2),
        refused: n,
        shed: 2,
        dropped: 3,
    };
    let batch = Batch {
        calls: calls.collect(),
        gaps: vec![(40, gap(5)), (41, gap(20))],
        ..batch(1, 0, 0)
    };
    let mut store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.drain(&batch).await.unwrap(), 40);
    let mut store = PostgresStore::open(&place(&url)).await.unwrap();
    assert_eq!(store.drain(&batch).await.unwrap(), 40);
    let mut sqlite = Reader::open(&path.as_path().into()).await.unwrap();
    let mut postgres = reader(&url).await;
    sqlite.hold_still().await.unwrap();
    postgres.hold_still().await.unwrap();

    let none = Filter::default;
    let (from, to) = (samples::received(4), samples::received(30));
    let filters = [
        none(),
        Filter {
            from: Some(from),
            to: Some(to),
            ..none()
        },
        Filter {
            has_pii: true,
            ..none()
        },
        Filter {
            pii: vec![PiiClass::Email],
            from: Some(from),
            ..none()
        },
        Filter {
            mints: true,
            ..none()
        },
        Filter {
            auth_failed: true,
            ..none()
        },
        Filter {
            failed: true,
            banks_only: true,
            ..none()
        },
        Filter {
            effect: Some(Effect::Money),
            caller: Some("billing".into()),
            ..none()
        },
        Filter {
            fingerprint: Some(Fingerprint::from_bytes([9; 16])),
            ..none()
        },
    ];
    for filter in &filters {
        let one = counts(&mut sqlite, filter).await;
        assert_eq!(one, counts(&mut postgres, filter).await, "{filter:?}");
        let page = Page {
            order: Order::NewestFirst,
            limit: 7,
            after: None,
        };
        let one = sqlite.query(filter, page).await.unwrap();
        let other = postgres.query(filter, page).await.unwrap();
        assert_eq!(shown(&one.rows), shown(&other.rows), "{filter:?}");
        assert_eq!(
            sqlite.count(filter).await.unwrap(),
            postgres.count(filter).await.unwrap(),
            "{filter:?}"
        );
    }
    let all = counts(&mut postgres, &none()).await;
    assert!(all.calls.len() > 5 && all.tokens.len() > 1, "{all:?}");
    for (from, to) in [(from, to), (to, samples::received(99)), (to, to)] {
        let one = sqlite.gaps(from, to).await.unwrap();
        assert_eq!(one, postgres.gaps(from, to).await.unwrap());
        let one = sqlite.first_from(from).await.unwrap();
        assert_eq!(one, postgres.first_from(from).await.unwrap());
    }
    assert_eq!(postgres.gaps(from, to).await.unwrap().lost, [25, 4, 6]);
    assert_eq!(
        sqlite.journals().await.unwrap(),
        postgres.journals().await.unwrap()
    );
}
