//! HTTP/2, frame by frame.

use egret::sim::Vendor;
use serde_json::Value;

use super::{LIST, MARK, start};
use crate::canary::wire::h2;
use crate::harness::{Gateway, H2, Sim};

/// An HTTP/2 request with these fields; gives what the gateway said on its stream, if anything.
fn over_h2(
    gateway: &Gateway,
    fields: &[(&str, &str)],
    body: Option<&[u8]>,
) -> (Vec<h2::Frame>, Option<Value>) {
    let address = gateway.address().parse().unwrap();
    let (frames, _) = h2::exchange(address, &h2::request(fields, body)).unwrap();
    let data: Vec<u8> = frames
        .iter()
        .filter(|frame| frame.kind == h2::DATA && frame.stream == 1)
        .flat_map(|frame| frame.payload.clone())
        .collect();
    (frames, serde_json::from_slice(&data).ok())
}

const FIELDS: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "localhost"),
    (":path", LIST),
];

#[test]
fn malformed_http2_is_cut_off() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let with = |name, value| [FIELDS.as_slice(), &[(name, value)]].concat();
    let without = |name: &str| -> Vec<(&str, &str)> {
        FIELDS
            .iter()
            .copied()
            .filter(|(found, _)| *found != name)
            .collect()
    };
    for (name, fields, body) in [
        ("upper case", with("X-Upper", MARK), None),
        ("connection header", with("connection", "close"), None),
        (
            "transfer coding",
            with("transfer-encoding", "chunked"),
            Some(&b"x"[..]),
        ),
        ("line break in a value", with("x-a", "1\r\nx-b: 2"), None),
        ("space in a name", with("x a", "1"), None),
        ("unknown pseudo header", with(":secret", MARK), None),
        ("pseudo header twice", with(":path", LIST), None),
        ("no path", without(":path"), None),
        ("no method", without(":method"), None),
        (
            "length too large",
            with("content-length", "9"),
            Some(&b"x"[..]),
        ),
        (
            "length too small",
            with("content-length", "1"),
            Some(&b"xyz"[..]),
        ),
        (
            "length no number",
            with("content-length", MARK),
            Some(&b"x"[..]),
        ),
    ] {
        let (frames, answer) = over_h2(&gateway, &fields, body);
        let refused = frames.iter().any(|frame| {
            frame.kind == h2::GOAWAY || (frame.kind == h2::RST_STREAM && frame.stream == 1)
        });
        let answered = frames
            .iter()
            .any(|frame| frame.kind == h2::HEADERS && frame.stream == 1);
        assert!(
            refused && !answered,
            "{name}: refused {refused}, answer {answer:?}"
        );
        for frame in &frames {
            assert!(
                !String::from_utf8_lossy(&frame.payload).contains(MARK),
                "{name}"
            );
        }
    }
    assert_eq!(sim.count(), 0, "{:?}", sim.requests());
    let rows = gateway.query(&[]);
    assert!(rows.iter().all(|row| !format!("{row:?}").contains(MARK)));
    assert!(!gateway.stderr().contains(MARK));
    assert_eq!(
        H2::plain(gateway.address())
            .call("GET", LIST, &[], b"")
            .status,
        401
    );
}

#[test]
fn http2_requests_are_judged_like_others() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = start(&sim);
    let of = |method, authority, path| {
        [
            (":method", method),
            (":scheme", "http"),
            (":authority", authority),
            (":path", path),
        ]
    };
    let mut expected = Vec::new();
    for (code, fields) in [
        ("dot_segment", of("GET", "localhost", "/cybrid/bank/../x")),
        (
            "dot_segment",
            of("GET", "localhost", "/cybrid/bank/%2e%2e/x"),
        ),
        (
            "encoded_slash",
            of("GET", "localhost", "/cybrid/bank/api/customers/a%2fb"),
        ),
        (
            "target_utf8",
            of("GET", "localhost", "/cybrid/bank/api/customers/%ff"),
        ),
        ("empty_segment", of("GET", "localhost", "//cybrid/bank")),
        (
            "no_such_provider",
            of("GET", "unknown.example", "/api/customers"),
        ),
        ("asterisk_form", of("OPTIONS", "localhost", "*")),
    ] {
        let (_, answer) = over_h2(&gateway, &fields, None);
        let answer = answer.unwrap_or_else(|| panic!("{code}: no problem in {fields:?}"));
        assert_eq!(
            answer["type"],
            format!("urn:egret:problem:{code}"),
            "{fields:?}"
        );
        expected.push((code, answer["request_id"].as_str().unwrap().to_owned()));
    }
    let rows = gateway.rows(expected.len(), &[]);
    for (code, id) in &expected {
        let row = rows.iter().find(|row| row.text("call_id") == id);
        let row = row.unwrap_or_else(|| panic!("{code}: no record"));
        row.expect(&[
            ("decision", "refused"),
            ("reason", code),
            ("outcome", "failure"),
        ]);
    }
    let connect = [(":method", "CONNECT"), (":authority", "bank.example:443")];
    let (_, answer) = over_h2(&gateway, &connect, None);
    let answer = answer.unwrap();
    assert_eq!(answer["type"], "urn:egret:problem:connect");
    let id = answer["request_id"].as_str().unwrap();
    gateway.row(&["--call-id", id]).expect(&[
        ("decision", "refused"),
        ("reason", "connect"),
        ("method", "CONNECT"),
    ]);
    assert_eq!(sim.count(), 0);
}
