//! The running gateway watches its own ledger: rows become events, events alerts, alerts incidents.
//!
//! One thread does it, behind those of calls, from the ledger alone: nothing on the way of a call
//! knows of it, and when it is late or stands still, calls go on. What it has not said it says
//! later, since it goes by its place in the ledger:
//!
//! 1. rows behind the place are read and shown to the engine;
//! 2. what the engine says is put into the book of incidents, on disk, before more is read;
//! 3. every minute the engine's state is kept together with the place.
//!
//! After a crash the rows behind the kept place are judged again; what the book has heard already
//! it does not take twice.

mod keep;
mod session;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use self::keep::Keeper;
use self::session::{Session, Turn};
use super::responses::Responder;
use crate::adapters::clock;
use crate::adapters::journal::Journal;
use crate::adapters::ledger::{LedgerError, LedgerFeed};
use crate::adapters::network_map::{self, MapFile, NetworkMapError};
use crate::adapters::notify::{Desk, DeskError, DeskRules};
use crate::adapters::priority;
use crate::domain::config::Config;
use crate::domain::detect::{NetworkMap, NoMap, Severity};
use crate::domain::health::DetectionVitals;
use crate::domain::incident::Sign;
use crate::types::Micros;

/// How often the ledger is asked for rows when there was none: with the time that rows gather on
/// their way, half a second from the end of a call to here.
const POLL: Duration = Duration::from_millis(250);
/// The pause after a failure, doubled each time up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How late rows may come into the ledger for silence in it to be silence; below what the engine
/// allows for.
const FED_WITHIN: Duration = Duration::from_secs(3);
/// How long people are told later of what something may be done about, so that they are told of that
/// too: placing a lock takes some milliseconds.
const HOLD: Duration = Duration::from_millis(1_500);
/// How often the open incidents are counted.
const COUNT: Duration = Duration::from_secs(5);
/// How long a stop waits for the state to be kept.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Why nothing is detected for the moment.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error("what was learned cannot be kept: {0}")]
    Keep(String),
}

