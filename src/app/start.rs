//! How a gateway is put together, from what is opened first to the first connection.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::admin::{self, AdminDesk};
use super::background::Background;
use super::handover::{Sockets, TakeOver};
use super::health::Health;
use super::keepers::{Around, Keepers};
use super::ledger::FoundLedger;
use super::reload::{Live, ReloadKeeper, Reloader};
use super::{
    Running, Setup, StartError, VERSION, build_redactor, capture, changes, journal_settings,
    keyring, lockdown, redactor_builder, runtime,
};
use crate::adapters::coalesce::Coalescer;
use crate::adapters::figures::CallFigures;
use crate::adapters::journal::{Intake, Journal};
use crate::adapters::kept_file::KeptFile;
use crate::adapters::limits::Limits;
use crate::adapters::telemetry::Telemetry;
use crate::adapters::{clock, entropy};
use crate::domain::config::Config;
use crate::domain::identity::CallerBook;
use crate::domain::record::{self, Recorder};
use crate::domain::telemetry::Sampler;
use crate::edge::proxy::{FrontLimits, Gateway, Parts, Routes};
use crate::edge::{AdminServer, Server};
use crate::types::CallId;

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
        health.capturing(captures.as_ref());
        let runtime = runtime()?;
        let ledger = FoundLedger::open(&config)?;
        let identity = Arc::new(record::Gateway {
            node: config.node.as_ref().into(),
            version: VERSION.into(),
            config_hash: config.config_hash.clone(),
        });
        let gap_identity = Arc::clone(&identity);
        let opened = open_journal(&config, &identity, &ledger, takes_over.as_deref_mut())?;
        let (journal, predecessor) = (opened.journal, opened.predecessor);
        changes::put_on_record(&config, "start", &identity, journal.as_ref());
        let first_new = opened.first_new;
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
            admin_tls: admin.as_ref().and_then(AdminServer::tls),
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
            tell(telemetry, &health, figures)?;
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
}

/// The journal, as this process goes on with it.
struct OpenedJournal {
    journal: Arc<Journal>,
    /// The process that it comes from, if that still has calls.
    predecessor: Option<Intake>,
    /// The first event that this process may have written.
    first_new: u64,
}

fn open_journal(
    config: &Config,
    identity: &record::Gateway,
    ledger: &FoundLedger,
    takes_over: Option<&mut TakeOver>,
) -> Result<OpenedJournal, StartError> {
    let settings = journal_settings(&config.journal);
    if let Some(takes_over) = takes_over {
        let (journal, predecessor) = takes_over.journal(settings)?;
        return Ok(OpenedJournal {
            first_new: journal.state().next_seq,
            journal,
            predecessor: Some(predecessor),
        });
    }
    let at_least = |id| ledger.cursor(&id).map_or(0, |cursor| cursor.done_to);
    let journal = Journal::open(settings, identity, at_least)?;
    Ok(OpenedJournal {
        // The last so far is the start itself.
        first_new: journal.state().next_seq.saturating_sub(1),
        journal: Arc::new(journal),
        predecessor: None,
    })
}

/// Begins to tell a collector how the gateway is.
fn tell(
    telemetry: &Arc<Telemetry>,
    health: &Arc<Health>,
    figures: Arc<CallFigures>,
) -> Result<(), StartError> {
    health.telling(telemetry);
    let watched = Arc::downgrade(health);
    let observe = move || watched.upgrade().map(|health| health.vitals());
    telemetry.start(Arc::new(observe), health.bounds(), figures)?;
    Ok(())
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
