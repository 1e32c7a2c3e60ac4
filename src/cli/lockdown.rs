//! `egret lockdown`: forbids calls for a time.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::audit::args::{parse_caller, parse_fingerprint};
use super::audit::erase::parse_reason;
use super::{ConfigArgs, Failure, Outcome, notice, runtime};
use crate::adapters::{clock, kept_file, machine};
use crate::app::audit::without_secrets;
use crate::app::lockdown::{LockdownError, Locks, Reach};
use crate::app::own_calls::{OpenOwnCall, OwnCalls, Tally};
use crate::app::{self, Setup};
use crate::domain::catalog::{Catalog, Provider};
use crate::domain::config::{nearest, parse_duration};
use crate::domain::identity::CallerBook;
use crate::domain::lockdown::{InForce, Lock, LockTarget, MAX_PER_MINUTE};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::Fingerprint;
use crate::types::{self, CallId, Micros};

/// Options of `egret lockdown`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  egret lockdown caller payments --reason 'case 31: mint storm' --for 2h
  egret lockdown token 5bd1e3c0a1f24c6d8e9f00112233aabb --reason 'case 31: stolen'
  egret lockdown operation bank.create_trade --reason 'case 32'
  egret lockdown all --reason 'case 33: credentials leaked'
  egret lockdown list
  egret lockdown lift 019a9f3e-5c11-7cc2-b1b1-9a0d7a3a6c55 --reason 'case 31 is closed'

A locked call is answered with 403 and recorded; nothing of it reaches the bank. With a ledger in \
Postgres a lock holds on every node that writes it, else on this node, within a second, and over \
restarts. Where this command cannot be run, SIGUSR1 to the gateway, or an empty file LOCKDOWN in its \
data directory, locks everything.")]
pub struct LockdownArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: LockdownCommand,
}

#[derive(Subcommand, Debug)]
enum LockdownCommand {
    /// Forbid every call of a caller, or all but a few a minute
    #[command(
        after_help = "Example:\n  egret lockdown caller payments --reason 'case 31: mint storm' --for 2h"
    )]
    Caller {
        /// Its name, as in the records
        #[arg(value_parser = parse_caller)]
        name: String,
        /// Let so many of its calls through in a minute on each node, instead of none
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PER_MINUTE)))]
        calls_per_minute: Option<u32>,
        #[command(flatten)]
        how: How,
    },
    /// Forbid every call with a token
    #[command(
        after_help = "Example:\n  egret lockdown token 5bd1e3c0a1f24c6d8e9f00112233aabb --reason 'case 31: stolen'"
    )]
    Token {
        /// Its token_fingerprint, as in the records
        #[arg(value_parser = parse_fingerprint)]
        fingerprint: Fingerprint,
        #[command(flatten)]
        how: How,
    },
    /// Forbid every call of an operation
    #[command(
        after_help = "Example:\n  egret lockdown operation bank.create_trade --reason 'case 32'"
    )]
    Operation {
        /// Its id, as `egret catalog list` shows it
        id: String,
        /// Its provider, where several have an operation of that id
        #[arg(long, value_name = "ID")]
        provider: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Forbid every call to a provider
    #[command(
        after_help = "Example:\n  egret lockdown provider cybrid --reason 'case 32: the bank asks' --for 1d"
    )]
    Provider {
        /// Its id, as `egret catalog list` shows it
        id: String,
        #[command(flatten)]
        how: How,
    },
    /// Forbid every call
    #[command(after_help = "Example:\n  egret lockdown all --reason 'case 33: credentials leaked'")]
    All {
        #[command(flatten)]
        how: How,
    },
    /// List what is locked down
    #[command(after_help = "Example:\n  egret lockdown list\n  egret lockdown list --format json")]
    List {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Lift a lock: such calls go on
    #[command(
        after_help = "Example:\n  egret lockdown lift 019a9f3e-5c11-7cc2-b1b1-9a0d7a3a6c55 --reason 'case 31 is closed'"
    )]
    Lift {
        /// Its id, as `list` shows it
        #[arg(value_parser = parse_lock)]
        id: CallId,
        /// Why; stays on record, less what is personal or secret in it
        #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
        reason: String,
    },
}

