//! Fixed-window counters, as the documented limits are described: so many per window and key.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::Micros;

/// A limit: so many requests in a window.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Separates the counters of one address.
    pub bucket: &'static str,
    /// How many are let through in a window.
    pub count: u32,
    /// How long a window is before scaling.
    pub window: Duration,
}

/// Counters per bucket and address.
#[derive(Debug, Default)]
pub struct Windows {
    counters: HashMap<(&'static str, IpAddr), Counter>,
}

#[derive(Debug)]
struct Counter {
    started: Micros,
    used: u32,
}

/// Where a request stands in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// False if the limit is used up.
    pub admitted: bool,
    /// How many are left in this window.
    pub remaining: u32,
    /// Until the next window starts.
    pub reset: Duration,
}

/// Loopback has few addresses, but 127.0.0.0/8 has millions: forget everybody rather than grow.
const MAX_COUNTERS: usize = 4_096;

impl Windows {
    /// Counts one request. Windows are divided by `scale` (0 counts as 1).
    pub fn admit(&mut self, limit: Limit, peer: IpAddr, now: Micros, scale: u32) -> Standing {
        let window = limit.window / scale.max(1);
        if self.counters.len() >= MAX_COUNTERS {
            self.counters.clear();
        }
        let counter = self
            .counters
            .entry((limit.bucket, peer))
            .or_insert(Counter {
                started: now,
                used: 0,
            });
        if now.since(counter.started) >= window {
            counter.started = now;
            counter.used = 0;
        }
        let admitted = counter.used < limit.count;
        counter.used = counter.used.saturating_add(1);
        Standing {
            admitted,
            remaining: limit.count.saturating_sub(counter.used),
            reset: window.saturating_sub(now.since(counter.started)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn windows_fill_and_start_again() {
        let limit = Limit {
            bucket: "b",
            count: 2,
            window: Duration::from_secs(300),
        };
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut windows = Windows::default();
        let mut at = |secs| {
            windows
                .admit(limit, peer, Micros::from_secs(secs), 1)
                .admitted
        };
        assert_eq!(
            [at(0), at(1), at(299), at(300), at(301), at(302)],
            [true, true, false, true, true, false]
        );
    }

    #[test]
    fn addresses_and_scale_count_apart() {
        let limit = Limit {
            bucket: "b",
            count: 1,
            window: Duration::from_secs(300),
        };
        let (one, two) = (
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
        );
        let mut windows = Windows::default();
        let at = Micros::from_secs;
        assert!(windows.admit(limit, one, at(0), 100).admitted);
        assert!(windows.admit(limit, two, at(0), 100).admitted);
        let refused = windows.admit(limit, one, at(2), 100);
        assert_eq!(
            (refused.admitted, refused.reset),
            (false, Duration::from_secs(1))
        );
        assert!(windows.admit(limit, one, at(3), 100).admitted);
    }
}
