//! Workers: one thread, one runtime, one set of sockets and one pool of connections to the banks
//! for each core.
//!
//! Measured on two cores, a work-stealing runtime spends a quarter of the CPU of a call on waking
//! other threads. Here the kernel deals connections to workers (`SO_REUSEPORT`) and a call never
//! leaves its thread. The price: a single long HTTP/2 connection stays on one core.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
use super::sockets::{Bound, BoundListener, Inherited, SharedSockets, listen};
use super::tls::{ListenerTlsHandle, TlsError};
use crate::adapters::pulse::Pulse;
use crate::domain::config::{Config, ListenAddress};

/// Idle connections kept to all banks, per worker. Fewer than the calls in flight would cost a
/// handshake now and then; more cost nothing until used.
const UPSTREAM_POOL: usize = 1024;

/// Pause after `accept` failed, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the end of the calls in flight is looked for while draining.
const DRAIN_TICK: Duration = Duration::from_millis(10);

/// How long no call may have been in flight before a stop believes that none comes: requests of
/// connections that were accepted last are read in that time.
const QUIET: Duration = Duration::from_millis(50);

/// Why the gateway cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error(
        "cannot listen on {address}: {cause}; write another address ([[listener]] address), or stop what listens there"
    )]
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
    pulse: Pulse,
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

    /// For how long the most silent worker has not said that it goes on.
    pub fn silence(&self) -> Duration {
        self.pulse.silence()
    }

    /// Open connections, over all listeners.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Whether connections are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Accepting,
    /// Another process does; the sockets are kept in case it does not any more.
    Paused,
    Closed,
}

/// The running gateway.
pub struct Server {
    /// True while connections shall end: answers say so, and HTTP/2 is told to go away.
    shutdown: watch::Sender<bool>,
    phase: watch::Sender<Phase>,
    in_flight: Arc<AtomicUsize>,
    workers: Vec<JoinHandle<()>>,
    addresses: Vec<ListenAddress>,
    listeners: Vec<BoundListener>,
    unix_sockets: Vec<PathBuf>,
    tls: Vec<ListenerTlsHandle>,
    watch: ServerWatch,
}

