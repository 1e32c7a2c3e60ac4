//! From ready to the end: signals, and what commands ask for.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::adapters::control::{Client, Control, Reply, Request};
use crate::adapters::machine;
use crate::adapters::service_manager;
use crate::app::handover::{Afterwards, AskedBy, Program, Successor};
use crate::app::reload::{Answer, ReloadHandle, Trigger};
use crate::app::{Running, Stopped, VERSION, lockdown};
use crate::cli::Failure;

/// How often what an upgrade that came to nothing has left undone is tried again.
const MEND: Duration = Duration::from_secs(5);

/// What has happened.
enum Event {
    Stop,
    LockDown,
    Upgrade(Option<Client>, Program),
}

/// Where things happen.
struct Events {
    terminate: Signal,
    interrupt: Signal,
    emergency: Signal,
    upgrade: Signal,
    control: Option<Control>,
    reloads: Option<ReloadHandle>,
    program: Program,
}

impl Events {
    fn new(program: Program, running: &Running) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            emergency: signal(SignalKind::user_defined1())?,
            upgrade: signal(SignalKind::user_defined2())?,
            control: bind(&running.config().data_dir),
            reloads: running.reloads(),
            program,
        })
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.next_or_reload().await {
                return event;
            }
        }
    }

    /// The next event; `None` if it was a request to reload, which is answered beside all of this.
    async fn next_or_reload(&mut self) -> Option<Event> {
        let asked = async {
            match &self.control {
                Some(control) => control.next().await,
                None => std::future::pending().await,
            }
        };
        Some(tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.emergency.recv() => Event::LockDown,
            _ = self.upgrade.recv() => Event::Upgrade(None, self.program.clone()),
            (request, client) = asked => match request {
                Request::Upgrade { binary } => {
                    let mut program = self.program.clone();
                    program.binary = binary.unwrap_or(program.binary);
                    Event::Upgrade(Some(client), program)
                }
                Request::Reload => {
                    tokio::spawn(reload(self.reloads.clone(), client));
                    return None;
                }
            },
        })
    }

    /// Waits for work in a thread; `stop` becomes true when the gateway shall stop meanwhile.
    async fn until<T>(
        &mut self,
        done: oneshot::Receiver<T>,
        stop: &AtomicBool,
        sentinel: &Path,
    ) -> Result<T, Failure> {
        tokio::pin!(done);
        loop {
            tokio::select! {
                done = &mut done => return done.map_err(|_| Failure::new("a thread has panicked")),
                event = self.next() => match event {
                    Event::Stop => stop.store(true, Ordering::SeqCst),
                    Event::LockDown => lock_down(sentinel),
                    Event::Upgrade(client, _) => {
                        let why = "the gateway is being stopped or upgraded already".to_owned();
                        answer(client, Reply::Failed { why }).await;
                    }
                },
            }
        }
    }
}

fn bind(data_dir: &Path) -> Option<Control> {
    match Control::bind(data_dir) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::warn!(
                directory = %data_dir.display(),
                %error,
                "there is no control socket: commands cannot ask this gateway for a reload or an \
                 upgrade, signals can"
            );
            None
        }
    }
}

/// Has the configuration reloaded for somebody, and tells what came of it.
async fn reload(reloads: Option<ReloadHandle>, client: Client) {
    let trigger = Trigger::Person {
        name: machine::name_of(client.user),
        via: "command",
    };
    let report = match &reloads {
        Some(reloads) => reloads.reload(trigger).await,
        None => None,
    };
    let report = report.map(|report| serde_json::to_value(Answer::from(report)));
    let reply = match report {
        Some(Ok(report)) => Reply::Report { report },
        _ => Reply::Failed {
            why: "the gateway is stopping".to_owned(),
        },
    };
    client.answer(&reply).await;
}

async fn answer(client: Option<Client>, reply: Reply) {
    if let Some(client) = client {
        client.answer(&reply).await;
    }
}

