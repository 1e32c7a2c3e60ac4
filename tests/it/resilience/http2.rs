//! An HTTP/2 bank that says what it has not looked at.

use std::io::{Read, Write};

use super::{BANKS, QUICK, TRADES, ends};
use crate::harness::{Bank, Config, Gateway, Line, Received};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &reason.to_be_bytes())
}

fn go_away(last: u32, reason: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// An empty answer with status 200: entry 8 of HPACK's static table.
fn good(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x88])
}

/// Runs one connection: `answer` gives the bytes for each whole request, by the number of requests
/// before it on all connections; the connection ends when it gives none.
fn serve(line: &mut Line<'_>, count: impl Fn() -> usize, answer: impl Fn(usize, u32) -> Vec<u8>) {
    let mut preface = [0; 24];
    if line.socket.read_exact(&mut preface).is_err() {
        return;
    }
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    line.send(frame(SETTINGS, 0, 0, &[]));
    let mut head = [0; 9];
    while line.socket.read_exact(&mut head).is_ok() {
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        if line.socket.read_exact(&mut payload).is_err() {
            return;
        }
        let stream = u32::from_be_bytes(stream);
        match kind {
            SETTINGS if flags & 1 == 0 => line.send(frame(SETTINGS, 1, 0, &[])),
            // The last frame of a request.
            0 | HEADERS if flags & END_STREAM != 0 => {
                let before = count();
                line.note(Received {
                    connection: line.connection,
                    head: format!("stream {stream}"),
                    body: payload,
                });
                let answer = answer(before, stream);
                if line.socket.write_all(&answer).is_err() || answer.is_empty() {
                    return;
                }
            }
            _ => {}
        }
    }
}

fn bank(answer: impl Fn(usize, u32) -> Vec<u8> + Send + Sync + 'static) -> Bank {
    let requests = std::sync::atomic::AtomicUsize::new(0);
    Bank::start(move |line| {
        let count = || requests.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        serve(line, count, &answer);
    })
}

fn gateway(bank: &Bank) -> Gateway {
    Config::new()
        .cybrid_with("http_version = \"2\"", &bank.url())
        .section(QUICK)
        .start()
}

#[test]
fn a_refused_stream_is_sent_again_whatever_it_does() {
    for (method, target, body) in [
        ("GET", BANKS, ""),
        ("POST", TRADES, "{\"quote_guid\":\"0a\"}"),
    ] {
        let bank = bank(|before, stream| match before {
            0 => reset(stream, REFUSED_STREAM),
            _ => good(stream),
        });
        let gateway = gateway(&bank);
        let answer = gateway.call(method, target, &[], body.as_bytes());
        assert_eq!(answer.status, 200, "{method}");
        let row = gateway.row_of(&answer);
        row.expect(&[("outcome", "success"), ("attempts", "2")]);
        assert_eq!(ends(&row), ["not_processed", "status_200"]);
        assert_eq!(bank.received().len(), 2);
    }
}

#[test]
fn a_bank_that_refuses_every_stream_has_not_acted() {
    let bank = bank(|_, stream| reset(stream, REFUSED_STREAM));
    let gateway = gateway(&bank);
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "upstream_refused")
    );
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("outcome", "failure"),
        ("decision", "unavailable"),
        ("attempts", "3"),
    ]);
    assert_eq!(ends(&row), ["not_processed"; 3]);
}

#[test]
fn another_reset_leaves_a_write_unknown() {
    let bank = bank(|before, stream| match before {
        0 => reset(stream, ENHANCE_YOUR_CALM),
        _ => good(stream),
    });
    let gateway = gateway(&bank);
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(answer.status, 502);
    gateway
        .row_of(&answer)
        .expect(&[("outcome", "unknown"), ("attempts", "1")]);
    assert_eq!(bank.received().len(), 1);
    // A read can be asked again.
    assert_eq!(gateway.get(BANKS, &[]).status, 200);
}

#[test]
fn what_comes_after_the_last_stream_of_a_goaway_is_sent_again() {
    // The bank goes away and says that it has looked at no stream.
    let bank = bank(|before, stream| match before {
        0 => go_away(0, NO_ERROR),
        _ => good(stream),
    });
    let gateway = gateway(&bank);
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(answer.status, 200);
    let row = gateway.row_of(&answer);
    assert_eq!(ends(&row), ["not_processed", "status_200"]);
    let connections: Vec<_> = bank.received().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 2]);
}

#[test]
fn what_the_last_stream_of_a_goaway_covers_may_have_happened() {
    // The bank goes away after it has looked at the stream, and closes.
    let bank = Bank::start(|line| {
        let mut preface = [0; 24];
        line.socket.read_exact(&mut preface).unwrap();
        line.send(frame(SETTINGS, 0, 0, &[]));
        let mut bytes = [0; 4096];
        // Settings, perhaps a window update, and the request.
        let mut read = Vec::new();
        while !read.windows(2).any(|pair| pair == b"{}") {
            match line.socket.read(&mut bytes) {
                Ok(count) if count > 0 => read.extend_from_slice(&bytes[..count]),
                _ => return,
            }
        }
        line.note(Received {
            connection: line.connection,
            head: String::new(),
            body: Vec::new(),
        });
        line.send(go_away(1, NO_ERROR));
    });
    let gateway = gateway(&bank);
    let answer = gateway.post(TRADES, &[], "{}");
    assert_eq!(answer.status, 502);
    gateway
        .row_of(&answer)
        .expect(&[("outcome", "unknown"), ("attempts", "1")]);
    assert_eq!(bank.received().len(), 1);
}
