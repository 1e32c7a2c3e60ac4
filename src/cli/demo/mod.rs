//! `egret demo`: simulated banks, a gateway between, a minute of traffic, and what is on record
//! then.

mod attack;
pub(super) mod client;
mod cybrid;
mod obp;
pub(super) mod place;
mod progress;
mod strangers;
mod visitor;
mod wyre;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::audit::{
    self, AuditArgs, AuditCommand, FilterArgs, Format, QueryArgs, ShowArgs, StatsArgs,
};
use super::{Failure, Outcome};
use crate::adapters::clock;
use crate::app::own_calls::OwnCalls;
use crate::app::{Running, Setup};
use crate::sim::{Entropy, SimError, SimOptions, Simulator, Vendor};
use client::Client;
use place::Place;
use progress::Progress;
use visitor::{Schedule, Score, Visitor};

/// Longest demo, in seconds.
const MAX_SECONDS: u64 = 3_600;

/// Aimed-at time of one telling of the stories; the rest of the time they are told again.
const ROUND: Duration = Duration::from_secs(15);

/// Calls that are listed at the end.
const LISTED: u64 = 15;

/// Options of `egret demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  egret demo\n  egret demo --seconds 10 --keep ./egret-demo\n  egret demo --attack\n\n\
Everything stays on this machine: the banks are simulators on loopback, the people are made up, and \
the files are in one directory."
)]
pub struct DemoArgs {
    /// Show an attack instead: a service's keys are stolen, tokens are minted with them for all its
    /// customers, and a webhook on this machine is told of it.
    #[arg(long)]
    attack: bool,
    /// How long the traffic goes on; of an attack, how long it is watched what becomes of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    seconds: u64,
    /// The same seed makes the same people, amounts and order of calls.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Directory for the files: a new or an empty one. Default: a new one among the temporary files.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Do not report progress.
    #[arg(long, short)]
    quiet: bool,
}

/// What the output can do.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Lines can be written over.
    pub is_terminal: bool,
    /// Tables may be coloured.
    pub colour: bool,
}

/// Runs the demo.
///
/// # Errors
/// Something could not be started, or a record is missing.
pub fn run(args: &DemoArgs, screen: Screen, out: &mut impl Write) -> Outcome {
    if args.attack {
        return attack::run(args, out);
    }
    let place = Place::make(args.keep.as_deref())?;
    let setup = Setup::parse_alone(&place.config(), &place.config_text()).map_err(Failure::new)?;
    let ledger = setup.config.ledger.place.clone();
    let own_calls = OwnCalls::new(&setup.config);
    let gateway = place.gateway();
    if !args.quiet {
        introduce(&place, out)?;
    }
    let running = Running::start(setup, None).map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let score = Score::default();
    let mut progress = Progress::new(args, screen);
    let told = runtime.block_on(async {
        let banks = Banks::start(&place, args.seed)?;
        tokio::select! {
            told = tell(args, gateway, &place, &banks, &score, &mut progress, out) => told,
            // What was recorded so far is shown all the same.
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    });
    let stopped = running.stop(&std::sync::atomic::AtomicBool::new(false));
    told?;
    stopped.ledger.unwrap_or(Ok(())).map_err(Failure::new)?;
    progress.finish(&score, out)?;
    runtime.block_on(show(&place, &ledger, &own_calls, &score, screen, out))?;
    let surprises = score.surprises.borrow();
    if surprises.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "not all went as planned:\n  {}",
            surprises.join("\n  ")
        )))
    }
}

fn introduce(place: &Place, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Three simulated banks on loopback, and a gateway on http://{} before them.\n\
         Two applications with Egret keys, payments and backoffice, and some strangers.\n",
        place.gateway()
    )?;
    out.flush()
}

/// The simulated banks.
struct Banks {
    cybrid: Simulator,
    /// Serve as long as they live.
    _others: [Simulator; 2],
    wyre_url: String,
}

