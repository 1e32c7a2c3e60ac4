//! Counting in event time, and the one test for all counts.
//!
//! A counter keeps the last 60 minutes one by one and the last 16 days hour by hour. From these it
//! says how many there were in a window and how many were to be expected: the mean rate, or what
//! the same hours brought on like days, whichever is more. What raised an alarm is taken out
//! again, so that it is neither reported twice nor learned as normal.

use serde::{Deserialize, Serialize};

/// Minutes that are kept one by one.
const MINUTES: usize = 60;
/// Hours that are kept: two weeks back from the start of the longest window.
const HOURS: i64 = 384;
/// The longest window, in hours. Expectation is taken from what lies before it.
const LONGEST: i64 = 24;
/// The share that the largest burst keeps from day to day.
const FADING: f64 = 0.97;
/// Audit records that an alert names.
pub(super) const EVIDENCE: usize = 5;

/// A moment in the units that counters use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds since 1970.
    pub at: i64,
    /// The same in seconds, as tables keep it.
    pub second: u32,
    /// Minutes since 1970.
    pub minute: i64,
    /// Hours since 1970.
    pub hour: i64,
}

impl Moment {
    pub(super) fn new(at: i64) -> Self {
        let second = at.div_euclid(1000);
        Self {
            at,
            second: u32::try_from(second.max(0)).unwrap_or(u32::MAX),
            minute: second.div_euclid(60),
            hour: second.div_euclid(3600),
        }
    }
}

/// Whether an hour is on a weekend, in UTC.
pub(super) fn is_weekend(hour: i64) -> bool {
    // 1970 began on a Thursday.
    matches!((hour.div_euclid(24) + 4).rem_euclid(7), 0 | 6)
}

/// A window that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Window {
    /// This many minutes, at most 60.
    Minutes(u8),
    /// This many hours, at most 24.
    Hours(u8),
}

impl Window {
    pub(super) fn seconds(self) -> u32 {
        match self {
            Self::Minutes(minutes) => u32::from(minutes) * 60,
            Self::Hours(hours) => u32::from(hours) * 3600,
        }
    }
}

/// Counts of one kind of event of one caller.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Counter(Option<Box<Rings>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rings {
    minute: i64,
    minutes: Vec<u16>,
    hour: i64,
    hours: Vec<u32>,
    recent: Vec<u128>,
    /// The largest ten minutes that were learned, fading day by day, those of today, and the day.
    burst: f64,
    burst_today: u32,
    day: i64,
    /// What is expected, for the hour named in it.
    cache: Forecast,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Forecast {
    hour: i64,
    mean: f64,
    /// Seasonal mean of this hour, the one before it, and so on.
    season: Vec<f64>,
}

/// What a test asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    pub window: Window,
    /// Fewer are never remarkable.
    pub n_min: f64,
    /// At least this many times the expectation.
    pub ratio: f64,
    /// At least this unlikely, in nats.
    pub nats: f64,
    /// The expectation is multiplied by this.
    pub factor: f64,
    /// The hour in which counting began.
    pub born: i64,
}

/// A count that is too large for its window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Excess {
    pub count: f64,
    pub expected: f64,
    pub score: f64,
    pub window: Window,
}

/// How unlikely `n` is where `expected` were to be expected, in nats.
pub(super) fn surprise(n: f64, expected: f64) -> f64 {
    if n <= expected {
        return 0.0;
    }
    n * (n / expected).ln() - n + expected
}

impl Rings {
    fn new(now: Moment) -> Self {
        Self {
            minute: now.minute,
            minutes: vec![0; MINUTES],
            hour: now.hour,
            hours: vec![0; HOURS as usize],
            recent: Vec::new(),
            burst: 0.0,
            burst_today: 0,
            day: now.hour.div_euclid(24),
            cache: Forecast {
                hour: i64::MIN,
                ..Forecast::default()
            },
        }
    }

    fn minute_mut(&mut self, minute: i64) -> Option<&mut u16> {
        self.minutes
            .get_mut(minute.rem_euclid(MINUTES as i64) as usize)
    }

