//! Workers: one thread, one runtime, one set of sockets and one pool of connections to the banks
//! for each core.
//!
//! Measured on two cores, a work-stealing runtime spends a quarter of the CPU of a call on waking
//! other threads. Here the kernel deals connections to workers (`SO_REUSEPORT`) and a call never
//! leaves its thread. The price: a single long HTTP/2 connection stays on one core.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pingora_core::apps::HttpServerOptions;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest, SocketDigest};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::front::Front;
use super::proxy::{Gateway, MAX_TRIES};
use super::tls::{ListenerTlsHandle, TlsError};
use crate::domain::config::{Config, ListenAddress, Listener};

/// Connections that wait to be accepted, per socket; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4096;

/// Idle connections kept to all banks, per worker. Fewer than the calls in flight would cost a
/// handshake now and then; more cost nothing until used.
const UPSTREAM_POOL: usize = 1024;

/// Pause after `accept` failed, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the end of the calls in flight is looked for while draining.
const DRAIN_TICK: Duration = Duration::from_millis(10);

/// Why the gateway cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {cause}")]
    Bind {
        /// The address.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The admin address cannot be bound.
    #[error(
        "cannot listen on {address} for probes and metrics: {cause}; write another \
         address, or \"off\" ([admin] address)"
    )]
    Admin {
        /// The address.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread or runtime cannot be started.
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Calls that were still in flight when the time was up.
    pub cut_off: usize,
}

/// Watches a server from outside, also after it has stopped.
#[derive(Clone)]
pub struct ServerWatch {
    wanted: usize,
    accepting: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl ServerWatch {
    /// How many sockets should accept connections: one for each worker and listener.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// How many do.
    pub fn accepting(&self) -> usize {
        self.accepting.load(Ordering::Relaxed)
    }

    /// Open connections, over all listeners.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// The running gateway.
pub struct Server {
    shutdown: watch::Sender<bool>,
    in_flight: Arc<AtomicUsize>,
    workers: Vec<JoinHandle<()>>,
    addresses: Vec<ListenAddress>,
    unix_sockets: Vec<PathBuf>,
    tls: Vec<ListenerTlsHandle>,
    watch: ServerWatch,
}

/// A socket that is bound, before a worker's runtime takes it.
enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Server {
    /// Binds every address, then starts the workers. `gateway` is shared by all of them.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left running.
    pub fn start(config: &Config, gateway: &Gateway) -> Result<Self, ServeError> {
        let (shutdown, watch) = watch::channel(false);
        let counts = ServerWatch {
            wanted: config.workers.max(1) * config.listeners.len(),
            // Bound sockets take connections; whoever is to accept them counts down at its end.
            accepting: Arc::new(AtomicUsize::new(
                config.workers.max(1) * config.listeners.len(),
            )),
            connections: Arc::default(),
        };
        let mut addresses = Vec::new();
        let mut unix_sockets = Vec::new();
        let mut acceptors = Vec::new();
        let mut sockets: Vec<Vec<(Bound, usize)>> =
            (0..config.workers).map(|_| Vec::new()).collect();
        for (index, listener) in config.listeners.iter().enumerate() {
            acceptors.push(match &listener.tls {
                Some(tls) => Some(ListenerTlsHandle::new(
                    &listener.address,
                    tls,
                    &config.callers.certificates,
                )?),
                None => None,
            });
            let bound = bind(listener, config.workers)?;
            addresses.push(bound.address);
            if let ListenAddress::Unix(path) = &listener.address {
                unix_sockets.push(path.clone());
            }
            for (worker, socket) in sockets.iter_mut().zip(bound.sockets) {
                worker.push((socket, index));
            }
        }
        let mut workers = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let worker = Worker {
                gateway: gateway.for_worker(),
                acceptors: acceptors.clone(),
                sockets,
                shutdown: watch.clone(),
                counts: counts.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("egret-{index}"))
                .spawn(move || worker.run())
                .map_err(ServeError::Worker)?;
            workers.push(thread);
        }
        Ok(Self {
            shutdown,
            in_flight: gateway.in_flight(),
            workers,
            addresses,
            unix_sockets,
            tls: acceptors.into_iter().flatten().collect(),
            watch: counts,
        })
    }

    /// The addresses that are listened on, with the ports that the system chose for port 0.
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// The TLS of each listener that has it.
    pub fn tls(&self) -> Vec<ListenerTlsHandle> {
        self.tls.clone()
    }

    /// Watches it from outside.
    pub fn watch(&self) -> ServerWatch {
        self.watch.clone()
    }

    /// Stops accepting, lets calls in flight end within `drain`, then ends the workers.
    pub fn stop(self, drain: Duration) -> StopReport {
        let _ = self.shutdown.send(true);
        let deadline = Instant::now() + drain;
        while self.in_flight.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            std::thread::sleep(DRAIN_TICK);
        }
        let cut_off = self.in_flight.load(Ordering::Acquire);
        // Dropping the channel tells the workers to end now.
        drop(self.shutdown);
        for worker in self.workers {
            let _ = worker.join();
        }
        for path in self.unix_sockets {
            let _ = std::fs::remove_file(path);
        }
        StopReport { cut_off }
    }
}

struct BoundListener {
    address: ListenAddress,
    sockets: Vec<Bound>,
}

