//! Who may call, and what those get who may not.

use crate::harness::{Answer, Bank, Config, Gateway, eventually, reply, until};

const BANKS: &str = "/cybrid/bank/api/banks";

fn start(callers: &str) -> (Gateway, Bank) {
    let bank = Bank::answering(reply(200, "{}"));
    (
        Config::new().callers(callers).cybrid(&bank.url()).start(),
        bank,
    )
}

fn add(gateway: &Gateway, arguments: &[&str]) -> String {
    let mut all = vec!["caller"];
    all.extend_from_slice(arguments);
    all.push("--key-only");
    gateway.egret(&all).ok().trim().to_owned()
}

fn with_key(gateway: &Gateway, key: &str) -> Answer {
    gateway.get(BANKS, &[("Proxy-Authorization", &format!("Bearer {key}"))])
}

/// Calls until the answer has this status: the callers file is looked at every second.
fn until_status(gateway: &Gateway, key: &str, status: u16) -> Answer {
    eventually("the callers file was read again", || {
        let answer = with_key(gateway, key);
        (answer.status == status).then_some(answer)
    })
}

fn basic(user: &str, key: &str) -> String {
    use base64::Engine as _;
    let text = format!("{user}:{key}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

#[test]
fn a_key_identifies_its_caller_in_three_forms() {
    let (gateway, bank) = start("");
    let key = add(&gateway, &["add", "payments"]);
    until_status(&gateway, &key, 200);
    let id = gateway.egret(&["caller", "list", "--format", "json"]).ok();
    let id: serde_json::Value = serde_json::from_str(&id).unwrap();
    let id = id[0]["key_id"].as_str().unwrap();
    for value in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        format!("Egret {key}"),
        basic("payments", &key),
        basic("", &key),
    ] {
        let answer = gateway.get(BANKS, &[("Proxy-Authorization", &value)]);
        assert_eq!(answer.status, 200);
        gateway.row_of(&answer).expect(&[
            ("caller", "payments"),
            ("caller_via", "key"),
            ("caller_key_id", id),
            ("token_type", "anonymous"),
        ]);
    }
    assert!(
        bank.received()
            .iter()
            .all(|seen| !seen.head.contains("egk_"))
    );
}

#[test]
fn who_is_not_identified_is_told_how() {
    let (gateway, bank) = start("");
    let answer = gateway.get(BANKS, &[("Authorization", "Bearer banks.own.token")]);
    assert_eq!(answer.status, 407);
    assert_eq!(answer.problem(), "caller_unidentified");
    let challenge = answer.header("Proxy-Authenticate").unwrap();
    assert!(challenge.contains("realm=\"egret\""), "{challenge}");
    gateway.row_of(&answer).expect(&[
        ("caller", ""),
        ("caller_via", "none"),
        ("decision", "denied"),
        ("reason", "caller_missing"),
        ("outcome", "failure"),
        ("status", "407"),
        ("operation", "unknown"),
        ("provider", ""),
    ]);
    assert!(
        gateway
            .row_of(&answer)
            .text("caller_address")
            .starts_with("127.0.0.1:")
    );
    assert_eq!(bank.connections(), 0);
}

#[test]
fn a_bad_key_is_refused_and_the_record_says_why() {
    let (gateway, bank) = start("local = \"app\"");
    let key = add(&gateway, &["add", "payments"]);
    until_status(&gateway, &key, 200);
    let before = bank.received().len();
    let last = if key.ends_with('A') { 'B' } else { 'A' };
    let wrong = format!("{}{last}", &key[..key.len() - 1]);
    for (value, reasons) in [
        (
            format!("Bearer {wrong}"),
            &["caller_key_wrong", "caller_key_malformed"][..],
        ),
        ("Bearer nonsense".to_owned(), &["caller_key_malformed"]),
        (
            "Bearer".to_owned(),
            &["caller_key_malformed", "caller_scheme_unknown"],
        ),
        ("Digest x".to_owned(), &["caller_scheme_unknown"]),
        (basic("somebody", &key), &["caller_user_mismatch"]),
        ("Basic !!!".to_owned(), &["caller_key_malformed"]),
    ] {
        // Not made good by the address, which would be enough alone.
        let answer = gateway.get(BANKS, &[("Proxy-Authorization", &value)]);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (403, "caller_refused"),
            "{value}"
        );
        let row = gateway.row_of(&answer);
        row.expect(&[("caller", ""), ("decision", "denied"), ("status", "403")]);
        assert!(reasons.contains(&row.text("reason")), "{value}: {row:?}");
    }
    let twice = format!("Bearer {key}");
    let headers = [
        ("Proxy-Authorization", &*twice),
        ("Proxy-Authorization", &*twice),
    ];
    let answer = gateway.get(BANKS, &headers);
    gateway
        .row_of(&answer)
        .expect(&[("reason", "caller_key_repeated"), ("status", "403")]);
    assert_eq!(bank.received().len(), before);
}

