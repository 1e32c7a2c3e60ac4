//! Random documents, chunks and bytes, compared with what serde_json and the query parser find.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::super::*;
use super::{Everything, form_in, tap_in};

/// Random documents with few distinct keys, so that paths meet them.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // serde_json itself does not read every f64 back to the last bit; these it does.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        prop::sample::select(vec![1e300, -2.5e-7, 0.0, -0.0]).prop_map(Value::from),
        "[a-c\"\\\\\n\u{1}\u{7f}é€😀\u{ffff}/ {}\\[\\]:,]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("(a|b|c|é\"|\\\\|[a-d]{2}|k{63,65})", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes a document with the white space and escapes that `choices` say.
fn write(value: &Value, choices: &mut impl Iterator<Item = u8>, out: &mut String) {
    let mut space = |out: &mut String| {
        let choice = choices.next().unwrap_or(0);
        out.push_str(["", "", "", " ", "\n\t"][usize::from(choice % 5)]);
        choice
    };
    space(out);
    match value {
        Value::String(text) => write_string(text, choices, out),
        Value::Array(elements) => {
            out.push('[');
            for (n, element) in elements.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                write(element, choices, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (n, (key, member)) in members.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "\r\n" });
                write_string(key, choices, out);
                out.push_str(" :");
                write(member, choices, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str(["", " "][usize::from(choices.next().unwrap_or(0) % 2)]);
}

fn write_string(text: &str, choices: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        if choices.next().unwrap_or(0).is_multiple_of(4) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04X}"));
            }
        } else {
            let json = Value::from(char.to_string()).to_string();
            out.push_str(&json[1..json.len() - 1]);
        }
    }
    out.push('"');
}

/// What serde_json finds at a path, in the order of the document.
fn expected(value: &Value, path: &str, found: &mut Vec<(ValueKind, Vec<u8>)>) {
    if let Some(rest) = path.strip_prefix("[]") {
        for element in value.as_array().into_iter().flatten() {
            expected(element, rest, found);
        }
    } else if !path.is_empty() {
        let path = path.strip_prefix('.').unwrap_or(path);
        let len = path.find(['.', '[']).unwrap_or(path.len());
        if let Some(member) = value.get(&path[..len]) {
            expected(member, &path[len..], found);
        }
    } else {
        found.push(match value {
            Value::Null => (ValueKind::Null, vec![]),
            Value::Bool(true) => (ValueKind::True, vec![]),
            Value::Bool(false) => (ValueKind::False, vec![]),
            Value::Number(number) => (ValueKind::Number, number.to_string().into_bytes()),
            Value::String(text) => (ValueKind::String, text.clone().into_bytes()),
            Value::Array(_) => (ValueKind::Array, vec![]),
            Value::Object(_) => (ValueKind::Object, vec![]),
        });
    }
}

const PATHS: &[&str] = &[
    "a",
    "b",
    "c",
    "é\"",
    "\\",
    "[]",
    "[][]",
    "[].a",
    "[].b.c",
    "a.b",
    "a.a.a",
    "a[]",
    "a[].b",
    "b[][]",
    "b.é\"[]",
    "c.aa",
    "[].c[].a",
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_tap_finds_what_serde_json_finds(
        value in document(),
        choices in prop::collection::vec(any::<u8>(), 1..40),
        paths in prop::sample::subsequence(PATHS, 1..PATHS.len()),
        sizes in prop::collection::vec(1_usize..9, 1..5),
    ) {
        let mut body = String::new();
        write(&value, &mut choices.into_iter().cycle(), &mut body);
        prop_assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), &value);

        let mut tap = JsonTap::new(Arc::new(PathSet::compile(&paths).unwrap()));
        let mut sink = Everything::default();
        let mut rest = body.as_bytes();
        for size in sizes.into_iter().cycle() {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            tap.feed(chunk, &mut sink);
            rest = after;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(tap.finish(&mut sink), TapStatus::Complete);
        for (index, path) in paths.iter().enumerate() {
            let mut wanted = Vec::new();
            expected(&value, path, &mut wanted);
            let got: Vec<_> = sink.found.iter().filter(|f| f.0 == index).map(|f| (f.1, f.2.clone())).collect();
            prop_assert_eq!(got, wanted, "{} in {}", path, body);
        }
    }

    #[test]
    fn it_is_complete_exactly_if_serde_json_reads_it(body in "[\\[\\]{}:,\"a\\\\u0d8e19.+nultrs -]{0,12}") {
        // Control characters, which only serde_json looks for in strings, do not occur here.
        let reads = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        let (status, _) = tap_in(&["a"], body.as_bytes(), 3);
        prop_assert_eq!(status == TapStatus::Complete, reads, "{}", body);
    }

    #[test]
    fn any_bytes_are_survived_in_any_chunks(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\":,\\u0ae1".to_vec())], 0..120),
        size in 1_usize..20,
    ) {
        prop_assert_eq!(tap_in(&["a", "[].a"], &bytes, size), tap_in(&["a", "[].a"], &bytes, 1_000));
        prop_assert_eq!(form_in(&["a", "u"], &bytes, size), form_in(&["a", "u"], &bytes, 1_000));
    }

    #[test]
    fn forms_say_what_the_query_parser_says(body in "[ab%&=+0-3f]{0,40}", size in 1_usize..9) {
        let found = form_in(&["a", "b"], body.as_bytes(), size).1.found;
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>()
        };
        let wanted: Vec<_> = crate::domain::http::query::parameters(&body)
            .filter_map(|p| match decode(p.raw_name()).as_slice() {
                b"a" => Some((0, ValueKind::String, decode(p.raw_value()))),
                b"b" => Some((1, ValueKind::String, decode(p.raw_value()))),
                _ => None,
            })
            .collect();
        prop_assert_eq!(found, wanted);
    }
}
