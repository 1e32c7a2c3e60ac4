//! The query of a request: its parameters, and the text of it that may stand in a record.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The most parameters that are looked at. Real calls have below twenty.
pub const MAX_PARAMETERS: usize = 256;

/// The longest redacted query, in bytes.
pub const MAX_REDACTED_BYTES: usize = 1024;

/// Stands for a value that is not recorded.
const REDACTED: &str = "[redacted]";

/// Stands for a parameter that is not in the catalog, name and all.
const UNLISTED: &str = "[unlisted]";

/// Stands at the end for everything that did not fit.
const MORE: &str = "[more]";

/// What is percent-encoded in a redacted query. What stays has no meaning in a query, in a
/// terminal or in CSV, and cannot form one of the marks above.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b',');

/// One parameter. The value may be secret or personal, so there is no `Debug`.
#[derive(Clone, Copy)]
pub struct Parameter<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    /// The name as sent.
    pub const fn raw_name(&self) -> &'a str {
        self.name
    }

    /// The value as sent; empty if there is no equals sign.
    pub fn raw_value(&self) -> &'a str {
        self.value.unwrap_or_default()
    }

    /// The name with `+` and escapes decoded; `None` if that is not UTF-8.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        decode(self.name)
    }

    /// The value with `+` and escapes decoded; `None` if that is not UTF-8.
    pub fn value(&self) -> Option<Cow<'a, str>> {
        decode(self.raw_value())
    }
}

/// The parameters of a query in their order, at most [`MAX_PARAMETERS`]. Empty ones (`&&`) are
/// left out.
pub const fn parameters(query: &str) -> Parameters<'_> {
    Parameters {
        rest: query,
        left: MAX_PARAMETERS,
    }
}

/// Iterates over the parameters of a query.
#[derive(Clone)]
pub struct Parameters<'a> {
    rest: &'a str,
    left: usize,
}

impl Parameters<'_> {
    /// Whether the query has more parameters than were returned so far, within the limit or not.
    pub fn has_more(&self) -> bool {
        self.rest.bytes().any(|byte| byte != b'&')
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let rest = self.rest.trim_start_matches('&');
        let (parameter, rest) = rest.split_once('&').unwrap_or((rest, ""));
        self.rest = rest;
        if parameter.is_empty() {
            return None;
        }
        Some(match parameter.split_once('=') {
            Some((name, value)) => Parameter {
                name,
                value: Some(value),
            },
            None => Parameter {
                name: parameter,
                value: None,
            },
        })
    }
}

/// What a record may say about a parameter. `F` judges whether a decoded value has the shape that
/// the catalog promises for it.
pub enum ParameterRule<F> {
    /// Name and value may be recorded if the value fits.
    Safe(F),
    /// Only the name may be recorded.
    Masked,
    /// Not in the catalog: not even the name may be recorded, it could be a misplaced value.
    Unlisted,
}

/// The text of a query that may stand in a record, as in
/// `page=0&include_pii=true&guid=[redacted]&[unlisted]`.
///
/// `rule` is asked for every decoded name. A value appears only if its rule is
/// [`ParameterRule::Safe`] and the value fits; an unlisted name never appears. The result has at
/// most [`MAX_REDACTED_BYTES`] bytes and ends in `[more]` if that was not enough. Redacting the
/// result once more changes nothing.
pub fn redact_query<F: Fn(&str) -> bool>(
    query: &str,
    mut rule: impl FnMut(&str) -> ParameterRule<F>,
) -> String {
    let mut text = String::with_capacity(query.len().min(MAX_REDACTED_BYTES));
    let mut parameters = parameters(query);
    while let Some(parameter) = parameters.next() {
        let before = text.len();
        let is_last = !parameters.has_more();
        if is_last && parameter.value.is_none() && parameter.name == MORE {
            push_separator(&mut text);
            text.push_str(MORE);
            return text;
        }
        push_separator(&mut text);
        push_redacted(&mut text, &parameter, &mut rule);
        let reserve = if is_last { 0 } else { 1 + MORE.len() };
        if text.len() + reserve > MAX_REDACTED_BYTES {
            text.truncate(before);
            push_separator(&mut text);
            text.push_str(MORE);
            return text;
        }
    }
    if parameters.has_more() {
        push_separator(&mut text);
        text.push_str(MORE);
    }
    text
}

/// How many values a text of [`redact_query`] does not show; what is behind `[more]` counts as one.
pub fn count_masked(redacted: &str) -> u64 {
    // What is shown is percent-encoded: it has neither brackets nor separators.
    let hidden = |part: &&str| part.ends_with(REDACTED) || [UNLISTED, MORE].contains(part);
    redacted.split('&').filter(hidden).count() as u64
}

fn push_separator(text: &mut String) {
    if !text.is_empty() {
        text.push('&');
    }
}

fn push_redacted<F: Fn(&str) -> bool>(
    text: &mut String,
    parameter: &Parameter<'_>,
    rule: &mut impl FnMut(&str) -> ParameterRule<F>,
) {
    let name = parameter
        .name()
        .filter(|name| !name.is_empty() && name != UNLISTED && name.len() <= MAX_REDACTED_BYTES);
    let Some(name) = name else {
        text.push_str(UNLISTED);
        return;
    };
    let value = match rule(&name) {
        ParameterRule::Unlisted => {
            text.push_str(UNLISTED);
            return;
        }
        ParameterRule::Masked => None,
        ParameterRule::Safe(fits) => parameter
            .value()
            .filter(|value| value.len() <= MAX_REDACTED_BYTES && value != REDACTED && fits(value)),
    };
    text.extend(utf8_percent_encode(&name, ENCODED));
    match value {
        None => {
            text.push('=');
            text.push_str(REDACTED);
        }
        Some(_) if parameter.value.is_none() => {}
        Some(value) => {
            text.push('=');
            text.extend(utf8_percent_encode(&value, ENCODED));
        }
    }
}

