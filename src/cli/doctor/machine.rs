//! The machine: its clock, its disks, what it allows the process.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{statfs, statvfs};
use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::adapters::hardening;
use crate::domain::config::Config;
use crate::types::Micros;

/// 2026-01-01, before which no version of egret existed, and 2100-01-01, in microseconds.
const EARLIEST: i64 = 1_767_225_600_000_000;
const LATEST: i64 = 4_102_444_800_000_000;

/// Free space below which records will soon not be written, and below which it is urgent. The
/// journal takes a whole segment at a time.
const SCARCE: u64 = 1 << 30;
const URGENT: u64 = 64 << 20;

/// File descriptors besides those of connections: files, sockets, what libraries keep.
const OTHER_DESCRIPTORS: u64 = 512;

/// Whether the clock can be right, and whether something keeps it so: ids, expiries, checkpoints and
/// the ledger depend on it.
pub fn clock(now: Micros) -> Vec<Finding> {
    if !(EARLIEST..LATEST).contains(&now.0) {
        return vec![Finding::failed(
            format!("clock: it says {now}"),
            "set it, and keep it right with NTP: ids, expiries and the ledger depend on it",
        )];
    }
    let mut found = vec![Finding::good(format!("clock: {now}"))];
    found.push(match synchronised() {
        Some(true) => Finding::good("clock: kept right by NTP"),
        Some(false) => Finding::warning(
            "clock: nothing keeps it right",
            "run chrony or systemd-timesyncd: records carry its time, and DORA and PCI DSS 10.6 ask \
             for it",
        ),
        // In a container the machine's affair.
        None => Finding::good("clock: what keeps it right cannot be seen from here"),
    });
    found
}

/// Whether the kernel's clock follows a server, as systemd sees it; `None` where nobody can say.
fn synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    match asked.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Whether the clock agrees with that of the ledger's newest record: it must not be behind.
pub fn clock_against(now: Micros, newest: Option<Micros>) -> Option<Finding> {
    let newest = newest?;
    (newest.0 > now.0.saturating_add(2_000_000)).then(|| {
        Finding::failed(
            format!("clock: it says {now}, and the newest record is of {newest}"),
            "set it: records that are made now seem older than those before",
        )
    })
}

