//! All providers of a gateway, found by path prefix or by host.

use std::sync::Arc;

use super::base_url::split_port;
use super::fault::Fault;
use super::matcher::Matcher;
use super::model::{Provider, ServiceIndex};
use crate::types::Environment;

/// The providers in use.
#[derive(Clone, Debug)]
pub struct Catalog {
    entries: Vec<Entry>,
    /// Longest prefix first.
    prefixes: Vec<(Arc<str>, ProviderIndex, ServiceIndex)>,
    /// Hosts of base URLs, in lower case. Loopback hosts are left out: they name this machine,
    /// and so the gateway itself.
    hosts: Vec<(Arc<str>, ProviderIndex, ServiceIndex, Environment)>,
}

/// A provider with its matcher.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Its routes.
    pub matcher: Matcher,
}

/// The place of a provider in a [`Catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderIndex(pub u8);

/// Most providers of one gateway.
pub const MAX_PROVIDERS: usize = 64;

/// Where a request goes, found by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByPrefix<'p> {
    /// The provider.
    pub provider: ProviderIndex,
    /// The service.
    pub service: ServiceIndex,
    /// The path for the upstream: the request's without the prefix, `/` if nothing is left.
    pub rest: &'p str,
}

/// Where a request goes, found by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByHost {
    /// The provider.
    pub provider: ProviderIndex,
    /// The service.
    pub service: ServiceIndex,
    /// The environment whose base URL has this host.
    pub environment: Environment,
}

impl Catalog {
    /// Puts providers together, with base URLs already overridden by the configuration.
    ///
    /// # Errors
    /// Every id, prefix and host that two of them claim. The faults have the provider's id in
    /// place of a file name and no line.
    pub fn new(providers: Vec<Provider>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut catalog = Self {
            entries: Vec::new(),
            prefixes: Vec::new(),
            hosts: Vec::new(),
        };
        for (index, provider) in (0u8..).zip(providers.into_iter().take(MAX_PROVIDERS)) {
            let index = ProviderIndex(index);
            let mut fault = |what: String, instead: &str| {
                let file = provider.id.to_string();
                faults.push(Fault {
                    file,
                    line: 0,
                    what,
                    instead: instead.to_owned(),
                });
            };
            if catalog
                .entries
                .iter()
                .any(|entry| entry.provider.id == provider.id)
            {
                fault(
                    format!("a second provider {:?}", provider.id),
                    "give it another id",
                );
            }
            for (at, service) in (0u8..).map(ServiceIndex).zip(&provider.services) {
                if catalog
                    .prefixes
                    .iter()
                    .any(|(prefix, ..)| *prefix == service.prefix)
                {
                    fault(
                        format!("a second prefix {}", service.prefix),
                        "give it another prefix",
                    );
                }
                catalog
                    .prefixes
                    .push((Arc::clone(&service.prefix), index, at));
                for (environment, url) in &service.base_urls {
                    if url.is_loopback() {
                        continue;
                    }
                    if catalog.hosts.iter().any(|(host, ..)| **host == *url.host()) {
                        fault(
                            format!("a second base URL with host {}", url.host()),
                            "use one host for one service and environment",
                        );
                    }
                    catalog
                        .hosts
                        .push((url.host().into(), index, at, *environment));
                }
            }
            let matcher = Matcher::new(&provider);
            catalog.entries.push(Entry {
                provider: Arc::new(provider),
                matcher,
            });
        }
        catalog
            .prefixes
            .sort_by_key(|(prefix, ..)| std::cmp::Reverse(prefix.len()));
        if faults.is_empty() {
            Ok(catalog)
        } else {
            Err(faults)
        }
    }

    /// The provider at an index.
    pub fn entry(&self, index: ProviderIndex) -> Option<&Entry> {
        self.entries.get(usize::from(index.0))
    }

    /// The provider with an id.
    pub fn provider(&self, id: &str) -> Option<(ProviderIndex, &Entry)> {
        let indexes = (0u8..).map(ProviderIndex);
        indexes
            .zip(&self.entries)
            .find(|(_, entry)| &*entry.provider.id == id)
    }

    /// All providers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The service whose prefix a path starts with, at the end of a segment; the longest prefix
    /// wins.
    pub fn by_prefix<'p>(&self, path: &'p str) -> Option<ByPrefix<'p>> {
        self.prefixes
            .iter()
            .find_map(|(prefix, provider, service)| {
                let rest = match path.strip_prefix(&**prefix)? {
                    "" => "/",
                    rest if rest.starts_with('/') => rest,
                    _ => return None,
                };
                Some(ByPrefix {
                    provider: *provider,
                    service: *service,
                    rest,
                })
            })
    }

    /// The service that a `Host` header names, whatever its port.
    pub fn by_host(&self, host: &str) -> Option<ByHost> {
        let (name, _) = split_port(host)?;
        self.hosts
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name))
            .map(|(_, provider, service, environment)| ByHost {
                provider: *provider,
                service: *service,
                environment: *environment,
            })
    }
}