impl Banks {
    /// Starts them on the current runtime.
    fn start(place: &Place, seed: u64) -> Result<Self, Failure> {
        let start = |vendor, port: SocketAddr| -> Result<Simulator, Failure> {
            let mut options = SimOptions::new(vendor, Arc::new(clock::now));
            options.seed = seed;
            options.log = false;
            if vendor == Vendor::Cybrid {
                options.faults = cybrid::usual();
            }
            let listener = std::net::TcpListener::bind(port)?;
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            Simulator::start(listener, options).map_err(|error: SimError| Failure::new(error))
        };
        let [cybrid, obp, wyre] = place.banks();
        let wyre = start(Vendor::Wyre, wyre)?;
        Ok(Self {
            cybrid: start(Vendor::Cybrid, cybrid)?,
            wyre_url: wyre.base_url(),
            _others: [start(Vendor::Obp, obp)?, wyre],
        })
    }
}

/// All stories at once.
async fn tell(
    args: &DemoArgs,
    gateway: SocketAddr,
    place: &Place,
    banks: &Banks,
    score: &Score,
    progress: &mut Progress,
    out: &mut impl Write,
) -> Outcome {
    let time = Duration::from_secs(args.seconds);
    let rounds = time.div_duration_f64(ROUND).round().max(1.0);
    let schedule = Schedule {
        end: Instant::now() + time,
        round: time.div_f64(rounds),
    };
    let visitor = |key: Option<&str>, steps: u32, number: u64| {
        let entropy = Entropy::new(args.seed.wrapping_mul(0x100).wrapping_add(number));
        Visitor::new(Client::new(gateway), key, score, schedule, steps, entropy)
    };
    let payments = Some(place.payments_key());
    let backoffice = Some(place.backoffice_key());
    // Looking on has no end of its own: about one call a second.
    let looks = u32::try_from(schedule.round.as_secs()).unwrap_or(1).max(8);
    let stories = async {
        tokio::join!(
            cybrid::trade(visitor(payments, cybrid::TRADE_STEPS, 1), &banks.cybrid),
            cybrid::look_on(visitor(backoffice, looks, 2)),
            obp::share(visitor(backoffice, obp::STEPS, 3)),
            wyre::transfer(visitor(payments, wyre::STEPS, 4), &banks.wyre_url),
            strangers::knock(visitor(None, strangers::STEPS, 5), place.payments_key()),
        );
    };
    tokio::select! {
        () = stories => Ok(()),
        failed = progress.report(score, out) => Err(failed.into()),
    }
}

/// Shows what is on record.
async fn show(
    place: &Place,
    ledger: &crate::adapters::ledger::LedgerPlace,
    own_calls: &OwnCalls,
    score: &Score,
    screen: Screen,
    out: &mut impl Write,
) -> Outcome {
    let context = audit::Context {
        key_file: std::path::Path::new(""),
        retention: None,
        journal: std::path::Path::new(""),
        own_calls,
        notice: &super::notice,
        now: clock::now(),
        colour: screen.colour,
        // No question here names anybody.
        pseudonymise: &|kind, value| {
            let keyring = crate::domain::keyring::Keyring::new(&[0; 32]);
            Ok(keyring.pseudonym(kind, value.as_bytes()))
        },
    };
    let config = place.shown_config();
    let last = AuditCommand::Query(QueryArgs {
        filter: FilterArgs::default(),
        format: Format::Table,
        limit: LISTED,
        after: None,
        oldest_first: false,
    });
    let stats = AuditCommand::Stats(StatsArgs {
        filter: FilterArgs::default(),
        format: Format::Table,
    });
    let mut sections = vec![
        (
            format!("egret audit query -c {config} --limit {LISTED}"),
            last,
        ),
        (format!("egret audit stats -c {config}"), stats),
    ];
    if let Some(id) = score.mint.borrow().as_deref()
        && let Ok(call_id) = id.parse()
    {
        let command = AuditCommand::Show(ShowArgs {
            call_id,
            format: Format::Table,
        });
        sections.push((format!("egret audit show -c {config} {id}"), command));
    }
    for (typed, command) in sections {
        writeln!(out, "\n$ {typed}")?;
        let args = AuditArgs { command };
        audit::run(ledger, &args, &context, out, std::future::ready(()))
            .await
            .map_err(Failure::new)?;
    }
    place.suggest(out)?;
    Ok(())
}
