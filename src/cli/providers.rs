//! The providers that `catalog` and `classify` know: those of a configuration, else the built-in
//! ones.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::app::{self, Setup};
use crate::domain::catalog::{Catalog, ProviderIndex};
use crate::domain::config::{Config, UnknownOperations};
use crate::domain::http::HeadLimits;
use crate::domain::policy::Rules;
use crate::edge::proxy::FrontLimits;
use crate::types::Environment;

/// Whose providers.
#[derive(Debug, Args)]
pub struct ProvidersArgs {
    /// Configuration whose providers to use. Without it: the built-in ones.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "EGRET_CONFIG",
        hide_env_values = true
    )]
    config: Option<PathBuf>,
}

/// The providers, and how the gateway would treat them.
pub struct Providers {
    /// The providers.
    pub catalog: Catalog,
    /// The configuration, if one was named.
    pub config: Option<Config>,
}

impl Providers {
    /// Reads the configuration that was named, or takes the built-in providers.
    ///
    /// # Errors
    /// The configuration has faults.
    pub fn open(args: &ProvidersArgs) -> Result<Self, Failure> {
        let Some(path) = &args.config else {
            let catalog = app::built_in_catalog().map_err(Failure::new)?;
            return Ok(Self {
                catalog,
                config: None,
            });
        };
        // These commands serve nobody, so callers may be missing.
        let setup = Setup::read_for_callers(path).map_err(Failure::new)?;
        Ok(Self {
            catalog: setup.catalog,
            config: Some(setup.config),
        })
    }

    /// Where path prefixes of a provider lead.
    pub fn environment(&self, provider: ProviderIndex) -> Option<Environment> {
        let wanted = self.configured(provider).map(|wanted| wanted.environment);
        Some(wanted.unwrap_or(Environment::Sandbox))
    }

    /// What policy allows at a provider: by default nothing that must be allowed by name.
    pub fn rules(&self, provider: ProviderIndex) -> Rules {
        match self.configured(provider) {
            Some(wanted) => Rules {
                unknown_operations: wanted.unknown_operations,
                dauth_callers: wanted.dauth_callers.clone(),
                gateway_login_callers: wanted.gateway_login_callers.clone(),
            },
            None => Rules {
                unknown_operations: UnknownOperations::Forward,
                dauth_callers: Vec::new(),
                gateway_login_callers: Vec::new(),
            },
        }
    }

    /// The largest request heads.
    pub fn head_limits(&self) -> HeadLimits {
        self.config
            .as_ref()
            .map_or_else(HeadLimits::default, |config| FrontLimits::new(config).head)
    }

    /// The path prefixes, for messages.
    pub fn prefixes(&self) -> String {
        let prefixes: Vec<&str> = self
            .catalog
            .entries()
            .iter()
            .flat_map(|entry| &entry.provider.services)
            .map(|service| &*service.prefix)
            .collect();
        prefixes.join(", ")
    }

    fn configured(&self, provider: ProviderIndex) -> Option<&crate::domain::config::Provider> {
        let id = &self.catalog.entry(provider)?.provider.id;
        self.config.as_ref()?.providers.get(id)
    }
}
