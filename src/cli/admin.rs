//! `egret admin`: who may use the admin API, by key.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::audit::args::words;
use super::{ConfigArgs, Failure, Outcome, notice};
use crate::adapters::kept_file::{self, UpdateError};
use crate::adapters::{clock, entropy};
use crate::app::Setup;
use crate::domain::access::{AdminBook, AdminKeyError, NewAdminKey, Role};
use crate::domain::config::parse_duration;
use crate::domain::identity::RANDOM_BYTES;
use crate::types::Micros;

/// Manage who may use the admin API and the console.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  egret admin key add ann --role auditor --expires 90d
  egret admin key list
  egret admin key revoke ann")]
pub struct AdminArgs {
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Subcommand, Debug)]
enum AdminCommand {
    /// Keys of people and programs
    #[command(after_help = "Example:\n  egret admin key add ann --role operator --expires 90d")]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Subcommand, Debug)]
enum KeyCommand {
    /// Make a key. It is shown once; a running gateway knows it within a second
    #[command(
        after_help = "A viewer sees figures, an auditor reads everything and changes nothing, an operator acts.\n\n\
Examples:\n  egret admin key add ann --role operator --expires 90d\n  \
egret admin key add grafana --role viewer --key-only"
    )]
    Add {
        /// Name in every record: letters, digits, '.', '_', '-', '@'
        name: String,
        /// What it may do; may be repeated
        #[arg(long, required = true, value_name = "ROLE", value_parser = words(Role::ALL, Role::as_str))]
        role: Vec<Role>,
        /// How long the key lives, such as 90d; without it, until it is revoked
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// Print the key alone, for scripts
        #[arg(long)]
        key_only: bool,
    },
    /// List keys, without the keys themselves
    #[command(
        after_help = "Examples:\n  egret admin key list\n  egret admin key list --format json"
    )]
    List {
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Take back every key of a name, or one key by its id; their sessions end, too
    #[command(
        after_help = "Examples:\n  egret admin key revoke ann\n  egret admin key revoke abcdefgh2345"
    )]
    Revoke {
        /// Name, or id of a key as `list` shows it
        #[arg(value_name = "NAME|KEY_ID")]
        name_or_id: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// JSON, one object a line
    Json,
}

/// Runs one of the commands.
///
/// # Errors
/// The file of keys cannot be used, or the operation is refused.
pub fn run(config: &ConfigArgs, args: &AdminArgs, out: &mut impl Write) -> Outcome {
    let setup = Setup::read_for_callers(&config.config).map_err(Failure::new)?;
    let path = &setup.config.admin.keys_file;
    let now = clock::now();
    let AdminCommand::Key { command } = &args.command;
    match command {
        KeyCommand::Add {
            name,
            role,
            expires,
            key_only,
        } => {
            let random: [u8; RANDOM_BYTES] = entropy::key_bytes().map_err(Failure::new)?;
            let add =
                |book: &AdminBook| book.add(name, role.iter().copied(), *expires, now, &random);
            let new = kept_file::update(path, add).map_err(failure)?;
            write_new(&new, *key_only, out)?;
        }
        KeyCommand::List { format } => {
            let book: AdminBook = kept_file::load(path).map_err(Failure::new)?;
            list(&book, *format, now, out)?;
        }
        KeyCommand::Revoke { name_or_id } => {
            let revoke = |book: &AdminBook| book.revoke(name_or_id, now);
            let revoked = kept_file::update(path, revoke).map_err(failure)?;
            let name = &revoked.name;
            match &revoked.key_ids[..] {
                [] => writeln!(out, "every key of {name} was revoked before")?,
                ids => {
                    let ids: Vec<_> = ids.iter().map(|id| &**id).collect();
                    writeln!(out, "revoked of {name}: {}", ids.join(", "))?;
                }
            }
        }
    }
    Ok(out.flush()?)
}

fn failure(error: UpdateError<AdminKeyError>) -> Failure {
    Failure::new(error)
}

fn write_new(new: &NewAdminKey, key_only: bool, out: &mut impl Write) -> Outcome {
    let key = new.key.expose();
    if key_only {
        writeln!(out, "{key}")?;
        return Ok(());
    }
    let end = match new.expires_at {
        Some(at) => format!("until {at}"),
        None => "until it is revoked".to_owned(),
    };
    writeln!(out, "{key}")?;
    notice(&format!(
        "the key of {} ({}), good {end}; it is not shown again",
        new.name, new.roles
    ));
    Ok(())
}

fn list(book: &AdminBook, format: Format, now: Micros, out: &mut impl Write) -> Outcome {
    if book.keys().is_empty() && format == Format::Table {
        writeln!(out, "no keys; `egret admin key add` makes one")?;
    }
    for entry in book.keys() {
        let key = &entry.key;
        match format {
            Format::Table => {
                let end = key
                    .expires_at
                    .map_or_else(|| "no end".to_owned(), |at| format!("until {at}"));
                writeln!(
                    out,
                    "{:<24} {:<24} {}  {:<8} made {}, {end}",
                    entry.name,
                    entry.roles.to_string(),
                    key.id,
                    key.state(now).as_str(),
                    key.created_at,
                )?;
            }
            Format::Json => {
                let roles: Vec<_> = entry.roles.iter().map(Role::as_str).collect();
                let value = serde_json::json!({
                    "name": &*entry.name,
                    "roles": roles,
                    "id": &*key.id,
                    "state": key.state(now).as_str(),
                    "created_at": key.created_at.to_string(),
                    "expires_at": key.expires_at.map(|at| at.to_string()),
                    "revoked_at": key.revoked_at.map(|at| at.to_string()),
                });
                writeln!(out, "{value}")?;
            }
        }
    }
    Ok(())
}