    fn hour_at(&self, hour: i64) -> u32 {
        let place = hour.rem_euclid(HOURS) as usize;
        self.hours.get(place).copied().unwrap_or(0)
    }

    fn hour_mut(&mut self, hour: i64) -> Option<&mut u32> {
        self.hours.get_mut(hour.rem_euclid(HOURS) as usize)
    }

    /// Moves on to `now`. Time does not go back: late events count as of the newest moment.
    fn roll(&mut self, now: Moment) {
        if now.minute > self.minute {
            self.burst_today = self.burst_today.max(self.count(Window::Minutes(10)));
            let from = self.minute.max(now.minute - MINUTES as i64);
            for minute in from + 1..=now.minute {
                if let Some(slot) = self.minute_mut(minute) {
                    *slot = 0;
                }
            }
            self.minute = now.minute;
        }
        let day = now.hour.div_euclid(24);
        if day > self.day {
            // A day is learned when it is over; what raised an alarm was taken out of it.
            let days = (day - self.day).min(365) as f64;
            self.burst = (self.burst * FADING.powf(days)).max(f64::from(self.burst_today));
            self.burst_today = 0;
            self.day = day;
        }
        if now.hour > self.hour {
            let from = self.hour.max(now.hour - HOURS);
            for hour in from + 1..=now.hour {
                if let Some(slot) = self.hour_mut(hour) {
                    *slot = 0;
                }
            }
            self.hour = now.hour;
        }
    }

    fn add(&mut self, now: Moment, id: u128) {
        self.roll(now);
        let minute = self.minute;
        if let Some(slot) = self.minute_mut(minute) {
            *slot = slot.saturating_add(1);
        }
        let hour = self.hour;
        if let Some(slot) = self.hour_mut(hour) {
            *slot = slot.saturating_add(1);
        }
        if self.recent.len() >= EVIDENCE {
            self.recent.remove(0);
        }
        self.recent.push(id);
    }

    fn count(&self, window: Window) -> u32 {
        match window {
            Window::Minutes(minutes) => {
                // The newest minutes of the ring: up to this one, and the rest at its end.
                let newest = self.minute.rem_euclid(MINUTES as i64) as usize + 1;
                let wanted = usize::from(minutes).min(MINUTES);
                let near = self.minutes.get(newest.saturating_sub(wanted)..newest);
                let far = MINUTES - wanted.saturating_sub(newest);
                let slots = [near, self.minutes.get(far..)];
                let slots = slots.into_iter().flatten().flatten();
                slots.map(|n| u32::from(*n)).sum()
            }
            Window::Hours(hours) => (0..i64::from(hours).min(LONGEST))
                .map(|back| self.hour_at(self.hour - back))
                .fold(0, u32::saturating_add),
        }
    }

    /// Mean of the hour on like days, or the largest of the same hour of the week if that was
    /// busy, neighbours included since clocks are changed twice a year. `until` is the last hour
    /// that may be used.
    fn season(&self, hour: i64, born: i64, until: i64) -> f64 {
        let oldest = born.max(self.hour - HOURS + 1);
        let known = |hour: i64| (oldest..=until).contains(&hour);
        let weekend = is_weekend(hour);
        let (mut sum, mut hours) = (0.0, 0.0);
        for day in 1..=14 {
            let same = hour - 24 * day;
            if is_weekend(same) != weekend {
                continue;
            }
            for near in [same - 1, same, same + 1] {
                if known(near) {
                    sum += f64::from(self.hour_at(near));
                    hours += 1.0;
                }
            }
        }
        let mean = if hours > 0.0 { sum / hours } else { 0.0 };
        let weekly = [168, 336]
            .into_iter()
            .flat_map(|back| [hour - back - 1, hour - back, hour - back + 1])
            .filter(|hour| known(*hour))
            .map(|hour| self.hour_at(hour))
            .max()
            .unwrap_or(0);
        if weekly >= 3 {
            mean.max(f64::from(weekly))
        } else {
            mean
        }
    }

