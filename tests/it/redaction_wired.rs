//! Redaction where the gateway uses it: the command, the rules of the configuration, the log, error
//! bodies, captures.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Bank, Config, Gateway, H2, egret, eventually};

/// A token, a card number (a test number of the brand) and a name: none may be seen anywhere.
const TOKEN: &str = "Zq7fake9token8canary7x";
const CARD: &str = "4111111111111111";
const EMAIL: &str = "ada.canary@example.com";

const CUSTOMERS: &str = "/cybrid/bank/api/customers";
const CAPTURE: &str = "[[capture]]\nprovider = \"cybrid\"\nbodies = \"excerpt\"\n";

/// Nothing of what was planted, nor six characters in a row of it.
fn assert_clean(place: &str, text: &str) {
    for secret in [TOKEN, CARD, EMAIL] {
        for at in 0..secret.len() - 5 {
            let part = &secret[at..at + 6];
            // `ample.` and the like stand in other words.
            if part.contains("example") || "@example.com".contains(part) {
                continue;
            }
            assert!(!text.contains(part), "{place} shows {part:?}: {text}");
        }
    }
}

fn redact(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_egret"))
        .arg("redact")
        .args(arguments)
        .env_remove("EGRET_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_filters_lines_json_lines_and_known_operations() {
    let out = redact(
        &[],
        &format!("login of {EMAIL} password=hunter2x status=200\n"),
    );
    assert!(
        out.contains("status=200") && !out.contains("hunter2x"),
        "{out}"
    );
    assert_clean("text", &out);

    let line = format!("{{\"id\":1,\"surface\":\"query\",\"input\":\"api_key={TOKEN}&page=2\"}}\n");
    let out: Value = serde_json::from_str(&redact(&["--jsonl"], &line)).unwrap();
    assert_eq!(out["id"], 1);
    assert!(
        out["output"].as_str().unwrap().ends_with("&page=2"),
        "{out}"
    );
    assert_clean("jsonl", &out.to_string());

    let arguments = [
        "--surface",
        "json",
        "--provider",
        "cybrid",
        "--operation",
        "create_trade",
        "--explain",
    ];
    let out = redact(&arguments, "{\"side\":\"buy\",\"labels\":[\"for Ada\"]}\n");
    assert!(
        out.contains("\"side\":\"buy\"") && out.contains("# byte"),
        "{out}"
    );
    assert!(!out.contains("Ada"), "{out}");
}

#[test]
fn rules_of_the_configuration_are_tried_by_check_and_used() {
    let rule = |example: &str| {
        format!(
            "[[redaction.rule]]\nname = \"member_id\"\npattern = 'MB-\\d{{6}}'\n\
             must_match = [\"see {example} now\"]\nmust_not_match = [\"MB-12\"]\n"
        )
    };
    let good = Config::new()
        .cybrid("http://127.0.0.1:1")
        .section(&rule("MB-123456"));
    let said = good.egret(&["check", "-c", "egret.toml"]).ok();
    assert!(
        said.contains("redacts member_id (2 examples hold)"),
        "{said}"
    );

    let bad = Config::new()
        .cybrid("http://127.0.0.1:1")
        .section(&rule("MB-1"));
    let ran = bad.egret(&["check", "-c", "egret.toml"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let text = std::fs::read_to_string(bad.path()).unwrap();
    let line = 1 + text
        .lines()
        .position(|line| line.starts_with("must_match"))
        .unwrap();
    assert!(said.contains(&format!("egret.toml:{line}")), "{said}");
    assert!(said.contains("member_id"), "{said}");
    ran.failed();

    let config = good.path();
    let out = redact(
        &["-c", config.to_str().unwrap()],
        "it was MB-123456 again\n",
    );
    assert_eq!(out, "it was [redacted:member_id] again\n");
}

/// A bank that answers with an error that quotes what it was sent.
fn strict_bank() -> Bank {
    Bank::start(|line| {
        while let Some(request) = line.request() {
            let code = if request.line().contains("unknown") {
                format!("not listed {TOKEN}")
            } else {
                "invalid_parameter".to_owned()
            };
            let body = format!(
                "{{\"status\":422,\"error_message\":\"{EMAIL} and {CARD} are wrong\",\
                 \"message_code\":\"{code}\"}}"
            );
            line.send(format!(
                "HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: application/json\r\n\
                 ETag: \"{TOKEN}\"\r\nRetry-After: 3\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    })
}

#[test]
fn error_bodies_are_passed_unless_they_are_to_be_mapped() {
    let bank = strict_bank();
    let gateway = Config::new().cybrid(&bank.url()).start();
    let answer = gateway.get(CUSTOMERS, &[]);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains(CARD), "the body is the bank's");
}

#[test]
fn a_mapped_error_has_the_banks_status_and_code_and_nothing_else_of_it() {
    let bank = strict_bank();
    let config = Config::new().cybrid_with("error_bodies = \"map\"", &bank.url());
    let gateway = config.start();
    for (target, code) in [
        (CUSTOMERS, "invalid_parameter"),
        ("/cybrid/bank/api/unknown", "unlisted"),
    ] {
        let answer = gateway.get(target, &[]);
        assert_eq!(answer.status, 422);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.header("retry-after"), Some("3"));
        assert_eq!(answer.header("etag"), None);
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:egret:problem:upstream_error");
        assert_eq!(problem["upstream_status"], 422);
        assert_eq!(problem["upstream_code"], code);
        assert_eq!(problem["request_id"], answer.call_id());
        assert_clean("the answer", answer.text());
        gateway
            .row_of(&answer)
            .expect(&[("error_code", code), ("outcome", "failure")]);
    }
    // A connection that is kept, HEAD, and a caller that speaks HTTP/2.
    let head = gateway.call("HEAD", CUSTOMERS, &[], b"");
    assert_eq!((head.status, head.text()), (422, ""));
    let answer = H2::plain(gateway.address()).call("GET", CUSTOMERS, &[], b"");
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["upstream_code"], "invalid_parameter");
    // Successes and the gateway's own problems are as ever.
    assert_eq!(gateway.get("/nowhere", &[]).problem(), "no_such_provider");
}

#[test]
fn error_bodies_of_any_framing_and_size_are_mapped() {
    let bank = Bank::start(|line| {
        let Some(request) = line.request() else {
            return;
        };
        let page = format!("<html>{EMAIL} {}</html>", "x".repeat(300_000));
        if request.line().contains("chunked") {
            line.send("HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in page.as_bytes().chunks(10_000) {
                line.send(format!("{:x}\r\n", piece.len()));
                line.send(piece);
                line.send("\r\n");
            }
            line.send("0\r\n\r\n");
        } else if request.line().contains("empty") {
            line.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        } else {
            line.send(format!(
                "HTTP/1.0 502 Oops\r\nContent-Type: text/html\r\n\r\n{page}"
            ));
        }
    });
    let gateway = Config::new()
        .cybrid_with("error_bodies = \"map\"", &bank.url())
        .start();
    for (path, status) in [("chunked", 500), ("closed", 502)] {
        let answer = gateway.get(&format!("/cybrid/bank/api/{path}"), &[]);
        assert_eq!(answer.status, status, "{path}");
        let problem = answer.json();
        assert_eq!(problem["upstream_status"], status);
        assert!(problem["upstream_code"].is_null(), "{problem}");
        assert_clean(path, answer.text());
    }
    let answer = gateway.get("/cybrid/bank/api/empty", &[]);
    assert_eq!((answer.status, answer.text()), (503, ""));
}

/// Files of captures.
fn captures(gateway: &Gateway) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(gateway.directory().join("data/captures")) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "capture"))
        .collect()
}

/// A bank that answers with personal data.
fn generous_bank() -> Bank {
    Bank::start(|line| {
        while line.request().is_some() {
            let body = format!(
                "{{\"guid\":\"0f8fad5bd9cb469fa16570867728950e\",\"email\":\"{EMAIL}\",\
                 \"note\":\"{TOKEN}\",\"card\":{CARD}}}"
            );
            line.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: sid={TOKEN}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    })
}

fn call_with_secrets(gateway: &Gateway) -> String {
    let bearer = format!("Bearer {TOKEN}");
    let body =
        format!("{{\"email_address\":\"{EMAIL}\",\"type\":\"individual\",\"x\":\"{CARD}\"}}");
    let answer = gateway.post(
        &format!("{CUSTOMERS}?api_key={TOKEN}&page=2"),
        &[
            ("Authorization", bearer.as_str()),
            ("X-Note", TOKEN),
            ("Content-Type", "application/json"),
        ],
        &body,
    );
    assert_eq!(answer.status, 200);
    answer.call_id().to_owned()
}

#[test]
fn a_capture_is_redacted_encrypted_and_read_on_record() {
    let bank = generous_bank();
    let gateway = Config::new().cybrid(&bank.url()).section(CAPTURE).start();
    let call_id = call_with_secrets(&gateway);
    let files = eventually("the call is captured", || {
        Some(captures(&gateway)).filter(|files| !files.is_empty())
    });
    let raw = std::fs::read(&files[0]).unwrap();
    assert_clean("the file", &String::from_utf8_lossy(&raw));
    assert!(!String::from_utf8_lossy(&raw).contains("customers"));

    let shown = gateway
        .egret(&[
            "capture",
            "show",
            &call_id,
            "-c",
            "egret.toml",
            "--format",
            "json",
        ])
        .ok();
    assert_clean("the capture", &shown);
    let document: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(document["operation"], "bank.create_customer");
    let head = document["request"]["head"].as_str().unwrap();
    assert!(
        head.starts_with("POST ") && head.contains("page=2"),
        "{head}"
    );
    assert!(
        head.contains("uthorization: Bearer [redacted:bearer]")
            || head.contains("uthorization: [redacted"),
        "{head}"
    );
    assert_eq!(document["request"]["body"]["state"], "whole");
    let body = document["response"]["body"]["text"].as_str().unwrap();
    let _: Value = serde_json::from_str(body).expect("JSON stays JSON");
    assert!(body.contains("[redacted:card]"), "{body}");

    let text = gateway
        .egret(&["capture", "show", &call_id, "-c", "egret.toml"])
        .ok();
    assert!(
        text.contains("Request\nPOST") && text.contains("Answer\nHTTP/1.1 200"),
        "{text}"
    );
    let list = gateway.egret(&["capture", "list", "-c", "egret.toml"]).ok();
    assert!(list.contains(&call_id), "{list}");

    let readings = gateway.rows(2, &["--provider", "egret", "--operation", "capture.read"]);
    readings[0].expect(&[
        ("outcome", "success"),
        ("caller_via", "user"),
        ("effect", "read"),
    ]);
    assert!(!readings[0].text("caller").is_empty());
    assert_eq!(
        gateway
            .rows(1, &["--provider", "egret", "--operation", "capture.list"])
            .len(),
        1
    );
    assert_clean("the log", &gateway.stderr());
}

#[test]
fn captures_need_their_key_and_all_their_bytes() {
    let bank = generous_bank();
    let gateway = Config::new().cybrid(&bank.url()).section(CAPTURE).start();
    let call_id = call_with_secrets(&gateway);
    let files = eventually("the call is captured", || {
        Some(captures(&gateway)).filter(|files| !files.is_empty())
    });
    let (_, config) = gateway.stop();
    let show = || config.egret(&["capture", "show", &call_id, "-c", "egret.toml"]);

    let key_file = config.directory().join("data/capture.key");
    let key = std::fs::read_to_string(&key_file).unwrap();
    std::fs::write(&key_file, "07".repeat(32)).unwrap();
    let said = show().failed();
    assert!(said.contains("was made with the key"), "{said}");
    std::fs::write(&key_file, key).unwrap();
    show().ok();

    let raw = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], &raw[..raw.len() - 1]).unwrap();
    let said = show().failed();
    assert!(said.contains("truncated or damaged"), "{said}");
}

#[test]
fn captures_go_when_their_time_is_over_and_none_is_made_by_default() {
    let bank = generous_bank();
    let plain = Config::new().cybrid(&bank.url()).start();
    call_with_secrets(&plain);
    plain.rows(1, &[]);
    assert!(!plain.directory().join("data/captures").exists());
    assert!(!plain.directory().join("data/capture.key").exists());

    let short = format!("{CAPTURE}retention = \"10s\"\noperations = [\"bank.create_customer\"]\n");
    let gateway = Config::new().cybrid(&bank.url()).section(&short).start();
    gateway.get("/cybrid/bank/api/trades", &[]);
    let call_id = call_with_secrets(&gateway);
    eventually("the call is captured", || {
        (!captures(&gateway).is_empty()).then_some(())
    });
    assert_eq!(
        captures(&gateway).len(),
        1,
        "only the operation that was named"
    );
    eventually("the capture is gone", || {
        captures(&gateway).is_empty().then_some(())
    });
    let said = gateway
        .egret(&["capture", "show", &call_id, "-c", "egret.toml"])
        .failed();
    assert!(said.contains("its time is over"), "{said}");
}

#[test]
fn a_rule_for_what_does_not_exist_is_a_fault() {
    let rule = "[[capture]]\nprovider = \"cybrid\"\noperations = [\"bank.create_trad\"]\n";
    let config = Config::new().cybrid("http://127.0.0.1:1").section(rule);
    let ran = config.egret(&["check", "-c", "egret.toml"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("did you mean \"bank.create_trade\""),
        "{said}"
    );
    ran.failed();
}

#[test]
fn the_log_says_what_happens_and_nothing_of_the_calls() {
    let bank = generous_bank();
    let gateway = Config::new().cybrid(&bank.url()).log("trace").start();
    call_with_secrets(&gateway);
    gateway.rows(1, &[]);
    let ready = gateway.log("the gateway is ready").unwrap();
    assert!(
        ready["ledger"].as_str().unwrap().ends_with("ledger.db"),
        "{ready}"
    );
    assert_clean("the log", &gateway.stderr());
    assert!(egret(&["redact", "--help"]).ok().contains("--jsonl"));
}

#[test]
fn the_doctor_looks_around_and_plants_secrets_of_its_own() {
    let bank = generous_bank();
    let config = Config::new().cybrid(&bank.url());
    config.write();
    let ran = config.egret(&["doctor", "-c", "egret.toml"]);
    let said = ran.stdout.clone();
    assert!(
        said.contains("none is in journal, ledger, log or captures"),
        "{said}"
    );
    assert!(said.contains("ok       configuration"), "{said}");
    ran.ok();

    let key = config.file("data.key", "x");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let open = config.section("[keys]\nfingerprint_file = \"data.key\"");
    let ran = open.egret(&["doctor", "-c", "egret.toml", "--no-self-test", "--offline"]);
    assert!(
        ran.stdout.contains("FAILED   fingerprint key"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("chmod 600"), "{}", ran.stdout);
    ran.failed();
}
