//! Clients that call until their connection breaks for good.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::{CALLS, Dice};
use crate::harness::{Authority, client_tls, runtime};

/// How many protocols there are: HTTP/1.1, HTTP/2 with prior knowledge, HTTP/2 over TLS.
pub const PROTOCOLS: usize = 3;

/// Clients of HTTP/1.1; of each other protocol there is one.
const PLAIN_CLIENTS: usize = 4;

/// An answer whose header a client has read.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub call_id: String,
    /// Effect of the operation that was called.
    pub effect: &'static str,
    pub protocol: &'static str,
}

/// Answers by trace id.
type Answers = Vec<(String, Answered)>;

pub struct Clients {
    /// Number of the next call.
    next: AtomicU64,
    tls: Arc<ClientConfig>,
    /// Answers in each protocol, of all rounds.
    answers: [AtomicU64; PROTOCOLS],
}

/// The place of a protocol in a list of all.
fn place(protocol: &str) -> usize {
    ["http/1.1", "h2c", "h2"]
        .iter()
        .position(|name| *name == protocol)
        .unwrap_or(0)
}

fn trace_id(number: u64) -> String {
    format!("{:032x}", u128::from(number) + 0xc0ff_ee00_0000_0000)
}

impl Clients {
    pub fn new(authority: &Authority) -> Self {
        Self {
            next: AtomicU64::new(0),
            tls: client_tls(authority, None, &["h2"]),
            answers: [const { AtomicU64::new(0) }; PROTOCOLS],
        }
    }

    /// How many answers there were in each protocol.
    pub fn answers(&self) -> [u64; PROTOCOLS] {
        self.answers
            .each_ref()
            .map(|count| count.load(Ordering::SeqCst))
    }

    fn count(&self, protocol: &str) {
        self.answers[place(protocol)].fetch_add(1, Ordering::SeqCst);
    }

    /// Starts them; each ends when its connection breaks after `stop` was set.
    pub fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        addresses: &[String],
        stop: &'scope AtomicBool,
        dice: &mut Dice,
    ) -> Vec<ScopedJoinHandle<'scope, Answers>> {
        let mut dice = || Dice(dice.roll(u64::from(u32::MAX)) | 1);
        let [plain, tls] = addresses else {
            panic!("two listeners, not {addresses:?}");
        };
        let mut running = Vec::new();
        for _ in 0..PLAIN_CLIENTS {
            let (address, dice) = (plain.clone(), dice());
            running.push(scope.spawn(move || self.load_h1(&address, stop, dice)));
        }
        for (address, tls) in [(plain, None), (tls, Some(&self.tls))] {
            let (address, dice) = (address.clone(), dice());
            running.push(
                scope.spawn(move || runtime().block_on(self.load_h2(&address, tls, stop, dice))),
            );
        }
        running
    }

    fn load_h1(&self, address: &str, stop: &AtomicBool, mut dice: Dice) -> Answers {
        let mut answers = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let Ok(stream) = TcpStream::connect(address) else {
                continue;
            };
            let mut stream = BufReader::new(stream);
            loop {
                let trace = trace_id(self.next.fetch_add(1, Ordering::SeqCst));
                let kind = CALLS[dice.roll(CALLS.len() as u64) as usize];
                match call_h1(&mut stream, kind, &trace) {
                    Ok(answer) => {
                        self.count(answer.protocol);
                        answers.push((trace, answer));
                    }
                    Err(_) => break,
                }
            }
        }
        answers
    }

    async fn load_h2(
        &self,
        address: &str,
        tls: Option<&Arc<ClientConfig>>,
        stop: &AtomicBool,
        mut dice: Dice,
    ) -> Answers {
        let mut answers = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let Ok(stream) = tokio::net::TcpStream::connect(address).await else {
                continue;
            };
            let Some(tls) = tls else {
                self.speak_h2(stream, "h2c", &mut dice, &mut answers).await;
                continue;
            };
            let name = "localhost".to_owned().try_into().expect("a name");
            let connector = TlsConnector::from(Arc::clone(tls));
            if let Ok(stream) = connector.connect(name, stream).await {
                self.speak_h2(stream, "h2", &mut dice, &mut answers).await;
            }
        }
        answers
    }

    /// Calls until the connection breaks.
    async fn speak_h2(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        protocol: &'static str,
        dice: &mut Dice,
        answers: &mut Answers,
    ) {
        let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let Ok((mut sender, connection)) = shaken else {
            return;
        };
        let connection = tokio::spawn(connection);
        loop {
            let trace = trace_id(self.next.fetch_add(1, Ordering::SeqCst));
            let (method, target, effect) = CALLS[dice.roll(CALLS.len() as u64) as usize];
            let body = if method == "POST" { "{}" } else { "" };
            let request = Request::builder()
                .method(method)
                .uri(format!("http://gateway{target}"))
                .header("content-type", "application/json")
                .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
                .body(Full::new(Bytes::from(body)))
                .expect("a request");
            if sender.ready().await.is_err() {
                break;
            }
            let Ok(answer) = sender.send_request(request).await else {
                break;
            };
            let call_id = answer.headers().get("egret-call-id");
            let answered = Answered {
                status: answer.status().as_u16(),
                call_id: call_id
                    .map_or("", |id| id.to_str().expect("text"))
                    .to_owned(),
                effect,
                protocol,
            };
            self.count(protocol);
            answers.push((trace, answered));
            // Once its header is there the answer counts, even if its body is cut off.
            let _ = answer.into_body().collect().await;
        }
        connection.abort();
    }
}

/// One call on a connection. An error is a connection that broke before the header was there.
fn call_h1(
    stream: &mut BufReader<TcpStream>,
    (method, target, effect): (&str, &str, &'static str),
    trace: &str,
) -> std::io::Result<Answered> {
    let body = if method == "POST" { "{}" } else { "" };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let mut answered = Answered {
        status: 0,
        call_id: String::new(),
        effect,
        protocol: "http/1.1",
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
            answered.status = status[..3].parse().expect("a status");
        } else if let Some((name, value)) = line.split_once(": ") {
            if name.eq_ignore_ascii_case("egret-call-id") {
                value.clone_into(&mut answered.call_id);
            } else if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().expect("a length");
            }
        }
    }
    // Once its header is there the answer counts, even if its body is cut off.
    let _ = stream.read_exact(&mut vec![0; length]);
    Ok(answered)
}
