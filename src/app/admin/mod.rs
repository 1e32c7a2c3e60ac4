//! Answers what is asked through the admin API. Who asks and whether they may is known here; that
//! they have asked is put on record before they are answered.

mod calls;
mod evidence;
mod export;
mod gateway;
mod incidents;
mod ledger;
pub mod listen;
mod locks;
mod mints;
mod now;
mod record;
mod setup;
mod terms;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::ledger::Readers;
use self::record::{AccessLog, Watches};
use super::health::Health;
use crate::adapters::clock;
use crate::adapters::journal::Journal;
use crate::adapters::notify;
use crate::domain::access::Person;
use crate::domain::catalog::Catalog;
use crate::domain::config::Config;
use crate::domain::config::settings::Setting;
use crate::domain::health::History;
use crate::domain::identity::CallerBook;
use crate::domain::keyring::Keyring;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::Gateway;
use crate::domain::redact::Redactor;
use crate::edge::admin::desk::{Ask, Desk, Entry, Fault, Reply};
use crate::types::CallId;

/// How often figures are kept for those who look later.
const SAMPLE: Duration = Duration::from_secs(5);

/// What there is once the gateway has come up.
pub struct Parts {
    /// The journal, which takes the records of accesses.
    pub journal: Arc<Journal>,
    /// Who writes them.
    pub gateway: Arc<Gateway>,
    /// Hashes identifiers before they are searched.
    pub keyring: Arc<Keyring>,
    /// The callers with keys.
    pub callers: Arc<ArcSwap<CallerBook>>,
    /// Takes what must not be kept out of what people write.
    pub redactor: Arc<Redactor>,
}

/// What answers. It is there before the gateway, and says so until that has come up.
pub struct AdminDesk {
    configured: ArcSwap<Configured>,
    health: Arc<Health>,
    readers: Arc<Readers>,
    history: Mutex<History>,
    watches: Watches,
    /// Opened when somebody asks first.
    incidents: Arc<Mutex<Option<notify::Desk>>>,
    verifying: Arc<Semaphore>,
    config_file: String,
    parts: OnceLock<Ready>,
}

/// What there is to say of a configuration.
pub struct Configured {
    config: Arc<Config>,
    /// What is known of the providers that are served.
    served: setup::Served,
    /// Its values as they may be shown.
    settings: Vec<Setting>,
}

impl Configured {
    /// From a configuration.
    pub fn new(config: &Config, catalog: &Catalog, settings: &[Setting]) -> Self {
        Self {
            config: Arc::new(config.clone()),
            served: setup::Served::new(config, catalog),
            settings: settings.to_vec(),
        }
    }
}

struct Ready {
    parts: Parts,
    access: AccessLog,
}

impl AdminDesk {
    /// Nothing has come up yet.
    pub fn new(
        config: &Config,
        catalog: &Catalog,
        settings: &[Setting],
        file: Option<&Path>,
        health: Arc<Health>,
    ) -> Self {
        Self {
            configured: ArcSwap::from_pointee(Configured::new(config, catalog, settings)),
            readers: Arc::new(Readers::new(config.ledger.place.clone())),
            health,
            history: Mutex::default(),
            watches: Watches::default(),
            incidents: Arc::default(),
            verifying: Arc::new(Semaphore::new(1)),
            config_file: file.map_or_else(String::new, |file| file.display().to_string()),
            parts: OnceLock::new(),
        }
    }

    /// The gateway goes on with another configuration.
    pub fn retune(&self, configured: Configured) {
        self.configured.store(Arc::new(configured));
    }

    fn configured(&self) -> Arc<Configured> {
        self.configured.load_full()
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.configured.load().config)
    }

    /// The gateway has come up.
    pub fn ready(&self, parts: Parts) {
        let access = AccessLog::new(&parts.journal, &parts.gateway);
        let _ = self.parts.set(Ready { parts, access });
    }

    /// Keeps figures, and ends records of watching, for as long as the gateway runs.
    pub async fn follow(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(SAMPLE);
        loop {
            ticks.tick().await;
            let vitals = self.health.vitals();
            self.history.lock().add(&vitals);
            self.watches.end_old(clock::now());
        }
    }

    /// Ends what goes on; the journal must still take records.
    pub fn stop(&self) {
        self.watches.end_all();
    }

    fn parts(&self) -> Result<&Ready, Fault> {
        self.parts.get().ok_or(Fault::Starting)
    }

    /// Does something once it is on record, and puts on record how it went. `work` gives the answer
    /// and how many rows it shows.
    async fn recorded(
        &self,
        call: OwnCall,
        who: &Person,
        id: CallId,
        work: impl Future<Output = Result<(Reply, Option<u64>), Fault>> + Send,
    ) -> Result<Reply, Fault> {
        let ready = self.parts()?;
        let open = ready.access.begin(call, who, id).await?;
        match work.await {
            Ok((reply, rows)) => {
                open.succeeded(rows);
                Ok(reply)
            }
            Err(fault) => {
                open.failed(&fault);
                Err(fault)
            }
        }
    }

    /// Notes that somebody looks at figures; see [`Watches`].
    async fn watched(&self, who: &Person) -> Result<(), Fault> {
        let ready = self.parts()?;
        self.watches.note(&ready.access, who).await
    }
}

