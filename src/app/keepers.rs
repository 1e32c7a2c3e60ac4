//! What only one process of a gateway may do: feed the ledger, seal the log, tell people, look after
//! the journal of commands. A process that hands over ends all of it, and begins again if nobody
//! takes over.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::alerts::{Alerts, desk_rules};
use super::commands::CommandsKeeper;
use super::detection::{self, Detections};
use super::evidence::{self, Evidence};
use super::ledger::FoundLedger;
use super::own_calls::OwnCalls;
use super::{StartError, runtime};
use crate::adapters::journal::Journal;
use crate::adapters::ledger::{LedgerFeed, Undrained};
use crate::adapters::notify::DeskRules;
use crate::domain::config::Config;
use crate::domain::journal::Source;

use super::health::Health;

/// How long each of them may take to end while another process waits. What is left undone is done
/// by that process.
const LET_GO: Duration = Duration::from_secs(2);

/// What a reload changes of what they do.
#[derive(Clone)]
pub struct Around {
    /// Who tells people; `None` while nobody does.
    pub alerts: Arc<Mutex<Option<Alerts>>>,
    /// What incidents are kept by.
    pub desk_rules: Arc<ArcSwap<DeskRules>>,
}

impl Around {
    /// As a configuration says; nobody tells people yet.
    pub fn new(config: &Config) -> Self {
        Self {
            alerts: Arc::default(),
            desk_rules: Arc::new(ArcSwap::from_pointee(desk_rules(config))),
        }
    }
}

/// The running threads.
pub struct Keepers {
    feed: Arc<LedgerFeed>,
    evidence: Option<Arc<Evidence>>,
    commands: CommandsKeeper,
    detection: Option<Detections>,
}

impl Keepers {
    /// Starts them. `first_new` is the first event of the journal that this process may have written.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(
        config: &Config,
        journal: &Arc<Journal>,
        ledger: FoundLedger,
        first_new: u64,
        health: &Health,
        around: &Around,
    ) -> Result<Self, StartError> {
        let map = detection::read_map(config)?;
        let told = Alerts::start(config)?;
        let mut reader = journal.reader();
        // Before the feed: a wrong signing key is told before anything runs.
        let evidence = evidence::start(config, journal, &runtime()?)?.map(Arc::new);
        let cursor = ledger.cursor(&journal.id());
        let feed = if ledger.cursors.is_none() {
            LedgerFeed::start_away(reader, ledger.store, first_new)
        } else {
            reader.seek(cursor)?;
            LedgerFeed::start(reader, ledger.store)
        };
        let feed = Arc::new(feed.map_err(StartError::Thread)?);
        let commands = CommandsKeeper::start(OwnCalls::new(config)).map_err(StartError::Thread)?;
        if let Some(evidence) = &evidence {
            health.sealing(evidence);
        }
        health.recording(journal, &feed);
        let rules = Arc::clone(&around.desk_rules);
        let detection = detection::start(config, map, journal, &feed, rules)?;
        if let Some(detection) = &detection {
            health.detecting(detection.watched());
        }
        *around.alerts.lock() = told;
        Ok(Self {
            feed,
            evidence,
            commands,
            detection,
        })
    }

    /// Ends them with everything done that the journal holds: it must have ended.
    ///
    /// # Errors
    /// What the ledger lacks.
    pub fn finish(self, patience: Duration, around: &Around) -> Result<(), Undrained> {
        self.commands.stop();
        if let Some(evidence) = &self.evidence {
            evidence.stop(patience);
        }
        let fed = self.feed.shutdown(patience);
        // After the ledger, of which they tell.
        if let Some(detection) = self.detection {
            detection.stop();
        }
        let alerts = around.alerts.lock().take();
        if let Some(alerts) = alerts {
            alerts.stop();
        }
        fed
    }

    /// Ends them for another process, which goes on where they were.
    pub fn let_go(self, around: &Around) {
        // That it does not get to the end is the point: the journal goes on.
        let _ = self.finish(LET_GO, around);
    }
}
