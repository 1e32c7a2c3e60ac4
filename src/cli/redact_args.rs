//! `egret redact`: what is typed, and the redactor that it means.

use std::io::{self, BufRead, Write};

use clap::Args;

use super::providers::{Providers, ProvidersArgs};
use super::redact::{self, Options};
use super::{Failure, Outcome};
use crate::app;
use crate::domain::catalog::Provider;
use crate::domain::config::nearest;
use crate::domain::field_rules;
use crate::domain::redact::{Redactor, RedactorBuilder, Surface};

/// Options of `egret redact`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RedactArgs {
    #[command(flatten)]
    providers: ProvidersArgs,
    /// What each line is (query, path, form), or the whole input (header, json, multipart, text).
    /// With --jsonl: what a line is that does not say it.
    #[arg(long, value_name = "SURFACE", default_value = "text")]
    surface: Surface,
    /// Read one JSON object a line: {"id", "surface", "api", "operation", "input"}, with
    /// "input_b64" for bytes that are not UTF-8; write {"id", "output", "counts"} for each.
    #[arg(long)]
    jsonl: bool,
    /// Show which rule fired where.
    #[arg(long)]
    explain: bool,
    /// Provider whose field rules apply.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Operation whose field rules apply, with its service (bank.create_trade) or without it.
    #[arg(long, value_name = "ID", requires = "provider")]
    operation: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  Anything that writes lines:
      kubectl logs payments | egret redact
  A header block, with the reasons:
      curl -sI https://bank.example/ | egret redact --surface header --explain
  A body of a known operation: what its provider file does not allow is masked:
      egret redact --surface json --provider cybrid --operation create_trade < body.json
  Many inputs of different kinds:
      echo '{\"id\":1,\"surface\":\"query\",\"input\":\"secretKey=x&page=2\"}' | egret redact --jsonl
  With the rules of a configuration:
      egret redact -c config/egret.toml < app.log

Queries, paths and forms are one input a line; text, JSON, header blocks and multipart bodies are one
stream. Nothing that was masked can be brought back. What cannot be understood is masked.";

/// Filters `input` into `out` until its end.
///
/// # Errors
/// There is no such operation, the configuration has faults, or reading or writing failed.
pub fn run(args: &RedactArgs, input: impl BufRead, out: &mut impl Write) -> Outcome {
    let (redactor, operation) = prepare(args)?;
    let options = Options {
        surface: args.surface,
        jsonl: args.jsonl,
        explain: args.explain,
        provider: args.provider.clone(),
        operation,
    };
    match redact::run(&redactor, input, out, &options) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(error) => Err(Failure::new(format!("cannot go on: {error}"))),
        Ok(_) => Ok(()),
    }
}

/// The redactor, and the full id of the operation.
fn prepare(args: &RedactArgs) -> Result<(Redactor, Option<String>), Failure> {
    let providers = Providers::open(&args.providers)?;
    let mut builder = match &providers.config {
        Some(config) => app::redactor_builder(config, false).map_err(Failure::new)?,
        None => RedactorBuilder::default(),
    };
    let mut wanted = None;
    if let Some(id) = &args.provider {
        let provider = find_provider(&providers, id)?;
        if let Some(name) = &args.operation {
            let operation = find_operation(provider, name)?;
            let rules = field_rules::field_rules(provider, operation);
            builder = builder.operation(&provider.id, &operation.id, rules);
            wanted = Some(operation.id.to_string());
        }
    }
    if args.jsonl {
        // Every line can name an operation of its own.
        builder = field_rules::add_all(builder, &providers.catalog);
    }
    let redactor = app::build_redactor(builder).map_err(Failure::new)?;
    Ok((redactor, wanted))
}

fn find_provider<'p>(providers: &'p Providers, id: &str) -> Result<&'p Provider, Failure> {
    if let Some((_, entry)) = providers.catalog.provider(id) {
        return Ok(&entry.provider);
    }
    let entries = providers.catalog.entries().iter();
    let ids: Vec<&str> = entries.map(|entry| &*entry.provider.id).collect();
    Err(Failure::usage(format!(
        "there is no provider {id:?}; use one of: {}",
        ids.join(", ")
    )))
}

fn find_operation<'p>(
    provider: &'p Provider,
    name: &str,
) -> Result<&'p crate::domain::catalog::Operation, Failure> {
    field_rules::find(provider, name).map_err(|several| {
        if !several.is_empty() {
            return Failure::usage(format!(
                "several operations of {} are called {name:?}; write one of: {}",
                provider.id,
                several.join(", ")
            ));
        }
        let ids = provider.operations.iter().map(|operation| &*operation.id);
        let shorts = ids
            .clone()
            .filter_map(|id| id.split_once('.').map(|(_, short)| short));
        let hint = match nearest(name, ids.clone().chain(shorts)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("`egret catalog list {}` lists them", provider.id),
        };
        Failure::usage(format!("{} has no operation {name:?}; {hint}", provider.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RedactArgs,
    }

    fn filter(arguments: &[&str], input: &str) -> Result<String, Failure> {
        let line = Line::try_parse_from(std::iter::once("redact").chain(arguments.iter().copied()))
            .unwrap_or_else(|error| panic!("{error}"));
        let mut out = Vec::new();
        run(&line.args, input.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn field_rules_apply_to_an_operation_by_either_name() {
        let body = "{\"side\":\"buy\",\"note\":\"hello\"}\n";
        for name in ["create_trade", "bank.create_trade"] {
            let arguments = [
                "--surface",
                "json",
                "--provider",
                "cybrid",
                "--operation",
                name,
            ];
            let out = filter(&arguments, body).unwrap();
            assert!(out.contains("\"side\":\"buy\""), "{out}");
            assert!(!out.contains("hello"), "{out}");
        }
    }

    #[test]
    fn json_lines_may_name_an_operation_each() {
        let input = "{\"id\":1,\"surface\":\"json\",\"api\":\"cybrid\",\"operation\":\"create_trade\",\
                     \"input\":\"{\\\"side\\\":\\\"buy\\\",\\\"labels\\\":[\\\"for Ada\\\"]}\"}\n";
        let out = filter(&["--jsonl"], input).unwrap();
        assert!(out.contains("buy") && !out.contains("Ada"), "{out}");
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let missing = ["--provider", "cybrid", "--operation", "create_trad"];
        let failure = filter(&missing, "").unwrap_err();
        assert_eq!(failure.code, 2);
        assert!(
            failure.message.contains("did you mean"),
            "{}",
            failure.message
        );
        let failure = filter(&["--provider", "cybird"], "").unwrap_err();
        assert!(
            failure.message.contains("cybrid, obp, wyre"),
            "{}",
            failure.message
        );
    }
}
