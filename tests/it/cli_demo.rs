//! `egret demo` as a user runs it.
#![allow(clippy::expect_used)]

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
