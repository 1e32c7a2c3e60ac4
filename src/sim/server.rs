//! The HTTP server around a simulated vendor: HTTP/1.1 and HTTP/2 without TLS, loopback only.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::answer::{Answer, CutShort, compress};
use super::control::{self, Command, Log, Seen};
use super::cybrid::Cybrid;
use super::entropy::Entropy;
use super::faults::{Fate, Faults};
use super::message::{Reply, Request};
use super::obp::Obp;
use super::tap::{Heard, Tap};
use super::wyre::Wyre;
use super::{SimError, SimOptions, Vendor};

/// The largest body that is read: Cybrid's inline files are 10 MiB of base64 inside JSON.
const MAX_BODY_BYTES: usize = 12 * 1024 * 1024;
/// The largest head, so that tokens near 3 KB pass many times over, HTTP/2 included.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// A running simulator. Dropping it stops it; [`Simulator::shutdown`] also waits for the end.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// What all connections share.
struct Shared {
    options: SimOptions,
    state: Mutex<State>,
}

struct State {
    bank: Bank,
    entropy: Entropy,
    faults: Faults,
    log: Log,
}

/// The vendor behind the server.
enum Bank {
    Cybrid(Box<Cybrid>),
    Obp(Box<Obp>),
    Wyre(Box<Wyre>),
}

impl Bank {
    fn new(options: &SimOptions) -> Self {
        match options.vendor {
            Vendor::Cybrid => Self::Cybrid(Box::new(Cybrid::new(options))),
            Vendor::Obp => Self::Obp(Box::new(Obp::new(options))),
            Vendor::Wyre => Self::Wyre(Box::new(Wyre::new(options))),
        }
    }

    fn handle(&mut self, request: &Request, limits: bool, expired: bool) -> Reply {
        match self {
            Self::Cybrid(bank) => bank.handle(request, limits, expired),
            Self::Obp(bank) => bank.handle(request, limits, expired),
            Self::Wyre(bank) => bank.handle(request, limits, expired),
        }
    }

    fn fail(&self, status: u16) -> Reply {
        match self {
            // Cybrid's own 5xx bodies are not documented; those of its load balancer are HTML.
            Self::Cybrid(_) => Reply::infrastructure(status),
            Self::Obp(_) => Reply::json(
                status,
                &json!({"code": status, "message": "OBP-50000: Unknown Error."}),
            ),
            Self::Wyre(_) => Reply::json(
                status,
                &json!({"exceptionId": "SIMFAULT", "type": "UnknownException",
                    "errorCode": "unknown", "message": "Unexpected error", "language": "en",
                    "transient": status != 500}),
            ),
        }
    }
}

impl Simulator {
    /// Starts to serve on the current tokio runtime.
    ///
    /// # Errors
    /// [`SimError::NotLoopback`] if the listener is reachable from other machines;
    /// [`SimError::Listener`] if its address cannot be read.
    pub fn start(listener: TcpListener, options: SimOptions) -> Result<Self, SimError> {
        let address = listener.local_addr().map_err(SimError::Listener)?;
        if !address.ip().is_loopback() {
            return Err(SimError::NotLoopback { address });
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                bank: Bank::new(&options),
                entropy: Entropy::new(options.seed ^ 0xfa_17),
                faults: options.faults.clone(),
                log: Log::default(),
            }),
            options,
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Self {
            address,
            shared,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// As in `http://127.0.0.1:4010`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The newest requests, oldest first, with their fake credentials.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.state.lock().log.seen.iter().cloned().collect()
    }

    /// How many requests came since the start or the last reset.
    pub fn count(&self) -> u64 {
        self.shared.state.lock().log.total
    }

    /// How many writes came that had come before.
    pub fn repeated_writes(&self) -> u64 {
        self.shared.state.lock().log.repeated
    }

    /// Replaces the switches.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.state.lock().faults = faults;
    }

    /// Forgets all state, as if started anew; the switches stay.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Closes every connection and stops listening.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }

    /// Serves until the task ends, which it only does when the runtime stops.
    pub async fn wait(self) {
        let Self { stop, task, .. } = self;
        let _ = task.await;
        drop(stop);
    }
}

impl Shared {
    fn reset(&self) {
        let mut state = self.state.lock();
        state.bank = Bank::new(&self.options);
        state.entropy = Entropy::new(self.options.seed ^ 0xfa_17);
        state.log = Log::default();
    }

