//! From a configuration file to what a gateway is started with, and why it is not.

use std::io;
use std::path::{Path, PathBuf};

use super::{alerts, detection, handover};
use crate::adapters::evidence::sealer::SealerError;
use crate::adapters::journal::{JournalError, ReadError};
use crate::adapters::kept_file::KeptFileError;
use crate::adapters::key_file::{self, KeyError};
use crate::adapters::key_mark;
use crate::adapters::ledger::LedgerError;
use crate::adapters::machine::{self, Machine};
use crate::adapters::seen_files::SeenFiles;
use crate::adapters::telemetry::TelemetryError;
use crate::domain::catalog::{self, BaseUrl, Catalog, Provider};
use crate::domain::config::settings::Setting;
use crate::domain::config::{self, Config, Faults, Surroundings};
use crate::domain::keyring::Keyring;
use crate::domain::redact::{Redactor, RedactorBuilder, RuleError};
use crate::edge::ServeError;
use crate::edge::proxy::RouteError;

/// Most often it lies elsewhere.
fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::NotFound => "; say where it is by --config or EGRET_CONFIG",
        _ => "",
    }
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be read.
    #[error("cannot read the configuration {path}: {cause}{}", advice(cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The configuration has faults.
    #[error("{0}")]
    Config(Faults),
    /// Providers get in each other's way.
    #[error("{}", show(.0))]
    Catalog(Vec<catalog::Fault>),
    /// A provider cannot be served.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A redaction rule does not hold.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Redaction(Vec<RuleError>),
    /// There is no key for fingerprints.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The callers file or the lockdown file cannot be used.
    #[error(transparent)]
    Kept(#[from] KeptFileError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal cannot be read where the ledger needs it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be sealed with what is configured.
    #[error(transparent)]
    Evidence(#[from] SealerError),
    /// People cannot be told about incidents.
    #[error(transparent)]
    Alerts(#[from] alerts::AlertsError),
    /// The ledger cannot be watched.
    #[error(transparent)]
    Detection(#[from] detection::DetectionError),
    /// The captures cannot be kept.
    #[error("cannot keep captures in {path}: {cause}")]
    Captures {
        /// Their directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A collector cannot be told.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The gateway cannot listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The process before does not hand over.
    #[error("cannot take over: {0}")]
    TakeOver(#[from] handover::TakeOverError),
}

fn show(faults: &[catalog::Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A configuration with everything that it names.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Its providers, with base URLs overridden.
    pub catalog: Catalog,
    /// Every value of it, with where it came from.
    pub settings: Vec<Setting>,
    /// The files that it was read from.
    pub seen: SeenFiles,
    /// The main file; `None` if the text was given and cannot be read again.
    pub file: Option<PathBuf>,
}

impl Setup {
    /// Reads and checks a configuration; `check` and `serve` share this.
    ///
    /// # Errors
    /// [`StartError`] with every fault.
    pub fn read(path: &Path) -> Result<Self, StartError> {
        Self::read_on(Machine::default(), path)
    }

    /// As [`Setup::read`], for making the first caller: that there is none yet is no fault.
    ///
    /// # Errors
    /// [`StartError`] with every other fault.
    pub fn read_for_callers(path: &Path) -> Result<Self, StartError> {
        Self::read_on(Machine::with_callers_to_come(), path)
    }

    /// As [`Setup::read`], for going on with it: where it cannot be used, `seen` has the files that
    /// were looked at.
    ///
    /// # Errors
    /// [`StartError`] with every fault.
    pub fn read_to_reload(path: &Path, seen: &mut SeenFiles) -> Result<Self, StartError> {
        Self::read_seeing(Machine::default(), path, seen)
    }

    fn read_on(machine: Machine, path: &Path) -> Result<Self, StartError> {
        Self::read_seeing(machine, path, &mut SeenFiles::default())
    }

    fn read_seeing(
        machine: Machine,
        path: &Path,
        seen: &mut SeenFiles,
    ) -> Result<Self, StartError> {
        let unreadable = |cause| StartError::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let text = Surroundings::read(&machine, path).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| io::Error::other("the file is not UTF-8"))
        });
        let setup = match text {
            Ok(text) => Self::parse_seeing(machine, path, &text, seen)?,
            Err(cause) => {
                *seen = machine.into_parts().1;
                return Err(unreadable(cause));
            }
        };
        Ok(Self {
            file: Some(path.to_owned()),
            ..setup
        })
    }

    /// Checks a configuration given as text; `path` says where its relative paths start.
    ///
    /// # Errors
    /// [`StartError`] with every fault.
    pub fn parse(path: &Path, text: &str) -> Result<Self, StartError> {
        Self::parse_on(Machine::default(), path, text)
    }

    /// As [`Setup::parse`], but the environment does not override anything.
    ///
    /// # Errors
    /// [`StartError`] with every fault.
    pub fn parse_alone(path: &Path, text: &str) -> Result<Self, StartError> {
        Self::parse_on(Machine::without_variables(), path, text)
    }

    fn parse_on(machine: Machine, path: &Path, text: &str) -> Result<Self, StartError> {
        Self::parse_seeing(machine, path, text, &mut SeenFiles::default())
    }

    fn parse_seeing(
        machine: Machine,
        path: &Path,
        text: &str,
        seen: &mut SeenFiles,
    ) -> Result<Self, StartError> {
        let read = config::read(path, text, &machine).map_err(StartError::Config);
        let (known, looked_at) = machine.into_parts();
        *seen = looked_at;
        let config::Reading { config, settings } = read?;
        for secret in config.alerts.channels.iter().flat_map(|of| &of.secret_file) {
            // What cannot be read is said when the channel is opened.
            let _ = seen.read(secret);
        }
        let mut providers = Vec::new();
        for (id, mut provider) in known {
            if let Some(wanted) = config.providers.get(&*id) {
                override_base_urls(&mut provider, wanted);
                providers.push(provider);
            }
        }
        let catalog = Catalog::new(providers).map_err(StartError::Catalog)?;
        Ok(Self {
            config,
            catalog,
            settings,
            seen: seen.clone(),
            file: None,
        })
    }
}

/// The built-in providers with the base URLs of their files.
///
/// # Errors
/// [`StartError::Catalog`]; tests keep the built-in files free of faults.
pub fn built_in_catalog() -> Result<Catalog, StartError> {
    let providers = machine::built_in_ids()
        .iter()
        .filter_map(|id| machine::built_in(id))
        .collect::<Result<Vec<_>, _>>()
        .map_err(StartError::Catalog)?;
    Catalog::new(providers).map_err(StartError::Catalog)
}

/// Puts the configured base URLs in place of the provider file's, so that requests are found by
/// the hosts that are really called.
fn override_base_urls(provider: &mut Provider, wanted: &config::Provider) {
    for service in &mut provider.services {
        service.base_urls = wanted
            .base_urls
            .iter()
            .filter(|((of, _), _)| *of == service.id)
            .filter_map(|((_, environment), upstream)| {
                // The configuration checked it: what is left out here cannot be.
                Some((*environment, BaseUrl::parse(&upstream.url()).ok()?))
            })
            .collect();
    }
}

/// Reads the key that fingerprints and pseudonyms are made with.
///
/// # Errors
/// [`KeyError`]; also for another key than the one that the records were made with.
pub fn keyring(config: &Config, may_create: bool) -> Result<Keyring, KeyError> {
    let variable = std::env::var(key_file::ENV).ok();
    let path = &config.fingerprint_key_file;
    let place = match &variable {
        Some(_) => format!("the environment variable {}", key_file::ENV),
        None => path.display().to_string(),
    };
    let master = if may_create {
        if variable.is_none() && !path.exists() {
            key_mark::check_missing(path, &config.data_dir, &config.journal.directory)?;
        }
        key_file::load_or_create(path, variable)?
    } else {
        key_file::load(path, variable)?
    };
    let keyring = Keyring::new(master.expose());
    key_mark::check(&keyring, &place, &config.data_dir, may_create)?;
    Ok(keyring)
}

/// The redactor of a configuration, without the rules of operations. It has the key of pseudonyms
/// only if the configuration asks for them.
///
/// # Errors
/// [`StartError::Key`]; [`StartError::Redaction`] for rules that the configuration would refuse.
pub fn redactor_builder(config: &Config, may_create: bool) -> Result<RedactorBuilder, StartError> {
    let builder = config.redaction.builder();
    if !config.redaction.pseudonyms {
        return Ok(builder);
    }
    Ok(builder.pseudonym_key(keyring(config, may_create)?.redaction_key()))
}

/// Compiles a redactor.
///
/// # Errors
/// [`StartError::Redaction`].
pub fn build_redactor(builder: RedactorBuilder) -> Result<Redactor, StartError> {
    builder.build().map_err(StartError::Redaction)
}
