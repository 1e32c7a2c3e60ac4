//! `egret catalog import`

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Failure, Outcome};
use crate::domain::catalog::{Provider, import_openapi};
use crate::types::Environment;

/// Largest document in bytes; the import has the same limit.
const MAX_DOCUMENT: u64 = 16 * 1024 * 1024;

/// Options of `egret catalog import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// OpenAPI 3 document in JSON or YAML; `-` for standard input.
    file: PathBuf,
    /// Id of the provider: lower-case letters, digits and `-`.
    #[arg(long)]
    id: String,
    /// Path prefix at the gateway. Default: the id.
    #[arg(long, value_name = "/PREFIX")]
    prefix: Option<String>,
    /// Where to write the provider file; it must not be there yet. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Makes a provider file.
pub fn run(args: &ImportArgs, out: &mut impl Write) -> Outcome {
    let document = read(&args.file)?;
    let mut text = import_openapi(&args.id, &document).map_err(Failure::new)?;
    if let Some(prefix) = &args.prefix {
        text = with_prefix(&text, &args.id, prefix);
    }
    let made = Provider::parse("the new file", &text).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::new(lines.join("\n"))
    })?;
    let Some(path) = &args.output else {
        return Ok(out.write_all(text.as_bytes())?);
    };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    let service = made.services.first();
    writeln!(
        out,
        "{}: {} operations under {}\nReview what its comments call guessed, then add to the \
         configuration:\n\n  [providers.{}]\n  file = \"{}\"",
        path.display(),
        made.operations.len(),
        service.map_or("", |service| &service.prefix),
        made.id,
        path.display()
    )?;
    let has = |environment| service.is_some_and(|it| it.base_url(environment).is_some());
    if has(Environment::Sandbox) {
        return Ok(());
    }
    if has(Environment::Production) {
        writeln!(out, "  environment = \"production\"")?;
    } else {
        let name = service.map_or("", |service| &service.id);
        writeln!(
            out,
            "\n  [providers.{}.services.{name}]\n  sandbox = \"https://...\"",
            made.id
        )?;
    }
    Ok(())
}

/// The file with another prefix: the import always writes `/ID`.
fn with_prefix(text: &str, id: &str, prefix: &str) -> String {
    let written = format!("\nprefix = \"/{id}\"\n");
    // The value is checked when the file is read again.
    let wanted = format!("\nprefix = {}\n", toml::Value::from(prefix));
    text.replacen(&written, &wanted, 1)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed =
        |error: io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(MAX_DOCUMENT + 1)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_DOCUMENT + 1).read_to_string(&mut text))
    };
    read.map_err(failed)?;
    Ok(text)
}
