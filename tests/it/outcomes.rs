//! What the caller gets and what the record says when a bank is slow, broken or gone. The one
//! question behind all of it: may the call have taken effect?

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egret::sim::{Faults, Vendor};

use crate::harness::{Bank, Client, Config, Gateway, H2, Line, Sim, keep, reply, until};

const TRADES: &str = "/cybrid/bank/api/trades";
const BANKS: &str = "/cybrid/bank/api/banks";

fn gateway(bank: &Bank) -> Gateway {
    Config::new().cybrid(&bank.url()).start()
}

/// Reads the request, then nothing happens until the gateway gives up.
fn never_answer(line: &mut Line<'_>) {
    line.request();
    line.head();
}

#[test]
fn no_connection_means_that_nothing_happened() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = Config::new()
        .cybrid(&format!("http://{port}"))
        .section("[retries]\nattempts = 1")
        .start();
    for _ in 0..2 {
        let answer = gateway.post(TRADES, &[], "{}");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (502, "upstream_unreachable")
        );
        gateway.row_of(&answer).expect(&[
            ("operation", "bank.create_trade"),
            ("effect", "money"),
            ("decision", "unavailable"),
            ("reason", "upstream_unreachable"),
            ("outcome", "failure"),
            ("forwarded_at", ""),
            ("first_byte_at", ""),
            ("attempts", "1"),
            ("status", "502"),
        ]);
    }
}

#[test]
fn a_silent_bank_leaves_the_outcome_unknown() {
    let bank = Bank::start(never_answer);
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section("[timeouts]\nrequest = \"400ms\"")
        .start();
    for (method, target, operation) in [
        ("POST", TRADES, "bank.create_trade"),
        ("GET", BANKS, "bank.list_banks"),
        ("POST", "/cybrid/bank/api/novelties", "unknown"),
    ] {
        let answer = gateway.call(method, target, &[], b"");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (504, "upstream_timeout")
        );
        let row = gateway.row_of(&answer);
        row.expect(&[
            ("operation", operation),
            ("reason", "upstream_timeout"),
            ("outcome", "unknown"),
            ("status", "504"),
            ("first_byte_at", ""),
            ("error_code", ""),
        ]);
        assert!(!row.lacks("forwarded_at"));
        assert!(row.number("total_us") >= 400_000, "{row:?}");
    }
}

#[test]
fn an_operations_own_time_wins() {
    let bank = Bank::start(never_answer);
    let config = Config::new();
    config.file(
        "acme.toml",
        "id = \"acme\"\ntitle = \"Acme\"\ncredential_scheme = \"bearer\"\n\
         [[service]]\nid = \"api\"\nprefix = \"/acme\"\n\
         [[operation]]\nid = \"quick\"\nmethod = \"GET\"\npath = \"/quick\"\neffect = \"read\"\ntimeout_s = 1\n",
    );
    let gateway = config
        .provider("acme", "file = \"acme.toml\"", &[("api", &bank.url())])
        .section("[timeouts]\nrequest = \"20s\"")
        .start();
    let answer = gateway.get("/acme/quick", &[]);
    assert_eq!(answer.problem(), "upstream_timeout");
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("provider", "acme"),
        ("operation", "quick"),
        ("outcome", "unknown"),
    ]);
    assert!(
        (1_000_000..10_000_000).contains(&row.number("total_us")),
        "{row:?}"
    );
}

#[test]
fn a_bank_that_hangs_up_leaves_the_outcome_unknown_and_is_asked_again_for_reads_only() {
    let bank = Bank::start(|line| {
        line.request();
    });
    let gateway = gateway(&bank);
    for (method, target, attempts, count) in [("POST", TRADES, "1", 1), ("GET", BANKS, "3", 4)] {
        let answer = gateway.call(method, target, &[], b"");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (502, "upstream_no_answer")
        );
        gateway.row_of(&answer).expect(&[
            ("reason", "upstream_no_answer"),
            ("outcome", "unknown"),
            ("status", "502"),
            ("attempts", attempts),
        ]);
        assert_eq!(bank.received().len(), count, "{method}");
    }
}

/// Answers the first request on the first connection, takes the second and hangs up; later
/// connections are good.
fn stale(line: &mut Line<'_>) {
    if line.connection > 1 {
        return keep(line, &reply(200, "{}"));
    }
    line.request();
    line.send(reply(200, "{}"));
    line.request();
}

