//! A raw HTTP/1.1 client and a clock that tests can move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Clock, SimOptions, Simulator, Vendor};
use crate::types::Micros;

/// A moment in November 2026.
pub const START: i64 = 1_795_305_338;

/// Time that stands still until it is moved.
#[derive(Clone)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START * 1_000_000)))
    }

    pub fn clock(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Arc::new(move || Micros(hands.load(Ordering::Relaxed)))
    }

    pub fn forward(&self, secs: i64) {
        self.0.fetch_add(secs * 1_000_000, Ordering::Relaxed);
    }

    pub fn millis(&self) -> i64 {
        Micros(self.0.load(Ordering::Relaxed)).as_millis()
    }
}

/// A simulator on a free port and its clock.
pub async fn start(vendor: Vendor, change: impl FnOnce(&mut SimOptions)) -> (Simulator, Hands) {
    let hands = Hands::new();
    let mut options = SimOptions::new(vendor, hands.clock());
    change(&mut options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (Simulator::start(listener, options).unwrap(), hands)
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request on its own connection and reads to the end; header names go out exactly as
/// given. `None` if the connection was closed without an answer.
pub async fn send(
    simulator: &Simulator,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
        simulator.address()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    if bytes.is_empty() {
        return None;
    }
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(length) = response.parse(&bytes).unwrap() else {
        panic!("an answer without an end of its head");
    };
    Some(Answer {
        status: response.code.unwrap(),
        headers: response
            .headers
            .iter()
            .map(|header| {
                (
                    header.name.to_owned(),
                    String::from_utf8_lossy(header.value).into_owned(),
                )
            })
            .collect(),
        body: bytes[length..].to_vec(),
    })
}

/// As [`send`], with an answer.
pub async fn call(
    simulator: &Simulator,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    send(simulator, method, target, headers, body)
        .await
        .unwrap()
}
