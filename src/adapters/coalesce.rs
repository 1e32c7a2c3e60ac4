//! Answers that several calls wait for, and those that are kept for a moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::coalesce::Key;
use crate::domain::health::CoalescerVitals;

/// Most answers that are waited for or kept; beyond, calls go on their own.
const MAX_ENTRIES: usize = 1_024;
/// Most bytes that are kept.
const MAX_BYTES: usize = 16 << 20;

/// An answer that is the same for several calls.
#[derive(Clone, Debug)]
pub struct SharedAnswer {
    /// Status.
    pub status: u16,
    /// Header fields, without those that name a call.
    pub fields: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The whole body, as it came.
    pub body: Bytes,
}

#[derive(Clone, Debug)]
enum State {
    /// Somebody asks the bank.
    Asked,
    /// This is what the bank has said.
    Known(Arc<SharedAnswer>),
    /// There is nothing to share.
    Nothing,
}

struct Kept {
    state: watch::Receiver<State>,
    /// Until then it is kept; `None` while it is waited for.
    until: Option<Instant>,
    bytes: usize,
}

/// Who asks for what at the moment.
#[derive(Default)]
pub struct Coalescer {
    kept: Mutex<HashMap<Key, Kept>>,
    keep: Duration,
    waiting: Arc<AtomicU64>,
    shared: Arc<AtomicU64>,
}

/// What a call does about its answer.
pub enum Joined {
    /// It asks the bank, and others wait for what it gets.
    Leads(Lead),
    /// Another has asked: wait.
    Follows(Follow),
    /// It goes on its own.
    Alone,
}

/// To be kept by a call that others wait for: when it goes without an answer they go on their own.
pub struct Lead {
    coalescer: Arc<Coalescer>,
    key: Key,
    state: watch::Sender<State>,
}

/// Waits for another's answer.
pub struct Follow {
    state: watch::Receiver<State>,
    waiting: Waiting,
    shared: Arc<AtomicU64>,
}

