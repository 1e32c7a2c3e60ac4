//! The one place where the concrete parts are chosen and put together.

pub mod admin;
pub mod alerts;
pub mod audit;
pub mod capture;
pub mod changes;
pub mod commands;
pub mod detection;
pub mod evidence;
pub mod files;
pub mod handover;
pub mod health;
pub mod history;
mod keepers;
pub mod lockdown;
pub mod own_calls;
pub mod reload;
pub mod responses;
mod setup;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use self::admin::AdminDesk;
use self::admin::listen::Admins;
use self::handover::{Sockets, TakeOver};
use self::keepers::{Around, FoundLedger, Keepers};
use self::own_calls::{GATEWAY_PATIENCE, OwnCalls};
use self::reload::{Live, ReloadHandle, ReloadKeeper, Reloader};
use crate::adapters::clock;
use crate::adapters::coalesce::Coalescer;
use crate::adapters::entropy;
use crate::adapters::figures::CallFigures;
use crate::adapters::journal::{Intake, Journal, JournalSettings, Predecessor};
use crate::adapters::kept_file::{KeptFile, Poll};
use crate::adapters::ledger::{LedgerError, LedgerPlace, RecordStore, Store, Undrained};
use crate::adapters::limits::Limits;
use crate::adapters::priority;
use crate::adapters::telemetry::Telemetry;
use crate::domain::config::{self, Config};
use crate::domain::identity::CallerBook;
use crate::domain::journal::Cursor;
use crate::domain::record::{self, Recorder};
use crate::domain::telemetry::Sampler;
use crate::edge::proxy::{FrontLimits, Gateway, Parts, Routes};
use crate::edge::{AdminServer, Server, StopReport, keep_resolved};
use crate::types::CallId;

pub use self::setup::{
    Setup, StartError, build_redactor, built_in_catalog, keyring, redactor_builder,
};

use health::Health;

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often the callers file is looked at for changes.
const CALLERS_POLL: Duration = Duration::from_secs(1);

/// How long a stop waits for the journal, and then for the ledger, beyond the time for calls in
/// flight.
const FLUSH_TIME: Duration = Duration::from_secs(10);

/// The running gateway with everything around it.
pub struct Running {
    server: Server,
    journal: Arc<Journal>,
    health: Arc<Health>,
    admin: Option<AdminServer>,
    desk: Arc<AdminDesk>,
    admins: Admins,
    latest: Arc<ArcSwap<Parts>>,
    /// `None` while another process does what they do.
    keepers: Option<Keepers>,
    around: Around,
    telemetry: Option<Arc<Telemetry>>,
    background: Background,
    reload: Option<ReloadKeeper>,
    /// The process that this one has taken over from, as long as it has calls.
    predecessor: Option<Intake>,
    /// Another process has everything but the connections that are open here.
    handed_over: bool,
    /// What is in force; replaced by a reload.
    config: Arc<ArcSwap<Config>>,
}

/// How a stop went.
#[derive(Debug)]
pub struct Stopped {
    /// The calls.
    pub calls: StopReport,
    /// How many records did not reach the journal.
    pub unwritten: u64,
    /// What the ledger lacks; `None` if another process feeds it.
    pub ledger: Option<Result<(), Undrained>>,
}

