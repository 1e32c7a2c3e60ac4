//! The command line: one file per command.

mod admin;
mod alert;
mod ask;
pub mod audit;
pub mod caller;
mod capture;
mod catalog;
mod check;
mod classify;
mod config;
mod demo;
mod detect;
mod doctor;
mod health;
mod lockdown;
mod providers;
pub mod redact;
mod redact_args;
#[cfg(test)]
mod reference;
mod serve;
mod sim;
mod top;
mod upgrade;
mod witness;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::adapters::{clock, entropy};
use crate::app::own_calls::{CommandError, OwnCallError, OwnCalls, Tally};
use crate::app::{self, Setup};
use crate::domain::config::{Config, LedgerPlace};
use crate::domain::identity::RANDOM_BYTES;
use crate::domain::keyring::MASTER_KEY_LEN;
use crate::domain::own::OwnCall;
use crate::types;

/// The audited egress gateway for financial APIs.
#[derive(Debug, Parser)]
#[command(
    name = "egret",
    version,
    about,
    max_term_width = 100,
    propagate_version = true
)]
#[command(
    after_help = "Start with `egret demo`. Point a client at a running gateway by its base \
URL, for example http://127.0.0.1:8080/cybrid/bank."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "config/egret.toml",
        env = "EGRET_CONFIG",
        hide_env_values = true
    )]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is made per process")]
enum Command {
    /// Run the gateway.
    Serve(serve::ServeArgs),
    /// Check a configuration and report every fault.
    Check(check::CheckArgs),
    /// Manage who may use the admin API and the console.
    Admin {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: admin::AdminArgs,
    },
    /// Look at incidents, and answer them.
    Alert {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: alert::AlertArgs,
    },
    /// Ask the audit ledger.
    Audit {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: audit::AuditArgs,
    },
    /// Manage callers and their keys.
    Caller {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: caller::CallerArgs,
    },
    /// Read the exchanges that were captured for debugging.
    Capture {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: capture::CaptureArgs,
    },
    /// Look up providers and their operations.
    Catalog(catalog::CatalogArgs),
    /// Say what a pasted request would be recorded as.
    Classify(classify::ClassifyArgs),
    /// Show a configuration, compare it, and have a running gateway take it.
    Config(config::ConfigCommandArgs),
    /// Try it: simulated banks, a gateway, a minute of traffic, and what is on record then.
    Demo(demo::DemoArgs),
    /// Find attacks in recorded calls, and judge how well that is done.
    Detect(detect::DetectArgs),
    /// Check the surroundings of a gateway, and test on the spot that no secret gets out.
    Doctor(doctor::DoctorArgs),
    /// Ask a running gateway how it is.
    Health(health::HealthArgs),
    /// Gather everything about a token, a caller or a customer.
    Investigate {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: audit::investigate::InvestigateArgs,
    },
    /// Forbid calls for a time: of a caller, with a token, of an operation, to a provider, or all.
    Lockdown(lockdown::LockdownArgs),
    /// Remove secrets and personal values from anything that is piped through.
    Redact(redact_args::RedactArgs),
    /// Simulate a vendor on loopback, for trying an integration offline.
    Sim(sim::SimArgs),
    /// Watch a running gateway on a terminal.
    Top(top::TopArgs),
    /// Have the running gateway hand over to a new process, without a call failing.
    Upgrade(upgrade::UpgradeArgs),
    /// Cosign the checkpoints of other nodes' logs.
    Witness(witness::WitnessArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  egret completions bash > ~/.local/share/bash-completion/completions/egret"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// A command failed; the message is for people.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The command could not do what was asked.
    pub fn new(error: impl ToString) -> Self {
        Self {
            message: error.to_string(),
            code: 1,
        }
    }

    /// What was asked cannot be understood.
    pub fn usage(error: impl ToString) -> Self {
        Self {
            message: error.to_string(),
            code: 2,
        }
    }
}

impl From<io::Error> for Failure {
    /// A reader that went away, as `head` does, is no failure: nobody is there to be told.
    fn from(error: io::Error) -> Self {
        Self {
            code: u8::from(error.kind() != io::ErrorKind::BrokenPipe),
            ..Self::new(error)
        }
    }
}

impl From<OwnCallError> for Failure {
    fn from(error: OwnCallError) -> Self {
        Self::new(error)
    }
}

impl CommandError for Failure {
    fn outcome(&self) -> types::Outcome {
        match self.code {
            0 => types::Outcome::Cancelled,
            _ => types::Outcome::Failure,
        }
    }
}

/// Tells the person at the terminal something that is no result.
fn notice(text: &str) {
    let _ = writeln!(io::stderr(), "egret: {text}");
}

/// What a command returns.
pub type Outcome = Result<(), Failure>;

/// Does something once it is on record, and puts on record how it went.
fn record(
    config: &Config,
    call: OwnCall,
    work: impl AsyncFnOnce(&mut Tally) -> Outcome,
) -> Outcome {
    let calls = OwnCalls::new(config);
    let pending = runtime()?.block_on(calls.record(call, work))?;
    for said in pending.notices(calls.journal()) {
        notice(&said);
    }
    Ok(())
}

/// Runs the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let done = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Admin { config, args } => admin::run(&config, &args, &mut out),
        Command::Alert { config, args } => alert::run(&config, &args, &mut out),
        Command::Audit { config, args } => run_audit(&config, &args, &mut out),
        Command::Caller { config, args } => run_caller(&config, &args, &mut out),
        Command::Capture { config, args } => capture::run(&config, &args, &mut out),
        Command::Catalog(args) => catalog::run(&args, &mut out),
        Command::Classify(args) => run_classify(&args, &mut out),
        Command::Config(args) => config::run(&args, &mut out),
        Command::Demo(args) => run_demo(&args, &mut out),
        Command::Detect(args) => detect::run(&args, clock::now(), &mut out),
        Command::Doctor(args) => doctor::run(&args, &mut out),
        Command::Health(args) => health::run(&args, &mut out),
        Command::Investigate { config, args } => run_investigate(&config, &args, &mut out),
        Command::Lockdown(args) => lockdown::run(&args, &mut out),
        Command::Redact(args) => redact_args::run(&args, io::stdin().lock(), &mut out),
        Command::Sim(args) => sim::run(&args, &mut out),
        Command::Top(args) => top::run(&args, &mut out),
        Command::Upgrade(args) => upgrade::run(&args, &mut out),
        Command::Witness(args) => witness::run(&args, &mut out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "egret", &mut out);
            Ok(())
        }
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.code == 0 => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "egret: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// A runtime for commands that read the ledger.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

