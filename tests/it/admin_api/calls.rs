//! Records of calls: search, pages, one call, its proof, those to come, files.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::{BANKS, Ledger, Someone, call, on_record};
use crate::harness::{Client, PATIENCE, until};

over_both!(
    pages_go_forth_and_back_while_calls_come,
    one_call_with_its_steps_and_its_proof,
    words_are_understood_and_people_stay_unnamed,
    calls_come_as_they_are_recorded,
    files_reports_and_packs,
    what_one_has_looked_at_is_on_record,
    tokens_are_counted_and_followed,
    what_is_rare_is_searched_for_and_says_how_far,
);

const MINT: &str = "/cybrid/identity/oauth/token";
const CREDENTIALS: &str = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                           \"client_secret\":\"sim-bank-secret\"}";

fn ids(page: &Value) -> Vec<String> {
    let calls = page["calls"].as_array().unwrap();
    let id = |call: &Value| call["call_id"].as_str().unwrap().to_owned();
    calls.iter().map(id).collect()
}

fn pages_go_forth_and_back_while_calls_come(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
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

fn one_call_with_its_steps_and_its_proof(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
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

fn words_are_understood_and_people_stay_unnamed(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
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

fn calls_come_as_they_are_recorded(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
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

fn files_reports_and_packs(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
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

fn what_one_has_looked_at_is_on_record(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
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

fn tokens_are_counted_and_followed(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    let minted = gateway.post(MINT, &[("Content-Type", "application/json")], CREDENTIALS);
    assert_eq!(minted.status, 200, "{}", minted.text());
    let token = minted.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    for _ in 0..3 {
        let answer = gateway.get(BANKS, &[("Authorization", &bearer)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    until("they are in the ledger", || {
        ids(&ann.json("/calls?provider=cybrid&outcome=success")).len() == 4
    });
    let mints = ann.json("/tokens?from=1h&step=5m");
    let series = mints["series"].as_array().unwrap();
    assert_eq!(series.len(), 1, "{mints:#}");
    assert_eq!(series[0]["caller"], "app");
    let counts = series[0]["mints"].as_array().unwrap();
    assert_eq!(counts.len(), mints["at"].as_array().unwrap().len());
    let sum: u64 = counts.iter().filter_map(Value::as_u64).sum();
    assert_eq!(sum, 1);
    let others = ann.json("/tokens?from=1h&caller=nobody");
    assert_eq!(others["series"], Value::Array(Vec::new()));
    // From the call to the token that it handed out, and on to what was done with that.
    let detail = ann.json(&format!("/calls/{}", minted.call_id()));
    assert_eq!(detail["lineage"]["used_by_count"], 3);
    let fingerprint = detail["call"]["minted_fingerprint"].as_str().unwrap();
    let with_it = ann.json(&format!("/calls?fingerprint={fingerprint}&total=true"));
    assert_eq!(ids(&with_it).len(), 3);
    assert_eq!(with_it["total"]["calls"], 3);
    let detail = ann.json(&format!("/calls/{}", ids(&with_it)[0]));
    let by = &detail["lineage"]["minted_by"][0]["call_id"];
    assert_eq!(by, minted.call_id());
    for of in [format!("token/{fingerprint}"), "caller/app".to_owned()] {
        let lineage = ann.json(&format!("/lineage/{of}?from=1h&format=json"));
        assert!(
            lineage["totals"]["calls"].as_u64() >= Some(3),
            "{lineage:#}"
        );
        assert!(!lineage.to_string().contains(&token));
    }
}

fn what_is_rare_is_searched_for_and_says_how_far(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    call(&gateway, 5);
    until("they are in the ledger", || {
        ids(&ann.json("/calls?provider=cybrid&status=401")).len() == 5
    });
    for (conditions, count) in [
        ("status=401", 5),
        ("status=4xx&caller=app", 5),
        ("status=404", 0),
        // No index leads to a status of what went well.
        ("status=206", 0),
        ("error_code=nothing-like-it", 0),
    ] {
        let page = ann.json(&format!("/calls?banks_only=true&total=true&{conditions}"));
        assert_eq!(ids(&page).len(), count, "{conditions}");
        assert_eq!(page["total"]["calls"], count, "{conditions}");
        // Of few calls everything is searched within the time.
        assert_eq!(page["searched_to"], Value::Null, "{conditions}");
        assert_eq!(page["total"]["counted_to"], Value::Null, "{conditions}");
        assert_eq!(page["next"], Value::Null, "{conditions}");
    }
    // Beyond the last page there is a way back to it.
    let first = ids(&ann.json("/calls?provider=cybrid&order=oldest&limit=1"))[0].clone();
    let empty = ann.json(&format!("/calls?provider=cybrid&after={first}"));
    assert!(ids(&empty).is_empty());
    let prev = empty["prev"].as_str().unwrap();
    let back = ann.json(&format!("/calls?provider=cybrid&limit=1&before={prev}"));
    assert_eq!(ids(&back), [first]);
}
