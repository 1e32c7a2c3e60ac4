//! `egret sim cybrid|obp|wyre`

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::super::{Failure, Outcome};
use crate::adapters::clock;
use crate::sim::{Faults, SimOptions, Simulator, Vendor};

/// Options of a simulated vendor.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  egret sim cybrid\n  egret sim cybrid --limits\n  egret sim obp \
--listen 127.0.0.1:9002 --latency 50-200 --error-rate 0.1\n\nFaults can be changed while it runs: \
GET /__sim/faults shows them, and a JSON object that is sent there by POST replaces them, as in \
{\"error_rate\": 0.5, \"latency_ms\": [50, 200]}. The credentials of the fakes are fixed:\n  Cybrid  sim-bank-id \
/ sim-bank-secret, sim-org-id / sim-org-secret\n  OBP     sim-user / sim-password-1, consumer key \
simconsumerkey00000000000000000000000000\n  Wyre    AK-SIM-MASTER-0001 / SK-SIM-MASTER-SECRET-00000001"
)]
pub struct VendorArgs {
    /// Address to listen on; loopback only. Default: 127.0.0.1 with port 9001 (Cybrid), 9002 (OBP) or 9003 (Wyre).
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The same seed and the same calls give the same identifiers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the documented rate limits.
    #[arg(long)]
    limits: bool,
    /// Divide the windows of the rate limits by this.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "limits")]
    limit_scale: u32,
    /// Delay answers by so many milliseconds, or by a range such as 50-200.
    #[arg(long, value_name = "MS", value_parser = parse_latency)]
    latency: Option<(u64, u64)>,
    /// Share of requests answered 5xx, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_share)]
    error_rate: f64,
    /// Share of connections closed without an answer, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_share)]
    drop_rate: f64,
    /// Share of answers cut short, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_share)]
    truncate_rate: f64,
    /// Treat every token as expired.
    #[arg(long)]
    expired_tokens: bool,
    /// Compress answers for clients that accept gzip.
    #[arg(long)]
    gzip: bool,
    /// OBP: answer with every request header as echo_<name>, as a careless server does.
    #[arg(long)]
    echo_headers: bool,
    /// Wyre: scheme and host that clients sign. Default: http and the Host header.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("write a number from 0 to 1".to_owned()),
    }
}

fn parse_latency(text: &str) -> Result<(u64, u64), String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low <= high => Ok((low, high)),
        _ => Err("write milliseconds, such as 50 or 50-200".to_owned()),
    }
}

/// Simulates a vendor until a signal stops it.
pub(super) fn run(vendor: Vendor, args: &VendorArgs, out: &mut impl Write) -> Outcome {
    let port = match vendor {
        Vendor::Cybrid => 9001,
        Vendor::Obp => 9002,
        Vendor::Wyre => 9003,
    };
    let address = args
        .listen
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
    if !address.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "the simulators serve loopback only: listen on 127.0.0.1 or [::1], not on {address}"
        )));
    }
    if args.echo_headers && !matches!(vendor, Vendor::Obp) {
        return Err(Failure::usage("--echo-headers is for `egret sim obp` only"));
    }
    if args.public_url.is_some() && !matches!(vendor, Vendor::Wyre) {
        return Err(Failure::usage("--public-url is for `egret sim wyre` only"));
    }
    let mut options = SimOptions::new(vendor, Arc::new(clock::now));
    options.seed = args.seed;
    options.limits = args.limits;
    options.limit_scale = args.limit_scale.max(1);
    options.public_url.clone_from(&args.public_url);
    options.faults = Faults {
        latency_ms: args.latency,
        error_rate: args.error_rate,
        drop_rate: args.drop_rate,
        truncate_rate: args.truncate_rate,
        expired_tokens: args.expired_tokens,
        gzip: args.gzip,
        echo_headers: args.echo_headers,
        ..Faults::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}")))?;
        let address = listener.local_addr()?;
        let simulator = Simulator::start(listener, options).map_err(Failure::new)?;
        writeln!(out, "simulating {vendor} on http://{address}")?;
        out.flush()?;
        tokio::select! {
            () = simulator.wait() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(())
    })
}
