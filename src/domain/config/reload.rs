//! Which part of a configuration a running gateway can go on with.
//!
//! A key that is not named here cannot be reloaded: what is forgotten here is said to need a start, and
//! not silently left as it was.

use super::fault::{Fault, Faults};
use super::model::{Config, Journal, ListenAddress, Listener, Log};
use super::settings::Difference;

/// Keys that take effect while the gateway runs; with a dot at the end, all below.
const RELOADABLE: &[&str] = &[
    "include",
    "callers.local",
    "callers.certificates.",
    "listener.tls.",
    "providers.",
    "timeouts.",
    "limits.",
    "retries.",
    "breaker.",
    "bulkheads.",
    "journal.policy.",
    "retention.",
    "redaction.",
    "capture.",
    "alerts.",
    "log.filter",
    "reload.",
];

/// Exceptions from them.
const FIXED: &[&str] = &[
    "limits.shared",
    "limits.replicas",
    "limits.egress",
    "alerts.directory",
];

/// What of the banks' limits is fixed while gateways share them: it would be another limit for each.
const SHARED: &[&str] = &[
    "limits.shadow",
    "limits.waiting",
    "limits.waiting_per_caller",
    "limits.shares.",
    "providers.<id>.budgets.",
];

fn is_among(key: &str, list: &[&str]) -> bool {
    list.iter().any(|one| match one.strip_suffix('.') {
        Some(table) => key
            .strip_prefix(table)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        None => key == *one,
    })
}

/// Whether a key of the reference takes effect while the gateway runs.
pub fn is_reloadable(key: &str) -> bool {
    is_among(key, RELOADABLE) && !is_among(key, FIXED)
}

/// Whether a difference takes effect in a gateway that runs with `before`.
pub fn takes_effect(before: &Config, difference: &Difference) -> bool {
    let key = difference.key.as_str();
    // A listener gets TLS, or loses it, when it is bound.
    let has_both_sides = difference.before.is_some() && difference.after.is_some();
    if key.starts_with("listener.") && !has_both_sides {
        return false;
    }
    let is_shared = before.budgets.shared.is_some() && is_among(key, SHARED);
    is_reloadable(key) && !is_shared
}

/// The configuration that a gateway which runs with `before` goes on with: `after`, with everything
/// that cannot be reloaded as it was.
pub fn go_on(before: &Config, after: Config) -> Config {
    let mut callers = after.callers;
    callers.file.clone_from(&before.callers.file);
    let mut budgets = after.budgets;
    budgets.shared.clone_from(&before.budgets.shared);
    budgets.replicas = before.budgets.replicas;
    budgets.egress.clone_from(&before.budgets.egress);
    let mut alerts = after.alerts;
    alerts.directory.clone_from(&before.alerts.directory);
    Config {
        node: before.node.clone(),
        data_dir: before.data_dir.clone(),
        workers: before.workers,
        listeners: before
            .listeners
            .iter()
            .map(|listener| with_tls_of(listener, &after.listeners))
            .collect(),
        callers,
        admin: before.admin.clone(),
        budgets,
        journal: Journal {
            policies: after.journal.policies,
            ..before.journal.clone()
        },
        ledger: before.ledger.clone(),
        evidence: before.evidence.clone(),
        lockdown: before.lockdown.clone(),
        fingerprint_key_file: before.fingerprint_key_file.clone(),
        log: Log {
            format: before.log.format,
            ..after.log
        },
        capture_dir: before.capture_dir.clone(),
        capture_key_file: before.capture_key_file.clone(),
        alerts,
        detect: before.detect.clone(),
        telemetry: before.telemetry.clone(),
        providers: after.providers,
        reload: after.reload,
        timeouts: after.timeouts,
        limits: after.limits,
        retention: after.retention,
        redaction: after.redaction,
        captures: after.captures,
        config_hash: after.config_hash,
    }
}

/// Finds base URLs that lead back to a listener. A configuration of its own has none; one that goes on
/// with the listeners of another can.
///
/// # Errors
/// Each of them.
pub fn check_for_loops(config: &Config) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (id, provider) in &config.providers {
        for ((service, environment), upstream) in &provider.base_urls {
            let leads_to = |listener: &&Listener| match &listener.address {
                ListenAddress::Tcp(address) => upstream.leads_to(*address),
                ListenAddress::Unix(_) => false,
            };
            if let Some(listener) = config.listeners.iter().find(leads_to) {
                faults.push(Fault {
                    file: String::new(),
                    line: 0,
                    column: 0,
                    key: format!("providers.{id}.services.{service}.{environment}"),
                    found: None,
                    message: format!("{} is a listener of this gateway", listener.address),
                    hint: "listeners stay as they are until the gateway is started anew".to_owned(),
                });
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// A listener with the certificates that it shall have, if it had some and shall have some.
fn with_tls_of(listener: &Listener, after: &[Listener]) -> Listener {
    let same = after.iter().find(|other| other.address == listener.address);
    let tls = same.and_then(|same| same.tls.as_ref());
    Listener {
        address: listener.address.clone(),
        tls: match (&listener.tls, tls) {
            (Some(_), Some(tls)) => Some(tls.clone()),
            (before, _) => before.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_cannot_be_reloaded() {
        for key in [
            "timeouts.request",
            "providers.<id>.services.<service>.sandbox.url",
            "providers.<id>",
            "listener.tls.certificate",
            "limits.head_bytes",
            "capture",
            "journal.policy.read",
        ] {
            assert!(is_reloadable(key), "{key}");
        }
        for key in [
            "node",
            "data_dir",
            "workers",
            "listener",
            "listener.address",
            "limits.shared",
            "journal.dir",
            "journal.policyx",
            "ledger.url",
            "alerts.directory",
            "something.new",
        ] {
            assert!(!is_reloadable(key), "{key}");
        }
    }
}
