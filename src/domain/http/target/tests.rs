use proptest::prelude::*;

use super::*;

fn parse(raw: &str) -> Result<Target<'_>, Refusal> {
    Target::parse(raw.as_bytes(), EncodedSlash::Refuse)
}

fn parse_allowing(raw: &str) -> Result<Target<'_>, Refusal> {
    Target::parse(raw.as_bytes(), EncodedSlash::Allow)
}

#[test]
fn splits_path_and_query() {
    let target = parse("/cybrid/bank/api/trades?page=0&guid=a%2Cb?c").unwrap();
    assert_eq!(target.path(), "/cybrid/bank/api/trades");
    assert_eq!(target.query(), Some("page=0&guid=a%2Cb?c"));
    assert_eq!(
        target.as_str(),
        "/cybrid/bank/api/trades?page=0&guid=a%2Cb?c"
    );
    let segments: Vec<_> = target.segments().collect();
    assert_eq!(segments, ["cybrid", "bank", "api", "trades"]);
    assert_eq!(parse("/a").unwrap().query(), None);
    assert_eq!(parse("/a?").unwrap().query(), Some(""));
}

#[test]
fn a_trailing_slash_is_kept() {
    let target = parse("/api/subscriptions/").unwrap();
    assert_eq!(target.path(), "/api/subscriptions/");
    assert_eq!(target.segments().last(), Some(""));
    assert_eq!(parse("/").unwrap().segments().collect::<Vec<_>>(), [""]);
}

#[test]
fn good_targets_pass() {
    let good = [
        "/users/email/a@b.example/terminator",
        "/obp/v4.0.0/banks/gh.29.uk/accounts/8ca8a7e4/owner",
        "/a;v=1/b,c/d:e/$f/(g)*!'+~=&",
        "/caf%C3%A9/%E2%82%AC/%F0%9F%98%80",
        "/100%25/50%25x",
        "/...a/..b/.c/d..",
        "/a?q=%2F%5C../..//%2e%2e",
        "/a?filter[x]={1}|^`&t=2026-01-01T00:00:00Z",
        "/a?n=%F0%9F%98%80+b",
    ];
    for raw in good {
        assert!(parse(raw).is_ok(), "{raw}");
    }
}

#[test]
fn bad_targets_are_refused() {
    use Refusal::*;
    let table: &[(&str, Refusal)] = &[
        ("", BadTarget),
        ("a", BadTarget),
        ("?a", BadTarget),
        ("*", AsteriskForm),
        ("http://bank/a", AbsoluteForm),
        ("//bank/a", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//", EmptySegment),
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/a/./b", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/..?q", DotSegment),
        ("/a/..;/b", DotSegment),
        ("/a/.;x=1", DotSegment),
        ("/a/%2e%2e/b", DotSegment),
        ("/a/%2E./b", DotSegment),
        ("/a/.%2e", DotSegment),
        ("/a/%2e", DotSegment),
        ("/a/..%3bx/b", DotSegment),
        ("/a/%252e%252E/b", DotSegment),
        ("/a/%25252e", DotSegment),
        ("/a/%25%32%65/b", DotSegment),
        ("/a/%2525252e", NestedEncoding),
        ("/a%2fb", EncodedSlash),
        ("/a%2Fb", EncodedSlash),
        ("/a%252fb", EncodedSlash),
        ("/a%25%32fb", EncodedSlash),
        ("/a\\b", Backslash),
        ("/a%5cb", Backslash),
        ("/a%255Cb", Backslash),
        ("/a?b\\c", Backslash),
        ("/a%00", TargetControl),
        ("/a%0d%0aHost:x", TargetControl),
        ("/a%2500", TargetControl),
        ("/a%7f", TargetControl),
        ("/a%C2%85", TargetControl),
        ("/a?b=%00", TargetControl),
        ("/a?b=%0A", TargetControl),
        ("/a\tb", TargetControl),
        ("/a b", TargetCharacter),
        ("/a\"b", TargetCharacter),
        ("/a<b>", TargetCharacter),
        ("/a[0]", TargetCharacter),
        ("/a{b}", TargetCharacter),
        ("/a?b c", TargetCharacter),
        ("/a?b=<c>", TargetCharacter),
        ("/a#b", TargetFragment),
        ("/a?b#c", TargetFragment),
        ("/a%", TargetEscape),
        ("/a%4", TargetEscape),
        ("/a%zz", TargetEscape),
        ("/a%%32%65", TargetEscape),
        ("/a?b=%", TargetEscape),
        ("/a?b=100%", TargetEscape),
        ("/a?b=%u0041", TargetEscape),
        ("/a%ff", TargetUtf8),
        ("/a%c0%ae", TargetUtf8),
        ("/a%C3x", TargetUtf8),
        ("/a%C3%41", TargetUtf8),
        ("/a%ED%A0%80", TargetUtf8),
        ("/a%F5%80%80%80", TargetUtf8),
        ("/a%25c0%25ae", TargetUtf8),
        ("/a?b=%e2%82", TargetUtf8),
        ("/caf\u{e9}", TargetNotAscii),
        ("/a?b=\u{e9}", TargetNotAscii),
    ];
    for (raw, expected) in table {
        assert_eq!(parse(raw), Err(*expected), "{raw:?}");
    }
}

