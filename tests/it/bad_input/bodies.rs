//! Where one request ends and the next begins.

use egret::sim::Vendor;

use super::{LIST, MARK, start};
use crate::harness::{Answer, Client, Sim};

/// Answers that come on one connection until it is closed.
fn answers(client: &mut Client, most: usize) -> Vec<Answer> {
    let mut all = Vec::new();
    while all.len() < most {
        match client.answer("GET") {
            Ok(answer) => all.push(answer),
            Err(_) => break,
        }
    }
    all
}

#[test]
fn pipelined_requests_are_answered_in_order_or_not_at_all() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    for (name, requests) in [
        ("reads", vec![("GET", ""), ("GET", ""), ("GET", "")]),
        ("body first", vec![("POST", "{\"a\":1}"), ("GET", "")]),
        ("body last", vec![("GET", ""), ("POST", "{\"a\":1}")]),
    ] {
        let before = sim.requests().len();
        let mut bytes = String::new();
        for (index, (method, body)) in requests.iter().enumerate() {
            bytes.push_str(&format!(
                "{method} {LIST}?page={index} HTTP/1.1\r\nHost: localhost\r\nX-Turn: {index}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
        let mut client = Client::tcp(gateway.address());
        client.send(&bytes).unwrap();
        let answers = answers(&mut client, requests.len());
        let seen = &sim.requests()[before..];
        assert!(!answers.is_empty(), "{name}: no answer");
        assert_eq!(answers.len(), seen.len(), "{name}: calls without an answer");
        for (index, (answer, seen)) in answers.iter().zip(seen).enumerate() {
            assert_eq!(seen.request.query, format!("page={index}"), "{name}");
            assert_eq!(seen.request.method, requests[index].0, "{name}");
            assert_eq!(seen.request.body, requests[index].1.as_bytes(), "{name}");
            gateway.row_of(answer).expect(&[
                ("query", &format!("page={index}")),
                ("method", requests[index].0),
            ]);
        }
    }
}

#[test]
fn what_follows_a_request_is_judged_as_a_request() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let first = format!("POST {LIST} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}");
    // What looks like a part of the body to one and like a request to another.
    for follower in [
        format!("GET /{MARK} HTTP/1.1\nHost: localhost\n\n"),
        format!("{MARK}\r\n\r\n"),
        format!("GET {LIST} HTTP/1.1\r\nHost: a\r\nHost: {MARK}\r\n\r\n"),
    ] {
        let before = sim.count();
        let mut client = Client::tcp(gateway.address());
        client.send(format!("{first}{follower}")).unwrap();
        let answers = answers(&mut client, 3);
        assert_eq!(sim.count(), before + 1);
        assert_eq!(answers[0].status, 401);
        // The follower is refused, or never read.
        for answer in &answers[1..] {
            assert_eq!(gateway.row_of(answer).text("decision"), "refused");
        }
        assert!(answers.len() <= 2 && client.is_closed());
    }
}

#[test]
fn chunked_bodies_end_where_both_sides_think_they_end() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let hidden = format!("GET /smuggled/{MARK} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let bodies = [
        (
            "size with prefix",
            format!("0x5\r\nhello\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "size with sign",
            format!("+5\r\nhello\r\n0\r\n\r\n{hidden}"),
        ),
        ("negative size", format!("-1\r\nhello\r\n0\r\n\r\n{hidden}")),
        ("no size", format!("\r\nhello\r\n0\r\n\r\n{hidden}")),
        ("not a number", format!("zz\r\nhello\r\n0\r\n\r\n{hidden}")),
        (
            "size that overflows",
            format!("10000000000000005\r\nhello\r\n0\r\n\r\n{hidden}"),
        ),
        ("size with LF", format!("5\nhello\r\n0\r\n\r\n{hidden}")),
        ("data with LF", format!("5\r\nhello\n0\r\n\r\n{hidden}")),
        ("data too long", format!("3\r\nhello\r\n0\r\n\r\n{hidden}")),
        ("data too short", format!("9\r\nhello\r\n0\r\n\r\n{hidden}")),
        (
            "space before size",
            format!(" 5\r\nhello\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "LF in extension",
            format!("5;a\nb\r\nhello\r\n0\r\n\r\n{hidden}"),
        ),
        ("end with LF", format!("5\r\nhello\r\n0\n\n{hidden}")),
        ("request as trailer", format!("5\r\nhello\r\n0\r\n{hidden}")),
    ];
    for (name, body) in bodies {
        let before = sim.requests().len();
        let mut client = Client::tcp(gateway.address());
        client
            .send(format!(
                "POST {LIST} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
            ))
            .unwrap();
        let answers = answers(&mut client, 3);
        let seen = sim.requests()[before..].to_vec();
        assert!(!answers.is_empty(), "{name}: no answer");
        assert!(
            seen.len() <= 1,
            "{name}: {} requests at the bank",
            seen.len()
        );
        for it in &seen {
            assert_eq!(it.request.path, "/api/customers", "{name}");
            let body = String::from_utf8_lossy(&it.request.body);
            assert!(!body.contains(MARK), "{name}: the bank got {body}");
        }
        assert!(client.is_closed(), "{name}: the connection stays open");
    }
    let rows = gateway.query(&[]);
    assert!(rows.iter().all(|row| !format!("{row:?}").contains(MARK)));
    assert!(
        rows.iter().all(|row| row.text("outcome") != "success"),
        "{rows:#?}"
    );
}

#[test]
fn a_body_that_ends_early_is_no_success() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    for framing in ["Content-Length: 50", "Transfer-Encoding: chunked"] {
        let mut client = Client::tcp(gateway.address());
        client
            .send(format!(
                "POST {LIST} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n5\r\nhel"
            ))
            .unwrap();
        client.finish_sending();
        let _ = client.answer("POST");
    }
    for row in gateway.rows(2, &[]) {
        assert_ne!(row.text("outcome"), "success", "{row:?}");
    }
    assert_eq!(sim.count(), 0, "the bank saw a whole request");
}
