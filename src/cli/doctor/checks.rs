//! Files: who can reach them, whether keys can be used, how long certificates hold.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use x509_parser::pem::Pem;

use super::{Finding, machine};
use crate::adapters::{key_file, key_mark, signing_key};
use crate::app::{self, files};
use crate::domain::config::Config;
use crate::domain::evidence::SignatureType;
use crate::types::Micros;

/// Time before the end of a certificate at which somebody should know.
const CERTIFICATE_NOTICE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Who can read and change the files of the gateway.
pub fn permissions(config: &Config) -> Vec<Finding> {
    let mut found = vec![
        mode(
            &config.data_dir,
            "data directory",
            0o022,
            0o005,
            "chmod 750",
        ),
        mode(
            &config.fingerprint_key_file,
            "fingerprint key",
            0o077,
            0,
            "chmod 600",
        ),
        mode(
            &config.capture_key_file,
            "capture key",
            0o077,
            0,
            "chmod 600",
        ),
        mode(
            &config.callers.file,
            "callers file",
            0o022,
            0o044,
            "chmod 600",
        ),
        mode(&config.capture_dir, "captures", 0o077, 0, "chmod 700"),
    ];
    if let Some(file) = config.ledger.place.file() {
        found.push(mode(file, "ledger", 0o022, 0o044, "chmod 600"));
    }
    for kept in machine::kept_files(config) {
        found.push(mode(
            &kept.path,
            kept.what,
            kept.wrong,
            kept.doubtful,
            kept.advice,
        ));
        found.extend(machine::owner(&kept.path, kept.what));
    }
    found
}

/// Whether the keys can be used that are there; a start makes those that are not.
pub fn keys(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    const RESTORE: &str = "the gateway does not start with it: restore it from a copy; with another key, \
                           fingerprints and pseudonyms do not fit those on record";
    if config.fingerprint_key_file.exists() || std::env::var_os(key_file::ENV).is_some() {
        found.push(match app::keyring(config, false) {
            Ok(_) => Finding::good("fingerprint key: usable"),
            Err(error) => Finding::failed(format!("fingerprint key: {error}"), RESTORE),
        });
    } else {
        // A first start makes it, and no later one.
        let (key, journal) = (&config.fingerprint_key_file, &config.journal.directory);
        let missing = key_mark::check_missing(key, &config.data_dir, journal).err();
        found.extend(
            missing.map(|error| Finding::failed(format!("fingerprint key: {error}"), RESTORE)),
        );
    }
    let signing = &config.evidence;
    if signing.enabled && signing.key_file.exists() {
        // Its name is the log's, which the gateway's start checks.
        let loaded = signing_key::load(
            &signing.key_file,
            None,
            &signing.origin(&config.node),
            SignatureType::Ed25519,
        );
        found.push(match loaded {
            Ok(_) => Finding::good("signing key: usable"),
            Err(error) => Finding::failed(
                format!("signing key: {error}"),
                "the gateway does not start with it: restore it from a copy",
            ),
        });
    }
    found
}

/// Files that the configuration names, and those that the gateway keeps: whether they can be used.
pub fn files(config: &Config) -> Vec<Finding> {
    let named = files::named(config).into_iter().map(|fault| {
        Finding::failed(
            fault,
            "write the path of a file that the gateway's user can read",
        )
    });
    let kept = files::kept(config).into_iter().map(|fault| {
        Finding::failed(
            fault,
            "correct it, or restore it from a copy: a start refuses what it cannot read",
        )
    });
    named.chain(kept).collect()
}

/// Bits that must not be set, and bits that had better not be.
fn mode(path: &Path, what: &str, wrong: u32, doubtful: u32, advice: &str) -> Finding {
    let shown = path.display();
    let mode = match fs::metadata(path) {
        Ok(of) => of.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::good(format!("{what}: not there yet ({shown})"));
        }
        Err(error) => {
            let advice = "run this as the user that runs the gateway";
            return Finding::failed(format!("{what}: cannot look at {shown}: {error}"), advice);
        }
    };
    let found = format!("{what}: {shown} has mode {mode:o}");
    let advice = format!("other users can reach it: {advice} {shown}");
    if mode & wrong != 0 {
        Finding::failed(found, advice)
    } else if mode & doubtful != 0 {
        Finding::warning(found, advice)
    } else {
        Finding::good(found)
    }
}

/// How long the certificates hold that the configuration names.
pub fn certificates(config: &Config, now: Micros) -> Vec<Finding> {
    let mut files: BTreeSet<&PathBuf> = BTreeSet::new();
    for tls in config
        .listeners
        .iter()
        .filter_map(|listener| listener.tls.as_ref())
    {
        files.insert(&tls.certificate);
        files.extend(&tls.client_ca);
    }
    let providers = config.providers.values();
    files.extend(
        providers
            .flat_map(|provider| provider.base_urls.values())
            .filter_map(|up| up.ca.as_ref()),
    );
    files
        .into_iter()
        .map(|file| certificate(file, now))
        .collect()
}

fn certificate(file: &Path, now: Micros) -> Finding {
    let shown = file.display();
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let what = format!("certificate: cannot read {shown}: {error}");
            return Finding::failed(what, "run this as the user that runs the gateway");
        }
    };
    let ends = Pem::iter_from_buffer(&bytes).filter_map(|pem| {
        let pem = pem.ok()?;
        let end = pem.parse_x509().ok()?.validity().not_after.timestamp();
        Some(Micros(end.saturating_mul(1_000_000)))
    });
    // Of a chain the first to end counts.
    let Some(end) = ends.min() else {
        let what = format!("certificate: none in {shown}");
        return Finding::failed(what, "name a PEM file with a certificate");
    };
    if end <= now {
        Finding::failed(format!("certificate: {shown} ended at {end}"), "renew it")
    } else if end <= now.plus(CERTIFICATE_NOTICE) {
        Finding::warning(
            format!("certificate: {shown} ends at {end}"),
            "renew it soon",
        )
    } else {
        Finding::good(format!("certificate: {shown} holds until {end}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn open_files_are_noticed_and_missing_ones_are_to_come() {
        let place = tempfile::tempdir().unwrap();
        let key = place.path().join("k");
        let grade = |key: &Path| mode(key, "key", 0o077, 0, "chmod 600").grade;
        assert_eq!(grade(&key), Grade::Good);
        fs::write(&key, "k").unwrap();
        for (bits, expected) in [(0o600, Grade::Good), (0o640, Grade::Failed)] {
            fs::set_permissions(&key, fs::Permissions::from_mode(bits)).unwrap();
            assert_eq!(grade(&key), expected, "{bits:o}");
        }
    }

    #[test]
    fn certificates_are_read_for_their_end() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("c.pem");
        let mut wanted = rcgen::CertificateParams::new(vec!["egret.example".to_owned()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(&file, wanted.self_signed(&key).unwrap().pem()).unwrap();
        let end = 1_798_761_600_000_000;
        for (now, expected) in [
            (end - 30 * 86_400_000_000, Grade::Good),
            (end - 86_400_000_000, Grade::Warning),
            (end + 1, Grade::Failed),
        ] {
            assert_eq!(certificate(&file, Micros(now)).grade, expected);
        }
        fs::write(&file, "nothing").unwrap();
        assert_eq!(certificate(&file, Micros(0)).grade, Grade::Failed);
    }
}
