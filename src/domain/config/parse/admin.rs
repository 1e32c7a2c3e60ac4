//! The admin listener: probes, figures, the admin API and the console, and who may use them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::files::Files;
use super::listeners::{Address, ReadListener, check_socket_path, read_tls};
use super::{is_caller_name, oidc};
use crate::domain::access::{ROLES, Roles, SessionSettings, roles_of};
use crate::domain::config::admin::Admin;
use crate::domain::config::model::ListenAddress;
use crate::domain::config::reader::{DurationIn, Flag, Kind, Names, Problem, Raw, Shape, Table};

/// Most names that the listener goes by.
const MAX_HOSTS: usize = 64;

/// Most client certificates with roles.
const MAX_CERTIFICATES: usize = 1_000;

/// Shortest and longest sessions.
const MIN_SESSION: Duration = Duration::from_secs(10);
const MAX_SESSION: Duration = Duration::from_secs(7 * 24 * 3600);

/// What switches it off.
const OFF: &str = "off";

/// The port that OpenTelemetry's Prometheus exporters have as their default.
const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// An address, or none.
struct AddressOrOff;

impl Kind for AddressOrOff {
    type Value = Option<ListenAddress>;

    fn read(&self, raw: Raw<'_>) -> Result<Option<ListenAddress>, Problem> {
        if raw.text() == Some(OFF) {
            return Ok(None);
        }
        Address.read(raw).map(Some).map_err(|mut problem| {
            problem.hint.push_str(", or \"off\"");
            problem
        })
    }

    fn describe(&self) -> String {
        format!("{}, or `off`", Address.describe())
    }

    fn show(&self, value: &Option<ListenAddress>) -> String {
        match value {
            Some(address) => Address.show(address),
            None => format!("\"{OFF}\""),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![Address.shape(), Shape::OneOf(vec![OFF])])
    }
}

pub(super) fn read(
    top: &Table<'_>,
    files: &Files<'_>,
    listeners: &[ReadListener],
    data_dir: &Path,
) -> Admin {
    let table = top.table("admin");
    let found = table.value(
        "address",
        &AddressOrOff,
        Some(ListenAddress::Tcp(DEFAULT_ADDRESS)),
        "Where probes, metrics, the admin API and the console are. Beyond loopback and Unix sockets \
         it needs `admin.tls`, and `client_ca` there or `admin.oidc`.",
    );
    let address = found.value.map(|address| match address {
        ListenAddress::Unix(path) => {
            let path = files.resolve(&path);
            check_socket_path(&table, &found.place, &path);
            ListenAddress::Unix(path)
        }
        tcp => tcp,
    });
    let tls = read_tls(&table.table("tls"), files, "optional");
    let keys_file = files.in_data_dir(
        &table,
        "keys_file",
        data_dir,
        "admins.toml",
        "Admin keys' hashes and roles; kept by `egret admin key`, read again when it changes.",
    );
    let hosts = table.optional(
        "hosts",
        &Names {
            max: MAX_HOSTS,
            valid: is_host_name,
            what: "use host names and addresses without ports",
        },
        "none",
        "Names that the listener is reached by, besides its own address, `localhost` and loopback \
         addresses. A request to another name is refused, against DNS rebinding.",
    );
    let sessions = read_sessions(&table);
    let certificates = read_certificates(&table);
    let oidc = oidc::read(&table.table("oidc"), files);
    let is_local = address.as_ref().is_none_or(ListenAddress::is_local);
    let open_metrics = table.optional(
        "open_metrics",
        &Flag,
        "`true` on loopback and Unix sockets, else `false`",
        "Whether `/metrics` asks nobody who they are.",
    );
    if let Some(address) = &address {
        let names = tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) || oidc.is_some();
        if !(is_local || tls.is_some() && names) {
            let problem = Problem::new(
                "the admin listener can be reached from other machines and cannot tell who asks",
                "add admin.tls with certificate, key and client_ca, or with admin.oidc; or listen \
                 on 127.0.0.1 or a Unix socket",
            );
            table.fault(&found.place, problem);
        }
        let any_port = matches!(address, ListenAddress::Tcp(address) if address.port() == 0);
        if !any_port
            && listeners
                .iter()
                .any(|read| read.listener.address == *address)
        {
            let problem = Problem::new(
                "a listener for calls has this address",
                "change the port of one of them",
            );
            table.fault(&found.place, problem);
        }
    }
    let max_ledger_lag = table.value(
        "max_ledger_lag",
        &DurationIn(Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600)),
        Duration::from_secs(300),
        "Readiness is red while the ledger lacks a record for longer than this. Calls are not \
         slowed or refused for it.",
    );
    let mut hosts: Vec<String> = hosts.map_or_else(Vec::new, |hosts| {
        let names = hosts.value.iter();
        names.map(|name| name.to_ascii_lowercase()).collect()
    });
    if let Some(ListenAddress::Tcp(address)) = &address {
        hosts.push(address.ip().to_string());
    }
    let redirect = oidc.as_ref().and_then(|oidc| oidc.redirect.as_ref());
    hosts.extend(redirect.map(|url| url.host().to_owned()));
    Admin {
        address,
        tls,
        keys_file,
        hosts,
        sessions,
        open_metrics: open_metrics.map_or(is_local, |found| found.value),
        certificates,
        oidc,
        max_ledger_lag: max_ledger_lag.value,
    }
}

fn is_host_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    (1..=253).contains(&name.len()) && name.bytes().all(good)
}

fn read_sessions(table: &Table<'_>) -> SessionSettings {
    let duration = |key, default, meaning| {
        let kind = DurationIn(MIN_SESSION..=MAX_SESSION);
        table.value(key, &kind, default, meaning).value
    };
    SessionSettings {
        idle: duration(
            "session_idle",
            Duration::from_secs(30 * 60),
            "A browser's session ends when it is not used for so long.",
        ),
        length: duration(
            "session_length",
            Duration::from_secs(12 * 3600),
            "A browser's session ends after so long in any case.",
        ),
    }
}

fn read_certificates(table: &Table<'_>) -> BTreeMap<String, Roles> {
    let mut certificates = BTreeMap::new();
    let entries = table.table("certificates").entries();
    if entries.len() > MAX_CERTIFICATES {
        let hint = format!("use at most {MAX_CERTIFICATES}");
        table.fault(table.place(), Problem::new("too many certificates", hint));
    }
    for entry in entries.iter().take(MAX_CERTIFICATES) {
        if !is_caller_name(entry.name) {
            let hint = "write a SPIFFE id, a DNS name or a common name without blanks, in quotes";
            let problem = Problem::new("not a name that can stand in a record", hint);
            table.fault(&entry.place, problem);
        }
        let roles = entry.value(
            "<name>",
            &ROLES,
            "Roles of whoever shows a client certificate with this SPIFFE id, DNS name or common \
             name. Other certificates have none.",
        );
        if let Some(roles) = roles {
            certificates.insert(entry.name.to_owned(), roles_of(&roles.value));
        }
    }
    certificates
}
