//! The thread that reloads: it hears signals, looks at files and does what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::{Reloader, Report, Trigger};
use crate::adapters::seen_files::Look;
use crate::adapters::service_manager;

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

/// The thread.
pub struct ReloadKeeper {
    handle: ReloadHandle,
    /// Another process is about to do this.
    paused: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ReloadKeeper {
    /// Starts it.
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime for it.
    pub(crate) fn start(mut reloader: Reloader) -> std::io::Result<Self> {
        let (requests, received) = mpsc::channel(WAITING);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = ReloadHandle { requests };
        let paused = Arc::<AtomicBool>::default();
        let pausing = Arc::clone(&paused);
        // Registered before this returns: from then on a SIGHUP does not end the process.
        let hangup = {
            let _inside = runtime.enter();
            signal(SignalKind::hangup())?
        };
        let thread = std::thread::Builder::new()
            .name("egret-reload".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = keep(&mut reloader, received, hangup, &pausing) => {}
                        _ = stopped => {}
                    }
                });
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
        self.paused.store(true, Ordering::SeqCst);
    }

    /// It has not, or is gone: this one goes on.
    pub fn go_on(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Asks for reloads.
    pub fn handle(&self) -> ReloadHandle {
        self.handle.clone()
    }

    /// Ends it; a reload under way takes effect first, or not at all.
    pub fn stop(self) {
        let _ = self.stop.send(());
        // A panic of the thread has been logged.
        let _ = self.thread.join();
    }
}

async fn keep(
    reloader: &mut Reloader,
    mut requests: mpsc::Receiver<Request>,
    mut hangup: tokio::signal::unix::Signal,
    pausing: &AtomicBool,
) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last: Option<Look> = None;
    loop {
        tokio::select! {
            Some(request) = requests.recv() => {
                let report = reload(reloader, &request.trigger).await;
                // Who has gone meanwhile finds it in the log.
                let _ = request.answer.send(report);
            }
            Some(()) = hangup.recv() => {
                if !pausing.load(Ordering::SeqCst) {
                    reload(reloader, &Trigger::Signal).await;
                }
            }
            _ = looks.tick() => {
                reloader.free_retired();
                if !reloader.follows_files() || pausing.load(Ordering::SeqCst) {
                    continue;
                }
                let now = reloader.seen().changed();
                if now.is_some() && now == last {
                    reload(reloader, &Trigger::Files).await;
                    last = None;
                } else {
                    last = now;
                }
            }
        }
    }
}

/// Reloads; a service manager hears when that begins and when it is over, whatever came of it.
async fn reload(reloader: &mut Reloader, trigger: &Trigger) -> Report {
    service_manager::reloading();
    let report = reloader.reload(trigger).await;
    service_manager::ready();
    report
}
