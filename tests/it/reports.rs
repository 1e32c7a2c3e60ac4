//! Reports on what went through a gateway, in each of their forms.

use std::io::Write as _;
use std::process::{Command, Stdio};

use egret::sim::{Faults, Vendor};
use serde_json::Value;

use crate::harness::{Config, Gateway, Sim};

const MINT: &str = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                    \"client_secret\":\"sim-bank-secret\"}";
const TRADES: &str = "/cybrid/bank/api/trades";
const CUSTOMERS: &str = "/cybrid/bank/api/customers";
const REPORTS: [&str; 5] = [
    "pii-access",
    "token-use",
    "failed-auth",
    "access-changes",
    "money",
];

/// What went through.
struct Used {
    gateway: Gateway,
    _sim: Sim,
    /// Guid of the customer that was made and read.
    customer: String,
    /// Fingerprint of the token that was obtained and used.
    fingerprint: String,
    /// Call of which nobody knows whether it moved money.
    in_doubt: String,
    /// What the bank said to the change of access.
    change: u16,
}

/// One token; a customer made and read; a trade refused, one without a token, one in doubt; a
/// change of access; a call that the gateway denies.
fn used() -> Used {
    let sim = Sim::start(Vendor::Cybrid);
    let config = Config::new().cybrid_with("unknown_operations = \"deny\"", &sim.url());
    let gateway = config.start();
    let minted = gateway.post("/cybrid/identity/oauth/token", &[], MINT);
    let token = minted.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let auth = [("Authorization", bearer.as_str())];
    let made = gateway.post(CUSTOMERS, &auth, "{\"type\":\"individual\"}");
    assert_eq!(made.status, 201, "{}", made.text());
    let customer = made.json()["guid"].as_str().unwrap().to_owned();
    let read = gateway.get(&format!("{CUSTOMERS}/{customer}?include_pii=true"), &auth);
    assert_eq!(read.status, 200, "{}", read.text());
    let refused = gateway.post(TRADES, &auth, "{}");
    assert!((400..500).contains(&refused.status) && refused.status != 401);
    assert_eq!(gateway.post(TRADES, &[], "{}").status, 401);
    let change = gateway.call(
        "DELETE",
        "/cybrid/identity/api/bank_applications/x",
        &auth,
        b"",
    );
    assert!(change.status >= 400);
    let denied = gateway.post("/cybrid/bank/api/novelties", &auth, "{}");
    assert_eq!(
        (denied.status, denied.problem().as_str()),
        (403, "unknown_operation")
    );
    sim.set_faults(Faults {
        drop_rate: 1.0,
        ..Faults::default()
    });
    let doubt = gateway.post(TRADES, &auth, "{}");
    assert_eq!(doubt.problem(), "upstream_no_answer");
    let fingerprint = gateway.row_of(&read).text("token_fingerprint").to_owned();
    gateway.rows(8, &[]);
    Used {
        gateway,
        _sim: sim,
        customer,
        fingerprint,
        in_doubt: doubt.call_id().to_owned(),
        change: change.status,
    }
}

impl Used {
    fn json(&self, report: &str, more: &[&str]) -> Value {
        let mut arguments = vec![
            "audit", "report", report, "--from", "1h", "--format", "json",
        ];
        arguments.extend(more);
        serde_json::from_str(&self.gateway.egret(&arguments).ok()).unwrap()
    }
}

#[track_caller]
fn totals(report: &Value, wanted: &[(&str, u64)]) {
    for (key, value) in wanted {
        assert_eq!(
            report["totals"][key], *value,
            "{key} in {:#}",
            report["totals"]
        );
    }
}

/// The first row of a table that has this text in a column.
#[track_caller]
fn row<'a>(report: &'a Value, table: &str, column: &str, text: &str) -> &'a Value {
    let table = &report["tables"][table];
    let mut rows = table["rows"].as_array().unwrap().iter();
    rows.find(|row| row[column] == text)
        .unwrap_or_else(|| panic!("no {text} in {table:#}"))
}

