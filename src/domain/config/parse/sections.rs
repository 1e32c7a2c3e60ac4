//! The plain sections: callers, timeouts, limits, journal, keys and log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Files;
use super::{CallerName, Surroundings, budgets};
use crate::domain::config::budgets::Budgets;
use crate::domain::config::model::{Callers, Journal, Limits, Log, LogFormat, Reload, Timeouts};
use crate::domain::config::reader::{
    DurationIn, Flag, IntegerIn, OneOf, Problem, SizeIn, Table, Text,
};
use crate::domain::record::{LossPolicies, LossPolicy, OperationClass};
use crate::domain::retention::{Periods, Profile};

/// Longest time that anything may take: no bank answers later, and a stuck call holds memory
/// and an open record for as long.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// Most names in `[callers.certificates]`.
const MAX_CERTIFICATES: usize = 10_000;

pub(super) fn read_callers(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Callers {
    let table = top.table("callers");
    let file = files.in_data_dir(
        &table,
        "file",
        data_dir,
        "callers.toml",
        "Callers and the hashes of their keys; kept by `egret caller`, read again when it changes.",
    );
    let local = table.optional(
        "local",
        &CallerName,
        "none",
        "Processes of this machine (loopback addresses, Unix sockets) that show neither key nor \
         certificate are taken to be this caller. On a listener beyond loopback it holds for \
         peers on this machine only.",
    );
    let entries = table.table("certificates").entries();
    if entries.len() > MAX_CERTIFICATES {
        let hint = format!("use at most {MAX_CERTIFICATES}");
        table.fault(table.place(), Problem::new("too many certificates", hint));
    }
    let mut certificates = BTreeMap::new();
    for entry in entries.iter().take(MAX_CERTIFICATES) {
        let printable = !entry.name.chars().any(char::is_control);
        if !printable || !(1..=255).contains(&entry.name.len()) {
            let hint = "write a SPIFFE id, a DNS name or a common name in quotes";
            let problem = Problem::new("not a name that a certificate can carry", hint);
            table.fault(&entry.place, problem);
        }
        let caller = entry.value(
            "<name>",
            &CallerName,
            "Caller that a client certificate with this SPIFFE id, DNS name or common name stands \
             for. Certificates that are not listed name their caller themselves.",
        );
        if let Some(caller) = caller {
            certificates.insert(entry.name.to_owned(), caller.value);
        }
    }
    Callers {
        file,
        local: local.map(|local| local.value),
        certificates,
    }
}

pub(super) fn read_reload(top: &Table<'_>) -> Reload {
    let on_change = top.table("reload").value(
        "on_change",
        &Flag,
        true,
        "Whether a running gateway reloads its configuration when one of its files has changed: within \
         seconds, once the files are whole and without a fault. Without it only SIGHUP and `egret config \
         reload` do that.",
    );
    Reload {
        on_change: on_change.value,
    }
}

pub(super) fn read_timeouts(top: &Table<'_>) -> Timeouts {
    let table = top.table("timeouts");
    let duration = |key, default: u64, meaning| {
        let kind = DurationIn(MIN_TIMEOUT..=MAX_TIMEOUT);
        let found = table.value(key, &kind, Duration::from_secs(default), meaning);
        (found.value, found.place)
    };
    let (connect, _) = duration("connect", 5, "TCP connection to the bank.");
    let (tls, tls_place) = duration(
        "tls",
        10,
        "TCP connection and TLS handshake together; not below `connect`.",
    );
    let (request, _) = duration(
        "request",
        30,
        "Whole request, unless the operation or the provider file says otherwise.",
    );
    let (head, _) = duration(
        "head",
        10,
        "From the first byte of a request's header to its last.",
    );
    let (idle, _) = duration("idle", 60, "Idle connections, on both sides.");
    let (drain, _) = duration(
        "drain",
        30,
        "How long calls may go on after the gateway was asked to stop.",
    );
    let drain_delay = table
        .value(
            "drain_delay",
            &DurationIn(Duration::ZERO..=MAX_TIMEOUT),
            Duration::ZERO,
            "How long connections are still accepted after the gateway was asked to stop, with \
             readiness red, so that load balancers notice.",
        )
        .value;
    if tls < connect {
        let hint = "connecting is part of it: raise tls or lower connect";
        table.fault(
            &tls_place,
            Problem::new("shorter than timeouts.connect", hint),
        );
    }
    Timeouts {
        connect,
        tls,
        request,
        head,
        idle,
        drain_delay,
        drain,
    }
}

pub(super) fn read_limits(top: &Table<'_>) -> (Limits, Budgets) {
    let table = top.table("limits");
    let head_bytes = table.value(
        "head_bytes",
        // Below 8 KiB a bank token of 3 KB and its company do not fit.
        &SizeIn(8 << 10..=1 << 20),
        64 << 10,
        "Request line and header fields together.",
    );
    let field_bytes = table.value(
        "field_bytes",
        &SizeIn(4 << 10..=1 << 20),
        16 << 10,
        "One header field; not above `head_bytes`. Bank tokens take about 3 KB.",
    );
    if field_bytes.value > head_bytes.value {
        let problem = Problem::new(
            "larger than limits.head_bytes",
            "a field is part of the head: lower field_bytes or raise head_bytes",
        );
        table.fault(&field_bytes.place, problem);
    }
    let limits = Limits {
        head_bytes: head_bytes.value,
        field_bytes: field_bytes.value,
        fields: table
            .value(
                "fields",
                // Pingora parses at most 256 (MAX_HEADERS).
                &IntegerIn(16..=256),
                128,
                "Number of header fields.",
            )
            .value,
        connections: table
            .value(
                "connections",
                &IntegerIn(1..=1_000_000),
                10_000,
                "Connections that are open at the same time, over all listeners.",
            )
            .value,
    };
    (limits, budgets::read(&table))
}

pub(super) fn read_journal(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Journal {
    let table = top.table("journal");
    let directory = files.in_data_dir(
        &table,
        "dir",
        data_dir,
        "journal",
        "Directory of the journal; on a local disk. One process has it at a time.",
    );
    let segment_size = table.value(
        "segment_size",
        // The smallest holds some thousand records; the largest is read in memory at a start.
        &SizeIn(1 << 20..=1 << 30),
        64 << 20,
        "Size of a journal file; its room is taken when it is begun.",
    );
    let max_bytes = table.value(
        "max_bytes",
        &SizeIn(1 << 20..=1 << 50),
        16 << 30,
        "Most that the journal may hold that is not in the ledger yet, as when the ledger is away; \
         beyond it calls are refused as their policy says.",
    );
    let sync_interval = table.value(
        "sync_interval",
        &DurationIn(Duration::from_millis(1)..=Duration::from_secs(10)),
        Duration::from_millis(100),
        "Records that no answer waits for are on disk after this long.",
    );
    let writer_priority = table.value(
        "writer_priority",
        &IntegerIn(0..=20),
        0,
        "By how many steps (of `nice`) the thread that writes the journal goes before others for a \
         core. Where there is more work than cores, calls wait for that thread to get one: up to some \
         milliseconds. More than 0 needs the right to it: CAP_SYS_NICE, or RLIMIT_NICE \
         (`LimitNICE=` of systemd).",
    );
    let words = OneOf(&[
        ("strict", LossPolicy::Strict),
        ("process_safe", LossPolicy::ProcessSafe),
        ("shed", LossPolicy::Shed),
    ]);
    let policies = table.table("policy");
    let mut found = LossPolicies::default();
    for (class, meaning) in [
        (
            OperationClass::Read,
            "Reads that show no personal data. `strict`: refused when they cannot be recorded; the \
             intent is on disk before the bank is asked, the outcome before the caller is \
             answered. `process_safe`: the same, but both reach the disk within `sync_interval`. \
             `shed`: go on unrecorded, and are counted.",
        ),
        (
            OperationClass::PersonalRead,
            "Reads that show personal data.",
        ),
        (OperationClass::Write, "What creates or changes a resource."),
        (OperationClass::Money, "What moves money or commits to it."),
        (
            OperationClass::Mint,
            "What creates a token, a key or another secret.",
        ),
        (
            OperationClass::AccessChange,
            "What changes who may do or see what.",
        ),
        (
            OperationClass::Unknown,
            "What the catalog does not know, and refused requests.",
        ),
    ] {
        let policy = policies.value(class.as_str(), &words, found.get(class), meaning);
        found.set(class, policy.value);
    }
    Journal {
        directory,
        segment_size: segment_size.value as u64,
        max_bytes: max_bytes.value as u64,
        sync_interval: sync_interval.value,
        writer_priority: u8::try_from(writer_priority.value).unwrap_or(0),
        policies: found,
    }
}

/// Longest that records may be said to be kept: beyond any rule book, and no overflow.
const MAX_RETENTION: Duration = Duration::from_secs(100 * 366 * 86_400);
/// Shortest: a call may be under way for an hour, and what is pruned must be over.
const MIN_RETENTION: Duration = Duration::from_secs(86_400);

pub(super) fn read_retention(top: &Table<'_>) -> Option<Periods> {
    let table = top.table("retention");
    let profile = table.optional(
        "profile",
        &OneOf(&[
            ("pci-12m", Profile::Pci12m),
            ("nydfs-5y", Profile::Nydfs5y),
            ("mica-7y", Profile::Mica7y),
        ]),
        "keep for ever",
        "How long records are kept before `egret audit prune` may remove them. `pci-12m`: twelve \
         months (PCI DSS v4.0.1, 10.5.1); `nydfs-5y`: five years (23 NYCRR 500.6(b)); `mica-7y`: \
         seven years (MiCA, article 68(9)). Years have 366 days. Nothing is removed unless the \
         command is run.",
    );
    let keep = table.table("keep");
    let mut periods = profile.map(|profile| Periods::of(profile.value));
    for class in OperationClass::ALL {
        let period = keep.optional(
            class.as_str(),
            &DurationIn(MIN_RETENTION..=MAX_RETENTION),
            "as the profile says",
            "For how long records of this class are kept, as in `\"730d\"`; for classes see \
             `[journal.policy]`.",
        );
        let Some(period) = period else {
            continue;
        };
        match &mut periods {
            Some(periods) => periods.set(*class, period.value),
            None => table.fault(
                &period.place,
                Problem::new(
                    "there is no profile that this could differ from",
                    "set [retention] profile, too",
                ),
            ),
        }
    }
    periods
}

/// The files of the fingerprint key and of the capture key.
pub(super) fn read_keys(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> (PathBuf, PathBuf) {
    let table = top.table("keys");
    let fingerprint = files.in_data_dir(
        &table,
        "fingerprint_file",
        data_dir,
        "fingerprint.key",
        "Key that token fingerprints and pseudonyms are made with; made on first start. Without \
         it old records cannot be searched by customer: keep a copy.",
    );
    let capture = files.in_data_dir(
        &table,
        "capture_file",
        data_dir,
        "capture.key",
        "Key that captures are encrypted with; made when the first `[[capture]]` needs it. The \
         environment variable `EGRET_CAPTURE_KEY` can hold the key itself instead.",
    );
    (fingerprint, capture)
}

pub(super) fn read_log(top: &Table<'_>, surroundings: &dyn Surroundings) -> Log {
    let table = top.table("log");
    let filter = table.value(
        "filter",
        &Text {
            max: 1024,
            what: "log filter, such as `\"info,egret=debug\"`",
        },
        "info".to_owned(),
        "Which log lines are written to standard error.",
    );
    if let Err(message) = surroundings.check_log_filter(&filter.value) {
        let hint = "write a level (error, warn, info, debug, trace) or a list such as \"info,egret=debug\"";
        table.fault(
            &filter.place,
            Problem::new(format!("not a log filter: {message}"), hint),
        );
    }
    let formats = OneOf(&[
        ("auto", LogFormat::Auto),
        ("human", LogFormat::Human),
        ("json", LogFormat::Json),
    ]);
    Log {
        filter: filter.value,
        format: table
            .value(
                "format",
                &formats,
                LogFormat::Auto,
                "How log lines look; `auto` is `human` on a terminal and `json` elsewhere.",
            )
            .value,
    }
}
