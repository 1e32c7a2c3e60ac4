//! Budgets that the bank counts per consumer, account or token: as many as there are, within
//! bounds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::gate::Gate;
use crate::domain::quota::Part;
use crate::types::Environment;

/// Most budgets that are told apart. What was not used for the longest time makes room for what is
/// new; of so many it is long since idle.
pub const MAX_PARTS: usize = 100_000;

/// How many of the oldest are looked at for one that is idle before the oldest goes anyway.
const LOOKED_AT: usize = 8;

pub(super) type Key = (Arc<str>, Environment, Part);

/// The budgets by what they are told apart by, and the order in which they were used.
#[derive(Default)]
pub(super) struct Parts {
    gates: HashMap<Key, (Arc<Gate>, u64)>,
    order: BTreeMap<u64, Key>,
    uses: u64,
}

impl Parts {
    /// The budget of a key, made if there is none.
    pub fn find(&mut self, key: Key, make: impl FnOnce(&Part) -> Arc<Gate>) -> Arc<Gate> {
        self.uses += 1;
        if let Some((gate, used)) = self.gates.get_mut(&key) {
            self.order.remove(used);
            *used = self.uses;
            self.order.insert(self.uses, key);
            return Arc::clone(gate);
        }
        if self.gates.len() >= MAX_PARTS {
            self.forget_one();
        }
        let gate = make(&key.2);
        self.order.insert(self.uses, key.clone());
        self.gates.insert(key, (Arc::clone(&gate), self.uses));
        gate
    }

    fn forget_one(&mut self) {
        let is_idle = |key: &Key| self.gates.get(key).is_none_or(|(gate, _)| gate.is_idle());
        let mut oldest = self.order.iter().take(LOOKED_AT);
        let found = oldest.find(|(_, key)| is_idle(key));
        let used = found.or(self.order.iter().next()).map(|(used, _)| *used);
        if let Some(key) = used.and_then(|used| self.order.remove(&used)) {
            self.gates.remove(&key);
        }
    }

    /// Forgets the budgets of a plan: it is told apart by something else from here on.
    pub fn forget(&mut self, plan: &str) {
        self.gates.retain(|(name, _, _), _| **name != *plan);
        let gates = &self.gates;
        self.order.retain(|_, key| gates.contains_key(key));
    }

    /// Every budget of a plan.
    pub fn of(&self, plan: &str) -> Vec<Arc<Gate>> {
        let of_plan = self
            .gates
            .iter()
            .filter(|((name, _, _), _)| **name == *plan);
        of_plan.map(|(_, (gate, _))| Arc::clone(gate)).collect()
    }
}
