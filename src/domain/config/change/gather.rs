//! From a configuration to what guards something in it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ring::digest::{SHA256, digest as sha256};

use super::{Guard, MAX_NAME, Protections, Topic, clip};
use crate::domain::config::{
    CaptureBodies, Config, ErrorBodies, ListenAddress, Listener, Provider, RedactionRule,
    UnknownOperations,
};
use crate::domain::detect::{RULES, Rule, Sensitivity};
use crate::domain::incident::Severity;
use crate::domain::record::{LossPolicy, OperationClass};
use crate::domain::redact::RULE_SETS;

/// Hexadecimal digits of a digest that are shown.
const DIGITS: usize = 16;

type DigestOf<'a> = &'a dyn Fn(&Path) -> String;

pub(super) fn gather(config: &Config, digest: DigestOf<'_>) -> Protections {
    let mut all = Protections::default();
    listeners(&mut all, config, digest);
    callers(&mut all, config);
    let ids = config.providers.keys().map(|id| id.to_string());
    all.allows(Topic::Policy, "providers", ids.collect());
    for (id, provider) in &config.providers {
        one_provider(&mut all, id, provider, digest);
    }
    limits(&mut all, config);
    recording(&mut all, config);
    redaction(&mut all, config);
    alerts(&mut all, config);
    detection(&mut all, config);
    all
}

fn names<T: ToString>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    let clipped = names
        .into_iter()
        .map(|name| clip(&name.to_string(), MAX_NAME));
    clipped.collect()
}