/// Counts a call for as long as it waits.
struct Waiting(Arc<AtomicU64>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Coalescer {
    /// Shares answers while they are waited for, and for so long after.
    pub fn new(keep: Duration) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// A call wants an answer.
    pub fn join(self: &Arc<Self>, key: Key) -> Joined {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        if kept.len() >= MAX_ENTRIES {
            kept.retain(|_, one| one.until.is_none_or(|until| now < until));
        }
        let is_full = kept.len() >= MAX_ENTRIES;
        match kept.entry(key) {
            Entry::Occupied(mut known) => {
                if known.get().until.is_none_or(|until| now < until) {
                    return Joined::Follows(self.follow(&known.get().state));
                }
                let (state, receiver) = watch::channel(State::Asked);
                known.insert(Kept::asked(receiver));
                Joined::Leads(self.lead(key, state))
            }
            Entry::Vacant(_) if is_full => Joined::Alone,
            Entry::Vacant(place) => {
                let (state, receiver) = watch::channel(State::Asked);
                place.insert(Kept::asked(receiver));
                Joined::Leads(self.lead(key, state))
            }
        }
    }

    fn lead(self: &Arc<Self>, key: Key, state: watch::Sender<State>) -> Lead {
        Lead {
            coalescer: Arc::clone(self),
            key,
            state,
        }
    }

    fn follow(&self, state: &watch::Receiver<State>) -> Follow {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Follow {
            state: state.clone(),
            waiting: Waiting(Arc::clone(&self.waiting)),
            shared: Arc::clone(&self.shared),
        }
    }

    /// How it goes.
    pub fn vitals(&self) -> CoalescerVitals {
        CoalescerVitals {
            waiting: self.waiting.load(Ordering::Acquire),
            shared: self.shared.load(Ordering::Acquire),
        }
    }

    /// No longer waited for: kept for its time, if there is one and there is room.
    fn settle(&self, key: &Key, bytes: Option<usize>) {
        let mut kept = self.kept.lock();
        let now = Instant::now();
        kept.retain(|_, one| one.until.is_none_or(|until| now < until));
        let used: usize = kept.values().map(|one| one.bytes).sum();
        let bytes = bytes.filter(|bytes| !self.keep.is_zero() && used + bytes <= MAX_BYTES);
        match (kept.get_mut(key), bytes) {
            (Some(one), Some(bytes)) => {
                one.until = Some(now + self.keep);
                one.bytes = bytes;
            }
            _ => {
                kept.remove(key);
            }
        }
    }
}

impl Kept {
    fn asked(state: watch::Receiver<State>) -> Self {
        Self {
            state,
            until: None,
            bytes: 0,
        }
    }
}

impl Lead {
    /// Gives the answer to all that wait.
    pub fn share(self, answer: SharedAnswer) {
        let bytes = answer.body.len();
        self.state.send_replace(State::Known(Arc::new(answer)));
        self.coalescer.settle(&self.key, Some(bytes));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let is_asked = matches!(*self.state.borrow(), State::Asked);
        if is_asked {
            self.state.send_replace(State::Nothing);
            self.coalescer.settle(&self.key, None);
        }
    }
}

impl Follow {
    /// The answer; `None` if there is none to share.
    pub async fn answer(mut self) -> Option<Arc<SharedAnswer>> {
        let state = self
            .state
            .wait_for(|state| !matches!(state, State::Asked))
            .await;
        drop(self.waiting);
        match &*state.ok()? {
            State::Known(answer) => {
                self.shared.fetch_add(1, Ordering::AcqRel);
                Some(Arc::clone(answer))
            }
            State::Asked | State::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> SharedAnswer {
        SharedAnswer {
            status: 200,
            fields: Vec::new(),
            body: Bytes::from_static(b"{}"),
        }
    }

    fn lead(joined: Joined) -> Lead {
        match joined {
            Joined::Leads(lead) => lead,
            Joined::Follows(_) | Joined::Alone => panic!("it should lead"),
        }
    }

    fn follow(joined: Joined) -> Follow {
        match joined {
            Joined::Follows(follow) => follow,
            Joined::Leads(_) | Joined::Alone => panic!("it should follow"),
        }
    }

    #[tokio::test]
    async fn who_waits_gets_what_the_first_one_got() {
        let coalescer = Arc::new(Coalescer::new(Duration::ZERO));
        let first = lead(coalescer.join([1; 32]));
        let (second, third) = (
            follow(coalescer.join([1; 32])),
            follow(coalescer.join([1; 32])),
        );
        drop(lead(coalescer.join([2; 32])));
        first.share(answer());
        assert_eq!(second.answer().await.unwrap().body, "{}");
        assert_eq!(third.answer().await.unwrap().status, 200);
        // Nothing is kept.
        drop(lead(coalescer.join([1; 32])));
        assert!(coalescer.kept.lock().is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_nothing_is_told_so() {
        let coalescer = Arc::new(Coalescer::new(Duration::ZERO));
        let first = lead(coalescer.join([1; 32]));
        let second = follow(coalescer.join([1; 32]));
        drop(first);
        assert!(second.answer().await.is_none());
        assert!(coalescer.kept.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_kept_is_given_at_once_and_within_bounds() {
        let coalescer = Arc::new(Coalescer::new(Duration::from_secs(60)));
        lead(coalescer.join([1; 32])).share(answer());
        assert!(follow(coalescer.join([1; 32])).answer().await.is_some());
        let huge = SharedAnswer {
            body: vec![0; MAX_BYTES].into(),
            ..answer()
        };
        lead(coalescer.join([2; 32])).share(huge);
        drop(lead(coalescer.join([2; 32])));
        let leads: Vec<Lead> = (0..MAX_ENTRIES - 1)
            .map(|number| {
                let mut key = [3; 32];
                key[..8].copy_from_slice(&number.to_be_bytes());
                lead(coalescer.join(key))
            })
            .collect();
        assert!(matches!(coalescer.join([4; 32]), Joined::Alone));
        drop(leads);
        assert!(matches!(coalescer.join([4; 32]), Joined::Leads(_)));
    }
}
