//! What the bank sees of a request's header, and the caller of the answer's.

use std::io::Write;

use egret::sim::{Faults, Vendor};

use crate::harness::{Bank, Config, H2, Received, Sim, reply};

/// Sends one request through a gateway with these provider keys; gives what the bank saw.
fn through(keys: &str, headers: &[(&str, &str)]) -> Received {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid_with(keys, &bank.url()).start();
    assert_eq!(gateway.get("/cybrid/bank/api/banks", headers).status, 200);
    bank.last()
}

#[test]
fn names_keep_their_case() {
    let seen = through(
        "",
        &[
            ("X-Weird-CASE-name", "1"),
            ("ACCEPT", "application/json"),
            ("authorization", "Bearer x"),
            ("Accept-Version", "2025-10-01"),
            ("dAuTH", "2"),
        ],
    );
    for (name, value) in [
        ("X-Weird-CASE-name", "1"),
        ("ACCEPT", "application/json"),
        ("authorization", "Bearer x"),
        ("Accept-Version", "2025-10-01"),
        ("dAuTH", "2"),
    ] {
        assert_eq!(seen.exactly(name), Some(value), "{}", seen.head);
    }
}

#[test]
fn http2_callers_reach_obp_with_the_case_that_it_wants() {
    let sim = Sim::start(Vendor::Obp);
    let gateway = Config::new()
        .provider("obp", "dauth_callers = [\"app\"]", &[("api", &sim.url())])
        .start();
    let mut h2 = H2::plain(gateway.address());
    // The simulator looks up `DAuth` with exact case, as old servers do, and misses parameters
    // in it; without the header it would ask for a login (OBP-20001).
    let token = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";
    let login = format!("token={token}");
    for (name, cased, value, code, token_type) in [
        ("dauth", "DAuth", token, "OBP-20066", "malformed"),
        (
            "directlogin",
            "DirectLogin",
            &login,
            "OBP-20003",
            "direct_login",
        ),
    ] {
        let answer = h2.call(
            "GET",
            "/obp/obp/v4.0.0/users/current",
            &[(name, value)],
            b"",
        );
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(code), "{message}");
        let names: Vec<String> = sim
            .last()
            .request
            .headers
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert!(names.iter().any(|found| found == cased), "{names:?}");
        let row = gateway.row(&["--call-id", answer.call_id()]);
        row.expect(&[("error_code", code), ("token_type", token_type)]);
    }
}

#[test]
fn what_is_for_one_connection_stays_there() {
    let seen = through(
        "",
        &[
            ("Connection", "keep-alive, X-Private, Authorization-Hint"),
            ("X-Private", "1"),
            ("authorization-hint", "2"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Trailer", "X-Sum"),
            ("Upgrade", "websocket"),
            ("Proxy-Connection", "keep-alive"),
            ("X-Kept", "3"),
        ],
    );
    for name in [
        "X-Private",
        "Authorization-Hint",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Proxy-Connection",
    ] {
        assert_eq!(seen.header(name), None, "{name} in {}", seen.head);
    }
    assert_eq!(seen.header("X-Kept"), Some("3"));
}

/// Naming a credential or the host in `Connection` would strip it: a trick of request smuggling.
#[test]
fn connection_cannot_strip_what_the_call_needs() {
    let many = ["a"; 40].join(", ");
    for value in [
        "Host",
        "close, authorization",
        "Content-Length",
        "\"x\", ,:path",
        &many,
    ] {
        let bank = Bank::answering(reply(200, "{}"));
        let gateway = Config::new().cybrid(&bank.url()).start();
        let headers = [("Connection", value), ("Authorization", "Bearer x.y.z")];
        let answer = gateway.post("/cybrid/bank/api/quotes", &headers, "{\"a\":1}");
        assert_eq!(answer.status, 200, "{value}");
        let seen = bank.last();
        assert_eq!(seen.header("Host"), Some(bank.address()));
        assert_eq!(seen.header("Authorization"), Some("Bearer x.y.z"));
        assert_eq!(seen.body, b"{\"a\":1}");
        gateway
            .row_of(&answer)
            .expect(&[("outcome", "success"), ("request_bytes", "7")]);
    }
}

#[test]
fn the_credential_for_the_gateway_never_goes_to_the_bank() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let key = gateway
        .egret(&["caller", "add", "payments", "--key-only"])
        .ok();
    let key = key.trim().to_owned();
    let authorization = format!("Bearer {key}");
    crate::harness::until("the key is known", || {
        let answer = gateway.get(
            "/cybrid/bank/api/banks",
            &[("pRoXy-AuThorization", &authorization)],
        );
        answer.status == 200
    });
    let seen = bank.last();
    assert!(
        !seen.head.to_ascii_lowercase().contains("proxy-auth"),
        "{}",
        seen.head
    );
    assert!(!seen.head.contains(&key), "{}", seen.head);
    gateway
        .row(&["--caller", "payments"])
        .expect(&[("caller_via", "key")]);
}