/// Digits that change with what they are of.
fn version(text: &str) -> String {
    let digest = sha256(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter().take(DIGITS / 2);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn certificates(path: Option<&Path>, digest: DigestOf<'_>) -> String {
    path.map_or_else(String::new, |path| {
        digest(path).chars().take(DIGITS).collect()
    })
}

fn listeners(all: &mut Protections, config: &Config, digest: DigestOf<'_>) {
    let open = config.listeners.iter().map(|listener| &listener.address);
    let open = open.filter(|address| !address.is_local());
    all.allows(Topic::Policy, "listener", names(open));
    for listener in &config.listeners {
        let address = match &listener.address {
            ListenAddress::Tcp(address) => address.to_string(),
            ListenAddress::Unix(_) => continue,
        };
        let (strictness, word) = protection(listener);
        all.level(format!("listener.{address}.tls"), strictness, word);
        let authority = listener
            .tls
            .as_ref()
            .and_then(|tls| tls.client_ca.as_deref());
        if authority.is_some() {
            all.set(
                Topic::Policy,
                format!("listener.{address}.client_ca"),
                Guard::Trusts(certificates(authority, digest)),
            );
        }
    }
}

/// How strictly a listener looks at who connects.
fn protection(listener: &Listener) -> (u8, &'static str) {
    match &listener.tls {
        None => (0, "plain"),
        Some(tls) if tls.client_ca.is_none() => (1, "TLS"),
        Some(tls) if !tls.client_certificate_required => (2, "TLS with client certificates"),
        Some(_) => (3, "TLS that demands client certificates"),
    }
}

fn callers(all: &mut Protections, config: &Config) {
    let callers = &config.callers;
    all.allows(Topic::Caller, "callers.local", names(&callers.local));
    // The subject of a certificate can be a person's name.
    let known = callers.certificates.iter();
    let known = known.map(|(subject, caller)| format!("{caller}#{}", version(subject)));
    all.allows(Topic::Caller, "callers.certificates", known.collect());
}

fn one_provider(all: &mut Protections, id: &str, provider: &Provider, digest: DigestOf<'_>) {
    let key = |name: &str| format!("providers.{id}.{name}");
    let (strictness, word) = match provider.unknown_operations {
        UnknownOperations::Forward => (0, "forward"),
        UnknownOperations::Deny => (1, "deny"),
    };
    all.level(key("unknown_operations"), strictness, word);
    let mut bodies = |key: String, bodies: ErrorBodies| match bodies {
        ErrorBodies::Pass => all.level(key, 0, "pass"),
        ErrorBodies::Map => all.level(key, 1, "map"),
    };
    bodies(key("error_bodies"), provider.error_bodies);
    for (service, of) in &provider.service_error_bodies {
        bodies(key(&format!("services.{service}.error_bodies")), *of);
    }
    all.off(
        key("forward_caller_address"),
        provider.forward_caller_address,
    );
    let dauth = names(&provider.dauth_callers);
    all.allows(Topic::Policy, key("dauth_callers"), dauth);
    let gateway_login = names(&provider.gateway_login_callers);
    all.allows(Topic::Policy, key("gateway_login_callers"), gateway_login);
    for ((service, environment), upstream) in &provider.base_urls {
        let key = key(&format!("services.{service}.{environment}"));
        let server = Guard::Trusts(clip(&upstream.url(), MAX_NAME));
        all.set(Topic::Policy, format!("{key}.url"), server);
        let authority = Guard::Trusts(certificates(upstream.ca.as_deref(), digest));
        all.set(Topic::Pins, format!("{key}.ca"), authority);
        let (strictness, word) = if upstream.verify {
            (1, "on")
        } else {
            (0, "off")
        };
        let word = word.to_owned();
        let verify = Guard::Level { strictness, word };
        all.set(Topic::Pins, format!("{key}.verify"), verify);
    }
    for (budget, rule) in &provider.budgets {
        let key = key(&format!("budgets.{budget}"));
        all.off(format!("{key}.off"), rule.off);
        all.off(format!("{key}.shadow"), rule.shadow.unwrap_or(false));
        // What is not written is the bank's own number, whatever it is.
        if let Some(limit) = rule.limit {
            all.at_most(format!("{key}.limit"), Some(limit.into()));
        }
        if let Some(window) = rule.window {
            all.at_least(format!("{key}.window"), Some(seconds(window)));
        }
    }
}

fn seconds(span: Duration) -> u64 {
    span.as_secs()
}

fn limits(all: &mut Protections, config: &Config) {
    let limits = &config.limits;
    for (key, most) in [
        ("limits.head_bytes", limits.head_bytes),
        ("limits.field_bytes", limits.field_bytes),
        ("limits.fields", limits.fields),
        ("limits.connections", limits.connections),
    ] {
        all.at_most(key, u64::try_from(most).ok());
    }
    all.off("limits.shadow", config.budgets.shadow);
}

fn recording(all: &mut Protections, config: &Config) {
    for class in OperationClass::ALL {
        let (strictness, word) = match config.journal.policies.get(*class) {
            LossPolicy::Strict => (2, "strict"),
            LossPolicy::ProcessSafe => (1, "process-safe"),
            LossPolicy::Shed => (0, "shed"),
        };
        let class = class.as_str();
        all.level(format!("journal.policy.{class}"), strictness, word);
    }
    for class in OperationClass::ALL {
        let kept = config.retention.map(|periods| seconds(periods.get(*class)));
        all.at_least(format!("retention.{}", class.as_str()), kept);
    }
    all.on("evidence.enabled", config.evidence.enabled);
    let witnesses = config.evidence.witnesses.iter();
    let witnesses = witnesses.map(|witness| witness.url.to_string());
    all.protects("evidence.witness", names(witnesses));
}

fn redaction(all: &mut Protections, config: &Config) {
    let redaction = &config.redaction;
    let sets = match &redaction.rule_sets {
        Some(sets) => names(sets),
        None => names(RULE_SETS.iter().map(|(name, _)| *name)),
    };
    all.protects("redaction.rule_sets", sets);
    all.off("redaction.pseudonyms", redaction.pseudonyms);
    let (shows, hides): (Vec<_>, Vec<_>) = redaction.rules.iter().partition(|rule| rule.keep);
    let protects = hides.into_iter().map(rule_version).collect();
    all.protects("redaction.rule", protects);
    let allows = shows.into_iter().map(rule_version).collect();
    all.allows(Topic::Policy, "redaction.rule.keep", allows);
    let captures = config.captures.iter().map(|rule| {
        let what = match rule.operations.as_slice() {
            [] => "all operations".to_owned(),
            some => some.join(" "),
        };
        let bodies = match rule.bodies {
            CaptureBodies::None => "heads",
            CaptureBodies::Excerpt => "bodies",
        };
        let amount = format!("{} {}", rule.max_bytes, rule.sample);
        let what = clip(
            &format!("{} of {} ({what})", bodies, rule.provider),
            MAX_NAME,
        );
        format!("{what}#{}", version(&amount))
    });
    all.allows(Topic::Policy, "capture", captures.collect());
}

/// A rule by its name, and something that changes with what it looks for.
fn rule_version(rule: &RedactionRule) -> String {
    let looks_for = format!("{:?} {:?}", rule.pattern, rule.fields);
    format!("{}#{}", clip(&rule.name, MAX_NAME), version(&looks_for))
}

fn alerts(all: &mut Protections, config: &Config) {
    let channels = &config.alerts.channels;
    let told = channels.iter().map(|channel| channel.name.as_str());
    all.protects("alerts.channel", names(told));
    let mut told_from = |key: String, severity: Severity| {
        let milder = Severity::ALL.iter().rev().position(|of| *of == severity);
        let strictness = milder.and_then(|place| u8::try_from(place).ok());
        all.level(key, strictness.unwrap_or(0), severity.as_str());
    };
    told_from(
        "alerts.tell_from".to_owned(),
        config.alerts.settings.tell_from,
    );
    for channel in channels {
        let key = format!("alerts.channel.{}.tell_from", channel.name);
        told_from(key, channel.tell_from);
    }
}

fn detection(all: &mut Protections, config: &Config) {
    let detect = &config.detect;
    let settings = &detect.settings;
    all.on("detect.enabled", detect.enabled);
    let (strictness, word) = match settings.sensitivity {
        Sensitivity::Low => (0, "low"),
        Sensitivity::Normal => (1, "normal"),
        Sensitivity::High => (2, "high"),
    };
    all.level("detect.sensitivity", strictness, word);
    let of = |rule: &Rule| settings.rules.get(rule.name).copied().unwrap_or_default();
    let told = RULES.iter().filter(|rule| of(rule).enabled != Some(false));
    all.protects("detect.rules.enabled", names(told.map(|rule| rule.name)));
    // A rule that may say medium or more calls somebody.
    let calls = RULES
        .iter()
        .filter(|rule| of(rule).max_severity.is_none_or(|most| most.is_page()));
    all.protects(
        "detect.rules.max_severity",
        names(calls.map(|rule| rule.name)),
    );
    all.allows(
        Topic::Policy,
        "detect.known_callers",
        names(&settings.known_callers),
    );
    all.allows(
        Topic::Policy,
        "detect.own_networks",
        names(&settings.own_networks),
    );
    let tests = settings.load_tests.iter();
    let tests = tests.map(|test| {
        format!(
            "{}#{}",
            test.caller,
            version(&format!("{} {}", test.from, test.to))
        )
    });
    all.allows(Topic::Policy, "detect.load_tests", tests.collect());
}
