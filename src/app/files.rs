//! Looks at the files that a gateway needs beside its configuration, before it needs them.

use std::fs::File;
use std::path::Path;

use super::admin::listen;
use super::{alerts, changes, lockdown};
use crate::adapters::kept_file::KeptFile;
use crate::adapters::telemetry::headers;
use crate::domain::config::{ChannelKind, Config, LedgerPlace};
use crate::domain::identity::CallerBook;

/// What is wrong with files that the configuration names and that only the gateway's own user may be
/// able to read, a text each: with secrets, and programs that are to be run. `check` and the doctor
/// look there; other commands need none of them. What the channels hold is asked of
/// [`alerts::faults`].
pub fn named(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    for channel in &config.alerts.channels {
        // A bare name is looked for along PATH.
        if let ChannelKind::Command { program, .. } = &channel.kind
            && program.components().count() > 1
        {
            faults.extend(absent(&channel.name, program));
        }
    }
    if config.telemetry.endpoint.is_some() {
        let file = config.telemetry.headers_file.as_deref();
        faults.extend(
            headers::read(file, None)
                .err()
                .map(|fault| fault.to_string()),
        );
    }
    if let LedgerPlace::Postgres(place) = &config.ledger.place {
        if let Some(file) = place.password_file() {
            faults.extend(unreadable("[ledger] password_file", file));
        }
        for (name, file) in place.files() {
            faults.extend(unreadable(&format!("[ledger] url, {name}"), &file));
        }
    }
    let oidc = config.admin.oidc.as_ref();
    if let Some(file) = oidc.and_then(|oidc| oidc.client_secret_file.as_deref()) {
        faults.extend(unreadable("[admin.oidc] client_secret_file", file));
    }
    faults
}

/// What is wrong with files that the gateway keeps itself and cannot start without, a text each.
pub fn kept(config: &Config) -> Vec<String> {
    let callers = KeptFile::<CallerBook>::open(&config.callers.file).err();
    let admins = listen::open(config).err();
    let locks = lockdown::Follower::look(config).err();
    [
        callers.map(|error| error.to_string()),
        admins.map(|error| error.to_string()),
        locks.map(|error| error.to_string()),
        alerts::book_fault(config),
        changes::fault(config),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A program may be one that can be run and not read.
fn absent(channel: &str, program: &Path) -> Option<String> {
    let error = program.metadata().err()?;
    let shown = program.display();
    Some(format!(
        "alerts: channel {channel}: there is no program {shown}: {error}"
    ))
}

fn unreadable(key: &str, path: &Path) -> Option<String> {
    let error = match File::open(path) {
        // A directory can be opened, and not be read.
        Ok(file) => match file.metadata() {
            Ok(of) if of.is_dir() => "it is a directory".to_owned(),
            Ok(_) => return None,
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Some(format!("{key}: cannot read {}: {error}", path.display()))
}
