//! `egret config`

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::control::{self, Reply, Request};
use crate::app::Setup;
use crate::app::reload::Answer;
use crate::domain::config::settings::differences;
use crate::domain::config::{keys, reload, schema, show};

/// How long a reload may take: names are resolved and the record reaches the disk within it.
const RELOAD_PATIENCE: Duration = Duration::from_secs(60);

/// What a reload ends with that took effect but for keys that need a start.
const NEEDS_START: u8 = 3;

/// Options of `egret config`.
#[derive(Debug, Args)]
pub struct ConfigCommandArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show the configuration as it takes effect: every value, and where it came from.
    #[command(
        after_help = "Examples:\n  egret config show\n  egret config show --written\n  \
egret config show --format json | jq '.settings[] | select(.origin != \"default\")'\n\n\
The TOML can be read again. Of secrets only what may be shown is."
    )]
    Show(ShowArgs),
    /// Show what differs between two configurations, and what a running gateway can take.
    #[command(
        after_help = "Examples:\n  egret config diff /etc/egret/egret.toml.old\n  \
egret config diff old.toml new.toml\n\nEnds with 0 if nothing differs, else with 1."
    )]
    Diff(DiffArgs),
    /// Print the JSON Schema of the configuration, for editors.
    #[command(
        after_help = "Example:\n  egret config schema > /etc/egret/egret.schema.json\n\n\
Editors find it by a first line in the configuration: #:schema ./egret.schema.json"
    )]
    Schema,
    /// Have the running gateway take the configuration as it is now.
    #[command(
        after_help = "Example:\n  egret config reload\n\nIt is checked first; a configuration with \
faults changes nothing. Calls under way end as they began. Ends with 0 if everything took effect or \
nothing had changed, with 1 if it was refused, and with 3 if something needs a start of the gateway.\n\
SIGHUP does the same without an answer, and so does a change of the files ([reload] on_change)."
    )]
    Reload(ReloadArgs),
}

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// TOML, for `show`; lines, for `diff` and `reload`.
    Text,
    /// JSON.
    Json,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Only what is written, in a file or a variable.
    #[arg(long)]
    written: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The configuration before.
    old: PathBuf,
    /// The configuration after; default: the one of `--config`.
    new: Option<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct ReloadArgs {
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(args: &ConfigCommandArgs, out: &mut impl Write) -> Outcome {
    match &args.command {
        ConfigCommand::Show(show) => run_show(&args.config, show, out),
        ConfigCommand::Diff(diff) => run_diff(&args.config, diff, out),
        ConfigCommand::Schema => Ok(write!(out, "{}", schema::render(&keys()))?),
        ConfigCommand::Reload(reload) => run_reload(&args.config, reload, out),
    }
}

fn run_show(config: &ConfigArgs, args: &ShowArgs, out: &mut impl Write) -> Outcome {
    let mut setup = Setup::read_for_callers(&config.config).map_err(Failure::new)?;
    if args.written {
        let is_written = |origin: &_| *origin != crate::domain::config::settings::Origin::Default;
        setup.settings.retain(|one| is_written(&one.origin));
    }
    let hash = &setup.config.config_hash;
    match args.format {
        Format::Text => {
            writeln!(out, "# {}, config_hash {hash}", config.config.display())?;
            write!(out, "{}", show::as_toml(&setup.settings))?;
        }
        Format::Json => {
            let shown = serde_json::json!({
                "file": config.config.display().to_string(),
                "config_hash": hash,
                "settings": show::as_json(&setup.settings),
            });
            write_json(&shown, out)?;
        }
    }
    Ok(())
}

fn run_diff(config: &ConfigArgs, args: &DiffArgs, out: &mut impl Write) -> Outcome {
    let new = args.new.as_ref().unwrap_or(&config.config);
    let before = Setup::read_for_callers(&args.old).map_err(Failure::new)?;
    let after = Setup::read_for_callers(new).map_err(Failure::new)?;
    let found = differences(&before.settings, &after.settings);
    let needs_start = |one: &_| !reload::takes_effect(&before.config, one);
    match args.format {
        Format::Text => {
            for one in &found {
                let remark = if needs_start(one) {
                    " (needs a start)"
                } else {
                    ""
                };
                writeln!(out, "{one}{remark}")?;
            }
        }
        Format::Json => {
            let found = found.iter().map(|one| {
                serde_json::json!({
                    "key": one.path,
                    "before": one.before,
                    "after": one.after,
                    "reloadable": !needs_start(one),
                })
            });
            write_json(&found.collect(), out)?;
        }
    }
    match found.len() {
        0 => Ok(()),
        1 => Err(Failure::new("1 value differs")),
        many => Err(Failure::new(format!("{many} values differ"))),
    }
}

fn run_reload(config: &ConfigArgs, args: &ReloadArgs, out: &mut impl Write) -> Outcome {
    // Also finds the gateway; what it would refuse is said without asking it.
    let setup = Setup::read(&config.config).map_err(Failure::new)?;
    let directory = &setup.config.data_dir;
    let reply = control::ask(directory, &Request::Reload, RELOAD_PATIENCE)
        .map_err(|error| Failure::new(control::not_asked(directory, &error)))?;
    let answer: Answer = match reply {
        Reply::Report { report } => {
            serde_json::from_value(report).map_err(|_| Failure::new(control::ODD_REPLY))?
        }
        Reply::Failed { why } => return Err(Failure::new(why)),
        Reply::Done { .. } => return Err(Failure::new(control::ODD_REPLY)),
    };
    if args.format == Format::Json {
        let answer = serde_json::to_value(&answer).map_err(std::io::Error::other)?;
        write_json(&answer, out)?;
    } else {
        for change in &answer.changes {
            writeln!(out, "{change}")?;
        }
        for file in &answer.files {
            writeln!(out, "read anew: {file}")?;
        }
        for change in &answer.not_taken {
            writeln!(out, "needs a start: {change}")?;
        }
        for fault in &answer.faults {
            writeln!(out, "{fault}")?;
        }
        if answer.outcome == "unchanged" {
            writeln!(out, "nothing has changed")?;
        }
    }
    match answer.outcome.as_str() {
        "refused" => Err(Failure::new(
            "the configuration was not reloaded; the gateway goes on with the one before",
        )),
        _ if !answer.not_taken.is_empty() => Err(Failure {
            message: "the configuration was reloaded, but for what needs a start of the gateway"
                .to_owned(),
            code: NEEDS_START,
        }),
        _ => Ok(()),
    }
}

fn write_json(value: &serde_json::Value, out: &mut impl Write) -> Outcome {
    serde_json::to_writer_pretty(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}
