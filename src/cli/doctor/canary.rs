//! The self-test: calls full of made-up secrets through a gateway of its own, and a search of all
//! that it wrote.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Finding;
use crate::adapters::capture::Shelf;
use crate::adapters::{entropy, log};
use crate::app::{Running, Setup, capture};
use crate::cli::Failure;
use crate::cli::demo::client::{Call, Client};
use crate::cli::demo::place::Place;
use crate::domain::redact::Redactor;

/// Bytes in a row of a secret that count as a leak: shorter runs of digits occur by chance in a
/// ledger full of numbers.
const RUN: usize = 9;

/// A gateway with captures; error bodies are passed on, so that they reach the tap as they are.
const CAPTURE: &str =
    "\n[[capture]]\nprovider = \"cybrid\"\nbodies = \"excerpt\"\nmax_bytes = \"64KiB\"\n";

/// A made-up secret.
#[derive(Clone)]
struct Canary {
    kind: &'static str,
    /// A field that such a value may stand in where its form alone says nothing: twelve digits
    /// under `guid` are an id, and only their name makes them an account number.
    field: &'static str,
    value: String,
}

/// Runs the self-test.
pub fn run() -> Vec<Finding> {
    match test() {
        Ok(findings) => findings,
        Err(failure) => vec![Finding::failed(
            format!("self-test: it could not be run: {}", failure.message),
            "this says nothing about leaks; see that loopback and the temporary directory work",
        )],
    }
}

fn test() -> Result<Vec<Finding>, Failure> {
    let place = Place::make(None)?;
    let directory = place
        .config()
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default();
    let done = in_place(&place, &directory);
    let _ = fs::remove_dir_all(&directory);
    done
}

fn in_place(place: &Place, directory: &Path) -> Result<Vec<Finding>, Failure> {
    let canaries = canaries()?;
    let buffer = Buffer::default();
    let guard = log::start_into("trace", true, Arc::new(Redactor::default()), buffer.clone())
        .map_err(Failure::new)?;
    let text = place.config_text() + CAPTURE;
    let setup = Setup::parse_alone(&place.config(), &text).map_err(Failure::new)?;
    let config = setup.config.clone();
    let running = Running::start(setup, None).map_err(Failure::new)?;
    let [bank, ..] = place.banks();
    let runtime = super::super::runtime()?;
    let calls = runtime.block_on(send(place, bank, &canaries));
    let stopped = running.stop(&std::sync::atomic::AtomicBool::new(false));
    drop(guard);
    let calls = calls?;
    stopped.ledger.unwrap_or(Ok(())).map_err(Failure::new)?;

    let mut sinks = vec![("log at trace level".to_owned(), buffer.take())];
    for file in ["ledger.db", "ledger.db-wal"] {
        // The second is there only while it is needed.
        if let Ok(bytes) = fs::read(directory.join(file)) {
            sinks.push((file.to_owned(), bytes));
        }
    }
    for entry in fs::read_dir(&config.journal.directory)? {
        let bytes = fs::read(entry?.path())?;
        // The lock is empty.
        if !bytes.is_empty() {
            sinks.push(("journal".to_owned(), bytes));
        }
    }
    let key = capture::key(&config, false).map_err(Failure::new)?;
    let shelf = Shelf::new(&config.capture_dir);
    let captured = shelf.list()?;
    for entry in &captured {
        let file = shelf.get(entry.call_id)?.unwrap_or_default();
        let (_, document) = key.open(entry.call_id, &file).map_err(Failure::new)?;
        sinks.push((format!("capture of {}", entry.call_id), document));
    }
    Ok(judge(&canaries, &sinks, calls, captured.len()))
}

fn judge(
    canaries: &[Canary],
    sinks: &[(String, Vec<u8>)],
    calls: usize,
    captured: usize,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (sink, bytes) in sinks {
        for canary in canaries.iter().filter(|canary| is_in(canary, bytes)) {
            findings.push(Finding::failed(
                format!("self-test: a {} is in the {sink}", canary.kind),
                "stop the gateway and report this: it must never happen",
            ));
        }
    }
    let is_empty = sinks.iter().any(|(_, bytes)| bytes.is_empty());
    if is_empty || captured != calls {
        findings.push(Finding::failed(
            format!("self-test: {captured} of {calls} calls were captured, or a sink is empty"),
            "the test has seen too little to say that nothing leaks",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good(format!(
            "self-test: {calls} calls with {} secrets; none is in journal, ledger, log or captures",
            canaries.len()
        )));
    }
    findings
}

/// Whether a run of a canary stands in the bytes, as it is, in base64, or in hexadecimal.
fn is_in(canary: &Canary, bytes: &[u8]) -> bool {
    let value = canary.value.as_bytes();
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms = [
        value.to_vec(),
        STANDARD.encode(value).into_bytes(),
        hex.into_bytes(),
    ];
    let found = |form: &Vec<u8>| {
        form.windows(RUN)
            .any(|run| memchr::memmem::find(bytes, run).is_some())
    };
    forms.iter().any(found)
}

/// Secrets of every kind that can be made up, new in every run.
fn canaries() -> Result<Vec<Canary>, Failure> {
    let word = || -> Result<String, Failure> {
        let random = entropy::key_bytes::<12>().map_err(Failure::new)?;
        // Letters and digits mixed, as in a key.
        let pairs = random.iter().map(|byte| {
            let letter = char::from(b'a' + byte % 26);
            let digit = char::from(b'0' + byte / 26);
            format!("{letter}{digit}")
        });
        Ok(pairs.collect())
    };
    let digits = |count: usize| -> Result<String, Failure> {
        let random = entropy::key_bytes::<20>().map_err(Failure::new)?;
        Ok(random
            .iter()
            .take(count)
            .map(|byte| char::from(b'0' + byte % 10))
            .collect())
    };
    let jwt = format!(
        "eyJhbGciOiJSUzI1NiJ9.{}.{}",
        STANDARD.encode(word()?).trim_end_matches('='),
        word()?
    );
    Ok([
        ("bearer token", word()?),
        ("password", word()?),
        ("API key", format!("sk_live_{}", word()?)),
        ("cookie", word()?),
        ("JSON Web Token", jwt),
        ("card number", luhn(format!("4{}", digits(14)?))),
        ("account number", digits(12)?),
        ("e-mail address", format!("{}@example.com", word()?)),
        ("opaque value of an unknown field", word()?),
        ("value in the path", word()?),
    ]
    .into_iter()
    .map(|(kind, value)| Canary {
        kind,
        field: match kind {
            "account number" => "account_number",
            _ => "guid",
        },
        value,
    })
    .collect())
}

/// Appends the check digit (ISO/IEC 7812-1, annex B).
fn luhn(mut number: String) -> String {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0') * if at % 2 == 0 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    number.push(char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0'));
    number
}