impl Server {
    /// Binds every address that is not inherited, then starts the workers. `gateway` is shared by
    /// all of them.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left running.
    pub fn start(
        config: &Config,
        gateway: &Gateway,
        inherited: &mut Inherited,
    ) -> Result<Self, ServeError> {
        let workers = config.workers.max(1);
        let mut acceptors = Vec::new();
        let mut listeners = Vec::new();
        let mut sockets: Vec<Vec<(Bound, usize)>> = (0..workers).map(|_| Vec::new()).collect();
        for (index, listener) in config.listeners.iter().enumerate() {
            acceptors.push(match &listener.tls {
                Some(tls) => Some(ListenerTlsHandle::new(
                    &listener.address,
                    tls,
                    &config.callers.certificates,
                )?),
                None => None,
            });
            let failed = |cause| ServeError::Bind {
                address: listener.address.to_string(),
                cause,
            };
            let bound = listen(&listener.address, workers, inherited).map_err(failed)?;
            // More than one for each worker if the process before had more workers.
            for (at, socket) in bound.sockets.iter().enumerate() {
                if let Some(worker) = sockets.get_mut(at % workers) {
                    worker.push((socket.try_clone().map_err(failed)?, index));
                }
            }
            listeners.push(bound);
        }
        let (shutdown, watch) = watch::channel(false);
        let (phase, phases) = watch::channel(Phase::Accepting);
        let wanted = listeners.iter().map(|bound| bound.sockets.len()).sum();
        let counts = ServerWatch {
            wanted,
            // Bound sockets take connections; whoever is to accept them counts down at its end.
            accepting: Arc::new(AtomicUsize::new(wanted)),
            connections: Arc::default(),
            pulse: Pulse::of(workers),
        };
        let mut threads = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let worker = Worker {
                index,
                gateway: gateway.for_worker(),
                acceptors: acceptors.clone(),
                sockets,
                shutdown: watch.clone(),
                phase: phases.clone(),
                counts: counts.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("egret-{index}"))
                .spawn(move || worker.run())
                .map_err(ServeError::Worker)?;
            threads.push(thread);
        }
        Ok(Self {
            shutdown,
            phase,
            in_flight: gateway.in_flight(),
            workers: threads,
            addresses: listeners
                .iter()
                .map(|bound| bound.address.clone())
                .collect(),
            unix_sockets: listeners.iter().filter_map(BoundListener::file).collect(),
            listeners,
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

    /// Its sockets, for the process that is to accept next.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub fn share_sockets(&self) -> io::Result<Vec<SharedSockets>> {
        let share = |bound: &BoundListener| {
            let sockets = bound.sockets.iter().map(Bound::share);
            Ok(SharedSockets {
                wanted: bound.wanted.to_string(),
                sockets: sockets.collect::<io::Result<_>>()?,
            })
        };
        self.listeners.iter().map(share).collect()
    }

    /// Leaves accepting to another process, which has the same sockets. Connections that are open
    /// are served and told to end with their next answer.
    pub fn pause(&self) {
        self.phase.send_replace(Phase::Paused);
        self.shutdown.send_replace(true);
    }

    /// Accepts again: the other process is gone.
    pub fn resume(&self) {
        self.shutdown.send_replace(false);
        self.phase.send_replace(Phase::Accepting);
    }

    /// Open connections of callers.
    pub fn connections(&self) -> usize {
        self.watch.connections()
    }

    /// The sockets belong to another process now: their files stay at the end.
    pub fn leave_sockets(&mut self) {
        self.unix_sockets.clear();
        self.listeners.clear();
    }

    /// Tells connections to end: each answer from here on is the last of its connection.
    pub fn end_connections(&self) {
        self.shutdown.send_replace(true);
    }

    /// Stops. Connections are told to end, for `delay` new ones are still accepted, so that load
    /// balancers can notice; then calls in flight may end within `drain`, unless `hurry` becomes
    /// true; then the workers end.
    pub fn stop(self, delay: Duration, drain: Duration, hurry: &AtomicBool) -> StopReport {
        self.end_connections();
        let until = Instant::now() + delay;
        while Instant::now() < until && !hurry.load(Ordering::Relaxed) {
            std::thread::sleep(DRAIN_TICK);
        }
        self.phase.send_replace(Phase::Closed);
        drop(self.listeners);
        let deadline = Instant::now() + drain;
        let mut quiet_since = None;
        loop {
            let now = Instant::now();
            if now >= deadline || hurry.load(Ordering::Relaxed) {
                break;
            }
            if self.in_flight.load(Ordering::Acquire) > 0 {
                quiet_since = None;
            } else if now.duration_since(*quiet_since.get_or_insert(now)) >= QUIET {
                break;
            }
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

/// What one thread needs.
struct Worker {
    index: usize,
    gateway: Gateway,
    acceptors: Vec<Option<ListenerTlsHandle>>,
    sockets: Vec<(Bound, usize)>,
    shutdown: watch::Receiver<bool>,
    phase: watch::Receiver<Phase>,
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
                phase: self.phase.clone(),
                _accepting: Counted(Arc::clone(&self.counts.accepting)),
            };
            tokio::spawn(accept.run(socket));
        }
        tokio::spawn(self.counts.pulse.go_on(self.index));
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
    phase: watch::Receiver<Phase>,
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
        while let Some(accepted) = self.next(|| socket.accept()).await {
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
        while let Some(accepted) = self.next(|| socket.accept()).await {
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

    /// The next connection; `None` when no more are to be accepted. Those that wait then are: they
    /// would be reset otherwise, and their callers were told that somebody listens.
    async fn next<T, W: Future<Output = io::Result<T>>>(
        &mut self,
        accept: impl Fn() -> W,
    ) -> Option<io::Result<T>> {
        loop {
            let phase = *self.phase.borrow_and_update();
            let changed = self.phase.changed();
            match phase {
                Phase::Accepting => tokio::select! {
                    accepted = accept() => return Some(accepted),
                    changed = changed => changed.ok()?,
                },
                Phase::Paused => changed.await.ok()?,
                Phase::Closed => {
                    let waiting = tokio::time::timeout(Duration::ZERO, accept()).await;
                    return waiting.ok()?.ok().map(Ok);
                }
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