#[test]
fn the_callers_address_goes_to_the_bank_only_if_configured() {
    let sent = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("True-Client-IP", "203.0.113.9"),
        ("Via", "1.1 elsewhere"),
    ];
    let seen = through("", &sent);
    for (name, _) in sent {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let seen = through("forward_caller_address = true", &sent);
    assert_eq!(seen.header("X-Forwarded-For"), Some("127.0.0.1"));
    assert!(!seen.head.contains("203.0.113.9"), "{}", seen.head);
}

#[test]
fn nobody_can_pass_for_another_request() {
    let seen = through(
        "",
        &[
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Original-URL", "/api/other"),
            ("X-Rewrite-URL", "/api/other"),
        ],
    );
    for name in ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn a_trace_goes_on_with_a_new_parent_or_begins_here() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let given = format!("00-{trace}-b7ad6b7169203331-01");
    let headers = [("traceparent", given.as_str()), ("tracestate", "a=b")];
    let answer = gateway.get("/cybrid/bank/api/banks", &headers);
    let sent = bank.last().header("traceparent").unwrap().to_owned();
    let parts: Vec<&str> = sent.split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", trace, "01"));
    assert_ne!(parts[2], "b7ad6b7169203331");
    assert_eq!(bank.last().header("tracestate"), Some("a=b"));
    gateway.row_of(&answer).expect(&[("trace_id", trace)]);

    for broken in [
        None,
        Some("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        Some("x"),
    ] {
        let headers: Vec<_> = broken
            .map(|value| ("traceparent", value))
            .into_iter()
            .collect();
        let answer = gateway.get("/cybrid/bank/api/banks", &headers);
        let sent = bank.last().header("traceparent").unwrap().to_owned();
        let parts: Vec<&str> = sent.split('-').collect();
        assert_eq!(
            parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [2, 32, 16, 2]
        );
        assert_ne!(parts[1], "0".repeat(32));
        gateway.row_of(&answer).expect(&[("trace_id", parts[1])]);
    }
}

#[test]
fn every_answer_names_its_record() {
    let bank = Bank::answering(
        "HTTP/1.1 200 OK\r\nEgret-Call-Id: forged\r\nAlt-Svc: h3=\":443\"\r\nX-Bank-Case: kept\r\n\
         Content-Length: 2\r\n\r\n{}",
    );
    let gateway = Config::new().cybrid(&bank.url()).start();
    let headers = [("Egret-Call-Id", "mine"), ("Egret-Anything", "x")];
    let answer = gateway.get("/cybrid/bank/api/banks", &headers);
    let ids: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "Egret-Call-Id")
        .collect();
    assert_eq!(ids.len(), 1, "{}", answer.head);
    assert_eq!(gateway.row_of(&answer).text("call_id"), answer.call_id());
    assert_eq!(answer.header("Alt-Svc"), None);
    assert!(answer.head.contains("X-Bank-Case: kept"), "{}", answer.head);
    assert!(
        !bank.last().head.to_ascii_lowercase().contains("egret"),
        "{}",
        bank.last().head
    );
}

#[test]
fn only_encodings_that_can_be_read_through_are_asked_for() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    for (accepted, asked) in [
        (Some("gzip, deflate, br, zstd"), Some("gzip")),
        (Some("br"), Some("identity")),
        (Some("gzip;q=0, br"), Some("identity")),
        (Some("*"), Some("gzip")),
        (Some("identity"), Some("identity")),
        (None, None),
    ] {
        let headers: Vec<_> = accepted
            .map(|value| ("Accept-Encoding", value))
            .into_iter()
            .collect();
        gateway.get("/cybrid/bank/api/banks", &headers);
        assert_eq!(bank.last().header("Accept-Encoding"), asked, "{accepted:?}");
    }
    let headers = [("Accept-Encoding", "gzip, br")];
    gateway.post("/cybrid/identity/oauth/token", &headers, "{}");
    assert_eq!(bank.last().header("Accept-Encoding"), Some("identity"));
}

#[test]
fn a_compressed_error_passes_unchanged_and_its_code_is_recorded() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(br#"{"status":409,"message_code":"data_exists","error_message":"x"}"#)
        .unwrap();
    let body = encoder.finish().unwrap();
    let mut whole = format!(
        "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    whole.extend_from_slice(&body);
    let bank = Bank::answering(whole);
    let gateway = Config::new().cybrid(&bank.url()).start();
    let answer = gateway.post(
        "/cybrid/bank/api/trades",
        &[("Accept-Encoding", "gzip")],
        "{}",
    );
    assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
    assert_eq!(answer.body, body);
    gateway
        .row_of(&answer)
        .expect(&[("status", "409"), ("error_code", "data_exists")]);

    let sim = Sim::start(Vendor::Cybrid);
    sim.set_faults(Faults {
        gzip: true,
        ..Faults::default()
    });
    let gateway = Config::new().cybrid(&sim.url()).start();
    let answer = gateway.get("/cybrid/bank/api/banks", &[("Accept-Encoding", "gzip")]);
    assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
    assert!(!gateway.row_of(&answer).lacks("error_code"));
}
