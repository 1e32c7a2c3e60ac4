//! Surroundings that exist in the tests only.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::catalog::{RateKey, RateLimit};
use crate::domain::config::{Fault, Faults, KnownProvider, KnownService, Surroundings};

/// A machine with some files and variables.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) variables: BTreeMap<&'static str, &'static str>,
    pub(super) files: BTreeMap<PathBuf, &'static str>,
    pub(super) has_keys: bool,
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n";
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n";

impl Machine {
    pub(super) fn with_tls_files() -> Self {
        let mut machine = Self::default();
        for (path, text) in [
            ("/etc/egret/tls.pem", CERTIFICATE),
            ("/etc/egret/ca.pem", CERTIFICATE),
            ("/etc/egret/tls.key", PRIVATE_KEY),
            ("/etc/egret/own.toml", "own provider"),
        ] {
            machine.files.insert(PathBuf::from(path), text);
        }
        machine
    }
}

fn known(id: &str) -> Option<KnownProvider> {
    let service = |name: &str, host: Option<&str>| KnownService {
        name: name.into(),
        sandbox_url: host.map(|host| format!("https://{host}.sandbox.cybrid.app")),
        production_url: host.map(|host| format!("https://{host}.production.cybrid.app")),
    };
    let services = match id {
        "cybrid" => vec![
            service("bank", Some("bank")),
            service("identity", Some("id")),
        ],
        "obp" | "wyre" | "own" => vec![service("api", None)],
        _ => return None,
    };
    Some(KnownProvider {
        id: id.into(),
        services,
        operations: vec!["bank.create_trade".into(), "bank.get_trade".into()],
        rate_limits: vec![RateLimit {
            id: "general".into(),
            operations: Vec::new(),
            limit: (id == "cybrid").then_some(100),
            window: (id == "cybrid").then_some(Duration::from_secs(300)),
            per: RateKey::SourceIp,
            status: 429,
            anonymous_only: false,
        }],
    })
}

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = self.files.get(path);
        text.map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let paths = self.files.keys();
        let inside = paths.filter(|path| path.parent() == Some(directory));
        let names = inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn provider(
        &self,
        id: &str,
        file: Option<(&Path, &str)>,
    ) -> Result<Option<KnownProvider>, Faults> {
        match file {
            Some((_, "broken")) => Err(Fault {
                file: "own.toml".to_owned(),
                line: 3,
                column: 1,
                key: "operations".to_owned(),
                found: None,
                message: "missing".to_owned(),
                hint: String::new(),
            }
            .into()),
            Some(_) => Ok(known("own")),
            None => Ok(known(id).filter(|known| &*known.id != "own")),
        }
    }

    fn built_in_providers(&self) -> Vec<String> {
        ["cybrid", "obp", "wyre"].map(str::to_owned).to_vec()
    }

    fn has_usable_keys(&self, callers_file: &Path) -> bool {
        assert!(callers_file.ends_with("callers.toml"));
        self.has_keys
    }

    fn check_log_filter(&self, filter: &str) -> Result<(), String> {
        if filter.contains('!') {
            return Err("invalid directive".to_owned());
        }
        Ok(())
    }

    fn host_name(&self) -> String {
        "node-1".to_owned()
    }

    fn cores(&self) -> usize {
        4
    }
}
