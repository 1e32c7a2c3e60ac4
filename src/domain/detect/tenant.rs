//! What is known of all callers together.

use serde::{Deserialize, Serialize};

use super::counter::{Counter, Moment, Window};
use super::event::{Environment, Event};
use super::hash;
use super::seen::{DAY, ManySeen};

/// Providers whose health is watched.
const MAX_PROVIDERS: usize = 16;

/// How a provider does.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Provider {
    hash: u64,
    minute: i64,
    calls: u32,
    troubled: u32,
    /// Until when its callers may do more than usual, in seconds.
    unsettled_until: u32,
}

/// After trouble, callers make up for what they could not do.
const UNSETTLED: u32 = 15 * 60;

/// Calls of others, expected in a while, whose absence says something.
const FEW: f64 = 3.0;

/// All callers together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tenant {
    /// Second of the first event.
    pub first: u32,
    /// Operations and scopes with the caller that learned them first.
    pub habits: ManySeen,
    /// Networks from which anybody calls.
    pub networks: ManySeen,
    /// All calls and all mints in production, and in the sandbox.
    pub calls: [Counter; 2],
    pub mints: [Counter; 2],
    /// Calls since the first event, likewise.
    pub total: [u64; 2],
    providers: Vec<Provider>,
}

/// A place in pairs of things by environment.
pub(super) fn side(environment: Environment) -> usize {
    match environment {
        Environment::Production => 0,
        Environment::Sandbox => 1,
    }
}

impl Tenant {
    /// Notes how the provider did.
    pub(super) fn weather(&mut self, event: &Event<'_>, troubled: bool, now: Moment) {
        let hash = hash::pair(hash::text(event.provider), side(event.environment) as u64);
        let at = match self.providers.iter().position(|known| known.hash == hash) {
            Some(at) => at,
            None if self.providers.len() < MAX_PROVIDERS => {
                self.providers.push(Provider {
                    hash,
                    minute: now.minute,
                    calls: 0,
                    troubled: 0,
                    unsettled_until: 0,
                });
                self.providers.len() - 1
            }
            None => return,
        };
        let Some(provider) = self.providers.get_mut(at) else {
            return;
        };
        if provider.minute != now.minute {
            provider.minute = now.minute;
            provider.calls = 0;
            provider.troubled = 0;
        }
        provider.calls += 1;
        provider.troubled += u32::from(troubled);
        if provider.troubled >= 3 && provider.troubled * 5 >= provider.calls {
            provider.unsettled_until = now.second.saturating_add(UNSETTLED);
        }
    }

    /// Whether a provider is, or was a quarter of an hour ago, in trouble.
    pub(super) fn is_unsettled(&self, event_provider: u64, now: u32) -> bool {
        let mut providers = self.providers.iter();
        providers.any(|known| known.hash == event_provider && now < known.unsettled_until)
    }

    /// Whether any provider is.
    pub(super) fn is_anything_unsettled(&self, now: u32) -> bool {
        self.providers
            .iter()
            .any(|known| now < known.unsettled_until)
    }

    /// Age in seconds.
    pub(super) fn age(&self, now: u32) -> u32 {
        now.saturating_sub(self.first)
    }

    /// How many times as busy as usual the others are: 1 to 4.
    pub(super) fn common_mode(
        &mut self,
        own: (f64, f64),
        all: Which,
        now: Moment,
        window: Window,
        side: usize,
    ) -> f64 {
        let born = i64::from(self.first) / 3600;
        let counters = match all {
            Which::Calls => &mut self.calls,
            Which::Mints => &mut self.mints,
        };
        let Some(counter) = counters.get_mut(side) else {
            return 1.0;
        };
        let count = f64::from(counter.count(now, window)) - own.0;
        let expected = counter.expected(now, window, born) - own.1;
        if expected < 20.0 {
            return 1.0;
        }
        (count / expected).clamp(1.0, 4.0)
    }

    /// Whether the others are as good as silent too, of whom a caller with `own` calls in all is one: then
    /// it is not the caller that has stopped.
    pub(super) fn is_silent_but_for(&mut self, own: u64, now: Moment, side: usize) -> bool {
        let window = Window::Minutes(20);
        let born = i64::from(self.first) / 3600;
        let total = self.total.get(side).copied().unwrap_or(0).max(1);
        let Some(counter) = self.calls.get_mut(side) else {
            return false;
        };
        let share = 1.0 - own as f64 / total as f64;
        // By the hour: for minutes, all that may come at once would be usual.
        let hour = counter.expected(now, Window::Hours(1), born);
        let expected = hour * f64::from(window.seconds()) / 3600.0 * share;
        expected >= FEW && f64::from(counter.count(now, window)) < 0.3 * expected
    }

    /// Whether it has watched for as many days.
    pub(super) fn has_watched(&self, days: u32, now: u32) -> bool {
        self.age(now) >= days.saturating_mul(DAY)
    }
}

/// Which of the common counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Calls,
    Mints,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_of_all_is_told_from_that_of_one() {
        const START: i64 = 1_767_225_600_000;
        let mut tenant = Tenant {
            first: (START / 1000) as u32,
            total: [2 * 4320, 0],
            ..Tenant::default()
        };
        // Two callers, one call a minute each, for three days.
        for minute in 0..4320 {
            let now = Moment::new(START + minute * 60_000);
            tenant.calls[0].add(now, 1);
            tenant.calls[0].add(now, 2);
        }
        let later = |minute: i64| Moment::new(START + (4320 + minute) * 60_000);
        let mut all = tenant.clone();
        assert!(all.is_silent_but_for(4320, later(26), 0));
        for minute in 0..26 {
            tenant.calls[0].add(later(minute), 2);
        }
        assert!(!tenant.is_silent_but_for(4320, later(26), 0));
        // Who is alone has no others.
        assert!(!all.is_silent_but_for(2 * 4320, later(26), 0));
    }
}
