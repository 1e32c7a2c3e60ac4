//! `egret demo` as a user runs it.

use std::process::{Command, Output};

fn egret(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egret"))
        .args(arguments)
        .env_remove("EGRET_CONFIG")
        .output()
        .expect("the binary runs")
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).expect("the output is text")
}

#[test]
fn the_demo_shows_what_it_recorded() {
    let parent = tempfile::tempdir().expect("a directory");
    let directory = parent.path().join("demo");
    let keep = directory.to_str().expect("a path in UTF-8");
    let output = egret(&["demo", "--seconds", "3", "--quiet", "--keep", keep]);
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{errors}\n{shown}");
    assert_eq!(errors, "");
    for part in [
        "$ egret audit query",
        "$ egret audit stats",
        "$ egret audit show",
        "Calls that used the token that this call handed out: 3",
        "customer_access_token",
        "denied",
        "unknown",
        "Try next:",
        keep,
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours without a terminal");

    // The commands that it suggests work, and find what was done.
    let config = directory.join("egret.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let ask = |question: &[&str]| {
        let output = egret(&[&["audit", "query", "-c", config], question].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let doubtful = ask(&["--effect", "money", "--outcome", "unknown"]);
    assert!(doubtful.contains("cybrid/bank.create_trade"), "{doubtful}");
    let denied = ask(&["--decision", "denied", "--format", "json"]);
    for reason in ["caller_missing", "caller_key_wrong", "scheme_not_allowed"] {
        assert!(denied.contains(reason), "{reason} is missing in:\n{denied}");
    }
    let refused = ask(&["--decision", "refused", "--format", "json"]);
    for reason in [
        "conflicting_length",
        "bare_lf",
        "obs_fold",
        "no_such_provider",
    ] {
        assert!(
            refused.contains(reason),
            "{reason} is missing in:\n{refused}"
        );
    }
    let banks = ask(&["--banks-only", "--limit", "0", "--format", "json"]);
    let told = shown.split(' ').next().expect("a number of calls");
    assert_eq!(told, banks.lines().count().to_string(), "a call is missing");
    let all = ask(&["--limit", "0", "--format", "json"]);
    for personal in [
        "example.invalid",
        "Quillfeather",
        "sim-bank-secret",
        "sim-password",
    ] {
        assert!(!all.contains(personal), "{personal} is on record");
    }

    // A directory that is in use is not touched.
    let again = egret(&["demo", "--seconds", "3", "--quiet", "--keep", keep]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("is not empty"));
}

#[test]
fn an_attack_is_told_within_seconds_and_is_one_incident() {
    let parent = tempfile::tempdir().expect("a directory");
    // The demo itself ends with an error if nobody was told within five seconds, if a notice is not
    // signed, or if there are two incidents. A machine that has stood still for seconds says nothing
    // about the gateway.
    let (directory, output) = (0..3)
        .map(|attempt| {
            let directory = parent.path().join(format!("attack-{attempt}"));
            let keep = directory.to_str().expect("a path in UTF-8");
            let output = egret(&[
                "demo",
                "--attack",
                "--seconds",
                "6",
                "--quiet",
                "--keep",
                keep,
            ]);
            (directory, output)
        })
        .find(|(_, output)| !text(&output.stderr).contains("the notice came after"))
        .expect("somebody is told within five seconds");
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{errors}\n{shown}");
    for part in [
        "made up and on record",
        "nobody is told of anything",
        "the storm is over: 109 calls, 0 of them refused",
        "incident.opened, high, signature holds",
        "One incident, told ",
        "$ egret alert show inc-",
        "$ egret detect explain inc-",
        "Calls behind it",
        "identity.oauth_token",
        "$ egret investigate caller payments",
        "egret lockdown caller payments",
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    for secret in ["egk_", "whsec_", "sim-bank-secret", "example.invalid"] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }

    // What was made up says so, and what came through the gateway does not.
    let config = directory.join("egret.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let ask = |question: &[&str]| {
        let output = egret(&[question, &["-c", config]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let all = ask(&[
        "audit",
        "query",
        "--banks-only",
        "--limit",
        "0",
        "--format",
        "json",
    ]);
    let (made_up, real): (Vec<_>, Vec<_>) =
        all.lines().partition(|line| line.contains("made_up_by"));
    assert!(made_up.len() > 2_000, "{}", made_up.len());
    assert_eq!(real.len(), 12 * 4 + 1 + 109);
    // The evidence holds, and a replay of the ledger tells the same.
    ask(&["audit", "verify"]);
    let told = ask(&["detect", "replay"]);
    let opened = told
        .lines()
        .find(|line| line.contains("\"severity\":\"high\""));
    let opened = opened.unwrap_or_else(|| panic!("nothing was told again:\n{told}"));
    let opened: serde_json::Value = serde_json::from_str(opened).expect("an alert");
    let sentence = opened["text"].as_str().expect("a text");
    assert!(
        shown.contains(sentence),
        "{sentence} is missing in:\n{shown}"
    );
}
