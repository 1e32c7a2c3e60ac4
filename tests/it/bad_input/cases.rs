//! Requests that the gateway must refuse, and why.

use super::{LIST, MARK};

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [lengths(), lines(), targets(), sizes()]
        .into_iter()
        .flatten()
        .collect()
}

/// A request.
pub(super) struct Case {
    /// The code of the refusal.
    pub(super) code: &'static str,
    /// What is sent, or what it tries.
    pub(super) name: String,
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether the sending side is closed after the bytes.
    pub(super) cut: bool,
}

fn case(code: &'static str, name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case {
        code,
        name: name.to_owned(),
        bytes: bytes.into(),
        cut: false,
    }
}

/// A request with these fields after `Host`.
fn fields(code: &'static str, fields: &str) -> Case {
    case(
        code,
        fields,
        format!("GET {LIST}?{MARK} HTTP/1.1\r\nHost: localhost\r\nX: {MARK}\r\n{fields}\r\n\r\n"),
    )
}

/// A request for this target.
fn target(code: &'static str, target: &str) -> Case {
    case(
        code,
        target,
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX: {MARK}\r\n\r\n"),
    )
}

/// A request line, with a whole head after it.
fn line(code: &'static str, line: &str) -> Case {
    case(
        code,
        line,
        format!("{line}\r\nHost: localhost\r\nX: {MARK}\r\n\r\n"),
    )
}

