//! Reads JSON objects member by member, so that one odd value does not spoil the others.
//!
//! Values are first delimited without recursion (`RawValue`) and then read one at a time, with
//! every reader answering `None` for a value of another type. Duplicate names are reported in
//! order; who takes the last gets what most JSON parsers give.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The longest text that is taken from a value, in bytes. GUIDs, URLs and user names fit.
const MAX_TEXT: usize = 512;

/// Calls `each` with every member of the object `json`; `None` if it is not one.
pub(super) fn members<'de>(
    json: &'de str,
    each: &mut dyn FnMut(&str, &'de RawValue),
) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Members { each }).ok()?;
    reader.end().ok()
}

struct Members<'e, 'de> {
    each: &'e mut dyn FnMut(&str, &'de RawValue),
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            (self.each)(&name, value);
        }
        Ok(())
    }
}

/// A member's name; borrowed unless it is written with escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        reader.deserialize_str(Names)
    }
}

/// A string that is not empty and not longer than [`MAX_TEXT`].
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    unbounded_text(value).filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
}

fn unbounded_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(value.get()).ok().map(Cow::Owned)
}

/// A whole number, or the whole part of a fraction (RFC 7519, `NumericDate`).
pub(super) fn whole(value: &RawValue) -> Option<i64> {
    value.get().parse().ok().or_else(|| {
        let number: f64 = value.get().parse().ok()?;
        // Casting saturates, which would make a date of infinity.
        (number.abs() < 1e15).then_some(number.trunc() as i64)
    })
}

/// `true` or `false`, bare or in quotes.
pub(super) fn flag(value: &RawValue) -> Option<bool> {
    match value.get() {
        "true" | "\"true\"" => Some(true),
        "false" | "\"false\"" => Some(false),
        _ => None,
    }
}

/// Calls `each` with every word of a space-separated string or of an array of strings.
pub(super) fn words(value: &RawValue, each: &mut dyn FnMut(&str)) {
    if let Some(text) = unbounded_text(value) {
        text.split_ascii_whitespace().for_each(each);
        return;
    }
    let Some(items) = value.get().strip_prefix('[') else {
        return;
    };
    if memchr::memchr3(b'\\', b'[', b'{', items.as_bytes()).is_none() {
        // Delimited as JSON already, flat and without escapes: strings stand between quotes.
        // Bank tokens have dozens of scopes, so the plain walk is worth its lines.
        let strings = items.split('"').skip(1).step_by(2);
        strings.flat_map(str::split_ascii_whitespace).for_each(each);
    } else {
        // Delimited as JSON already: an error can only be an odd element's, and the words before
        // it stand.
        let _ = serde_json::Deserializer::from_str(value.get()).deserialize_seq(Items { each });
    }
}

struct Items<'e> {
    each: &'e mut dyn FnMut(&str),
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            if let Some(text) = unbounded_text(item) {
                text.split_ascii_whitespace().for_each(&mut *self.each);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(json: &str, wanted: &str) -> Option<String> {
        let mut found = None;
        members(json, &mut |name, value| {
            if name == wanted {
                found = text(value).map(Cow::into_owned);
            }
        })?;
        found
    }

    #[test]
    fn odd_values_do_not_spoil_their_neighbours() {
        let json = r#"{"a":1e999,"b":{"x":[[[]]]},"sub":"s1","c":"\ud800","d":[1]}"#;
        assert_eq!(member(json, "sub").as_deref(), Some("s1"));
        assert_eq!(member(json, "c"), None);
        assert_eq!(member(json, "a"), None);
    }

    #[test]
    fn escaped_names_and_values_are_read() {
        assert_eq!(
            member(r#"{"s\u0075b":"a\"b"}"#, "sub").as_deref(),
            Some("a\"b")
        );
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        assert_eq!(
            member(r#"{"sub":"a","sub":"b"}"#, "sub").as_deref(),
            Some("b")
        );
    }

    #[test]
    fn what_is_not_one_whole_object_is_refused() {
        for json in [
            "",
            "[]",
            "\"x\"",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\":\"\n\"}",
            "null",
        ] {
            assert_eq!(members(json, &mut |_, _| {}), None, "{json}");
        }
    }

    #[test]
    fn deep_nesting_is_skipped_without_recursion() {
        let json = format!(
            "{{\"x\":{}{},\"sub\":\"s\"}}",
            "[".repeat(4000),
            "]".repeat(4000)
        );
        assert_eq!(member(&json, "sub").as_deref(), Some("s"));
    }

    #[test]
    fn words_come_from_strings_and_flat_or_odd_arrays() {
        let read = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            let mut found = Vec::new();
            words(&raw, &mut |word| found.push(word.to_owned()));
            found.join("|")
        };
        assert_eq!(read(r#""a:read  b:read""#), "a:read|b:read");
        assert_eq!(read(r#"[ "a" , 1, null,"b c", "" ,true,"d" ]"#), "a|b|c|d");
        assert_eq!(read(r#"["a",["x"],{"y":"z"},"b"]"#), "a|b");
        assert_eq!(read(r#"["a\"b","\u0063","[d]"]"#), "a\"b|c|[d]");
        assert_eq!(read(r#"[]"#), "");
        assert_eq!(read(r#"{"a":"b"}"#), "");
        assert_eq!(read("7"), "");
    }

    #[test]
    fn dates_may_have_fractions_but_no_infinity() {
        let read = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            whole(&raw)
        };
        assert_eq!(read("1795307138"), Some(1_795_307_138));
        assert_eq!(read("1795307138.9"), Some(1_795_307_138));
        assert_eq!(read("1.795307138e9"), Some(1_795_307_138));
        assert_eq!(read("1e300"), None);
        assert_eq!(read("\"1795307138\""), None);
        assert_eq!(read("{}"), None);
    }
}
