//! Putting the captures together.

use std::path::Path;
use std::sync::Arc;

use super::{StartError, build_redactor, redactor_builder};
use crate::adapters::capture::{Captures, MAX_TOTAL, Settings};
use crate::adapters::key_file::{self, CAPTURE_ENV};
use crate::domain::capture::envelope::CaptureKey;
use crate::domain::catalog::Catalog;
use crate::domain::config::Config;
use crate::domain::field_rules::field_rules;
use crate::domain::redact::RedactorBuilder;

/// The captures of a configuration. Without rules there are none, but those of a former
/// configuration are still deleted when their time is over.
///
/// # Errors
/// [`StartError`]: the key or the directory cannot be used.
pub(super) fn start(
    config: &Config,
    catalog: &Catalog,
) -> Result<Option<Arc<Captures>>, StartError> {
    if config.captures.is_empty() && !config.capture_dir.is_dir() {
        return Ok(None);
    }
    let captures =
        Captures::start(settings(config, catalog)?).map_err(|cause| StartError::Captures {
            path: config.capture_dir.clone(),
            cause,
        })?;
    Ok(Some(Arc::new(captures)))
}

/// What the captures of a configuration work with.
///
/// # Errors
/// [`StartError`]: the key or a rule cannot be used.
pub(super) fn settings(config: &Config, catalog: &Catalog) -> Result<Settings, StartError> {
    let is_wanted = !config.captures.is_empty();
    let key = match is_wanted {
        true => Some(key(config, true)?),
        false => None,
    };
    let builder = add_captured(redactor_builder(config, true)?, config, catalog);
    Ok(Settings {
        rules: config.captures.clone(),
        redactor: build_redactor(builder)?,
        key,
        directory: config.capture_dir.clone(),
        max_total: MAX_TOTAL,
    })
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
