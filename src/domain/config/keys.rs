//! Every key that there is: the reference and the schema are made of them.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::fault::Faults;
use super::parse::{KnownProvider, KnownService, Surroundings, describe};
use super::reader::KeyInfo;
use crate::domain::catalog::{RateKey, RateLimit};

/// Every key, and the tables that may be written several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBook {
    /// The keys, in the order in which they are read.
    pub keys: Vec<KeyInfo>,
    /// Names of tables that are written as `[[name]]`.
    pub lists: Vec<String>,
}

/// Writes every optional table, so that every key is asked for.
const EVERYTHING: &str = "\
[[listener]]
tls = { certificate = \"tls.pem\", key = \"tls.key\" }
[callers.certificates]
x = \"y\"
[limits.priority]
x = \"money\"
[providers.cybrid.budgets.general]
[providers.cybrid.services.bank]
sandbox = { url = \"https://bank.example\" }
production = { url = \"https://live.example\" }
[[evidence.witness]]
[[redaction.rule]]
name = \"x\"
fields = [\"y\"]
[[capture]]
provider = \"cybrid\"
[[alerts.channel]]
name = \"x\"
kind = \"alertmanager\"
url = \"https://alerts.example\"
[telemetry.attributes]
x = \"y\"
[[detect.load_tests]]
caller = \"x\"
from = 1
to = 2
[detect.rules.volume]
";

/// Every key.
pub fn keys() -> KeyBook {
    describe(EVERYTHING, &Everywhere)
}

/// A machine that has all that a configuration can ask for.
struct Everywhere;

impl Surroundings for Everywhere {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(b"-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n".to_vec())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn provider(
        &self,
        id: &str,
        _: Option<(&Path, &str)>,
    ) -> Result<Option<KnownProvider>, Faults> {
        Ok(Some(KnownProvider {
            id: id.into(),
            services: vec![KnownService {
                name: "bank".into(),
                sandbox_url: Some("https://sandbox.example".to_owned()),
                production_url: None,
            }],
            operations: Vec::new(),
            rate_limits: vec![RateLimit {
                id: "general".into(),
                operations: Vec::new(),
                limit: Some(100),
                window: Some(Duration::from_secs(300)),
                per: RateKey::SourceIp,
                status: 429,
                anonymous_only: false,
            }],
        }))
    }

    fn built_in_providers(&self) -> Vec<String> {
        Vec::new()
    }

    fn has_usable_keys(&self, _: &Path) -> bool {
        true
    }

    fn check_log_filter(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn host_name(&self) -> String {
        "egret".to_owned()
    }

    fn cores(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_known() {
        let book = keys();
        assert!(book.keys.len() > 100);
        let known = [
            "listener",
            "evidence.witness",
            "redaction.rule",
            "capture",
            "alerts.channel",
        ];
        for list in known {
            assert!(book.lists.iter().any(|of| of == list), "{list}");
            assert!(book.keys.iter().any(|key| key.section == list), "{list}");
        }
    }
}
