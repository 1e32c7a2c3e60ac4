use std::sync::Arc;

use super::*;

mod random;

/// Joins the pieces and keeps everything that has an end.
#[derive(Default, Debug, PartialEq)]
struct Everything {
    found: Vec<(usize, ValueKind, Vec<u8>)>,
    open: Option<(usize, Vec<u8>)>,
}

impl TapSink for Everything {
    fn piece(&mut self, index: usize, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "an empty piece is of no use");
        let (open, text) = self.open.get_or_insert((index, Vec::new()));
        assert_eq!(*open, index, "pieces of two values are mixed");
        text.extend(bytes);
    }

    fn end(&mut self, index: usize, kind: ValueKind) {
        let (open, text) = self.open.take().unwrap_or((index, Vec::new()));
        assert_eq!(open, index, "the end of another value");
        self.found.push((index, kind, text));
    }
}

/// Taps a JSON body in chunks of `size` bytes.
fn tap_in(paths: &[&str], body: &[u8], size: usize) -> (TapStatus, Everything) {
    let mut tap = JsonTap::new(Arc::new(PathSet::compile(paths).unwrap()));
    let mut sink = Everything::default();
    for chunk in body.chunks(size) {
        tap.feed(chunk, &mut sink);
    }
    (tap.finish(&mut sink), sink)
}

/// Taps a JSON body whole and in all small chunk sizes, which must not make a difference.
fn tap(paths: &[&str], body: &str) -> (TapStatus, Vec<(usize, ValueKind, String)>) {
    let whole = tap_in(paths, body.as_bytes(), body.len().max(1));
    for size in 1..9 {
        assert_eq!(
            tap_in(paths, body.as_bytes(), size),
            whole,
            "chunks of {size}: {body}"
        );
    }
    let (status, sink) = whole;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        status,
        sink.found
            .into_iter()
            .map(|(i, kind, bytes)| (i, kind, text(bytes)))
            .collect(),
    )
}

#[test]
fn finds_the_token_of_an_answer() {
    let body = r#"{"access_token":"eyJraWQ.abc-_","token_type":"Bearer","expires_in":1800,
        "scope":"customers:read customers:write","created_at":1795305338}"#;
    let (status, found) = tap(&["expires_in", "access_token"], body);
    assert_eq!(status, TapStatus::Complete);
    assert_eq!(
        found,
        [
            (1, ValueKind::String, "eyJraWQ.abc-_".to_owned()),
            (0, ValueKind::Number, "1800".to_owned()),
        ]
    );
}

#[test]
fn finds_every_kind_of_value_at_every_kind_of_place() {
    let paths = [
        "objects[].name",
        "objects",
        "a[]",
        "a",
        "b.c",
        "m[][]",
        "objects[]",
    ];
    let body = r#" { "objects" : [ { "name" : "x" , "other" : { "name" : "no" } } , { "name" : null } , 7 ] ,
        "a" : [ true , false , -0.5e+10 , "" , [ "deep" ] ] , "b" : { "c" : { } } , "m" : [ [ 1 , 2 ] , 3 , [ ] ] ,
        "name" : "no" } "#;
    let (status, found) = tap(&paths, body);
    let own = |found: Vec<(usize, ValueKind, &str)>| -> Vec<_> {
        found
            .into_iter()
            .map(|(i, k, t)| (i, k, t.to_owned()))
            .collect()
    };
    use ValueKind::*;
    let expected = own(vec![
        (0, String, "x"),
        (6, Object, ""),
        (0, Null, ""),
        (6, Object, ""),
        (6, Number, "7"),
        (1, Array, ""),
        (2, True, ""),
        (2, False, ""),
        (2, Number, "-0.5e+10"),
        (2, String, ""),
        (2, Array, ""),
        (3, Array, ""),
        (4, Object, ""),
        (5, Number, "1"),
        (5, Number, "2"),
    ]);
    assert_eq!(found, expected);
    assert_eq!(status, TapStatus::Complete);

    let (_, found) = tap(&["[].x", "[]"], r#"[{"x":1},2,[{"x":3}]]"#);
    assert_eq!(
        found,
        own(vec![
            (0, Number, "1"),
            (1, Object, ""),
            (1, Number, "2"),
            (1, Array, "")
        ])
    );
}