    fn forecast(&mut self, born: i64) {
        if self.cache.hour == self.hour {
            return;
        }
        let until = self.hour - LONGEST;
        let from = born.max(self.hour - HOURS + 1);
        let hours = (until - from + 1).max(0);
        let sum: u64 = (from..=until)
            .map(|hour| u64::from(self.hour_at(hour)))
            .sum();
        let mean = if hours > 0 {
            sum as f64 / hours as f64
        } else {
            0.0
        };
        let season = (0..LONGEST)
            .map(|back| self.season(self.hour - back, born, until))
            .collect();
        self.cache = Forecast {
            hour: self.hour,
            mean,
            season,
        };
    }

    fn expected(&mut self, window: Window, born: i64) -> f64 {
        self.forecast(born);
        let season = |back: usize| self.cache.season.get(back).copied().unwrap_or(0.0);
        match window {
            Window::Minutes(minutes) => {
                let share = f64::from(minutes) / 60.0;
                let hour = season(0).max(season(1));
                // Some work is done in one go: then an hour's worth comes at once.
                let at_once = hour.min(self.burst * (share * 6.0).max(1.0));
                (share * (1.5 * self.cache.mean).max(hour)).max(at_once)
            }
            Window::Hours(hours) => {
                let seasonal: f64 = (0..usize::from(hours)).map(season).sum();
                (1.5 * self.cache.mean * f64::from(hours)).max(seasonal)
            }
        }
    }

    fn consume(&mut self, window: Window) {
        match window {
            Window::Minutes(_) => {
                // Minutes of this hour lie in the last slot of the hours, the others before it.
                let in_hour = (self.minute.rem_euclid(60) + 1).min(MINUTES as i64);
                let sum = |from: i64, to: i64| -> u32 {
                    (from..to)
                        .map(|back| (self.minute - back).rem_euclid(MINUTES as i64) as usize)
                        .map(|place| self.minutes.get(place).map_or(0, |n| u32::from(*n)))
                        .sum()
                };
                let (this, before) = (sum(0, in_hour), sum(in_hour, MINUTES as i64));
                for (hour, gone) in [(self.hour, this), (self.hour - 1, before)] {
                    if let Some(slot) = self.hour_mut(hour) {
                        *slot = slot.saturating_sub(gone);
                    }
                }
            }
            Window::Hours(hours) => {
                for back in 0..i64::from(hours).min(LONGEST) {
                    if let Some(slot) = self.hour_mut(self.hour - back) {
                        *slot = 0;
                    }
                }
            }
        }
        self.minutes.fill(0);
        self.burst_today = 0;
    }
}

impl Counter {
    pub(super) fn add(&mut self, now: Moment, id: u128) {
        self.0
            .get_or_insert_with(|| Box::new(Rings::new(now)))
            .add(now, id);
    }

    pub(super) fn count(&mut self, now: Moment, window: Window) -> u32 {
        self.0.as_mut().map_or(0, |rings| {
            rings.roll(now);
            rings.count(window)
        })
    }

    pub(super) fn expected(&mut self, now: Moment, window: Window, born: i64) -> f64 {
        self.0.as_mut().map_or(0.0, |rings| {
            rings.roll(now);
            rings.expected(window, born)
        })
    }

    /// Whether there are too many in a window. `floor` says how many are to be expected at least,
    /// whatever was learned; it is asked only if the count can matter.
    pub(super) fn test(
        &mut self,
        now: Moment,
        test: &Test,
        floor: &mut impl FnMut(Window) -> f64,
    ) -> Option<Excess> {
        let rings = self.0.as_mut()?;
        rings.roll(now);
        let window = test.window;
        let count = f64::from(rings.count(window));
        if count < test.n_min {
            return None;
        }
        let learned = rings.expected(window, test.born);
        let expected = learned.max(floor(window)) * test.factor + 0.3;
        let score = surprise(count, expected);
        (count >= test.ratio * expected && score >= test.nats).then_some(Excess {
            count,
            expected,
            score,
            window,
        })
    }