/// Binds one address once for each worker.
fn bind(listener: &Listener, workers: usize) -> Result<BoundListener, ServeError> {
    let failed = |cause| ServeError::Bind {
        address: listener.address.to_string(),
        cause,
    };
    match &listener.address {
        ListenAddress::Tcp(address) => {
            let mut address = *address;
            let mut sockets = Vec::new();
            ensure_free(address).map_err(failed)?;
            for _ in 0..workers.max(1) {
                let socket = bind_tcp(address).map_err(failed)?;
                // Port 0: the first socket learns the port, the others share it.
                address = socket.local_addr().map_err(failed)?;
                sockets.push(Bound::Tcp(socket));
            }
            Ok(BoundListener {
                address: ListenAddress::Tcp(address),
                sockets,
            })
        }
        ListenAddress::Unix(path) => {
            let socket = bind_unix(path).map_err(failed)?;
            let mut sockets = Vec::new();
            for _ in 1..workers.max(1) {
                sockets.push(Bound::Unix(socket.try_clone().map_err(failed)?));
            }
            sockets.push(Bound::Unix(socket));
            Ok(BoundListener {
                address: listener.address.clone(),
                sockets,
            })
        }
    }
}

/// Binds a Unix socket, in place of one that a process has left behind.
pub(super) fn bind_unix(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    // A socket file of a process that has died is in the way; a live one is not ours.
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn tcp_socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Fails if somebody listens there already. With `SO_REUSEPORT` two gateways could share a port,
/// and its calls, without a word, each with a ledger of its own.
fn ensure_free(address: SocketAddr) -> io::Result<()> {
    tcp_socket(address)?.bind(&address.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = tcp_socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What one thread needs.
struct Worker {
    gateway: Gateway,
    acceptors: Vec<Option<ListenerTlsHandle>>,
    sockets: Vec<(Bound, usize)>,
    shutdown: watch::Receiver<bool>,
    counts: ServerWatch,
}

impl Worker {
    fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.work()),
            Err(error) => tracing::error!(%error, "a worker could not start its runtime"),
        }
    }

    async fn work(self) {
        let conf = ServerConf {
            threads: 1,
            upstream_keepalive_pool_size: UPSTREAM_POOL,
            max_retries: MAX_TRIES,
            ..ServerConf::default()
        };
        let mut proxy = HttpProxy::new(self.gateway.clone(), Arc::new(conf));
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        // CONNECT is refused by our own stages, with a record.
        options.allow_connect_method_proxying = true;
        options.h2_idle_timeout = Some(self.gateway.limits().idle);
        proxy.server_options = Some(options);
        proxy.handle_init_modules();
        let front = Arc::new(Front {
            proxy: Arc::new(proxy),
            gateway: self.gateway,
            shutdown: self.shutdown.clone(),
        });
        for (socket, listener) in self.sockets {
            let accept = Accept {
                front: Arc::clone(&front),
                acceptor: self.acceptors.get(listener).cloned().flatten(),
                connections: Arc::clone(&self.counts.connections),
                shutdown: self.shutdown.clone(),
                _accepting: Counted(Arc::clone(&self.counts.accepting)),
            };
            tokio::spawn(accept.run(socket));
        }
        let mut shutdown = self.shutdown;
        // Ends when the sender is dropped: then no call is in flight, or time is up.
        while shutdown.changed().await.is_ok() {}
    }
}

/// Accepts the connections of one socket.
struct Accept {
    front: Arc<Front>,
    acceptor: Option<ListenerTlsHandle>,
    connections: Arc<AtomicUsize>,
    shutdown: watch::Receiver<bool>,
    /// Counted as accepting until this ends, whatever ends it.
    _accepting: Counted,
}

/// What was counted once counts no more when this is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Accept {
    async fn run(self, socket: Bound) {
        let result = match socket {
            Bound::Tcp(socket) => match TcpListener::from_std(socket) {
                Ok(socket) => {
                    self.accept_tcp(&socket).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Bound::Unix(socket) => match UnixListener::from_std(socket) {
                Ok(socket) => {
                    self.accept_unix(&socket).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = result {
            tracing::error!(%error, "a worker cannot use its listening socket");
        }
    }

    async fn accept_tcp(mut self, socket: &TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = self.shutdown.changed() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let mut stream: L4Stream = stream.into();
                    if stream.set_nodelay().is_ok() {
                        let digest = socket_digest(&stream);
                        let _ = digest.peer_addr.set(Some(peer.into()));
                        stream.set_socket_digest(digest);
                        self.spawn(stream, Some(peer));
                    }
                }
                Err(error) => pause(&error).await,
            }
        }
    }

    async fn accept_unix(mut self, socket: &UnixListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = self.shutdown.changed() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let mut stream: L4Stream = stream.into();
                    let digest = socket_digest(&stream);
                    let _ = digest.peer_addr.set(None);
                    stream.set_socket_digest(digest);
                    self.spawn(stream, None);
                }
                Err(error) => pause(&error).await,
            }
        }
    }

    /// Serves the connection in a task of its own, unless there are too many.
    fn spawn(&self, stream: L4Stream, peer: Option<SocketAddr>) {
        let open = self.connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(&self.connections));
        if open >= self.front.gateway.limits().connections {
            tracing::warn!(open, "too many open connections; closing a new one");
            return;
        }
        let front = Arc::clone(&self.front);
        let acceptor = self.acceptor.as_ref().map(ListenerTlsHandle::acceptor);
        tokio::spawn(async move {
            front.serve(stream, acceptor.as_deref(), peer).await;
            drop(counted);
        });
    }
}

fn socket_digest(stream: &L4Stream) -> SocketDigest {
    SocketDigest::from_raw_fd(std::os::fd::AsRawFd::as_raw_fd(stream))
}

async fn pause(error: &io::Error) {
    tracing::error!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
