//! The gateway's own changes on record: a configuration that lets more through than the one before,
//! and calls that could not be recorded. Detection tells of them.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::adapters::journal::Journal;
use crate::adapters::kept_file::{self, UpdateError};
use crate::adapters::{clock, entropy, machine};
use crate::domain::config::{Change, Config, Protections, compare};
use crate::domain::own::{self, ChangedBy};
use crate::domain::record::{CallRecord, Gateway, Recorder, Step, Wait};
use crate::types::{CallId, Micros};

/// What was in force, in the data directory.
const FILE: &str = "protections.json";

/// Changes that get records of their own; who changes more than that has written another
/// configuration, and the first of them say so.
const MOST: usize = 100;

/// How often it is looked whether something could not be recorded.
const LOOK: Duration = Duration::from_secs(1);

/// How many looks until what could not be put on record is tried again: half a minute.
const RETRY_LOOKS: u32 = 30;

/// Where it is kept what was in force.
fn file(config: &Config) -> PathBuf {
    config.data_dir.join(FILE)
}

/// What guards something in a configuration, with the certificates that it names.
pub fn protections(config: &Config) -> Protections {
    Protections::of(config, &|path: &Path| {
        std::fs::read(path).map_or_else(
            |_| String::new(),
            |bytes| {
                let digest = digest(&SHA256, &bytes);
                digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
                    // Writing to a string cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                    hex
                })
            },
        )
    })
}

/// Puts on record what a configuration that is about to be in force lets through beyond the one
/// before, and keeps it for the next time. `seen` is at what: `start`, `reload`.
pub fn put_on_record(
    config: &Config,
    seen: &'static str,
    identity: &Arc<Gateway>,
    recorder: &dyn Recorder,
) {
    let by = ChangedBy {
        user: machine::user_name(),
        seen,
    };
    let now = protections(config);
    let path = file(config);
    let before: Protections = match kept_file::load(&path) {
        Ok(before) => before,
        Err(error) => {
            tracing::error!(
                %error,
                "it is not known what was in force before, so nothing is told of what became looser"
            );
            return;
        }
    };
    if before == now {
        return;
    }
    if record(&compare(&before, &now), &by, identity, recorder) {
        keep(&path, now);
    }
}

/// What is wrong with what is kept of the protections that were in force, if anything.
pub fn fault(config: &Config) -> Option<String> {
    let kept = kept_file::load::<Protections>(&file(config));
    kept.err().map(|error| error.to_string())
}

/// Puts changes on record. Gives false if one could not be.
pub fn record(
    changes: &[Change],
    by: &ChangedBy,
    identity: &Arc<Gateway>,
    recorder: &dyn Recorder,
) -> bool {
    for change in changes {
        tracing::warn!(
            key = change.key,
            how = change.how,
            "the configuration lets more through than before"
        );
    }
    changes.iter().take(MOST).all(|change| {
        let done = append(recorder, |call_id, now| {
            own::configuration_changed(call_id, now, Arc::clone(identity), by, change)
        });
        if !done {
            tracing::error!(
                key = change.key,
                "this is not on record; the next start tells it again"
            );
        }
        done
    })
}

fn keep(path: &Path, protections: Protections) {
    let kept = kept_file::update(path, |_: &Protections| {
        Ok::<_, Infallible>((protections, ()))
    });
    if let Err(UpdateError::File(error)) = kept {
        tracing::error!(%error, "it cannot be kept what is in force; the next start tells the same again");
    }
}

fn append(recorder: &dyn Recorder, record: impl FnOnce(CallId, Micros) -> CallRecord) -> bool {
    let now = clock::now();
    let Ok(random) = entropy::id_bytes() else {
        return false;
    };
    let record = record(CallId::from_parts(now.as_millis(), random), now);
    let taken = recorder.append(Step::Completion, None, &record, Wait::Durable);
    taken.is_ok()
}

/// Puts on record, for as long as the gateway runs, that calls could not be recorded: once none was
/// lost for a while.
pub async fn follow_gaps(journal: Arc<Journal>, identity: Arc<Gateway>) {
    let mut told = (0, 0);
    let mut seen = told;
    let mut pause = 0_u32;
    loop {
        tokio::time::sleep(LOOK).await;
        pause = pause.saturating_sub(1);
        let state = journal.state();
        let lost = (state.refused, state.shed);
        let goes_on = std::mem::replace(&mut seen, lost) != lost;
        let is_away = state.failing_since.is_some() || state.stalled;
        if lost == told || goes_on || is_away || pause > 0 {
            continue;
        }
        let (refused, shed) = (lost.0 - told.0, lost.1 - told.1);
        let done = append(journal.as_ref(), |call_id, now| {
            own::gap(call_id, now, Arc::clone(&identity), refused, shed)
        });
        if done {
            told = lost;
        } else {
            // That this could not be recorded is counted, and no call.
            told.0 = (told.0 + 1).min(journal.state().refused);
            pause = RETRY_LOOKS;
        }
    }
}
