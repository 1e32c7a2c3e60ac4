//! Records of calls: search, pages, one call, its proof, those to come, files.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::{BANKS, Someone, call, gateway, on_record};
use crate::harness::{Client, PATIENCE, until};

fn ids(page: &Value) -> Vec<String> {
    let calls = page["calls"].as_array().unwrap();
    let id = |call: &Value| call["call_id"].as_str().unwrap().to_owned();
    calls.iter().map(id).collect()
}

#[test]
fn pages_go_forth_and_back_while_calls_come() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    call(&gateway, 25);
    until("they are in the ledger", || {
        ann.json("/calls?provider=cybrid&total=true")["total"]["calls"] == 25
    });
    let (mut seen, mut page) = (Vec::new(), ann.json("/calls?provider=cybrid&limit=10"));
    assert_eq!(page["prev"], Value::Null);
    let first = ids(&page);
    loop {
        seen.extend(ids(&page));
        // What comes meanwhile moves nothing.
        call(&gateway, 1);
        let Some(next) = page["next"].as_str() else {
            break;
        };
        page = ann.json(&format!("/calls?provider=cybrid&limit=10&after={next}"));
    }
    assert_eq!(seen.len(), 25);
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    sorted.reverse();
    assert_eq!(sorted, seen);
    // Back from the last page to the first.
    let prev = page["prev"].as_str().unwrap();
    let page = ann.json(&format!("/calls?provider=cybrid&limit=10&before={prev}"));
    assert_eq!(ids(&page), seen[10..20]);
    let prev = page["prev"].as_str().unwrap();
    let page = ann.json(&format!("/calls?provider=cybrid&limit=10&before={prev}"));
    assert_eq!(ids(&page), first);
    let oldest = ann.json("/calls?provider=cybrid&limit=5&order=oldest");
    let mut end = seen[20..].to_vec();
    end.reverse();
    assert_eq!(ids(&oldest), end);
}

#[test]
fn one_call_with_its_steps_and_its_proof() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    let answer = gateway.get(BANKS, &[]);
    let id = answer.call_id().to_owned();
    gateway.row_of(&answer);
    until("it is sealed", || {
        ann.json(&format!("/calls/{id}"))["proof"]["status"] == "sealed"
    });
    let detail = ann.json(&format!("/calls/{id}"));
    assert_eq!(detail["call"]["call_id"], id.as_str());
    let steps = detail["timeline"].as_array().unwrap();
    assert_eq!(steps[0]["what"], "received");
    assert_eq!(steps.last().unwrap()["what"], "completed");
    assert!(detail["proof"]["records"].as_array().unwrap().len() >= 2);
    let proof = ann.get(&format!("/calls/{id}/proof"));
    assert_eq!(proof.status, 200);
    let disposition = proof.header("Content-Disposition").unwrap();
    assert!(disposition.contains(&format!("{id}.tlog-proof")));
    let key = gateway.egret(&["audit", "key"]).ok();
    let file = gateway.directory().join("call.tlog-proof");
    std::fs::write(&file, &proof.body).unwrap();
    let file = file.to_string_lossy().into_owned();
    let said = gateway
        .egret(&["audit", "verify-proof", &file, "--key", key.trim()])
        .ok();
    assert!(said.contains("the proof holds"), "{said}");
    let unknown = "019a2b3c-4d5e-7f60-8123-456789abcdef";
    assert_eq!(ann.get(&format!("/calls/{unknown}")).status, 404);
    assert_eq!(ann.get(&format!("/calls/{unknown}/proof")).status, 404);
    assert_eq!(ann.get("/calls/xyz").status, 400);
}

#[test]
fn words_are_understood_and_people_stay_unnamed() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    let guid = "3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11";
    gateway.get(&format!("/cybrid/bank/api/customers/{guid}"), &[]);
    call(&gateway, 2);
    until("they are in the ledger", || {
        ids(&ann.json("/calls?provider=cybrid")).len() == 3
    });
    let answer = ann.get(&format!("/calls?q={guid}"));
    assert!(
        !answer.text().contains(guid),
        "the raw identifier came back"
    );
    let found = answer.json();
    assert_eq!(ids(&found).len(), 1, "{found:#}");
    assert_eq!(found["understood"][0]["name"], "pseudonym");
    assert_eq!(found["understood"][0]["word"], Value::Null);
    let pseudonym = found["understood"][0]["value"].as_str().unwrap();
    assert_eq!(
        ids(&ann.json(&format!("/calls?pseudonym={pseudonym}"))).len(),
        1
    );
    let terms = ann.post(
        "/calls/terms",
        &format!("{{\"q\":\"cybrid app 4xx {guid}\"}}"),
    );
    let names: Vec<_> = terms.json()["understood"]
        .as_array()
        .unwrap()
        .iter()
        .map(|term| term["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["provider", "caller", "status", "pseudonym"]);
    assert_eq!(ids(&ann.json("/calls?q=cybrid+app+4xx")).len(), 3);
    let page = ann.get(&format!("/lineage/customer/{pseudonym}?format=html"));
    assert_eq!(page.status, 200);
    assert!(
        page.header("Content-Type")
            .unwrap()
            .starts_with("text/html")
    );
    // Who looked is on record, and finds those who look for who looked.
    let looked = ["--operation", "audit.query", "--customer", guid];
    until("those who looked are found", || {
        on_record(&gateway, &looked).len() >= 2
    });
    assert!(!gateway.stderr().contains(guid));
}

#[test]
fn calls_come_as_they_are_recorded() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "operator");
    call(&gateway, 1);
    until("it is in the ledger", || {
        ids(&ann.json("/calls?provider=cybrid")).len() == 1
    });
    let listen = |last: Option<&str>| {
        let mut stream = TcpStream::connect(gateway.admin()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let last = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        let request = format!(
            "GET /api/v1/tail?provider=cybrid HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{last}\r\n",
            gateway.admin(),
            ann.key
        );
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::new(stream)
    };
    let next = |reader: &mut BufReader<TcpStream>, start: &str| loop {
        let mut line = String::new();
        assert!(
            reader.read_line(&mut line).unwrap() > 0,
            "the tail has ended"
        );
        if let Some(rest) = line.strip_prefix(start) {
            break rest.trim().to_owned();
        }
    };
    let mut tail = listen(None);
    assert!(next(&mut tail, "content-type: ").starts_with("text/event-stream"));
    next(&mut tail, "retry: ");
    let answer = gateway.get(BANKS, &[]);
    let seq = next(&mut tail, "id: ");
    let row: Value = serde_json::from_str(&next(&mut tail, "data: ")).unwrap();
    assert_eq!(row["call_id"], answer.call_id());
    drop(tail);
    // A browser that comes back gets what it has missed.
    let missed = gateway.get(BANKS, &[]);
    let mut tail = listen(Some(&seq));
    let row: Value = serde_json::from_str(&next(&mut tail, "data: ")).unwrap();
    assert_eq!(row["call_id"], missed.call_id());
}