impl Running {
    /// Starts the gateway, in place of the process that hands over to this one if there is one.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(setup: Setup, mut takes_over: Option<&mut TakeOver>) -> Result<Self, StartError> {
        let Setup {
            config,
            catalog,
            settings,
            seen,
            file,
        } = setup;
        let health = Arc::new(Health::new(&config));
        let mut inherited = match &mut takes_over {
            Some(takes_over) => takes_over.begin(&config)?,
            None => Sockets::default(),
        };
        let desk = AdminDesk::new(
            &config,
            &catalog,
            &settings,
            file.as_deref(),
            Arc::clone(&health),
        );
        let desk = Arc::new(desk);
        let (admins, admins_file) = admin::listen::open(&config)?;
        let admin = admin::listen::start(&config, &health, &desk, &admins, &mut inherited.admin)?;
        let redactor = Arc::new(build_redactor(redactor_builder(&config, true)?)?);
        let keyring = Arc::new(keyring(&config, true)?);
        let callers_file = KeptFile::<CallerBook>::open(&config.callers.file)?;
        let callers = Arc::new(ArcSwap::new(Arc::clone(callers_file.content())));
        let lockdown = lockdown::Follower::open(&config)?;
        let captures = capture::start(&config, &catalog)?;
        let around = Around::new(&config);
        let routes = Arc::new(Routes::new(catalog, &config)?);
        let servers = Arc::new(ArcSwap::from_pointee(routes.servers()));
        health.calling(routes.groups());
        let telemetry = Telemetry::prepare(&config.telemetry, &config.node, VERSION)?;
        let telemetry = telemetry.map(Arc::new);
        let spans = telemetry.as_ref().and_then(|telemetry| telemetry.calls());
        let figures = Arc::new(CallFigures::new(routes.names()));
        health.counting(&figures);
        let budgets = Limits::new(&config.budgets, routes.budgets(), process_name(&config));
        let budgets = Arc::new(budgets);
        health.limiting(&budgets);
        let coalescer = Coalescer::new(config.budgets.coalesce_keep);
        let coalescer = config.budgets.coalesce.then(|| Arc::new(coalescer));
        health.coalescing(coalescer.as_ref());
        let runtime = runtime()?;
        let ledger = FoundLedger::open(&config)?;
        let identity = Arc::new(record::Gateway {
            node: config.node.as_ref().into(),
            version: VERSION.into(),
            config_hash: config.config_hash.clone(),
        });
        let gap_identity = Arc::clone(&identity);
        let kept = journal_settings(&config.journal);
        let (journal, predecessor, first_new) = match &mut takes_over {
            Some(takes_over) => {
                let (journal, predecessor) = takes_over.journal(kept)?;
                let first_new = journal.state().next_seq;
                (journal, Some(predecessor), first_new)
            }
            None => {
                let at_least = |id| ledger.cursor(&id).map_or(0, |cursor| cursor.done_to);
                let journal = Arc::new(Journal::open(kept, &identity, at_least)?);
                // The last so far is the start itself.
                let first_new = journal.state().next_seq.saturating_sub(1);
                (journal, None, first_new)
            }
        };
        changes::put_on_record(&config, "start", &identity, journal.as_ref());
        let keepers = Keepers::start(&config, &journal, ledger, first_new, &health, &around)?;
        desk.ready(admin::Parts {
            journal: Arc::clone(&journal),
            gateway: Arc::clone(&identity),
            keyring: Arc::clone(&keyring),
            callers: Arc::clone(&callers),
            redactor,
        });
        let gateway = Gateway::new(Parts {
            identity,
            routes,
            keyring,
            callers: Arc::clone(&callers),
            lockdown: lockdown.in_force(),
            throttles: Arc::default(),
            caller_rules: config.callers.clone(),
            journal: Arc::clone(&journal),
            recorder: Arc::clone(&journal) as Arc<dyn Recorder>,
            loss: config.journal.policies,
            budgets: Arc::clone(&budgets),
            budget_rules: Arc::new(config.budgets.clone()),
            coalescer,
            limits: FrontLimits::new(&config),
            captures,
            in_flight: health.in_flight(),
            figures: Arc::clone(&figures),
            sampler: match &spans {
                Some(_) => Sampler::ratio(config.telemetry.sample_ratio),
                None => Sampler::never(),
            },
            spans,
        });
        let server = Server::start(&config, &gateway, &mut inherited.listeners)?;
        health.locking(lockdown.in_force());
        let follow_health = Arc::clone(&health).follow();
        let follow_desk = Arc::clone(&desk).follow();
        let follow_gaps = changes::follow_gaps(Arc::clone(&journal), gap_identity);
        let beside = async move {
            let follow_admins = admin::listen::follow(admins_file);
            tokio::join!(
                follow_health,
                budgets.keep(),
                lockdown.follow(),
                follow_desk,
                follow_admins,
                follow_gaps
            );
        };
        let live = Live {
            latest: gateway.latest(),
            tls: server.tls(),
            servers: Arc::clone(&servers),
            around: around.clone(),
            config: Arc::new(ArcSwap::from_pointee(config.clone())),
            desk: Arc::clone(&desk),
            health: Arc::clone(&health),
        };
        let background = Background::start(runtime, servers, callers_file, callers, beside)?;
        let in_force = Arc::clone(&live.config);
        let reload = match file {
            Some(file) => {
                let reloader = Reloader::new(file, config, settings, seen, live);
                Some(ReloadKeeper::start(reloader).map_err(StartError::Thread)?)
            }
            None => None,
        };
        health.serving(server.watch());
        if let Some(telemetry) = &telemetry {
            health.telling(telemetry);
            let watched = Arc::downgrade(&health);
            let observe = move || watched.upgrade().map(|health| health.vitals());
            telemetry.start(Arc::new(observe), health.bounds(), figures)?;
        }
        if let Some(takes_over) = takes_over {
            takes_over.serving()?;
        }
        Ok(Self {
            server,
            journal,
            health,
            admin,
            desk,
            admins,
            latest: gateway.latest(),
            keepers: Some(keepers),
            around,
            telemetry,
            background,
            reload,
            predecessor,
            handed_over: false,
            config: in_force,
        })
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> &[config::ListenAddress] {
        self.server.addresses()
    }

    /// Asks for reloads of the configuration; `None` if it was not read from a file.
    pub fn reloads(&self) -> Option<ReloadHandle> {
        self.reload.as_ref().map(ReloadKeeper::handle)
    }