    fn control(&self, request: &Request) -> Reply {
        let command = match control::read(request) {
            Ok(command) => command,
            Err(reply) => return reply,
        };
        match command {
            Command::Requests { full, after } => {
                let state = self.state.lock();
                let list: Vec<Value> = state
                    .log
                    .seen
                    .iter()
                    .filter(|seen| seen.sequence > after)
                    .map(|seen| seen.describe(full))
                    .collect();
                Reply::json(200, &json!({"total": state.log.total, "requests": list}))
            }
            Command::ShowFaults => {
                let faults = self.state.lock().faults.clone();
                Reply::json(200, &serde_json::to_value(faults).unwrap_or(Value::Null))
            }
            Command::SetFaults(faults) => {
                self.state.lock().faults = *faults;
                Reply::empty(204)
            }
            Command::Reset => {
                self.reset();
                Reply::empty(204)
            }
            Command::Stats => Reply::json(200, &self.state.lock().log.stats()),
        }
    }

    /// Answers a request; the answer is `None` if the connection is to be closed without one.
    async fn answer(&self, request: Request) -> Option<(Reply, bool)> {
        if request.path.starts_with("/__sim/") {
            return Some((self.control(&request), false));
        }
        let fate = {
            let State {
                faults, entropy, ..
            } = &mut *self.state.lock();
            faults.draw(&request.path, entropy)
        };
        if !fate.delay.is_zero() {
            tokio::time::sleep(fate.delay).await;
        }
        Some(self.serve(request, &fate)).flatten()
    }

    fn serve(&self, request: Request, fate: &Fate) -> Option<(Reply, bool)> {
        let State {
            bank, faults, log, ..
        } = &mut *self.state.lock();
        let limits = faults.limits.unwrap_or(self.options.limits);
        let mut reply = match fate.error {
            Some(status) => bank.fail(status),
            None => bank.handle(&request, limits, faults.expired_tokens),
        };
        if faults.echo_headers {
            for (name, value) in &request.headers {
                reply = reply.with(
                    &format!("echo_{}", name.to_ascii_lowercase()),
                    value.as_str(),
                );
            }
        }
        let accepts = request
            .header(ACCEPT_ENCODING.as_str())
            .is_some_and(|value| value.contains("gzip"));
        if faults.gzip
            && accepts
            && !reply.body.is_empty()
            && let Some(body) = compress(&reply.body)
        {
            reply.body = body;
            reply = reply.with(CONTENT_ENCODING.as_str(), "gzip");
        }
        let status = if fate.drop { 0 } else { reply.status };
        log.add(request, status, self.options.log);
        (!fate.drop).then_some((reply, fate.truncate))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(converse(stream, peer, Arc::clone(&shared), stopped.clone()));
            }
            // Out of file descriptors or the like: give the others a moment to end.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let heard = Heard::default();
    let io = TokioIo::new(Tap::new(stream, heard.clone()));
    let service =
        service_fn(move |request| respond(Arc::clone(&shared), heard.clone(), peer, request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().title_case_headers(true);
    builder.http2().max_header_list_size(MAX_HEAD_BYTES);
    tokio::select! {
        // A client that goes away, or a fault that closes the connection, ends here: no news.
        _ = builder.serve_connection(io, service) => {}
        _ = stopped.changed() => {}
    }
}

async fn respond(
    shared: Arc<Shared>,
    heard: Heard,
    peer: SocketAddr,
    request: http::Request<Incoming>,
) -> Result<Response<Answer>, CutShort> {
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let headers = heard
        .headers(parts.method.as_str(), target)
        .unwrap_or_else(|| {
            parts
                .headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.as_str().to_owned(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect()
        });
    let host = parts
        .headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or_default()
        .to_owned();
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok(build(Reply::infrastructure(413), false));
        }
        Err(_) => return Err(CutShort),
    };
    heard.clear();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::clone(&body),
        host,
        peer: peer.ip(),
        now: (shared.options.clock)(),
    };
    match shared.answer(request).await {
        Some((reply, cut)) => Ok(build(reply, cut)),
        None => Err(CutShort),
    }
}

fn build(reply: Reply, cut: bool) -> Response<Answer> {
    let Reply {
        status,
        headers,
        content_type,
        body,
    } = reply;
    // A body that is not there cannot be cut.
    let mut response = Response::new(if cut && !body.is_empty() {
        Answer::cut(body)
    } else {
        Answer::whole(body)
    });
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    if !content_type.is_empty() {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