#[async_trait]
impl Desk for AdminDesk {
    async fn answer(&self, ask: Ask, who: &Person, id: CallId) -> Result<Reply, Fault> {
        match ask {
            // They answer while the journal fails, and tell nothing of a call.
            Ask::Version => {
                let _ = self.watched(who).await;
                Ok(Reply::json(&self.version()))
            }
            Ask::Health => {
                let _ = self.watched(who).await;
                Ok(Reply::json(&self.health_now()))
            }
            Ask::Now { history, since } => {
                self.watched(who).await?;
                Ok(Reply::json(&self.now(history, since).await))
            }
            Ask::Budgets => {
                self.watched(who).await?;
                Ok(Reply::json(&self.budgets()))
            }
            Ask::Breakers => {
                self.watched(who).await?;
                Ok(Reply::json(&self.breakers()))
            }
            Ask::Providers => {
                self.watched(who).await?;
                Ok(Reply::json(&self.configured().served.providers()))
            }
            Ask::Config => self.config_shown(who, id).await,
            Ask::Callers => self.callers(who, id).await,
            Ask::Policy => self.policy(who, id).await,
            Ask::Locks => self.locks(who, id).await,
            Ask::Incidents(asked) => self.incidents(asked, who, id).await,
            Ask::Incident(incident) => self.incident(incident, who, id).await,
            Ask::Silences => self.silences(who, id).await,
            Ask::LogFilter => self.log_filter(who, id).await,
            Ask::Calls(asked) => self.calls(*asked, who, id).await,
            Ask::Terms(text) => self.terms(&text, who, id).await,
            Ask::Call(call) => self.call(call, who, id).await,
            Ask::Proof(call) => self.proof(call, who, id).await,
            Ask::Tail { question, last } => self.tail(&question, last, who, id).await,
            Ask::Mints {
                period,
                step_s,
                caller,
                provider,
            } => self.mints(period, step_s, caller, provider, who, id).await,
            Ask::Investigate { whom, period, form } => {
                self.investigate(whom, period, form, who, id).await
            }
            Ask::Export {
                question,
                order,
                limit,
                form,
            } => self.export(&question, order, limit, form, who, id).await,
            Ask::Reports => {
                self.watched(who).await?;
                Ok(Reply::json(&export::reports()))
            }
            Ask::Report {
                kind,
                question,
                form,
            } => self.report(kind, &question, form, who, id).await,
            Ask::Evidence => self.evidence(who, id).await,
            Ask::VerifyEvidence => self.verify_evidence(who, id).await,
            Ask::Pack {
                report,
                question,
                calls,
            } => self.pack(report, &question, calls, who, id).await,
            Ask::Lock {
                target,
                reason,
                length,
                here,
            } => self.lock(&target, &reason, length, here, who, id).await,
            Ask::Lift { id: lock, reason } => self.lift(lock, &reason, who, id).await,
            Ask::Acknowledge(incident) => self.acknowledge(incident, who, id).await,
            Ask::Close {
                id: incident,
                reason,
            } => self.close(incident, &reason, who, id).await,
            Ask::Silence(asked) => self.silence(asked, who, id).await,
            Ask::Unsilence(number) => self.unsilence(number, who, id).await,
            Ask::SetLogFilter(filter) => self.set_log_filter(filter, who, id).await,
            Ask::ResetBreaker(name) => self.reset_breaker(&name, who, id).await,
        }
    }

    async fn enter(&self, entry: Entry, who: Option<&Person>, id: CallId) -> Result<(), Fault> {
        let operation = match entry {
            Entry::Figures => {
                return match who {
                    Some(who) => self.watched(who).await,
                    None => Ok(()),
                };
            }
            Entry::Login | Entry::Unknown => OwnOperation::AdminLogin,
            Entry::Logout => OwnOperation::AdminLogout,
            Entry::Denied(_) => OwnOperation::AdminDenied,
        };
        let ready = self.parts()?;
        let mut call = OwnCall::new(operation);
        if let Entry::Denied(permission) = entry {
            call = call.fact("permission", permission.as_str());
        }
        let refused = match entry {
            Entry::Unknown => Some("admin_unauthenticated"),
            Entry::Denied(_) => Some("admin_forbidden"),
            _ => None,
        };
        ready.access.note(call, who, id, refused).await
    }
}
