//! Text as Postgres takes it: it has no place for the character zero, and a record must never be
//! refused for its content.

use std::borrow::Cow;

/// Stands for what cannot be kept.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The text, with each zero replaced.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if memchr::memchr(0, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\0', "\u{fffd}"))
}

/// JSON as this program writes it, with each escaped zero replaced: Postgres would take it, and
/// then fail to read it.
pub(super) fn clean_json(json: &str) -> String {
    const ESCAPED: &str = "\\u0000";
    if memchr::memmem::find(json.as_bytes(), ESCAPED.as_bytes()).is_none() {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        if let Some(after) = escape.strip_prefix(ESCAPED) {
            out.push(REPLACEMENT);
            rest = after;
        } else {
            // The backslash and what it escapes: a second backslash begins no escape.
            let end = escape
                .char_indices()
                .nth(2)
                .map_or(escape.len(), |(at, _)| at);
            let (whole, after) = escape.split_at(end);
            out.push_str(whole);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::json::push_string;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_zeros_are_replaced(text in "[\\\\u0\0a\"]{0,12}") {
            let replaced = text.replace('\0', "\u{fffd}");
            prop_assert_eq!(&*clean(&text), &*replaced);
            let mut json = String::new();
            push_string(&mut json, &text);
            let read: String = serde_json::from_str(&clean_json(&json)).unwrap();
            prop_assert_eq!(read, replaced);
        }
    }
}
