use std::time::Duration;

use super::*;
use crate::adapters::ledger::{SharedIncidents, SharedWatch};
use crate::domain::incident::SharedBook;

/// Asks until it leads: each looks once a second.
async fn lead(watch: &mut SharedWatch) {
    for _ in 0..300 {
        if matches!(watch.leads().await, Ok(true)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody leads");
}

#[tokio::test]
async fn one_watches_and_another_goes_on_from_what_it_kept() {
    let url = database!();
    let mut one = SharedWatch::new(place(&url));
    let mut two = SharedWatch::new(place(&url));
    assert!(one.leads().await.unwrap());
    assert!(!two.leads().await.unwrap());
    assert_eq!(one.load().await.unwrap(), None);
    one.save(b"first", Micros(1)).await.unwrap();
    one.save(b"second", Micros(2)).await.unwrap();
    // Who does not hold the lock neither reads nor writes.
    assert!(two.load().await.is_err());
    assert!(two.save(b"other", Micros(3)).await.is_err());
    one.release().await;
    lead(&mut two).await;
    assert_eq!(two.load().await.unwrap().as_deref(), Some(&b"second"[..]));
    assert!(one.save(b"late", Micros(4)).await.is_err());
}

#[tokio::test]
async fn who_loses_the_session_loses_the_lock() {
    let url = database!();
    let mut one = SharedWatch::new(place(&url));
    let mut two = SharedWatch::new(place(&url));
    assert!(one.leads().await.unwrap());
    // As the server does it to a session that says nothing, or whose machine is gone.
    number(
        &url,
        "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks AS l \
         JOIN pg_stat_activity AS a ON a.pid = l.pid AND a.datname = current_database() \
         WHERE l.locktype = 'advisory' AND l.classid = 17735 AND l.objid = 1",
    );
    lead(&mut two).await;
    assert!(one.save(b"late", Micros(4)).await.is_err());
    assert!(matches!(one.leads().await, Ok(false)));
}

#[tokio::test]
async fn the_book_of_a_fleet_is_one() {
    let url = database!();
    PostgresStore::open(&place(&url)).await.unwrap();
    let ledger = LedgerPlace::Postgres(place(&url));
    let mut one = SharedIncidents::beside(&ledger).unwrap();
    let mut two = SharedIncidents::beside(&ledger).unwrap();
    assert_eq!(one.begin(0), Ok((0, None)));
    assert_eq!(one.write("first".into()), Ok(1));
    assert_eq!(two.begin(0), Ok((1, Some("first".into()))));
    // The other waits until this one has ended.
    let waiting = std::thread::spawn(move || {
        let begun = one.begin(1);
        one.end();
        begun
    });
    assert_eq!(two.write("second".into()), Ok(2));
    assert_eq!(waiting.join().unwrap(), Ok((2, Some("second".into()))));
    assert_eq!(two.begin(2), Ok((2, None)));
    two.end();
    // A session that the server has ended is made anew.
    number(
        &url,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert_eq!(two.begin(1), Ok((2, Some("second".into()))));
    assert_eq!(two.write("third".into()), Ok(3));
}
