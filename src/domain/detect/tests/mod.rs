//! Whole streams: what is told of them, that it does not matter how they are cut, and that
//! memory stays within its bounds.

mod cuts;
mod feed;
mod scenes;

use super::*;
use feed::{DAY, Feed, HOUR, SAY, START, Say};

fn run(detection: &mut Detection, text: &str) -> Vec<Alert> {
    let mut told = Vec::new();
    for line in text.lines() {
        let line = Line::read(line.as_bytes()).unwrap();
        detection.observe(&line.event(1), &NoMap, &mut told);
    }
    told
}

const ATTACK: i64 = START + 18 * DAY + 13 * HOUR;

/// An engine that has seen the ordinary days up to the attack, as a snapshot, and the rest of them.
fn learned() -> (Vec<u8>, Feed) {
    let mut feed = Feed::ordinary(19);
    let mut detection = Detection::new(Settings::default());
    let rest = feed
        .lines
        .iter()
        .filter(|(at, _)| *at >= ATTACK)
        .cloned()
        .collect();
    feed.lines.retain(|(at, _)| *at < ATTACK);
    let told = run(&mut detection, &feed.text());
    assert!(
        told.iter().all(|alert| !alert.severity.is_page()),
        "{told:#?}"
    );
    let mut bytes = Vec::new();
    detection.snapshot(&mut bytes).unwrap();
    feed.lines = rest;
    (bytes, feed)
}

/// What is told from the attack on.
fn told_after(learned: &[u8], feed: &Feed) -> Vec<Alert> {
    let mut detection = Detection::restore(Settings::default(), learned).unwrap();
    let mut told = run(&mut detection, &feed.text());
    detection.advance(ATTACK + 2 * DAY, &mut told);
    told
}

#[test]
fn one_wrong_time_does_not_stop_the_clock() {
    let (learned, mut feed) = learned();
    // Microseconds where milliseconds belong.
    let wrong = format!("{{\"ts\":{},\"caller\":\"web\"}}", ATTACK * 1000);
    let mut detection = Detection::restore(Settings::default(), &learned).unwrap();
    run(&mut detection, &wrong);
    feed.mint(Say {
        at: ATTACK + HOUR,
        subject: 5,
        ip: "203.0.113.5",
        country: "BR",
        ..SAY
    });
    let told = run(&mut detection, &feed.text());
    assert!(
        told.iter()
            .any(|alert| alert.rule == "new-origin" && alert.at == ATTACK + HOUR)
    );
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    for bytes in [
        &b""[..],
        b"egretdet",
        b"egretdet\x02\0\0\0",
        b"egretdet\x01\0\0\0\xff",
        b"nonsense of some length",
    ] {
        assert!(Detection::restore(Settings::default(), bytes).is_err());
    }
}

#[test]
fn a_flood_of_new_identifiers_stays_within_the_bounds() {
    let bounds = Bounds {
        subjects: 1000,
        tokens: 1000,
        callers: 16,
        pending: 100,
    };
    let settings = Settings {
        bounds,
        ..Settings::default()
    };
    let mut detection = Detection::new(settings);
    let mut told = Vec::new();
    for n in 0..20_000_i64 {
        let line = format!(
            r#"{{"ts":{},"caller":"s{n}","op":"token.customer{n}","ip":"2001:db8:{:x}::1","country":"CA","asn":{n},"subject":"c{n}","scopes":["s{n}:read"],"target":"t{n}","mint":{{"type":"customer","token":"m{n}","ttl":1800}},"token":"u{n}","status":201}}"#,
            START + n * 100,
            n % 65_536
        );
        let line = Line::read(line.as_bytes()).unwrap();
        detection.observe(&line.event(1), &NoMap, &mut told);
    }
    let figures = detection.figures();
    assert_eq!(figures.callers, 16);
    assert!(figures.subjects <= 1000 && figures.tokens <= 1000);
    assert!(figures.mints_overflowed > 0 && figures.subjects_evicted > 0);
    let mut bytes = Vec::new();
    detection.snapshot(&mut bytes).unwrap();
    assert!(bytes.len() < 2_000_000, "{}", bytes.len());
    assert!(told.len() < 200, "{}", told.len());
}

#[test]
fn settings_can_silence_a_rule_and_faults_are_all_named() {
    let (learned, mut feed) = learned();
    feed.mint(Say {
        at: ATTACK,
        subject: 5,
        ip: "203.0.113.5",
        country: "BR",
        ..SAY
    });
    let off = RuleSettings {
        enabled: Some(false),
        ..RuleSettings::default()
    };
    let settings = Settings {
        rules: [("new-origin".to_owned(), off)].into(),
        ..Settings::default()
    };
    assert!(settings.faults().is_empty());
    assert!(
        told_after(&learned, &feed)
            .iter()
            .any(|alert| alert.rule == "new-origin")
    );
    let told = run(
        &mut Detection::restore(settings, &learned).unwrap(),
        &feed.text(),
    );
    assert!(told.iter().all(|alert| alert.rule != "new-origin"));
    let wrong = Settings {
        rules: [("nonsense".to_owned(), off)].into(),
        own_networks: vec!["x".into()],
        load_tests: vec![LoadTest {
            caller: "a".into(),
            from: 5,
            to: 5,
        }],
        bounds: Bounds {
            callers: 0,
            ..Bounds::default()
        },
        ..Settings::default()
    };
    assert_eq!(wrong.faults().len(), 4);
}
