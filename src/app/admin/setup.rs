//! What is set up: providers, callers, policy, the configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::AdminDesk;
use crate::adapters::clock;
use crate::domain::access::Person;
use crate::domain::catalog::Catalog;
use crate::domain::config::settings::{Origin, Setting};
use crate::domain::config::{Config, ErrorBodies, UnknownOperations};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::{LossPolicy, OperationClass};
use crate::edge::admin::desk::{Fault, Reply};
use crate::edge::admin::model;
use crate::types::CallId;

/// Fact: what of the setup was looked at.
const PART: &str = "part";

const fn unknown(what: UnknownOperations) -> &'static str {
    match what {
        UnknownOperations::Forward => "forward",
        UnknownOperations::Deny => "deny",
    }
}

/// A value that somebody has written.
fn value(setting: &Setting) -> Option<model::ConfigValue> {
    let (line, from) = match &setting.origin {
        Origin::File(_, line) => (u64::try_from(*line).ok(), "file"),
        Origin::Variable(_) => (None, "variable"),
        Origin::Default => return None,
    };
    Some(model::ConfigValue {
        key: setting.path(),
        value: setting.value.shown().to_owned(),
        line,
        from,
    })
}

/// What is known of the providers that are served; the catalog itself goes to the proxy.
pub(super) struct Served {
    providers: Vec<ServedProvider>,
}

struct ServedProvider {
    id: String,
    title: String,
    environment: &'static str,
    services: Vec<(String, Vec<&'static str>)>,
    operations: BTreeSet<String>,
    unknown_operations: &'static str,
}

impl Served {
    pub(super) fn new(config: &Config, catalog: &Catalog) -> Self {
        let providers = catalog.entries().iter().filter_map(|entry| {
            let provider = &entry.provider;
            let wanted = config.providers.get(&provider.id)?;
            let services = provider.services.iter().map(|service| {
                let environments = service.base_urls.iter().map(|(of, _)| of.as_str());
                (service.id.to_string(), environments.collect())
            });
            Some(ServedProvider {
                id: provider.id.to_string(),
                title: provider.title.to_string(),
                environment: wanted.environment.as_str(),
                services: services.collect(),
                operations: provider
                    .operations
                    .iter()
                    .map(|operation| operation.id.to_string())
                    .collect(),
                unknown_operations: unknown(wanted.unknown_operations),
            })
        });
        let mut providers: Vec<_> = providers.collect();
        providers.sort_by(|left, right| left.id.cmp(&right.id));
        Self { providers }
    }

    /// Their ids, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| &*provider.id)
    }

    /// Whether a provider is served.
    pub(super) fn has(&self, id: &str) -> bool {
        self.ids().any(|known| known == id)
    }

    /// Whether a provider has an operation; any provider, if none is named.
    pub(super) fn has_operation(&self, provider: Option<&str>, operation: &str) -> bool {
        let mut providers = self.providers.iter();
        providers.any(|known| {
            provider.is_none_or(|id| known.id == id) && known.operations.contains(operation)
        })
    }

    pub(super) fn providers(&self) -> model::Providers {
        let providers = self.providers.iter().map(|provider| model::Provider {
            id: provider.id.clone(),
            name: provider.title.clone(),
            environment: provider.environment,
            services: provider
                .services
                .iter()
                .map(|(id, environments)| model::Service {
                    id: id.clone(),
                    environments: environments.clone(),
                })
                .collect(),
            operations: provider.operations.len() as u64,
            unknown_operations: provider.unknown_operations,
        });
        model::Providers {
            providers: providers.collect(),
        }
    }
}

impl AdminDesk {
    pub(super) async fn callers(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AdminSetup).fact(PART, "callers");
        let work = async {
            let ready = self.parts()?;
            let callers = self.known_callers(ready);
            let rows = callers.len() as u64;
            let callers = callers.into_values().collect();
            Ok((Reply::json(&model::Callers { callers }), Some(rows)))
        };
        self.recorded(call, who, id, work).await
    }

    fn known_callers(&self, ready: &super::Ready) -> BTreeMap<String, model::Caller> {
        let now = clock::now();
        let mut callers: BTreeMap<String, model::Caller> = BTreeMap::new();
        let nobody = |name: &str| model::Caller {
            name: name.to_owned(),
            keys: Vec::new(),
            certificates: Vec::new(),
            local: false,
        };
        for entry in ready.parts.callers.load().callers() {
            let caller = callers
                .entry(entry.name.to_string())
                .or_insert_with(|| nobody(&entry.name));
            caller
                .keys
                .extend(entry.keys.iter().map(|key| model::CallerKey {
                    id: key.id.to_string(),
                    state: key.state(now).as_str(),
                    created_at: key.created_at.to_string(),
                    expires_at: key.expires_at.map(|at| at.to_string()),
                    revoked_at: key.revoked_at.map(|at| at.to_string()),
                }));
        }
        for (certificate, name) in &self.config().callers.certificates {
            let caller = callers
                .entry(name.to_string())
                .or_insert_with(|| nobody(name));
            caller.certificates.push(certificate.clone());
        }
        if let Some(name) = &self.config().callers.local {
            let caller = callers
                .entry(name.to_string())
                .or_insert_with(|| nobody(name));
            caller.local = true;
        }
        callers
    }

    /// Whether a text names a caller that is set up.
    pub(super) fn is_caller(&self, ready: &super::Ready, name: &str) -> bool {
        let book = ready.parts.callers.load();
        let config = &self.config().callers;
        book.callers().iter().any(|caller| &*caller.name == name)
            || config.certificates.values().any(|known| &**known == name)
            || config.local.as_deref() == Some(name)
    }

    pub(super) async fn policy(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AdminSetup).fact(PART, "policy");
        let work = async {
            let config = self.config();
            let providers = config.providers.iter();
            let providers = providers.map(|(id, provider)| model::ProviderPolicy {
                provider: id.to_string(),
                unknown_operations: unknown(provider.unknown_operations),
                dauth_callers: provider
                    .dauth_callers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                gateway_login_callers: provider
                    .gateway_login_callers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                error_bodies: match provider.error_bodies {
                    ErrorBodies::Pass => "pass",
                    ErrorBodies::Map => "map",
                },
            });
            let loss = OperationClass::ALL.iter().map(|class| {
                let policy = match self.config().journal.policies.get(*class) {
                    LossPolicy::Strict => "strict",
                    LossPolicy::ProcessSafe => "process_safe",
                    LossPolicy::Shed => "shed",
                };
                (class.as_str(), policy)
            });
            let policy = model::Policy {
                providers: providers.collect(),
                loss: loss.collect(),
            };
            Ok((Reply::json(&policy), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn config_shown(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AdminSetup).fact(PART, "config");
        let work = async {
            let shown = model::ConfigShown {
                file: self.config_file.clone(),
                hash: self.config().config_hash.to_string(),
                values: self
                    .configured()
                    .settings
                    .iter()
                    .filter_map(value)
                    .collect(),
            };
            Ok((Reply::json(&shown), None))
        };
        self.recorded(call, who, id, work).await
    }
}