#[derive(Args, Debug)]
struct How {
    /// Why; stays on record, less what is personal or secret in it
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,
    /// For how long, such as 30m or 2h; without it, until it is lifted
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    time: Option<Duration>,
    /// On this node only, also where the fleet shares its locks
    #[arg(long)]
    here: bool,
}

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
/// There is nothing of that name, the locks cannot be read or changed, or it cannot be put on
/// record.
pub fn run(args: &LockdownArgs, out: &mut impl Write) -> Outcome {
    // It serves nobody, so callers may be missing.
    let setup = Setup::read_for_callers(&args.config.config).map_err(Failure::new)?;
    let desk = Desk {
        calls: OwnCalls::new(&setup.config),
        setup: &setup,
        now: clock::now(),
    };
    runtime()?.block_on(async {
        match &args.command {
            LockdownCommand::Caller {
                name,
                calls_per_minute,
                how,
            } => {
                let target = match calls_per_minute {
                    None => LockTarget::Caller(name.as_str().into()),
                    Some(number) => LockTarget::Throttle {
                        caller: name.as_str().into(),
                        per_minute: *number,
                    },
                };
                desk.place(target, how, out).await?;
                if !is_known_caller(&setup, name) {
                    notice(&format!(
                        "no key and no listed certificate stands for a caller {name}: is it spelled \
                         as in the records (`egret audit stats`)? The lock holds all the same"
                    ));
                }
                Ok(())
            }
            LockdownCommand::Token { fingerprint, how } => {
                desk.place(LockTarget::Token(*fingerprint), how, out).await
            }
            LockdownCommand::Operation { id, provider, how } => {
                let target = find_operation(&setup.catalog, id, provider.as_deref())?;
                desk.place(target, how, out).await
            }
            LockdownCommand::Provider { id, how } => {
                let target = find_provider(&setup.catalog, id)?;
                desk.place(target, how, out).await
            }
            LockdownCommand::All { how } => desk.place(LockTarget::All, how, out).await,
            LockdownCommand::List { format } => desk.list(*format, out).await,
            LockdownCommand::Lift { id, reason } => desk.lift(*id, reason, out).await,
        }
    })
}

struct Desk<'a> {
    setup: &'a Setup,
    calls: OwnCalls,
    now: Micros,
}

