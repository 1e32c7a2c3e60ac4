//! `egret witness`: cosigns the checkpoints of other nodes' logs.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Outcome};
use crate::adapters::evidence::witness::Witness;
use crate::adapters::signing_key;
use crate::domain::evidence::{SignatureType, VerifierKey};
use crate::edge;

/// Options of `egret witness`.
#[derive(Debug, Args)]
#[command(
    after_help = "A witness should be run by somebody else than the logs, on another machine. \
It checks that each checkpoint continues the last one, remembers it, and only then cosigns: a log \
that was rewritten gets no cosignature. After a key rotation, add the new key and restart.\n\n\
Examples:\n  egret witness --name witness.example/w1 --log 'egret/node-1+5e2f…+AXz…'\n\nThe gateway:\n  \
[[evidence.witness]]\n  url = \"https://witness.example\"\n  key = \"witness.example/w1+…\""
)]
pub struct WitnessArgs {
    /// Where to listen; plain HTTP/1.1.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7380")]
    listen: SocketAddr,
    /// Name of the witness, which is part of its key.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// File of its signing key; made on first start.
    #[arg(long, value_name = "FILE", default_value = "egret-witness/witness.key")]
    key: PathBuf,
    /// Directory of what it remembers. Keep it: a witness that forgets can be made to sign two
    /// histories.
    #[arg(long, value_name = "DIR", default_value = "egret-witness/state")]
    state: PathBuf,
    /// Public key of a log; may be repeated, also for several keys of one log.
    #[arg(long, value_name = "KEY", required = true, value_parser = parse_log)]
    log: Vec<VerifierKey>,
}

fn parse_log(text: &str) -> Result<VerifierKey, String> {
    let key = VerifierKey::parse(text).map_err(|fault| fault.to_string())?;
    key.check_use(SignatureType::Ed25519)
        .map_err(|fault| fault.to_string())?;
    Ok(key)
}

/// Serves until a signal stops it.
pub fn run(args: &WitnessArgs, out: &mut impl Write) -> Outcome {
    let key =
        signing_key::load_or_create(&args.key, None, &args.name, SignatureType::CosignatureV1)
            .map_err(Failure::new)?;
    let witness = Witness::open(&args.state, key, args.log.clone()).map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = args.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}")))?;
        let address = listener.local_addr()?;
        writeln!(out, "witness  http://{address}")?;
        writeln!(out, "key      {}", witness.key())?;
        for (origin, seen) in witness.seen() {
            let size = seen.map_or(0, |seen| seen.size);
            writeln!(out, "log      {origin}, {size} records cosigned")?;
        }
        out.flush()?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        edge::witness::serve(listener, Arc::new(witness), stop).await;
        Ok(())
    })
}
