//! A wall clock that goes back dates new records before old ones. Their order is not in doubt, since
//! events are numbered, but a question about a period would miss some: an operator must know.

use std::time::Duration;

use crate::types::Micros;

/// Back by more than this is no longer the small correction that time synchronisation makes.
pub const MAX_BEHIND: Duration = Duration::from_secs(2);

/// 2026-01-01, before which no version of egret existed: a clock that says so was never set.
pub const EARLIEST: Micros = Micros(1_767_225_600_000_000);

/// Remembers the latest time that the wall clock has said.
#[derive(Clone, Copy, Debug)]
pub struct ClockWatch {
    latest: Micros,
}

impl ClockWatch {
    /// Begins with the latest time known, as of the last record of an earlier process.
    pub const fn new(latest: Micros) -> Self {
        Self { latest }
    }

    /// The clock says `now`. Gives how far that is behind what it has said before.
    pub fn look(&mut self, now: Micros) -> Duration {
        self.latest = self.latest.max(now);
        self.latest.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_is_behind_until_it_has_caught_up() {
        let second = |n: i64| Micros::from_secs(1_800_000_000 + n);
        let mut watch = ClockWatch::new(second(0));
        for (now, behind) in [(5, 0), (1, 4), (4, 1), (-60, 65), (5, 0), (9, 0), (8, 1)] {
            assert_eq!(
                watch.look(second(now)),
                Duration::from_secs(behind),
                "{now}"
            );
        }
    }
}
