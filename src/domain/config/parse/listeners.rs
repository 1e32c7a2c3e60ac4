//! Where the gateway listens, and whether it is safe to listen there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::Surroundings;
use super::files::{Files, Pem};
use crate::domain::config::model::{Callers, ListenAddress, Listener, ListenerTls};
use crate::domain::config::reader::{
    FilePath, Flag, Kind, OneOf, Place, Problem, Raw, Shape, Table, quoted,
};

/// Longest path of a Unix socket: `sun_path` takes 108 bytes on Linux, one of them for the end.
const MAX_SOCKET_PATH: usize = 107;
/// Most listeners; each costs a socket per worker.
const MAX_LISTENERS: usize = 64;

const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// A listener and where its address stands.
pub(super) struct ReadListener {
    pub(super) listener: Listener,
    place: Place,
}

pub(super) struct Address;

impl Kind for Address {
    type Value = ListenAddress;

    fn read(&self, raw: Raw<'_>) -> Result<ListenAddress, Problem> {
        const WRITE: &str = "write \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:egret.sock\"";
        let text = raw.text().unwrap_or_default();
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() || path.chars().any(char::is_control) {
                return Err(Problem::new(
                    "the path of the Unix socket is missing",
                    WRITE,
                ));
            }
            return Ok(ListenAddress::Unix(PathBuf::from(path)));
        }
        text.parse::<SocketAddr>()
            .map(ListenAddress::Tcp)
            .map_err(|_| Problem::with_value("not an address with a port", WRITE))
    }

    fn describe(&self) -> String {
        "address and port, or `unix:` and a path".to_owned()
    }

    fn show(&self, value: &ListenAddress) -> String {
        match value {
            ListenAddress::Tcp(address) => format!("\"{address}\""),
            ListenAddress::Unix(path) => quoted(&format!("unix:{}", path.display())),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Pattern(vec!["^unix:.", ":[0-9]{1,5}$"])
    }
}

/// Reads every `[[listener]]`; without any, the default one.
pub(super) fn read(top: &Table<'_>, files: &Files<'_>) -> Vec<ReadListener> {
    let tables = top.tables("listener");
    if tables.len() > MAX_LISTENERS {
        let hint = format!("use at most {MAX_LISTENERS}");
        top.fault(
            &top.place_of("listener"),
            Problem::new("too many listeners", hint),
        );
    }
    let mut listeners: Vec<ReadListener> = Vec::new();
    for table in tables.iter().take(MAX_LISTENERS) {
        let read = read_one(table, files);
        let taken = |other: &ReadListener| other.listener.address == read.listener.address;
        let any_port =
            matches!(&read.listener.address, ListenAddress::Tcp(address) if address.port() == 0);
        if !any_port && listeners.iter().any(taken) {
            let problem = Problem::new(
                "another listener has this address",
                "remove one of them or change its port",
            );
            table.fault(&read.place, problem);
        }
        listeners.push(read);
    }
    if listeners.is_empty() {
        listeners.push(ReadListener {
            listener: Listener {
                address: ListenAddress::Tcp(DEFAULT_ADDRESS),
                tls: None,
            },
            place: top.place().clone(),
        });
    }
    listeners
}

fn read_one(table: &Table<'_>, files: &Files<'_>) -> ReadListener {
    let address = table.value(
        "address",
        &Address,
        ListenAddress::Tcp(DEFAULT_ADDRESS),
        "Where to listen. Unix sockets are made with mode 0660.",
    );
    let place = address.place;
    let address = match address.value {
        ListenAddress::Unix(path) => {
            let path = files.resolve(&path);
            check_socket_path(table, &place, &path);
            ListenAddress::Unix(path)
        }
        tcp => tcp,
    };
    let plain = table.value(
        "plain",
        &Flag,
        false,
        "Listen beyond loopback without TLS. Egret keys and the bank's tokens then cross the \
         network in clear: only for networks that encrypt by themselves.",
    );
    let tls = read_tls(&table.table("tls"), files, "required");
    match &tls {
        Some(_) if plain.value => {
            let hint = "remove plain, or remove tls";
            table.fault(&plain.place, Problem::new("this listener has TLS", hint));
        }
        None if !address.is_local() && !plain.value => {
            let problem = Problem::new(
                "a listener beyond loopback needs TLS: Egret keys and tokens would cross the network in clear",
                "add tls = { certificate = \"...\", key = \"...\" }, listen on 127.0.0.1, or write \
                 plain = true if the network encrypts by itself",
            );
            table.fault(&place, problem);
        }
        _ => {}
    }
    ReadListener {
        listener: Listener { address, tls },
        place,
    }
}

