//! How long records are kept, by what the call could do, and what may be given up when.
//!
//! Decides; deletes nothing. `docs/design/retention.md` says where the periods come from.

use std::time::Duration;

use crate::domain::journal::Event;
use crate::domain::record::OperationClass;
use crate::types::Micros;

const DAY: Duration = Duration::from_secs(86_400);

/// Days of so many years, leap days counted in favour of keeping.
const fn years(count: u32) -> Duration {
    DAY.saturating_mul(count * 366)
}

/// A set of periods that a rule book asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// PCI DSS v4.0.1, requirement 10.5.1: audit logs for at least twelve months.
    Pci12m,
    /// 23 NYCRR 500.6(b): audit trails from which transactions can be reconstructed for at least
    /// five years, those that serve to detect incidents for at least three. Egret's records are
    /// both, so all are kept for five.
    Nydfs5y,
    /// Regulation (EU) 2023/1114 (MiCA), article 68(9): records of services, orders and
    /// transactions for five years, and up to seven where the authority asks for it. Seven, since
    /// that may be asked when five are almost over.
    Mica7y,
}

impl Profile {
    const fn period(self) -> Duration {
        match self {
            Self::Pci12m => years(1),
            Self::Nydfs5y => years(5),
            Self::Mica7y => years(7),
        }
    }
}

/// How long the records of each class are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods([Duration; OperationClass::ALL.len()]);

impl Periods {
    /// Those of a profile.
    pub const fn of(profile: Profile) -> Self {
        Self([profile.period(); OperationClass::ALL.len()])
    }

    /// How long records of a class are kept.
    pub fn get(&self, class: OperationClass) -> Duration {
        let mut classes = OperationClass::ALL.iter().zip(self.0);
        let found = classes.find(|(one, _)| **one == class);
        // Every class is in the list; what were not would be kept.
        found.map_or(Duration::MAX, |(_, period)| period)
    }

    /// Changes how long records of a class are kept.
    pub fn set(&mut self, class: OperationClass, period: Duration) {
        let classes = OperationClass::ALL.iter().zip(&mut self.0);
        for (_, kept) in classes.filter(|(one, _)| **one == class) {
            *kept = period;
        }
    }

    /// Records of a class that were received before this may be given up.
    pub fn limit(&self, class: OperationClass, now: Micros) -> Micros {
        let period = i64::try_from(self.get(class).as_micros()).unwrap_or(i64::MAX);
        Micros(now.0.saturating_sub(period))
    }

    /// Whether the journal may give an event up. Later steps of a call stand and fall with its first,
    /// which lies before them.
    pub fn is_over(&self, event: &Event, now: Micros) -> bool {
        match event {
            Event::Call(call) if call.whole => {
                let class = OperationClass::of(&call.record);
                call.record.times.received_at < self.limit(class, now)
            }
            Event::Call(_) | Event::Start(_) | Event::Gap(_) => true,
            // What announces a key is kept beside the log as well, where proofs find it.
            Event::Rotation(_) => true,
        }
    }
}

/// Which segments of a journal may be given up, oldest first: those that end before `needed`, the
/// first event of a record that the ledger still has or does not have yet. Never the last one, which
/// says where the journal goes on. Only from the beginning: a journal with a
/// hole in it could not be told from one that was tampered with.
pub fn segments_to_give_up(firsts: &[u64], needed: u64) -> &[u64] {
    let ends = firsts.iter().skip(1);
    let count = ends.take_while(|end| **end <= needed).count();
    firsts.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_may_be_kept_longer_or_shorter_than_its_profile_says() {
        let mut periods = Periods::of(Profile::Pci12m);
        let now = Micros(i64::try_from(years(10).as_micros()).unwrap());
        periods.set(OperationClass::Money, years(5));
        let limit = |class| periods.limit(class, now).0;
        assert!(limit(OperationClass::Money) < limit(OperationClass::Read));
        let year = i64::try_from(years(1).as_micros()).unwrap();
        assert_eq!(limit(OperationClass::Mint), now.0 - year);
        assert_eq!(limit(OperationClass::Money), now.0 - 5 * year);
    }

    #[test]
    fn only_the_beginning_is_given_up_and_never_the_last_segment() {
        let firsts = [0, 10, 20, 30];
        for (needed, expected) in [(0, 0), (9, 0), (10, 1), (29, 2), (30, 3), (u64::MAX, 3)] {
            assert_eq!(
                segments_to_give_up(&firsts, needed).len(),
                expected,
                "{needed}"
            );
        }
        assert!(segments_to_give_up(&[], 5).is_empty());
        assert!(segments_to_give_up(&[7], u64::MAX).is_empty());
    }

    #[test]
    fn a_year_is_never_short() {
        assert!(years(1) >= DAY * 366);
        assert!(years(4) >= DAY * (4 * 365 + 1));
    }
}
