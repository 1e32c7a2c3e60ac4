//! The document and the routes say the same: walked, and tried by a tool that is not ours.

use std::process::Command;

use serde_json::Value;

use super::{Someone, call, gateway};
use crate::clients::{python_with_clients, skip};
use crate::harness::{Client, until};

fn document(gateway: &crate::harness::Gateway) -> Value {
    let answer = Client::tcp(gateway.admin()).call("GET", "/api/v1/openapi.json", &[], b"");
    assert_eq!(answer.status, 200);
    answer.json()
}

/// A path with something in each place of it.
fn filled(path: &str) -> String {
    path.replace("{call_id}", "019a2b3c-4d5e-7f60-8123-456789abcdef")
        .replace(
            "/lockdown/{id}",
            "/lockdown/019a2b3c-4d5e-7f60-8123-456789abcdef",
        )
        .replace("{id}", "inc-20261122-0017")
        .replace("{fingerprint}", "5bd1e3c0a1f24c6d8e9f00112233aabb")
        .replace("{pseudonym}", "5bd1e3c0a1f24c6d8e9f00112233aabb")
        .replace("{number}", "1")
        .replace("/reports/{name}", "/reports/money")
        .replace("{name}", "somebody")
}

#[test]
fn every_route_asks_who_and_whether() {
    let (gateway, _sim) = gateway();
    let roles = ["viewer", "auditor", "operator"];
    let people = roles.map(|role| Someone::new(&gateway, role, role));
    let allowed: [&[&str]; 3] = [
        &["watch"],
        &["watch", "inspect", "calls", "export"],
        &["watch", "inspect", "calls", "act"],
    ];
    let document = document(&gateway);
    let mut walked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(permission) = operation["x-egret-permission"].as_str() else {
                assert!(operation["tags"][0] == "door", "{method} {path} is open");
                continue;
            };
            walked += 1;
            let (method, path) = (method.to_uppercase(), filled(path));
            let headers = [("Content-Type", "application/json")];
            let answer = Client::tcp(gateway.admin()).call(&method, &path, &headers, b"{}");
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(answer.header("WWW-Authenticate").is_some());
            for (someone, allowed) in people.iter().zip(allowed) {
                // Without a body: nothing is done, and whether they may is told all the same.
                let path = path.strip_prefix("/api/v1").unwrap();
                if path == "/tail" && allowed.contains(&permission) {
                    continue;
                }
                let answer = someone.call(&method, path, None);
                let is_denied = answer.status == 403;
                assert_eq!(
                    is_denied,
                    !allowed.contains(&permission),
                    "{method} {path}: {}",
                    answer.status
                );
                assert!(answer.status < 500, "{method} {path}: {}", answer.text());
            }
        }
    }
    assert!(walked >= 35, "{walked}");
}

#[test]
fn a_stranger_to_the_code_finds_no_fault() {
    let python = match python_with_clients() {
        Ok(python) => python,
        Err(why) => return skip(&why),
    };
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    let all = Someone::with(&gateway, "all", &["auditor", "operator"]);
    call(&gateway, 20);
    until("they are in the ledger", || {
        ann.json("/calls?provider=cybrid&total=true")["total"]["calls"] == 20
    });
    let url = format!("http://{}/api/v1/openapi.json", gateway.admin());
    let output = Command::new(python.with_file_name("schemathesis"))
        .args([
            "run",
            &url,
            "--header",
            &format!("Authorization: Bearer {}", all.key),
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "8",
        ])
        // A tail goes on for minutes; whether a period is empty or an id known no schema can say.
        .args(["--exclude-path", "/api/v1/tail"])
        .args(["--exclude-checks", "positive_data_acceptance,ignored_auth"])
        .args([
            "--request-timeout",
            "30",
            "--seed",
            "1",
            "--workers",
            "1",
            "--no-color",
        ])
        .current_dir(gateway.directory())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
}
