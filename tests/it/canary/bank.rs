//! Answers of every kind, from a bank that means harm.

use std::fs;

use super::gateway::Gateway;
use super::origin::{CHOICE, Origin};
use super::scan::Scanner;
use super::values::{Garden, Kind};
use super::wire::{Shot, fire, listen};
use super::{ENOUGH, PLAIN, answers, check, distinct_places, fire_all, providers};

#[test]
fn nothing_of_an_answer_is_kept_human() {
    answers_leave_nothing("human", 21);
}

#[test]
fn nothing_of_an_answer_is_kept_json() {
    answers_leave_nothing("json", 22);
}

fn answers_leave_nothing(format: &str, seed: u64) {
    let mut garden = Garden::new(seed);
    let first = Origin::http1(answers::http1(&mut garden));
    let second = Origin::http2(answers::http2(&mut garden));
    let names: Vec<String> = answers::http1(&mut Garden::new(seed))
        .into_iter()
        .map(|answer| answer.name)
        .collect();
    let url = |origin: &Origin| format!("http://{}", origin.address);
    let config = providers(
        &url(&first),
        &url(&first),
        &url(&second),
        "http_version = \"2\"",
    );
    // Every answer must be seen, however many of them fail.
    let config = format!("{PLAIN}{config}\n[breaker]\nenabled = false\n");
    let mut gateway = Gateway::start(format, &config, 1);
    let mut shots = Vec::new();
    for (index, name) in names.iter().enumerate() {
        for (method, target) in [
            ("GET", "/cybrid/bank/api/customers"),
            ("POST", "/cybrid/identity/oauth/token"),
            (
                "POST",
                "/obp/obp/v4.0.0/banks/b/accounts/a/owner/transaction-request-types/SEPA/transaction-requests",
            ),
            ("POST", "/obp/oauth/initiate"),
            ("GET", "/obp/nothing/known"),
        ] {
            // One operation is enough to wait for what comes too late.
            if name.starts_with("too late") && method == "POST" {
                continue;
            }
            let secret = garden.any(format!("request whose answer is {name}"));
            shots.push(Shot::new(
                name,
                format!(
                    "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{CHOICE}: {index}\r\n\
                     Accept-Encoding: gzip\r\nX-Value: {secret}\r\nContent-Length: 2\r\n\r\n{{}}"
                ),
            ));
        }
    }
    for (index, _) in answers::http2(&mut Garden::new(1)).iter().enumerate() {
        let secret = garden.any(format!("request over HTTP/2, {index}"));
        shots.push(Shot::new(
            "HTTP/2 upstream",
            format!(
                "POST /wyre/v3/transfers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 X-Value: {secret}\r\nContent-Length: {}\r\n\r\n{{\"x\":\"{secret}\"}}",
                secret.len() + 8
            ),
        ));
    }
    let mut heard = fire_all(gateway.address(), &shots);
    heard.extend(callers_that_leave(&gateway, &mut garden));
    break_the_callers_file(&gateway, &mut garden);
    let scanner = Scanner::new(&garden.planted);
    let arrived = distinct_places(&scanner.scan("callers", &heard.concat()));
    assert!(
        arrived > ENOUGH,
        "only {arrived} values of answers arrived at the callers"
    );
    assert!(distinct_places(&scanner.scan("bank", &first.received())) >= names.len());
    assert!(!scanner.scan("bank", &second.received()).is_empty());
    check(&mut gateway, &garden, shots.len(), &heard);
}

/// Callers that go in the middle of their request, in the middle of the answer, and one that is
/// still there when the gateway stops.
fn callers_that_leave(gateway: &Gateway, garden: &mut Garden) -> Vec<Vec<u8>> {
    use std::io::Write as _;
    let secret = garden.plant(Kind::Token, "request that breaks off");
    let shot = Shot::new(
        "cut",
        format!(
            "POST /cybrid/bank/api/trades HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 900\r\nX-Secret: {secret}\r\n\r\n{{\"quote_guid\":\"{secret}\""
        ),
    );
    let heard = vec![fire(gateway.address(), &shot.then_close()).unwrap().bytes];
    let secret = garden.plant(Kind::Token, "request in flight at the stop");
    let mut stream = std::net::TcpStream::connect(gateway.address()).unwrap();
    stream
        .write_all(
            format!(
                "POST /cybrid/bank/api/trades HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\
                 X-Secret: {secret}\r\n\r\n{{\"quote_guid\":\"{secret}\""
            )
            .as_bytes(),
        )
        .unwrap();
    listen(&mut stream, |_| true);
    // Stays open beyond this function, as a caller that hangs does.
    std::mem::forget(stream);
    heard
}

/// A key pasted into the callers file where it does not belong: the gateway complains in its log.
fn break_the_callers_file(gateway: &Gateway, garden: &mut Garden) {
    let pasted = garden.plant(Kind::Token, "callers file");
    let path = gateway.home.path().join("data/callers.toml");
    let before = fs::read(&path).unwrap_or_default();
    fs::write(
        &path,
        format!("[callers.app]\nkey = \"egk_{pasted}\" {pasted}\n{pasted}\n"),
    )
    .unwrap();
    crate::harness::until("the broken callers file is in the log", || {
        fs::read_to_string(gateway.home.path().join("stderr"))
            .unwrap_or_default()
            .contains("the callers file has changed and cannot be used")
    });
    // The file itself is ours, not written by the gateway.
    fs::write(&path, before).unwrap();
}
