//! What is known of one caller in one environment, besides what single detectors keep.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::event::Environment;
use super::seen::{DAY, Known, Seen};

/// Networks, operators and countries that are remembered of a caller.
pub(super) const MAX_ORIGINS: usize = 64;
/// An origin unused for so long is strange again.
pub(super) const FORGET: u32 = 28 * DAY;
/// No rule about counts, and none about what is new, speaks before.
pub(super) const MATURE: u32 = 3 * DAY;
/// Calls that a caller must have made before anything can be new for it.
const MATURE_CALLS: u64 = 50;

/// Calls after which a caller can be said to stay at home.
const HOMEBOUND_CALLS: u64 = 100;

/// How new a place is for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Novelty {
    pub country: Known,
    pub asn: Known,
    pub network: Known,
    /// Outside of the tenant's own networks, which this caller never leaves.
    pub outside: bool,
}

impl Novelty {
    /// Whether the caller was ever at home there.
    pub(super) fn is_strange(self) -> bool {
        self.network != Known::Learned
            && (self.outside || self.asn != Known::Learned || self.country != Known::Learned)
    }
}

/// A caller in one environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Profile {
    pub name: Box<str>,
    pub environment: Environment,
    /// Second of its first call.
    pub first: u32,
    /// Second of its latest call.
    pub last: u32,
    /// Calls in all.
    pub calls: u64,
    /// Of these, how many came from the tenant's own networks.
    pub own_calls: u64,
    /// Countries, operators and networks that it calls from.
    pub countries: Seen,
    pub asns: Seen,
    pub networks: Seen,
    /// How its minted tokens are used: those of customers, and others.
    pub shapes: [Shape; 2],
    /// Address of its latest mint.
    pub mint_ip: Option<IpAddr>,
}

impl Profile {
    pub(super) fn new(name: &str, environment: Environment, now: u32) -> Self {
        Self {
            name: name.into(),
            environment,
            first: now,
            last: now,
            calls: 0,
            own_calls: 0,
            countries: Seen::default(),
            asns: Seen::default(),
            networks: Seen::default(),
            shapes: [
                Shape::default(),
                Shape {
                    service: true,
                    ..Shape::default()
                },
            ],
            mint_ip: None,
        }
    }

    /// The hour of its first call.
    pub(super) fn born(&self) -> i64 {
        i64::from(self.first) / 3600
    }

    /// Whether it calls from the tenant's own networks only, as far as the map tells: all but one
    /// call in twenty, since thieves' calls count too.
    pub(super) fn is_homebound(&self) -> bool {
        self.calls >= HOMEBOUND_CALLS && self.own_calls >= self.calls - self.calls / 20
    }

    /// Whether enough is known of it for anything to be unusual.
    pub(super) fn is_mature(&self, now: u32) -> bool {
        now.saturating_sub(self.first) >= MATURE && self.calls >= MATURE_CALLS
    }
}

/// Uses that a histogram tells apart; the last place holds all that are more.
const BINS: usize = 12;
/// Cold mints that must be known before a shape says anything.
const ENOUGH: f64 = 50.0;
/// The same of tokens of services, which are minted rarely.
const ENOUGH_SERVICE: f64 = 5.0;
/// The share of tokens that are used within one of the usual number if all are used alike.
const NARROW: f64 = 0.8;
/// So many mints would be needed to outweigh not knowing anything.
const PRIOR: f64 = 12.0;
/// The share of what is more than usual that must lie in three neighbouring places.
const CLOSE: f64 = 0.75;
/// The share of cold mints below which a use is thin.
const THIN: f64 = 0.06;

/// How minted tokens are used in their first five minutes. A day is learned when it is over, and
/// without its thin mints if they raised an alarm: an attack must not teach that it is usual.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Shape {
    service: bool,
    learned: [f64; BINS],
    today: [u32; BINS],
    /// Of all, how many were unused after 40 seconds.
    learned_idle: f64,
    today_idle: u32,
    day: u32,
    alarmed: bool,
}

impl Shape {
    /// Moves on to the day of `now`.
    fn roll(&mut self, now: u32) {
        let day = now / DAY;
        if day == self.day {
            return;
        }
        let thin = self.thin_limit();
        let total = self.total().max(1.0);
        let all: f64 = self.today.iter().map(|today| f64::from(*today)).sum();
        for (at, (learned, today)) in self.learned.iter_mut().zip(self.today).enumerate() {
            // What is left out is taken for as much as usual, or the share would dwindle.
            let hidden =
                self.alarmed && (at < 2 || thin.is_some_and(|limit| at <= usize::from(limit)));
            let today = if hidden {
                f64::from(today).min(*learned / total * all)
            } else {
                f64::from(today)
            };
            // A fortnight counts most.
            *learned = *learned * 0.93 + today;
        }
        let idle = if self.alarmed {
            0.0
        } else {
            f64::from(self.today_idle)
        };
        self.learned_idle = self.learned_idle * 0.93 + idle;
        self.today = [0; BINS];
        self.today_idle = 0;
        self.alarmed = false;
        self.day = day;
    }

    pub(super) fn note_idle(&mut self, now: u32) {
        self.roll(now);
        self.today_idle = self.today_idle.saturating_add(1);
    }

    pub(super) fn note(&mut self, uses: u8, now: u32) {
        self.roll(now);
        if let Some(bin) = self.today.get_mut(usize::from(uses).min(BINS - 1)) {
            *bin = bin.saturating_add(1);
        }
    }

    /// Keeps the thin mints of this day from being learned.
    pub(super) fn alarm(&mut self) {
        self.alarmed = true;
    }

