//! `egret catalog match`

use std::io::Write;
use std::sync::Arc;

use serde_json::json;

use super::show::param_keep;
use super::{MatchArgs, OneFormat};
use crate::app::VERSION;
use crate::cli::providers::Providers;
use crate::cli::{Failure, Outcome};
use crate::domain::catalog::{Operation, Provider};
use crate::domain::keyring::{Keyring, MASTER_KEY_LEN};
use crate::domain::problem::{self, Problem};
use crate::domain::recognise::{self, Asked, Place, Served};
use crate::domain::record::{CallRecord, Gateway};
use crate::types::{CallId, Micros};

/// What was found.
struct Found<'a> {
    provider: &'a Provider,
    service: &'a str,
    place: Place<'a>,
    operation: Option<&'a Arc<Operation>>,
    record: CallRecord,
}

/// Says which operation a request is.
pub fn run(args: &MatchArgs, providers: &Providers, out: &mut impl Write) -> Outcome {
    let (host, target) = split(args)?;
    let found = find(providers, args, host, target)?;
    match args.format {
        OneFormat::Text => text(&found, out)?,
        OneFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &described(&found))
                .map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Host and target of what was typed.
fn split(args: &MatchArgs) -> Result<(&str, &str), Failure> {
    let typed = args.target.as_str();
    let wanted = args.host.as_deref();
    let after = ["https://", "http://"]
        .iter()
        .find_map(|scheme| typed.strip_prefix(scheme));
    let Some(after) = after else {
        return Ok((wanted.unwrap_or_default(), typed));
    };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if authority.contains('@') {
        return Err(Failure::usage("leave the user name out of the URL"));
    }
    let rest = rest.split('#').next().unwrap_or_default();
    Ok((
        wanted.unwrap_or(authority),
        if rest.is_empty() { "/" } else { rest },
    ))
}

fn find<'a>(
    providers: &'a Providers,
    args: &MatchArgs,
    host: &str,
    target: &'a str,
) -> Result<Found<'a>, Failure> {
    let method = args.method.to_ascii_uppercase();
    let refused = |problem: Problem| {
        Failure::new(format!(
            "the gateway would refuse this: {} {}\n{}\n{}",
            problem.status, problem.code, problem.title, problem.detail
        ))
    };
    let parsed =
        recognise::target(&method, target.as_bytes()).map_err(|refusal| refused(refusal.into()))?;
    let environment_of = |provider| providers.environment(provider);
    // The path outlives the parsed target, which borrows from the same text.
    let path = target.get(..parsed.path().len()).unwrap_or_default();
    let place = recognise::locate(&providers.catalog, host, path, environment_of);
    let Some(place) = place else {
        return Err(Failure::new(format!(
            "{}\nPaths begin with {}; or give the bank's own server with --host or in a URL.",
            problem::NO_SUCH_PROVIDER.title,
            providers.prefixes()
        )));
    };
    let entry = providers.catalog.entry(place.provider);
    let service = entry.and_then(|entry| entry.provider.service(place.service));
    let (Some(entry), Some(service)) = (entry, service) else {
        return Err(refused(problem::NO_SUCH_PROVIDER));
    };
    recognise::check_slashes(Some(service), &parsed).map_err(|refusal| refused(refusal.into()))?;
    let served = Served::at(entry, service, &place);
    let asked = Asked {
        method: &method,
        path: place.rest,
        target: &parsed,
        accept_version: None,
    };
    let gateway = Gateway {
        node: "-".into(),
        version: VERSION.into(),
        config_hash: "-".into(),
    };
    let mut record = CallRecord::new(CallId::floor(0), Micros(0), Arc::new(gateway));
    // Pseudonyms are not shown, so any key will do.
    let keyring = Keyring::new(&[0; MASTER_KEY_LEN]);
    let route = recognise::operation(&served, &asked, &keyring, &mut record);
    Ok(Found {
        provider: &entry.provider,
        service: &service.id,
        place,
        operation: route.map(|route| &route.operation),
        record,
    })
}

fn described(found: &Found<'_>) -> serde_json::Value {
    let target = &found.record.target;
    let parameters = found.operation.map(|operation| {
        operation
            .params
            .iter()
            .map(|param| json!({"name": &*param.name, "kept": param_keep(&param.keep)}))
            .collect::<Vec<_>>()
    });
    let facts: serde_json::Map<_, _> = found
        .record
        .facts
        .iter()
        .map(|fact| (fact.name.to_string(), (&*fact.value).into()))
        .collect();
    json!({
        "provider": &*found.provider.id,
        "service": found.service,
        "environment": found.place.environment.as_str(),
        "operation": found.operation.map_or("unknown", |operation| &operation.id),
        "summary": found.operation.and_then(|operation| operation.summary.as_deref()),
        "effect": target.effect.map(|effect| effect.as_str()),
        "path_template": target.path_template.as_deref(),
        "parameters": parameters,
        "query": target.query.as_deref(),
        "facts": facts,
        "pii": found.record.pii.iter().map(|class| class.as_str()).collect::<Vec<_>>(),
    })
}

fn text(found: &Found<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let record = &found.record;
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<16} {value}");
    line("provider", &found.provider.id)?;
    line("service", found.service)?;
    line("environment", found.place.environment.as_str())?;
    match found.operation {
        Some(operation) => {
            line("operation", &operation.id)?;
            if let Some(summary) = &operation.summary {
                line("", summary)?;
            }
            line("effect", operation.effect.as_str())?;
        }
        None => line(
            "operation",
            "unknown: the catalog has no such method and path, which are not recorded then",
        )?,
    }
    if let Some(template) = &record.target.path_template {
        line("path template", template)?;
    }
    if let Some(query) = &record.target.query {
        line("query", query)?;
    }
    for fact in &record.facts {
        line("fact", &format!("{} = {}", fact.name, fact.value))?;
    }
    let classes: Vec<&str> = record.pii.iter().map(|class| class.as_str()).collect();
    if !classes.is_empty() {
        line("personal data", &classes.join(", "))?;
    }
    let params = found
        .operation
        .map_or(&[][..], |operation| &operation.params);
    for (index, param) in params.iter().enumerate() {
        let name = if index == 0 { "kept of the path" } else { "" };
        let kept = param_keep(&param.keep);
        line(name, &format!("{}: {kept}", param.name))?;
    }
    Ok(())
}