impl Desk<'_> {
    async fn place(&self, target: LockTarget, how: &How, out: &mut impl Write) -> Outcome {
        let reason = self.without_secrets(&how.reason)?;
        let until = how.time.map(|time| self.now.plus(time));
        let mut locks = Locks::of(&self.setup.config);
        let reach = if how.here { Reach::Node } else { locks.reach() };
        let mut call = OwnCall::new(OwnOperation::LockdownPlace)
            .fact("target", &target)
            .fact("reach", reach.as_str())
            .fact("reason", &reason);
        if let Some(until) = until {
            call = call.fact("until", until);
        }
        let open = self.calls.begin(call).await.map_err(|error| {
            let sentinel = self.setup.config.lockdown.sentinel.display();
            Failure::new(format!(
                "{error}. Where nothing can be put on record, `touch {sentinel}` locks everything"
            ))
        })?;
        let lock = Lock {
            id: open.call_id(),
            target,
            reason: reason.into(),
            by: machine::login_name()
                .unwrap_or_else(machine::user_name)
                .into(),
            placed_at: self.now,
            until,
        };
        let done = locks.place(lock.clone(), reach, self.now).await;
        self.finish(open, Tally::default(), done).await?;
        let (id, target, reach) = (lock.id, &lock.target, reach.as_str());
        writeln!(
            out,
            "{target} is locked down on this {reach} {}",
            until_when(&lock, self.now)
        )?;
        writeln!(out, "egret lockdown lift {id} --reason ... ends it")?;
        Ok(())
    }

    async fn lift(&self, id: CallId, reason: &str, out: &mut impl Write) -> Outcome {
        let reason = self.without_secrets(reason)?;
        let call = OwnCall::new(OwnOperation::LockdownLift)
            .fact("lock", id)
            .fact("reason", &reason);
        let open = self.calls.begin(call).await?;
        let by = machine::login_name().unwrap_or_else(machine::user_name);
        let mut locks = Locks::of(&self.setup.config);
        let done = locks.lift(id, &reason, &by, self.now).await;
        let lock = self.finish(open, Tally::default(), done).await?;
        writeln!(out, "{} is no longer locked down by {id}", lock.target)?;
        let left = locks.read(self.now).await.map_err(Failure::new)?.0;
        match left.count(self.now) {
            0 => {}
            count => writeln!(out, "other locks hold: {count}; see `egret lockdown list`")?,
        }
        Ok(())
    }

    async fn list(&self, format: Format, out: &mut impl Write) -> Outcome {
        let call = OwnCall::new(OwnOperation::LockdownList);
        let open = self.calls.begin(call).await?;
        let read = Locks::of(&self.setup.config).read(self.now).await;
        let rows = read.as_ref().map_or(0, |(locks, _)| locks.count(self.now));
        let tally = Tally {
            rows: Some(rows as u64),
        };
        let (in_force, unasked) = self.finish(open, tally, read).await?;
        if let Some(error) = unasked {
            notice(&format!(
                "the locks of the fleet are shown as this node saw them last: {error}"
            ));
        }
        self.write_locks(&in_force, format, out)?;
        Ok(())
    }

    fn write_locks(
        &self,
        in_force: &InForce,
        format: Format,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        if in_force.sentinel {
            let path = self.setup.config.lockdown.sentinel.display();
            match format {
                Format::Text => writeln!(
                    out,
                    "all is locked down while the file {path} is there; remove it to lift that"
                )?,
                Format::Json => writeln!(
                    out,
                    "{}",
                    serde_json::json!({"target": "all", "sentinel": path.to_string()})
                )?,
            }
        }
        let of = [
            (Reach::Node, &in_force.local),
            (Reach::Fleet, &in_force.shared),
        ];
        for (reach, book) in of {
            let locks = book.locks().iter();
            for lock in locks.filter(|lock| lock.holds_at(self.now)) {
                self.write_lock(lock, reach, format, out)?;
            }
        }
        if in_force.count(self.now) == 0 && format == Format::Text {
            writeln!(out, "nothing is locked down")?;
        }
        Ok(())
    }

    fn write_lock(
        &self,
        lock: &Lock,
        reach: Reach,
        format: Format,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        match format {
            Format::Text => writeln!(
                out,
                "{}  {}  on this {}, {}, since {} by {}: {}",
                lock.id,
                lock.target,
                reach.as_str(),
                until_when(lock, self.now),
                lock.placed_at,
                lock.by,
                lock.reason
            ),
            Format::Json => {
                let value = serde_json::json!({
                    "id": lock.id.to_string(),
                    "target": lock.target.to_string(),
                    "reach": reach.as_str(),
                    "reason": &*lock.reason,
                    "by": &*lock.by,
                    "placed_at": lock.placed_at.to_string(),
                    "until": lock.until.map(|until| until.to_string()),
                });
                writeln!(out, "{value}")
            }
        }
    }

    /// What a person wrote goes on record and into messages, so nothing that must not be there may
    /// be in it.
    fn without_secrets(&self, reason: &str) -> Result<String, Failure> {
        let redactor = app::redactor_builder(&self.setup.config, false)
            .and_then(app::build_redactor)
            .map_err(Failure::new)?;
        Ok(without_secrets(&redactor, reason))
    }

    async fn finish<T>(
        &self,
        open: OpenOwnCall<'_>,
        tally: Tally,
        done: Result<T, LockdownError>,
    ) -> Result<T, Failure> {
        let outcome = match &done {
            Ok(_) => types::Outcome::Success,
            Err(_) => types::Outcome::Failure,
        };
        // What is locked is locked, also if its end cannot be put on record: that comes after.
        let pending = open.finish(outcome, tally).await;
        let value = done.map_err(Failure::new)?;
        for said in pending?.notices(self.calls.journal()) {
            notice(&said);
        }
        Ok(value)
    }
}

