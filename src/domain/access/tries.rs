//! How often wrong keys are tried.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::Micros;

/// What is counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// Wrong keys of one address in a window: a person who mistypes does not come near.
const MAX_PER_ADDRESS: u32 = 10;

/// Wrong keys of all addresses in a window. Keys have 256 random bits, so this is not against
/// guessing but against the work and the records that tries make.
const MAX_IN_ALL: u32 = 100;

/// Wrong tries in the present window.
#[derive(Debug, Default)]
pub struct Tries {
    began_at: Micros,
    by_address: HashMap<Option<IpAddr>, u32>,
    all: u32,
}

/// There were too many; a try may be made after so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriesFull(pub Duration);

impl Tries {
    /// Whether another try may be made from an address; `None` for a Unix socket.
    ///
    /// # Errors
    /// When it may.
    pub fn check(&mut self, from: Option<IpAddr>, now: Micros) -> Result<(), TriesFull> {
        let age = now.since(self.began_at);
        if age >= WINDOW || now < self.began_at {
            *self = Self {
                began_at: now,
                ..Self::default()
            };
        }
        let of_address = self.by_address.get(&network(from)).copied().unwrap_or(0);
        if of_address >= MAX_PER_ADDRESS || self.all >= MAX_IN_ALL {
            let left = WINDOW.saturating_sub(now.since(self.began_at));
            return Err(TriesFull(left.max(Duration::from_secs(1))));
        }
        Ok(())
    }

    /// A try was wrong.
    pub fn failed(&mut self, from: Option<IpAddr>) {
        // Bounded by MAX_IN_ALL: beyond it nothing is tried.
        *self.by_address.entry(network(from)).or_default() += 1;
        self.all += 1;
    }
}

/// Whoever has an IPv6 address has a network of 64 bits of them.
fn network(from: Option<IpAddr>) -> Option<IpAddr> {
    from.map(|address| match address {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 => v4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_stopped_and_let_go_on() {
        let mut tries = Tries::default();
        let one: Option<IpAddr> = Some("2001:db8::1".parse().unwrap());
        let same: Option<IpAddr> = Some("2001:db8::2".parse().unwrap());
        let now = Micros::from_secs(1_000);
        for _ in 0..MAX_PER_ADDRESS {
            assert_eq!(tries.check(one, now), Ok(()));
            tries.failed(one);
        }
        assert!(tries.check(same, now).is_err());
        assert_eq!(tries.check(None, now), Ok(()));
        assert_eq!(tries.check(one, now.plus(WINDOW)), Ok(()));
    }

    #[test]
    fn all_together_are_stopped() {
        let mut tries = Tries::default();
        let now = Micros::from_secs(1_000);
        tries.check(None, now).unwrap();
        for number in 0..MAX_IN_ALL {
            tries.failed(Some(IpAddr::from(number.to_be_bytes())));
        }
        assert_eq!(tries.check(None, now), Err(TriesFull(WINDOW)));
    }
}
