//! Bodies pass through as they come and are not held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::harness::{Bank, Client, Config, Gateway, until};

const FILES: &str = "/cybrid/bank/api/files";
const MIB: usize = 1024 * 1024;
const BODY: usize = 30 * MIB;

/// Memory of the gateway that is in use, in bytes.
fn memory(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn bodies_of_30_mib_pass_without_being_held() {
    let bank = Bank::start(|line| {
        let Some(mut request) = line.request() else {
            return;
        };
        // Only the size is of interest.
        request.body = request.body.len().to_string().into_bytes();
        line.note(request);
        line.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"
        ));
        for _ in 0..BODY / MIB {
            line.send(vec![b'y'; MIB]);
        }
    });
    let gateway = Arc::new(Config::new().cybrid(&bank.url()).start());
    let before = memory(&gateway);
    let most = Arc::new(AtomicU64::new(before));
    let done = Arc::new(AtomicBool::new(false));
    let watch = {
        let (gateway, most, done) = (Arc::clone(&gateway), Arc::clone(&most), Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                most.fetch_max(memory(&gateway), Ordering::SeqCst);
                std::thread::yield_now();
            }
        })
    };
    let mut body = vec![b'x'; BODY];
    body[..9].copy_from_slice(b"{\"data\":\"");
    let answer = gateway.call(
        "POST",
        FILES,
        &[("Content-Type", "application/json")],
        &body,
    );
    done.store(true, Ordering::SeqCst);
    watch.join().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.len(), BODY);
    assert_eq!(bank.last().body, BODY.to_string().into_bytes());
    gateway.row_of(&answer).expect(&[
        ("operation", "bank.create_file"),
        ("outcome", "success"),
        ("request_bytes", &BODY.to_string()),
        ("response_bytes", &BODY.to_string()),
    ]);
    let grown = most.load(Ordering::SeqCst) - before;
    // Socket buffers on both sides and the allocator's slack, but not a body.
    assert!(grown < 16 * MIB as u64, "grown by {} KiB", grown / 1024);
}

#[test]
fn first_bytes_arrive_before_the_last_are_sent() {
    let (seen, go) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (bank_seen, bank_go) = (Arc::clone(&seen), Arc::clone(&go));
    let bank = Bank::start(move |line| {
        let request = line.head().unwrap();
        line.note(request);
        let mut first = [0; 5];
        std::io::Read::read_exact(line.socket, &mut first).unwrap();
        assert_eq!(&first, b"first");
        bank_seen.store(true, Ordering::SeqCst);
        let mut rest = [0; 4];
        std::io::Read::read_exact(line.socket, &mut rest).unwrap();
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        until("the caller has the beginning", || {
            bank_go.load(Ordering::SeqCst)
        });
        line.send("again");
    });
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut client = Client::tcp(gateway.address());
    client
        .send(format!(
            "POST {FILES} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfirst"
        ))
        .unwrap();
    until("the bank has the beginning", || seen.load(Ordering::SeqCst));
    client.send("last").unwrap();
    let head = client.head().unwrap();
    assert_eq!(head.status, 200);
    assert_eq!(client.bytes(5).unwrap(), b"hello");
    assert!(
        gateway.query(&[]).is_empty(),
        "the call goes on, so it is not on record yet"
    );
    go.store(true, Ordering::SeqCst);
    assert_eq!(client.bytes(5).unwrap(), b"again");
    gateway
        .row_of(&head)
        .expect(&[("outcome", "success"), ("response_bytes", "10")]);
}

#[test]
fn chunked_bodies_stay_whole() {
    let bank = Bank::start(|line| {
        while line.request().is_some() {
            line.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n5\r\n, two\r\n0\r\n\r\n",
            );
        }
    });
    let gateway = Config::new().cybrid(&bank.url()).start();
    let body = b"4\r\n{\"a\"\r\n1\r\n:\r\n2\r\n1}\r\n0\r\n\r\n";
    let headers = [
        ("Transfer-Encoding", "chunked"),
        ("Content-Type", "application/json"),
    ];
    let mut client = Client::tcp(gateway.address());
    for _ in 0..2 {
        let answer = client.call("POST", FILES, &headers, body);
        assert_eq!((answer.text(), answer.complete), ("one, two", true));
        assert_eq!(bank.last().body, b"{\"a\":1}");
        gateway.row_of(&answer).expect(&[
            ("request_bytes", "7"),
            ("response_bytes", "8"),
            ("outcome", "success"),
        ]);
    }
}

#[test]
fn a_caller_that_waits_for_100_continue_gets_the_banks() {
    let bank = Bank::start(|line| {
        let request = line.head().unwrap();
        assert_eq!(request.header("Expect"), Some("100-continue"));
        line.send("HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = [0; 2];
        std::io::Read::read_exact(line.socket, &mut body).unwrap();
        line.send(crate::harness::reply(200, "{}"));
    });
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut client = Client::tcp(gateway.address());
    client
        .send(format!(
            "POST {FILES} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        ))
        .unwrap();
    assert_eq!(client.head().unwrap().status, 100);
    client.send("{}").unwrap();
    let answer = client.answer("POST").unwrap();
    assert_eq!(answer.status, 200);
    gateway
        .row_of(&answer)
        .expect(&[("outcome", "success"), ("request_bytes", "2")]);
}
