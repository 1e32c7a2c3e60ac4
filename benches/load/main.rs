//! Measures proxies from outside: an origin, a load generator, and the comparison that
//! `make bench` runs.
//!
//! - `load compare` starts everything itself and prints the tables.
//! - `load origin` and `load run` are the same parts by themselves, for a look at one proxy.
//!
//! Linux only: what a proxy costs is read from `/proc`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
mod collector;
mod compare;
mod histogram;
mod ledger;
mod message;
mod origin;
mod paced;
mod process;
mod proxies;
mod report;
mod samples;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, Subcommand};
use serde_json::json;

use crate::client::{Load, Measured};

/// Why something could not be measured, for the person who started it.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How long a proxy is driven before a measurement begins: connections get made and caches warm.
pub(crate) const WARM_UP: Duration = Duration::from_millis(300);

/// An origin, a load generator and a comparison of proxies
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer every request with a JSON body of a given size
    Origin {
        /// Port to listen on, on 127.0.0.1
        #[arg(long)]
        port: u16,
        /// Size of the body in bytes
        #[arg(long, default_value_t = samples::BODY_BYTES)]
        body: usize,
    },
    /// Take what a gateway tells a collector of OpenTelemetry; at the end print how many spans came
    Collector {
        /// Port to listen on, on 127.0.0.1
        #[arg(long)]
        port: u16,
    },
    /// Drive one proxy and print what it did as JSON
    Run(Run),
    /// Start direct, bare Pingora, nginx and Egret and measure them in turns
    Compare(compare::Arguments),
}

#[derive(clap::Args)]
struct Run {
    /// What to call, such as http://127.0.0.1:8080/cybrid/bank/api/prices
    #[arg(long)]
    target: String,
    /// Connections, each with one call at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long to measure, after a warm-up
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Calls per second; as fast as the answers come if left out
    #[arg(long)]
    rate: Option<f64>,
    /// Header to send, as often as needed
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Process to take CPU time and memory of, with its children
    #[arg(long)]
    pid: Option<u32>,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Origin { port, body } => origin::serve(port, body),
        Command::Collector { port } => collect(port),
        Command::Run(arguments) => run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn collect(port: u16) -> Result<(), Failure> {
    let spans = collector::serve(port)?;
    writeln!(std::io::stdout(), "{spans}")?;
    Ok(())
}

fn run(arguments: &Run) -> Result<(), Failure> {
    let (address, path) = split_target(&arguments.target)?;
    let request = message::request(address, path, &arguments.headers);
    let load = Load {
        address,
        requests: vec![Bytes::from(request)],
        connections: arguments.connections.max(1),
        warm_up: WARM_UP,
        duration: Duration::try_from_secs_f64(arguments.seconds)?,
        pid: arguments.pid,
        origin: None,
    };
    let measured = match arguments.rate {
        None => client::saturate(&load)?,
        Some(rate) => paced::drive(&load, rate)?,
    };
    writeln!(std::io::stdout(), "{:#}", show(&measured))?;
    Ok(())
}

fn split_target(target: &str) -> Result<(SocketAddr, &str), Failure> {
    let rest = target
        .strip_prefix("http://")
        .ok_or("--target must start with http://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let address = authority.parse().map_err(|_| {
        format!("--target must have an address and port such as 127.0.0.1:8080, not {authority}")
    })?;
    Ok((address, path))
}

fn show(measured: &Measured) -> serde_json::Value {
    let latency = |share| measured.latency.quantile(share).as_secs_f64() * 1e6;
    json!({
        "calls": measured.calls,
        "calls_per_second": measured.calls_per_second(),
        "latency_us": { "p50": latency(0.5), "p99": latency(0.99), "p99_9": latency(0.999) },
        "errors": {
            "statuses": measured.refused,
            "connections": measured.broken,
            "first": measured.first_error,
        },
        "cpu_us_per_call": measured.cpu_us_per_call(),
        "resident_bytes": measured.resident,
        "generator_cpu_us_per_call": measured.generator_us_per_call(),
    })
}

#[cfg(test)]
mod tests {
    use super::split_target;

    #[test]
    fn a_target_is_an_address_and_a_path() {
        let cases = [
            (
                "http://127.0.0.1:80/a?b=c",
                Some(("127.0.0.1:80", "/a?b=c")),
            ),
            ("http://127.0.0.1:80", Some(("127.0.0.1:80", "/"))),
            ("http://[::1]:80/", Some(("[::1]:80", "/"))),
            ("https://127.0.0.1:80/", None),
            ("http://localhost:80/", None),
            ("http://127.0.0.1/", None),
        ];
        for (target, expected) in cases {
            let found = split_target(target)
                .ok()
                .map(|(address, path)| (address.to_string(), path));
            let expected = expected.map(|(address, path)| (address.to_owned(), path));
            assert_eq!(found, expected, "{target}");
        }
    }
}