#[test]
fn a_revoked_key_ends_within_two_seconds() {
    let (gateway, _bank) = start("");
    let key = add(&gateway, &["add", "payments"]);
    until_status(&gateway, &key, 200);
    let listed = gateway.egret(&["caller", "list"]).ok();
    assert!(
        listed.contains("payments") && !listed.contains(&key),
        "{listed}"
    );
    let said = gateway.egret(&["caller", "revoke", "payments"]).ok();
    assert!(said.starts_with("Revoked of payments:"), "{said}");
    let revoked = std::time::Instant::now();
    let answer = until_status(&gateway, &key, 403);
    let took = revoked.elapsed();
    assert!(took < std::time::Duration::from_secs(4), "{took:?}");
    gateway
        .row_of(&answer)
        .expect(&[("reason", "caller_key_revoked"), ("caller", "")]);
}

#[test]
fn an_expired_key_is_refused() {
    let (gateway, _bank) = start("");
    let key = add(&gateway, &["add", "payments", "--expires", "1500ms"]);
    until_status(&gateway, &key, 200);
    let answer = until_status(&gateway, &key, 403);
    gateway
        .row_of(&answer)
        .expect(&[("reason", "caller_key_expired"), ("decision", "denied")]);
}

#[test]
fn after_a_rotation_both_keys_work_until_the_overlap_ends() {
    let (gateway, _bank) = start("");
    let old = add(&gateway, &["add", "payments"]);
    until_status(&gateway, &old, 200);
    let new = add(&gateway, &["rotate", "payments", "--overlap", "3s"]);
    let with_new = until_status(&gateway, &new, 200);
    let with_old = with_key(&gateway, &old);
    assert_eq!(with_old.status, 200);
    let (one, other) = (gateway.row_of(&with_new), gateway.row_of(&with_old));
    assert_eq!(one.text("caller"), other.text("caller"));
    assert_ne!(one.text("caller_key_id"), other.text("caller_key_id"));
    until_status(&gateway, &old, 403);
    assert_eq!(with_key(&gateway, &new).status, 200);
}

#[test]
fn a_broken_callers_file_is_reported_and_the_old_one_kept() {
    let (gateway, _bank) = start("");
    let key = add(&gateway, &["add", "payments"]);
    until_status(&gateway, &key, 200);
    let file = gateway.directory().join("data/callers.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    assert!(!good.contains(&key), "the file holds hashes only");
    std::fs::write(&file, "this is [not TOML").unwrap();
    until("the broken file is reported", || {
        gateway
            .stderr()
            .lines()
            .any(|line| line.contains("callers.toml"))
    });
    assert_eq!(with_key(&gateway, &key).status, 200);
}

#[test]
fn callers_are_managed_by_command() {
    let bank = Bank::answering(reply(200, "{}"));
    let config = Config::new().callers("").cybrid(&bank.url());
    let said = config.egret(&["caller", "list"]).ok();
    assert!(said.contains("No callers yet"), "{said}");
    let said = config
        .egret(&["caller", "add", "payments", "--expires", "90d"])
        .ok();
    assert!(
        said.contains("egk_") && said.contains("It is shown once"),
        "{said}"
    );
    let error = config.egret(&["caller", "add", "payments"]).failed();
    assert!(
        error.contains("payments") && error.contains("rotate"),
        "{error}"
    );
    let error = config.egret(&["caller", "add", "pay ments"]).failed();
    assert!(!error.is_empty());
    for command in ["rotate", "revoke"] {
        let error = config.egret(&["caller", command, "nobody"]).failed();
        assert!(error.contains("nobody"), "{error}");
    }
    config
        .egret(&["caller", "rotate", "payments", "--overlap", "1h"])
        .ok();
    let csv = config.egret(&["caller", "list", "--format", "csv"]).ok();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("caller,key_id,state,created_at,expires_at,revoked_at")
    );
    assert_eq!(
        lines.filter(|line| line.starts_with("payments,")).count(),
        2
    );
}

#[test]
fn beyond_loopback_nobody_starts_without_a_way_to_tell_who_calls() {
    let bank = Bank::answering(reply(200, "{}"));
    let config = Config::new()
        .listener("address = \"0.0.0.0:0\"\nplain = true")
        .cybrid(&bank.url());
    let error = match config.try_start() {
        Ok(_) => panic!("it started"),
        Err(ran) => ran.failed(),
    };
    assert!(
        error.contains("a listener beyond loopback needs a way to tell who calls"),
        "{error}"
    );
    assert!(error.contains("egret caller add NAME"), "{error}");

    let config = Config::new()
        .listener("address = \"0.0.0.0:0\"")
        .cybrid(&bank.url());
    let error = config.egret(&["serve"]).failed();
    assert!(error.contains("needs TLS"), "{error}");

    // The way out that the message names.
    let config = Config::new()
        .listener("address = \"0.0.0.0:0\"\nplain = true")
        .callers("")
        .cybrid(&bank.url());
    let key = config
        .egret(&["caller", "add", "payments", "--key-only"])
        .ok();
    let gateway = config.start();
    let port = gateway.address().rsplit(':').next().unwrap().to_owned();
    let mut client = crate::harness::Client::tcp(&format!("127.0.0.1:{port}"));
    let value = format!("Bearer {}", key.trim());
    assert_eq!(
        client
            .call("GET", BANKS, &[("Proxy-Authorization", &value)], b"")
            .status,
        200
    );
    assert_eq!(client.call("GET", BANKS, &[], b"").status, 407);
}
