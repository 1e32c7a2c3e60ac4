//! When the certificates run out that the configuration names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::config::Config;
use crate::domain::health::{CertificateUse, CertificateVitals};
use crate::types::Micros;

/// How often the files are read again: they are replaced while the gateway runs.
const LOOK: Duration = Duration::from_secs(300);

/// Largest file that is read: a bundle of authorities.
const MAX_FILE: u64 = 4 << 20;

/// The files, and what was found in them.
pub struct Certificates {
    files: Vec<(CertificateUse, PathBuf)>,
    found: Mutex<(Option<Micros>, Vec<CertificateVitals>)>,
}

impl Certificates {
    /// Every file of certificates that the configuration names, each once for each use.
    pub fn new(config: &Config) -> Self {
        let mut files = Vec::new();
        let listeners = config.listeners.iter().filter_map(|one| one.tls.as_ref());
        for tls in listeners.chain(&config.admin.tls) {
            files.push((CertificateUse::Listener, tls.certificate.clone()));
            let authorities = tls.client_ca.iter().cloned();
            files.extend(authorities.map(|path| (CertificateUse::ClientCa, path)));
        }
        for provider in config.providers.values() {
            let authorities = provider.base_urls.values().filter_map(|url| url.ca.clone());
            files.extend(authorities.map(|path| (CertificateUse::UpstreamCa, path)));
        }
        let telemetry = config.telemetry.ca.iter().cloned();
        files.extend(telemetry.map(|path| (CertificateUse::CollectorCa, path)));
        files.sort();
        files.dedup();
        Self {
            files,
            found: Mutex::default(),
        }
    }

    /// When they run out; read again now and then. A file that cannot be read is left out: what needs it
    /// says so.
    pub fn look(&self, now: Micros) -> Vec<CertificateVitals> {
        let mut found = self.found.lock();
        let is_old = |at: Micros| now.since(at) >= LOOK || now < at;
        if found.0.is_none_or(is_old) {
            let read = self.files.iter().filter_map(|(purpose, path)| {
                Some(CertificateVitals {
                    purpose: *purpose,
                    file: path.display().to_string().into(),
                    expires_at: earliest_end(path)?,
                })
            });
            *found = (Some(now), read.collect());
        }
        found.1.clone()
    }
}

/// The first end of a certificate in a PEM file.
fn earliest_end(path: &Path) -> Option<Micros> {
    if std::fs::metadata(path).ok()?.len() > MAX_FILE {
        return None;
    }
    let text = std::fs::read(path).ok()?;
    let pems = x509_parser::pem::Pem::iter_from_buffer(&text);
    let ends = pems.filter_map(|pem| {
        let pem = pem.ok()?;
        let certificate = pem.parse_x509().ok()?;
        let end = certificate.validity().not_after.timestamp();
        Some(Micros::from_secs(end))
    });
    ends.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_of_a_chain_counts_and_a_new_file_is_seen() {
        let issue = |years: i32| {
            let mut params = rcgen::CertificateParams::default();
            params.not_after = rcgen::date_time_ymd(2030 + years, 1, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            params.self_signed(&key).unwrap().pem()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chain.pem");
        std::fs::write(&path, format!("{}{}", issue(5), issue(1))).unwrap();
        let certificates = Certificates {
            files: vec![
                (CertificateUse::Listener, path.clone()),
                (CertificateUse::ClientCa, dir.path().join("away.pem")),
            ],
            found: Mutex::default(),
        };
        // 2031-01-01 and 2030-01-01.
        let (first, second) = (1_924_992_000, 1_893_456_000);
        let now = Micros::from_secs(1_795_305_338);
        let ends = |now| {
            let found = certificates.look(now).into_iter();
            found
                .map(|one| one.expires_at.as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(now), [first]);
        std::fs::write(&path, issue(0)).unwrap();
        assert_eq!(ends(now), [first]);
        assert_eq!(ends(now.plus(LOOK)), [second]);
    }
}
