//! How long to wait before a repetition, and how many there may be.

use std::time::Duration;

use crate::types::Micros;

/// Exponential backoff with full jitter: a random pause between nothing and a bound that doubles.
/// Full jitter spreads callers best at the least total wait (Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first pause.
    pub base: Duration,
    /// Bound of every pause.
    pub cap: Duration,
}

impl Default for Backoff {
    /// 100 ms, at most 5 s.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// The pause before repetition number `repetition` (0 is the first). `random` is uniform over
    /// all its values.
    pub fn pause(&self, repetition: u32, random: u32) -> Duration {
        let doubled = 1_u32.checked_shl(repetition).unwrap_or(u32::MAX);
        let bound = self.base.saturating_mul(doubled).min(self.cap);
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        let part = u128::from(micros) * u128::from(random) / u128::from(u32::MAX);
        Duration::from_micros(u64::try_from(part).unwrap_or(micros))
    }
}

/// What a repetition costs.
const PRICE: u64 = 1_000;
/// Calls whose deposits are kept: what a quiet time has saved must not become a storm.
const KEPT_CALLS: u64 = 500;

/// How many repetitions there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAllowance {
    /// Percent of the calls.
    pub percent: u32,
    /// Repetitions a second that are always there: with little traffic a share of it is nothing.
    pub floor: u32,
}

impl Default for RetryAllowance {
    /// A fifth of the calls and two a second, as Finagle and linkerd do.
    fn default() -> Self {
        Self {
            percent: 20,
            floor: 2,
        }
    }
}

/// Bounds repetitions to a share of the traffic plus a floor, as Finagle's and linkerd's retry
/// budgets do. However many attempts fail, an outage is never multiplied by more than that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    allowance: RetryAllowance,
    saved: u64,
    /// What the floor has left, and when that was.
    floor_left: u64,
    floor_at: Micros,
}

impl RetryBudget {
    /// A budget that has its floor and has saved nothing.
    pub const fn new(allowance: RetryAllowance) -> Self {
        Self {
            allowance,
            saved: 0,
            floor_left: allowance.floor as u64 * PRICE,
            floor_at: Micros(0),
        }
    }

    /// Goes on with another allowance; what was saved stays, within the new bounds.
    pub fn retune(&mut self, allowance: RetryAllowance) {
        self.allowance = allowance;
        let deposit = u64::from(allowance.percent) * PRICE / 100;
        self.saved = self.saved.min(KEPT_CALLS * deposit);
        self.floor_left = self.floor_left.min(u64::from(allowance.floor) * PRICE);
    }

    /// A call begins; repetitions are not calls.
    pub fn deposit(&mut self) {
        let deposit = u64::from(self.allowance.percent) * PRICE / 100;
        self.saved = (self.saved + deposit).min(KEPT_CALLS * deposit);
    }

    /// Takes a repetition out of the budget; false if there is none.
    pub fn withdraw(&mut self, now: Micros) -> bool {
        let full = u64::from(self.allowance.floor) * PRICE;
        let passed = u64::try_from(now.since(self.floor_at).as_micros()).unwrap_or(u64::MAX);
        let earned = passed.saturating_mul(full) / 1_000_000;
        if earned > 0 {
            self.floor_left = self.floor_left.saturating_add(earned).min(full);
            self.floor_at = now;
        }
        if self.saved >= PRICE {
            self.saved -= PRICE;
            return true;
        }
        if self.floor_left >= PRICE {
            self.floor_left -= PRICE;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_spread_from_nothing() {
        let backoff = Backoff::default();
        let longest = |repetition| backoff.pause(repetition, u32::MAX).as_millis();
        assert_eq!([longest(0), longest(1), longest(2)], [100, 200, 400]);
        assert_eq!([longest(6), longest(31), longest(4_000)], [5_000; 3]);
        assert_eq!(backoff.pause(3, 0), Duration::ZERO);
        assert_eq!(backoff.pause(0, u32::MAX / 2).as_millis(), 49);
    }

    #[test]
    fn a_quiet_gateway_still_has_its_floor() {
        let mut budget = RetryBudget::new(RetryAllowance::default());
        let now = Micros::from_secs(5);
        assert!(budget.withdraw(now) && budget.withdraw(now));
        assert!(!budget.withdraw(now));
        let half = Micros(now.0 + 500_000);
        assert!(budget.withdraw(half) && !budget.withdraw(half));
    }

    #[test]
    fn nothing_means_nothing() {
        let mut budget = RetryBudget::new(RetryAllowance {
            percent: 0,
            floor: 0,
        });
        budget.deposit();
        assert!(!budget.withdraw(Micros::from_secs(5)));
    }

    proptest! {
        /// Whatever fails, repetitions stay a share of the calls plus the floor.
        #[test]
        fn an_outage_is_not_multiplied(
            percent in 0_u32..=100,
            floor in 0_u32..5,
            steps in prop::collection::vec((any::<bool>(), 0_i64..200_000), 1..2_000),
        ) {
            let mut budget = RetryBudget::new(RetryAllowance { percent, floor });
            let (mut calls, mut repeated, mut now) = (0_u64, 0_u64, Micros(0));
            for (is_call, pause) in steps {
                now = Micros(now.0 + pause);
                if is_call {
                    calls += 1;
                    budget.deposit();
                } else if budget.withdraw(now) {
                    repeated += 1;
                }
            }
            let seconds = u64::try_from(now.as_secs()).unwrap() + 2;
            let share = calls * u64::from(percent) / 100;
            prop_assert!(repeated <= share + u64::from(floor) * seconds);
        }
    }
}