fn until_when(lock: &Lock, now: Micros) -> String {
    match lock.remaining(now) {
        None => "until it is lifted".to_owned(),
        Some(left) => format!("for {}", show_left(left)),
    }
}

/// The two largest units: nobody reads 14398s.
fn show_left(left: Duration) -> String {
    let left = left.as_secs().max(1);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let (mut rest, mut shown) = (left, Vec::new());
    for (length, unit) in units {
        if rest >= length && shown.len() < 2 {
            shown.push(format!("{}{unit}", rest / length));
        } else if !shown.is_empty() {
            // No unit is left out between two that are shown.
            break;
        }
        rest %= length;
    }
    shown.join(" ")
}

/// Whether anything in the configuration stands for a caller. Certificates that are not listed name
/// their callers themselves, so that one may be there all the same.
fn is_known_caller(setup: &Setup, name: &str) -> bool {
    let rules = &setup.config.callers;
    let is_local = rules.local.as_ref().is_some_and(|local| &**local == name);
    let is_listed = rules.certificates.values().any(|caller| &**caller == name);
    let keyed = kept_file::load::<CallerBook>(&rules.file);
    // A file that cannot be read says nothing of who is in it.
    is_local
        || is_listed
        || keyed.map_or(true, |book| {
            book.callers().iter().any(|caller| &*caller.name == name)
        })
}

fn parse_lock(text: &str) -> Result<CallId, String> {
    text.parse().map_err(|_| {
        "not the id of a lock: `egret lockdown list` shows them, as in \
         019a9f3e-5c11-7cc2-b1b1-9a0d7a3a6c55; a lock by the file LOCKDOWN ends when that is removed"
            .to_owned()
    })
}

fn find_provider(catalog: &Catalog, id: &str) -> Result<LockTarget, Failure> {
    if catalog.provider(id).is_some() {
        return Ok(LockTarget::Provider(id.into()));
    }
    let known: Vec<&str> = providers(catalog).map(|one| &*one.id).collect();
    let known = known.join(", ");
    Err(Failure::usage(format!(
        "no provider {id:?} is configured, but these are: {known}"
    )))
}

fn find_operation(
    catalog: &Catalog,
    id: &str,
    provider: Option<&str>,
) -> Result<LockTarget, Failure> {
    if let Some(provider) = provider {
        find_provider(catalog, provider)?;
    }
    let asked = || providers(catalog).filter(|one| provider.is_none_or(|id| *one.id == *id));
    let found: Vec<&Provider> = asked().filter(|one| one.operation(id).is_some()).collect();
    match found.as_slice() {
        [one] => Ok(LockTarget::Operation {
            provider: Arc::clone(&one.id),
            operation: id.into(),
        }),
        [] => {
            let ids = asked().flat_map(|one| one.operations.iter().map(|each| &*each.id));
            let hint = nearest(id, ids)
                .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            Err(Failure::usage(format!(
                "no configured provider has an operation {id:?}{hint}"
            )))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|one| &*one.id).collect();
            Err(Failure::usage(format!(
                "several providers have an operation {id:?}: say --provider {}",
                ids.join(" or --provider ")
            )))
        }
    }
}

fn providers(catalog: &Catalog) -> impl Iterator<Item = &Provider> {
    catalog.entries().iter().map(|entry| &*entry.provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_shown_in_its_two_largest_units() {
        for (seconds, shown) in [
            (0, "1s"),
            (59, "59s"),
            (60, "1m"),
            (1_798, "29m 58s"),
            (3_600, "1h"),
            (3_601, "1h"),
            (14_398, "3h 59m"),
            (172_800 + 3_700, "2d 1h"),
        ] {
            assert_eq!(show_left(Duration::from_secs(seconds)), shown);
        }
    }
}
