//! `egret alert`: looks at incidents, and answers them. Each command is put on record first.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{ConfigArgs, Failure, Outcome, notice, record};
use crate::adapters::clock;
use crate::adapters::machine::user_name;
use crate::app::Setup;
use crate::app::alerts::{deliverer, desk};
use crate::app::own_calls::Tally;
use crate::domain::config::{Config, parse_duration};
use crate::domain::incident::{
    self, Act, Book, Case, Category, NoticeKind, Settings, Severity, Sign, Silence,
};
use crate::domain::own::{OwnCall, OwnOperation};

/// Look at incidents, and answer them.
#[derive(Debug, Args)]
pub struct AlertArgs {
    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Debug, Subcommand)]
enum AlertCommand {
    /// Send a test through every channel, or through one
    #[command(after_help = "Examples:\n  egret alert test\n  egret alert test --channel soc")]
    Test {
        /// Only this channel
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
    },
    /// List incidents, newest first
    #[command(after_help = "Examples:\n  egret alert list\n  egret alert list --all --format json")]
    List {
        /// Closed ones too
        #[arg(long)]
        all: bool,
        /// How to write them
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show one incident, with what to do
    #[command(
        after_help = "Examples:\n  egret alert show inc-20261122-0017\n  egret alert show inc-20261122-0017 --format json"
    )]
    Show {
        /// Its id
        id: String,
        /// How to write it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Take an incident: nobody is reminded any more
    #[command(after_help = "Examples:\n  egret alert ack inc-20261122-0017")]
    Ack {
        /// Its id
        id: String,
    },
    /// Close an incident
    #[command(
        after_help = "Examples:\n  egret alert close inc-20261122-0017 --reason 'load test of the app team'"
    )]
    Close {
        /// Its id
        id: String,
        /// Why; it is kept with the incident
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Tell nobody about something for a time; incidents are kept all the same
    #[command(
        after_help = "Examples:\n  egret alert silence --caller payouts --for 2h --reason 'migration'\n  egret alert \
silence --list\n  egret alert silence --lift 3"
    )]
    Silence(SilenceArgs),
}

/// Options of `egret alert silence`.
#[derive(Debug, Args)]
struct SilenceArgs {
    /// Only this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only this category
    #[arg(long)]
    category: Option<Category>,
    /// Only about this caller
    #[arg(long)]
    caller: Option<String>,
    /// Only in this environment
    #[arg(long)]
    environment: Option<String>,
    /// For how long, up to 90 days
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    length: Option<Duration>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// List silences
    #[arg(long, conflicts_with_all = ["rule", "category", "caller", "environment", "length", "reason", "lift"])]
    list: bool,
    /// End a silence
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["rule", "category", "caller", "environment", "length", "reason"])]
    lift: Option<u64>,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON, one object a line
    Json,
}

/// Runs one of the commands.
///
/// # Errors
/// There is no such incident, or it cannot be put on record.
pub fn run(config: &ConfigArgs, args: &AlertArgs, out: &mut impl Write) -> Outcome {
    let setup = Setup::read_for_callers(&config.config).map_err(Failure::new)?;
    let config = &setup.config;
    let operation = match &args.command {
        AlertCommand::Test { .. } => OwnOperation::AlertTest,
        AlertCommand::List { .. } => OwnOperation::AlertList,
        AlertCommand::Show { .. } => OwnOperation::AlertShow,
        AlertCommand::Ack { .. } => OwnOperation::AlertAck,
        AlertCommand::Close { .. } => OwnOperation::AlertClose,
        AlertCommand::Silence(_) => OwnOperation::AlertSilence,
    };
    let work = async |tally: &mut Tally| {
        let done = dispatch(config, &args.command, tally, out).await;
        done.and_then(|()| Ok(out.flush()?))
    };
    record(config, OwnCall::new(operation), work)
}

async fn dispatch(
    config: &Config,
    command: &AlertCommand,
    tally: &mut Tally,
    out: &mut impl Write,
) -> Outcome {
    match command {
        AlertCommand::Test { channel } => return test(config, channel.as_deref(), out).await,
        AlertCommand::List { all, format } => {
            let mut desk = desk(config).map_err(Failure::new)?;
            let book = desk.book().map_err(Failure::new)?;
            let cases: Vec<&Case> = book.cases().filter(|case| *all || case.is_open()).collect();
            tally.add(cases.len());
            match format {
                Format::Text if cases.is_empty() => {
                    let closed = book.cases().count();
                    match closed {
                        0 => writeln!(out, "no incidents")?,
                        _ => {
                            writeln!(out, "no incident is open; --all lists the closed ones, too")?
                        }
                    }
                }
                Format::Text => out.write_all(incident::list(cases.into_iter()).as_bytes())?,
                Format::Json => {
                    for case in cases {
                        writeln!(out, "{}", incident::view(case))?;
                    }
                }
            }
            return Ok(());
        }
        AlertCommand::Show { id, format } => {
            let mut desk = desk(config).map_err(Failure::new)?;
            let book = desk.book().map_err(Failure::new)?;
            let case = book.case(id).ok_or_else(|| {
                Failure::new(format!(
                    "there is no incident {id}; `egret alert list --all` names those that are kept"
                ))
            })?;
            tally.add(1);
            match format {
                Format::Text => out.write_all(incident::show(case).as_bytes())?,
                Format::Json => writeln!(out, "{}", incident::view(case))?,
            }
            return Ok(());
        }
        AlertCommand::Ack { id } => act(config, Act::Acknowledge { id: id.clone() })?,
        AlertCommand::Close { id, reason } => act(
            config,
            Act::Close {
                id: id.clone(),
                reason: reason.clone(),
            },
        )?,
        AlertCommand::Silence(args) if args.list => return list_silences(config, out),
        AlertCommand::Silence(args) => act(config, silence(args)?)?,
    }
    writeln!(out, "done")?;
    // The gateway may not be running; if it is, there is nothing left to send.
    deliver(config).await;
    Ok(())
}

