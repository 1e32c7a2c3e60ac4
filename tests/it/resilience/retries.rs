//! What is sent again and what is not, over HTTP/1.1.

use std::net::{Shutdown, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::{BANKS, MINT, QUICK, TRADES, ends};
use crate::harness::{Bank, Client, Config, Gateway, keep, reply, until};

fn gateway(bank: &Bank) -> Gateway {
    Config::new().cybrid(&bank.url()).section(QUICK).start()
}

/// An answer with a field.
fn reply_with(status: u16, field: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\n{field}\r\nContent-Length: 2\r\n\r\n{{}}").into_bytes()
}

/// Answers so many requests with `first`, all later ones with 200.
fn failing(times: usize, first: Vec<u8>) -> Bank {
    let left = AtomicUsize::new(times);
    Bank::start(move |line| {
        while line.request().is_some() {
            let fails = left
                .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                .is_ok();
            match fails {
                true => line.send(&first),
                false => line.send(reply(200, "{}")),
            }
        }
    })
}

#[test]
fn an_unavailable_bank_is_asked_again_for_reads_and_not_for_writes() {
    let unavailable = || reply_with(503, "Retry-After: 0");
    let bank = failing(2, unavailable());
    let gateway = gateway(&bank);
    let answer = gateway.get(BANKS, &[]);
    assert_eq!((answer.status, answer.text()), (200, "{}"));
    assert_eq!(answer.header("Egret-Attempts"), Some("3"));
    let row = gateway.row_of(&answer);
    row.expect(&[("attempts", "3"), ("outcome", "success"), ("status", "200")]);
    assert_eq!(ends(&row), ["status_503", "status_503", "status_200"]);
    assert_eq!(bank.received().len(), 3);

    for (method, target) in [
        ("POST", TRADES),
        ("POST", MINT),
        ("POST", "/cybrid/bank/api/novelties"),
        ("GET", "/cybrid/bank/api/novelties"),
        ("DELETE", "/cybrid/bank/api/external_wallets/0b"),
    ] {
        let bank = failing(1, unavailable());
        let gateway = self::gateway(&bank);
        let answer = gateway.call(method, target, &[], b"");
        assert_eq!((answer.status, answer.text()), (503, "{}"), "{method}");
        assert_eq!(answer.header("Retry-After"), Some("0"), "the bank's answer");
        assert_eq!(answer.header("Egret-Attempts"), None);
        let row = gateway.row_of(&answer);
        row.expect(&[("attempts", "1")]);
        assert!(ends(&row).is_empty());
        assert_eq!(bank.received().len(), 1, "{method} {target}");
    }
}

#[test]
fn a_bank_that_stays_unavailable_has_the_last_word() {
    let bank = Bank::answering(reply(503, "{\"message_code\":\"no\"}"));
    let gateway = gateway(&bank);
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(
        (answer.status, answer.text()),
        (503, "{\"message_code\":\"no\"}")
    );
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("attempts", "3"),
        ("outcome", "failure"),
        ("error_code", "unlisted"),
    ]);
    assert_eq!(ends(&row), ["status_503"; 3]);
}

#[test]
fn a_refusal_for_want_of_allowance_is_repeated_if_it_says_when() {
    let bank = failing(1, reply_with(429, "Retry-After: 0"));
    let gateway = gateway(&bank);
    // It was refused before the bank's application saw it.
    let answer = gateway.post(TRADES, &[], "{\"quote_guid\":\"0a\"}");
    assert_eq!(answer.status, 200);
    let row = gateway.row_of(&answer);
    assert_eq!(ends(&row), ["status_429", "status_200"]);
    assert!(
        bank.received()
            .iter()
            .all(|seen| seen.body == b"{\"quote_guid\":\"0a\"}")
    );

    // A mint is not, nor is what does not say when.
    let bank = failing(1, reply_with(429, "Retry-After: 0"));
    let gateway = self::gateway(&bank);
    assert_eq!(gateway.post(MINT, &[], "{}").status, 429);
    let bank = failing(1, reply(429, "{}"));
    let gateway = self::gateway(&bank);
    assert_eq!(gateway.get(BANKS, &[]).status, 429);
    assert_eq!(bank.received().len(), 1);
}

