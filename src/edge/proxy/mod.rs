//! The proxy: a thin layer between Pingora's hooks and the stages of a call.
//!
//! ```text
//! head (front) → target → identify → route → match → classify → authorize → open record
//!   → intent on disk → admit → equip → forward → tap → outcome on disk → respond → close record
//! ```
//!
//! Each stage is a file under `stages/`; this file only calls them in order. A stage returns
//! `Ok` or the [`Problem`] to answer with; refusals are recorded like successes. Nothing here
//! blocks; a call waits for the journal (`stages::gate`) and for its turn within the bank's limits
//! (`stages::admit`), and for nothing else.

mod exchange;
mod fields;
mod routes;
mod stages;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use crate::adapters::capture::Captures;
use crate::adapters::coalesce::Coalescer;
use crate::adapters::figures::{CallFigures, Shard};
use crate::adapters::journal::Journal;
use crate::adapters::limits::Limits;
use crate::adapters::telemetry::{Inbox, Inboxes};
use crate::domain::config::Config;
use crate::domain::http::{HeadLimits, Refusal};
use crate::domain::identity::CallerBook;
use crate::domain::keyring::Keyring;
use crate::domain::lockdown::InForce;
use crate::domain::problem::Problem;
use crate::domain::recognise::KnownTokens;
use crate::domain::record::{self, LossPolicies, Recorder};
use crate::domain::telemetry::{FinishedCall, Sampler};

pub use exchange::Exchange;
pub use routes::{RouteError, Routes};
pub use stages::attempt::MAX_TRIES;

/// What the front needs to know before there is a call.
#[derive(Clone, Copy, Debug)]
pub struct FrontLimits {
    /// Sizes of a request head.
    pub head: HeadLimits,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// Silence between requests.
    pub idle: Duration,
    /// A caller's TLS handshake.
    pub tls_handshake: Duration,
}

/// Everything the stages work with. Clones share all of it.
#[derive(Clone)]
pub struct Gateway {
    parts: Arc<Parts>,
    /// Never waited for: only one worker has it.
    known_tokens: Arc<Mutex<KnownTokens>>,
    /// What this worker tells of calls.
    tell: Tell,
}

/// Where a worker tells of calls that are over.
#[derive(Clone)]
pub struct Tell {
    /// Counts all of them.
    pub shard: Arc<Shard>,
    /// Takes those whose trace is told.
    pub spans: Option<Arc<Inbox<FinishedCall>>>,
}

impl Tell {
    fn new(parts: &Parts) -> Self {
        Self {
            shard: parts.figures.shard(),
            spans: parts.spans.as_ref().map(|spans| spans.add()),
        }
    }
}

/// The parts of a [`Gateway`].
pub struct Parts {
    /// Who we are, for the records.
    pub identity: Arc<record::Gateway>,
    /// Where requests can go.
    pub routes: Routes,
    /// Makes fingerprints and pseudonyms.
    pub keyring: Arc<Keyring>,
    /// Callers and their keys; replaced when the file changes.
    pub callers: Arc<ArcSwap<CallerBook>>,
    /// What is locked down; replaced when that changes.
    pub lockdown: Arc<ArcSwap<InForce>>,
    /// How callers are told apart without a key.
    pub caller_rules: crate::domain::config::Callers,
    /// Keeps the records.
    pub journal: Arc<Journal>,
    /// Takes the records: the same journal.
    pub recorder: Arc<dyn Recorder>,
    /// What may be lost of them.
    pub loss: LossPolicies,
    /// The banks' rate limits.
    pub budgets: Arc<Limits>,
    /// Shares answers, where the configuration asks for it.
    pub coalescer: Option<Arc<Coalescer>>,
    /// Sizes and times before there is a call.
    pub limits: FrontLimits,
    /// Captures calls for debugging, where the configuration asks for it.
    pub captures: Option<Arc<Captures>>,
    /// Calls in flight.
    pub in_flight: Arc<AtomicUsize>,
    /// Counts calls.
    pub figures: Arc<CallFigures>,
    /// Which traces that begin here are told.
    pub sampler: Sampler,
    /// Takes calls whose traces are told, if they are told to anybody.
    pub spans: Option<Arc<Inboxes<FinishedCall>>>,
}

