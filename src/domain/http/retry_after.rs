//! The field `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use crate::types::Micros;

/// The longest pause that is believed: a day. Longer ones are as good as never.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long to wait by the value of `Retry-After`: seconds, or a date. `None` for anything else.
pub fn retry_after(value: &[u8], now: Micros) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let wait = if is_number {
        Duration::from_secs(text.parse().ok()?)
    } else {
        // IMF-fixdate is a date of RFC 5322 in GMT. The older forms are of the last century.
        let date = text.strip_suffix("GMT")?;
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        let at = parser.parse_timestamp(format!("{date}+0000")).ok()?;
        Micros(at.as_microsecond()).since(now)
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now = Micros::from_secs(784_111_777);
        let read = |text: &str| retry_after(text.as_bytes(), now).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(read("999999999"), Some(24 * 3600));
        for nonsense in [
            "",
            "-1",
            "1.5",
            "soon",
            "1 2",
            "9999999999",
            "GMT",
            "Sun, 06 Nov 1994",
        ] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(b"\xff\xfe", now), None);
    }
}