/// Form decoding: `+` is a space, `%XX` a byte. No copy if there is nothing to decode.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Some(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
    Some(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `page` and `on` are safe if they are digits, or true, false or nothing; `guid` and
    /// `filter[x]` are masked.
    fn rule(name: &str) -> ParameterRule<fn(&str) -> bool> {
        match name {
            "page" => {
                ParameterRule::Safe(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()))
            }
            "on" => ParameterRule::Safe(|v| matches!(v, "" | "true" | "false")),
            "text" => ParameterRule::Safe(|v| !v.contains("secret")),
            "guid" | "filter[x]" => ParameterRule::Masked,
            _ => ParameterRule::Unlisted,
        }
    }

    fn redact(query: &str) -> String {
        redact_query(query, rule)
    }

    #[test]
    fn only_safe_values_that_fit_appear() {
        let table = [
            ("", ""),
            (
                "page=0&on=true&guid=abc&secretKey=x",
                "page=0&on=true&guid=[redacted]&[unlisted]",
            ),
            ("page=4111-1111", "page=[redacted]"),
            ("p%61ge=%30", "page=0"),
            ("Page=0", "[unlisted]"),
            ("page", "page=[redacted]"),
            ("on&on=", "on&on="),
            ("guid", "guid=[redacted]"),
            (
                "filter%5Bx%5D=1&filter[x]=2",
                "filter%5Bx%5D=[redacted]&filter%5Bx%5D=[redacted]",
            ),
            ("&&page=1&&", "page=1"),
            ("=hunter2", "[unlisted]"),
            ("hunter2", "[unlisted]"),
            ("page=%ff", "page=[redacted]"),
            ("%ff=1", "[unlisted]"),
            ("page=1=hunter2", "page=[redacted]"),
            ("page=1;secretKey=hunter2", "page=[redacted]"),
            ("text=a+b%26c%3dd", "text=a%20b%26c%3Dd"),
            (
                "text=[redacted]&[unlisted]&text=%5Bredacted%5D",
                "text=[redacted]&[unlisted]&text=[redacted]",
            ),
            ("text=%1b[31m", "text=%1B%5B31m"),
            ("[more]&page=1", "[unlisted]&page=1"),
        ];
        for (query, expected) in table {
            assert_eq!(redact(query), expected, "{query}");
        }
    }

    #[test]
    fn the_text_is_bounded() {
        let long = "page=1&".repeat(300);
        let text = redact(&long);
        assert!(text.len() <= MAX_REDACTED_BYTES);
        assert!(text.ends_with("&page=1&[more]"));
        assert_eq!(redact(&text), text);

        let many = "on&".repeat(MAX_PARAMETERS + 1);
        assert_eq!(
            redact(&many),
            format!("{}[more]", "on&".repeat(MAX_PARAMETERS))
        );
        assert_eq!(redact(&redact(&many)), redact(&many));

        assert_eq!(
            redact(&format!("page={}", "1".repeat(2_000))),
            "page=[redacted]"
        );
        assert_eq!(redact(&format!("page={}", "1".repeat(1_020))), "[more]");
    }

    #[test]
    fn parameters_are_decoded() {
        let all: Vec<_> = parameters("a+b=c%20d+e&f&%zz=%&=").collect();
        let names: Vec<_> = all.iter().map(|p| p.name().unwrap().into_owned()).collect();
        let values: Vec<_> = all
            .iter()
            .map(|p| p.value().unwrap().into_owned())
            .collect();
        assert_eq!(names, ["a b", "f", "%zz", ""]);
        assert_eq!(values, ["c d e", "", "%", ""]);
        assert_eq!((all[0].raw_name(), all[0].raw_value()), ("a+b", "c%20d+e"));
        assert_eq!(parameters(&"a&".repeat(1_000)).count(), MAX_PARAMETERS);
    }

    /// Queries of listed, unlisted and strange parameters; a canary stands in every bad place.
    fn query() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            Just("page"),
            Just("on"),
            Just("text"),
            Just("guid"),
            Just("filter%5bx%5d"),
            Just("canary"),
            Just("[unlisted]"),
            Just("[more]"),
            Just(""),
            Just("%ff"),
        ];
        let value = prop_oneof![
            "(=[0-9]{0,30})?",
            Just("=secret-canary".to_owned()),
            Just("=[redacted]".to_owned()),
            "=[a-z%+=;\\[\\]é-]{0,6}",
            Just("=true".to_owned()),
        ];
        prop::collection::vec((name, value), 0..60).prop_map(|all| {
            all.iter()
                .map(|(n, v)| format!("{n}{v}"))
                .collect::<Vec<_>>()
                .join("&")
        })
    }

    proptest! {
        #[test]
        fn redacting_twice_changes_nothing(query in query()) {
            let once = redact(&query);
            prop_assert!(once.len() <= MAX_REDACTED_BYTES);
            prop_assert!(!once.contains("canary"));
            prop_assert_eq!(redact(&once), once);
        }

        #[test]
        fn any_text_is_survived(query in "\\PC{0,80}") {
            let once = redact(&query);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