#[test]
fn encoded_slashes_pass_only_where_allowed() {
    let raw = "/users/http%3A%2F%2F127.0.0.1%3A8080/susan";
    assert_eq!(parse(raw), Err(Refusal::EncodedSlash));
    assert_eq!(parse_allowing(raw).unwrap().segments().count(), 3);
    assert_eq!(parse_allowing("/a%2f..%2fb"), Err(Refusal::DotSegment));
    assert_eq!(
        parse_allowing("/a%252f%252e%252e"),
        Err(Refusal::DotSegment)
    );
    assert_eq!(parse_allowing("/a%5cb"), Err(Refusal::Backslash));
}

#[test]
fn limits_hold_at_the_byte() {
    let path = |n: usize| format!("/{}", "a".repeat(n - 1));
    assert!(parse(&path(MAX_PATH_BYTES)).is_ok());
    assert_eq!(parse(&path(MAX_PATH_BYTES + 1)), Err(Refusal::PathTooLong));
    let query = |n: usize| format!("/a?{}", "b".repeat(n));
    assert!(parse(&query(MAX_QUERY_BYTES)).is_ok());
    assert_eq!(
        parse(&query(MAX_QUERY_BYTES + 1)),
        Err(Refusal::QueryTooLong)
    );
    assert!(parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    assert_eq!(
        parse(&"/a".repeat(MAX_SEGMENTS + 1)),
        Err(Refusal::TooManySegments)
    );
}

#[test]
fn debug_shows_nothing() {
    let target = parse("/a/hunter2?secretKey=hunter2").unwrap();
    assert_eq!(format!("{target:?}"), "Target([hidden])");
}

/// Decodes until nothing changes: the worst that a server could do.
fn decode_fully(path: &str) -> Vec<u8> {
    let mut text = path.as_bytes().to_vec();
    loop {
        let decoded: Vec<u8> = percent_encoding::percent_decode(&text).collect();
        if decoded == text {
            return text;
        }
        text = decoded;
    }
}

proptest! {
    #[test]
    fn nothing_hides_under_encodings(raw in "/([a.;/]|%2[5eEfF]|%5[cC]|%3[2b]|%6[5]|[25eEfF]){0,14}") {
        if let Ok(target) = parse(&raw) {
            let worst = decode_fully(target.path());
            let slashes = |text: &[u8]| text.iter().filter(|&&b| b == b'/').count();
            prop_assert_eq!(slashes(&worst), slashes(raw.as_bytes()));
            prop_assert!(!worst.contains(&b'\\'));
            let mut names = worst
                .split(|&b| b == b'/')
                .map(|segment| segment.split(|&b| b == b';').next().unwrap_or_default());
            let dots = names.any(|name| name == b"." || name == b"..");
            prop_assert!(!dots);
        }
    }

    #[test]
    fn what_passes_is_valid_for_the_http_crate(raw in "/[ -~]{0,12}(\\?[ -~]{0,12})?") {
        if let Ok(target) = parse(&raw) {
            let uri: http::uri::PathAndQuery = raw.parse().unwrap();
            prop_assert_eq!(uri.path(), target.path());
            prop_assert_eq!(uri.query(), target.query());
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut raw = vec![b'/'];
        raw.extend(bytes);
        if let Ok(target) = Target::parse(&raw, EncodedSlash::Allow) {
            prop_assert_eq!(target.as_str().as_bytes(), &raw[..]);
        }
    }
}
