//! A sink that keeps the first bytes of the first values at every path.

use super::{TapSink, ValueKind};
use crate::types::Secret;

/// The most bytes of a value that are kept. Identifiers, codes and amounts are shorter; tokens
/// are longer, and are hashed as they stream by instead of kept.
pub const MAX_VALUE_BYTES: usize = 256;

/// The most values that are kept for one path.
pub const MAX_VALUES: usize = 16;

/// One value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The place of its path in the list that was compiled.
    pub index: usize,
    /// What kind of value it is.
    pub kind: ValueKind,
    /// Its content, at most [`MAX_VALUE_BYTES`]; empty unless it is a string or a number.
    pub bytes: Secret<Vec<u8>>,
    /// Whether `bytes` is only the start of the value.
    pub is_cut: bool,
}

/// Keeps what a tap finds, within limits: 256 bytes per value and 16 values per path, so at most
/// 256 KiB for a set of 64 paths. A value that was cut off by the end of the body is not kept.
#[derive(Default)]
pub struct Collector {
    values: Vec<Collected>,
    /// How many values were seen for each path.
    seen: Vec<u64>,
    pending: Vec<u8>,
    is_cut: bool,
}

impl Collector {
    /// An empty collector.
    pub fn new() -> Self {
        Self::default()
    }

    /// All values that were kept, in the order of the body.
    pub fn values(&self) -> &[Collected] {
        &self.values
    }

    /// The first value at a path.
    pub fn first(&self, index: usize) -> Option<&Collected> {
        self.values.iter().find(|value| value.index == index)
    }

    /// How many values the body had at a path, kept or not.
    pub fn seen(&self, index: usize) -> u64 {
        self.seen.get(index).copied().unwrap_or(0)
    }

    fn is_full(&self, index: usize) -> bool {
        self.seen(index) >= MAX_VALUES as u64
    }
}

impl TapSink for Collector {
    fn piece(&mut self, index: usize, bytes: &[u8]) {
        if self.is_full(index) {
            return;
        }
        let room = MAX_VALUE_BYTES.saturating_sub(self.pending.len());
        self.is_cut |= bytes.len() > room;
        self.pending
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end(&mut self, index: usize, kind: ValueKind) {
        let bytes = Secret::new(std::mem::take(&mut self.pending));
        let is_cut = std::mem::take(&mut self.is_cut);
        if !self.is_full(index) {
            self.values.push(Collected {
                index,
                kind,
                bytes,
                is_cut,
            });
        }
        if self.seen.len() <= index {
            self.seen.resize(index + 1, 0);
        }
        if let Some(seen) = self.seen.get_mut(index) {
            *seen += 1;
        }
    }
}
