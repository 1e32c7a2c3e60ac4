//! `egret check`

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::{key_file, signing_key};
use crate::app::{Setup, StartError, alerts, files};
use crate::domain::config::settings::Setting;
use crate::domain::config::{nearest, show_duration};
use crate::domain::quota::Plans;

const PREFIX: &str = "EGRET_";

/// Variables that stand for no key.
const OTHER_VARIABLES: [&str; 6] = [
    "EGRET_CONFIG",
    "EGRET_ALLOW_ROOT",
    key_file::ENV,
    key_file::CAPTURE_ENV,
    signing_key::ENV,
    signing_key::NEXT_ENV,
];

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
            let faults = faults.iter().map(|fault| format!("alerts: {fault}"));
            let faults: Vec<String> = faults.chain(files::named(&setup.config)).collect();
            if !faults.is_empty() {
                for fault in faults {
                    writeln!(out, "{}: {fault}", path.display())?;
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
            let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            for (name, near) in mistyped(&setup, variables) {
                writeln!(out, "  takes nothing from {name}; did you mean {near}?")?;
            }
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

/// Variables of this process that are none of Egret's, and look as if they were meant to be. They are
/// no faults: platforms make some of their own, such as EGRET_PORT for a service named egret.
fn mistyped(setup: &Setup, variables: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let keys = setup.settings.iter().filter_map(Setting::variable);
    let known: BTreeSet<String> = keys.chain(OTHER_VARIABLES.map(str::to_owned)).collect();
    let without = |name: &str| name.strip_prefix(PREFIX).map(str::to_owned);
    let names: Vec<String> = known.iter().filter_map(|name| without(name)).collect();
    let unknown = variables.filter(|name| !known.contains(name));
    let mut found: Vec<(String, String)> = unknown
        .filter_map(|name| {
            let near = nearest(&without(&name)?, names.iter().map(String::as_str))?;
            Some((name, format!("{PREFIX}{near}")))
        })
        .collect();
    found.sort();
    found
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_mistyped_variable_is_told_and_one_of_the_platform_is_not() {
        let setup = Setup::parse_alone(Path::new("egret.toml"), "[providers.cybrid]\n").unwrap();
        let variables = [
            "EGRET_TIMEOUT_REQUEST",
            "EGRET_PROVIDERS_CYBRID_ENVIROMENT",
            "EGRET_TIMEOUTS_CONNECT",
            "EGRET_FINGERPRINT_KEY",
            "EGRET_PORT",
            "EGRET_SERVICE_HOST",
            "EGRET_PORT_8443_TCP_ADDR",
            "HOME",
        ];
        let found = mistyped(&setup, variables.map(str::to_owned).into_iter());
        let expected = [
            (
                "EGRET_PROVIDERS_CYBRID_ENVIROMENT",
                "EGRET_PROVIDERS_CYBRID_ENVIRONMENT",
            ),
            ("EGRET_TIMEOUT_REQUEST", "EGRET_TIMEOUTS_REQUEST"),
        ];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