/// Room for what is written, and whether the file systems are fit for it.
pub fn disks(config: &Config) -> Vec<Finding> {
    let mut places: Vec<(&str, &Path)> = vec![("journal", &config.journal.directory)];
    if let Some(file) = config.ledger.place.file() {
        places.push(("ledger", file));
    }
    if !config.captures.is_empty() {
        places.push(("captures", &config.capture_dir));
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (what, place) in places {
        let Some(directory) = place.ancestors().find(|path| path.is_dir()) else {
            continue;
        };
        if !seen.insert(directory.to_owned()) {
            continue;
        }
        found.push(room(what, directory));
        found.extend(kind(what, directory));
    }
    found
}

fn room(what: &str, directory: &Path) -> Finding {
    let shown = directory.display();
    let free = match statvfs(directory) {
        Ok(of) => of.f_bavail.saturating_mul(of.f_frsize),
        Err(error) => {
            let what = format!("disk: cannot tell the free space of {shown} ({what}): {error}");
            return Finding::warning(what, "");
        }
    };
    let advice = "without room for records calls are refused: make room or move it";
    let said = format!("disk: {} MiB free at {shown} ({what})", free >> 20);
    match free {
        free if free < URGENT => Finding::failed(said, advice),
        free if free < SCARCE => Finding::warning(said, advice),
        _ => Finding::good(said),
    }
}

/// What kind of file system it is, if that matters. Numbers are those of statfs(2).
fn kind(what: &str, directory: &Path) -> Option<Finding> {
    let magic = statfs(directory).ok()?.f_type as u64 & 0xffff_ffff;
    judge_kind(magic).map(|(name, advice, is_bad)| {
        let said = format!("disk: {} ({what}) is on {name}", directory.display());
        match is_bad {
            true => Finding::failed(said, advice),
            false => Finding::warning(said, advice),
        }
    })
}

fn judge_kind(magic: u64) -> Option<(&'static str, &'static str, bool)> {
    Some(match magic {
        0x6969 | 0xff53_4d42 | 0xfe53_4d42 | 0x517b | 0x0187 => (
            "a network file system",
            "use a local disk: locks and syncs that hold over a network are not to be relied upon, \
             and each call waits for one",
            true,
        ),
        0x0102_1994 | 0x8584_58f6 => (
            "memory",
            "use a disk: a restart of the machine takes the records with it",
            false,
        ),
        0x794c_7630 => (
            "the layer of a container",
            "mount a volume: the records go with the container",
            false,
        ),
        _ => return None,
    })
}

/// What the process may do, and what it should not.
pub fn process(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    if hardening::is_root() {
        found.push(Finding::warning(
            "process: this is root",
            "run the gateway as a user of its own: `egret serve` refuses root unless told",
        ));
    }
    // Each connection of a caller may need one to a bank.
    let wanted = (config.limits.connections as u64)
        .saturating_mul(2)
        .saturating_add(OTHER_DESCRIPTORS);
    let limit = getrlimit(Resource::Nofile).current;
    found.push(match limit {
        Some(limit) if limit < wanted => Finding::warning(
            format!(
                "process: {limit} file descriptors, and limits.connections = {} may need {wanted}",
                config.limits.connections
            ),
            "raise the limit (LimitNOFILE= in systemd, ulimit -n), or lower limits.connections",
        ),
        _ => Finding::good("process: file descriptors for every connection"),
    });
    found
}

/// A file or directory that holds something to be kept.
pub struct Kept {
    /// Where.
    pub path: PathBuf,
    /// What it is.
    pub what: &'static str,
    /// Bits of its mode that must not be set.
    pub wrong: u32,
    /// Bits that had better not be.
    pub doubtful: u32,
    /// How to mend it.
    pub advice: &'static str,
}

/// Everything besides keys and captures that others must not reach.
pub fn kept_files(config: &Config) -> Vec<Kept> {
    let mut commands = config.journal.directory.clone().into_os_string();
    commands.push("-cli");
    let kept = |path: PathBuf, what, wrong, doubtful, advice| Kept {
        path,
        what,
        wrong,
        doubtful,
        advice,
    };
    let journal = config.journal.directory.clone();
    let lockdown = config.lockdown.file.clone();
    let incidents = config.alerts.directory.clone();
    let commands = PathBuf::from(commands);
    let mut files = vec![
        kept(journal, "journal", 0o077, 0, "chmod 700"),
        kept(commands, "journal of commands", 0o022, 0o055, "chmod 700"),
        kept(lockdown, "lockdown file", 0o022, 0o004, "chmod 600"),
        kept(incidents, "incidents", 0o022, 0o055, "chmod 700"),
    ];
    if config.evidence.enabled {
        let key = config.evidence.key_file.clone();
        files.push(kept(key, "signing key", 0o077, 0, "chmod 600"));
    }
    let tls = config.listeners.iter().filter_map(|one| one.tls.as_ref());
    for key in tls.map(|tls| &tls.key).collect::<BTreeSet<_>>() {
        let key = key.clone();
        files.push(kept(key, "key of a listener", 0o037, 0o040, "chmod 600"));
    }
    files
}

/// Whether a file belongs to the user who looks: what belongs to others, others can change.
pub fn owner(path: &Path, what: &str) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(path).ok()?.uid();
    let me = rustix::process::geteuid();
    (owner != me.as_raw() && owner != 0 && !me.is_root()).then(|| {
        Finding::warning(
            format!(
                "{what}: {} belongs to {}",
                path.display(),
                crate::adapters::machine::name_of(owner)
            ),
            "run this as the user that runs the gateway, to whom it should belong",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_noticed() {
        assert_eq!(clock(Micros(0))[0].grade, Grade::Failed);
        let now = Micros(1_795_305_338_000_000);
        assert_eq!(clock(now)[0].grade, Grade::Good);
        assert_eq!(clock_against(now, None), None);
        assert_eq!(clock_against(now, Some(now)), None);
        let later = Some(Micros(now.0 + 3_000_000));
        assert_eq!(clock_against(now, later).unwrap().grade, Grade::Failed);
    }

    #[test]
    fn file_systems_that_do_not_keep_records_are_told_apart() {
        assert!(judge_kind(0x6969).unwrap().2);
        assert!(!judge_kind(0x0102_1994).unwrap().2);
        // ext4, xfs, btrfs.
        for fit in [0xef53, 0x5846_5342, 0x9123_683e] {
            assert_eq!(judge_kind(fit), None);
        }
        let here = room("journal", &std::env::temp_dir());
        assert!(here.what.contains("MiB free"), "{here:?}");
    }
}
