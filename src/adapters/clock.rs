//! The one place where the wall clock is read, and a clock that never goes back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::types::Micros;

/// Now, in UTC. A clock before 1970 reads as 1970.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// A clock that never goes back, for what depends on spans only. Its moments mean nothing outside
/// of this process.
#[derive(Clone, Copy, Debug)]
pub struct Steady(Instant);

impl Default for Steady {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Steady {
    /// Now: how long after the clock was made.
    pub fn now(&self) -> Micros {
        Micros(0).plus(self.0.elapsed())
    }

    /// A moment as the runtime's timers want it.
    pub fn instant(&self, at: Micros) -> Instant {
        // A moment that is too far to be written is as good as none: a day is.
        let span = at.since(Micros(0));
        let far = Duration::from_secs(24 * 3600);
        self.0
            .checked_add(span)
            .unwrap_or_else(|| Instant::now() + far)
    }
}