/// Sends every canary at every place; gives the number of calls that were passed on.
async fn send(place: &Place, bank: SocketAddr, canaries: &[Canary]) -> Result<usize, Failure> {
    let answers = Arc::new(canaries.to_vec());
    let listener = TcpListener::bind(bank).await?;
    let bank = tokio::spawn(serve(listener, answers));
    let mut client = Client::new(place.gateway());
    let key = place.payments_key();
    let mut calls = 0;
    for canary in canaries {
        let Canary { field, value, .. } = canary;
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let packed = STANDARD.encode(value);
        let body = serde_json::json!({
            "name": { "first": value, "unknown": value },
            "labels": [value, packed],
            "nested": format!("{{\"token\":\"{value}\"}}"),
        });
        for call in [
            Call::post("/cybrid/bank/api/customers", &body),
            Call::get(format!("/cybrid/bank/api/customers/{encoded}")),
            Call::get(format!(
                "/cybrid/bank/api/trades?{field}={encoded}&{encoded}=1"
            )),
            Call::post("/cybrid/bank/api/none", &body).with("X-Note", packed.clone()),
        ] {
            let call = call
                .with("Proxy-Authorization", format!("Bearer {key}"))
                .with("Authorization", format!("Bearer {value}"))
                .with("Cookie", format!("sid={value}"))
                .with("X-Api-Key", value.clone());
            client.send(&call).await?;
            calls += 1;
        }
    }
    bank.abort();
    Ok(calls)
}

/// A bank that answers every request with the canaries, in successes and in errors by turns.
async fn serve(listener: TcpListener, canaries: Arc<Vec<Canary>>) {
    let mut count = 0_usize;
    while let Ok((mut stream, _)) = listener.accept().await {
        // The gateway makes its calls one after the other, over few connections.
        while let Some(()) = read_request(&mut stream).await {
            count += 1;
            let Some(canary) = canaries.get(count % canaries.len().max(1)) else {
                return;
            };
            let value = &canary.value;
            let (status, body) = answer(count / 2, canary);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Trace-Note: {value}\r\n\
                 Set-Cookie: sid={value}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            // In pieces, so that a value is cut in two.
            let (first, second) = body.split_at(body.len() / 2);
            for piece in [head.as_bytes(), first.as_bytes(), second.as_bytes()] {
                if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
        }
    }
}

fn answer(count: usize, canary: &Canary) -> (&'static str, String) {
    let Canary { field, value, .. } = canary;
    if count.is_multiple_of(2) {
        let body = serde_json::json!({
            *field: value, "access_token": value, "state": value, value: true, "objects": [{ "name": value }],
        });
        return ("200 OK", body.to_string());
    }
    let body = serde_json::json!({
        "status": 422, "message_code": value, "error_message": format!("{value} is wrong"),
    });
    ("422 Unprocessable Entity", body.to_string())
}

/// Reads one request to its end; `None` when there is none.
async fn read_request(stream: &mut tokio::net::TcpStream) -> Option<()> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(read.get(..end)?).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(Some(0), |length| length.trim().parse().ok())?;
            if read.len() >= end + 4 + length {
                return Some(());
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// What the log wrote.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_leak_is_found_in_any_form_and_a_test_that_saw_nothing_does_not_pass() {
        let canary = || Canary {
            kind: "password",
            field: "guid",
            value: "a1b2c3d4e5f6g7h8".to_owned(),
        };
        let grades = |sink: &str| {
            let sinks = [("log".to_owned(), sink.as_bytes().to_vec())];
            let findings = judge(&[canary()], &sinks, 1, 1);
            findings
                .iter()
                .map(|finding| finding.grade)
                .collect::<Vec<_>>()
        };
        let packed = STANDARD.encode("a1b2c3d4e5f6g7h8");
        for leak in ["x c3d4e5f6g x", &packed, "6131623263336434653566366737"] {
            assert_eq!(grades(leak), [Grade::Failed], "{leak}");
        }
        assert_eq!(grades("nothing to see"), [Grade::Good]);
        assert_eq!(grades(""), [Grade::Failed]);
    }

    #[test]
    fn card_numbers_have_their_check_digit() {
        assert_eq!(luhn("411111111111111".to_owned()), "4111111111111111");
    }
}
