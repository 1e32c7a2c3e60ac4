//! It does not matter how a feed is cut, nor what is in it.

use proptest::prelude::*;

use super::super::*;
use super::feed::{Feed, SAY, START, Say};
use super::run;

/// A feed with a bit of everything, made of numbers.
fn anything(choices: &[(u8, u8, u16, u8)]) -> String {
    let mut feed = Feed::default();
    let mut at = START;
    for (what, who, pause, how) in choices {
        // Mostly seconds, now and then hours: timers run out between calls.
        at += i64::from(*pause) * if how % 16 == 0 { 60_000 } else { 97 };
        let caller = ["web", "batch", "desk", ""][usize::from(who % 4)];
        let ip = [
            "192.0.2.10",
            "198.51.100.1",
            "2001:db8::7",
            "203.0.113.9",
            "",
        ][usize::from(how % 5)];
        let country = ["CA", "US", "", "BR"][usize::from(how / 5 % 4)];
        let subject = u64::from(who % 23);
        let say = Say {
            at,
            caller,
            ip,
            country,
            subject,
            ..SAY
        };
        match what % 9 {
            0 | 1 => {
                feed.mint(say);
            }
            2 => feed.visit(say, u64::from(how % 4)),
            3 => feed.say(Say { status: 401, ..say }),
            4 => feed.say(Say {
                status: 404,
                op: "customers.get",
                subject: 1000 + u64::from(*how),
                ..say
            }),
            5 => feed.say(Say {
                op: "obp.grant",
                kind: "direct_login",
                more: r#","target":"ETH/0x01","view":"owner""#,
                ..say
            }),
            6 => feed.say(Say {
                token: 0xabc0_0000_0000 + u64::from(*how),
                ..say
            }),
            7 => feed.say(Say {
                status: 503,
                more: r#","err":"upstream_5xx""#,
                ..say
            }),
            _ => feed.say(Say {
                more: r#","pii":true"#,
                ..say
            }),
        }
    }
    feed.text()
}

fn lines(alerts: &[Alert]) -> Vec<String> {
    alerts
        .iter()
        .map(|alert| serde_json::to_string(alert).unwrap())
        .collect()
}

/// So that short feeds tell much: nothing is waited for.
fn eager() -> Settings {
    Settings {
        learning_days: 0,
        sensitivity: Sensitivity::High,
        ..Settings::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restart_anywhere_changes_nothing(
        choices in proptest::collection::vec(any::<(u8, u8, u16, u8)>(), 50..400),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let text = anything(&choices);
        let mut whole = Detection::new(eager());
        let expected = run(&mut whole, &text);
        let all: Vec<&str> = text.lines().collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).collect();
        at.sort_unstable();
        let mut told = Vec::new();
        let mut part = Detection::new(eager());
        let mut from = 0;
        for cut in at {
            told.extend(run(&mut part, &all[from..cut].join("\n")));
            let mut bytes = Vec::new();
            part.snapshot(&mut bytes).unwrap();
            part = Detection::restore(eager(), &bytes).unwrap();
            from = cut;
        }
        told.extend(run(&mut part, &all[from..].join("\n")));
        prop_assert_eq!(lines(&told), lines(&expected));
    }

    #[test]
    fn time_that_passes_between_calls_changes_nothing(
        choices in proptest::collection::vec(any::<(u8, u8, u16, u8)>(), 50..300),
    ) {
        let text = anything(&choices);
        let expected = run(&mut Detection::new(eager()), &text);
        let mut live = Detection::new(eager());
        let mut told = Vec::new();
        let mut clock = START;
        for line in text.lines() {
            let line = Line::read(line.as_bytes()).unwrap();
            let event = line.event(1);
            // A live feed says every so often how far it has seen everything.
            while clock < event.at {
                live.advance(clock, &mut told);
                clock += 17_000;
            }
            live.observe(&event, &NoMap, &mut told);
        }
        prop_assert_eq!(lines(&told), lines(&expected));
    }

    #[test]
    fn nothing_makes_it_stumble(
        lines in proptest::collection::vec((any::<i64>(), "[a-z.]{0,12}", any::<u16>(), any::<bool>()), 0..60),
    ) {
        let mut detection = Detection::new(eager());
        let mut told = Vec::new();
        for (ts, op, status, minted) in lines {
            let mint = if minted { r#","mint":{"type":"bank","token":"t","ttl":-1}"# } else { "" };
            let line = format!(r#"{{"ts":{ts},"op":"{op}","status":{status}{mint}}}"#);
            let line = Line::read(line.as_bytes()).unwrap();
            detection.observe(&line.event(1), &NoMap, &mut told);
        }
    }
}
