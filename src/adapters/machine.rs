//! The machine that a configuration is read on: its files, its environment, its cores.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::seen_files::SeenFiles;
use crate::adapters::{clock, kept_file};
use crate::domain::catalog::{self, Provider};
use crate::domain::config::{Fault, Faults, KnownProvider, KnownService, Surroundings};
use crate::domain::identity::CallerBook;
use crate::types::Environment;

/// Reads what a configuration names, and keeps the providers that it came across.
#[derive(Default)]
pub struct Machine {
    providers: RefCell<BTreeMap<Box<str>, Provider>>,
    seen: RefCell<SeenFiles>,
    callers_to_come: bool,
    without_variables: bool,
}

impl Machine {
    /// A machine on which callers are about to be made.
    pub fn with_callers_to_come() -> Self {
        Self {
            callers_to_come: true,
            ..Self::default()
        }
    }

    /// A machine whose environment says nothing: the configuration alone counts.
    pub fn without_variables() -> Self {
        Self {
            without_variables: true,
            ..Self::default()
        }
    }

    /// The providers that the last configuration named, by id, and the files that it was read from.
    pub fn into_parts(self) -> (BTreeMap<Box<str>, Provider>, SeenFiles) {
        (self.providers.into_inner(), self.seen.into_inner())
    }
}

/// The user that this process runs as: its name, else `uid:` and its number.
pub fn user_name() -> String {
    // Not from /proc/self: that belongs to root where memory is kept private.
    name_of(rustix::process::geteuid().as_raw())
}

/// Name of the user who has logged in, if the system knows that: it stays the same through `sudo`
/// and `su` (`loginuid` in proc(5)).
pub fn login_name() -> Option<String> {
    let uid = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    let uid: u32 = uid.trim().parse().ok()?;
    (uid != u32::MAX).then(|| name_of(uid))
}

/// Name of a user of the system, else `uid:` and the number.
pub fn name_of(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == uid).then(|| name.to_owned())
    });
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid:{uid}"))
}

/// The built-in provider with an id.
///
/// # Errors
/// The faults of its file; a test keeps the built-in files free of them.
pub fn built_in(id: &str) -> Option<Result<Provider, Vec<catalog::Fault>>> {
    catalog::builtin()
        .into_iter()
        .find(|(name, _)| name.strip_suffix(".toml") == Some(id))
        .map(|(name, text)| Provider::parse(name, text))
}

/// Ids of the built-in providers.
pub fn built_in_ids() -> Vec<String> {
    catalog::builtin()
        .into_iter()
        .filter_map(|(name, _)| name.strip_suffix(".toml"))
        .map(str::to_owned)
        .collect()
}

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        if self.without_variables {
            return None;
        }
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.seen.borrow_mut().read(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.seen.borrow_mut().look_at(directory);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            // A name that is not UTF-8 cannot be written in a configuration.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn provider(
        &self,
        id: &str,
        file: Option<(&Path, &str)>,
    ) -> Result<Option<KnownProvider>, Faults> {
        let parsed = match file {
            Some((path, text)) => Provider::parse(&path.display().to_string(), text),
            None => match built_in(id) {
                Some(parsed) => parsed,
                None => return Ok(None),
            },
        };
        let provider = parsed.map_err(|found| {
            let mut faults = Faults::default();
            for fault in found {
                faults.push(into_config_fault(fault));
            }
            faults
        })?;
        let known = KnownProvider {
            id: Arc::clone(&provider.id),
            services: provider.services.iter().map(known_service).collect(),
            operations: provider
                .operations
                .iter()
                .map(|operation| Arc::clone(&operation.id))
                .collect(),
            rate_limits: provider.rate_limits.clone(),
        };
        self.providers.borrow_mut().insert(id.into(), provider);
        Ok(Some(known))
    }

    fn built_in_providers(&self) -> Vec<String> {
        built_in_ids()
    }

    fn has_usable_keys(&self, callers_file: &Path) -> bool {
        self.callers_to_come
            || kept_file::load(callers_file)
                .is_ok_and(|book: CallerBook| book.has_usable_key(clock::now()))
    }

    fn check_log_filter(&self, filter: &str) -> Result<(), String> {
        filter
            .parse::<tracing_subscriber::filter::Targets>()
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn host_name(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "egret".to_owned())
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

fn known_service(service: &catalog::Service) -> KnownService {
    let url = |environment| service.base_url(environment).map(ToString::to_string);
    KnownService {
        name: Arc::clone(&service.id),
        sandbox_url: url(Environment::Sandbox),
        production_url: url(Environment::Production),
    }
}

fn into_config_fault(fault: catalog::Fault) -> Fault {
    Fault {
        file: fault.file,
        line: usize::try_from(fault.line).unwrap_or(0),
        column: 0,
        key: String::new(),
        found: None,
        message: fault.what,
        hint: fault.instead,
    }
}
