//! `egret catalog show`

use std::io::Write;

use serde_json::{Value, json};

use super::{OneFormat, ShowArgs, no_provider};
use crate::cli::providers::Providers;
use crate::cli::{Failure, Outcome};
use crate::domain::catalog::{
    FactKeep, FactRule, MintRule, Operation, ParamKeep, PiiRule, Provider, QueryKeep,
};
use crate::domain::config::show_duration;

/// Most ids that a message suggests.
const SUGGESTIONS: usize = 5;

/// Shows one operation.
pub fn run(args: &ShowArgs, providers: &Providers, out: &mut impl Write) -> Outcome {
    let (_, entry) = providers
        .catalog
        .provider(&args.provider)
        .ok_or_else(|| no_provider(providers, &args.provider))?;
    let provider = &entry.provider;
    let operation = provider
        .operation(&args.operation)
        .ok_or_else(|| no_operation(provider, &args.operation))?;
    match args.format {
        OneFormat::Text => text(provider, operation, out)?,
        OneFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &described(provider, operation))
                .map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn no_operation(provider: &Provider, wanted: &str) -> Failure {
    let wanted_low = wanted.to_ascii_lowercase();
    let near: Vec<&str> = provider
        .operations
        .iter()
        .map(|operation| &*operation.id)
        .filter(|id| id.to_ascii_lowercase().contains(&wanted_low))
        .take(SUGGESTIONS)
        .collect();
    let hint = if near.is_empty() {
        format!("`egret catalog list --provider {}` lists them", provider.id)
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Failure::new(format!(
        "{} has no operation {wanted:?}; {hint}",
        provider.id
    ))
}

fn described(provider: &Provider, operation: &Operation) -> Value {
    let words = |list: &[std::sync::Arc<str>]| list.iter().map(|w| json!(&**w)).collect::<Value>();
    let service = provider.service(operation.service);
    json!({
        "provider": &*provider.id,
        "operation": &*operation.id,
        "service": service.map(|service| &*service.id),
        "prefix": service.map(|service| &*service.prefix),
        "summary": operation.summary,
        "effect": operation.effect.as_str(),
        "access": operation.access.as_deref(),
        "method": operation.method.as_str(),
        "path_template": &*operation.template,
        "versions": words(&operation.versions),
        "token_types": operation.token_types.iter().map(|t| t.as_str()).collect::<Vec<_>>(),
        "scopes_required": words(&operation.scopes_required),
        "scopes_optional": words(&operation.scopes_optional),
        "timeout": operation.timeout.map(show_duration),
        "retry": operation.retry.as_str(),
        "recorded_as": operation.recorded_as.as_deref(),
        "path": operation.params.iter().map(|param| json!({
            "name": &*param.name, "kept": param_keep(&param.keep),
        })).collect::<Value>(),
        "query": operation.query.iter().map(|rule| json!({
            "name": &*rule.name, "kept": query_keep(&rule.keep),
        })).collect::<Value>(),
        "request_facts": facts(&operation.request_facts),
        "response_facts": facts(&operation.response_facts),
        "request_pii": pii(&operation.request_pii),
        "response_pii": pii(&operation.response_pii),
        "mints": operation.mint.as_ref().map(|mint| &*mint.kind),
    })
}

/// What a record keeps of a path parameter.
pub fn param_keep(keep: &ParamKeep) -> String {
    match keep {
        ParamKeep::Drop => "nothing".to_owned(),
        ParamKeep::Subject(kind) => format!("pseudonym ({kind})"),
        ParamKeep::Pii(class) => format!("nothing, it is personal data ({class})"),
        ParamKeep::Secret => "nothing, it is a secret".to_owned(),
    }
}

/// What a record keeps of a query parameter.
pub fn query_keep(keep: &QueryKeep) -> String {
    match keep {
        QueryKeep::Value(shape) => format!("value, if it is {shape}"),
        QueryKeep::Subject(kind) => format!("name, and pseudonym ({kind})"),
        QueryKeep::Mask => "name only".to_owned(),
    }
}

fn fact_keep(keep: &FactKeep) -> String {
    match keep {
        FactKeep::Value(shape) => format!("value, if it is {shape}"),
        FactKeep::Subject(kind) => format!("pseudonym ({kind})"),
        FactKeep::Present => "that it is there".to_owned(),
    }
}

fn facts(rules: &[FactRule]) -> Value {
    rules
        .iter()
        .map(|rule| {
            json!({
                "name": &*rule.name, "at": rule.at.to_string(), "kept": fact_keep(&rule.keep),
            })
        })
        .collect()
}

fn pii(rules: &[PiiRule]) -> Value {
    rules
        .iter()
        .map(|rule| {
            json!({
                "class": rule.class.as_str(),
                "at": rule.at.iter().map(|path| path.as_str()).collect::<Vec<_>>(),
                "when": rule.when.as_deref(),
            })
        })
        .collect()
}

fn text(provider: &Provider, operation: &Operation, out: &mut impl Write) -> std::io::Result<()> {
    let service = provider.service(operation.service);
    writeln!(out, "{} {}", provider.id, operation.id)?;
    if let Some(summary) = &operation.summary {
        writeln!(out, "{summary}")?;
    }
    writeln!(out)?;
    let mut line = |name: &str, value: &str| {
        if value.is_empty() {
            return Ok(());
        }
        writeln!(out, "{name:<16} {value}")
    };
    let prefix = service.map_or("", |service| &service.prefix);
    line("service", service.map_or("", |service| &service.id))?;
    line(
        "request",
        &format!("{} {prefix}{}", operation.method, operation.template),
    )?;
    line("versions", &operation.versions.join(", "))?;
    line("effect", operation.effect.as_str())?;
    line("access", operation.access.as_deref().unwrap_or_default())?;
    let types: Vec<&str> = operation.token_types.iter().map(|t| t.as_str()).collect();
    line("token types", &types.join(", "))?;
    line("scopes", &operation.scopes_required.join(", "))?;
    line("more scopes", &operation.scopes_optional.join(", "))?;
    let timeout = operation.timeout.map_or_else(
        || "as timeouts.request of the configuration says".to_owned(),
        show_duration,
    );
    line("timeout", &timeout)?;
    line(
        "recorded as",
        operation.recorded_as.as_deref().unwrap_or_default(),
    )?;
    if let Some(MintRule { kind, .. }) = &operation.mint {
        line("mints", kind)?;
    }
    let params = operation
        .params
        .iter()
        .map(|param| (param.name.to_string(), param_keep(&param.keep)));
    section(out, "Kept of the path", params)?;
    let query = operation
        .query
        .iter()
        .map(|rule| (rule.name.to_string(), query_keep(&rule.keep)));
    section(out, "Kept of the query", query)?;
    let fact = |rule: &FactRule| {
        let kept = fact_keep(&rule.keep);
        (rule.name.to_string(), format!("{} ({kept})", rule.at))
    };
    section(
        out,
        "Facts of the request",
        operation.request_facts.iter().map(fact),
    )?;
    section(
        out,
        "Facts of the answer",
        operation.response_facts.iter().map(fact),
    )?;
    let personal = |rule: &PiiRule| {
        let at: Vec<&str> = rule.at.iter().map(|path| path.as_str()).collect();
        let when = rule
            .when
            .as_ref()
            .map_or_else(String::new, |flag| format!(" with {flag}"));
        (rule.class.to_string(), format!("{}{when}", at.join(", ")))
    };
    section(
        out,
        "Personal data in the request: its class is known, its value never kept",
        operation.request_pii.iter().map(personal),
    )?;
    section(
        out,
        "Personal data in the answer: its class is recorded, its value never kept",
        operation.response_pii.iter().map(personal),
    )
}

fn section(
    out: &mut impl Write,
    title: &str,
    rows: impl Iterator<Item = (String, String)>,
) -> std::io::Result<()> {
    for (index, (name, value)) in rows.enumerate() {
        if index == 0 {
            writeln!(out, "\n{title}")?;
        }
        writeln!(out, "  {name:<30} {value}")?;
    }
    Ok(())
}
