//! The admin listener: how the gateway is, for probes and for whoever collects figures.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::files::Files;
use super::listeners::{Address, ReadListener, check_socket_path};
use crate::domain::config::model::{Admin, ListenAddress};
use crate::domain::config::reader::{DurationIn, Kind, Problem, Raw, Shape, Table};

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

pub(super) fn read(top: &Table<'_>, files: &Files<'_>, listeners: &[ReadListener]) -> Admin {
    let table = top.table("admin");
    let found = table.value(
        "address",
        &AddressOrOff,
        Some(ListenAddress::Tcp(DEFAULT_ADDRESS)),
        "Where `/livez`, `/readyz`, `/startupz` and `/metrics` are answered, in plain HTTP: loopback \
         or a Unix socket only, since nobody is asked who they are.",
    );
    let address = found.value.map(|address| match address {
        ListenAddress::Unix(path) => {
            let path = files.resolve(&path);
            check_socket_path(&table, &found.place, &path);
            ListenAddress::Unix(path)
        }
        tcp => tcp,
    });
    if let Some(address) = &address {
        if !address.is_local() {
            let problem = Problem::new(
                "the admin listener asks nobody who they are, so it cannot be reached from other \
                 machines",
                "listen on 127.0.0.1 or a Unix socket, and let an agent on this machine collect the \
                 metrics",
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
    Admin {
        address,
        max_ledger_lag: max_ledger_lag.value,
    }
}