fn act(config: &Config, act: Act) -> Outcome {
    let mut desk = desk(config).map_err(Failure::new)?;
    desk.act(act, &user_name(), clock::now())
        .map_err(Failure::new)
}

async fn deliver(config: &Config) {
    let (Ok(desk), Ok(mut deliverer)) = (desk(config), deliverer(config)) else {
        return;
    };
    if let Ok(done) = deliverer.pass(desk.spool(), clock::now()).await {
        for delivery in done {
            if let Some(fault) = delivery.fault {
                notice(&format!("channel {}: {fault}", delivery.waiting.channel));
            }
        }
    }
}

fn silence(args: &SilenceArgs) -> Result<Act, Failure> {
    if let Some(number) = args.lift {
        return Ok(Act::Unsilence { number });
    }
    let (Some(length), Some(reason)) = (args.length, &args.reason) else {
        return Err(Failure::usage(
            "a silence needs --for and --reason; --list shows those that are on",
        ));
    };
    let from = clock::now();
    Ok(Act::Silence(Silence {
        number: 0,
        rule: args.rule.clone(),
        category: args.category,
        caller: args.caller.clone(),
        environment: args.environment.clone(),
        from,
        until: from.plus(length),
        who: user_name(),
        reason: reason.clone(),
    }))
}

fn list_silences(config: &Config, out: &mut impl Write) -> Outcome {
    let mut desk = desk(config).map_err(Failure::new)?;
    let book = desk.book().map_err(Failure::new)?;
    if book.silences().is_empty() {
        writeln!(out, "no silences")?;
    }
    for silence in book.silences() {
        let conditions: Vec<String> = [
            ("rule", silence.rule.as_deref()),
            ("category", silence.category.map(Category::as_str)),
            ("caller", silence.caller.as_deref()),
            ("environment", silence.environment.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
        .collect();
        writeln!(
            out,
            "{:<4} until {}  {}  by {}: {}",
            silence.number,
            silence.until,
            conditions.join(", "),
            silence.who,
            silence.reason
        )?;
    }
    Ok(())
}

/// Sends a notice about an incident that is none, and its end, and keeps neither.
async fn test(config: &Config, only: Option<&str>, out: &mut impl Write) -> Outcome {
    let deliverer = deliverer(config).map_err(Failure::new)?;
    let now = clock::now();
    let mut book = Book::new(Settings::default());
    let sign = Sign {
        at: now,
        since: now,
        rule: "test".to_owned(),
        category: Category::MintUnused,
        severity: Severity::Medium,
        cause: None,
        environment: String::new(),
        caller: "egret-alert-test".to_owned(),
        ip: String::new(),
        subject: String::new(),
        token: String::new(),
        target: String::new(),
        baseline: None,
        calls: Vec::new(),
        sentence: format!(
            "This is a test of Egret at {}: nothing has happened.",
            config.node
        ),
    };
    let mut notices = book.take(&sign);
    let id = book.cases().next().map(|case| case.id.clone());
    if let Some(id) = id {
        let reason = "a test".to_owned();
        let close = Act::Close { id, reason };
        notices.extend(book.act(close, &user_name(), now).unwrap_or_default());
    }
    let (mut tried, mut failed) = (0, 0);
    for channel in deliverer.channels() {
        if only.is_some_and(|name| name != channel.name()) {
            continue;
        }
        tried += 1;
        let mut fault = None;
        for notice in &mut notices {
            // Each test is another incident for those who remember incidents by their ids.
            notice.case.id = format!("test-{}", now.as_millis());
            debug_assert!(matches!(
                notice.kind,
                NoticeKind::Opened | NoticeKind::Closed
            ));
            if fault.is_none() {
                fault = channel.send(notice, deliverer.sender(), now).await.err();
            }
        }
        match fault {
            None => writeln!(out, "{:<16} taken", channel.name())?,
            Some(fault) => {
                failed += 1;
                writeln!(out, "{:<16} {fault}", channel.name())?;
            }
        }
    }
    match (tried, failed) {
        (0, _) => Err(Failure::new(match only {
            Some(name) => format!("there is no channel {name}; [[alerts.channel]] makes channels"),
            None => "there are no channels; [[alerts.channel]] makes some".to_owned(),
        })),
        (_, 0) => Ok(()),
        (tried, failed) => Err(Failure::new(format!(
            "{failed} of {tried} channels did not take the test"
        ))),
    }
}
