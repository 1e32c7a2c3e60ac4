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
mod generation;
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
use crate::adapters::figures::CallFigures;
use crate::adapters::journal::Journal;
use crate::adapters::limits::Limits;
use crate::adapters::telemetry::Inboxes;
use crate::domain::config::{Budgets, Config};
use crate::domain::http::{HeadLimits, Refusal};
use crate::domain::identity::CallerBook;
use crate::domain::keyring::Keyring;
use crate::domain::lockdown::{InForce, Throttles};
use crate::domain::problem::Problem;
use crate::domain::record::{self, LossPolicies, Recorder};
use crate::domain::telemetry::{FinishedCall, Sampler};

pub use exchange::Exchange;
pub use generation::{Generation, Tell};
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
    /// Connections that are open at the same time, over all listeners.
    pub connections: usize,
}

/// Everything the stages work with. Clones share all of it.
#[derive(Clone)]
pub struct Gateway {
    generations: generation::Generations,
    in_flight: Arc<AtomicUsize>,
}

/// The parts of a [`Gateway`] under one configuration.
#[derive(Clone)]
pub struct Parts {
    /// Who we are, for the records.
    pub identity: Arc<record::Gateway>,
    /// Where requests can go.
    pub routes: Arc<Routes>,
    /// Makes fingerprints and pseudonyms.
    pub keyring: Arc<Keyring>,
    /// Callers and their keys; replaced when the file changes.
    pub callers: Arc<ArcSwap<CallerBook>>,
    /// What is locked down; replaced when that changes.
    pub lockdown: Arc<ArcSwap<InForce>>,
    /// How many calls of throttled callers have gone through.
    pub throttles: Arc<Mutex<Throttles>>,
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
    /// Who waits how long for them.
    pub budget_rules: Arc<Budgets>,
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
            connections: config.limits.connections,
        }
    }
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            in_flight: Arc::clone(&parts.in_flight),
            generations: generation::Generations::new(Arc::new(ArcSwap::from_pointee(parts))),
        }
    }

    /// The same gateway for another worker: what a worker remembers, it remembers for itself.
    pub fn for_worker(&self) -> Self {
        Self {
            generations: self.generations.for_worker(),
            in_flight: Arc::clone(&self.in_flight),
        }
    }

    /// Where the parts of another configuration are put: every call that begins from then on is made
    /// with them, on every worker.
    pub fn latest(&self) -> Arc<ArcSwap<Parts>> {
        self.generations.place()
    }

    /// Sizes and times before there is a call.
    pub fn limits(&self) -> FrontLimits {
        self.generations.latest().limits
    }

    /// The number of calls in flight, kept up to date.
    pub fn in_flight(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.in_flight)
    }

    /// Records a request whose head was refused, and gives the bytes to answer with.
    pub async fn refuse_head(&self, refusal: Refusal, peer: Option<SocketAddr>) -> Bytes {
        let parts = self.generations.latest();
        let mut exchange = Exchange::begin(Arc::clone(&parts));
        let problem = Problem::from(refusal);
        stages::close::open_refused_head(&parts, &mut exchange, &problem, peer);
        let problem = stages::gate::refusal(&parts, &mut exchange, problem).await;
        stages::close::refused_head(&parts.tell, &mut exchange);
        stages::respond::raw(&problem, exchange.call_id())
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange::begin(self.generations.latest())
    }

    fn init_downstream_modules(&self, _: &mut pingora_core::modules::http::HttpModules) {
        // No response compression: the bank's bytes go to the caller as they are.
    }

    /// Receives the request: true when it has been answered here.
    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let parts = exchange.parts();
        let mut received = stages::receive(&parts, session, exchange);
        if received.is_ok() {
            received = stages::gate::intent(&parts, exchange).await;
        }
        match received {
            Ok(()) => match stages::coalesce::join(&parts, session, exchange).await {
                None => Ok(false),
                Some(answer) => {
                    stages::coalesce::answer(&parts, session, exchange, &answer).await?;
                    Ok(true)
                }
            },
            Err(problem) => {
                stages::respond::refuse(&parts, session, exchange, problem).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        exchange: &mut Exchange,
    ) -> Result<Box<HttpPeer>> {
        let parts = exchange.parts();
        let begun = stages::attempt::begin(&parts, exchange).await;
        let admitted = match begun {
            Ok(()) => stages::admit::admit(&parts, exchange).await,
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
        let parts = exchange.parts();
        stages::admit::answered(exchange, response);
        stages::attempt::answered(&parts, session, response, exchange)?;
        stages::tap::response_head(&parts, response, exchange);
        stages::capture::response_head(exchange, response);
        stages::map_error::head(response, exchange)?;
        stages::respond::pass_on(response, exchange)?;
        stages::coalesce::response_head(exchange, response);
        let status = response.status.as_u16();
        if status >= 200 {
            stages::gate::outcome(&parts, exchange, status)
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
        let parts = exchange.parts();
        let again = stages::attempt::not_connected(&parts, session, exchange);
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
        let parts = exchange.parts();
        stages::attempt::broken(&parts, session, exchange, error, reused)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Exchange,
    ) -> FailToProxy {
        let parts = exchange.parts();
        stages::respond::fail(&parts, session, exchange, error).await
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        let parts = exchange.parts();
        stages::capture::end(exchange);
        stages::close::exchange(&parts, &parts.tell, session, exchange, error);
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
