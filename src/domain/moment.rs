//! Points in time as people type them.

use std::str::FromStr;
use std::time::Duration;

use crate::types::Micros;

/// A point in time, absolute or before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This one.
    At(Micros),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// The point in time, given the present one.
    pub fn resolve(self, now: Micros) -> Micros {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => {
                let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                Micros(now.0.saturating_sub(micros))
            }
        }
    }
}

/// Text that names no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a time: use how long ago (90s, 15m, 2h, 7d, 4w), a date (2026-11-22, midnight \
     UTC) or a time with its zone (2026-11-22T14:30:00Z)"
)]
pub struct NotAMoment(String);

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        if let Some(span) = parse_span(text) {
            return Ok(Self::Ago(span));
        }
        let date: Result<jiff::Timestamp, _> = format!("{text}T00:00:00Z").parse();
        date.or_else(|_| text.parse())
            .map(|at| Self::At(Micros(at.as_microsecond())))
            .map_err(|_| NotAMoment(text.to_owned()))
    }
}

/// A whole number and one unit.
fn parse_span(text: &str) -> Option<Duration> {
    let (number, seconds) = [
        ("s", 1),
        ("m", 60),
        ("h", 3_600),
        ("d", 86_400),
        ("w", 604_800),
    ]
    .into_iter()
    .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ways_to_say_when() {
        // 2026-11-22T12:00:00Z
        let now = Micros(1_795_348_800_000_000);
        for (text, expected) in [
            ("now", "2026-11-22T12:00:00.000000Z"),
            ("90s", "2026-11-22T11:58:30.000000Z"),
            ("15m", "2026-11-22T11:45:00.000000Z"),
            ("2h", "2026-11-22T10:00:00.000000Z"),
            ("7d", "2026-11-15T12:00:00.000000Z"),
            ("1w", "2026-11-15T12:00:00.000000Z"),
            ("2026-01-02", "2026-01-02T00:00:00.000000Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
            (
                "2026-01-02T03:04:05.000006+01:00",
                "2026-01-02T02:04:05.000006Z",
            ),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.resolve(now).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_advice() {
        for text in [
            "",
            "m",
            "-5m",
            "+5m",
            "5",
            "5y",
            "2026-13-01",
            "yesterday",
            "2026-01-02T03:04:05",
        ] {
            let error = text.parse::<Moment>().unwrap_err().to_string();
            assert!(error.contains("15m"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in any::<String>(), number in any::<u64>(), unit in "[smhdw]") {
            let _ = text.parse::<Moment>();
            if let Ok(moment) = format!("{number}{unit}").parse::<Moment>() {
                prop_assert!(moment.resolve(Micros(0)) <= Micros(0));
            }
        }
    }
}
