//! How many calls of throttled callers have gone through.

use std::collections::HashMap;
use std::time::Duration;

use super::MAX_LOCKS;
use crate::types::{CallId, Micros};

/// What "a minute" is: it begins with the first call that is let through.
const MINUTE: Duration = Duration::from_secs(60);

/// Calls let through, by lock. Each node counts for itself.
#[derive(Debug, Default)]
pub struct Throttles {
    windows: HashMap<CallId, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Micros,
    calls: u32,
}

impl Window {
    fn is_over(&self, now: Micros) -> bool {
        // Also when the clock was set back.
        now < self.began || now.since(self.began) >= MINUTE
    }
}

impl Throttles {
    /// Whether one more call may go through in this minute; if so it is counted.
    pub fn admit(&mut self, lock: CallId, per_minute: u32, now: Micros) -> bool {
        if self.windows.len() > MAX_LOCKS {
            self.windows.retain(|_, window| !window.is_over(now));
        }
        let window = self.windows.entry(lock).or_insert(Window {
            began: now,
            calls: 0,
        });
        if window.is_over(now) {
            *window = Window {
                began: now,
                calls: 0,
            };
        }
        let is_room = window.calls < per_minute;
        window.calls += u32::from(is_room);
        is_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_calls_a_minute_go_through() {
        let mut throttles = Throttles::default();
        let at = |second: i64| Micros::from_secs(1_795_305_338 + second);
        let (one, other) = (CallId::floor(1), CallId::floor(2));
        let mut admitted = |lock, second| throttles.admit(lock, 2, at(second));
        assert_eq!(
            [
                admitted(one, 0),
                admitted(one, 1),
                admitted(one, 59),
                admitted(other, 59),
                admitted(one, 60),
                admitted(one, 61),
                admitted(one, 62),
                // The clock was set back.
                admitted(one, 5),
            ],
            [true, true, false, true, true, true, false, true]
        );
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let mut throttles = Throttles::default();
        for number in 0..10_000 {
            let now = Micros::from_secs(1_795_305_338 + number);
            throttles.admit(CallId::floor(number), 1, now);
        }
        assert!(throttles.windows.len() <= MAX_LOCKS + 61);
    }
}
