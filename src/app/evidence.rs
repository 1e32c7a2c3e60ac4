//! The signed log over the journal: its thread, and where checkpoints go.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::adapters::evidence::deliver::{Delivery, Origin};
use crate::adapters::evidence::keys::KeyPlaces;
use crate::adapters::evidence::sealer::{Sealer, SealerSettings, SealerState};
use crate::adapters::journal::Journal;
use crate::domain::config::Config;

/// What seals the log and tells others.
pub struct Evidence {
    sealer: Sealer,
    delivery: Delivery,
}

/// Starts to seal a journal, if that is configured.
///
/// # Errors
/// [`StartError`]: the key is missing, wrong or readable by others; the ledger cannot be opened.
pub(super) fn start(
    config: &Config,
    journal: &Arc<Journal>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Option<Evidence>, StartError> {
    let wanted = &config.evidence;
    if !wanted.enabled {
        return Ok(None);
    }
    let sealer = Sealer::start(settings(config), Arc::clone(journal))?;
    let (store, _) = runtime.block_on(super::ledger::open_store(&config.ledger.place))?;
    let origin = Origin {
        directory: config.journal.directory.clone(),
        journal: journal.id(),
    };
    let delivery = Delivery::start(origin, &sealer, store, wanted.witnesses.clone())
        .map_err(StartError::Thread)?;
    Ok(Some(Evidence { sealer, delivery }))
}

fn settings(config: &Config) -> SealerSettings {
    let wanted = &config.evidence;
    SealerSettings {
        directory: config.journal.directory.clone(),
        origin: wanted.origin.as_deref().map(str::to_owned),
        default_origin: wanted.origin(&config.node),
        keys: KeyPlaces::of_this_process(wanted.key_file.clone()),
        interval: wanted.interval,
    }
}

impl Evidence {
    /// How the log is.
    pub fn state(&self) -> SealerState {
        self.sealer.state()
    }

    /// Seals the rest and delivers it. The journal must have ended.
    pub fn stop(&self, deadline: Duration) {
        self.sealer.shutdown(deadline);
        self.delivery.shutdown(deadline);
    }
}