/// Why detection cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum DetectionError {
    /// The map of networks cannot be used.
    #[error(transparent)]
    Map(#[from] NetworkMapError),
    /// The incidents cannot be kept.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// No thread could be started.
    #[error("cannot start the thread that watches the ledger: {0}")]
    Thread(#[from] io::Error),
}

/// Reads the operator's map of networks, if there is one and it is needed.
///
/// # Errors
/// [`DetectionError::Map`].
pub fn read_map(config: &Config) -> Result<Option<MapFile>, DetectionError> {
    let path = config.detect.netmap.as_deref();
    let wanted = path.filter(|_| config.detect.enabled);
    Ok(wanted.map(network_map::read).transpose()?)
}

/// Starts detection, if it is wanted.
///
/// # Errors
/// [`DetectionError`].
pub fn start(
    config: &Config,
    map: Option<MapFile>,
    journal: &Arc<Journal>,
    feed: &Arc<LedgerFeed>,
    rules: Arc<ArcSwap<DeskRules>>,
) -> Result<Option<Detections>, DetectionError> {
    if !config.detect.enabled {
        return Ok(None);
    }
    let (journal, feed) = (Arc::clone(journal), Arc::clone(feed));
    let is_fed = move |now: Micros| {
        let behind = journal.state().behind_since;
        !feed.stats().failing && behind.is_none_or(|since| now.since(since) < FED_WITHIN)
    };
    let desk = super::alerts::desk(config)?;
    let running = Detections::start(config, map, desk, rules, Arc::new(is_fed))?;
    Ok(Some(running))
}

/// Whether what this node has recorded is in the ledger.
pub type IsFed = Arc<dyn Fn(Micros) -> bool + Send + Sync>;

/// What there is to know about detection, for others.
#[derive(Debug, Default)]
pub struct Watched {
    /// Whether this node detects.
    leading: AtomicBool,
    failing: AtomicBool,
    /// Until when rows were judged, in microseconds since 1970; 0 before the first look.
    judged_to: AtomicI64,
    events: AtomicU64,
    alerts: [AtomicU64; 5],
    open: AtomicU64,
    acknowledged: AtomicU64,
    responses: Arc<AtomicU64>,
}

impl Watched {
    fn alert(&self, severity: Severity) {
        if let Some(count) = self.alerts.get(severity as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The figures.
    pub fn vitals(&self) -> DetectionVitals {
        let [info, low, medium, high, critical] = [0, 1, 2, 3, 4].map(|at| {
            self.alerts
                .get(at)
                .map_or(0, |count| count.load(Ordering::Relaxed))
        });
        DetectionVitals {
            leading: self.leading.load(Ordering::Relaxed),
            failing: self.failing.load(Ordering::Relaxed),
            judged_to: match self.judged_to.load(Ordering::Relaxed) {
                0 => None,
                at => Some(Micros(at)),
            },
            events: self.events.load(Ordering::Relaxed),
            alerts: [
                ("info", info),
                ("low", low),
                ("medium", medium),
                ("high", high),
                ("critical", critical),
            ],
            open: self.open.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            responses: self.responses.load(Ordering::Relaxed),
        }
    }
}

/// The running detection.
pub struct Detections {
    stop: Arc<Stop>,
    watched: Arc<Watched>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Stop {
    wanted: AtomicBool,
    wake: Notify,
}

impl Detections {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread or no runtime.
    pub fn start(
        config: &Config,
        map: Option<MapFile>,
        desk: Desk,
        rules: Arc<ArcSwap<DeskRules>>,
        is_fed: IsFed,
    ) -> io::Result<Self> {
        let stop = Arc::<Stop>::default();
        let responder = Responder::new(config);
        let watched = Arc::new(Watched {
            responses: responder.done(),
            ..Watched::default()
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let config = config.clone();
        let (until, seen) = (Arc::clone(&stop), Arc::clone(&watched));
        let thread = std::thread::Builder::new()
            .name("egret-detect".to_owned())
            .spawn(move || {
                priority::go_behind();
                let detector = Detector {
                    keeper: Keeper::of(&config),
                    responder,
                    map: map.map_or_else(
                        || Box::new(NoMap) as Box<dyn NetworkMap>,
                        |map| Box::new(map),
                    ),
                    config,
                    desk,
                    known_rules: rules.load_full(),
                    rules,
                    is_fed,
                    watched: seen,
                    session: None,
                    counted_at: Micros(0),
                };
                runtime.block_on(detector.run(&until));
            })?;
        Ok(Self {
            stop,
            watched,
            thread,
        })
    }

    /// What there is to know about it.
    pub fn watched(&self) -> Arc<Watched> {
        Arc::clone(&self.watched)
    }

    /// Stops, and keeps what was learned.
    pub fn stop(self) {
        self.stop.wanted.store(true, Ordering::SeqCst);
        self.stop.wake.notify_one();
        // A panic of the thread has been logged.
        let _ = self.thread.join();
    }
}

struct Detector {
    config: Config,
    keeper: Keeper,
    responder: Responder,
    map: Box<dyn NetworkMap>,
    desk: Desk,
    /// What the configuration says of incidents; replaced when it is reloaded.
    rules: Arc<ArcSwap<DeskRules>>,
    known_rules: Arc<DeskRules>,
    is_fed: IsFed,
    watched: Arc<Watched>,
    /// What is there while this node detects.
    session: Option<Session>,
    counted_at: Micros,
}

impl Detector {
    async fn run(mut self, stop: &Stop) {
        let mut retry = None;
        while !stop.wanted.load(Ordering::SeqCst) {
            let pause = match self.turn().await {
                Ok(turn) => {
                    if retry.take().is_some() {
                        self.watched.failing.store(false, Ordering::Relaxed);
                        tracing::info!(target: "egret::detect", "the ledger is being watched again");
                    }
                    match turn {
                        Turn::More => continue,
                        Turn::Done => POLL,
                    }
                }
                Err(error) => {
                    if retry.is_none() {
                        self.watched.failing.store(true, Ordering::Relaxed);
                        tracing::error!(
                            target: "egret::detect",
                            %error,
                            "the ledger is not being watched; calls go on, and what happens now is \
                             judged later"
                        );
                    }
                    let pause =
                        retry.map_or(FIRST_RETRY, |last: Duration| (last * 2).min(LAST_RETRY));
                    retry = Some(pause);
                    pause
                }
            };
            let _ = tokio::time::timeout(pause, stop.wake.notified()).await;
        }
        if let Some(session) = self.session.take() {
            let kept = tokio::time::timeout(STOP_TIME, session.keep(&mut self.keeper)).await;
            let kept = kept.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            if let Err(error) = kept {
                tracing::warn!(
                    target: "egret::detect",
                    error,
                    "what was learned since it was kept last is learned again at the next start"
                );
            }
        }
        self.keeper.release().await;
    }

    /// Looks at the ledger once.
    async fn turn(&mut self) -> Result<Turn, Fault> {
        let rules = self.rules.load_full();
        if !Arc::ptr_eq(&rules, &self.known_rules) {
            self.desk.retune(&rules);
            self.known_rules = rules;
        }
        let leads = self.keeper.leads().await;
        let is_leading = matches!(leads, Ok(true));
        self.watched.leading.store(is_leading, Ordering::Relaxed);
        if !is_leading {
            // Another node detects; what was learned here is old when it is needed again.
            self.session = None;
            return leads.map(|_| Turn::Done).map_err(Fault::from);
        }
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::open(&self.config, &mut self.keeper, clock::now()).await?),
        };
        // What the engine has said comes first: it is not said again.
        let done = session.look(&*self.map, &self.is_fed, &self.watched).await;
        let told = tell(session, &mut self.desk, &mut self.responder, &self.watched).await;
        let turn = match done {
            Ok(turn) => turn,
            Err(error) => {
                session.reconnect();
                return Err(error.into());
            }
        };
        if told? {
            self.counted_at = Micros(0);
        }
        session
            .keep_if_due(&mut self.keeper, clock::now())
            .await
            .map_err(Fault::Keep)?;
        let now = clock::now();
        if now.since(self.counted_at) >= COUNT || now < self.counted_at {
            self.counted_at = now;
            let figures = self.desk.book()?.figures();
            self.watched
                .open
                .store(figures.open as u64, Ordering::Relaxed);
            let taken = figures.acknowledged as u64;
            self.watched.acknowledged.store(taken, Ordering::Relaxed);
        }
        Ok(turn)
    }
}

/// Puts what the engine has said into the book, and does what is to be done about it. Says whether
/// there was anything.
async fn tell(
    session: &mut Session,
    desk: &mut Desk,
    responder: &mut Responder,
    watched: &Watched,
) -> Result<bool, Fault> {
    let mut is_changed = false;
    while let Some(told) = session.pending.front() {
        let heard = match Sign::of(told) {
            Some(sign) => {
                let mut due = clock::now();
                if responder.is_wanted(&sign) {
                    due = due.plus(HOLD);
                }
                let taken = desk.hear(&sign, told.mark, due)?;
                taken.map(|taken| (sign, taken))
            }
            None => None,
        };
        let (rule, severity) = (told.alert.rule, told.alert.severity);
        session.pending.pop_front();
        watched.alert(severity);
        let Some((sign, taken)) = heard else {
            continue;
        };
        tracing::warn!(
            target: "egret::detect",
            incident = taken.incident,
            rule,
            severity = severity.as_str(),
            is_new = taken.is_new,
            "detection has seen something: see `egret alert show`"
        );
        if let Some(note) = responder.respond(&sign, &taken).await {
            desk.note(&taken.incident, note, clock::now())?;
        }
        is_changed = true;
    }
    Ok(is_changed)
}
