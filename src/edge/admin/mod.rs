//! The admin listener: tells how the gateway is, and is the way to the admin API and the console.
//!
//! HTTP/1.1, behind TLS where others than this machine can reach it. One thread takes connections,
//! reads heads and answers probes, so that those are answered when every worker is busy, while the
//! journal is still being read at a start, and whatever a question to the ledger does. Everything
//! else is handed to a second thread, which runs the [router](api).

pub mod api;
pub mod console;
pub mod desk;
pub mod model;
mod probes;
mod tls;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

pub use self::tls::{AdminTls, PreparedAdminTls};

use self::api::door::{Door, Peer};
use self::desk::Desk;
use super::server::ServeError;
use super::sockets::{Bound, BoundListener, Inherited, SharedSockets, listen};
use crate::domain::config::{Admin, ListenAddress};
use crate::domain::health::{Bounds, Vitals, prometheus};

/// Connections at the same time: some agents, probes and pages; more is a mistake or worse.
const MAX_CONNECTIONS: usize = 64;

/// How long a request's header may take, and how long a connection may wait for the next.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a connection may live. Agents and browsers connect again without noticing; a tail ends
/// by itself before.
const CONNECTION_TIME: Duration = Duration::from_secs(600);

/// Largest request head: the least that hyper takes, and far more than any probe sends. A token of
/// an identity provider with many groups comes near.
const MAX_HEAD: usize = 16 << 10;

/// Pause after `accept` failed, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Looks at the gateway.
pub type Observe = Arc<dyn Fn() -> Vitals + Send + Sync>;

/// What answers beside the probes.
pub struct Beside {
    /// Answers questions.
    pub desk: Arc<dyn Desk>,
    /// Finds out who asks.
    pub door: Door,
    /// Version of the program.
    pub version: &'static str,
}

/// The running admin listener; stops when dropped.
pub struct AdminServer {
    listener: BoundListener,
    stop: Vec<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    socket_file: Option<PathBuf>,
    tls: Option<AdminTls>,
}

/// What every connection needs.
struct Shared {
    bounds: Bounds,
    observe: Observe,
    open_metrics: bool,
    tls: Option<AdminTls>,
    door: Arc<Door>,
    router: Router,
    /// Where the router runs.
    beside: Handle,
    room: Arc<Semaphore>,
}