impl FrontLimits {
    /// The limits of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            head: HeadLimits {
                total_bytes: config.limits.head_bytes,
                field_bytes: config.limits.field_bytes,
                fields: config.limits.fields,
                ..HeadLimits::default()
            },
            head_time: config.timeouts.head,
            idle: config.timeouts.idle,
            tls_handshake: config.timeouts.tls,
        }
    }
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            tell: Tell::new(&parts),
            parts: Arc::new(parts),
            known_tokens: Arc::default(),
        }
    }

    /// The same gateway for another worker: what a worker remembers, it remembers for itself.
    pub fn for_worker(&self) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            known_tokens: Arc::default(),
            tell: Tell::new(&self.parts),
        }
    }

    /// Sizes and times before there is a call.
    pub fn limits(&self) -> &FrontLimits {
        &self.parts.limits
    }

    /// The number of calls in flight, kept up to date.
    pub fn in_flight(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.parts.in_flight)
    }

    /// Records a request whose head was refused, and gives the bytes to answer with.
    pub async fn refuse_head(&self, refusal: Refusal, peer: Option<SocketAddr>) -> Bytes {
        let mut exchange = Exchange::begin(&self.parts);
        let problem = Problem::from(refusal);
        stages::close::open_refused_head(&self.parts, &mut exchange, &problem, peer);
        let problem = stages::gate::refusal(&self.parts, &mut exchange, problem).await;
        stages::close::refused_head(&self.tell, &mut exchange);
        stages::respond::raw(&problem, exchange.call_id())
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange::begin(&self.parts)
    }

    fn init_downstream_modules(&self, _: &mut pingora_core::modules::http::HttpModules) {
        // No response compression: the bank's bytes go to the caller as they are.
    }

    /// Receives the request: true when it has been answered here.
    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let mut received = stages::receive(&self.parts, &self.known_tokens, session, exchange);
        if received.is_ok() {
            received = stages::gate::intent(&self.parts, exchange).await;
        }
        match received {
            Ok(()) => match stages::coalesce::join(&self.parts, session, exchange).await {
                None => Ok(false),
                Some(answer) => {
                    stages::coalesce::answer(&self.parts, session, exchange, &answer).await?;
                    Ok(true)
                }
            },
            Err(problem) => {
                stages::respond::refuse(&self.parts, session, exchange, problem).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        exchange: &mut Exchange,
    ) -> Result<Box<HttpPeer>> {
        let begun = stages::attempt::begin(&self.parts, exchange).await;
        let admitted = match begun {
            Ok(()) => stages::admit::admit(&self.parts, exchange).await,
            Err(problem) => Err(problem),
        };
        let chosen = admitted.and_then(|()| {
            stages::attempt::made(exchange);
            stages::forward::choose_peer(exchange)
        });
        chosen.map_err(|problem| {
            let problem = stages::attempt::not_made(exchange, problem);
            exchange.fail_with(problem);
            Error::new_in(ErrorType::HTTPStatus(problem.status))
        })
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _reused: bool,
        peer: &HttpPeer,
        _fd: std::os::unix::io::RawFd,
        digest: Option<&Digest>,
        exchange: &mut Exchange,
    ) -> Result<()> {
        stages::forward::connected(exchange, peer, digest);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        stages::equip::prepare(session, request, exchange)?;
        stages::forward::about_to_send(exchange);
        stages::admit::sent(exchange);
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<()> {
        let piece = body.as_deref().map(|piece| exchange.attempts.unseen(piece));
        stages::tap::request_body(exchange, piece);
        stages::capture::request_body(exchange, piece, end);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        stages::admit::answered(exchange, response);
        stages::attempt::answered(&self.parts, session, response, exchange)?;
        stages::tap::response_head(&self.parts, response, exchange);
        stages::capture::response_head(exchange, response);
        stages::map_error::head(response, exchange)?;
        stages::respond::pass_on(response, exchange)?;
        stages::coalesce::response_head(exchange, response);
        let status = response.status.as_u16();
        if status >= 200 {
            stages::gate::outcome(&self.parts, exchange, status)
                .await
                .map_err(|problem| {
                    exchange.fail_with(problem);
                    Error::new_in(ErrorType::HTTPStatus(problem.status))
                })?;
        }
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<Option<Duration>> {
        stages::tap::response_body(exchange, body.as_deref());
        stages::capture::response_body(exchange, body.as_deref(), end);
        stages::map_error::body(exchange, body, end);
        stages::coalesce::response_body(exchange, body.as_ref(), end);
        if exchange.is_late() {
            return Error::e_explain(ErrorType::ReadTimedout, "whole-request timeout");
        }
        Ok(None)
    }

    /// Trailers of a body that was replaced give way to what replaces it.
    async fn response_trailer_filter(
        &self,
        _session: &mut Session,
        _trailers: &mut http::HeaderMap,
        exchange: &mut Exchange,
    ) -> Result<Option<Bytes>> {
        Ok(stages::map_error::answer(exchange))
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let again = stages::attempt::not_connected(&self.parts, session, exchange);
        error.set_retry(again);
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        exchange: &mut Exchange,
        reused: bool,
    ) -> Box<Error> {
        stages::attempt::broken(&self.parts, session, exchange, error, reused)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Exchange,
    ) -> FailToProxy {
        stages::respond::fail(&self.parts, session, exchange, error).await
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        stages::capture::end(exchange);
        stages::close::exchange(&self.parts, &self.tell, session, exchange, error);
    }

    /// `stages::respond` says it, with the ids of the call and of its trace and without what the error
    /// quotes.
    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    /// Pingora puts this into its own log lines; its default prints the raw URI.
    fn request_summary(&self, _session: &Session, exchange: &Exchange) -> String {
        format!("call {}", exchange.call_id())
    }
}
