//! Which operation a request calls, and what the catalog allows to be kept of path and query.

use std::sync::Arc;

use super::Place;
use crate::domain::catalog::{
    Entry, FactKeep, Locator, Matcher, ParamKeep, PiiRule, Provider, QueryKeep, QueryRules, Route,
    Service, ServiceIndex, Shape,
};
use crate::domain::http::{ParameterRule, Target, parameters, redact_query};
use crate::domain::keyring::Keyring;
use crate::domain::record::{CallRecord, Fact, Subject, SubjectRole};
use crate::types::Environment;

/// The parameter by which a Wyre caller acts for another account.
const ON_BEHALF_OF: &str = "masqueradeAs";

/// Most identifiers of one comma-separated parameter that are recorded.
const MAX_IDENTIFIERS: usize = 32;

/// The service that a request leads to.
#[derive(Clone, Copy)]
pub struct Served<'m> {
    /// Its provider.
    pub provider: &'m Provider,
    /// The provider's routes.
    pub matcher: &'m Matcher,
    /// The service.
    pub service: ServiceIndex,
    /// The service's name.
    pub service_id: &'m Arc<str>,
    /// The environment.
    pub environment: Environment,
}

impl<'m> Served<'m> {
    /// A service of the catalog, at a place that [`locate`](super::locate) has found.
    pub fn at(entry: &'m Entry, service: &'m Service, place: &Place<'_>) -> Self {
        Self {
            provider: &entry.provider,
            matcher: &entry.matcher,
            service: place.service,
            service_id: &service.id,
            environment: place.environment,
        }
    }
}

/// What is asked of the service.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// The path at the provider, without the gateway's prefix.
    pub path: &'a str,
    /// The whole target, for its query.
    pub target: &'a Target<'a>,
    /// Value of `Accept-Version`.
    pub accept_version: Option<&'a [u8]>,
}

/// Matches the operation and notes all that path and query may leave in the record.
pub fn operation<'m>(
    served: &Served<'m>,
    asked: &Asked<'_>,
    keyring: &Keyring,
    record: &mut CallRecord,
) -> Option<&'m Route> {
    let Asked { path, target, .. } = *asked;
    record.target.provider = Some(Arc::clone(&served.provider.id));
    record.target.service = Some(Arc::clone(served.service_id));
    record.target.environment = Some(served.environment);
    record.target.accept_version = asked.accept_version.and_then(accept_version);
    let matched = served.matcher.find(served.service, asked.method, path);
    let Some(matched) = matched else {
        note_query(keyring, &served.provider.query, target, record);
        return None;
    };
    let operation = &matched.route.operation;
    record.target.operation = Some(Arc::clone(&operation.id));
    record.target.effect = Some(operation.effect);
    record.target.path_template = Some(Arc::clone(&matched.route.template));
    for (param, value) in matched.values(path) {
        let ParamKeep::Subject(kind) = &param.keep else {
            continue;
        };
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        record.add_subject(subject(keyring, kind, SubjectRole::Request, &decoded));
    }
    let flags = note_query(keyring, &operation.query, target, record);
    for rule in &operation.request_facts {
        let value = match &rule.at {
            Locator::Path(name) => matched
                .values(path)
                .find(|(param, _)| param.name == *name)
                .map(|(_, value)| value),
            Locator::Query(name) => query_value(target, name),
            Locator::Body(_) => None,
        };
        if let Some(value) = value {
            let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            note_fact(keyring, &rule.name, &rule.keep, &decoded, record);
        }
    }
    record.pii = operation
        .response_pii
        .iter()
        .filter(|rule| is_wanted(rule, &flags))
        .map(|rule| rule.class)
        .collect();
    Some(matched.route)
}

fn query_value<'t>(target: &Target<'t>, name: &str) -> Option<&'t str> {
    parameters(target.query()?)
        .find(|parameter| parameter.name().is_some_and(|found| found == name))
        .map(|parameter| parameter.raw_value())
}

/// Whether a rule counts, given the boolean parameters that are on.
fn is_wanted(rule: &PiiRule, flags: &[Box<str>]) -> bool {
    rule.when
        .as_deref()
        .is_none_or(|flag| flags.iter().any(|on| **on == *flag))
}

/// Notes the redacted query and the identifiers in it; gives the boolean parameters that are on.
fn note_query(
    keyring: &Keyring,
    rules: &QueryRules,
    target: &Target<'_>,
    record: &mut CallRecord,
) -> Vec<Box<str>> {
    let mut flags = Vec::new();
    let Some(query) = target.query().filter(|query| !query.is_empty()) else {
        return flags;
    };
    let redacted = redact_query(query, |name| match rules.get(name) {
        Some(QueryKeep::Value(shape)) => ParameterRule::Safe(move |value: &str| shape.fits(value)),
        Some(QueryKeep::Subject(_) | QueryKeep::Mask) => ParameterRule::Masked,
        None => ParameterRule::Unlisted,
    });
    record.target.query = Some(redacted.into());
    for parameter in parameters(query) {
        let (Some(name), Some(value)) = (parameter.name(), parameter.value()) else {
            continue;
        };
        match rules.get(&name) {
            Some(QueryKeep::Value(Shape::Bool)) if value.eq_ignore_ascii_case("true") => {
                flags.push(name.into());
            }
            Some(QueryKeep::Subject(kind)) => {
                let role = if name == ON_BEHALF_OF {
                    SubjectRole::OnBehalfOf
                } else {
                    SubjectRole::Request
                };
                for one in value
                    .split(',')
                    .filter(|one| !one.is_empty())
                    .take(MAX_IDENTIFIERS)
                {
                    record.add_subject(subject(keyring, kind, role, one));
                }
            }
            _ => {}
        }
    }
    flags
}

fn note_fact(
    keyring: &Keyring,
    name: &Arc<str>,
    keep: &FactKeep,
    value: &str,
    record: &mut CallRecord,
) {
    let value: Box<str> = match keep {
        FactKeep::Value(shape) if shape.fits(value) => value.into(),
        FactKeep::Value(_) => return,
        FactKeep::Present => "true".into(),
        FactKeep::Subject(kind) => {
            record.add_subject(subject(keyring, kind, SubjectRole::Request, value));
            return;
        }
    };
    record.add_fact(Fact {
        name: Arc::clone(name),
        value,
    });
}

fn subject(keyring: &Keyring, kind: &Arc<str>, role: SubjectRole, value: &str) -> Subject {
    Subject {
        kind: Arc::clone(kind),
        role,
        pseudonym: Some(keyring.pseudonym(kind, value.as_bytes())),
    }
}

/// The first year that an `Accept-Version` can name. No bank API had versions by date before, and
/// a date of birth that strays into the header must not be kept.
const FIRST_VERSION_YEAR: &str = "2015";

/// `Accept-Version`, if it is a date as Cybrid's versions are.
fn accept_version(value: &[u8]) -> Option<Box<str>> {
    let value = std::str::from_utf8(value).ok()?;
    (Shape::Date.fits(value) && value >= FIRST_VERSION_YEAR).then(|| value.into())
}