    /// The fewest in any hour of the last week before the last two hours; 0 if less was watched.
    pub(super) fn fewest(&mut self, now: Moment, born: i64) -> u32 {
        const WEEK: i64 = 168;
        self.0.as_mut().map_or(0, |rings| {
            rings.roll(now);
            if now.hour - born <= WEEK {
                return 0;
            }
            let hours = (2..WEEK).map(|back| rings.hour_at(rings.hour - back));
            hours.min().unwrap_or(0)
        })
    }

    /// Takes what lies in a window out, so that it is not reported again and not learned.
    pub(super) fn consume(&mut self, window: Window) {
        if let Some(rings) = self.0.as_mut() {
            rings.consume(window);
        }
    }

    /// The newest records that were counted.
    pub(super) fn recent(&self) -> &[u128] {
        self.0.as_ref().map_or(&[], |rings| &rings.recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_767_225_600_000; // a Thursday, 2026-01-01
    const HOUR: i64 = 3_600_000;

    fn test(window: Window) -> Test {
        Test {
            window,
            n_min: 5.0,
            ratio: 1.0,
            nats: 14.0,
            factor: 1.0,
            born: START / HOUR,
        }
    }

    #[test]
    fn windows_slide() {
        let mut counter = Counter::default();
        for minute in 0..120 {
            counter.add(Moment::new(START + minute * 60_000), 1);
        }
        let now = Moment::new(START + 119 * 60_000);
        assert_eq!(counter.count(now, Window::Minutes(10)), 10);
        assert_eq!(counter.count(now, Window::Minutes(60)), 60);
        assert_eq!(counter.count(now, Window::Hours(6)), 120);
        let later = Moment::new(START + 125 * 60_000);
        assert_eq!(counter.count(later, Window::Minutes(10)), 4);
        assert_eq!(
            counter.count(Moment::new(START + 90 * 24 * HOUR), Window::Hours(24)),
            0
        );
    }

    #[test]
    fn a_season_is_expected_and_more_than_it_is_not() {
        let mut counter = Counter::default();
        // Twenty at noon of every weekday, for two weeks.
        for day in 0..14 {
            let noon = START + (day * 24 + 12) * HOUR;
            if !is_weekend(noon / HOUR) {
                for n in 0..20 {
                    counter.add(Moment::new(noon + n * 120_000), 1);
                }
            }
        }
        let noon = Moment::new(START + (14 * 24 + 12) * HOUR);
        let born = START / HOUR;
        assert!(counter.expected(noon, Window::Hours(1), born) >= 19.0);
        let night = Moment::new(START + (14 * 24 + 20) * HOUR);
        let mut late = counter.clone();
        assert!(late.expected(night, Window::Hours(1), born) < 2.0);
        let test = test(Window::Minutes(60));
        for n in 0..20 {
            counter.add(Moment::new(noon.at + 3000 * n), 1);
            assert_eq!(
                counter.test(Moment::new(noon.at + 3000 * n), &test, &mut |_| 0.0),
                None
            );
        }
        let mut fired = 0;
        for n in 0..20 {
            let at = Moment::new(night.at + 3000 * n);
            late.add(at, n as u128);
            if let Some(excess) = late.test(at, &test, &mut |_| 0.0) {
                fired += 1;
                assert!(excess.count <= 12.0);
                late.consume(excess.window);
                assert_eq!(late.count(at, Window::Hours(1)), 0);
            }
        }
        assert_eq!(fired, 1);
    }

    #[test]
    fn consuming_takes_out_of_both_rings() {
        let mut counter = Counter::default();
        for minute in 0..90 {
            counter.add(Moment::new(START + minute * 60_000), 1);
        }
        counter.consume(Window::Minutes(10));
        let now = Moment::new(START + 89 * 60_000);
        assert_eq!(counter.count(now, Window::Minutes(60)), 0);
        assert_eq!(counter.count(now, Window::Hours(6)), 30);
    }

    #[test]
    fn surprise_is_zero_below_and_grows_above() {
        assert_eq!(surprise(1.0, 2.0), 0.0);
        assert!((surprise(10.0, 1.0) - 14.03).abs() < 0.01);
    }
}
