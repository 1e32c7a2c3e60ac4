//! Putting the captures together, and recording who reads them.

use std::path::Path;
use std::sync::Arc;

use super::{StartError, VERSION, build_redactor, redactor_builder};
use crate::adapters::capture::{Captures, MAX_TOTAL, Settings};
use crate::adapters::key_file::{self, CAPTURE_ENV};
use crate::adapters::ledger::{RecordStore, Store};
use crate::adapters::{clock, entropy, machine};
use crate::domain::capture::envelope::CaptureKey;
use crate::domain::catalog::Catalog;
use crate::domain::config::Config;
use crate::domain::field_rules::field_rules;
use crate::domain::record::{self, CallRecord, CallerVia, Fact};
use crate::domain::redact::RedactorBuilder;
use crate::types::{CallId, Decision, Effect, Micros, Outcome};

/// Provider under which the gateway records what was done to itself.
const OWN_PROVIDER: &str = "egret";

/// Operation of reading a capture.
pub const READ: &str = "capture.read";

/// Operation of listing captures.
pub const LIST: &str = "capture.list";

/// The captures of a configuration. Without rules there are none, but those of a former
/// configuration are still deleted when their time is over.
///
/// # Errors
/// [`StartError`]: the key or the directory cannot be used.
pub(super) fn start(
    config: &Config,
    catalog: &Catalog,
) -> Result<Option<Arc<Captures>>, StartError> {
    let is_wanted = !config.captures.is_empty();
    if !is_wanted && !config.capture_dir.is_dir() {
        return Ok(None);
    }
    let key = match is_wanted {
        true => Some(key(config, true)?),
        false => None,
    };
    let builder = add_captured(redactor_builder(config, true)?, config, catalog);
    let captures = Captures::start(Settings {
        rules: config.captures.clone(),
        redactor: build_redactor(builder)?,
        key,
        directory: config.capture_dir.clone(),
        max_total: MAX_TOTAL,
    });
    let captures = captures.map_err(|cause| StartError::Captures {
        path: config.capture_dir.clone(),
        cause,
    })?;
    Ok(Some(Arc::new(captures)))
}

/// Adds the field rules of every operation that can be captured.
fn add_captured(
    mut builder: RedactorBuilder,
    config: &Config,
    catalog: &Catalog,
) -> RedactorBuilder {
    for entry in catalog.entries() {
        let provider = &entry.provider;
        let mut rules = config.captures.iter();
        if !rules.any(|rule| rule.provider == provider.id) {
            continue;
        }
        for operation in &provider.operations {
            let rules = field_rules(provider, operation);
            builder = builder.operation(&provider.id, &operation.id, rules);
        }
    }
    builder
}

/// Reads the key of captures.
///
/// # Errors
/// [`StartError::Key`].
pub fn key(config: &Config, may_create: bool) -> Result<CaptureKey, StartError> {
    let variable = std::env::var(CAPTURE_ENV).ok();
    let path: &Path = &config.capture_key_file;
    let bytes = if may_create {
        key_file::load_or_create_named(path, CAPTURE_ENV, variable)?
    } else {
        key_file::load_named(path, CAPTURE_ENV, variable)?
    };
    let malformed = || key_file::KeyError::Malformed {
        place: format!("the key file {}", path.display()),
    };
    Ok(CaptureKey::new(bytes.expose()).ok_or_else(malformed)?)
}

/// Puts into the ledger that captures were read, before anything of them is shown.
///
/// # Errors
/// [`StartError`]; then nothing may be shown.
pub fn record_reading(
    config: &Config,
    operation: &'static str,
    of: Option<CallId>,
    is_done: bool,
    received_at: Micros,
) -> Result<CallId, StartError> {
    let random = entropy::id_bytes().map_err(key_file::KeyError::from)?;
    let call_id = CallId::from_parts(received_at.as_millis(), random);
    let gateway = Arc::new(record::Gateway {
        node: config.node.as_ref().into(),
        version: VERSION.into(),
        config_hash: config.config_hash.clone(),
    });
    let mut record = CallRecord::new(call_id, received_at, gateway);
    record.caller.name = Some(machine::user_name().into());
    record.caller.via = CallerVia::User;
    record.target.provider = Some(OWN_PROVIDER.into());
    record.target.operation = Some(operation.into());
    record.target.effect = Some(Effect::Read);
    record.decision = Decision::Forwarded;
    record.outcome = match is_done {
        true => Outcome::Success,
        false => Outcome::Failure,
    };
    record.times.completed_at = Some(clock::now());
    if let Some(of) = of {
        record.add_fact(Fact {
            name: "captured_call".into(),
            value: of.to_string().into(),
        });
    }
    super::runtime()?.block_on(async {
        let mut store = Store::open(&config.ledger.place).await?;
        store.write(&[Box::new(record)]).await
    })?;
    Ok(call_id)
}
