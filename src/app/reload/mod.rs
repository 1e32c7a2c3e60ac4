//! Going on with another configuration while the gateway runs.
//!
//! First everything that the new configuration needs is made beside what runs: the whole of it is read
//! and checked, servers are resolved, certificates, channels and rules are opened. If anything of that
//! fails nothing has changed. Then the reload is put on record, durably; without a record nothing
//! changes either. Then it takes effect: one pointer is replaced, and every call that begins from then
//! on is made under the new configuration. A call that is under way ends under its own.

mod keeper;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::admin::{AdminDesk, Configured};
use super::alerts::{Prepared, desk_rules};
use super::health::Health;
use super::keepers::Around;
use super::{Setup, StartError, VERSION, build_redactor, capture, changes, redactor_builder};
use crate::adapters::capture::Captures;
use crate::adapters::coalesce::Coalescer;
use crate::adapters::seen_files::SeenFiles;
use crate::adapters::{clock, entropy, log};
use crate::domain::config::reload::{go_on, takes_effect};
use crate::domain::config::settings::{Difference, Setting, differences};
use crate::domain::config::{Config, check_for_loops};
use crate::domain::health::ReloadVitals;
use crate::domain::own::{self, OwnCall, OwnOperation};
use crate::domain::record::{Gateway, LossPolicy, NotRecorded, OpenRecord, Step};
use crate::domain::redact::Redactor;
use crate::edge::proxy::{FrontLimits, Parts, Routes};
use crate::edge::{
    AdminTls, ListenerTlsHandle, PreparedAdminTls, PreparedTls, UpstreamServer, resolve_new,
};
use crate::types::{CallId, Outcome};

pub use keeper::{ReloadHandle, ReloadKeeper};
pub use report::{Answer, Report, Taken};

/// How long names of new servers may take to be resolved before calls are sent there.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// How long the record of a reload may take to the disk.
const RECORD_TIME: Duration = Duration::from_secs(5);

/// Most differences that a record names. A configuration has some hundred keys; what is more is a
/// provider that was added or removed, and counted.
const MAX_RECORDED: usize = 64;

/// Longest value in a record, in bytes.
const MAX_SHOWN: usize = 120;

/// What has had the configuration reloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// SIGHUP. Who has sent it is not known.
    Signal,
    /// Its files have changed.
    Files,
    /// Somebody has asked: by `egret config reload`, or an API.
    Person {
        /// The user.
        name: String,
        /// By what: `command`, `api`.
        via: &'static str,
    },
}

impl Trigger {
    fn via(&self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Files => "files",
            Self::Person { via, .. } => via,
        }
    }
}

/// What has become of reloads.
#[derive(Debug, Default)]
pub struct ReloadCounts {
    taken: AtomicU64,
    refused: AtomicU64,
    /// The last attempt was refused.
    is_stale: AtomicBool,
}

impl ReloadCounts {
    /// How they stand.
    pub fn vitals(&self) -> ReloadVitals {
        ReloadVitals {
            taken: self.taken.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            is_stale: self.is_stale.load(Ordering::Relaxed),
        }
    }
}

/// What a reload works on.
pub(super) struct Live {
    /// What calls begin with.
    pub latest: Arc<ArcSwap<Parts>>,
    /// TLS of the listeners.
    pub tls: Vec<ListenerTlsHandle>,
    /// TLS of the admin listener, if it has any.
    pub admin_tls: Option<AdminTls>,
    /// Whose names are resolved.
    pub servers: Arc<ArcSwap<Vec<Arc<UpstreamServer>>>>,
    /// Who tells people, and by which rules incidents are kept.
    pub around: Around,
    /// What is in force.
    pub config: Arc<ArcSwap<Config>>,
    /// Who answers people about it.
    pub desk: Arc<AdminDesk>,
    /// Who looks at all of it.
    pub health: Arc<Health>,
}

/// Reloads the configuration of a running gateway.
pub struct Reloader {
    path: PathBuf,
    config: Config,
    settings: Vec<Setting>,
    /// The files of what runs.
    running: SeenFiles,
    /// The files as they were read last, be it in vain.
    seen: SeenFiles,
    live: Live,
    counts: Arc<ReloadCounts>,
    /// What ran before and calls may still be under way with. It is freed here, for that takes longer than
    /// a call should wait.
    retired: Vec<Arc<Parts>>,
}