/// Runs the gateway until it is stopped, or another process has taken its place.
pub fn live(running: Running, program: Program) -> Result<Stopped, Failure> {
    crate::cli::runtime()?.block_on(async {
        let data_dir = running.config().data_dir.clone();
        let sentinel = running.config().lockdown.sentinel.clone();
        let mut events = Events::new(program, &running)?;
        super::announce(&running);
        let mut running = running;
        let stop = Arc::new(AtomicBool::new(false));
        while !stop.load(Ordering::SeqCst) {
            let event = tokio::select! {
                event = events.next() => event,
                () = tokio::time::sleep(MEND), if running.is_incomplete() => {
                    // In a thread: it waits for the ledger, and has runtimes of its own.
                    let work = in_thread(move || {
                        running.mend();
                        running
                    })?;
                    running = events.until(work, &stop, &sentinel).await?;
                    continue;
                }
            };
            match event {
                Event::Stop => break,
                Event::LockDown => lock_down(&sentinel),
                Event::Upgrade(client, program) => {
                    let upgrade = Upgrade {
                        stop: Arc::clone(&stop),
                        sentinel: &sentinel,
                        events: &mut events,
                    };
                    match upgrade.run(running, client, program).await? {
                        (gateway, Afterwards::TakenBack) => {
                            events.control = bind(&data_dir);
                            running = gateway;
                        }
                        (gateway, Afterwards::Ended) => {
                            events.control = None;
                            return end(&mut events, gateway, &sentinel).await;
                        }
                    }
                }
            }
        }
        service_manager::stopping("calls in flight end");
        tracing::info!("stopping: no new connections, calls in flight may end");
        if let Some(control) = events.control.take() {
            control.remove();
        }
        end(&mut events, running, &sentinel).await
    })
}

/// Stops, and at once if it is asked again.
async fn end(events: &mut Events, running: Running, sentinel: &Path) -> Result<Stopped, Failure> {
    let hurry = Arc::new(AtomicBool::new(false));
    let hurried = Arc::clone(&hurry);
    let stopped = in_thread(move || running.stop(&hurried))?;
    events.until(stopped, &hurry, sentinel).await
}

fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<oneshot::Receiver<T>> {
    let (done, wait) = oneshot::channel();
    std::thread::Builder::new()
        .name("egret-life".to_owned())
        .spawn(move || drop(done.send(work())))?;
    Ok(wait)
}

struct Upgrade<'a> {
    stop: Arc<AtomicBool>,
    sentinel: &'a Path,
    events: &'a mut Events,
}

impl Upgrade<'_> {
    /// Hands over, and serves what is left here. Gives the gateway back and what it has to do now.
    async fn run(
        self,
        mut running: Running,
        client: Option<Client>,
        program: Program,
    ) -> Result<(Running, Afterwards), Failure> {
        let by = client
            .as_ref()
            .map_or(AskedBy::Signal, |client| AskedBy::User(client.user));
        let abort = Arc::clone(&self.stop);
        let work = in_thread(move || {
            let done = running.hand_over(&program, &by, &abort);
            (running, done)
        })?;
        let (mut running, done) = self.events.until(work, &self.stop, self.sentinel).await?;
        let mut successor: Successor = match done {
            Ok(successor) => successor,
            Err(error) => {
                let why = error.to_string();
                tracing::error!(why, "no upgrade: this process goes on");
                answer(client, Reply::Failed { why }).await;
                return Ok((running, Afterwards::TakenBack));
            }
        };
        let pid = successor.pid();
        service_manager::main_process(pid);
        let said =
            format!("process {pid} has taken over; this one, egret {VERSION}, ends its calls");
        answer(client, Reply::Done { said }).await;
        let stop = Arc::clone(&self.stop);
        let work = in_thread(move || {
            let afterwards = running.serve_out(&mut successor, &stop);
            (running, afterwards)
        })?;
        let (running, afterwards) = self.events.until(work, &self.stop, self.sentinel).await?;
        match afterwards {
            Afterwards::Ended => tracing::info!("the connections of this process have ended"),
            Afterwards::TakenBack => {
                service_manager::main_process(std::process::id());
                tracing::error!(
                    pid,
                    "the process that had taken over is gone: this one serves again"
                );
            }
        }
        Ok((running, afterwards))
    }
}

/// Somebody has asked by signal that no call goes out any more.
fn lock_down(sentinel: &Path) {
    let path = sentinel.display();
    match lockdown::raise_sentinel(sentinel) {
        Ok(true) => tracing::error!(
            sentinel = %path,
            "SIGUSR1: everything is locked down by a sentinel file"
        ),
        Ok(false) => tracing::warn!(
            sentinel = %path,
            "SIGUSR1: everything is locked down already"
        ),
        Err(error) => tracing::error!(
            sentinel = %path,
            %error,
            "SIGUSR1: the sentinel file cannot be made, so nothing is locked down; stop the gateway"
        ),
    }
}
