//! A file system in memory for tests: it fails and crashes as told.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::files::Files;

/// Torn in pieces of this size; smaller than a disk's, so that small segments tear too.
const PAGE: usize = 64;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did not take place.
    NotLanded,
    /// It took place, but reported failure.
    LandedButFailed,
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// What a process sees.
    seen: Vec<u8>,
    /// What a power cut leaves for sure.
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Content>,
    /// Operations that can fail, so far.
    operations: u64,
    /// Fail operation number `.0` and the `.1` after it.
    plan: Option<(u64, u64, Fate)>,
    /// Do not answer.
    hangs: bool,
}

/// Cheap to clone; all clones are one file system.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<State>>);

impl Memory {
    /// Fails `count` operations from the `nth` on, counted from now.
    pub fn fail(&self, nth: u64, count: u64, fate: Fate) {
        let mut state = self.0.lock();
        let from = state.operations + nth;
        state.plan = Some((from, count, fate));
    }

    /// Answers no operation, or answers them again.
    pub fn hang(&self, hangs: bool) {
        self.0.lock().hangs = hangs;
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.0.lock().plan = None;
    }

    /// Whether the planned failure has come.
    pub fn has_failed(&self) -> bool {
        let state = self.0.lock();
        state
            .plan
            .is_some_and(|(from, _, _)| state.operations > from)
    }

    /// Cuts the power: of what was not synced, `survives` says piece by piece what is left.
    pub fn cut_power(&self, mut survives: impl FnMut() -> bool) {
        let mut state = self.0.lock();
        for content in state.files.values_mut() {
            let mut left = content.durable.clone();
            left.resize(content.seen.len().max(left.len()), 0);
            content.seen.resize(left.len(), 0);
            for (to, from) in left.chunks_mut(PAGE).zip(content.seen.chunks(PAGE)) {
                if to != from && survives() {
                    to.copy_from_slice(from);
                }
            }
            content.seen.clone_from(&left);
            content.durable = left;
        }
    }

    fn act<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock();
        while state.hangs {
            drop(state);
            std::thread::sleep(std::time::Duration::from_millis(1));
            state = self.0.lock();
        }
        let number = state.operations;
        state.operations += 1;
        match state.plan {
            Some((from, count, fate)) if (from..from.saturating_add(count)).contains(&number) => {
                if fate == Fate::LandedButFailed {
                    let _ = act(&mut state);
                }
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => act(&mut state),
        }
    }
}

fn there(state: &mut State, first_seq: u64) -> io::Result<&mut Content> {
    state
        .files
        .get_mut(&first_seq)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Files for Memory {
    type Segment = u64;

    fn list(&self) -> io::Result<Vec<u64>> {
        Ok(self.0.lock().files.keys().copied().collect())
    }

    fn read(&self, first_seq: u64) -> io::Result<Vec<u8>> {
        Ok(there(&mut self.0.lock(), first_seq)?.seen.clone())
    }

    fn create(&mut self, first_seq: u64, size: u64) -> io::Result<u64> {
        self.act(|state| {
            let zeros = vec![0; size as usize];
            let content = Content {
                seen: zeros.clone(),
                durable: zeros,
            };
            state.files.insert(first_seq, content);
            Ok(first_seq)
        })
    }

    fn reopen(&mut self, first_seq: u64) -> io::Result<u64> {
        self.act(|state| there(state, first_seq).map(|_| first_seq))
    }

    fn cut(&mut self, first_seq: u64, length: u64) -> io::Result<()> {
        self.act(|state| {
            let content = there(state, first_seq)?;
            content.seen.truncate(length as usize);
            content.durable.clone_from(&content.seen);
            Ok(())
        })
    }

    fn remove(&mut self, first_seq: u64) -> io::Result<()> {
        self.act(|state| {
            state.files.remove(&first_seq);
            Ok(())
        })
    }

    fn write(&mut self, segment: &mut u64, bytes: &[u8], offset: u64) -> io::Result<()> {
        let segment = *segment;
        self.act(|state| {
            let seen = &mut there(state, segment)?.seen;
            let end = offset as usize + bytes.len();
            if seen.len() < end {
                seen.resize(end, 0);
            }
            seen[offset as usize..end].copy_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&mut self, segment: &mut u64) -> io::Result<()> {
        let segment = *segment;
        self.act(|state| {
            let content = there(state, segment)?;
            content.durable.clone_from(&content.seen);
            Ok(())
        })
    }

    fn truncate(&mut self, segment: &mut u64, length: u64) -> io::Result<()> {
        let segment = *segment;
        self.act(|state| {
            there(state, segment)?.seen.truncate(length as usize);
            Ok(())
        })
    }

    fn check(&self, segment: &u64) -> io::Result<()> {
        there(&mut self.0.lock(), *segment).map(|_| ())
    }

    fn share_lock(&self) -> io::Result<std::fs::File> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
