//! Calls are found by whom they concern through tables of their own. What is done to those tables
//! hides a call from the question who has touched a customer, and is found like any other tampering.

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::postgres::{Server, execute};
use crate::harness::{Config, Gateway, Sim, tamper};

const CUSTOMER: &str = "5e1f0c3a9b7d42e68f10a2b3c4d5e6f7";

fn config(sim: &Sim) -> Config {
    Config::new()
        .cybrid(&sim.url())
        .section("[evidence]\ninterval = \"20ms\"")
}

/// A gateway with a call that names a customer, by a token that names a bank.
fn touched(config: Config) -> (Gateway, String) {
    let gateway = config.start();
    let body = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                \"client_secret\":\"sim-bank-secret\"}";
    let minted = gateway.post("/cybrid/identity/oauth/token", &[], body);
    let bearer = format!("Bearer {}", minted.json()["access_token"].as_str().unwrap());
    let headers = [("Authorization", &*bearer)];
    let path = format!("/cybrid/bank/api/customers/{CUSTOMER}");
    let answer = gateway.get(&path, &headers);
    let id = answer.call_id().to_owned();
    gateway.rows(2, &[]);
    (gateway, id)
}

fn verify(config: &Config) -> Value {
    let ran = config.egret(&["audit", "verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("no report: {}{}", ran.stdout, ran.stderr));
    assert_eq!(report["sound"], ran.status.success(), "{report:#}");
    report
}

/// What is done, what is found, and whether it leads to the call. Every statement is taken back by
/// the next one.
fn tampering(
    prefix: &str,
    blob: impl Fn(&str) -> String,
    id: &str,
) -> Vec<(String, &'static str, bool)> {
    let (calls, tokens) = (
        format!("{prefix}call_subjects"),
        format!("{prefix}credential_subjects"),
    );
    let call = blob(&id.replace('-', ""));
    let (nobody, other) = (blob(&"cc".repeat(16)), blob(&"00".repeat(16)));
    let of_call = format!("(SELECT subject FROM {prefix}aside_calls)");
    let aside = format!(
        "CREATE TABLE {prefix}aside_calls AS SELECT * FROM {calls} WHERE call_id = {call}; \
         CREATE TABLE {prefix}aside_tokens AS SELECT * FROM {tokens};"
    );
    vec![
        (
            format!("{aside} DELETE FROM {calls} WHERE call_id = {call}"),
            "subject_removed",
            true,
        ),
        (
            format!("INSERT INTO {calls} SELECT {nobody}, call_id FROM {prefix}aside_calls"),
            "subject_removed",
            true,
        ),
        (
            format!("INSERT INTO {calls} SELECT * FROM {prefix}aside_calls"),
            "subject_inserted",
            true,
        ),
        (
            format!(
                "DELETE FROM {calls} WHERE subject = {nobody}; \
                 INSERT INTO {calls} SELECT subject, {other} FROM {prefix}aside_calls \
                 WHERE subject IN {of_call}"
            ),
            "subject_inserted",
            false,
        ),
        (
            format!("DELETE FROM {calls} WHERE call_id = {other}; DELETE FROM {tokens}"),
            "subject_removed",
            true,
        ),
        (
            format!(
                "INSERT INTO {tokens} SELECT * FROM {prefix}aside_tokens; \
                 INSERT INTO {tokens} SELECT {nobody}, min(credential_id) FROM {prefix}aside_tokens"
            ),
            "subject_inserted",
            false,
        ),
    ]
}

fn check(config: &Config, id: &str, what: Vec<(String, &str, bool)>, run: impl Fn(&str)) {
    let report = verify(config);
    assert_eq!(report["sound"], true, "{report:#}");
    for (statements, kind, is_located) in what {
        run(&statements);
        let report = verify(config);
        let fault = &report["faults"][0];
        assert_eq!(fault["kind"], kind, "{statements}: {report:#}");
        if is_located {
            assert_eq!(fault["call_id"], id, "{statements}: {report:#}");
        }
    }
}

#[test]
fn tables_of_subjects_in_sqlite_say_what_the_calls_say() {
    let sim = Sim::start(Vendor::Cybrid);
    let (gateway, id) = touched(config(&sim));
    let (_, config) = gateway.stop();
    let what = tampering("", |hex| format!("x'{hex}'"), &id);
    check(&config, &id, what, |statements| tamper(&config, statements));
}

#[test]
fn tables_of_subjects_in_postgres_say_what_the_calls_say() {
    let Some(server) = Server::start() else {
        return;
    };
    execute(&server.url("postgres"), "CREATE DATABASE ledger");
    let url = server.url("ledger");
    let sim = Sim::start(Vendor::Cybrid);
    let section = format!("[ledger]\nurl = \"{url}\"");
    let (gateway, id) = touched(config(&sim).section(&section));
    let (_, config) = gateway.stop();
    // Triggers are no more than a text for whoever owns the database.
    let run = |statements: &str| {
        execute(
            &url,
            &format!("SET session_replication_role = replica; {statements}"),
        );
    };
    let what = tampering("egret.", |hex| format!("'\\x{hex}'::bytea"), &id);
    check(&config, &id, what, run);
}