pub(super) fn check_socket_path(table: &Table<'_>, place: &Place, path: &Path) {
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        let problem = Problem::new(
            "the path of the Unix socket is too long",
            format!("use at most {MAX_SOCKET_PATH} bytes, the directory included"),
        );
        table.fault(place, problem);
    }
}

/// Reads how a listener does TLS; `demand` is what holds of client certificates unless it is written.
pub(super) fn read_tls(
    table: &Table<'_>,
    files: &Files<'_>,
    demand: &'static str,
) -> Option<ListenerTls> {
    const VERIFY: OneOf<bool> = OneOf(&[("required", true), ("optional", false)]);
    let present = table.is_present();
    let file = |key, required: bool, default, meaning| {
        if present && required {
            table.required(key, &FilePath, meaning)
        } else {
            table.optional(key, &FilePath, default, meaning)
        }
    };
    let certificate = file("certificate", true, "required", "Certificate chain, PEM.");
    let key = file(
        "key",
        true,
        "required",
        "Private key of the certificate, PEM.",
    );
    let client_ca = file(
        "client_ca",
        false,
        "none",
        "Authorities that may sign callers' certificates, PEM; turns on mTLS.",
    );
    let client_certificate = table.optional(
        "client_certificate",
        &VERIFY,
        &format!("`\"{demand}\"` with `client_ca`"),
        "Whether a caller without a certificate is refused in the handshake; with `optional` it \
         must show an Egret key instead.",
    );
    if !present {
        return None;
    }
    if let (Some(found), None) = (&client_certificate, &client_ca) {
        let hint = "add client_ca, the authorities that sign callers' certificates";
        let problem = Problem::new("there is no authority to check certificates with", hint);
        table.fault(&found.place, problem);
    }
    let pem = |path, pem| files.pem(table, path, pem);
    Some(ListenerTls {
        certificate: certificate.map_or_else(PathBuf::new, |path| pem(path, Pem::Certificate)),
        key: key.map_or_else(PathBuf::new, |path| pem(path, Pem::PrivateKey)),
        client_certificate_required: client_ca.is_some()
            && client_certificate.map_or(demand == "required", |found| found.value),
        client_ca: client_ca.map(|path| pem(path, Pem::Certificate)),
    })
}

/// A listener beyond loopback must have a way to tell who calls.
pub(super) fn check_callers(
    listeners: &[ReadListener],
    callers: &Callers,
    top: &Table<'_>,
    surroundings: &dyn Surroundings,
) {
    let mut keys = None;
    for read in listeners {
        let tls = read.listener.tls.as_ref();
        if read.listener.address.is_local() || tls.is_some_and(|tls| tls.client_ca.is_some()) {
            continue;
        }
        let has_keys = *keys.get_or_insert_with(|| surroundings.has_usable_keys(&callers.file));
        if has_keys {
            continue;
        }
        let local = if callers.local.is_some() {
            " (callers.local holds for processes of this machine only)"
        } else {
            ""
        };
        let problem = Problem::new(
            format!("a listener beyond loopback needs a way to tell who calls{local}"),
            "make a key with `egret caller add NAME`, or add tls.client_ca for client certificates",
        );
        top.fault(&read.place, problem);
    }
}