#[test]
fn a_read_on_a_broken_kept_connection_is_tried_once_more() {
    let bank = Bank::start(stale);
    let gateway = gateway(&bank);
    let mut client = Client::tcp(gateway.address());
    assert_eq!(client.call("GET", BANKS, &[], b"").status, 200);
    let answer = client.call("GET", BANKS, &[], b"");
    assert_eq!(answer.status, 200);
    gateway
        .row_of(&answer)
        .expect(&[("attempts", "2"), ("outcome", "success"), ("reason", "")]);
    let connections: Vec<_> = bank.received().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[test]
fn what_moves_money_is_never_sent_twice() {
    for (method, target) in [
        ("POST", TRADES),
        ("POST", "/cybrid/bank/api/novelties"),
        ("GET", "/cybrid/bank/api/novelties"),
        ("DELETE", "/cybrid/bank/api/external_wallets/0b"),
    ] {
        let bank = Bank::start(stale);
        let gateway = gateway(&bank);
        let mut client = Client::tcp(gateway.address());
        assert_eq!(client.call("GET", BANKS, &[], b"").status, 200);
        let answer = client.call(method, target, &[], b"");
        assert_eq!(answer.problem(), "upstream_no_answer", "{method} {target}");
        gateway
            .row_of(&answer)
            .expect(&[("attempts", "1"), ("outcome", "unknown")]);
        assert_eq!(bank.received().len(), 2);
    }
}

#[test]
fn a_truncated_answer_breaks_off_at_the_caller_too() {
    let half = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"guid\":";
    let chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"guid\":\r\n";
    for answer in [half, chunked] {
        let bank = Bank::start(move |line| {
            line.request();
            line.send(answer);
        });
        let gateway = gateway(&bank);
        let answer = gateway.post(TRADES, &[], "{}");
        assert_eq!(answer.status, 201);
        assert!(!answer.complete, "{answer:?}");
        assert_eq!(answer.text(), "{\"guid\":");
        gateway.row_of(&answer).expect(&[
            ("outcome", "unknown"),
            ("status", "201"),
            ("response_bytes", "8"),
        ]);
    }
}

#[test]
fn a_malformed_answer_is_not_passed_on() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
    ] {
        let bank = Bank::answering(garbage);
        let gateway = gateway(&bank);
        let answer = gateway.post(TRADES, &[], "{}");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (502, "upstream_bad_answer"),
            "{garbage}"
        );
        let row = gateway.row_of(&answer);
        row.expect(&[
            ("reason", "upstream_bad_answer"),
            ("outcome", "unknown"),
            ("status", "502"),
        ]);
    }
}

#[test]
fn a_caller_that_leaves_before_the_answer_leaves_it_unknown() {
    let bank = Bank::start(never_answer);
    let gateway = gateway(&bank);
    let mut client = Client::tcp(gateway.address());
    client.request("POST", TRADES, &[], b"{}").unwrap();
    until("the bank has the request", || bank.received().len() == 1);
    drop(client);
    gateway.row(&[]).expect(&[
        ("operation", "bank.create_trade"),
        ("outcome", "unknown"),
        ("status", ""),
        ("first_byte_at", ""),
    ]);
}

#[test]
fn a_caller_that_leaves_during_the_answer_cancels_it() {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&gone);
    let bank = Bank::start(move |line| {
        line.request();
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        line.send([b'x'; 1000]);
        until("the caller is gone", || flag.load(Ordering::SeqCst));
        // More than any buffer on the way holds.
        while std::io::Write::write_all(line.socket, &[b'x'; 100_000]).is_ok() {}
    });
    let gateway = gateway(&bank);
    let mut client = Client::tcp(gateway.address());
    client.request("GET", BANKS, &[], b"").unwrap();
    let head = client.head().unwrap();
    assert_eq!(client.bytes(1000).unwrap(), [b'x'; 1000]);
    drop(client);
    gone.store(true, Ordering::SeqCst);
    gateway
        .row_of(&head)
        .expect(&[("outcome", "cancelled"), ("status", "200")]);
}

#[test]
fn a_request_whose_body_ends_early_leaves_the_outcome_unknown() {
    let bank = Bank::start(never_answer);
    let gateway = gateway(&bank);
    let mut client = Client::tcp(gateway.address());
    client
        .send(format!(
            "POST {TRADES} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{"
        ))
        .unwrap();
    client.finish_sending();
    assert!(client.is_closed());
    // The bank saw the header: whether it acted on it only the bank knows.
    gateway.row(&[]).expect(&[
        ("operation", "bank.create_trade"),
        ("reason", "bad_request_body"),
        ("outcome", "unknown"),
        ("status", ""),
    ]);
}

