use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::domain::capture::envelope::KEY_LEN;
use crate::types::Micros;

const TOKEN: &str = "Zq7fake9token8canary7x";

fn rule() -> CaptureRule {
    CaptureRule {
        provider: "cybrid".into(),
        operations: Vec::new(),
        bodies: CaptureBodies::Excerpt,
        max_bytes: 4096,
        retention: Duration::from_secs(60),
        sample: 1,
    }
}

fn key() -> CaptureKey {
    CaptureKey::new(&[7; KEY_LEN]).unwrap()
}

fn settings(directory: &Path) -> Settings {
    Settings {
        rules: vec![rule()],
        redactor: Redactor::default(),
        key: Some(key()),
        directory: directory.to_owned(),
        max_total: MAX_TOTAL,
    }
}

fn id(n: u8) -> CallId {
    CallId::from_parts(1_795_305_338_000, [n; 10])
}

fn gather(captures: &Captures, call_id: CallId) -> Option<Capturing> {
    let mut capturing = captures.begin(call_id, &"cybrid".into(), None)?;
    let mut head = RawHead::request("GET", b"/api/customers");
    head.field("Authorization", format!("Bearer {TOKEN}").as_bytes());
    head.field("Content-Type", b"application/json");
    capturing.request_head(head);
    capturing.request_body(
        format!("{{\"client_secret\":\"{TOKEN}\"}}").as_bytes(),
        true,
    );
    Some(capturing)
}

#[test]
fn a_call_is_kept_redacted_and_encrypted_for_its_owner_alone() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("captures");
    let captures = Captures::start(settings(&directory)).unwrap();
    gather(&captures, id(1)).unwrap().finish();
    captures.stop();
    assert_eq!(captures.vitals().kept, 1);

    let shelf = Shelf::new(&directory);
    let file = shelf.get(id(1)).unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("customers"));
    let (_, document) = key().open(id(1), &file).unwrap();
    let document = String::from_utf8(document).unwrap();
    assert!(document.contains("GET /api/customers"), "{document}");
    assert!(document.contains("[redacted:bearer]"), "{document}");
    assert!(!document.contains("canary"), "{document}");
    for (path, wanted) in [
        (directory.clone(), 0o700),
        (directory.join(format!("{}.capture", id(1))), 0o600),
    ] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, wanted, "{}", path.display());
    }
}

#[test]
fn captures_are_deleted_when_their_time_is_over_also_those_of_a_former_process() {
    let place = tempfile::tempdir().unwrap();
    let captures = Captures::start(settings(place.path())).unwrap();
    gather(&captures, id(1)).unwrap().finish();
    captures.stop();
    std::fs::write(place.path().join(format!("{}.unfinished", id(2))), "half").unwrap();
    let damaged = place.path().join(format!("{}.capture", id(3)));
    std::fs::write(damaged, "EGRE").unwrap();

    let counters = Arc::new(Counters::default());
    let mut writer = Writer::new(settings(place.path()), Arc::clone(&counters)).unwrap();
    let shelf = Shelf::new(place.path());
    let left: Vec<CallId> = shelf.list().unwrap().iter().map(|e| e.call_id).collect();
    assert_eq!(left, [id(1)]);
    let now = clock::now();
    writer.sweep(now);
    assert_eq!(shelf.list().unwrap().len(), 1);
    writer.sweep(now.plus(Duration::from_secs(61)));
    assert_eq!(shelf.list().unwrap().len(), 0);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    assert_eq!(counters.expired.load(Ordering::Relaxed), 2);
}

#[test]
fn a_full_disk_loses_the_capture_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let captures = Captures::start(settings(place.path())).unwrap();
    let counters = Arc::new(Counters::default());
    let mut writer = Writer::new(settings(place.path()), Arc::clone(&counters)).unwrap();
    writer.fill_the_disk();
    let call = gather(&captures, id(1)).unwrap().call;
    writer.keep(&call);
    assert_eq!(counters.failed.load(Ordering::Relaxed), 1);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn the_space_of_all_captures_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let captures = Captures::start(Settings {
        max_total: 600,
        ..settings(place.path())
    })
    .unwrap();
    for n in 0..5 {
        gather(&captures, id(n)).unwrap().finish();
    }
    captures.stop();
    let stats = captures.vitals();
    assert!(stats.kept >= 1 && stats.failed >= 1, "{stats:?}");
    assert_eq!(stats.kept + stats.failed, 5);
}

#[test]
fn calls_beyond_the_bound_are_not_captured_and_do_not_wait() {
    let place = tempfile::tempdir().unwrap();
    let captures = Captures::start(settings(place.path())).unwrap();
    let alive: Vec<Capturing> = (0..u8::try_from(MAX_ALIVE).unwrap())
        .map(|n| gather(&captures, id(n)).unwrap())
        .collect();
    assert!(gather(&captures, id(200)).is_none());
    assert_eq!(captures.vitals().dropped, 1);
    drop(alive);
    gather(&captures, id(201)).unwrap().finish();
    captures.stop();
    assert_eq!(captures.vitals().kept, 1);
    let until = Instant::now() + Duration::from_secs(5);
    while captures.counters.alive.load(Ordering::Acquire) > 0 {
        assert!(Instant::now() < until, "a place was not given back");
    }
}

#[test]
fn what_is_expired_says_so_in_its_header() {
    let place = tempfile::tempdir().unwrap();
    let captures = Captures::start(settings(place.path())).unwrap();
    gather(&captures, id(1)).unwrap().finish();
    captures.stop();
    let entry = Shelf::new(place.path()).list().unwrap().remove(0);
    let expires_at = entry.header.unwrap().expires_at;
    let now = clock::now();
    assert!(expires_at > now && expires_at <= Micros(now.0 + 60_000_000));
}
