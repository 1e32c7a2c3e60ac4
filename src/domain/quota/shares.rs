//! What each priority is sure to get.

use crate::types::{Effect, Priority};

/// The priority of a call that asks for none. Nothing is batch by itself: that a call can wait is
/// known to its caller only.
pub const fn priority_of(effect: Effect) -> Priority {
    match effect {
        Effect::Money | Effect::Mint => Priority::Money,
        Effect::Write | Effect::AccessChange => Priority::Write,
        Effect::Read => Priority::Read,
    }
}

pub(super) const fn index(priority: Priority) -> usize {
    match priority {
        Priority::Money => 0,
        Priority::Write => 1,
        Priority::Read => 2,
        Priority::Batch => 3,
    }
}

/// What each priority is sure to get of a budget while it is contended, in percent.
///
/// Precedence alone would let a flood of urgent calls starve the others for ever. So each priority
/// has a share that the more urgent cannot take from it. What a priority does not use of its share
/// goes to whoever waits: nothing of the bank's allowance is left unused for its sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares([u8; 4]);

impl Default for Shares {
    /// Money 60, writes 20, reads 15, batch 5.
    fn default() -> Self {
        Self([60, 20, 15, 5])
    }
}

impl Shares {
    /// Shares in the order of [`Priority::ALL`]; `None` unless they add up to 100.
    pub fn new(percent: [u8; 4]) -> Option<Self> {
        let sum: u32 = percent.iter().map(|share| u32::from(*share)).sum();
        (sum == 100).then_some(Self(percent))
    }

    /// The share of a priority, in percent.
    pub fn of(&self, priority: Priority) -> u32 {
        self.0.get(index(priority)).copied().unwrap_or(0).into()
    }
}

/// Weight of the past in [`Turns`]: with each grant, what was granted before counts 1/64 less. So
/// some hundred grants decide, which is one window of the usual limit.
const DECAY: u32 = 64;

/// Points of one grant; enough for whole numbers to do.
const POINTS: u64 = 1 << 16;

/// Whose turn it is: which priorities have had less than their share of the last grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    granted: [u64; 4],
}

impl Turns {
    /// The priority that goes first among those that wait: the most urgent of those that have not
    /// had their share, else the most urgent of all.
    pub(super) fn first(
        &self,
        shares: &Shares,
        waiting: impl Fn(Priority) -> bool,
    ) -> Option<Priority> {
        let total: u64 = self.granted.iter().sum();
        let mut waiting = Priority::ALL.iter().copied().filter(|p| waiting(*p));
        let most_urgent = waiting.next()?;
        let is_short = |priority: &Priority| {
            let granted = self.granted.get(index(*priority)).copied().unwrap_or(0);
            granted.saturating_mul(100) < total.saturating_mul(shares.of(*priority).into())
        };
        if is_short(&most_urgent) {
            return Some(most_urgent);
        }
        Some(waiting.find(is_short).unwrap_or(most_urgent))
    }

    /// One more was granted. Tell it while others wait only: what was free for all is nobody's
    /// loss.
    pub(super) fn note(&mut self, priority: Priority) {
        for granted in &mut self.granted {
            *granted -= *granted / u64::from(DECAY);
        }
        if let Some(granted) = self.granted.get_mut(index(priority)) {
            *granted += POINTS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_a_whole() {
        assert_eq!(Shares::new([60, 20, 15, 5]), Some(Shares::default()));
        assert_eq!(Shares::new([60, 20, 15, 6]), None);
        assert_eq!(Shares::new([255, 255, 255, 255]), None);
    }

    /// Grants `rounds` times to those that wait and counts who got how many.
    fn count(rounds: u32, waiting: &[Priority]) -> [u32; 4] {
        let shares = Shares::default();
        let mut turns = Turns::default();
        let mut counts = [0; 4];
        for _ in 0..rounds {
            let first = turns.first(&shares, |p| waiting.contains(&p)).unwrap();
            turns.note(first);
            counts[index(first)] += 1;
        }
        counts
    }

    #[test]
    fn everybody_gets_its_share_when_all_want_everything() {
        let counts = count(10_000, Priority::ALL);
        for (priority, got) in Priority::ALL.iter().zip(counts) {
            let due = Shares::default().of(*priority) * 100;
            assert!(got.abs_diff(due) < 150, "{priority}: {got} of {due}");
        }
    }

    #[test]
    fn what_is_not_used_goes_to_whoever_waits() {
        assert_eq!(count(100, &[Priority::Batch]), [0, 0, 0, 100]);
        let counts = count(10_000, &[Priority::Write, Priority::Batch]);
        assert!(counts[3] >= 400 && counts[1] > 9_000, "{counts:?}");
    }

    #[test]
    fn nobody_waits_means_nobody_is_first() {
        assert_eq!(Turns::default().first(&Shares::default(), |_| false), None);
    }
}
