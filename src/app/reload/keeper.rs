//! The thread that reloads: it hears signals, looks at files and answers on the reload socket.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot};

use super::control::{self, Control, RELOAD_SOCKET};
use super::{Reloader, Report, Trigger};
use crate::adapters::seen_files::Look;

/// How often the files are looked at: one `stat` for each. A change is taken when two looks in a row see
/// the same, so that a file that is being written is not read.
const LOOK: Duration = Duration::from_secs(1);

/// Requests that wait while one is done.
const WAITING: usize = 16;

/// Somebody wants the configuration reloaded.
struct Request {
    trigger: Trigger,
    answer: oneshot::Sender<Report>,
}

/// Asks for reloads, from anywhere in the process.
#[derive(Clone)]
pub struct ReloadHandle {
    requests: mpsc::Sender<Request>,
}

impl ReloadHandle {
    /// Reloads the configuration; `None` if the gateway is stopping.
    pub async fn reload(&self, trigger: Trigger) -> Option<Report> {
        let (answer, report) = oneshot::channel();
        self.requests.send(Request { trigger, answer }).await.ok()?;
        report.await.ok()
    }
}

/// Whether another process is about to do this.
#[derive(Default)]
struct Paused {
    is_paused: AtomicBool,
    over: Notify,
}

/// The thread.
pub struct ReloadKeeper {
    handle: ReloadHandle,
    paused: Arc<Paused>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Duration>,
}

impl ReloadKeeper {
    /// Starts it. Whatever it cannot listen to is said, and the rest is done: a gateway without its
    /// reload socket is still a gateway.
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime for it.
    pub(crate) fn start(mut reloader: Reloader, data_dir: &Path) -> std::io::Result<Self> {
        let (requests, received) = mpsc::channel(WAITING);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = ReloadHandle { requests };
        let asking = handle.clone();
        let paused = Arc::<Paused>::default();
        let pausing = Arc::clone(&paused);
        let socket = data_dir.join(RELOAD_SOCKET);
        // Registered before this returns: from then on a SIGHUP does not end the process.
        let hangup = {
            let _inside = runtime.enter();
            signal(SignalKind::hangup())?
        };
        let thread = std::thread::Builder::new()
            .name("egret-reload".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let answering = async {
                        loop {
                            let control = listen(&socket);
                            let serving = async {
                                match &control {
                                    Some(control) => control::serve(control, &asking).await,
                                    None => std::future::pending().await,
                                }
                            };
                            // Another process has had the socket's place meanwhile.
                            tokio::select! {
                                () = serving => {}
                                () = pausing.over.notified() => {}
                            }
                        }
                    };
                    tokio::select! {
                        () = answering => {}
                        () = keep(&mut reloader, received, hangup, &pausing) => {}
                        _ = stopped => {}
                    }
                });
                reloader.drain()
            })?;
        Ok(Self {
            handle,
            paused,
            stop,
            thread,
        })
    }

    /// Another process is to take the place of this one: nothing is reloaded here meanwhile.
    pub fn pause(&self) {
        self.paused.is_paused.store(true, Ordering::SeqCst);
    }

    /// It has not, or is gone: this one goes on.
    pub fn go_on(&self) {
        self.paused.is_paused.store(false, Ordering::SeqCst);
        self.paused.over.notify_one();
    }

    /// Asks for reloads.
    pub fn handle(&self) -> ReloadHandle {
        self.handle.clone()
    }

    /// Ends it; a reload under way takes effect first, or not at all. Gives how long calls in flight
    /// may take to end.
    pub fn stop(self) -> Option<Duration> {
        let _ = self.stop.send(());
        self.thread.join().ok()
    }
}

fn listen(socket: &Path) -> Option<Control> {
    match control::listen(socket) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::warn!(
                path = %socket.display(),
                %error,
                "there is no reload socket: `egret config reload` cannot ask; SIGHUP still reloads"
            );
            None
        }
    }
}

async fn keep(
    reloader: &mut Reloader,
    mut requests: mpsc::Receiver<Request>,
    mut hangup: tokio::signal::unix::Signal,
    pausing: &Paused,
) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last: Option<Look> = None;
    loop {
        tokio::select! {
            Some(request) = requests.recv() => {
                let report = reloader.reload(&request.trigger).await;
                // Who has gone meanwhile finds it in the log.
                let _ = request.answer.send(report);
            }
            Some(()) = hangup.recv() => {
                if !pausing.is_paused.load(Ordering::SeqCst) {
                    reloader.reload(&Trigger::Signal).await;
                }
            }
            _ = looks.tick() => {
                reloader.free_retired();
                if !reloader.follows_files() || pausing.is_paused.load(Ordering::SeqCst) {
                    continue;
                }
                let now = reloader.seen().changed();
                if now.is_some() && now == last {
                    reloader.reload(&Trigger::Files).await;
                    last = None;
                } else {
                    last = now;
                }
            }
        }
    }
}
