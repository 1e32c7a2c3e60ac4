//! Local time of a tenant: weekdays, month ends and clock changes.

/// Milliseconds.
pub(super) const SECOND: i64 = 1_000;
/// Milliseconds.
pub(super) const MINUTE: i64 = 60 * SECOND;
/// Milliseconds.
pub(super) const HOUR: i64 = 60 * MINUTE;
/// Milliseconds.
pub(super) const DAY: i64 = 24 * HOUR;

/// Which clock changes a zone makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockChange {
    /// None.
    None,
    /// Last Sunday of March to last Sunday of October, at 01:00 UTC (Directive 2000/84/EC).
    Europe,
    /// Second Sunday of March to first Sunday of November, at 02:00 local (15 U.S.C. 260a).
    America,
}

/// A time zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    /// Hours east of Greenwich in winter.
    pub(super) offset: i64,
    pub(super) change: ClockChange,
}

/// A moment on a local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    /// 0 is Monday.
    pub(super) weekday: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    /// From 1.
    pub(super) day: i64,
    /// From 1.
    pub(super) month: i64,
    pub(super) is_month_end: bool,
}

impl Local {
    pub(super) fn is_weekend(self) -> bool {
        self.weekday >= 5
    }
}

/// Days from 1970-01-01 to a date (proleptic Gregorian; Howard Hinnant's `days_from_civil`).
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month, day of a count of days since 1970-01-01.
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// 0 is Monday; 1970-01-01 was a Thursday.
fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// The n-th Sunday of a month, or its last one for n = 0, in days since 1970.
fn sunday(year: i64, month: i64, n: i64) -> i64 {
    if n == 0 {
        let next = if month == 12 {
            days_from_civil(year + 1, 1, 1)
        } else {
            days_from_civil(year, month + 1, 1)
        };
        let last = next - 1;
        return last - (weekday(last) + 1) % 7;
    }
    let first = days_from_civil(year, month, 1);
    first + (6 - weekday(first)) + 7 * (n - 1)
}

impl Zone {
    /// Milliseconds east of Greenwich at a moment.
    pub(super) fn shift(self, at: i64) -> i64 {
        let winter = self.offset * HOUR;
        let (year, _, _) = civil_from_days(at.div_euclid(DAY));
        let summer = match self.change {
            ClockChange::None => false,
            ClockChange::Europe => {
                at >= sunday(year, 3, 0) * DAY + HOUR && at < sunday(year, 10, 0) * DAY + HOUR
            }
            ClockChange::America => {
                at >= sunday(year, 3, 2) * DAY + 2 * HOUR - winter
                    && at < sunday(year, 11, 1) * DAY + HOUR - winter
            }
        };
        if summer { winter + HOUR } else { winter }
    }

    /// What the wall clock says.
    pub(super) fn local(self, at: i64) -> Local {
        let local = at + self.shift(at);
        let days = local.div_euclid(DAY);
        let (_, month, day) = civil_from_days(days);
        let (_, next_month, _) = civil_from_days(days + 1);
        Local {
            weekday: weekday(days),
            hour: local.rem_euclid(DAY) / HOUR,
            minute: local.rem_euclid(HOUR) / MINUTE,
            day,
            month,
            is_month_end: next_month != month,
        }
    }

    /// The moment at which the local clock of the day of `at` shows `hour` and `minute`.
    pub(super) fn at_local(self, at: i64, hour: i64, minute: i64) -> i64 {
        let midnight = (at + self.shift(at)).div_euclid(DAY) * DAY;
        let wanted = midnight + hour * HOUR + minute * MINUTE;
        wanted - self.shift(wanted - self.shift(at))
    }

    /// A clock change between two moments, if there is one.
    pub(super) fn change_between(self, from: i64, to: i64) -> Option<i64> {
        let mut at = from.div_euclid(HOUR) * HOUR;
        while at < to {
            if self.shift(at) != self.shift(at + HOUR) {
                return Some(at + HOUR);
            }
            at += HOUR;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for days in [-1, 0, 59, 11_016, 20_731] {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(
            civil_from_days(days_from_civil(2026, 10, 31)),
            (2026, 10, 31)
        );
    }

    #[test]
    fn clocks_change_on_the_documented_sundays() {
        let berlin = Zone {
            offset: 1,
            change: ClockChange::Europe,
        };
        let october = days_from_civil(2026, 10, 1) * DAY;
        let change = berlin.change_between(october, october + 31 * DAY).unwrap();
        assert_eq!(change, days_from_civil(2026, 10, 25) * DAY + HOUR);
        assert_eq!(berlin.local(change).hour, 2);
        let york = Zone {
            offset: -5,
            change: ClockChange::America,
        };
        let change = york.change_between(october, october + 40 * DAY).unwrap();
        assert_eq!(change, days_from_civil(2026, 11, 1) * DAY + 6 * HOUR);
        assert_eq!(york.local(october).hour, 20);
        assert!(
            berlin
                .local(days_from_civil(2026, 10, 31) * DAY)
                .is_month_end
        );
        let nine = york.at_local(october + 12 * HOUR, 9, 30);
        assert_eq!((york.local(nine).hour, york.local(nine).minute), (9, 30));
    }
}
