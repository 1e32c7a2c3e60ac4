//! `egret catalog`: what the providers offer, and what is recorded of it.

mod find;
mod import;
mod list;
mod show;
#[cfg(test)]
mod tests;

use std::io::Write;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

use super::providers::{Providers, ProvidersArgs};
use super::{Failure, Outcome};
use crate::types::Effect;

/// Look up providers and their operations.
#[derive(Debug, Args)]
pub struct CatalogArgs {
    #[command(flatten)]
    providers: ProvidersArgs,
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// List operations.
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show one operation: what it does, and what is recorded of it.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Say which operation a request is, and what would be recorded.
    #[command(after_help = MATCH_EXAMPLES)]
    Match(MatchArgs),
    /// Make a provider file from an OpenAPI 3 document.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(import::ImportArgs),
}

const LIST_EXAMPLES: &str = "\
Examples:
      egret catalog list --provider cybrid
      egret catalog list --effect money
      egret catalog list --provider obp --effect access-change --format csv";

const SHOW_EXAMPLES: &str = "\
Examples:
      egret catalog show cybrid bank.create_trade
      egret catalog show obp OBPv4.0.0-grantUserAccessToView --format json";

const MATCH_EXAMPLES: &str = "\
Examples:
  As sent to the gateway:
      egret catalog match GET /cybrid/bank/api/customers/3f1c6b0e?include_pii=true
  As sent to the bank:
      egret catalog match POST https://bank.sandbox.cybrid.app/api/trades

Values of the path and the query are shown only as far as a record may hold them.
`egret classify` does the same for a whole request.";

const IMPORT_EXAMPLES: &str = "\
Examples:
      egret catalog import openapi.yaml --id acme -o config/providers/acme.toml
      egret catalog import openapi.json --id acme --prefix /banks/acme > acme.toml

The file is a start: its comments say what was guessed. Then name it in the configuration:
      [providers.acme]
      file = \"providers/acme.toml\"";

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON object a line.
    Json,
    /// Comma separated with a header.
    Csv,
}

/// As [`Format`], for what is no table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OneFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only of this provider.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only those that can do this.
    #[arg(long, value_parser = PossibleValuesParser::new(Effect::ALL.iter().map(|e| e.as_str()))
        .try_map(|word| word.parse::<Effect>()))]
    effect: Option<Effect>,
    /// Only of this service.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// How to write them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Provider id.
    provider: String,
    /// Operation id, as `list` shows it.
    operation: String,
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    format: OneFormat,
}

#[derive(Debug, Args)]
struct MatchArgs {
    /// HTTP method.
    method: String,
    /// Path with the gateway's prefix, or URL; with its query if it has one.
    #[arg(value_name = "PATH|URL")]
    target: String,
    /// `Host` header; that of the URL if there is one.
    #[arg(long)]
    host: Option<String>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    format: OneFormat,
}

/// Runs a command.
///
/// # Errors
/// The configuration has faults, or what was asked for is not there.
pub fn run(args: &CatalogArgs, out: &mut impl Write) -> Outcome {
    // An import needs no providers.
    if let CatalogCommand::Import(args) = &args.command {
        return import::run(args, out);
    }
    let providers = Providers::open(&args.providers)?;
    match &args.command {
        CatalogCommand::List(args) => list::run(args, &providers, out),
        CatalogCommand::Show(args) => show::run(args, &providers, out),
        CatalogCommand::Match(args) => find::run(args, &providers, out),
        CatalogCommand::Import(_) => Ok(()),
    }
}

/// That a provider is not there, with those that are.
fn no_provider(providers: &Providers, id: &str) -> Failure {
    let known: Vec<&str> = providers
        .catalog
        .entries()
        .iter()
        .map(|entry| &*entry.provider.id)
        .collect();
    Failure::new(format!(
        "there is no provider {id:?}; there are {}",
        known.join(", ")
    ))
}
