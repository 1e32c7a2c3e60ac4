//! Where requests can go: every service of every configured provider, with its server.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::figures::Names;
use crate::domain::catalog::{Catalog, Matcher, Provider, ProviderIndex, Service, ServiceIndex};
use crate::domain::config::{Config, ErrorBodies};
use crate::domain::health::CallPlace;
use crate::domain::observe::ProviderPlans;
use crate::domain::policy::Rules;
use crate::domain::quota::{Plan, Plans};
use crate::domain::recognise;
use crate::edge::groups::{Group, GroupMaker, ServiceGroups};
use crate::edge::upstreams::{CaError, Server};
use crate::types::Environment;

/// A service of a provider in one environment.
pub struct Destination {
    /// The provider with all that is compiled from its file.
    pub provider: Arc<ServedProvider>,
    /// The service.
    pub service: ServiceIndex,
    /// Its name.
    pub service_id: Arc<str>,
    /// The environment.
    pub environment: Environment,
    /// The server.
    pub server: Arc<Server>,
    /// Whole-request time, unless the operation says otherwise.
    pub timeout: Duration,
    /// What callers get of the bank's error bodies.
    pub error_bodies: ErrorBodies,
    /// What fails and fills up together.
    pub groups: ServiceGroups,
}

/// A provider that is served.
pub struct ServedProvider {
    /// What its file says.
    pub catalog: Arc<Provider>,
    /// Finds operations.
    pub matcher: Matcher,
    /// What to take from bodies.
    pub plans: ProviderPlans,
    /// What is allowed.
    pub rules: Rules,
    /// Its rate limits.
    pub budgets: Plans,
    /// Whether the bank learns the caller's address.
    pub forward_caller_address: bool,
}

/// Why the routes cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// A certificate authority of an upstream.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// A path in a provider file.
    #[error("provider {provider}: {cause}")]
    Plan {
        /// The provider.
        provider: Arc<str>,
        /// What is wrong.
        cause: crate::domain::tap::PathError,
    },
}

/// All destinations.
pub struct Routes {
    catalog: Catalog,
    /// By provider, service and environment; `None` where no base URL is known.
    destinations: Vec<((ProviderIndex, ServiceIndex, Environment), Arc<Destination>)>,
    /// The environment of path prefixes, by provider.
    environments: Vec<Environment>,
}

/// A destination and the path there.
pub struct Found<'p> {
    /// The destination.
    pub destination: &'p Arc<Destination>,
    /// The path for the bank, without its base path.
    pub rest: &'p str,
}

