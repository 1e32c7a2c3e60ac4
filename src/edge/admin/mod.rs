//! The admin listener: tells how the gateway is.
//!
//! Plain HTTP/1.1 on a thread of its own, so that it answers when every worker is busy and while
//! the journal is still being read at a start. It reads; nothing can be changed through it. What it
//! tells is no secret, but nobody is asked who they are either, so the configuration keeps it on
//! loopback or a Unix socket.

mod routes;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::server::ServeError;
use super::sockets::{Bound, BoundListener, Inherited, SharedSockets, listen};
use crate::domain::config::ListenAddress;
use crate::domain::health::{Bounds, Vitals};

/// Connections at the same time: some agents and probes; more is a mistake or worse.
const MAX_CONNECTIONS: usize = 64;

/// How long a request's header may take, and how long a connection may wait for the next.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long a connection may live. An agent that scrapes connects again without noticing.
const CONNECTION_TIME: Duration = Duration::from_secs(600);

/// Largest request head: the least that hyper takes, and far more than any probe sends.
const MAX_HEAD: usize = 8 << 10;

/// Pause after `accept` failed, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Looks at the gateway.
pub type Observe = Arc<dyn Fn() -> Vitals + Send + Sync>;

/// The running admin listener; stops when dropped.
pub struct AdminServer {
    listener: BoundListener,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    socket_file: Option<PathBuf>,
}

impl AdminServer {
    /// Binds the address, unless its socket is inherited, and starts to answer.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn start(
        address: &ListenAddress,
        bounds: Bounds,
        observe: Observe,
        inherited: &mut Inherited,
    ) -> Result<Self, ServeError> {
        let failed = |cause| ServeError::Admin {
            address: address.to_string(),
            cause,
        };
        let listener = listen(address, 1, inherited).map_err(failed)?;
        let socket_file = listener.file();
        let bound = listener.sockets.first().map(Bound::try_clone);
        let bound = bound
            .unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
            .map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Worker)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("egret-admin".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        served = serve(bound, bounds, observe) => if let Err(error) = served {
                            tracing::error!(%error, "the admin listener cannot use its socket");
                        },
                        _ = stopped => {}
                    }
                });
            })
            .map_err(ServeError::Worker)?;
        Ok(Self {
            listener,
            stop: Some(stop),
            thread: Some(thread),
            socket_file,
        })
    }

    /// Where it listens, with the port that the system chose for port 0.
    pub fn address(&self) -> &ListenAddress {
        &self.listener.address
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

impl Drop for AdminServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(path) = &self.socket_file {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn serve(bound: Bound, bounds: Bounds, observe: Observe) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    match bound {
        Bound::Tcp(socket) => {
            let socket = TcpListener::from_std(socket)?;
            loop {
                match socket.accept().await {
                    Ok((stream, _)) => spawn(stream, &room, bounds, &observe),
                    Err(error) => pause(&error).await,
                }
            }
        }
        Bound::Unix(socket) => {
            let socket = UnixListener::from_std(socket)?;
            loop {
                match socket.accept().await {
                    Ok((stream, _)) => spawn(stream, &room, bounds, &observe),
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
fn spawn<S>(stream: S, room: &Arc<Semaphore>, bounds: Bounds, observe: &Observe)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(place) = Arc::clone(room).try_acquire_owned() else {
        return;
    };
    let observe = Arc::clone(observe);
    tokio::spawn(async move {
        let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let answer = routes::answer(request.method(), request.uri().path(), bounds, &*observe);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), answer);
        // What goes wrong on a connection is the peer's affair.
        let _ = timeout(CONNECTION_TIME, connection).await;
        drop(place);
    });
}
