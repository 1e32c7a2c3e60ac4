//! `egret classify`: what a request would be recorded as.

mod judge;
mod paste;
mod render;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::providers::{Providers, ProvidersArgs};
use super::{Failure, Outcome};
use crate::adapters::kept_file;
use crate::adapters::key_file::KeyError;
use crate::app::{self, VERSION};
use crate::domain::keyring::{Keyring, MASTER_KEY_LEN};
use crate::domain::record::{CallRecord, Gateway};
use crate::types::{CallId, Micros};
use judge::{Court, Sender};

/// Options of `egret classify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ClassifyArgs {
    #[command(flatten)]
    providers: ProvidersArgs,
    /// File with the request; standard input without it.
    file: Option<PathBuf>,
    /// Judge it as sent by this caller, whatever key it shows.
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,
    /// Take the bytes as they are: LF line ends and missing empty lines count as the client's.
    #[arg(long)]
    exact: bool,
    /// How to write the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  Paste a request, then press Ctrl-D:
      egret classify
  What curl sends:
      curl -sv http://127.0.0.1:8080/cybrid/bank/api/customers -o /dev/null 2>&1 | egret classify
  A file, with the providers, the callers and the key of a gateway:
      egret classify request.http -c config/egret.toml --format json

Nothing is sent anywhere, and no credential or identifier of the request is printed. Without a
configuration the built-in providers are used, callers are not judged, and fingerprints are made
with a key that is thrown away: they match no ledger.";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object; the names are those of the columns of the ledger.
    Json,
}

/// The key that fingerprints and pseudonyms are made with.
enum Key {
    /// That of the gateway.
    Gateway(Arc<Keyring>),
    /// One that nobody keeps.
    ThrowAway(Arc<Keyring>),
}

impl Key {
    fn keyring(&self) -> &Arc<Keyring> {
        match self {
            Self::Gateway(keyring) | Self::ThrowAway(keyring) => keyring,
        }
    }
}

/// Judges the request in a file or on standard input. `random` comes from the system's source.
///
/// # Errors
/// The request, the configuration or the callers cannot be read.
pub fn run(
    args: &ClassifyArgs,
    now: Micros,
    random: &[u8; MASTER_KEY_LEN],
    out: &mut impl Write,
) -> Outcome {
    let raw = read(args.file.as_deref())?;
    let providers = Providers::open(&args.providers)?;
    answer(args, &raw, &providers, now, random, out)
}

fn answer(
    args: &ClassifyArgs,
    raw: &[u8],
    providers: &Providers,
    now: Micros,
    random: &[u8; MASTER_KEY_LEN],
    out: &mut impl Write,
) -> Outcome {
    if raw.trim_ascii().is_empty() {
        return Err(Failure::usage(
            "there is no request: paste one, or name a file; `egret classify --help` shows how",
        ));
    }
    let pasted = if args.exact {
        paste::exact(raw)
    } else {
        paste::tolerant(raw)
    };
    let key = key(providers, random)?;
    let sender = sender(args, providers)?;
    let court = Court {
        providers,
        keyring: key.keyring(),
        sender: &sender,
        now,
    };
    let config = providers.config.as_ref();
    let gateway = Gateway {
        node: config.map_or("-", |config| &*config.node).into(),
        version: VERSION.into(),
        config_hash: config.map_or("-", |config| &*config.config_hash).into(),
    };
    let record = CallRecord::new(CallId::floor(now.as_millis()), now, Arc::new(gateway));
    let mut verdict = judge::judge(&court, &pasted.bytes, record);
    let mut notes: Vec<String> = pasted.notes.into_iter().map(str::to_owned).collect();
    notes.extend(caveats(&sender, &key, &verdict).map(str::to_owned));
    verdict.notes.splice(0..0, notes);
    match args.format {
        Format::Text => render::text(out, &verdict)?,
        Format::Json => render::json(out, &verdict)?,
    }
    Ok(())
}

/// What the answer leaves open, as far as the request got.
fn caveats(
    sender: &Sender,
    key: &Key,
    verdict: &judge::Verdict,
) -> impl Iterator<Item = &'static str> {
    let record = &verdict.record;
    let is_recognised = record.target.provider.is_some();
    let is_unknown = record.caller.name.is_none() && record.reason.is_some();
    let caller = match sender {
        Sender::Unjudged if is_recognised => Some(
            "the caller was not judged; -c FILE takes the callers of a gateway, --caller NAME one \
             of them",
        ),
        Sender::Shown { .. } if is_unknown && record.target.method != "other" => {
            Some("--caller NAME judges the rest of the request, as if that caller had sent it")
        }
        _ => None,
    };
    let has_hashes = record.credential.fingerprint.is_some() || !record.subjects.is_empty();
    let key = matches!(key, Key::ThrowAway(_) if has_hashes).then_some(
        "fingerprints and pseudonyms were made with a key that is thrown away; -c FILE takes that \
         of a gateway",
    );
    caller.into_iter().chain(key)
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let limit = paste::MAX_PASTE as u64;
    let mut raw = Vec::new();
    match file {
        Some(path) => File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut raw))
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?,
        None => io::stdin().lock().take(limit + 1).read_to_end(&mut raw)?,
    };
    if raw.len() > paste::MAX_PASTE {
        return Err(Failure::new(format!(
            "the request is larger than {} MiB; cut its body",
            paste::MAX_PASTE / 1024 / 1024
        )));
    }
    Ok(raw)
}

fn key(providers: &Providers, random: &[u8; MASTER_KEY_LEN]) -> Result<Key, Failure> {
    let throw_away = || Key::ThrowAway(Arc::new(Keyring::new(random)));
    let Some(config) = &providers.config else {
        return Ok(throw_away());
    };
    match app::keyring(config, false) {
        Ok(keyring) => Ok(Key::Gateway(Arc::new(keyring))),
        // A gateway that has never run has none yet.
        Err(KeyError::Absent { .. }) => Ok(throw_away()),
        Err(error) => Err(Failure::new(error)),
    }
}

fn sender(args: &ClassifyArgs, providers: &Providers) -> Result<Sender, Failure> {
    if let Some(name) = &args.caller {
        return Ok(Sender::Named(name.as_str().into()));
    }
    let Some(config) = &providers.config else {
        return Ok(Sender::Unjudged);
    };
    Ok(Sender::Shown {
        book: kept_file::load(&config.callers.file).map_err(Failure::new)?,
        local: config.callers.local.clone(),
    })
}
