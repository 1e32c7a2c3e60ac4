//! `egret demo --attack`: a service whose keys were stolen, and who is told of it when.
//!
//! What was usual is made up, and put on record by the gateway's own recorder before it starts. All
//! that follows goes through the gateway: the service's calls, the storm of the thief, what the
//! running detection makes of it, and the notice to a webhook on this machine.

mod history;
mod receiver;
mod scene;

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::place::Place;
use super::{Banks, DemoArgs};
use crate::adapters::{clock, entropy};
use crate::app::{self, Running, Setup, history as recorded};
use crate::cli::{Failure, Outcome};
use crate::domain::notify::webhook::SigningKey;
use crate::types::Secret;
use receiver::{Notice, Receiver};
use scene::{Holder, THIEF};

/// What the service asks for when it mints.
const SCOPES: &[&str] = &["accounts:read", "customers:read", "prices:read"];
/// Customers of the service.
const CUSTOMERS: usize = 120;
/// Visits before the storm.
const VISITS: usize = 12;
/// Within so long of the storm's first call somebody must have been told.
const IN_TIME: Duration = Duration::from_secs(5);
/// How long a notice is waited for at most: for machines under heavy load.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Files of this demo, beside the configuration.
const KEY_FILE: &str = "soc.key";
const NETWORKS_FILE: &str = "networks.json";

/// What the detectors know of networks: the service's own, and the rest of the loopback addresses.
const NETWORKS: &str = r#"[
  {"cidr": "127.0.0.0/16", "country": "CA", "asn": 64500},
  {"cidr": "127.66.0.0/16", "country": "NZ", "asn": 64666}
]
"#;

/// The sections of the configuration that this demo adds.
pub(super) fn sections(receiver: SocketAddr) -> String {
    format!(
        "\n[detect]\n\
         # Which loopback addresses shall be where.\n\
         netmap = \"{NETWORKS_FILE}\"\n\n\
         [[alerts.channel]]\n\
         name = \"soc\"\n\
         kind = \"webhook\"\n\
         url = \"http://{receiver}/incidents\"\n\
         secret_file = \"{KEY_FILE}\"\n"
    )
}

/// Runs the demo.
///
/// # Errors
/// Something could not be started, nobody was told, or not in time.
pub fn run(args: &DemoArgs, out: &mut impl Write) -> Outcome {
    let place = Place::make_for_attack(args.keep.as_deref())?;
    let key = make_files(place.directory())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let guard = runtime.enter();
    let banks = Banks::start(&place, args.seed)?;
    let address = place.receiver().unwrap_or(place.gateway());
    let receiver = Receiver::open(key, address)?;
    drop(guard);
    let [cybrid, ..] = place.banks();
    let customers = runtime.block_on(scene::customers(cybrid, CUSTOMERS))?;
    let setup = Setup::parse_alone(&place.config(), &place.config_text()).map_err(Failure::new)?;
    let calls = remember(&setup, &customers, args.seed)?;
    writeln!(
        out,
        "{} days of an ordinary service are made up and on record: {calls} calls of payments, for {CUSTOMERS} \
         customers, from 127.0.0.1.\nThe gateway starts, and learns from them what is usual.",
        history::DAYS
    )?;
    out.flush()?;
    let running = Running::start(setup, None).map_err(Failure::new)?;
    let told = runtime.block_on(async {
        let play = play(args, &place, &receiver, &customers, out);
        tokio::select! {
            told = play => told,
            () = receiver.serve() => Err(Failure::new("the receiver of notices has stopped")),
            _ = tokio::signal::ctrl_c() => Err(Failure::new("stopped")),
        }
    });
    let stopped = running.stop(&AtomicBool::new(false));
    drop(banks);
    let told = told?;
    stopped.ledger.unwrap_or(Ok(())).map_err(Failure::new)?;
    show(&place, &told, out)
}

/// The key of the channel and the map of networks.
fn make_files(directory: &Path) -> Result<SigningKey, Failure> {
    let random = entropy::key_bytes::<32>().map_err(Failure::new)?;
    let text = Secret::new(format!("whsec_{}\n", STANDARD.encode(random)));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.join(KEY_FILE))?;
    file.write_all(text.expose().as_bytes())?;
    std::fs::write(directory.join(NETWORKS_FILE), NETWORKS)?;
    SigningKey::parse(&text).map_err(Failure::new)
}

/// Makes the history up and puts it on record.
fn remember(setup: &Setup, customers: &[String], seed: u64) -> Result<u64, Failure> {
    let keyring = app::keyring(&setup.config, true).map_err(Failure::new)?;
    let service = history::Service {
        name: "payments",
        address: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        customers,
        keyring: &keyring,
        gateway: recorded::gateway_of(&setup.config),
    };
    let records = history::make(&service, clock::now(), seed);
    recorded::put_on_record(&setup.config, records.into_iter()).map_err(Failure::new)
}

/// What people were told of the storm.
struct Told {
    incident: String,
}

