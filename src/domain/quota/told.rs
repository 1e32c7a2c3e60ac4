//! What an answer of the bank says about its limits.

use std::time::Duration;

/// Longest time that an answer may ask to wait; what is beyond is a mistake, or an attempt to stop
/// the gateway for good.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What the header fields of an answer say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Come again after this time (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// Calls in a window.
    pub limit: Option<u32>,
    /// Calls that are left.
    pub remaining: Option<u32>,
    /// Until there are more.
    pub reset: Option<Duration>,
}

/// Spellings of the fields. OBP sends `X-Rate-Limit-*`, whose reset is in seconds to go, and -1
/// where it has no limit; others have their hyphens elsewhere.
const LIMIT: &[&str] = &["x-rate-limit-limit", "x-ratelimit-limit", "ratelimit-limit"];
const REMAINING: &[&str] = &[
    "x-rate-limit-remaining",
    "x-ratelimit-remaining",
    "ratelimit-remaining",
];
const RESET: &[&str] = &["x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset"];

impl Told {
    /// Reads the fields. `field` gives the value of a field by its name in small letters;
    /// `now_secs` is the time in seconds since 1970: some count their reset from there.
    pub fn read<'a>(field: impl Fn(&str) -> Option<&'a [u8]>, now_secs: i64) -> Self {
        let number = |names: &[&str]| names.iter().find_map(|name| parse(field(name)?));
        let span = |value: i64| {
            // A moment instead of a span: no bank tells of a window of fifty years.
            let seconds = if value > 1_500_000_000 {
                value.saturating_sub(now_secs)
            } else {
                value
            };
            let span = u64::try_from(seconds).ok().map(Duration::from_secs);
            span.map(|span| span.min(LONGEST))
        };
        let count = |value: Option<i64>| u32::try_from(value?).ok();
        // A date as `Retry-After` is not read: the own schedule holds then.
        let retry_after = field("retry-after").and_then(parse).and_then(span);
        Self {
            retry_after,
            limit: count(number(LIMIT)),
            remaining: count(number(REMAINING)),
            reset: number(RESET).and_then(span),
        }
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How long to keep away after a refusal: what `Retry-After` says, else the reset.
    pub fn pause(&self) -> Option<Duration> {
        self.retry_after.or(self.reset)
    }

    /// Whether this is about a limit of so many calls, as far as it says.
    pub fn is_about(&self, limit: u32) -> bool {
        self.limit.is_none_or(|said| said == limit)
    }
}

/// A whole number, also where something follows it (`100, 100;w=60`).
fn parse(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let end = text.find([',', ';']).unwrap_or(text.len());
    text.get(..end)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fields: &[(&str, &str)]) -> Told {
        let find = |name: &str| {
            let field = fields.iter().find(|(of, _)| *of == name);
            field.map(|(_, value)| value.as_bytes())
        };
        Told::read(find, 1_800_000_000)
    }

    #[test]
    fn the_fields_of_obp_are_in_seconds_to_go() {
        let told = told(&[
            ("x-rate-limit-limit", "60"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "17"),
        ]);
        assert_eq!(told.limit, Some(60));
        assert_eq!(told.remaining, Some(0));
        assert_eq!(told.pause(), Some(Duration::from_secs(17)));
        assert!(told.is_about(60) && !told.is_about(100));
    }

    #[test]
    fn what_means_nothing_says_nothing() {
        assert!(told(&[]).is_empty());
        let none = told(&[
            ("x-rate-limit-remaining", "-1"),
            ("x-rate-limit-reset", "soon"),
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ]);
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn a_moment_is_read_as_the_time_until_then() {
        let told = told(&[("ratelimit-reset", "1800000042"), ("retry-after", "7")]);
        assert_eq!(told.reset, Some(Duration::from_secs(42)));
        assert_eq!(told.pause(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn nothing_stops_the_gateway_for_good() {
        assert_eq!(told(&[("retry-after", "999999999")]).pause(), Some(LONGEST));
    }
}
