//! When events were taken, so that the age of the oldest one that a ledger lacks can be told.
//!
//! Not every event is noted: one in each interval is enough. While a ledger is away for long the
//! interval grows, so that memory stays bounded and the age stays right to a small part of itself.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::types::Micros;

/// The least time between two marks: as exact as anybody looks at a lag.
const INTERVAL: Duration = Duration::from_millis(100);

/// Most marks (24 bytes each). Seven minutes at the first interval; from then on each halving of
/// their number doubles it.
const MAX_MARKS: usize = 4096;

/// Marks of numbers and times, oldest first.
#[derive(Clone, Debug)]
pub struct Trail {
    marks: VecDeque<(u64, Micros)>,
    /// The first event that was not taken yet.
    end: u64,
    interval: Duration,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            marks: VecDeque::new(),
            end: 0,
            interval: INTERVAL,
        }
    }
}

impl Trail {
    /// Some events were taken at `now`; all before them came earlier.
    pub fn note(&mut self, taken: Range<u64>, now: Micros) {
        self.end = self.end.max(taken.end);
        let is_soon = |last: Micros| now >= last && now.since(last) < self.interval;
        if self.marks.back().is_some_and(|(_, last)| is_soon(*last)) {
            return;
        }
        if self.marks.len() >= MAX_MARKS {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
            // As far apart as those that are left, so that all stay equally far apart.
            let first = self.marks.front().map_or(now, |(_, first)| *first);
            let apart = now.since(first) / (MAX_MARKS as u32 / 2);
            self.interval = apart.max(self.interval * 2);
        }
        self.marks.push_back((taken.start, now));
    }

    /// Event `seq`, which is older than all that were noted, was taken at `at`: what an earlier
    /// process has left behind.
    pub fn note_first(&mut self, seq: u64, at: Micros) {
        if self.marks.front().is_none_or(|(first, _)| seq < *first) {
            self.marks.push_front((seq, at));
        }
    }

    /// Nobody will ask about events before `seq` any more.
    pub fn forget_before(&mut self, seq: u64) {
        while self.marks.get(1).is_some_and(|(next, _)| *next <= seq) {
            self.marks.pop_front();
        }
        if self.marks.len() <= 1 {
            self.interval = INTERVAL;
        }
    }

    /// When event `seq` was taken, or up to an interval earlier; `None` if it was not.
    pub fn taken_at(&self, seq: u64) -> Option<Micros> {
        if seq >= self.end {
            // The last mark may be of long before.
            return None;
        }
        let after = self.marks.partition_point(|(marked, _)| *marked <= seq);
        let (_, at) = self.marks.get(after.saturating_sub(1))?;
        Some(*at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Micros {
        Micros(millis * 1_000)
    }

    #[test]
    fn the_age_is_right_to_an_interval() {
        let mut trail = Trail::default();
        assert_eq!(trail.taken_at(5), None);
        for seq in 0..100 {
            trail.note(seq..seq + 1, at(seq as i64 * 10));
        }
        assert_eq!(trail.taken_at(100), None);
        for seq in 0..100 {
            let told = trail.taken_at(seq).unwrap();
            let truth = at(seq as i64 * 10);
            assert!(told <= truth && truth.since(told) < INTERVAL, "{seq}");
        }
        trail.forget_before(55);
        assert_eq!(trail.taken_at(55), Some(at(500)));
        // After a silence the next event begins a mark of its own.
        trail.note(100..101, at(60_000));
        trail.forget_before(100);
        assert_eq!(trail.taken_at(100), Some(at(60_000)));
    }

    #[test]
    fn a_long_outage_takes_bounded_memory_and_stays_right_to_a_small_part() {
        let mut trail = Trail::default();
        let day = 24 * 3_600;
        for second in 0..day {
            trail.note(second as u64 * 7..second as u64 * 7 + 7, at(second * 1_000));
        }
        assert!(trail.marks.len() <= MAX_MARKS);
        for second in (0..day).step_by(997) {
            let told = trail.taken_at(second as u64 * 7).unwrap();
            let error = at(second * 1_000).since(told);
            assert!(error <= Duration::from_secs(60), "{second}: {error:?}");
        }
        trail.forget_before(u64::MAX);
        assert_eq!((trail.marks.len(), trail.interval), (1, INTERVAL));
    }

    #[test]
    fn what_an_earlier_process_left_comes_before_all_else() {
        let mut trail = Trail::default();
        trail.note(50..51, at(9_000));
        trail.note_first(20, at(1_000));
        trail.note_first(30, at(2_000));
        assert_eq!(trail.taken_at(20), Some(at(1_000)));
        assert_eq!(trail.taken_at(49), Some(at(1_000)));
        assert_eq!(trail.taken_at(50), Some(at(9_000)));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_hide_events() {
        let mut trail = Trail::default();
        trail.note(1..2, at(10_000));
        trail.note(2..3, at(5_000));
        assert_eq!(trail.taken_at(2), Some(at(5_000)));
    }
}
