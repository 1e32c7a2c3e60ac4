//! The `name="value", name=value` lists of `Authorization` and `DirectLogin` headers.
//!
//! OBP splits at every comma, so a password with a comma in it is cut there. Read that way, the
//! rest of such a password could pass for another parameter; here a quoted value ends at a quote
//! that is followed by a comma or the end, and an unquoted one at the next comma.

/// Calls `each` with every (name, value) of `list`, quotes and blanks removed.
pub(super) fn read<'a>(list: &'a [u8], each: &mut dyn FnMut(&'a [u8], &'a [u8])) {
    let mut rest = list;
    // Once no closing quote is found, none is left further on either: looking again for every
    // parameter would make hostile input quadratic.
    let mut quotes_end = true;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'=', b',', rest).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix(b"=") else {
            rest = after.get(1..).unwrap_or_default();
            continue;
        };
        let value = after.trim_ascii_start();
        let quoted = value.strip_prefix(b"\"").filter(|_| quotes_end);
        if let Some(inside) = quoted {
            if let Some(length) = closing_quote(inside) {
                let (value, after) = inside.split_at(length);
                each(name.trim_ascii(), value);
                let comma = memchr::memchr(b',', after).unwrap_or(after.len());
                rest = after.get(comma + 1..).unwrap_or_default();
                continue;
            }
            quotes_end = false;
        }
        let comma = memchr::memchr(b',', value).unwrap_or(value.len());
        let (value, after) = value.split_at(comma);
        let value = value.trim_ascii();
        each(
            name.trim_ascii(),
            value.strip_prefix(b"\"").unwrap_or(value),
        );
        rest = after.get(1..).unwrap_or_default();
    }
}

/// Where the quote stands that ends a value.
fn closing_quote(inside: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', inside).find(|at| {
        let after = inside.get(at + 1..).unwrap_or_default();
        // The next non-blank byte; blanks are walked once, since a quote ends a run of them.
        let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
        matches!(next, None | Some(b','))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        read(text.as_bytes(), &mut |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push((text(name), text(value)));
        });
        found
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn quotes_are_optional() {
        let expected = pairs(&[("token", "abc"), ("username", "u")]);
        assert_eq!(list(r#"token="abc", username="u""#), expected);
        assert_eq!(list("token=abc,username=u"), expected);
        assert_eq!(list(" token = \"abc\" ,, username = u ,"), expected);
    }

    #[test]
    fn commas_and_quotes_inside_a_quoted_value_belong_to_it() {
        assert_eq!(
            list(r#"password="a,token=b"c,d", consumer_key="k""#),
            pairs(&[("password", "a,token=b\"c,d"), ("consumer_key", "k")])
        );
    }

    #[test]
    fn an_open_quote_ends_at_the_comma() {
        assert_eq!(
            list(r#"username="u, password=p, consumer_key="k"#),
            pairs(&[("username", "u"), ("password", "p"), ("consumer_key", "k")])
        );
    }

    #[test]
    fn words_without_a_value_are_skipped() {
        assert_eq!(list("a,b,c=1"), pairs(&[("c", "1")]));
        assert_eq!(list("=x"), pairs(&[("", "x")]));
        assert_eq!(list("\"\",="), pairs(&[("", "")]));
    }

    proptest! {
        #[test]
        fn composed_lists_read_back(
            values in prop::collection::vec("[ -!#-~]{0,12}", 0..6)
        ) {
            let text = values
                .iter()
                .enumerate()
                .map(|(index, value)| format!("k{index}=\"{value}\""))
                .collect::<Vec<_>>()
                .join(", ");
            let read: Vec<String> = list(&text).into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }
    }
}
