//! Erasing, pruning and holding in a shared ledger.

use super::*;
use crate::adapters::ledger::hold::{HoldOn, Whom, holds_on, next_hold, place_hold, release_hold};
use crate::adapters::ledger::retention::{ErasedRows, Order as By, erase, prune};
use crate::domain::record::OperationClass;
use crate::domain::retention::{Periods, Profile};
use std::time::Duration;

const BY: By<'static> = By {
    by: "ann",
    reason: "request 17",
    at: Micros(5),
};

#[tokio::test]
async fn what_is_erased_or_over_goes_and_gateways_go_on() {
    let url = database!();
    let place = place(&url);
    let mut store = PostgresStore::open(&place).await.unwrap();
    let place = LedgerPlace::Postgres(place);
    store
        .write(&boxed((0..20).map(samples::full)))
        .await
        .unwrap();
    let token = Pseudonym::from_bytes([0xcc; 16]);
    let account = Pseudonym::from_bytes([0xbb; 16]);

    // A hold first.
    let on = HoldOn {
        subject: Some(Whom::Known(account)),
        ..HoldOn::default()
    };
    let id = next_hold(&place).await.unwrap();
    place_hold(&place, id, &on, "case 1", "ann", Micros(1))
        .await
        .unwrap();
    assert_eq!(holds_on(&place, &[token]).await.unwrap(), [id]);
    let mut periods = Periods::of(Profile::Pci12m);
    for class in OperationClass::ALL {
        periods.set(*class, Duration::from_secs(3600));
    }
    let late = By {
        at: samples::full(0)
            .times
            .received_at
            .plus(Duration::from_secs(1 << 30)),
        ..BY
    };
    let (held, _) = prune(&place, &periods, &late, false).await.unwrap();
    assert_eq!((held.calls, held.held), (0, 20));
    let released = release_hold(&place, id, "over", "bob", Micros(2)).await;
    assert!(released.unwrap());

    for (subject, calls, credentials) in [(account, 20, 0), (token, 0, 1)] {
        let done = erase(&place, &[subject], &BY).await.unwrap();
        assert_eq!(done, ErasedRows { calls, credentials });
    }
    let left = "SELECT count(*) FROM egret.calls WHERE subjects LIKE '%cccccc%' \
        OR subjects LIKE '%bbbbbb%'";
    assert_eq!(number(&url, left), 0);
    assert_eq!(number(&url, "SELECT count(*) FROM egret.call_subjects"), 0);
    // The gateway does not go on with the entry that names nobody any more.
    store.write(&boxed([samples::full(99)])).await.unwrap();
    let named = "SELECT count(*) FROM egret.calls WHERE subjects LIKE '%cccccc%'";
    assert_eq!(number(&url, named), 1);

    // Whoever owns the tables cannot do it past the record of it.
    for sql in [
        "UPDATE egret.records SET status = 1",
        "DELETE FROM egret.records",
        "UPDATE egret.maintenance SET reason = 'x'",
        "DELETE FROM egret.maintenance",
        "UPDATE egret.holds SET released_at = NULL",
        "DELETE FROM egret.holds",
        "TRUNCATE egret.holds",
    ] {
        let said = try_execute(&url, sql).unwrap_err().to_string();
        assert!(said.contains("ledger"), "{sql}: {said}");
    }

    let (would, _) = prune(&place, &periods, &late, true).await.unwrap();
    assert_eq!(would.calls, 21);
    assert_eq!(number(&url, "SELECT count(*) FROM egret.records"), 21);
    let (gone, _) = prune(&place, &periods, &late, false).await.unwrap();
    assert_eq!(gone.calls, 21);
    for table in [
        "records",
        "call_subjects",
        "credentials",
        "credential_subjects",
    ] {
        let sql = format!("SELECT count(*) FROM egret.{table}");
        assert_eq!(number(&url, &sql), 0, "{table}");
    }
    store.write(&boxed([samples::full(100)])).await.unwrap();
    assert_eq!(number(&url, "SELECT count(*) FROM egret.credentials"), 1);
    let open = "SELECT count(*) FROM egret.maintenance WHERE ended_at IS NULL";
    assert_eq!(number(&url, open), 0);
}