#[test]
fn resolves_escapes_in_values_and_keys() {
    let table = [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC\uD83D\uDE00é€😀""#, "Aé€😀é€😀"),
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00x""#, "\u{fffd}x"),
        (r#""\ud800x""#, "\u{fffd}x"),
        (r#""\ud800\n""#, "\u{fffd}\n"),
        (r#""\ud800\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
    ];
    for (json, expected) in table {
        let body = format!(r#"{{"\u0061\u00e9":{json}}}"#);
        let (status, found) = tap(&["aé"], &body);
        assert_eq!(status, TapStatus::Complete, "{json}");
        assert_eq!(
            found,
            [(0, ValueKind::String, expected.to_owned())],
            "{json}"
        );
    }
}

#[test]
fn a_key_that_comes_twice_is_told_twice() {
    let (_, found) = tap(&["a"], r#"{"a":1,"a":2}"#);
    assert_eq!(found.len(), 2);
}

#[test]
fn long_keys_do_not_match_by_their_start() {
    let long = "k".repeat(MAX_KEY_BYTES);
    let body = format!(r#"{{"{long}k":1,"{long}":2,"{}":3}}"#, &long[1..]);
    let (_, found) = tap(&[&long], &body);
    assert_eq!(found, [(0, ValueKind::Number, "2".to_owned())]);
}

#[test]
fn faults_stop_the_tap_and_keep_what_came_before() {
    let broken = [
        r#"{"a":1]"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1}}"#,
        r#"{"a":1} x"#,
        r#"{"a":1,"b":01}"#,
        r#"{"a":1,"b":-}"#,
        r#"{"a":1,"b":1.}"#,
        r#"{"a":1,"b":1e}"#,
        r#"{"a":1,"b":.5}"#,
        r#"{"a":1,"b":+5}"#,
        r#"{"a":1,"b":tru}"#,
        r#"{"a":1,"b":nulL}"#,
        r#"{"a":1,"b":"\x"}"#,
        r#"{"a":1,"b":"\u00g0"}"#,
        r#"{"a":1,"b"}"#,
        r#"{"a":1,b:2}"#,
        r#"{"a":1,"b":[1,]}"#,
        r#"{"a":1,"b":[,1]}"#,
        r#"{"a":1,"b":[1}}"#,
        r#"{"a":1,'b':2}"#,
        r#"{"a":1,"b":NaN}"#,
        r#"{"a":1}{"a":1}"#,
    ];
    for body in broken {
        let (status, found) = tap(&["a"], body);
        assert_eq!(status, TapStatus::Broken, "{body}");
        assert_eq!(found, [(0, ValueKind::Number, "1".to_owned())], "{body}");
    }
    for body in [
        "<html>",
        "token=abc",
        "\u{feff}{}",
        "]",
        ",",
        ":",
        "0 1",
        "01",
        "--1",
    ] {
        assert_eq!(tap(&["a"], body).0, TapStatus::Broken, "{body}");
    }
}

#[test]
fn the_end_of_the_body_is_judged() {
    assert_eq!(tap(&["a"], "").0, TapStatus::Empty);
    assert_eq!(tap(&["a"], " \r\n").0, TapStatus::Empty);
    for body in [
        "{",
        "[1,",
        r#"{"a"#,
        r#"{"a":"x"#,
        r#"{"a":"x\u00"#,
        "tru",
        "-",
        "1e",
        "[1",
        r#"{"a":1"#,
    ] {
        assert_eq!(tap(&["b"], body).0, TapStatus::Truncated, "{body}");
    }
    for body in ["1", "-0", "12.5e3", "\"x\"", "null", "{}", "[]", " [ ] "] {
        assert_eq!(tap(&["b"], body).0, TapStatus::Complete, "{body}");
    }
    let (status, found) = tap(&["a"], r#"{"a":"cut of"#);
    assert_eq!((status, found.len()), (TapStatus::Truncated, 0));
}

#[test]
fn deep_nesting_is_given_up() {
    let nested = |n: usize| {
        format!(
            r#"{{"a":1,"b":{}{}}}"#,
            "[".repeat(n - 1),
            "]".repeat(n - 1)
        )
    };
    assert_eq!(tap(&["a"], &nested(MAX_DEPTH)).0, TapStatus::Complete);
    let (status, found) = tap(&["a"], &nested(MAX_DEPTH + 1));
    assert_eq!(status, TapStatus::TooDeep);
    assert_eq!(found.len(), 1);
}

#[test]
fn the_tap_says_how_it_stands_and_stays_small() {
    let mut tap = JsonTap::new(Arc::new(PathSet::compile(&["a"]).unwrap()));
    let mut sink = Everything::default();
    assert_eq!(tap.status(), TapStatus::Running);
    tap.feed(b"{]", &mut sink);
    assert_eq!(tap.status(), TapStatus::Broken);
    tap.feed(b"{\"a\":1}", &mut sink);
    assert_eq!(tap.finish(&mut sink), TapStatus::Broken);
    assert!(sink.found.is_empty());
    assert!(size_of::<JsonTap>() <= 400 && size_of::<FormTap>() <= 400);
}

fn form_in(names: &[&str], body: &[u8], size: usize) -> (TapStatus, Everything) {
    let mut tap = FormTap::new(Arc::new(NameSet::compile(names).unwrap()));
    let mut sink = Everything::default();
    for chunk in body.chunks(size) {
        tap.feed(chunk, &mut sink);
    }
    (tap.finish(&mut sink), sink)
}

/// What a form says at these names, as pairs of index and value.
fn form(names: &[&str], body: &str) -> Vec<(usize, String)> {
    let whole = form_in(names, body.as_bytes(), body.len().max(1));
    for size in 1..6 {
        assert_eq!(
            form_in(names, body.as_bytes(), size),
            whole,
            "chunks of {size}: {body}"
        );
    }
    let found = whole.1.found.into_iter();
    found
        .map(|(i, _, bytes)| (i, String::from_utf8_lossy(&bytes).into_owned()))
        .collect()
}

#[test]
fn finds_the_fields_of_a_form() {
    let names = ["oauth_token", "oauth_token_secret", "a b"];
    let body = "oauth_token=AB%2fC%2F+D&x=%%%&oauth_token_secret=s=t&oauth_callback_confirmed=true";
    let owned = |all: &[(usize, &str)]| -> Vec<_> {
        all.iter()
            .map(|(i, text)| (*i, (*text).to_owned()))
            .collect()
    };
    assert_eq!(form(&names, body), owned(&[(0, "AB/C/ D"), (1, "s=t")]));
    let table: &[(&str, &[(usize, &str)])] = &[
        ("", &[]),
        ("&&=x&", &[]),
        ("a+b=1&a%20b=2&%61 b=3", &[(2, "1"), (2, "2"), (2, "3")]),
        ("oauth_token", &[(0, "")]),
        ("oauth_token&x", &[(0, "")]),
        ("oauth_token=&oauth_token", &[(0, ""), (0, "")]),
        ("oauth_token=%zz%4", &[(0, "%zz%4")]),
        ("oauth_token=%4&x=%", &[(0, "%4")]),
        ("oauth_token=%%41%", &[(0, "%A%")]),
        (
            "oauth_token%=1&oauth_toke=2&oauth_tokens=3&OAUTH_TOKEN=4",
            &[],
        ),
        ("a%=1", &[]),
    ];
    for (body, expected) in table {
        assert_eq!(form(&names, body), owned(expected), "{body}");
    }
    let long = "n".repeat(MAX_KEY_BYTES);
    assert_eq!(
        form(&[&long], &format!("{long}n=1&{long}=2")),
        owned(&[(0, "2")])
    );
}

#[test]
fn form_taps_end() {
    assert_eq!(form_in(&["a"], b"", 1).0, TapStatus::Empty);
    assert_eq!(form_in(&["a"], b"b=1", 1).0, TapStatus::Complete);
    assert_eq!(
        NameSet::compile(&["a", "a"]).unwrap_err(),
        PathError::Duplicate {
            path: "a".to_owned()
        }
    );
    assert!(NameSet::compile(&[""]).is_err());
    assert!(NameSet::compile(&[&"n".repeat(MAX_KEY_BYTES + 1)]).is_err());
    assert!(NameSet::compile(&["a"; MAX_PATHS + 1]).is_err());
}
