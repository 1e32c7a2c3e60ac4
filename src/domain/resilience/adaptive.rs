//! How many calls a bank carries at a time, found out from how long it takes.

use std::time::Duration;

use crate::types::Micros;

/// An answer that takes so many times the quickest of late says that calls queue at the bank.
const QUEUES: f64 = 2.0;
/// What is left of the limit after a sign of overload, as TCP does it but less steeply: a limit
/// that halves at each sign costs more throughput than it spares the bank.
const DECREASE: f64 = 0.9;
/// By how much the quickest answer is forgotten with each one, so that a bank that became slower
/// for good is not taken to be overloaded for ever.
const FORGET: f64 = 1.001;

/// A limit of calls in flight that grows by one in each round of calls that go well, and shrinks by a
/// tenth when answers fail or take twice the time (additive increase, multiplicative decrease).
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    limit: f64,
    least: f64,
    most: f64,
    /// The quickest answer of late, in microseconds; 0 before the first.
    quickest: f64,
    /// Not again before: the calls in flight were sent under the old limit.
    rests_until: Micros,
}

impl AdaptiveLimit {
    /// Begins with the most.
    pub fn new(least: usize, most: usize) -> Self {
        let most = most.max(1) as f64;
        Self {
            limit: most,
            least: (least.max(1) as f64).min(most),
            most,
            quickest: 0.0,
            rests_until: Micros(0),
        }
    }

    /// The limit at the moment.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// An attempt has ended that took so long while so many were in flight. `failed` says that the
    /// bank failed or threw it out.
    pub fn learn(&mut self, took: Duration, failed: bool, in_flight: usize, now: Micros) {
        let micros = (took.as_micros() as f64).max(1.0);
        let queues = self.quickest > 0.0 && micros > self.quickest * QUEUES;
        if failed || queues {
            if self.rests_until <= now {
                self.limit = (self.limit * DECREASE).max(self.least);
                self.rests_until = now.plus(took);
            }
        } else if in_flight as f64 * 2.0 >= self.limit {
            self.limit = (self.limit + 1.0 / self.limit).min(self.most);
        }
        if !failed {
            self.quickest = match self.quickest {
                0.0 => micros,
                quickest => (quickest * FORGET).min(micros),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUICK: Duration = Duration::from_millis(10);

    #[test]
    fn it_shrinks_while_calls_queue_and_grows_when_they_do_not() {
        let mut limit = AdaptiveLimit::new(4, 100);
        let mut now = Micros(1);
        limit.learn(QUICK, false, 1, now);
        for _ in 0..100 {
            now = now.plus(QUICK * 3);
            limit.learn(QUICK * 3, false, 100, now);
        }
        let low = limit.limit();
        assert!((4..50).contains(&low), "{low}");
        for _ in 0..10_000 {
            now = now.plus(QUICK);
            limit.learn(QUICK, false, low, now);
        }
        assert!(limit.limit() > low);
    }

    #[test]
    fn one_burst_of_failures_shrinks_it_once() {
        let mut limit = AdaptiveLimit::new(1, 100);
        for _ in 0..50 {
            limit.learn(QUICK, true, 50, Micros(1));
        }
        assert_eq!(limit.limit(), 90);
    }

    #[test]
    fn a_limit_that_nobody_reaches_does_not_grow() {
        let mut limit = AdaptiveLimit::new(1, 100);
        limit.learn(QUICK, true, 1, Micros(1));
        for at in 2..1_000 {
            limit.learn(QUICK, false, 1, Micros(at));
        }
        assert_eq!(limit.limit(), 90);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            least in 0_usize..50,
            most in 0_usize..200,
            steps in prop::collection::vec((0_u64..1_000_000, any::<bool>(), 0_usize..300), 0..500),
        ) {
            let mut limit = AdaptiveLimit::new(least, most);
            let mut now = Micros(0);
            for (micros, failed, in_flight) in steps {
                now = Micros(now.0 + 1_000);
                limit.learn(Duration::from_micros(micros), failed, in_flight, now);
                prop_assert!(limit.limit() >= least.max(1).min(most.max(1)));
                prop_assert!(limit.limit() <= most.max(1));
            }
        }
    }
}