fn lengths() -> Vec<Case> {
    vec![
        fields(
            "conflicting_length",
            "Content-Length: 4\r\nContent-Length: 5",
        ),
        fields("conflicting_length", "Content-Length: 4, 5"),
        fields("duplicate_length", "Content-Length: 4\r\ncontent-length: 4"),
        fields("duplicate_length", "Content-Length: 4, 4"),
        fields("bad_length", "Content-Length: +4"),
        fields("bad_length", "Content-Length: 0x4"),
        fields("bad_length", "Content-Length: 4 4"),
        fields("bad_length", "Content-Length: "),
        fields("bad_length", "Content-Length: -1"),
        fields("bad_length", "Content-Length: 99999999999999999999999"),
        fields(
            "length_with_transfer_encoding",
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
        ),
        fields(
            "length_with_transfer_encoding",
            "Transfer-Encoding: chunked\r\nContent-Length: 4",
        ),
        fields(
            "transfer_encoding_unsupported",
            "Transfer-Encoding: gzip, chunked",
        ),
        fields(
            "transfer_encoding_unsupported",
            "Transfer-Encoding: identity",
        ),
        fields(
            "transfer_encoding_unsupported",
            "Transfer-Encoding: xchunked",
        ),
        fields(
            "transfer_encoding_unsupported",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ),
        fields(
            "transfer_encoding_unsupported",
            "Transfer-Encoding: \"chunked\"",
        ),
        fields("space_before_colon", "Transfer-Encoding : chunked"),
        fields("bad_field_name", "Transfer-Encoding\x0b: chunked"),
        fields("bad_field_value", "Transfer-Encoding: \x0bchunked"),
        case(
            "transfer_encoding_in_http10",
            "chunked in HTTP/1.0",
            format!("POST {LIST}?{MARK} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ),
    ]
}

fn lines() -> Vec<Case> {
    vec![
        fields("obs_fold", "X-A: 1\r\n folded"),
        fields("obs_fold", "X-A: 1\r\n\tTransfer-Encoding: chunked"),
        case(
            "obs_fold",
            "folded at once",
            format!("GET {LIST} HTTP/1.1\r\n Host: {MARK}\r\n\r\n"),
        ),
        case(
            "bare_lf",
            "LF everywhere",
            format!("GET {LIST} HTTP/1.1\nHost: localhost\nX: {MARK}\n\n"),
        ),
        fields("bare_lf", "X-A: 1\nX-B: 2"),
        fields("bare_cr", "X-A: 1\rX-B: 2"),
        fields("bad_field_name", ": no name"),
        fields("bad_field_name", "no colon"),
        fields("bad_field_name", "näme: 1"),
        fields("bad_field_name", "a(b): 1"),
        fields("space_before_colon", "X-A : 1"),
        fields("bad_field_value", "X-A: a\0b"),
        fields("bad_field_value", "X-A: a\x01b"),
        fields("bad_field_value", "X-A: a\x7fb"),
        case(
            "missing_host",
            "no Host",
            format!("GET {LIST} HTTP/1.1\r\nX: {MARK}\r\n\r\n"),
        ),
        fields("duplicate_host", "Host: localhost"),
        case(
            "bad_host",
            "path in Host",
            format!("GET / HTTP/1.1\r\nHost: a/{MARK}\r\n\r\n"),
        ),
        case(
            "bad_host",
            "user in Host",
            format!("GET / HTTP/1.1\r\nHost: {MARK}@localhost\r\n\r\n"),
        ),
        case(
            "bad_host",
            "two hosts in one",
            format!("GET / HTTP/1.1\r\nHost: a, {MARK}\r\n\r\n"),
        ),
        case(
            "bad_host",
            "empty Host",
            format!("GET / HTTP/1.1\r\nHost:\r\nX: {MARK}\r\n\r\n"),
        ),
        case(
            "bad_host",
            "port of five nines",
            format!("GET / HTTP/1.1\r\nHost: a:99999\r\nX: {MARK}\r\n\r\n"),
        ),
        line("bad_method", &format!("G@T /{MARK} HTTP/1.1")),
        line("bad_method", &format!("{} / HTTP/1.1", "M".repeat(33))),
        line("bad_method", " / HTTP/1.1"),
        line("bad_method", &format!("GET\t/{MARK} HTTP/1.1")),
        line("bad_request_line", &format!("GET  /{MARK} HTTP/1.1")),
        line("bad_request_line", &format!("GET /{MARK} HTTP/1.1 ")),
        line("bad_request_line", &format!("GET /{MARK} /x HTTP/1.1")),
        line("bad_request_line", &format!("GET /{MARK}\0 HTTP/1.1")),
        line("bad_request_line", MARK),
        line("bad_version", &format!("GET /{MARK}")),
        line("bad_version", &format!("GET /{MARK} HTTP/0.9")),
        line("bad_version", &format!("GET /{MARK} HTTP/1.2")),
        line("bad_version", &format!("GET /{MARK} HTTP/2.0")),
        line("bad_request_line", &format!("GET /{MARK} http/1.1")),
        case(
            "leading_empty_lines",
            "empty lines",
            format!("\r\n\r\nGET /{MARK} HTTP/1.1\r\n\r\n"),
        ),
        case(
            "http2_preface",
            "HTTP/2, then garbage",
            format!("PRI * HTTP/2.0\r\n\r\nXX\r\n{MARK}"),
        ),
        case(
            "tls_on_plain_port",
            "TLS",
            [
                &[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..],
                MARK.as_bytes(),
            ]
            .concat(),
        ),
        Case {
            cut: true,
            ..case(
                "head_incomplete",
                "cut",
                format!("GET {LIST} HTTP/1.1\r\nHost: localhost\r\nX: {MARK}"),
            )
        },
        case(
            "head_timeout",
            "half a head",
            format!("GET {LIST} HTTP/1.1\r\nHost: localhost\r\nX: {MARK}"),
        ),
        case("head_timeout", "one byte", "G"),
    ]
}

fn targets() -> Vec<Case> {
    vec![
        target("absolute_form", &format!("http://localhost{LIST}?{MARK}")),
        target("absolute_form", &format!("https://user:{MARK}@localhost/")),
        line("connect", &format!("CONNECT {MARK}.example:443 HTTP/1.1")),
        line("connect", &format!("CONNECT /{MARK} HTTP/1.1")),
        line("asterisk_form", "OPTIONS * HTTP/1.1"),
        target("bad_target", MARK),
        target("bad_target", &format!("?{MARK}")),
        target("dot_segment", &format!("{LIST}/../{MARK}")),
        target("dot_segment", &format!("/cybrid/bank/./{MARK}")),
        target("dot_segment", &format!("{LIST}/.%2E/{MARK}")),
        target("dot_segment", &format!("{LIST}/%2e%2e/{MARK}")),
        target("dot_segment", &format!("{LIST}/..;x=1/{MARK}")),
        target("dot_segment", &format!("{LIST}/%252e%252e/{MARK}")),
        target("dot_segment", "/cybrid/bank/.."),
        target("encoded_slash", &format!("{LIST}/a%2F{MARK}")),
        target("dot_segment", &format!("{LIST}/a%2f..%2f{MARK}")),
        target("encoded_slash", &format!("{LIST}/a%252f{MARK}")),
        target("backslash", &format!("{LIST}/a\\{MARK}")),
        target("backslash", &format!("{LIST}/a%5c{MARK}")),
        target("empty_segment", &format!("/cybrid//bank/{MARK}")),
        target("empty_segment", &format!("//{MARK}")),
        target("nested_encoding", &format!("{LIST}/%2525252541{MARK}")),
        target("target_utf8", &format!("{LIST}/%ff{MARK}")),
        target("target_utf8", &format!("{LIST}/%c0%af{MARK}")),
        target("target_utf8", &format!("{LIST}?x=%ed%a0%80{MARK}")),
        target("target_control", &format!("{LIST}/%00{MARK}")),
        target(
            "target_control",
            &format!("{LIST}?x=%0d%0aSet-Cookie:{MARK}"),
        ),
        target("target_escape", &format!("{LIST}/%zz{MARK}")),
        target("target_escape", &format!("{LIST}?x={MARK}%4")),
        target("target_not_ascii", &format!("{LIST}/ü{MARK}")),
        target("target_fragment", &format!("{LIST}#{MARK}")),
        target("target_character", &format!("{LIST}/\"{MARK}\"")),
        target("target_character", &format!("{LIST}/<{MARK}>")),
        target("target_character", &format!("{LIST}/{{{MARK}}}")),
        target("target_character", &format!("{LIST}/a|{MARK}")),
        target("target_character", &format!("{LIST}?x=\"{MARK}\"")),
        target("path_too_long", &format!("{LIST}/{}", MARK.repeat(500))),
        target("too_many_segments", &format!("{LIST}{}", "/a".repeat(70))),
        target("query_too_long", &format!("{LIST}?q={}", MARK.repeat(3700))),
        target(
            "request_line_too_large",
            &format!("{LIST}?q={}", MARK.repeat(5000)),
        ),
        target("no_such_provider", &format!("/{MARK}")),
        case(
            "no_such_provider",
            "unknown host",
            format!("GET /api/customers HTTP/1.1\r\nHost: {MARK}.example\r\n\r\n"),
        ),
    ]
}

fn sizes() -> Vec<Case> {
    vec![
        fields("field_too_large", &format!("X-Big: {}", MARK.repeat(2000))),
        fields(
            "head_too_large",
            &vec![format!("X-Part: {}", MARK.repeat(900)); 9].join("\r\n"),
        ),
        fields(
            "too_many_fields",
            &vec![format!("X-A: {MARK}"); 128].join("\r\n"),
        ),
    ]
}

/// The statuses as `docs/problems.md` lists them.
pub(super) fn status_of(code: &str) -> u16 {
    match code {
        "no_such_provider" => 404,
        "connect" => 405,
        "head_timeout" => 408,
        "path_too_long" | "too_many_segments" | "query_too_long" | "request_line_too_large" => 414,
        "field_too_large" | "head_too_large" | "too_many_fields" => 431,
        "transfer_encoding_unsupported" => 501,
        "bad_version" => 505,
        _ => 400,
    }
}