impl AdminServer {
    /// Binds the address, unless its socket is inherited, and starts to answer.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn start(
        admin: &Admin,
        address: &ListenAddress,
        bounds: Bounds,
        observe: Observe,
        beside: Beside,
        inherited: &mut Inherited,
    ) -> Result<Self, ServeError> {
        let failed = |cause| ServeError::Admin {
            address: address.to_string(),
            cause,
        };
        let tls = admin.tls.as_ref().map(AdminTls::new).transpose()?;
        let listener = listen(address, 1, inherited).map_err(failed)?;
        let socket_file = listener.file();
        let bound = listener.sockets.first().map(Bound::try_clone);
        let bound = bound
            .unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
            .map_err(failed)?;
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(ServeError::Worker)
        };
        let (front, back) = (runtime()?, runtime()?);
        let door = Arc::new(beside.door);
        let metrics = {
            let observe = Arc::clone(&observe);
            Arc::new(move |format| prometheus::render(format, &observe(), &bounds))
        };
        let shared = Arc::new(Shared {
            bounds,
            observe,
            open_metrics: admin.open_metrics,
            tls: tls.clone(),
            router: api::router(beside.desk, Arc::clone(&door), beside.version, metrics),
            door,
            beside: back.handle().clone(),
            room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        });
        let (stop_front, stopped) = oneshot::channel::<()>();
        let front = spawn("egret-admin", move || {
            front.block_on(async {
                tokio::select! {
                    served = serve(bound, &shared) => if let Err(error) = served {
                        tracing::error!(%error, "the admin listener cannot use its socket");
                    },
                    _ = stopped => {}
                }
            });
        })?;
        let (stop_back, stopped) = oneshot::channel::<()>();
        let back = spawn("egret-api", move || {
            let _ = back.block_on(stopped);
            // What reads files for somebody who asked is not waited for.
            back.shutdown_background();
        })?;
        Ok(Self {
            listener,
            stop: vec![stop_front, stop_back],
            threads: vec![front, back],
            socket_file,
            tls,
        })
    }

    /// Where it listens, with the port that the system chose for port 0.
    pub fn address(&self) -> &ListenAddress {
        &self.listener.address
    }

    /// Its TLS, whose certificates can be replaced.
    pub fn tls(&self) -> Option<AdminTls> {
        self.tls.clone()
    }

    /// Its socket, for the process that is to answer next.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub fn share_socket(&self) -> io::Result<SharedSockets> {
        let sockets = self.listener.sockets.iter().map(Bound::share);
        Ok(SharedSockets {
            wanted: self.listener.wanted.to_string(),
            sockets: sockets.collect::<io::Result<_>>()?,
        })
    }

    /// Another process has the socket now: its file stays at the end.
    pub fn leave_socket(&mut self) {
        self.socket_file = None;
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ServeError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(ServeError::Worker)
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        for stop in self.stop.drain(..) {
            let _ = stop.send(());
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if let Some(path) = &self.socket_file {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn serve(bound: Bound, shared: &Arc<Shared>) -> io::Result<()> {
    match bound {
        Bound::Tcp(socket) => {
            let socket = TcpListener::from_std(socket)?;
            loop {
                match socket.accept().await {
                    Ok((stream, from)) => {
                        let _ = stream.set_nodelay(true);
                        let peer = Peer {
                            address: Some(from.ip()),
                            ..Peer::default()
                        };
                        begin(stream, peer, shared);
                    }
                    Err(error) => pause(&error).await,
                }
            }
        }
        Bound::Unix(socket) => {
            let socket = UnixListener::from_std(socket)?;
            loop {
                match socket.accept().await {
                    Ok((stream, _)) => begin(stream, Peer::default(), shared),
                    Err(error) => pause(&error).await,
                }
            }
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::error!(%error, "cannot accept a connection on the admin listener");
    sleep(ACCEPT_PAUSE).await;
}

/// Serves the connection in a task of its own, unless there are too many.
fn begin<S>(stream: S, mut peer: Peer, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(place) = Arc::clone(&shared.room).try_acquire_owned() else {
        return;
    };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let Some(acceptor) = shared.tls.as_ref().map(AdminTls::acceptor) else {
            // What goes wrong on a connection is the peer's affair.
            let _ = timeout(CONNECTION_TIME, connection(stream, peer, shared)).await;
            drop(place);
            return;
        };
        if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
            peer.is_tls = true;
            let certificates = stream.get_ref().1.peer_certificates();
            let der = certificates.and_then(|chain| chain.first());
            peer.certificate = der.and_then(|der| shared.door.certificates().person(der));
            let _ = timeout(CONNECTION_TIME, connection(stream, peer, shared)).await;
        }
        drop(place);
    });
}

async fn connection<S>(stream: S, peer: Peer, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request| {
        let (peer, shared) = (peer.clone(), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(shared.answer(request, peer).await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// Ends a task with whoever waits for it.
struct Aborting<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    async fn answer(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let is_here = peer.address.is_none_or(|address| address.is_loopback());
        let probed = probes::answer(
            request.method(),
            request.uri().path(),
            &probes::Asker {
                sees_checks: is_here,
                sees_metrics: self.open_metrics,
                format: probes::format_of(request.headers()),
            },
            self.bounds,
            &*self.observe,
        );
        if let Some(answer) = probed {
            return answer;
        }
        request.extensions_mut().insert(peer);
        let router = TowerToHyperService::new(self.router.clone());
        let mut task = Aborting(
            self.beside
                .spawn(async move { hyper::service::Service::call(&router, request).await }),
        );
        match (&mut task.0).await {
            Ok(Ok(answer)) => answer,
            // The router does not fail; a task that is gone was ended by the stop.
            _ => probes::gone(),
        }
    }
}
