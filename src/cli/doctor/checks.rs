//! What can be seen without sending anything.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::ToSocketAddrs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use x509_parser::pem::Pem;

use super::Finding;
use crate::adapters::ledger::postgres::schema::may_change;
use crate::adapters::ledger::{LedgerError, LedgerPlace};
use crate::domain::config::Config;
use crate::types::Micros;

/// 2026-01-01, before which no version of egret existed, and 2100-01-01, in microseconds.
const EARLIEST: i64 = 1_767_225_600_000_000;
const LATEST: i64 = 4_102_444_800_000_000;

/// Free space below which the ledger will soon not be written, and below which it is urgent.
const SCARCE_KIB: u64 = 1024 * 1024;
const URGENT_KIB: u64 = 64 * 1024;

/// Time before the end of a certificate at which somebody should know.
const CERTIFICATE_NOTICE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Longest wait for one name.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// Whether the clock can be right: ids, expiries and the ledger depend on it.
pub fn clock(now: Micros) -> Finding {
    if (EARLIEST..LATEST).contains(&now.0) {
        Finding::good(format!("clock: {now}"))
    } else {
        Finding::failed(
            format!("clock: it says {now}"),
            "set it, and keep it right with NTP: ids, expiries and the ledger depend on it",
        )
    }
}

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
    found
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

/// Whether a database that others keep answers, and what it lets the gateway do.
pub fn database(config: &Config) -> io::Result<Vec<Finding>> {
    let LedgerPlace::Postgres(place) = &config.ledger.place else {
        return Ok(Vec::new());
    };
    let shown = &config.ledger.place;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(vec![match runtime.block_on(may_change(place)) {
        Ok(false) => Finding::good(format!(
            "ledger: {shown} answers; its rows cannot be changed"
        )),
        Ok(true) => Finding::warning(
            format!("ledger: {shown} answers, to a user who could change its rows"),
            "use a login of its own for the gateway, with the role egret_writer and no other",
        ),
        Err(error @ LedgerError::Missing { .. }) => Finding::warning(
            format!("ledger: {error}"),
            "if the gateway may not make it, let the database's owner say `egret audit migrate`",
        ),
        Err(error) => Finding::failed(
            format!("ledger: {error}"),
            "calls go on while the journal has room; correct the address, the password or the server",
        ),
    }])
}

/// Room for the ledger.
pub fn disk_space(config: &Config) -> Vec<Finding> {
    let Some(ledger) = config.ledger.place.file() else {
        return Vec::new();
    };
    let there = ledger.ancestors().skip(1).find(|path| path.is_dir());
    let Some(directory) = there else {
        return Vec::new();
    };
    let shown = directory.display();
    // There is no portable call for it without unsafe code; `df -P` is POSIX.
    let asked = Command::new("df")
        .arg("-Pk")
        .arg(directory)
        .stderr(Stdio::null())
        .output();
    let free = asked
        .ok()
        .and_then(|said| available_kib(&String::from_utf8_lossy(&said.stdout)));
    let advice = "without room for records calls are refused: make room or move the ledger";
    vec![match free {
        None => Finding::warning(format!("disk: cannot tell the free space of {shown}"), ""),
        Some(kib) if kib < URGENT_KIB => {
            Finding::failed(format!("disk: {} MiB free at {shown}", kib / 1024), advice)
        }
        Some(kib) if kib < SCARCE_KIB => {
            Finding::warning(format!("disk: {} MiB free at {shown}", kib / 1024), advice)
        }
        Some(kib) => Finding::good(format!("disk: {} MiB free at {shown}", kib / 1024)),
    }]
}

/// The fourth field of the second line.
fn available_kib(said: &str) -> Option<u64> {
    said.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
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

/// Whether the names of the configured servers are known. A failure may be the network's.
pub fn names(config: &Config) -> Vec<Finding> {
    let upstreams = config
        .providers
        .values()
        .flat_map(|provider| provider.base_urls.values());
    let hosts: BTreeSet<(String, u16)> = upstreams
        .map(|upstream| (upstream.host.to_string(), upstream.port))
        .collect();
    hosts
        .into_iter()
        .map(|(host, port)| resolve(host, port))
        .collect()
}

fn resolve(host: String, port: u16) -> Finding {
    let (answer, answered) = mpsc::channel();
    let asked = format!("{host}:{port}");
    // A resolver can take minutes to give up; the thread is left to it.
    let thread = std::thread::Builder::new().spawn(move || {
        let found = asked.to_socket_addrs().map(|addresses| addresses.count());
        let _ = answer.send(found.unwrap_or(0));
    });
    let advice = "calls there are refused until it resolves: check the name and the network";
    match thread.map(|_| answered.recv_timeout(RESOLVE_TIME)) {
        Ok(Ok(count)) if count > 0 => Finding::good(format!("name: {host}, port {port}")),
        Ok(Ok(_)) => Finding::warning(format!("name: {host} cannot be resolved"), advice),
        _ => Finding::warning(format!("name: no answer about {host} in time"), advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_noticed() {
        assert_eq!(clock(Micros(0)).grade, Grade::Failed);
        assert_eq!(clock(Micros(1_795_305_338_000_000)).grade, Grade::Good);
    }

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
    fn free_space_is_read_from_df() {
        let said =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 60 40 60% /\n";
        assert_eq!(available_kib(said), Some(40));
        assert_eq!(available_kib("df: no\n"), None);
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