#[test]
fn files_reports_and_packs() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    call(&gateway, 3);
    until("they are in the ledger", || {
        ids(&ann.json("/calls?provider=cybrid")).len() == 3
    });
    let lines = ann.get("/calls/export?provider=cybrid");
    assert_eq!(lines.status, 200);
    assert_eq!(lines.text().lines().count(), 3);
    for line in lines.text().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["provider"], "cybrid");
    }
    let csv = ann.get("/calls/export?provider=cybrid&format=csv&limit=2");
    assert!(csv.text().starts_with("seq,call_id,"));
    assert_eq!(csv.text().lines().count(), 3);
    let report = ann.json("/reports/failed-auth?from=1h");
    assert_eq!(report["made_by"], "ann");
    assert_eq!(ann.get("/reports/failed-auth").json()["parameter"], "from");
    let page = ann.get("/reports/failed-auth?from=1h&format=html");
    assert!(page.text().contains("<html"));
    let page_policy = page.header("Content-Security-Policy").unwrap();
    assert!(page_policy.contains("sandbox"));
    let id = ids(&ann.json("/calls?provider=cybrid"))[0].clone();
    until("it is sealed", || {
        ann.json(&format!("/calls/{id}"))["proof"]["status"] == "sealed"
    });
    let pack = ann.get(&format!(
        "/evidence/pack?report=failed-auth&from=1h&call={id}"
    ));
    assert_eq!(pack.status, 200, "{}", String::from_utf8_lossy(&pack.body));
    let mut archive = tar_names(&pack.body);
    archive.sort();
    assert_eq!(
        archive,
        [
            "evidence/README.txt".to_owned(),
            "evidence/checkpoint.txt".to_owned(),
            "evidence/keys.txt".to_owned(),
            format!("evidence/proofs/{id}.tlog-proof"),
            "evidence/report.html".to_owned(),
            "evidence/report.json".to_owned(),
        ]
    );
    let verified = ann.post("/evidence/verify", "{}");
    assert_eq!(verified.json()["sound"], true, "{}", verified.text());
    let evidence = ann.json("/evidence");
    assert_eq!(evidence["enabled"], true);
    assert!(!evidence["keys"].as_array().unwrap().is_empty());
    let mints = ann.json("/tokens?from=1h&step=5m");
    assert_eq!(mints["step_s"], 300);
    // Each of these is on record.
    for operation in [
        "audit.export",
        "audit.report",
        "audit.verify",
        "audit.prove",
        "audit.stats",
    ] {
        until(operation, || {
            !on_record(&gateway, &["--operation", operation, "--caller", "ann"]).is_empty()
        });
    }
}

/// Names of the files in an archive: each header is a block of 512 bytes.
fn tar_names(bytes: &[u8]) -> Vec<String> {
    let (mut at, mut names) = (0, Vec::new());
    while at + 512 <= bytes.len() && bytes[at] != 0 {
        let text = |from: usize, to: usize| {
            let field = &bytes[at + from..at + to];
            let end = field
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(field.len());
            String::from_utf8(field[..end].to_vec()).unwrap()
        };
        names.push(text(0, 100));
        let size = usize::from_str_radix(text(124, 136).trim(), 8).unwrap();
        at += 512 + size.div_ceil(512) * 512;
    }
    names
}

#[test]
fn what_one_has_looked_at_is_on_record() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    for _ in 0..5 {
        ann.json("/now?history=true");
    }
    ann.json("/config");
    let denied = ann.post("/lockdown", "{\"target\":\"all\",\"reason\":\"drill\"}");
    assert_eq!(denied.status, 403);
    let secret = Client::tcp(gateway.admin()).call("GET", "/api/v1/calls", &[], b"");
    assert_eq!(secret.status, 401);
    until("they are on record", || {
        let has =
            |operation| on_record(&gateway, &["--operation", operation, "--caller", "ann"]).len();
        has("admin.setup") == 1 && has("admin.denied") == 1
    });
    let (_, config) = gateway.stop();
    let asked = [
        "audit",
        "query",
        "--format",
        "json",
        "--operation",
        "admin.watch",
    ];
    let rows = config.egret(&asked).ok();
    assert_eq!(rows.lines().count(), 1, "{rows}");
    let row: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(row["caller"], "ann");
    assert!(
        row["facts"]["requests"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 6,
        "{row:#}"
    );
}