    /// Keeps this whole day from being learned.
    pub(super) fn alarm_all(&mut self) {
        self.alarmed = true;
        self.today = [0; BINS];
    }

    fn enough(&self) -> f64 {
        if self.service { ENOUGH_SERVICE } else { ENOUGH }
    }

    fn total(&self) -> f64 {
        self.learned.iter().sum()
    }

    /// Whether enough mints were seen to judge others by.
    pub(super) fn is_known(&self) -> bool {
        self.total() >= self.enough()
    }

    /// The most uses that are still thin: fewer than 6 % of mints are used so little. `None` if
    /// little use is nothing special here.
    pub(super) fn thin_limit(&self) -> Option<u8> {
        let total = self.total();
        if total < self.enough() {
            return None;
        }
        let [none, once, ..] = self.learned;
        if none >= THIN * total {
            None
        } else if none + once >= THIN * total {
            Some(0)
        } else {
            Some(1)
        }
    }

    /// The share of mints that are thin.
    pub(super) fn thin_share(&self) -> f64 {
        let limit = self.thin_limit().map_or(0, |limit| usize::from(limit) + 1);
        let thin: f64 = self.learned.iter().take(limit).sum();
        thin / self.total().max(1.0)
    }

    /// How unlikely recent uses are to have the learned shape, in nats altogether. 0 if what there
    /// is more of than usual does not lie close together: a new version of an app makes more calls,
    /// and every person another number of them; a thief's program does the same each time.
    pub(super) fn strangeness(&self, recent: impl Iterator<Item = u8>) -> f64 {
        let mut counts = [0.0_f64; BINS];
        let mut all = 0.0;
        for uses in recent {
            if let Some(count) = counts.get_mut(usize::from(uses).min(BINS - 1)) {
                *count += 1.0;
                all += 1.0;
            }
        }
        let total = self.total().max(1.0);
        let at = |bin: usize| self.learned.get(bin).copied().unwrap_or(0.0) / total;
        // The fewer were learned, the less is known of the shape.
        let sure = total / (total + PRIOR);
        let mut score = 0.0;
        let mut above = [0.0; BINS];
        for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            // One use more or fewer is no other shape, and nothing is impossible.
            let near = (at(bin.wrapping_sub(1)) + at(bin) + at(bin + 1)) / 3.0;
            let even = 1.0 / BINS as f64;
            let usual = sure * (0.75 * at(bin) + 0.2 * near + 0.05 * even) + (1.0 - sure) * even;
            score += count * (count / (all * usual)).ln();
            if let Some(above) = above.get_mut(bin) {
                *above = (count - all * usual).max(0.0);
            }
        }
        // The last place holds many numbers, which is not close together.
        let close = above.get(..BINS - 1).unwrap_or_default();
        let closest = close.windows(3).map(|near| near.iter().sum::<f64>());
        let closest = closest.fold(0.0_f64, f64::max);
        if closest < CLOSE * above.iter().sum::<f64>() {
            return 0.0;
        }
        score
    }

    /// The share of mints that are not used within 40 seconds.
    pub(super) fn idle_share(&self) -> f64 {
        self.learned_idle / self.total().max(1.0)
    }

    /// Whether a token is nearly always used within 40 seconds.
    pub(super) fn is_prompt(&self) -> bool {
        let total = self.total();
        total >= self.enough() && self.learned_idle < THIN * total
    }

    /// The usual number of uses.
    fn mode(&self) -> usize {
        let mut mode = (0.0, 0);
        for (at, learned) in self.learned.iter().enumerate() {
            if *learned > mode.0 {
                mode = (*learned, at);
            }
        }
        mode.1
    }

    /// Whether nearly every token is used alike, as programs do.
    pub(super) fn is_narrow(&self) -> bool {
        let mode = self.mode();
        let near = self
            .learned
            .iter()
            .enumerate()
            .filter(|(at, _)| at.abs_diff(mode) <= 1);
        let near: f64 = near.map(|(_, learned)| *learned).sum();
        near >= NARROW * self.total()
    }

    /// Whether the mints of today are used as those before: 80 % within one of the usual number.
    pub(super) fn keeps_usual(&self) -> bool {
        let mode = self.mode();
        let all: u32 = self.today.iter().sum();
        let near = self
            .today
            .iter()
            .enumerate()
            .filter(|(at, _)| at.abs_diff(mode) <= 1);
        let near: u32 = near.map(|(_, today)| *today).sum();
        // A few say nothing yet.
        all < 5 || f64::from(near) >= NARROW * f64::from(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taught(uses: impl Iterator<Item = u8>) -> Shape {
        let mut shape = Shape::default();
        for use_count in uses {
            shape.note(use_count, DAY);
        }
        shape.roll(2 * DAY);
        shape
    }

    #[test]
    fn what_is_thin_depends_on_the_caller() {
        assert_eq!(taught((0..100).map(|n| 3 + n % 5)).thin_limit(), Some(1));
        assert_eq!(
            taught((0..100).map(|n| if n % 10 == 0 { 1 } else { 4 })).thin_limit(),
            Some(0)
        );
        assert_eq!(taught((0..100).map(|n| n % 4)).thin_limit(), None);
        assert_eq!(taught((0..10).map(|_| 4)).thin_limit(), None);
    }

    #[test]
    fn an_alarming_day_teaches_nothing_thin() {
        let mut shape = taught((0..100).map(|_| 5));
        for _ in 0..500 {
            shape.note(0, 2 * DAY);
        }
        shape.alarm();
        shape.roll(3 * DAY);
        assert_eq!(shape.thin_limit(), Some(1));
    }
}
