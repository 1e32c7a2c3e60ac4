//! How visits spread over the hours of a day and the days of a week.

use super::super::calendar::Local;

/// A shape of a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Season {
    /// People at home: evenings and weekends.
    Evening,
    /// People on their way: morning, noon, evening.
    Commute,
    /// Business customers: office hours, some in the evening.
    Business,
    /// Staff: 8 to 18 on working days, nothing else.
    Office,
    /// Late shift of staff: 12 to 21 on working days, some on Saturday.
    LateShift,
    /// Machines and the whole world: even.
    Even,
}

const EVENING: [u32; 24] = [
    22, 12, 7, 4, 4, 6, 14, 28, 40, 46, 50, 54, 60, 58, 54, 54, 58, 66, 78, 92, 100, 96, 74, 44,
];
const COMMUTE: [u32; 24] = [
    8, 4, 3, 3, 5, 16, 48, 90, 82, 50, 42, 50, 78, 72, 46, 42, 54, 86, 96, 74, 60, 52, 38, 20,
];
const BUSINESS: [u32; 24] = [
    3, 2, 2, 2, 3, 6, 16, 42, 78, 98, 100, 94, 70, 82, 96, 92, 80, 56, 30, 20, 16, 12, 8, 5,
];
const OFFICE: [u32; 24] = [
    0, 0, 0, 0, 0, 0, 0, 2, 60, 96, 100, 94, 58, 78, 96, 92, 74, 36, 3, 0, 0, 0, 0, 0,
];
const LATE: [u32; 24] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 58, 82, 92, 100, 96, 84, 70, 60, 40, 12, 0, 0,
];
const EVEN: [u32; 24] = [1; 24];

impl Season {
    /// Share of an average day's visits that falls into the hour of a moment.
    pub(in super::super) fn share(self, local: Local, is_holiday: bool) -> f64 {
        let (hours, week): (&[u32; 24], [f64; 7]) = match self {
            Self::Evening => (&EVENING, [1.0, 0.96, 0.96, 1.0, 1.04, 1.12, 1.16]),
            Self::Commute => (&COMMUTE, [1.12, 1.06, 1.04, 1.06, 1.12, 0.72, 0.6]),
            Self::Business => (&BUSINESS, [1.3, 1.16, 1.1, 1.1, 1.08, 0.32, 0.22]),
            Self::Office => (&OFFICE, [1.24, 1.06, 1.0, 1.0, 0.96, 0.0, 0.0]),
            Self::LateShift => (&LATE, [1.1, 1.0, 1.0, 1.0, 1.0, 0.35, 0.0]),
            Self::Even => (&EVEN, [1.0; 7]),
        };
        let total: u32 = hours.iter().sum();
        let weight = hours.get(local.hour as usize).copied().unwrap_or(0);
        let mut of_day = week.get(local.weekday as usize).copied().unwrap_or(1.0);
        if is_holiday {
            of_day = match self {
                Self::Evening => 1.1,
                Self::Commute => 0.6,
                Self::Business => 0.25,
                Self::Office | Self::LateShift => 0.0,
                Self::Even => 1.0,
            };
        }
        of_day * f64::from(weight) / f64::from(total)
    }
}