    /// Where probes and metrics are answered, if anywhere.
    pub fn admin_address(&self) -> Option<&config::ListenAddress> {
        self.admin.as_ref().map(AdminServer::address)
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Its health.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Whether the process that this one has taken over from still has calls.
    pub fn has_predecessor(&self) -> bool {
        let predecessor = self.predecessor.as_ref().map(Intake::predecessor);
        predecessor == Some(Predecessor::Active)
    }

    /// Stops: no new connections, calls in flight end unless `hurry` becomes true, records are
    /// written.
    pub fn stop(mut self, hurry: &AtomicBool) -> Stopped {
        self.health.draining();
        // First: nothing is replaced any more.
        if let Some(reload) = self.reload.take() {
            reload.stop();
        }
        let timeouts = self.config().timeouts;
        let mut delay = timeouts.drain_delay;
        if self.handed_over {
            self.server.leave_sockets();
            delay = Duration::ZERO;
        }
        let calls = self.server.stop(delay, timeouts.drain, hurry);
        self.background.stop();
        self.desk.stop();
        if let Some(captures) = &self.latest.load().captures {
            captures.stop();
        }
        if let Some(predecessor) = &self.predecessor {
            // It records through this process.
            predecessor.wait(timeouts.drain + FLUSH_TIME);
        }
        let unwritten = self.journal.shutdown(FLUSH_TIME).err().unwrap_or(0);
        let ledger = self
            .keepers
            .map(|keepers| keepers.finish(FLUSH_TIME, &self.around));
        // After the ledger, so that the last figures tell of it, too.
        if let Some(telemetry) = &self.telemetry {
            telemetry.stop();
        }
        // Last, so that it can be asked how the stop goes.
        drop(self.admin);
        Stopped {
            calls,
            unwritten,
            ledger,
        }
    }
}

/// Opens the ledger, brings in what commands have put on record, and asks how far it has come; `None` for a database that cannot be reached.
/// Calls are recorded without it: the journal keeps what it lacks.
async fn open_ledger(config: &Config) -> Result<(Store, Option<Vec<Cursor>>), LedgerError> {
    let (mut store, is_reachable) = open_store(&config.ledger.place).await?;
    if !is_reachable {
        return Ok((store, None));
    }
    bring_in_own_calls(config, &mut store).await;
    let cursors = store.cursors().await?;
    store.rest().await;
    Ok((store, Some(cursors)))
}

/// Does something in a thread that goes behind those of calls, and so do the threads that it leaves
/// behind: a connection to SQLite is one.
fn behind<T: Send>(work: impl FnOnce() -> Result<T, StartError> + Send) -> Result<T, StartError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            priority::go_behind();
            work()
        });
        let thread = thread.map_err(StartError::Thread)?;
        thread
            .join()
            .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    })
}

/// Opens the ledger; says whether it can be reached.
async fn open_store(place: &LedgerPlace) -> Result<(Store, bool), LedgerError> {
    match Store::open(place).await {
        Ok(mut store) => {
            store.rest().await;
            Ok((store, true))
        }
        Err(error @ LedgerError::Unreachable { .. }) => match Store::unopened(place) {
            Some(store) => {
                tracing::error!(
                    target: "egret::ledger",
                    %error,
                    "the gateway starts without its ledger; the journal keeps the records, and \
                     the ledger is tried again"
                );
                Ok((store, false))
            }
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Brings in what commands could not put into the ledger; what fails here the next command does.
async fn bring_in_own_calls(config: &Config, store: &mut Store) {
    let calls = OwnCalls::new(config);
    if let Err(error) = calls.drain_into(store, GATEWAY_PATIENCE).await {
        tracing::warn!(
            journal = %calls.journal().display(),
            %error,
            "what commands have put on record is not in the ledger yet"
        );
    }
}

fn journal_settings(journal: &config::Journal) -> JournalSettings {
    JournalSettings {
        directory: journal.directory.clone(),
        segment_size: journal.segment_size,
        max_bytes: journal.max_bytes,
        sync_interval: journal.sync_interval,
        writer_priority: journal.writer_priority,
    }
}

/// A name for this process that no other has: of the same node, another may have run before.
fn process_name(config: &Config) -> String {
    let now = clock::now();
    let random = entropy::id_bytes().unwrap_or_default();
    format!(
        "{}/{}",
        config.node,
        CallId::from_parts(now.as_millis(), random)
    )
}

fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)
}

/// What goes on beside the calls: name resolution, the callers file, locks and a look at the health.
struct Background {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    fn start(
        runtime: tokio::runtime::Runtime,
        servers: Arc<ArcSwap<Vec<Arc<crate::edge::UpstreamServer>>>>,
        mut callers_file: KeptFile<CallerBook>,
        callers: Arc<ArcSwap<CallerBook>>,
        followed: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, StartError> {
        let (stop, stopped) = oneshot::channel();
        let follow_callers = async move {
            loop {
                tokio::time::sleep(CALLERS_POLL).await;
                match callers_file.poll() {
                    Poll::Changed(book) => {
                        tracing::info!("the callers file has changed and was read again");
                        callers.store(book);
                    }
                    Poll::Unchanged => {}
                    Poll::Broken(error) => tracing::error!(
                        %error,
                        "the callers file has changed and cannot be used; the old one stays"
                    ),
                }
            }
        };
        let work = async move {
            tokio::select! {
                () = keep_resolved(servers) => {}
                () = follow_callers => {}
                () = followed => {}
                _ = stopped => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("egret-background".to_owned())
            .spawn(move || runtime.block_on(work))
            .map_err(StartError::Thread)?;
        Ok(Self { stop, thread })
    }

    fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
