//! The command line on a real ledger.

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::{Config, Gateway, Row, Sim, egret};

const MINT: &str = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                    \"client_secret\":\"sim-bank-secret\"}";

/// A gateway after a mint, two reads with the token, an error and a call that leads nowhere.
fn used() -> (Gateway, Sim) {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let minted = gateway.post("/cybrid/identity/oauth/token", &[], MINT);
    let token = minted.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    gateway.get("/cybrid/bank/api/banks", &[("Authorization", &bearer)]);
    gateway.get("/cybrid/bank/api/trades", &[("Authorization", &bearer)]);
    gateway.get("/cybrid/bank/api/trades", &[]);
    gateway.get("/nowhere", &[]);
    gateway.rows(5, &[]);
    (gateway, sim)
}

#[test]
fn query_filters_and_pages() {
    let (gateway, _sim) = used();
    let rows = gateway.query(&[]);
    let operations: Vec<&str> = rows.iter().map(|row| row.text("operation")).collect();
    assert_eq!(
        operations,
        [
            "identity.oauth_token",
            "bank.list_banks",
            "bank.list_trades",
            "bank.list_trades",
            "unknown"
        ]
    );
    let fingerprint = rows[1].text("token_fingerprint").to_owned();
    let first = rows[0].text("call_id").to_owned();
    for (filters, count) in [
        (&["--provider", "cybrid"][..], 4),
        (&["--operation", "bank.list_trades"], 2),
        (&["--operation", "unknown"], 1),
        (&["--effect", "mint"], 1),
        (&["--token-type", "bank"], 2),
        (&["--fingerprint", &fingerprint], 2),
        (&["--minted", &fingerprint], 1),
        (&["--status", "2xx"], 3),
        (&["--status", "401"], 1),
        (&["--status", "4xx"], 2),
        (&["--outcome", "failure"], 2),
        (&["--decision", "refused"], 1),
        (&["--caller", "app"], 5),
        (&["--caller", "nobody"], 0),
        (&["--from", "15m"], 5),
        (&["--to", "2020-01-01"], 0),
        (&["--call-id", &first], 1),
        (
            &[
                "--provider",
                "cybrid",
                "--status",
                "2xx",
                "--token-type",
                "bank",
            ],
            2,
        ),
    ] {
        assert_eq!(gateway.query(filters).len(), count, "{filters:?}");
    }

    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec![
            "audit",
            "query",
            "--banks-only",
            "--format",
            "json",
            "--limit",
            "2",
        ];
        if let Some(after) = &after {
            arguments.extend(["--after", after]);
        }
        let page = gateway.egret(&arguments).ok();
        let Some(last) = page.lines().last() else {
            break;
        };
        let last = Row(serde_json::from_str(last).unwrap());
        after = Some(last.text("call_id").to_owned());
        seen.extend(page.lines().map(str::to_owned));
    }
    assert_eq!(seen.len(), 5);
    let table = gateway.egret(&["audit", "query", "--limit", "2"]).ok();
    assert!(
        table.contains("there are more: repeat with --after"),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "no colours without a terminal");
    assert_eq!(
        gateway
            .egret(&["audit", "query", "--caller", "nobody"])
            .ok(),
        "no calls match\n"
    );
    let error = gateway
        .egret(&["audit", "query", "--from", "1h", "--to", "2h"])
        .failed();
    assert!(error.contains("the period is empty"), "{error}");
    let error = gateway
        .egret(&["audit", "query", "--outcome", "great"])
        .failed();
    assert!(
        error.contains("success") && error.contains("unknown"),
        "{error}"
    );
}

#[test]
fn csv_and_json_have_the_same_fields() {
    let (gateway, _sim) = used();
    let text = gateway
        .egret(&[
            "audit",
            "query",
            "--banks-only",
            "--format",
            "csv",
            "--oldest-first",
        ])
        .ok();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let records: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let rows = gateway.query(&[]);
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        assert_eq!(header.len(), row.0.as_object().unwrap().len());
        for (name, cell) in header.iter().zip(record) {
            match row.field(name) {
                Value::Null => assert_eq!(cell, "", "{name}"),
                Value::String(text) => assert_eq!(cell, text, "{name}"),
                other => {
                    let cell: Value = serde_json::from_str(cell).unwrap();
                    assert_eq!(cell, *other, "{name}");
                }
            }
        }
    }
}