#[test]
fn nobody_waits_longer_than_the_call_has_time() {
    for answer in [
        reply_with(503, "Retry-After: 3600"),
        reply_with(503, "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT"),
        reply_with(429, "Retry-After: 3600"),
    ] {
        let bank = failing(1, answer);
        let gateway = gateway(&bank);
        let answer = gateway.get(BANKS, &[]);
        assert!(matches!(answer.status, 503 | 429), "the bank's answer");
        assert!(answer.header("Retry-After").is_some());
        gateway.row_of(&answer).expect(&[("attempts", "1")]);
    }
}

#[test]
fn no_connection_is_no_attempt_of_any_kind_to_do_it_twice() {
    // Nobody listens until the first attempt has failed.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let address = address.unwrap();
    let gateway = Config::new()
        .cybrid(&format!("http://{address}"))
        .section("[retries]\nattempts = 8\nbase = \"2s\"\ncap = \"2s\"\nfloor = 100\n")
        .start();
    let retries = "egret_retries_total{group=\"cybrid.sandbox.oauth_token\"}";
    let answer = std::thread::scope(|scope| {
        let mint = scope.spawn(|| gateway.post(MINT, &[], "{}"));
        until("the first attempt has failed", || {
            gateway.figure(retries) >= 1.0
        });
        let listener = TcpListener::bind(address).unwrap();
        let (mut socket, _) = listener.accept().unwrap();
        use std::io::{Read, Write};
        let mut request = [0; 4096];
        assert!(socket.read(&mut request).unwrap() > 0);
        socket.write_all(&reply(200, "{}")).unwrap();
        mint.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    let row = gateway.row_of(&answer);
    row.expect(&[("effect", "mint"), ("outcome", "success")]);
    let ends = ends(&row);
    assert_eq!(ends.last().unwrap(), "status_200");
    assert!(ends.len() > 1 && ends.iter().rev().skip(1).all(|end| end == "not_connected"));
}

#[test]
fn another_address_of_the_bank_is_tried_at_once() {
    let bank = Bank::answering(reply(201, "{}"));
    let port = bank.address().rsplit(':').next().unwrap().to_owned();
    let addresses = format!("localhost:{port}")
        .to_socket_addrs()
        .unwrap()
        .count();
    if addresses < 2 {
        // What the name stands for is the machine's own, and no package changes it.
        eprintln!("SKIPPED: localhost has one address here");
        return;
    }
    let gateway = Config::new()
        .cybrid(&format!("http://localhost:{port}"))
        .section("[retries]\nattempts = 1\n")
        .start();
    // Each call begins with the next address; the bank listens on one of them.
    let mut tries = Vec::new();
    for _ in 0..addresses {
        let answer = gateway.post(TRADES, &[], "{}");
        assert_eq!(answer.status, 201);
        tries.push(gateway.row_of(&answer).number("attempts"));
    }
    assert!(tries.contains(&1) && tries.contains(&2), "{tries:?}");
}

#[test]
fn a_kept_connection_that_the_bank_has_closed_is_not_used() {
    // Closed before the next request is written: nothing is lost, whatever the call does.
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let bank = Bank::start(move |line| {
        line.request();
        line.send(reply(200, "{}"));
        line.socket.shutdown(Shutdown::Both).unwrap();
        count.fetch_add(1, SeqCst);
    });
    let gateway = gateway(&bank);
    let mut client = Client::tcp(gateway.address());
    for number in 1..=5 {
        let answer = client.call("POST", TRADES, &[], b"{}");
        assert_eq!(answer.status, 200);
        gateway.row_of(&answer).expect(&[("attempts", "1")]);
        until("the bank has closed", || closed.load(SeqCst) == number);
    }
    assert_eq!(bank.connections(), 5);
}

#[test]
fn bodies_are_sent_again_up_to_the_limit() {
    let body = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    // The largest that Pingora keeps, one beyond it, and a lower bound of one's own.
    for (section, size, is_repeated) in [
        ("", 64 * 1024, true),
        ("", 64 * 1024 + 1, false),
        ("body_bytes = \"1KiB\"", 1024, true),
        ("body_bytes = \"1KiB\"", 1025, false),
    ] {
        let bank = failing(1, reply_with(429, "Retry-After: 0"));
        let gateway = Config::new()
            .cybrid(&bank.url())
            .section(&format!("{QUICK}{section}"))
            .start();
        let body = body(size);
        let answer = gateway.post(TRADES, &[], &body);
        assert_eq!(answer.status == 200, is_repeated, "{size} {section}");
        let received = bank.received();
        assert_eq!(received.len(), 1 + usize::from(is_repeated));
        assert!(received.iter().all(|seen| seen.body == body.as_bytes()));
        gateway
            .row_of(&answer)
            .expect(&[("request_bytes", &size.to_string())]);
    }
}

#[test]
fn what_a_body_says_is_recorded_once_however_often_it_is_sent() {
    let bank = failing(2, reply_with(429, "Retry-After: 0"));
    let gateway = gateway(&bank);
    let guid = "0123456789abcdef0123456789abcdef";
    let answer = gateway.post(TRADES, &[], &format!("{{\"quote_guid\":\"{guid}\"}}"));
    assert_eq!(answer.status, 200);
    let row = gateway.row_of(&answer);
    assert_eq!(row.field("facts")["quote_guid"], guid);
    assert_eq!(ends(&row).len(), 3);
}

#[test]
fn a_guarded_call_is_repeated_only_if_that_is_asked_for() {
    let conflict = "{\"status\":409,\"message_code\":\"data_exists\"}";
    // It takes the first and hangs up; it knows the second.
    let bank = || {
        Bank::start(move |line| {
            line.request();
            if line.connection > 1 {
                line.send(reply(409, conflict));
                keep(line, &reply(409, conflict));
            }
        })
    };
    let first = bank();
    let gateway = gateway(&first);
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(answer.problem(), "upstream_no_answer");
    assert_eq!(first.received().len(), 1);

    let second = bank();
    let gateway = Config::new()
        .cybrid_with("retries = { guarded = true }", &second.url())
        .section(QUICK)
        .start();
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!((answer.status, answer.text()), (409, conflict));
    assert_eq!(answer.header("Egret-Attempts"), Some("2"));
    // The conflict may be with the first attempt.
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("outcome", "unknown"),
        ("status", "409"),
        ("error_code", "data_exists"),
    ]);
    assert_eq!(ends(&row), ["broken", "status_409"]);
    // What has no guard is sent once.
    let answer = gateway.post("/cybrid/bank/api/novelties", &[], "{}");
    assert_eq!(answer.status, 409);

    // A header that the bank honours is as good as a guard, but not for a mint.
    let third = bank();
    let gateway = Config::new()
        .cybrid_with(
            "retries = { idempotency_header = \"Idempotency-Key\" }",
            &third.url(),
        )
        .section(QUICK)
        .start();
    let headers = [("Idempotency-Key", "0f8fad5b-d9cb")];
    let answer = gateway.post(TRADES, &headers, "{}");
    assert_eq!((answer.status, third.received().len()), (409, 2));
}