fn run_audit(config: &ConfigArgs, args: &audit::AuditArgs, out: &mut impl Write) -> Outcome {
    if let audit::AuditCommand::VerifyProof(args) = &args.command {
        // By anybody, anywhere: no configuration.
        return audit::run_verify_proof(args, out).map_err(Failure::new);
    }
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    on_ledger(config, async |ledger, context| {
        audit::run(ledger, args, context, out, stop).await
    })
}

fn run_investigate(
    config: &ConfigArgs,
    args: &audit::investigate::InvestigateArgs,
    out: &mut impl Write,
) -> Outcome {
    on_ledger(config, async |ledger, context| {
        audit::investigate::run(ledger, args, context, out).await
    })
}

/// Does something with the ledger of a configuration.
fn on_ledger(
    config: &ConfigArgs,
    work: impl AsyncFnOnce(&LedgerPlace, &audit::Context<'_>) -> Result<(), audit::AuditError>,
) -> Outcome {
    let setup = Setup::read(&config.config).map_err(Failure::new)?;
    let own_calls = OwnCalls::new(&setup.config);
    let context = audit::Context {
        key_file: &setup.config.evidence.key_file,
        now: clock::now(),
        journal: &setup.config.journal.directory,
        own_calls: &own_calls,
        notice: &notice,
        retention: setup.config.retention,
        colour: audit::colour_wanted(
            io::stdout().is_terminal(),
            std::env::var_os("NO_COLOR").as_deref(),
        ),
        // Looking for somebody needs the key; asking for anything else does not.
        pseudonymise: &|kind, value| {
            Ok(app::keyring(&setup.config, false)?.pseudonym(kind, value.as_bytes()))
        },
    };
    let ledger = &setup.config.ledger.place;
    runtime()?
        .block_on(work(ledger, &context))
        .map_err(Failure::new)
}

fn run_caller(config: &ConfigArgs, args: &caller::CallerArgs, out: &mut impl Write) -> Outcome {
    let setup = Setup::read_for_callers(&config.config).map_err(Failure::new)?;
    let random = entropy::key_bytes::<RANDOM_BYTES>().map_err(Failure::new)?;
    let run = |out: &mut _| {
        caller::run(args, &setup.config.callers.file, clock::now(), &random, out)
            .map_err(Failure::new)
    };
    let Some(call) = args.own_call() else {
        return run(out);
    };
    let calls = OwnCalls::new(&setup.config);
    let work = async |_: &mut Tally| run(out);
    let pending = runtime()?.block_on(calls.record(call, work))?;
    // Before the gateway's first start there is no ledger, and nothing is amiss.
    if setup.config.journal.directory.is_dir() {
        for said in pending.notices(calls.journal()) {
            notice(&said);
        }
    }
    Ok(())
}

fn run_classify(args: &classify::ClassifyArgs, out: &mut impl Write) -> Outcome {
    let random = entropy::key_bytes::<MASTER_KEY_LEN>().map_err(Failure::new)?;
    classify::run(args, clock::now(), &random, out)
}

fn run_demo(args: &demo::DemoArgs, out: &mut impl Write) -> Outcome {
    let is_terminal = io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR");
    let screen = demo::Screen {
        is_terminal,
        colour: audit::colour_wanted(is_terminal, no_color.as_deref()),
    };
    demo::run(args, screen, out)
}
