use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECONDS: DurationIn = DurationIn(Duration::from_millis(1)..=Duration::from_secs(3600));

fn faults(text: &str, read: impl FnOnce(Table<'_>)) -> Vec<String> {
    let document = Document::new("egret.toml", text, &no_variables);
    let read = document.read(read);
    match document.finish(read) {
        Ok(()) => Vec::new(),
        Err(faults) => faults.list().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn unknown_keys_are_found_with_their_place_and_the_nearest_name() {
    let found = faults("a = 1\n[timeouts]\n  conect = \"1s\"\n", |top| {
        top.value("a", &IntegerIn(0..=9), 0, "");
        top.table("timeouts")
            .value("connect", &SECONDS, Duration::ZERO, "");
    });
    assert_eq!(
        found,
        ["egret.toml:3:3: timeouts.conect: unknown key; did you mean \"connect\"?"]
    );
}

#[test]
fn every_fault_is_reported_at_once_in_the_order_of_lines() {
    let text = "b = true\na = \"x\"\nc = 30\nd = \"1h30\"\ne = 99\nf = \"jason\"\ng = [1]\n";
    let found = faults(text, |top| {
        top.value("a", &IntegerIn(0..=9), 0, "");
        top.optional("b", &Text { max: 9, what: "" }, "", "");
        top.value("c", &SECONDS, Duration::ZERO, "");
        top.value("d", &SECONDS, Duration::ZERO, "");
        top.value("e", &SizeIn(100..=4096), 100, "");
        top.value("f", &OneOf(&[("json", 1), ("human", 2)]), 1, "");
        top.table("g");
        top.required("h", &Flag, "");
    });
    assert_eq!(
        found,
        [
            "egret.toml: h: missing; write h = `true` or `false`",
            "egret.toml:1:5: b: wrong type, found a value of type boolean; write text in quotes",
            "egret.toml:2:5: a: wrong type, found a value of type string; \
             write a whole number, without quotes",
            "egret.toml:3:5: c: a duration needs a unit, found the plain number 30; \
             write \"30s\" for seconds or \"30ms\" for milliseconds",
            "egret.toml:4:5: d: not a duration, found \"1h30\"; \
             write a whole number and a unit (ms, s, m, h, d), such as \"30s\"",
            "egret.toml:5:5: e: out of bounds, found 99B; use 100B to 4KiB",
            "egret.toml:6:5: f: not an allowed value, found \"jason\"; \
             did you mean \"json\"? use one of: \"json\", \"human\"",
            "egret.toml:7:5: g: must be a table, found a value of type array; write [g]",
        ]
    );
}

#[test]
fn syntax_errors_have_a_line_and_do_not_repeat_the_text() {
    let found = faults("a = 1\nsecret = hunter2\nb = = 2\n", |_| ());
    assert!(
        found.iter().any(|fault| fault.starts_with("egret.toml:2:")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|fault| fault.starts_with("egret.toml:3:")),
        "{found:?}"
    );
    assert!(!found.concat().contains("hunter2"), "{found:?}");
}

#[test]
fn a_variable_wins_over_the_file_and_its_faults_name_it() {
    let variables = |name: &str| match name {
        "EGRET_TIMEOUTS_CONNECT" => Some("7s".to_owned()),
        "EGRET_TIMEOUTS_IDLE" => Some("7".to_owned()),
        _ => None,
    };
    let document = Document::new("egret.toml", "[timeouts]\nconnect = \"1s\"\n", &variables);
    let read = document.read(|top| {
        let timeouts = top.table("timeouts");
        timeouts.value("idle", &SECONDS, Duration::ZERO, "");
        timeouts
            .value("connect", &SECONDS, Duration::ZERO, "")
            .value
    });
    assert_eq!(read, Some(Duration::from_secs(7)));
    assert_eq!(document.overrides().len(), 2);
    let faults = document.finish(read).unwrap_err().to_string();
    assert!(
        faults.starts_with("environment: EGRET_TIMEOUTS_IDLE: not a duration, found \"7\""),
        "{faults}"
    );
}

#[test]
fn columns_count_characters() {
    let found = faults("\"é\" = 1\n", |_| ());
    assert!(
        found[0].starts_with("egret.toml:1:1: \"é\": unknown key"),
        "{found:?}"
    );
    let found = faults("x = { \"éé\" = 1, y = 2 }\n", |top| {
        top.table("x").optional("éé", &IntegerIn(0..=9), "", "");
    });
    assert!(
        found[0].starts_with("egret.toml:1:17: x.y: unknown key"),
        "{found:?}"
    );
}

#[test]
fn a_long_name_is_not_repeated() {
    let text = format!("{} = 1\n", "k".repeat(65));
    let found = faults(&text, |_| ());
    assert!(found[0].contains("(65 bytes, not shown)"), "{found:?}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*|[a-c\\[\\]=\"\\.\\n{} 0-9é]{0,80}") {
        faults(&text, |top| {
            top.value("a", &SECONDS, Duration::ZERO, "");
            top.optional("b", &Timestamp, "", "");
            top.tables("c");
            for entry in top.entries() {
                entry.table("<id>");
            }
        });
    }
}
