//! A breaker as callers, auditors and operators see it.

use super::{BANKS, MINT, TRADES};
use crate::harness::{Bank, Config, Gateway, reply, until};

const BREAKER: &str = "[retries]\nattempts = 1\n[breaker]\nconsecutive = 3\npause = \"200ms\"\n\
                       max_pause = \"400ms\"\nprobes = 2\nmin_calls = 1000\n";

fn gateway(bank: &Bank) -> Gateway {
    Config::new().cybrid(&bank.url()).section(BREAKER).start()
}

fn figure(gateway: &Gateway, name: &str, group: &str) -> f64 {
    gateway.figure(&format!("{name}{{group=\"cybrid.sandbox.{group}\"}}"))
}

#[test]
fn a_group_that_fails_is_left_alone_and_the_others_are_not() {
    let bank = Bank::start(|line| {
        while let Some(request) = line.request() {
            let is_mint = request.line().contains("/oauth/token");
            line.send(reply(if is_mint { 200 } else { 500 }, "{}"));
        }
    });
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&BREAKER.replace("200ms", "1h").replace("400ms", "1h"))
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.get(BANKS, &[]).status, 500);
    }
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "breaker_open")
    );
    let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((3_000..=3_960).contains(&seconds), "{seconds}");
    assert_eq!(answer.json()["group"], "cybrid.sandbox.bank");
    gateway.row_of(&answer).expect(&[
        ("decision", "unavailable"),
        ("reason", "breaker_open"),
        ("outcome", "failure"),
        ("forwarded_at", ""),
        ("attempts", "0"),
        ("status", "503"),
    ]);
    assert_eq!(bank.received().len(), 3);
    // Minting is counted apart by the bank, and has a breaker of its own.
    assert_eq!(gateway.post(MINT, &[], "{}").status, 200);
    assert_eq!(figure(&gateway, "egret_breaker_open", "bank"), 1.0);
    assert_eq!(figure(&gateway, "egret_breaker_open", "oauth_token"), 0.0);
    assert_eq!(figure(&gateway, "egret_breaker_stopped_total", "bank"), 1.0);
    assert_eq!(figure(&gateway, "egret_bulkhead_in_flight", "bank"), 0.0);
}

#[test]
fn every_change_is_on_record_in_the_figures_and_in_the_log() {
    let well = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&well);
    let bank = Bank::start(move |line| {
        while line.request().is_some() {
            let is_well = flag.load(std::sync::atomic::Ordering::SeqCst);
            line.send(reply(if is_well { 200 } else { 503 }, "{}"));
        }
    });
    let gateway = gateway(&bank);
    for _ in 0..3 {
        gateway.get(BANKS, &[]);
    }
    assert_eq!(figure(&gateway, "egret_breaker_opened_total", "bank"), 1.0);
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    until("it is well again", || gateway.get(BANKS, &[]).status == 200);
    assert_eq!(gateway.get(BANKS, &[]).status, 200);
    assert_eq!(figure(&gateway, "egret_breaker_open", "bank"), 0.0);
    let rows = ["breaker.open", "breaker.probe", "breaker.close"]
        .map(|operation| gateway.row(&["--provider", "egret", "--operation", operation]));
    for row in &rows {
        row.expect(&[
            ("caller", ""),
            ("caller_via", "none"),
            ("outcome", "success"),
        ]);
        let facts = row.field("facts");
        assert_eq!(facts["of_provider"], "cybrid");
        assert_eq!(facts["of_environment"], "sandbox");
        assert_eq!(facts["of_group"], "bank");
    }
    assert_eq!(rows[0].field("facts")["failures"], "3");
    let opened = gateway
        .log("an endpoint group fails and is left alone for a while")
        .unwrap();
    assert_eq!(opened["group"], "cybrid.sandbox.bank");
    assert_eq!(gateway.logs("a breaker has changed").len(), 2);
}

#[test]
fn what_blames_the_request_does_not_open_it_and_a_code_of_the_bank_does() {
    for status in [401, 403, 404, 409, 422, 429] {
        let bank = Bank::answering(reply(status, "{}"));
        let gateway = gateway(&bank);
        for _ in 0..6 {
            assert_eq!(gateway.get(BANKS, &[]).status, status);
        }
    }
    let failing = reply(
        400,
        "{\"code\":400,\"message\":\"OBP-50001: Adapter failed.\"}",
    );
    let bank = Bank::answering(failing);
    let gateway = Config::new()
        .provider("obp", "", &[("api", &bank.url())])
        .section(BREAKER)
        .start();
    let banks = "/obp/obp/v4.0.0/banks";
    for _ in 0..3 {
        assert_eq!(gateway.get(banks, &[]).status, 400);
    }
    until("it is open", || gateway.get(banks, &[]).status == 503);
    assert!(bank.received().len() <= 4);
}

#[test]
fn an_answer_that_breaks_off_and_no_answer_at_all_are_failures() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"] {
        let bank = Bank::start(move |line| {
            line.request();
            line.send(answer);
        });
        let gateway = gateway(&bank);
        for _ in 0..3 {
            gateway.get(BANKS, &[]);
        }
        until("it is open", || {
            figure(&gateway, "egret_breaker_opened_total", "bank") == 1.0
        });
    }
}

#[test]
fn without_a_breaker_everything_is_passed_on() {
    let bank = Bank::answering(reply(500, "{}"));
    let gateway = Config::new()
        .cybrid_with("breaker = { enabled = false }", &bank.url())
        .section(BREAKER)
        .start();
    for _ in 0..10 {
        assert_eq!(gateway.get(BANKS, &[]).status, 500);
    }
    assert_eq!(bank.received().len(), 10);
}
