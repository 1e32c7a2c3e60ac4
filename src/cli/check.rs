//! `egret check`

use std::io::Write;

use clap::Args;

use super::{ConfigArgs, Failure, Outcome};
use crate::app::{Setup, StartError, alerts};
use crate::domain::config::show_duration;
use crate::domain::quota::Plans;

/// Options of `egret check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  egret check\n  egret check --config /etc/egret/egret.toml\n\n\
Ends with 0 if the configuration can be used, else with 1 after naming every fault with its file \
and line."
)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Reads the configuration as `serve` would, and says what it found.
pub fn run(args: &CheckArgs, out: &mut impl Write) -> Outcome {
    let path = &args.config.config;
    match Setup::read(path) {
        Ok(setup) => {
            let faults = alerts::faults(&setup.config);
            if !faults.is_empty() {
                for fault in faults {
                    writeln!(out, "{}: alerts: {fault}", path.display())?;
                }
                return Err(Failure::new(format!("{}: not usable", path.display())));
            }
            writeln!(out, "{}: good", path.display())?;
            for listener in &setup.config.listeners {
                let tls = if listener.tls.is_some() { " (TLS)" } else { "" };
                writeln!(out, "  listens on {}{tls}", listener.address)?;
            }
            for entry in setup.catalog.entries() {
                let provider = &entry.provider;
                writeln!(
                    out,
                    "  serves {} with {} operations",
                    provider.id,
                    provider.operations.len()
                )?;
            }
            let config = &setup.config;
            for line in budgets(&setup) {
                writeln!(out, "  {line}")?;
            }
            for rule in &config.redaction.rules {
                let tried = rule.must_match.len() + rule.must_not_match.len();
                writeln!(out, "  redacts {} ({tried} examples hold)", rule.name)?;
            }
            for rule in &config.captures {
                let what = match rule.operations.len() {
                    0 => "all operations".to_owned(),
                    1 => "1 operation".to_owned(),
                    many => format!("{many} operations"),
                };
                let kept = show_duration(rule.retention);
                writeln!(out, "  captures {what} of {} for {kept}", rule.provider)?;
            }
            for channel in &config.alerts.channels {
                let from = channel.tell_from.as_str();
                writeln!(out, "  tells {} of incidents, from {from} on", channel.name)?;
            }
            Ok(())
        }
        Err(StartError::Config(faults)) => {
            writeln!(out, "{faults}")?;
            Err(Failure::new(format!("{}: not usable", path.display())))
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// The banks' limits as they will be kept, a line each.
fn budgets(setup: &Setup) -> Vec<String> {
    let config = &setup.config;
    let mut lines = Vec::new();
    for entry in setup.catalog.entries() {
        let provider = &entry.provider;
        let Some(wanted) = config.providers.get(&provider.id) else {
            continue;
        };
        let request = config.timeouts.request;
        let plans = Plans::resolve(provider, &wanted.budgets, &config.budgets, request);
        for plan in plans.all() {
            let settings = plan.settings;
            let shadow = if settings.shadow {
                ", only counted"
            } else {
                ""
            };
            lines.push(format!(
                "keeps {} within {} calls in {}, by {}{shadow}",
                plan.name,
                settings.limit,
                show_duration(settings.span),
                plan.per.as_str(),
            ));
        }
        for limit in plans.unknown(provider) {
            lines.push(format!(
                "keeps no limit {}.{limit}: the bank gives no numbers; see [providers.{}.budgets]",
                provider.id, provider.id
            ));
        }
    }
    if let Some(store) = &config.budgets.shared {
        lines.push(format!("shares these limits by {store}"));
    }
    lines
}
