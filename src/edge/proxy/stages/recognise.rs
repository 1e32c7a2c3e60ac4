//! What is being asked: target, provider, operation, and what the catalog allows to be kept.

use std::sync::Arc;

use pingora_http::RequestHeader;

use super::super::Parts;
use super::super::routes::{Destination, Found};
use crate::domain::catalog::{
    self, FactKeep, Locator, Operation, ParamKeep, PiiRule, QueryKeep, QueryRules, Shape,
};
use crate::domain::http::{
    EncodedSlash, ParameterRule, Refusal, Target, TraceParent, parameters, redact_query,
};
use crate::domain::observe::OperationPlans;
use crate::domain::problem::{self, Problem};
use crate::domain::record::{CallRecord, Fact, Pseudonym, Subject, SubjectRole};
use crate::types::TraceId;

/// The parameter by which a Wyre caller acts for another account.
const ON_BEHALF_OF: &str = "masqueradeAs";

/// Most identifiers of one comma-separated parameter that are recorded.
const MAX_IDENTIFIERS: usize = 32;

/// The standard methods by name; anything else is recorded as `other`, since a method is text of
/// the caller's.
pub fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT",
    ];
    KNOWN.iter().find(|known| **known == name).copied().unwrap_or("other")
}

/// The trace that the caller's request belongs to.
pub fn trace(request: &RequestHeader) -> Option<TraceId> {
    let value = request.headers.get("traceparent")?;
    Some(TraceParent::parse(value.as_bytes())?.trace_id())
}

/// Checks the request target.
pub fn target(request: &RequestHeader) -> Result<Target<'_>, Problem> {
    if request.method == http::Method::CONNECT {
        return Err(Refusal::Connect.into());
    }
    Ok(Target::parse(request.raw_path(), EncodedSlash::Allow)?)
}

/// Finds the provider's service that the request is for.
pub fn destination<'p>(
    parts: &'p Parts,
    request: &RequestHeader,
    target: &Target<'p>,
) -> Result<Found<'p>, Problem> {
    let host = request
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| request.headers.get(http::header::HOST)?.to_str().ok())
        .unwrap_or_default();
    let found = parts
        .routes
        .find(host, target.path())
        .ok_or(problem::NO_SUCH_PROVIDER)?;
    if found.destination.encoded_slash() == catalog::EncodedSlash::Refuse
        && target.path().contains('%')
    {
        Target::parse(target.as_str().as_bytes(), EncodedSlash::Refuse)?;
    }
    Ok(found)
}

/// Matches the operation and notes all that path and query may leave in the record.
pub fn operation(
    parts: &Parts,
    destination: &Destination,
    request: &RequestHeader,
    path: &str,
    target: &Target<'_>,
    record: &mut CallRecord,
) -> Option<(Arc<Operation>, Arc<OperationPlans>)> {
    let provider = &destination.provider;
    record.target.provider = Some(Arc::clone(&provider.catalog.id));
    record.target.service = Some(Arc::clone(&destination.service_id));
    record.target.environment = Some(destination.environment);
    record.target.accept_version = accept_version(request);
    let matched = provider
        .matcher
        .find(destination.service, request.method.as_str(), path);
    let Some(matched) = matched else {
        note_query(parts, &provider.catalog.query, target, record);
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
        record.add_subject(subject(parts, kind, SubjectRole::Request, &decoded));
    }
    let flags = note_query(parts, &operation.query, target, record);
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
            note_fact(parts, &rule.name, &rule.keep, &decoded, record);
        }
    }
    record.pii = operation
        .response_pii
        .iter()
        .filter(|rule| is_wanted(rule, &flags))
        .map(|rule| rule.class)
        .collect();
    let plans = provider.plans.operation(matched.route.index)?;
    Some((Arc::clone(operation), Arc::clone(plans)))
}

fn query_value<'t>(target: &Target<'t>, name: &str) -> Option<&'t str> {
    parameters(target.query()?)
        .find(|parameter| parameter.name().is_some_and(|found| found == name))
        .map(|parameter| parameter.raw_value())
}

fn is_wanted(rule: &PiiRule, flags: &[Box<str>]) -> bool {
    rule.when
        .as_deref()
        .is_none_or(|flag| flags.iter().any(|on| **on == *flag))
}

/// Notes the redacted query and the identifiers in it; gives the boolean parameters that are on.
fn note_query(
    parts: &Parts,
    rules: &QueryRules,
    target: &Target<'_>,
    record: &mut CallRecord,
) -> Vec<Box<str>> {
    let mut flags = Vec::new();
    let Some(query) = target.query().filter(|query| !query.is_empty()) else {
        return flags;
    };
    let redacted = redact_query(query, |name| match rules.get(name) {
        Some(QueryKeep::Value(shape)) => {
            ParameterRule::Safe(move |value: &str| shape.fits(value))
        }
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
                for one in value.split(',').filter(|one| !one.is_empty()).take(MAX_IDENTIFIERS) {
                    record.add_subject(subject(parts, kind, role, one));
                }
            }
            _ => {}
        }
    }
    flags
}

fn note_fact(
    parts: &Parts,
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
            record.add_subject(subject(parts, kind, SubjectRole::Request, value));
            return;
        }
    };
    record.facts.push(Fact {
        name: Arc::clone(name),
        value,
    });
}

/// The subject for a raw identifier.
pub fn subject(parts: &Parts, kind: &Arc<str>, role: SubjectRole, value: &str) -> Subject {
    Subject {
        kind: Arc::clone(kind),
        role,
        pseudonym: pseudonym(parts, kind, value),
    }
}

fn pseudonym(parts: &Parts, kind: &str, value: &str) -> Pseudonym {
    parts.keyring.pseudonym(kind, value.as_bytes())
}

/// The first year that an `Accept-Version` can name. No bank API had versions by date before, and
/// a date of birth that strays into the header must not be kept.
const FIRST_VERSION_YEAR: &str = "2015";

/// `Accept-Version`, if it is a date as Cybrid's versions are.
fn accept_version(request: &RequestHeader) -> Option<Box<str>> {
    let value = request.headers.get("accept-version")?.to_str().ok()?;
    (Shape::Date.fits(value) && value >= FIRST_VERSION_YEAR).then(|| value.into())
}
