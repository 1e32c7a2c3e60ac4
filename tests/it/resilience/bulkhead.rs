//! How many calls are let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{BANKS, TRADES};
use crate::harness::{Bank, Client, Config, reply, until};

/// Answers when it is told to.
fn slow() -> (Bank, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&go);
    let bank = Bank::start(move |line| {
        while line.request().is_some() {
            until("the bank may answer", || flag.load(Ordering::SeqCst));
            line.send(reply(200, "{}"));
        }
    });
    (bank, go)
}

#[test]
fn a_slow_bank_holds_so_many_calls_and_no_more() {
    let (bank, go) = slow();
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section("[bulkheads]\nin_flight = 3\nin_flight_per_caller = 3\nqueue = 0\n")
        .start();
    let figure = |name: &str| gateway.figure(&format!("{name}{{group=\"cybrid.sandbox.bank\"}}"));
    let mut clients: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::tcp(gateway.address());
            client.request("GET", BANKS, &[], b"").unwrap();
            client
        })
        .collect();
    until("all places are taken", || {
        figure("egret_bulkhead_in_flight") == 3.0
    });
    let answer = gateway.post(TRADES, &[], "{}");
    // All places are this caller's own.
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (429, "too_many_calls")
    );
    assert!(answer.header("Retry-After").is_some());
    gateway.row_of(&answer).expect(&[
        ("decision", "limited"),
        ("reason", "too_many_calls"),
        ("outcome", "failure"),
        ("attempts", "0"),
    ]);
    assert_eq!(figure("egret_bulkhead_shed_total"), 1.0);
    // A caller that leaves gives its place back, as does one that gets its answer.
    drop(clients.pop());
    go.store(true, Ordering::SeqCst);
    until("all places are free", || {
        figure("egret_bulkhead_in_flight") == 0.0
    });
    assert_eq!(gateway.post(TRADES, &[], "{}").status, 200);
}

#[test]
fn a_call_waits_for_a_place_if_it_has_time() {
    let (bank, go) = slow();
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section("[bulkheads]\nin_flight = 1\nin_flight_per_caller = 2\nmax_wait = \"30s\"\n")
        .start();
    let figure = |name: &str| gateway.figure(&format!("{name}{{group=\"cybrid.sandbox.bank\"}}"));
    let mut clients: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = Client::tcp(gateway.address());
            client.request("GET", BANKS, &[], b"").unwrap();
            client
        })
        .collect();
    until("three wait", || figure("egret_bulkhead_waiting") == 3.0);
    until("the bank has the first", || bank.received().len() == 1);
    go.store(true, Ordering::SeqCst);
    for client in &mut clients {
        assert_eq!(client.answer("GET").unwrap().status, 200);
    }
    until("all places are free", || {
        figure("egret_bulkhead_in_flight") + figure("egret_bulkhead_waiting") == 0.0
    });
}

#[test]
fn who_waits_in_vain_is_told_that_the_bank_is_busy() {
    let (bank, go) = slow();
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section("[bulkheads]\nin_flight = 1\nin_flight_per_caller = 2\nmax_wait = \"50ms\"\n")
        .start();
    let mut first = Client::tcp(gateway.address());
    first.request("GET", BANKS, &[], b"").unwrap();
    until("the bank has it", || bank.received().len() == 1);
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "provider_busy")
    );
    go.store(true, Ordering::SeqCst);
    assert_eq!(first.answer("GET").unwrap().status, 200);
    until("the place is free", || {
        gateway.get(BANKS, &[]).status == 200
    });
    assert_eq!(
        gateway.figure("egret_bulkhead_waiting{group=\"cybrid.sandbox.bank\"}"),
        0.0
    );
}

#[test]
fn an_adaptive_bound_shrinks_when_the_bank_fails() {
    let bank = Bank::answering(reply(500, "{}"));
    let gateway = Config::new()
        .cybrid_with("breaker = { enabled = false }", &bank.url())
        .section("[bulkheads]\nin_flight = 10\nadaptive = true\nmin_in_flight = 3\n")
        .start();
    let limit = || gateway.figure("egret_bulkhead_limit{group=\"cybrid.sandbox.bank\"}");
    assert_eq!(limit(), 10.0);
    until("it is at its lower end", || {
        assert_eq!(gateway.get(BANKS, &[]).status, 500);
        limit() == 3.0
    });
}
