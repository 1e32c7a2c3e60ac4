//! How many calls are in flight, of each caller and together.

use std::collections::HashMap;
use std::sync::Arc;

/// Bounds of a bulkhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadSettings {
    /// Calls in flight together.
    pub in_flight: usize,
    /// Calls in flight of one caller.
    pub in_flight_per_caller: usize,
}

/// Why a call does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// All places are taken.
    Group,
    /// As many of this caller are in flight as may.
    Caller,
}

/// Calls in flight to one endpoint group. A slow bank then holds so many calls and no more, and one
/// caller cannot take all places of the others.
#[derive(Debug)]
pub struct Bulkhead {
    settings: BulkheadSettings,
    total: usize,
    callers: HashMap<Arc<str>, usize>,
}

impl Bulkhead {
    /// Nothing in flight.
    pub fn new(settings: BulkheadSettings) -> Self {
        Self {
            settings,
            total: 0,
            callers: HashMap::new(),
        }
    }

    /// A call gets in; [`Bulkhead::leave`] must follow.
    ///
    /// # Errors
    /// [`Crowded`].
    pub fn enter(&mut self, caller: &Arc<str>) -> Result<(), Crowded> {
        if self.total >= self.settings.in_flight {
            return Err(Crowded::Group);
        }
        let of_caller = self.callers.get(caller).copied().unwrap_or(0);
        if of_caller >= self.settings.in_flight_per_caller {
            return Err(Crowded::Caller);
        }
        self.callers.insert(Arc::clone(caller), of_caller + 1);
        self.total += 1;
        Ok(())
    }

    /// A call is over.
    pub fn leave(&mut self, caller: &Arc<str>) {
        let Some(count) = self.callers.get_mut(caller) else {
            return;
        };
        *count -= 1;
        self.total -= 1;
        if *count == 0 {
            self.callers.remove(caller);
        }
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all() {
        let mut bulkhead = Bulkhead::new(BulkheadSettings {
            in_flight: 3,
            in_flight_per_caller: 2,
        });
        let [a, b, c]: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
        assert_eq!(bulkhead.enter(&a), Ok(()));
        assert_eq!(bulkhead.enter(&a), Ok(()));
        assert_eq!(bulkhead.enter(&a), Err(Crowded::Caller));
        assert_eq!(bulkhead.enter(&b), Ok(()));
        assert_eq!(bulkhead.enter(&c), Err(Crowded::Group));
        bulkhead.leave(&c);
        assert_eq!(bulkhead.in_flight(), 3);
        bulkhead.leave(&a);
        assert_eq!(bulkhead.enter(&c), Ok(()));
        for caller in [&a, &b, &c] {
            bulkhead.leave(caller);
        }
        assert_eq!(bulkhead.in_flight(), 0);
        assert!(bulkhead.callers.is_empty());
    }
}
