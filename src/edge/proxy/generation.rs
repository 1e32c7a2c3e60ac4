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
use crate::domain::recognise::KnownTokens;

/// One worker's hold on one configuration.
pub struct Generation {
    parts: Arc<Parts>,
    /// What tokens were found to be: it depends on the provider files. Never waited for, since only one
    /// worker has it.
    pub(super) known_tokens: Mutex<KnownTokens>,
    /// What this worker counts.
    pub(super) shard: Arc<Shard>,
}

impl Generation {
    fn new(parts: Arc<Parts>, shard: Arc<Shard>) -> Arc<Self> {
        Arc::new(Self {
            parts,
            known_tokens: Mutex::default(),
            shard,
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
        let shard = parts.figures.shard();
        let mine = Generation::new(parts, shard);
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
            let shard = latest.figures.shard_after(&mine.shard);
            *mine = Generation::new(Arc::clone(&latest), shard);
        }
        Arc::clone(&mine)
    }
}