/// The service at work, the storm, and what comes of it.
async fn play(
    args: &DemoArgs,
    place: &Place,
    receiver: &Receiver,
    customers: &[String],
    out: &mut impl Write,
) -> Result<Told, Failure> {
    let mut service = Holder::new(place.gateway(), None, place.payments_key());
    service.serve(customers, VISITS).await?;
    writeln!(
        out,
        "payments serves {VISITS} customers: {} calls through the gateway, and nobody is told of anything.",
        service.calls
    )?;
    let others = customers.get(VISITS..).unwrap_or_default();
    let before = receiver.taken();
    if let Some(notice) = before.first() {
        return Err(Failure::new(format!(
            "somebody was told before the storm: {}",
            notice.text("/data/sentence")
        )));
    }
    writeln!(
        out,
        "\nNow somebody else has its keys, and mints from {THIEF} a token for each of the other {} customers.",
        others.len()
    )?;
    out.flush()?;
    let mut thief = Holder::new(place.gateway(), Some(THIEF), place.payments_key());
    let began = thief.storm(others).await?;
    let over = Line {
        at: Instant::now(),
        text: format!(
            "the storm is over: {} calls, {} of them refused",
            thief.calls, thief.failed
        ),
    };
    let first = first_notice(receiver).await?;
    let delay = first.at.saturating_duration_since(began);
    let end = began + Duration::from_secs(args.seconds);
    tell_all(receiver, over, (began, end), args.quiet, out).await?;
    let taken = receiver.taken();
    let incident = first.text("/data/id").to_owned();
    let mut faults = Vec::new();
    if delay > IN_TIME {
        faults.push(format!(
            "the notice came after {:.1} s",
            delay.as_secs_f64()
        ));
    }
    if taken.iter().any(|notice| !notice.is_signed) {
        faults.push("a notice was not signed with the channel's key".to_owned());
    }
    if taken
        .iter()
        .any(|notice| notice.text("/data/id") != incident)
    {
        faults.push("there was more than one incident".to_owned());
    }
    if !faults.is_empty() {
        return Err(Failure::new(faults.join("; ")));
    }
    writeln!(
        out,
        "\nOne incident, told {:.2} s after the storm's first call; {} signed with the channel's key.",
        delay.as_secs_f64(),
        match taken.len() {
            1 => "the notice is".to_owned(),
            many => format!("all {many} notices are"),
        }
    )?;
    Ok(Told { incident })
}

async fn first_notice(receiver: &Receiver) -> Result<Notice, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(first) = receiver.taken().into_iter().next() {
            return Ok(first);
        }
        if Instant::now() > deadline {
            return Err(Failure::new("nobody was told of the storm"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Something that happened.
struct Line {
    at: Instant,
    text: String,
}

impl Line {
    fn of(notice: &Notice) -> Self {
        let signed = if notice.is_signed {
            "signature holds"
        } else {
            "NOT SIGNED"
        };
        Self {
            at: notice.at,
            text: format!(
                "{}, {}, {signed}\n           {}",
                notice.text("/type"),
                notice.text("/data/severity"),
                notice.text("/data/sentence")
            ),
        }
    }

    fn write(&self, began: Instant, out: &mut impl Write) -> std::io::Result<()> {
        let passed = self.at.saturating_duration_since(began).as_secs_f64();
        writeln!(out, "{passed:>7.2} s  {}", self.text)?;
        out.flush()
    }
}

/// Shows what has happened in its order, and then notices as they come.
async fn tell_all(
    receiver: &Receiver,
    over: Line,
    (began, end): (Instant, Instant),
    is_quiet: bool,
    out: &mut impl Write,
) -> Outcome {
    let mut lines: Vec<Line> = receiver.taken().iter().map(Line::of).collect();
    let mut shown = lines.len();
    lines.push(over);
    lines.sort_by_key(|line| line.at);
    for line in lines {
        line.write(began, out)?;
    }
    if !is_quiet {
        writeln!(
            out,
            "           What is done with the tokens is watched until {} s after the storm began.",
            end.saturating_duration_since(began).as_secs()
        )?;
        out.flush()?;
    }
    while Instant::now() < end {
        tokio::time::sleep(LOOK).await;
        for notice in receiver.taken().iter().skip(shown) {
            shown += 1;
            Line::of(notice).write(began, out)?;
        }
    }
    Ok(())
}

/// What people would ask then, with the commands that they would type.
fn show(place: &Place, told: &Told, out: &mut impl Write) -> Outcome {
    let config = place.shown_config();
    let incident = told.incident.as_str();
    for question in [
        &["alert", "show", incident][..],
        &["detect", "explain", incident, "--calls", "5"],
        &[
            "audit", "query", "--caller", "payments", "--effect", "mint", "--limit", "8",
        ],
        &["investigate", "caller", "payments", "--from", "1h"],
    ] {
        writeln!(out, "\n$ egret {} -c {config}", question.join(" "))?;
        out.flush()?;
        let program = std::env::current_exe()?;
        let output = Command::new(program)
            .args(question)
            .arg("-c")
            .arg(place.config())
            .output()?;
        out.write_all(&output.stdout)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!(
                "egret {}: {said}",
                question.join(" ")
            )));
        }
    }
    let key = "egret lockdown caller payments --for 1h --reason";
    writeln!(
        out,
        "\nWhat one would do now:\n  {key} '{incident}' -c {config}\n  egret caller rotate payments --overlap 1m -c {config}\n\
         The files are in {dir} (`rm -r {dir}` removes them).",
        dir = place.directory().display()
    )?;
    Ok(())
}