#[test]
fn show_tells_everything_about_a_call_and_its_token() {
    let (gateway, _sim) = used();
    let rows = gateway.query(&["--provider", "cybrid"]);
    let (mint, read) = (&rows[0], &rows[1]);
    let id = read.text("call_id");
    let text = gateway.egret(&["audit", "show", id]).ok();
    for part in [
        "bank.list_banks",
        id,
        read.text("token_fingerprint"),
        mint.text("call_id"),
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let json = gateway
        .egret(&["audit", "show", id, "--format", "json"])
        .ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains(mint.text("call_id")), "{json}");
    // The history of a token, from its mint.
    let text = gateway.egret(&["audit", "show", mint.text("call_id")]).ok();
    assert!(
        text.contains("bank.list_trades") || text.contains(id),
        "{text}"
    );
    let error = gateway.egret(&["audit", "show", "00000000"]).failed();
    assert!(error.contains("egret audit query"), "{error}");
    let error = gateway.egret(&["audit", "show", &id[..4]]).failed();
    assert!(error.contains("several calls"), "{error}");
    gateway.egret(&["audit", "show", "not an id"]).failed();
}

#[test]
fn tail_and_stats_sum_up() {
    let (gateway, _sim) = used();
    let tail = gateway
        .egret(&["audit", "tail", "--banks-only", "--limit", "3"])
        .ok();
    assert_eq!(tail.lines().count(), 3, "{tail}");
    // In the order of writing, which is about that of the calls.
    assert!(
        tail.contains("unknown") && tail.contains("bank.list_trades"),
        "{tail}"
    );
    let tail = gateway
        .egret(&["audit", "tail", "--format", "json", "--status", "401"])
        .ok();
    assert_eq!(tail.lines().count(), 1, "{tail}");
    let stats = gateway
        .egret(&["audit", "stats", "--banks-only", "--format", "json"])
        .ok();
    let stats: Value = serde_json::from_str(stats.lines().next().unwrap()).unwrap();
    assert_eq!(stats["calls"], 5, "{stats}");
    let table = gateway.egret(&["audit", "stats"]).ok();
    for word in ["bank.list_trades", "401", "app", "failure"] {
        assert!(table.contains(word), "{word} in\n{table}");
    }
    let csv = gateway.egret(&["audit", "stats", "--format", "csv"]).ok();
    assert!(csv.lines().count() > 5, "{csv}");
}

#[test]
fn tail_follows() {
    use std::io::{BufRead, BufReader};
    let (gateway, _sim) = used();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_egret"))
        .args([
            "audit",
            "tail",
            "--banks-only",
            "--follow",
            "--limit",
            "0",
            "--format",
            "json",
            "--config",
        ])
        .arg(gateway.directory().join("egret.toml"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The first line may only come from a call made after the start: make calls until one shows.
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || sender.send(lines.next().unwrap().unwrap()));
    let line = crate::harness::eventually("a line", || {
        gateway.get("/cybrid/bank/api/quotes", &[]);
        receiver
            .recv_timeout(std::time::Duration::from_millis(300))
            .ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let row = Row(serde_json::from_str(&line).unwrap());
    row.expect(&[("operation", "bank.list_quotes"), ("status", "401")]);
}

#[test]
fn check_says_what_would_be_served() {
    let config = Config::new().cybrid("http://127.0.0.1:1");
    let said = config.egret(&["check"]).ok();
    assert!(
        said.contains("good") && said.contains("serves cybrid with"),
        "{said}"
    );
    let config = config.section("[timeouts]\nrequest = \"soon\"");
    let ran = config.egret(&["check"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        ran.stdout.contains("request") || ran.stderr.contains("request"),
        "{ran:?}"
    );
}

#[test]
fn help_and_completions_need_no_configuration() {
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["audit", "query", "--help"],
        &["caller", "--help"],
    ] {
        let said = egret(command).ok();
        assert!(said.contains("Usage:") && said.contains("xample"), "{said}");
    }
    assert!(egret(&["--version"]).ok().starts_with("egret "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(egret(&["completions", shell]).ok().contains("audit"));
    }
    assert_eq!(egret(&["serv"]).status.code(), Some(2));
}

#[test]
fn the_simulators_run_as_commands() {
    use std::io::{BufRead, BufReader};
    for vendor in ["cybrid", "obp", "wyre"] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_egret"))
            .args(["sim", vendor, "--listen", "127.0.0.1:0"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix(&format!("simulating {vendor} on http://"))
            .unwrap();
        let answer = crate::harness::Client::tcp(address).call("GET", "/__sim/stats", &[], b"");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(answer.json()["requests"], 0);
    }
    let error = egret(&["sim", "cybrid", "--listen", "0.0.0.0:0"]).failed();
    assert!(error.contains("loopback only"), "{error}");
}