/// Everything that a configuration needs, ready to take effect.
struct Ready {
    config: Config,
    parts: Parts,
    tls: Vec<PreparedTls>,
    admin_tls: Option<PreparedAdminTls>,
    captures: Option<crate::adapters::capture::Settings>,
    alerts: Option<Prepared>,
    redactor: Arc<Redactor>,
    configured: Configured,
}

/// Why a configuration does not take effect.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Alerts(#[from] super::alerts::AlertsError),
    #[error("{0}")]
    Tls(#[from] crate::edge::TlsError),
    #[error("the reload cannot be put on record, and what is not on record is not done: {0}")]
    Unrecorded(#[from] NotRecorded),
    #[error("{0}")]
    Entropy(#[from] entropy::NoEntropy),
}

impl Refused {
    /// Every fault, one a line.
    fn lines(&self) -> Vec<String> {
        self.to_string().lines().map(str::to_owned).collect()
    }
}

impl Reloader {
    /// For a gateway that runs with this configuration.
    pub(super) fn new(
        path: PathBuf,
        config: Config,
        settings: Vec<Setting>,
        seen: SeenFiles,
        live: Live,
    ) -> Self {
        let counts = Arc::new(ReloadCounts::default());
        live.health.reloading(&counts);
        Self {
            path,
            config,
            settings,
            running: seen.clone(),
            seen,
            live,
            counts,
            retired: Vec::new(),
        }
    }

    /// Frees what no call is under way with any more.
    pub(super) fn free_retired(&mut self) {
        self.retired.retain(|parts| Arc::strong_count(parts) > 1);
    }

    /// Whether the files are followed.
    pub(super) fn follows_files(&self) -> bool {
        self.config.reload.on_change
    }

    /// The files as they were when they were read last.
    pub(super) fn seen(&self) -> &SeenFiles {
        &self.seen
    }

    /// Reads the configuration again and goes on with it, if it can be used.
    pub(super) async fn reload(&mut self, trigger: &Trigger) -> Report {
        let mut seen = SeenFiles::default();
        let setup = match Setup::read_to_reload(&self.path, &mut seen) {
            Ok(setup) => setup,
            Err(error) => {
                // The next look compares with what was refused: it is said once.
                self.seen = seen;
                return self.refuse(trigger, &Refused::Start(error), &[]);
            }
        };
        let found = differences(&self.settings, &setup.settings);
        let files: Vec<String> = setup
            .seen
            .differing(&self.running)
            .into_iter()
            .map(|path| path.display().to_string())
            .collect();
        if found.is_empty() && files.is_empty() {
            self.running = setup.seen.clone();
            self.seen = setup.seen;
            self.counts.is_stale.store(false, Ordering::Relaxed);
            tracing::info!(via = trigger.via(), "the configuration is as it was");
            return Report::Unchanged;
        }
        let (taken, not_taken): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|difference| takes_effect(&self.config, difference));
        let taken = Taken {
            differences: taken,
            not_taken,
            files,
            hash_before: self.config.config_hash.to_string(),
            hash_after: setup.config.config_hash.to_string(),
        };
        let (settings, seen) = (setup.settings.clone(), setup.seen.clone());
        match self.prepare_and_take(trigger, setup, &taken).await {
            Ok(()) => {
                self.remember(settings, &taken);
                self.running = seen.clone();
                self.seen = seen;
                self.counts.taken.fetch_add(1, Ordering::Relaxed);
                self.counts.is_stale.store(false, Ordering::Relaxed);
                taken.log(trigger.via());
                Report::Taken(taken)
            }
            Err(refused) => {
                self.seen = seen;
                self.refuse(trigger, &refused, &taken.differences)
            }
        }
    }

    async fn prepare_and_take(
        &mut self,
        trigger: &Trigger,
        setup: Setup,
        taken: &Taken,
    ) -> Result<(), Refused> {
        let ready = self.prepare(setup, &taken.files)?;
        let new = ready.parts.routes.servers();
        resolve_new(&new, RESOLVE_TIME).await;
        // Before it takes effect, durably.
        let mut record = self.open_record(trigger, taken)?;
        let ticket = record.step(Step::Intent)?;
        if let Some(ticket) = ticket {
            let settled = ready.parts.journal.settled(ticket);
            tokio::time::timeout(RECORD_TIME, settled)
                .await
                .unwrap_or(Err(NotRecorded))?;
        }
        let parts = &ready.parts;
        changes::put_on_record(
            &ready.config,
            "reload",
            &parts.identity,
            parts.journal.as_ref(),
        );
        self.take(ready);
        record.update(|record| {
            own::complete(record, Outcome::Success, None, clock::now());
        });
        // The intent says what has happened; the journal counts what it lost.
        let _ = record.close();
        Ok(())
    }

    /// Makes everything that the configuration needs. Nothing changes by it.
    fn prepare(&self, setup: Setup, files: &[String]) -> Result<Ready, Refused> {
        let Setup {
            config,
            catalog,
            settings,
            ..
        } = setup;
        let config = go_on(&self.config, config);
        let configured = Configured::new(&config, &catalog, &settings);
        check_for_loops(&config).map_err(StartError::Config)?;
        let former = self.live.latest.load_full();
        let redactor = Arc::new(build_redactor(redactor_builder(&config, false)?)?);
        let captures = self.prepare_captures(&config, &catalog, former.captures.as_ref())?;
        let alerts = match self.needs_alerts(&config, files) {
            true => Some(Prepared::new(&config)?),
            false => None,
        };
        let mut tls = Vec::new();
        for handle in &self.live.tls {
            let mut listeners = config.listeners.iter();
            let listener = listeners.find(|listener| listener.address == handle.address);
            if let Some(wanted) = listener.and_then(|listener| listener.tls.as_ref()) {
                tls.push(handle.prepare(wanted, &config.callers.certificates)?);
            }
        }
        // Its keys need a start, so what runs says which files; what is in them may have changed.
        let admin_tls = match (&self.live.admin_tls, &config.admin.tls) {
            (Some(admin), Some(wanted)) => Some(admin.prepare(wanted)?),
            _ => None,
        };
        let routes = Routes::after(catalog, &config, Some(&former.routes));
        let routes = Arc::new(routes.map_err(StartError::Route)?);
        let coalescer = self.coalescer(&config, former.coalescer.as_ref());
        let (captured, captures) = captures;
        let parts = Parts {
            identity: Arc::new(Gateway {
                node: config.node.as_ref().into(),
                version: VERSION.into(),
                config_hash: config.config_hash.clone(),
            }),
            routes,
            caller_rules: config.callers.clone(),
            loss: config.journal.policies,
            budget_rules: Arc::new(config.budgets.clone()),
            coalescer,
            limits: FrontLimits::new(&config),
            captures: captured,
            ..(*former).clone()
        };
        Ok(Ready {
            config,
            parts,
            tls,
            admin_tls,
            captures,
            alerts,
            redactor,
            configured,
        })
    }

    /// Who captures, and what it has to be told.
    fn prepare_captures(
        &self,
        config: &Config,
        catalog: &crate::domain::catalog::Catalog,
        former: Option<&Arc<Captures>>,
    ) -> Result<
        (
            Option<Arc<Captures>>,
            Option<crate::adapters::capture::Settings>,
        ),
        StartError,
    > {
        match former {
            Some(former) => {
                let settings = capture::settings(config, catalog)?;
                Ok((Some(Arc::clone(former)), Some(settings)))
            }
            None => Ok((capture::start(config, catalog)?, None)),
        }
    }

    /// Whether people are told otherwise than before: by other channels, or with other secrets.
    fn needs_alerts(&self, config: &Config, files: &[String]) -> bool {
        let mut secrets = config.alerts.channels.iter().flat_map(|of| &of.secret_file);
        let has_changed = |path: &PathBuf| files.contains(&path.display().to_string());
        (config.alerts != self.config.alerts || secrets.any(has_changed))
            && (self.live.around.alerts.lock().is_some() || !config.alerts.channels.is_empty())
    }

    /// Who shares answers: the same as before, unless that is set otherwise.
    fn coalescer(
        &self,
        config: &Config,
        former: Option<&Arc<Coalescer>>,
    ) -> Option<Arc<Coalescer>> {
        let keep = config.budgets.coalesce_keep;
        if !config.budgets.coalesce {
            return None;
        }
        match former {
            Some(former) if keep == self.config.budgets.coalesce_keep => Some(Arc::clone(former)),
            _ => Some(Arc::new(Coalescer::new(keep))),
        }
    }

    /// Lets a configuration take effect. Nothing of it can fail.
    fn take(&mut self, ready: Ready) {
        let parts = ready.parts;
        let live = &self.live;
        parts.budgets.retune(parts.routes.budgets());
        parts.routes.take_over();
        parts.figures.extend(parts.routes.names());
        live.health.calling(parts.routes.groups());
        live.desk.retune(ready.configured);
        live.health.coalescing(parts.coalescer.as_ref());
        live.health.capturing(parts.captures.as_ref());
        live.servers.store(Arc::new(parts.routes.servers()));
        if let (Some(captures), Some(settings)) = (&parts.captures, ready.captures) {
            captures.retune(settings);
        }
        self.retired.push(live.latest.swap(Arc::new(parts)));
        for tls in ready.tls {
            tls.take_over();
        }
        if let Some(tls) = ready.admin_tls {
            tls.take_over();
        }
        if let Some(prepared) = ready.alerts {
            live.around
                .desk_rules
                .store(Arc::new(desk_rules(&ready.config)));
            let mut alerts = live.around.alerts.lock();
            match &*alerts {
                Some(alerts) => alerts.retune(prepared),
                None => match prepared.start() {
                    Ok(started) => *alerts = Some(started),
                    Err(error) => tracing::error!(%error, "people cannot be told"),
                },
            }
        }
        if let Err(error) = log::change(&ready.config.log.filter, ready.redactor) {
            tracing::error!(%error, "the log goes on as it was");
        }
        live.config.store(Arc::new(ready.config.clone()));
        self.config = ready.config;
    }

    /// Remembers what runs: what was not taken still differs at the next reload.
    fn remember(&mut self, settings: Vec<Setting>, taken: &Taken) {
        let is_kept = |path: &str| taken.not_taken.iter().any(|one| one.path == path);
        let mut running = settings;
        running.retain(|setting| !is_kept(&setting.path()));
        let kept = std::mem::take(&mut self.settings);
        running.extend(kept.into_iter().filter(|setting| is_kept(&setting.path())));
        self.settings = running;
    }

    fn refuse(&self, trigger: &Trigger, refused: &Refused, found: &[Difference]) -> Report {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        self.counts.is_stale.store(true, Ordering::Relaxed);
        let faults = refused.lines();
        for fault in &faults {
            tracing::error!(via = trigger.via(), %fault, "a fault of the configuration");
        }
        tracing::error!(
            via = trigger.via(),
            faults = faults.len(),
            "the configuration was not reloaded; the gateway goes on with the one before"
        );
        if !matches!(refused, Refused::Unrecorded(_)) {
            self.record_refusal(trigger, faults.len(), found.len());
        }
        Report::Refused { faults }
    }

    fn open_record(&self, trigger: &Trigger, taken: &Taken) -> Result<OpenRecord, Refused> {
        let mut call = self
            .call(trigger)
            .fact("hash_before", &taken.hash_before)
            .fact("hash_after", &taken.hash_after)
            .fact("changes", taken.differences.len())
            .fact("not_taken", taken.not_taken.len());
        for one in taken.differences.iter().take(MAX_RECORDED) {
            call = call.fact("change", cut(&one.to_string()));
        }
        for one in taken.not_taken.iter().take(MAX_RECORDED) {
            call = call.fact("needs_start", cut(&one.to_string()));
        }
        for file in taken.files.iter().take(MAX_RECORDED) {
            call = call.fact("file", cut(file));
        }
        self.open(trigger, call)
    }

    fn record_refusal(&self, trigger: &Trigger, faults: usize, found: usize) {
        let call = self
            .call(trigger)
            .fact("faults", faults)
            .fact("changes", found);
        if let Ok(mut record) = self.open(trigger, call) {
            record.update(|record| {
                own::complete(record, Outcome::Failure, None, clock::now());
                record.reason = Some("config_faults".into());
            });
            // What cannot be recorded is counted by the journal; nothing has changed.
            let _ = record.close();
        }
    }

    fn call(&self, trigger: &Trigger) -> OwnCall {
        OwnCall::new(OwnOperation::ConfigReload).fact("via", trigger.via())
    }

    fn open(&self, trigger: &Trigger, call: OwnCall) -> Result<OpenRecord, Refused> {
        let now = clock::now();
        let parts = self.live.latest.load();
        let call_id = CallId::from_parts(now.as_millis(), entropy::id_bytes()?);
        let user = match trigger {
            Trigger::Person { name, .. } => Some(name.as_str()),
            Trigger::Signal | Trigger::Files => None,
        };
        let record = call.open_for(call_id, now, Arc::clone(&parts.identity), user);
        Ok(OpenRecord::open(
            &parts.recorder,
            record,
            LossPolicy::Strict,
        ))
    }
}

/// A text that is short enough for a record.
fn cut(text: &str) -> String {
    let mut end = text.len().min(2 * MAX_SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text.get(..end) {
        Some(cut) if cut.len() < text.len() => format!("{cut}…"),
        _ => text.to_owned(),
    }
}
