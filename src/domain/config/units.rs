//! Durations and sizes as people write them.

use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads `500ms`, `30s`, `2m`, `24h` or `90d`. Plain numbers are refused, for nobody knows
/// whether they are seconds or milliseconds.
///
/// # Errors
/// A sentence that says what to write.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const WRITE: &str = "write a whole number and a unit (ms, s, m, h, d), such as \"30s\"";
    let (number, unit) = split(text);
    let Ok(number) = number.parse::<u64>() else {
        return Err(WRITE.to_owned());
    };
    if unit.is_empty() {
        return Err(format!(
            "a duration needs a unit: write \"{number}s\" for seconds or \"{number}ms\" for milliseconds"
        ));
    }
    DURATION_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, millis)| number.checked_mul(*millis))
        .map(Duration::from_millis)
        .ok_or_else(|| WRITE.to_owned())
}

/// A duration in the largest unit that shows it exactly; below a millisecond it is cut.
pub fn show_duration(duration: Duration) -> String {
    show(
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        &DURATION_UNITS,
    )
}

/// Reads `64KiB`, `1MiB`, `2GiB`, `512B` or a plain number of bytes.
///
/// # Errors
/// A sentence that says what to write.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit = if unit.is_empty() { "B" } else { unit };
    let size = SIZE_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes));
    size.ok_or_else(|| {
        "write a whole number of bytes or a size in KiB, MiB or GiB, such as \"64KiB\"".to_owned()
    })
}

/// A size in the largest unit that shows it exactly.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE_UNITS)
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn show(amount: u64, units: &[(&str, u64)]) -> String {
    let fitting = units
        .iter()
        .find(|(_, worth)| amount > 0 && amount.is_multiple_of(*worth))
        .or(units.last());
    fitting.map_or_else(
        || amount.to_string(),
        |(name, worth)| format!("{}{name}", amount / worth),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert!(parse_duration("30").unwrap_err().contains("\"30s\""));
        for bad in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
            "30é",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("123"), Ok(123));
        for bad in ["64kb", "64KB", "", "KiB", "-1", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0..u64::from(u32::MAX), bytes: u32) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&show_size(bytes.into())), Ok(u64::from(bytes)));
        }

        #[test]
        fn nothing_panics(text: String) {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