#[test]
fn answers_of_the_bank_are_judged_by_status_and_effect() {
    for (status, method, target, outcome) in [
        (504, "POST", TRADES, "unknown"),
        (502, "POST", TRADES, "unknown"),
        (408, "POST", TRADES, "unknown"),
        (500, "POST", TRADES, "failure"),
        (422, "POST", TRADES, "failure"),
        (504, "GET", BANKS, "failure"),
        (201, "POST", TRADES, "success"),
        (302, "GET", BANKS, "success"),
        (504, "POST", "/cybrid/bank/api/novelties", "unknown"),
    ] {
        let bank = Bank::answering(reply(status, "{}"));
        let gateway = gateway(&bank);
        let answer = gateway.call(method, target, &[], b"");
        assert_eq!(
            (answer.status, answer.text()),
            (status, "{}"),
            "the bank's own answer"
        );
        gateway.row_of(&answer).expect(&[
            ("decision", "forwarded"),
            ("outcome", outcome),
            ("status", &status.to_string()),
            ("reason", ""),
        ]);
    }
}

#[test]
fn error_codes_of_the_vendors_are_recorded_if_they_are_listed() {
    let cybrid = |body: &'static str| {
        let bank = Bank::answering(reply(409, body));
        let gateway = gateway(&bank);
        let answer = gateway.post(TRADES, &[], "{}");
        assert_eq!(answer.text(), body);
        gateway.row_of(&answer).text("error_code").to_owned()
    };
    assert_eq!(
        cybrid("{\"status\":409,\"message_code\":\"data_exists\"}"),
        "data_exists"
    );
    assert_eq!(cybrid("{\"message_code\":\"jane_doe_4711\"}"), "unlisted");
    assert_eq!(cybrid("{\"message\":\"nothing\"}"), "");

    let bank = Bank::answering(reply(
        400,
        "{\"code\":400,\"message\":\"OBP-30018: Bank Account not found. kq7z\"}",
    ));
    let gateway = Config::new()
        .provider("obp", "", &[("api", &bank.url())])
        .start();
    let answer = gateway.get("/obp/obp/v4.0.0/users/current", &[]);
    let row = gateway.row_of(&answer);
    row.expect(&[("error_code", "OBP-30018")]);
    assert!(!row.0.to_string().contains("kq7z"));

    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let answer = gateway.get(BANKS, &[]);
    let code = answer.json()["message_code"].as_str().unwrap().to_owned();
    gateway.row_of(&answer).expect(&[("error_code", &code)]);
}

#[test]
fn the_simulators_faults_end_as_documented() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    sim.set_faults(Faults {
        drop_rate: 1.0,
        ..Faults::default()
    });
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(answer.problem(), "upstream_no_answer");
    gateway.row_of(&answer).expect(&[("outcome", "unknown")]);
    sim.set_faults(Faults {
        truncate_rate: 1.0,
        ..Faults::default()
    });
    let answer = gateway.get(BANKS, &[]);
    assert!(!answer.complete);
    sim.set_faults(Faults {
        error_rate: 1.0,
        ..Faults::default()
    });
    let answer = gateway.get(BANKS, &[]);
    assert!((500..=503).contains(&answer.status));
    let row = gateway.row_of(&answer);
    row.expect(&[("outcome", "failure"), ("decision", "forwarded")]);
    // A read is asked again after a 502 or 503, not after a 500.
    assert_eq!(sim.count() as i64, 2 + row.number("attempts"));
}

#[test]
fn the_time_of_a_call_covers_slow_answers_and_slow_requests() {
    let bank = Bank::start(|line| {
        let Some(request) = line.head() else { return };
        line.note(request);
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while std::io::Write::write_all(line.socket, b"x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let silent = Bank::start(never_answer);
    let limits = "[timeouts]\nrequest = \"600ms\"";
    let gateway = Config::new().cybrid(&bank.url()).section(limits).start();
    let answer = gateway.get(BANKS, &[]);
    assert!(!answer.complete);
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("outcome", "unknown"),
        ("status", "200"),
        ("reason", "upstream_timeout"),
    ]);
    assert!(
        (600_000..3_000_000).contains(&row.number("total_us")),
        "{row:?}"
    );

    // A caller that stops in the middle of its request.
    let gateway = Config::new().cybrid(&silent.url()).section(limits).start();
    let mut client = Client::tcp(gateway.address());
    client
        .send(format!(
            "POST {TRADES} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{"
        ))
        .unwrap();
    let answer = client.answer("POST").unwrap();
    assert!(matches!(answer.status, 408 | 504), "{}", answer.head);
    let row = gateway.row_of(&answer);
    row.expect(&[("outcome", "unknown"), ("operation", "bank.create_trade")]);
    assert!(
        (600_000..3_000_000).contains(&row.number("total_us")),
        "{row:?}"
    );
}

#[test]
fn a_stream_that_the_caller_resets_is_on_record() {
    let bank = Bank::start(never_answer);
    let gateway = gateway(&bank);
    let h2 = H2::plain(gateway.address());
    h2.begin_and_leave("POST", TRADES, || {
        until("the bank has it", || bank.received().len() == 1)
    });
    gateway.row(&[]).expect(&[
        ("operation", "bank.create_trade"),
        ("outcome", "unknown"),
        ("status", ""),
    ]);
}
