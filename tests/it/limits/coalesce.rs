//! Identical reads at the same time are one call to the bank, and each is on record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::{Bank, Config, Gateway, keep, reply, until};

const PRICES: &str = "/cybrid/bank/api/prices";

/// A bank that answers when it is let, and the gateway before it.
fn start(answer: Vec<u8>) -> (Bank, Gateway, Arc<AtomicBool>) {
    let may_answer = Arc::new(AtomicBool::new(false));
    let let_go = Arc::clone(&may_answer);
    let bank = Bank::start(move |line| {
        while line.request().is_some() {
            until("the bank may answer", || let_go.load(Ordering::Acquire));
            line.send(&answer);
        }
    });
    let gateway = Config::new()
        .section("[limits]\ncoalesce = true")
        .cybrid(&bank.url())
        .start();
    (bank, gateway, may_answer)
}

/// Makes calls at the same time, with a token for each; lets the bank answer once so many of them
/// wait for another's answer.
fn call_all(
    gateway: &Gateway,
    tokens: &[&str],
    waiting: usize,
    may_answer: &AtomicBool,
) -> Vec<crate::harness::Answer> {
    thread::scope(|scope| {
        let calls: Vec<_> = tokens
            .iter()
            .map(|token| {
                let value = format!("Bearer {token}");
                scope.spawn(move || gateway.get(PRICES, &[("Authorization", &value)]))
            })
            .collect();
        until("the others wait", || {
            gateway.figure("egret_coalesced_waiting") == waiting as f64
                && gateway.figure("egret_calls_in_flight") == tokens.len() as f64
        });
        may_answer.store(true, Ordering::Release);
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

#[test]
fn one_call_answers_all_who_ask_the_same_with_the_same_credential() {
    let (bank, gateway, may_answer) = start(reply(200, "[{\"symbol\":\"BTC-USD\"}]"));
    let tokens = ["a", "a", "a", "a", "b"];
    let answers = call_all(&gateway, &tokens, 3, &may_answer);
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), "[{\"symbol\":\"BTC-USD\"}]");
    }
    assert_eq!(bank.received().len(), 2);
    assert_eq!(gateway.figure("egret_coalesced_total"), 3.0);
    let ids: std::collections::HashSet<&str> =
        answers.iter().map(|answer| answer.call_id()).collect();
    assert_eq!(ids.len(), tokens.len(), "each has its own record");
    let shared = answers
        .iter()
        .map(|answer| gateway.row_of(answer))
        .filter(|row| row.text("reason") == "coalesced");
    let shared: Vec<_> = shared.collect();
    assert_eq!(shared.len(), 3);
    for row in shared {
        row.expect(&[
            ("operation", "bank.list_prices"),
            ("decision", "forwarded"),
            ("outcome", "success"),
            ("status", "200"),
            ("attempts", "0"),
            ("forwarded_at", ""),
        ]);
    }
}

#[test]
fn a_failure_is_shared_with_nobody() {
    let (bank, gateway, may_answer) = start(reply(500, "{}"));
    let answers = call_all(&gateway, &["a", "a", "a"], 2, &may_answer);
    assert!(answers.iter().all(|answer| answer.status == 500));
    assert_eq!(bank.received().len(), 3);
}

#[test]
fn nothing_is_shared_unless_it_is_asked_for() {
    let bank = Bank::start(|line| keep(line, &reply(200, "[]")));
    let gateway = Config::new().cybrid(&bank.url()).start();
    for _ in 0..2 {
        assert_eq!(gateway.get(PRICES, &[]).status, 200);
    }
    assert_eq!(bank.received().len(), 2);
}
