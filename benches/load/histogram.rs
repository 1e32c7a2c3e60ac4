//! Latencies, kept to within one part in 128 from nanoseconds to minutes.

use std::time::Duration;

/// Each power of two is cut into this many steps, so a value is off by at most 1/128.
const STEPS_LOG2: u32 = 7;
const STEPS: usize = 1 << STEPS_LOG2;

/// Values up to 2^37 ns (137 s) have a place of their own; what is longer counts as that.
const POWERS: usize = 37;

const PLACES: usize = (POWERS - STEPS_LOG2 as usize + 1) * STEPS;

/// How many calls took how long.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; PLACES],
            total: 0,
        }
    }
}

impl Histogram {
    /// Adds one call.
    pub(crate) fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(place(nanos)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Adds the calls of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The shortest time that at least this share of the calls did not exceed; zero without calls.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return Duration::from_nanos(longest(place));
            }
        }
        Duration::ZERO
    }
}

/// Where a value is counted. The first two runs of steps are exact; from there each run covers a
/// power of two.
fn place(nanos: u64) -> usize {
    let power = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEPS_LOG2 + 1);
    let place = power as usize * STEPS + (nanos >> power) as usize;
    place.min(PLACES - 1)
}

/// The largest value that is counted at a place.
fn longest(place: usize) -> u64 {
    let power = (place / STEPS).saturating_sub(1);
    let step = place - power * STEPS;
    ((step as u64 + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Histogram, PLACES, longest, place};

    #[test]
    fn places_follow_each_other_without_gap() {
        for at in 0..PLACES - 1 {
            assert_eq!(place(longest(at)), at);
            assert_eq!(place(longest(at) + 1), at + 1);
        }
        assert_eq!(place(u64::MAX), PLACES - 1);
    }

    #[test]
    fn a_value_is_off_by_at_most_one_part_in_128() {
        for nanos in (0..40_000_000_000).step_by(999_983) {
            let told = longest(place(nanos));
            assert!(told >= nanos && told - nanos <= nanos / 128, "{nanos}");
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut low = Histogram::default();
        let mut high = Histogram::default();
        for nanos in 1..=50 {
            low.add(Duration::from_nanos(nanos));
            high.add(Duration::from_nanos(50 + nanos));
        }
        low.merge(&high);
        for (share, nanos) in [(0.0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (0.999, 100)] {
            assert_eq!(low.quantile(share), Duration::from_nanos(nanos), "{share}");
        }
    }

    #[test]
    fn no_call_took_no_time() {
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
