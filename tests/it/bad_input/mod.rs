//! Malformed and hostile input: a clear answer, a closed connection, a record that says why and
//! nothing of the content, and never more at the bank than was asked for.

mod bodies;
mod cases;
mod http2;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use egret::sim::Vendor;

use crate::harness::{Client, Config, Gateway, H2, PATIENCE, Sim};
use cases::Case;

/// Stands in every refused request and must stand in no record.
const MARK: &str = "qZ7mARKx4";

/// A path that the gateway knows.
const LIST: &str = "/cybrid/bank/api/customers";

fn start(sim: &Sim) -> Gateway {
    Config::new()
        .cybrid(&sim.url())
        .section("[timeouts]\nhead = \"600ms\"\nidle = \"1s\"\nrequest = \"5s\"")
        .log("debug")
        .start()
}

#[test]
fn bad_requests_are_refused_and_recorded_without_their_content() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let cases: Vec<Case> = cases::all();
    let mut answers = Vec::new();
    for case in &cases {
        let mut client = Client::tcp(gateway.address());
        // A refusal can come before the last byte was sent.
        let _ = client.send(&case.bytes);
        if case.cut {
            client.finish_sending();
        }
        let name: String = case
            .name
            .escape_debug()
            .to_string()
            .chars()
            .take(100)
            .collect();
        let answer = client
            .answer("GET")
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = answer.header("Content-Type").unwrap_or_default();
        assert_eq!(kind, "application/problem+json", "{name}: {}", answer.head);
        assert_eq!(answer.problem(), case.code, "{name}");
        assert_eq!(answer.status, cases::status_of(case.code), "{name}");
        assert!(!answer.text().contains(MARK), "{name}: {}", answer.text());
        assert!(!answer.head.contains(MARK), "{name}: {}", answer.head);
        // A read that merely gave up would have taken all our patience.
        let before = Instant::now();
        assert!(client.is_closed(), "{name}: the connection stays open");
        assert!(
            before.elapsed() < PATIENCE,
            "{name}: the connection stays open"
        );
        answers.push((name, case.code, answer));
    }
    let rows = gateway.rows(cases.len(), &[]);
    for (name, code, answer) in &answers {
        let row = rows
            .iter()
            .find(|row| row.text("call_id") == answer.call_id())
            .unwrap_or_else(|| panic!("{name}: no record"));
        row.expect(&[
            ("decision", "refused"),
            ("reason", code),
            ("outcome", "failure"),
            ("status", &answer.status.to_string()),
            ("path_template", ""),
            ("query", ""),
            ("token_fingerprint", ""),
            ("forwarded_at", ""),
        ]);
        assert!(!row.text("caller_address").is_empty(), "{name}");
        assert!(!format!("{row:?}").contains(MARK), "{name}: {row:?}");
    }
    assert_eq!(sim.count(), 0, "a refused request went to the bank");
    assert!(!gateway.stderr().contains(MARK), "{}", gateway.stderr());
    // After all that it still serves.
    let answer = gateway.get(LIST, &[]);
    assert_eq!(answer.status, 401, "the bank's own answer: {}", answer.head);
    assert_eq!(sim.count(), 1);
}

/// Two parsers read each request, ours and the proxy's. Whatever the second one refuses, the first
/// must have refused, for the second does not record.
#[test]
fn no_byte_is_refused_without_a_record() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let places: [(&[u8], &[u8]); 6] = [
        (
            b"GE",
            b"T /cybrid/bank/api/customers HTTP/1.1\r\nHost: a\r\n",
        ),
        (
            b"GET /cybrid/bank/api/customers/x",
            b"y HTTP/1.1\r\nHost: a\r\n",
        ),
        (
            b"GET /cybrid/bank/api/customers?x=a",
            b"b HTTP/1.1\r\nHost: a\r\n",
        ),
        (
            b"GET /cybrid/bank/api/customers HTTP/1.1\r\nHost: a\r\nX-A",
            b"b: 1\r\n",
        ),
        (
            b"GET /cybrid/bank/api/customers HTTP/1.1\r\nHost: a\r\nX-A: a",
            b"b\r\n",
        ),
        (
            b"GET /cybrid/bank/api/customers HTTP/1.1\r\nHost: a",
            b"b\r\n",
        ),
    ];
    let mut count = 0;
    for (before, after) in places {
        for byte in 0..=u8::MAX {
            let bytes = [before, &[byte], after, b"Connection: close\r\n\r\n"].concat();
            let mut client = Client::tcp(gateway.address());
            let _ = client.send(&bytes);
            let answer = client.answer("GET").unwrap_or_else(|error| {
                panic!(
                    "{byte:#04x} after {}: {error}",
                    String::from_utf8_lossy(before)
                )
            });
            assert!(
                answer.header("Egret-Call-Id").is_some(),
                "{byte:#04x} after {}: {}",
                String::from_utf8_lossy(before),
                answer.head
            );
            count += 1;
        }
    }
    gateway.rows(count, &[]);
}

#[test]
fn long_tokens_and_many_headers_pass() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let token = format!("Bearer {}", "t".repeat(3 * 1024));
    let parts: Vec<(String, String)> = (0..12)
        .map(|index| {
            (
                format!("X-Part-{index}"),
                format!("{index}{}", "p".repeat(1023)),
            )
        })
        .collect();
    let mut headers = vec![("Authorization", token.as_str())];
    headers.extend(
        parts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let answer = gateway.get(LIST, &headers);
    assert_eq!(answer.status, 401);
    let last = sim.last();
    for (name, value) in headers {
        let arrived = last
            .request
            .headers
            .iter()
            .any(|(n, v)| n == name && v == value);
        assert!(arrived, "{name} did not arrive as it was");
    }
    let answer = H2::plain(gateway.address()).call("GET", LIST, &[("authorization", &token)], b"");
    assert_eq!(answer.status, 401);
    assert!(
        sim.last()
            .request
            .headers
            .iter()
            .any(|(_, value)| *value == token)
    );
}

#[test]
fn http10_and_unknown_hosts_are_served_by_prefix() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let mut client = Client::tcp(gateway.address());
    client.send(format!("GET {LIST} HTTP/1.0\r\n\r\n")).unwrap();
    assert_eq!(client.answer("GET").unwrap().status, 401);
    assert!(client.is_closed());
    assert_eq!(
        gateway.get(LIST, &[("Host", "elsewhere.example")]).status,
        401
    );
    assert_eq!(gateway.get(LIST, &[("Host", "[::1]:80")]).status, 401);
    assert_eq!(sim.count(), 3);
}

#[test]
fn a_slow_body_of_garbage_does_not_hold_up_others() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    // Many connections that never say anything whole.
    let mut idle: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            stream.write_all(b"GET /").unwrap();
            stream
        })
        .collect();
    assert_eq!(gateway.get(LIST, &[]).status, 401);
    for stream in &mut idle {
        stream
            .set_read_timeout(Some(crate::harness::PATIENCE))
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    let rows = gateway.rows(51, &[]);
    let late = rows
        .iter()
        .filter(|row| row.text("reason") == "head_timeout")
        .count();
    assert_eq!(late, 50);
}