#[test]
fn after_an_attempt_that_may_have_acted_nobody_is_told_that_nothing_was_sent() {
    // It takes the first request, and then nobody is there any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bank = std::thread::spawn(move || {
        use std::io::Read;
        let (mut socket, _) = listener.accept().unwrap();
        drop(listener);
        let mut request = [0; 4096];
        socket.read(&mut request).unwrap()
    });
    let gateway = Config::new()
        .cybrid_with("retries = { guarded = true }", &url)
        .section(QUICK)
        .start();
    let answer = gateway.post(TRADES, &[], "{}");
    assert!(bank.join().unwrap() > 0);
    assert_eq!(answer.problem(), "upstream_no_answer");
    let row = gateway.row_of(&answer);
    row.expect(&[("outcome", "unknown"), ("reason", "upstream_no_answer")]);
    assert_eq!(ends(&row), ["broken", "not_connected", "not_connected"]);
}

#[test]
fn repetitions_are_a_share_of_the_calls() {
    let bank = Bank::answering(reply(503, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(
            "[retries]\nbase = \"1ms\"\ncap = \"1ms\"\nbudget = 20\nfloor = 0\n\
             [breaker]\nenabled = false\n",
        )
        .start();
    for _ in 0..50 {
        assert_eq!(gateway.get(BANKS, &[]).status, 503);
    }
    assert_eq!(bank.received().len(), 60);
    let figure = |name: &str| gateway.figure(&format!("{name}{{group=\"cybrid.sandbox.bank\"}}"));
    assert_eq!(figure("egret_retries_total"), 10.0);
    assert!(figure("egret_retries_denied_total") >= 40.0);
}
