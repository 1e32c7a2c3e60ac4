//! Where a request leads.

use crate::domain::catalog::{Catalog, ProviderIndex, ServiceIndex};
use crate::types::Environment;

/// A service of a provider in one environment, and the path there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'p> {
    /// The provider.
    pub provider: ProviderIndex,
    /// The service.
    pub service: ServiceIndex,
    /// The environment.
    pub environment: Environment,
    /// The path for the bank, without its base path.
    pub rest: &'p str,
}

/// Finds the service of a request: by the host of a provider, else by path prefix.
/// `environment_of` says where the path prefixes of a provider lead.
pub fn locate<'p>(
    catalog: &Catalog,
    host: &str,
    path: &'p str,
    environment_of: impl FnOnce(ProviderIndex) -> Option<Environment>,
) -> Option<Place<'p>> {
    if let Some(by) = catalog.by_host(host) {
        return Some(Place {
            provider: by.provider,
            service: by.service,
            environment: by.environment,
            rest: path,
        });
    }
    let by = catalog.by_prefix(path)?;
    Some(Place {
        provider: by.provider,
        service: by.service,
        environment: environment_of(by.provider)?,
        rest: by.rest,
    })
}