impl Routes {
    /// Prepares every destination that the configuration gives a base URL.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn new(catalog: Catalog, config: &Config) -> Result<Self, RouteError> {
        Self::after(catalog, config, None)
    }

    /// As [`Routes::new`], for a configuration that takes the place of another: servers that are the
    /// same stay, and what their breakers and bulkheads have come to know goes on. Nothing of it takes
    /// effect before [`Routes::take_over`].
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn after(
        catalog: Catalog,
        config: &Config,
        former: Option<&Self>,
    ) -> Result<Self, RouteError> {
        let known = former.map(Self::groups).unwrap_or_default();
        let mut destinations = Vec::new();
        let mut environments = Vec::new();
        for (index, entry) in (0u8..).map(ProviderIndex).zip(catalog.entries()) {
            let id = &entry.provider.id;
            let Some(wanted) = config.providers.get(id) else {
                environments.push(Environment::Sandbox);
                continue;
            };
            environments.push(wanted.environment);
            let plans = ProviderPlans::new(&entry.provider, &entry.matcher).map_err(|cause| {
                RouteError::Plan {
                    provider: Arc::clone(id),
                    cause,
                }
            })?;
            let provider = Arc::new(ServedProvider {
                catalog: Arc::clone(&entry.provider),
                matcher: entry.matcher.clone(),
                plans,
                budgets: Plans::resolve(
                    &entry.provider,
                    &wanted.budgets,
                    &config.budgets,
                    longest_call(&entry.provider, config.timeouts.request),
                ),
                rules: Rules {
                    unknown_operations: wanted.unknown_operations,
                    dauth_callers: wanted.dauth_callers.clone(),
                    gateway_login_callers: wanted.gateway_login_callers.clone(),
                },
                forward_caller_address: wanted.forward_caller_address,
            });
            let calm = Arc::new(wanted.resilience.clone());
            for environment in Environment::ALL.iter().copied() {
                let theirs = known
                    .iter()
                    .filter(|group| group.provider == *id && group.environment == environment);
                let mut groups = GroupMaker::new(environment, &calm, theirs);
                for (at, service) in (0u8..).map(ServiceIndex).zip(&entry.provider.services) {
                    let key = (Arc::clone(&service.id), environment);
                    let Some(upstream) = wanted.base_urls.get(&key) else {
                        continue;
                    };
                    let version = wanted.http_version.unwrap_or(service.http_version);
                    let server = Server::new(upstream, version, &config.timeouts)?;
                    let server = match former.and_then(|of| of.server(id, &service.id, environment))
                    {
                        Some(former) => server.after(former),
                        None => Arc::new(server),
                    };
                    let destination = Destination {
                        provider: Arc::clone(&provider),
                        service: at,
                        service_id: Arc::clone(&service.id),
                        environment,
                        server,
                        groups: groups.service(&entry.provider, at),
                        error_bodies: wanted
                            .service_error_bodies
                            .get(&service.id)
                            .copied()
                            .unwrap_or(wanted.error_bodies),
                        timeout: service.timeout.unwrap_or(config.timeouts.request),
                    };
                    destinations.push(((index, at, environment), Arc::new(destination)));
                }
            }
        }
        Ok(Self {
            catalog,
            destinations,
            environments,
        })
    }

    /// Makes breakers and bulkheads follow the settings of this configuration.
    pub fn take_over(&self) {
        for group in self.groups() {
            group.take_over();
        }
    }

    fn server(
        &self,
        provider: &str,
        service: &str,
        environment: Environment,
    ) -> Option<&Arc<Server>> {
        let mut all = self.destinations.iter().map(|(_, destination)| destination);
        let found = all.find(|of| {
            of.environment == environment
                && *of.service_id == *service
                && *of.provider.catalog.id == *provider
        });
        found.map(|destination| &destination.server)
    }

    /// Finds the destination of a request: by the host of a provider, else by path prefix.
    pub fn find<'p>(&'p self, host: &str, path: &'p str) -> Option<Found<'p>> {
        let environment_of =
            |provider: ProviderIndex| self.environments.get(usize::from(provider.0)).copied();
        let place = recognise::locate(&self.catalog, host, path, environment_of)?;
        Some(Found {
            destination: self.destination((place.provider, place.service, place.environment))?,
            rest: place.rest,
        })
    }

    /// What calls can be told apart by in figures: where they go, what they are, what they mint.
    pub fn names(&self) -> Names {
        let places = self.destinations.iter().map(|(_, destination)| CallPlace {
            provider: Arc::clone(&destination.provider.catalog.id),
            environment: destination.environment,
            service: Arc::clone(&destination.service_id),
            host: Arc::clone(destination.server.host()),
            port: destination.server.port(),
        });
        let operations = || {
            let providers = self.catalog.entries().iter();
            providers.flat_map(|entry| &entry.provider.operations)
        };
        let mints = operations().filter_map(|operation| operation.mint.as_ref());
        Names::new(
            places,
            operations().map(|operation| Arc::clone(&operation.id)),
            mints.map(|mint| Arc::clone(&mint.kind)),
        )
    }

    /// Every budget.
    pub fn budgets(&self) -> Vec<Arc<Plan>> {
        let mut plans: Vec<Arc<Plan>> = Vec::new();
        for (_, destination) in &self.destinations {
            for plan in destination.provider.budgets.all() {
                if !plans.iter().any(|known| Arc::ptr_eq(known, plan)) {
                    plans.push(Arc::clone(plan));
                }
            }
        }
        plans
    }

    /// Every server, for resolving their names.
    pub fn servers(&self) -> Vec<Arc<Server>> {
        self.destinations
            .iter()
            .map(|(_, destination)| Arc::clone(&destination.server))
            .collect()
    }

    /// Every endpoint group, each once.
    pub fn groups(&self) -> Vec<Arc<Group>> {
        let mut groups: Vec<Arc<Group>> = self
            .destinations
            .iter()
            .flat_map(|(_, destination)| destination.groups.all())
            .map(Arc::clone)
            .collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        groups.dedup_by(|a, b| Arc::ptr_eq(a, b));
        groups
    }

    fn destination(
        &self,
        key: (ProviderIndex, ServiceIndex, Environment),
    ) -> Option<&Arc<Destination>> {
        self.destinations
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, destination)| destination)
    }
}

/// The longest that a call to a provider may take.
fn longest_call(provider: &Provider, usual: Duration) -> Duration {
    let services = provider.services.iter().map(|service| service.timeout);
    let operations = provider
        .operations
        .iter()
        .map(|operation| operation.timeout);
    let own = services.chain(operations).flatten().max();
    own.map_or(usual, |own| own.max(usual))
}

impl Destination {
    /// What the provider's file says about the service.
    pub fn service(&self) -> Option<&Service> {
        self.provider.catalog.service(self.service)
    }
}