#[test]
fn each_report_has_the_right_numbers() {
    let used = used();
    // What Egret's own commands have put on record are no calls.
    let everything = [
        "audit",
        "query",
        "--banks-only",
        "--limit",
        "0",
        "--format",
        "json",
    ];
    let all = used.gateway.egret(&everything).ok().lines().count();
    let report = used.json("pii-access", &[]);
    totals(
        &report,
        &[
            ("calls", 2),
            ("read", 1),
            ("sent", 1),
            ("identity_papers", 2),
            ("callers", 1),
            ("unidentified", 0),
            ("all_calls", all as u64),
            ("shed_unrecorded", 0),
        ],
    );
    assert_eq!(row(&report, "by_class", "pii", "date_of_birth")["calls"], 2);
    assert_eq!(
        row(&report, "by_class_and_caller", "pii", "email")["caller"],
        "app"
    );
    assert_eq!(report["tables"]["calls"]["all"], 2);
    let pseudonym = used.gateway.query(&["--customer", &used.customer]);
    assert_eq!(pseudonym.len(), 2);
    let shown = report.to_string();
    assert!(
        !shown.contains(&used.customer),
        "a raw identifier is in the report"
    );

    let report = used.json("money", &[]);
    totals(
        &report,
        &[("calls", 3), ("success", 0), ("failure", 2), ("unknown", 1)],
    );
    let calls = report["tables"]["calls"]["rows"].as_array().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["call_id"], used.in_doubt);
    assert_eq!(calls[0]["why"], "upstream_no_answer");

    let report = used.json("failed-auth", &[]);
    let of_change = |status| u64::from(used.change == status);
    totals(
        &report,
        &[
            ("denied", 1),
            ("bank_401", 1 + of_change(401)),
            ("bank_403", of_change(403)),
        ],
    );
    assert_eq!(
        row(&report, "by_cause", "cause", "unknown_operation")["by"],
        "gateway"
    );
    let listed = used.gateway.query(&["--auth-failed"]).len();
    assert_eq!(report["totals"]["calls"], listed);

    let report = used.json("access-changes", &[]);
    totals(&report, &[("calls", 1), ("failure", 1)]);
    let operation = "cybrid/identity.delete_bank_application";
    assert_eq!(
        row(&report, "calls", "operation", operation)["status"],
        used.change
    );

    let report = used.json("token-use", &["--banks-only"]);
    totals(
        &report,
        &[
            ("calls", 8),
            ("minted", 1),
            ("shared_tokens", 0),
            ("late_tokens", 0),
        ],
    );
    let token = row(
        &report,
        "busiest_tokens",
        "token_fingerprint",
        &used.fingerprint,
    );
    assert_eq!(
        (&token["calls"], &token["minted_here"]),
        (&6.into(), &"yes".into())
    );
    let uses = used.gateway.query(&["--fingerprint", &used.fingerprint]);
    assert_eq!(token["calls"], uses.len());
}

#[test]
fn conditions_narrow_a_report_and_people_appear_as_pseudonyms() {
    let used = used();
    let report = used.json("pii-access", &["--customer", &used.customer]);
    totals(&report, &[("calls", 2)]);
    assert_eq!(report["filters"][0]["name"], "pseudonym");
    assert!(!report.to_string().contains(&used.customer));
    totals(
        &used.json("pii-access", &["--caller", "nobody"]),
        &[("calls", 0)],
    );
    totals(&used.json("money", &["--failed"]), &[("calls", 3)]);
    totals(
        &used.json("money", &["--to", "30m"]),
        &[("calls", 0), ("all_calls", 0)],
    );
    for (arguments, expected) in [
        (&["money"][..], "--from"),
        (&["money", "--from", "1h", "--effect", "read"], "--effect"),
        (&["money", "--from", "1h", "--to", "2h"], "period is empty"),
        (&["gossip", "--from", "1h"], "pii-access"),
        (
            &["money", "--from", "1h", "-o", "none/there.html"],
            "none/there.html",
        ),
    ] {
        let mut all = vec!["audit", "report"];
        all.extend(arguments);
        let error = used.gateway.egret(&all).failed();
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn every_form_tells_the_same() {
    let used = used();
    for report in REPORTS {
        // Each of these is on record when the next one counts.
        let json = used.json(report, &["--banks-only"]);
        let calls = json["totals"]["calls"].as_u64().unwrap();
        let arguments = |format| {
            [
                "audit",
                "report",
                report,
                "--banks-only",
                "--from",
                "1h",
                "--format",
                format,
            ]
        };

        let table = used.gateway.egret(&arguments("table")).ok();
        let line = format!("{:<30} {calls:>14}", "Calls in this report");
        assert!(table.contains(&line), "{report}: {line}\n{table}");

        let text = used.gateway.egret(&arguments("csv")).ok();
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let records: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
        let total = records
            .iter()
            .find(|record| &record[0] == "calls" && &record[2] == "Calls in this report");
        assert_eq!(total.unwrap()[1], calls.to_string(), "{report}");

        let page = used.gateway.egret(&arguments("html")).ok();
        let numbers = well_formed(&page);
        assert_eq!(numbers["calls"], calls, "{report}");
        for table in json["tables"].as_object().unwrap().values() {
            let title = table["title"].as_str().unwrap();
            let rows = table["rows"].as_array().unwrap().len();
            assert_eq!(numbers["tables"][title], rows, "{report}: {title}");
        }
    }
    let file = used.gateway.directory().join("money.html");
    let name = file.to_str().unwrap();
    let said = used.gateway.egret(&[
        "audit", "report", "money", "--from", "1h", "--format", "html", "-o", name,
    ]);
    assert_eq!(said.ok(), "");
    well_formed(&std::fs::read_to_string(file).unwrap());
}

/// Reads a page with a parser that is not ours; gives its first total and its tables' rows.
fn well_formed(page: &str) -> Value {
    const READ: &str = r#"
import json, sys, xml.etree.ElementTree as xml
root = xml.fromstring(sys.stdin.read())
x = "{http://www.w3.org/1999/xhtml}"
for tag in ("script", "img", "link", "iframe", "object", "form"):
    assert not list(root.iter(x + tag)), tag
tables = {}
for part in root.iter(x + "section"):
    head = part.find(x + "h2")
    tables[head.text] = len(list(part.iter(x + "tr"))) - len(list(part.iter(x + "thead")))
first = root.find(".//" + x + "ul/" + x + "li/" + x + "b").text
print(json.dumps({"calls": int(first.replace(",", "")), "tables": tables}))
"#;
    let mut python = Command::new("python3")
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(page.as_bytes()).unwrap();
    drop(stdin);
    let done = python.wait_with_output().unwrap();
    assert!(done.status.success(), "not well-formed:\n{page}");
    serde_json::from_slice(&done.stdout).unwrap()
}
