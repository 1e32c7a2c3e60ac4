//! Which configuration a call is made under.
//!
//! Everything that follows from a configuration is one value, [`Parts`]. A call takes it when it begins
//! and keeps it to its end, so it never sees two configurations; the next call of the same connection
//! takes the latest. Nobody waits for anybody: the latest is behind an [`ArcSwap`], and what calls count
//! references to belongs to their worker alone, so that workers do not pull a counter from core to core.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::Parts;
use crate::adapters::figures::Shard;
use crate::adapters::telemetry::Inbox;
use crate::domain::recognise::KnownTokens;
use crate::domain::telemetry::FinishedCall;

/// Where a worker tells of calls that are over.
#[derive(Clone)]
pub struct Tell {
    /// Counts all of them.
    pub shard: Arc<Shard>,
    /// Takes those whose trace is told.
    pub spans: Option<Arc<Inbox<FinishedCall>>>,
}

impl Tell {
    fn new(parts: &Parts) -> Self {
        Self {
            shard: parts.figures.shard(),
            spans: parts.spans.as_ref().map(|spans| spans.add()),
        }
    }

    /// For the same worker under another configuration.
    fn after(&self, parts: &Parts) -> Self {
        Self {
            shard: parts.figures.shard_after(&self.shard),
            spans: self.spans.clone(),
        }
    }
}

/// One worker's hold on one configuration.
pub struct Generation {
    parts: Arc<Parts>,
    /// What tokens were found to be: it depends on the provider files. Never waited for, since only one
    /// worker has it.
    pub(super) known_tokens: Mutex<KnownTokens>,
    /// Where this worker tells of calls.
    pub(super) tell: Tell,
}

impl Generation {
    fn new(parts: Arc<Parts>, tell: Tell) -> Arc<Self> {
        Arc::new(Self {
            parts,
            known_tokens: Mutex::default(),
            tell,
        })
    }
}

impl Deref for Generation {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// What one worker's calls begin with.
#[derive(Clone)]
pub(super) struct Generations {
    latest: Arc<ArcSwap<Parts>>,
    /// The last one that this worker has seen. Never waited for.
    mine: Arc<Mutex<Arc<Generation>>>,
}

impl Generations {
    pub(super) fn new(latest: Arc<ArcSwap<Parts>>) -> Self {
        let parts = latest.load_full();
        let tell = Tell::new(&parts);
        let mine = Generation::new(parts, tell);
        Self {
            latest,
            mine: Arc::new(Mutex::new(mine)),
        }
    }

    /// The same for another worker.
    pub(super) fn for_worker(&self) -> Self {
        Self::new(Arc::clone(&self.latest))
    }

    /// Where the latest configuration is put.
    pub(super) fn place(&self) -> Arc<ArcSwap<Parts>> {
        Arc::clone(&self.latest)
    }

    /// The latest configuration.
    pub(super) fn latest(&self) -> Arc<Generation> {
        let latest = self.latest.load();
        let mut mine = self.mine.lock();
        if !Arc::ptr_eq(&mine.parts, &latest) {
            let tell = mine.tell.after(&latest);
            *mine = Generation::new(Arc::clone(&latest), tell);
        }
        Arc::clone(&mine)
    }
}
