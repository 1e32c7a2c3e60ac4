use proptest::prelude::*;

use super::*;

fn scan(head: &[u8]) -> Progress {
    HeadScanner::new(HeadLimits::default()).scan(head)
}

fn refusal(head: &[u8]) -> Option<Refusal> {
    match scan(head) {
        Progress::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

fn summary(head: &[u8]) -> HeadSummary {
    match scan(head) {
        Progress::Complete { summary, .. } => summary,
        other => panic!("{other:?} for {}", String::from_utf8_lossy(head)),
    }
}

/// A head with good request line and host plus these header lines.
fn with(fields: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n").into_bytes()
}

#[test]
fn accepts_what_a_client_sends() {
    let head = b"POST /cybrid/bank/api/trades?x=1 HTTP/1.1\r\nHost: localhost:8080\r\n\
        Authorization: Bearer abc.def\r\naccept: */*\r\nX-Empty:\r\nContent-Length: 17\r\n\r\n{\"a\":";
    let Progress::Complete { head_len, summary } = scan(head) else {
        panic!("not accepted");
    };
    assert_eq!(&head[head_len..], b"{\"a\":");
    assert_eq!(&head[summary.method.clone()], b"POST");
    assert_eq!(
        &head[summary.target.clone()],
        b"/cybrid/bank/api/trades?x=1"
    );
    assert_eq!(&head[summary.host.clone().unwrap()], b"localhost:8080");
    assert_eq!(summary.version, HttpVersion::Http11);
    assert_eq!(summary.framing, BodyFraming::Length(17));
    assert_eq!(summary.fields, 5);
}

#[test]
fn framing_is_read() {
    assert_eq!(summary(&with("")).framing, BodyFraming::None);
    assert_eq!(
        summary(&with("Content-length:\t0 \r\n")).framing,
        BodyFraming::Length(0)
    );
    assert_eq!(
        summary(&with("Transfer-Encoding: Chunked\r\n")).framing,
        BodyFraming::Chunked
    );
    let most = with("Content-Length: 18446744073709551615\r\n");
    assert_eq!(summary(&most).framing, BodyFraming::Length(u64::MAX));
}

#[test]
fn one_empty_line_before_the_request_is_ignored() {
    let head = b"\r\nGET /a HTTP/1.0\r\n\r\n";
    let summary = summary(head);
    assert_eq!(&head[summary.target], b"/a");
    assert_eq!(summary.host, None);
    assert_eq!(
        refusal(b"\r\n\r\nGET /a HTTP/1.0\r\n\r\n"),
        Some(Refusal::LeadingEmptyLines)
    );
    assert_eq!(refusal(b"\nGET /a HTTP/1.0\r\n\r\n"), Some(Refusal::BareLf));
}

#[test]
fn other_protocols_are_named() {
    assert_eq!(refusal(b"\x16\x03\x01"), Some(Refusal::TlsOnPlainPort));
    assert_eq!(
        refusal(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Some(Refusal::Http2Preface)
    );
    assert_eq!(
        refusal(b"CONNECT bank:443 HTTP/1.1\r\n"),
        Some(Refusal::Connect)
    );
}

#[test]
fn request_lines_are_refused() {
    use Refusal::*;
    let table: &[(&str, Refusal)] = &[
        ("GET", BadRequestLine),
        ("GET /a", BadVersion),
        ("GET  /a HTTP/1.1", BadRequestLine),
        ("GET /a  HTTP/1.1", BadRequestLine),
        ("GET /a HTTP/1.1 ", BadRequestLine),
        ("GET\t/a HTTP/1.1", BadMethod),
        ("GET /a\tb HTTP/1.1", BadRequestLine),
        ("GET /a\0b HTTP/1.1", BadRequestLine),
        ("GET /a\rHost: b HTTP/1.1", BareCr),
        ("GET /a b HTTP/1.1", BadRequestLine),
        (" GET /a HTTP/1.1", BadMethod),
        ("G(T /a HTTP/1.1", BadMethod),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG /a HTTP/1.1", BadMethod),
        ("GET /a HTTP/2.0", BadVersion),
        ("GET /a HTTP/1.2", BadVersion),
        ("GET /a HTTP/11", BadRequestLine),
        ("GET /a http/1.1", BadRequestLine),
        ("GET http://bank/a HTTP/1.1", AbsoluteForm),
        ("GET HTTPS://bank/a HTTP/1.1", AbsoluteForm),
        ("OPTIONS * HTTP/1.1", AsteriskForm),
        ("GET a HTTP/1.1", BadTarget),
        ("GET bank:443 HTTP/1.1", BadTarget),
        ("GET /caf\u{e9} HTTP/1.1", TargetNotAscii),
        ("GET /a?b=c#d HTTP/1.1", TargetFragment),
        ("GET /a\"b HTTP/1.1", TargetCharacter),
        ("GET /a|b HTTP/1.1", TargetCharacter),
        ("GET /a\\b HTTP/1.1", Backslash),
    ];
    for (line, expected) in table {
        let head = format!("{line}\r\nHost: x\r\n\r\n");
        assert_eq!(refusal(head.as_bytes()), Some(*expected), "{line:?}");
    }
}

#[test]
fn header_lines_are_refused() {
    use Refusal::*;
    let table: &[(&str, Refusal)] = &[
        ("A: 1\n", BareLf),
        ("A: 1\n\r\n", BareLf),
        ("A: 1\rB: 2\r\n", BareCr),
        ("A: 1\r\r\n", BareCr),
        ("A\r: 1\r\n", BareCr),
        ("A: 1\r\n folded\r\n", ObsFold),
        ("A: 1\r\n\tfolded\r\n", ObsFold),
        (": 1\r\n", BadFieldName),
        ("A\r\n", BadFieldName),
        ("A B\r\n", BadFieldName),
        ("A\u{e9}: 1\r\n", BadFieldName),
        ("A(: 1\r\n", BadFieldName),
        ("A\0: 1\r\n", BadFieldName),
        ("A : 1\r\n", SpaceBeforeColon),
        ("Content-Length\t: 1\r\n", SpaceBeforeColon),
        ("A: \0\r\n", BadFieldValue),
        ("A: \x1b[31m\r\n", BadFieldValue),
        ("A: \x7f\r\n", BadFieldValue),
        ("hOST: x\r\n", DuplicateHost),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            DuplicateLength,
        ),
        (
            "Content-Length: 5\r\ncontent-length: 6\r\n",
            ConflictingLength,
        ),
        ("Content-Length: 5, 5\r\n", DuplicateLength),
        ("Content-Length: 5,6\r\n", ConflictingLength),
        ("Content-Length: 5,\r\n", BadLength),
        ("Content-Length: +5\r\n", BadLength),
        ("Content-Length: -5\r\n", BadLength),
        ("Content-Length: 0x5\r\n", BadLength),
        ("Content-Length: 5 5\r\n", BadLength),
        ("Content-Length:\r\n", BadLength),
        ("Content-Length: \u{665}\r\n", BadLength),
        ("Content-Length: 18446744073709551616\r\n", BadLength),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            LengthWithTransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            LengthWithTransferEncoding,
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            TransferEncodingUnsupported,
        ),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            TransferEncodingUnsupported,
        ),
        (
            "Transfer-Encoding: chunked;q=1\r\n",
            TransferEncodingUnsupported,
        ),
        (
            "Transfer-Encoding: \"chunked\"\r\n",
            TransferEncodingUnsupported,
        ),
        (
            "Transfer-Encoding: xchunked\r\n",
            TransferEncodingUnsupported,
        ),
        ("Transfer-Encoding: \x0bchunked\r\n", BadFieldValue),
        ("Transfer-Encoding:\r\n", TransferEncodingUnsupported),
        (
            "Transfer-Encoding: identity\r\n",
            TransferEncodingUnsupported,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            TransferEncodingUnsupported,
        ),
    ];
    for (fields, expected) in table {
        assert_eq!(refusal(&with(fields)), Some(*expected), "{fields:?}");
    }
}

#[test]
fn version_decides_about_host_and_transfer_encoding() {
    assert_eq!(
        refusal(b"GET /a HTTP/1.1\r\n\r\n"),
        Some(Refusal::MissingHost)
    );
    assert_eq!(
        refusal(b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Some(Refusal::TransferEncodingInHttp10)
    );
    assert_eq!(
        refusal(b"GET /a HTTP/1.1\r\n Host: x\r\n\r\n"),
        Some(Refusal::ObsFold)
    );
}

#[test]
fn hosts_are_judged() {
    let good = [
        "localhost",
        "a.b:1",
        "127.0.0.1:65535",
        "[::1]",
        "[::1]:80",
        "my_host.",
        " bank.example \t",
    ];
    for host in good {
        let head = format!("GET / HTTP/1.1\r\nHost:{host}\r\n\r\n");
        let span = summary(head.as_bytes()).host.unwrap();
        assert_eq!(&head[span], host.trim(), "{host:?}");
    }
    let long = "a".repeat(263);
    let bad = [
        "", ":80", "a:", "a:65536", "a:123456", "a:+1", "a:8o", "a b", "u@h", "a,b", "a/b", "[::1",
        "[::1]x", "[g::]", "[]", "a%41", "\u{e9}", &long,
    ];
    for host in bad {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refusal(head.as_bytes()), Some(Refusal::BadHost), "{host:?}");
    }
}

#[test]
fn limits_hold_at_the_byte() {
    let limits = HeadLimits {
        total_bytes: 100,
        request_line_bytes: 20,
        field_bytes: 30,
        fields: 3,
    };
    let scan = |head: &str| HeadScanner::new(limits).scan(head.as_bytes());
    let accepted = |head: &str| matches!(scan(head), Progress::Complete { .. });

    assert!(accepted("GET /23456 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(accepted("GET /234567 HTTP/1.1\r\nHost: x\r\n\r\n"));
    let too_long = Progress::Refused(Refusal::RequestLineTooLarge);
    assert_eq!(scan("GET /2345678 HTTP/1.1\r\nHost: x\r\n\r\n"), too_long);
    assert_eq!(
        scan("GET /234567890123456789"),
        too_long,
        "before the line ends"
    );

    let field = |n: usize| format!("GET / HTTP/1.0\r\nA: {}\r\n\r\n", "v".repeat(n));
    assert!(accepted(&field(27)));
    assert_eq!(scan(&field(28)), Progress::Refused(Refusal::FieldTooLarge));

    let fields = |n: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A: 1\r\n".repeat(n));
    assert!(accepted(&fields(3)));
    assert_eq!(scan(&fields(4)), Progress::Refused(Refusal::TooManyFields));

    // 16 bytes of request line, two lines of 31, 20 or 21 bytes and the empty line.
    let total = |n: usize| {
        let long = format!("A: {}\r\n", "v".repeat(26));
        format!("GET / HTTP/1.0\r\n{long}{long}A: {}\r\n\r\n", "v".repeat(n))
    };
    assert_eq!(total(15).len(), 100);
    assert!(accepted(&total(15)));
    assert_eq!(scan(&total(16)), Progress::Refused(Refusal::HeadTooLarge));
}

#[test]
fn bank_tokens_pass_by_default() {
    let token = "t".repeat(3 * 1024);
    let cookie = "c".repeat(8 * 1024);
    let head = with(&format!(
        "Authorization: Bearer {token}\r\nCookie: {cookie}\r\n"
    ));
    assert_eq!(summary(&head).fields, 3);
    let query = "g".repeat(32 * 1024);
    let head = format!("GET /{query} HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(summary(head.as_bytes()).fields, 1);
}

#[test]
fn the_answer_stays() {
    let mut scanner = HeadScanner::new(HeadLimits::default());
    let refused = scanner.scan(b"GET / HTTP/9.9\r\n");
    assert_eq!(refused, Progress::Refused(Refusal::BadVersion));
    assert_eq!(scanner.scan(b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"), refused);
}

/// Pieces from which heads are built that are right, nearly right and wrong.
fn head() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        6 => Just("GET /a?b HTTP/1.1\r\n"), 1 => Just("POST /x HTTP/1.0\r\n"), 1 => Just("\r\n"),
        1 => Just("PUT /\u{e9} HTTP/1.1\r\n"), 1 => Just("GET /a\nHTTP/1.1\r\n"), 1 => Just("M!x /\"<>{}|^` HTTP/1.1\r\n"),
    ];
    let line = prop_oneof![
        4 => Just("Host: bank.example\r\n".to_owned()),
        4 => "[A-Za-z!#_-]{1,9}:[ \t]{0,2}[ -~\u{e9}\t]{0,40}\r\n",
        1 => Just("Content-Length: 5\r\n".to_owned()),
        1 => Just("Transfer-Encoding: chunked\r\n".to_owned()),
        1 => Just(" fold\r\n".to_owned()),
        1 => "[ -~\r\n\t\0]{0,12}",
    ];
    (
        start,
        prop::collection::vec(line, 0..6),
        any::<bool>(),
        "[ -~\r\n]{0,5}",
    )
        .prop_map(|(start, lines, ends, body)| {
            let end = if ends { "\r\n" } else { "" };
            [start, &lines.concat(), end, &body].concat().into_bytes()
        })
}

proptest! {
    #[test]
    fn accepted_heads_mean_the_same_to_httparse(head in head()) {
        let Progress::Complete { head_len, summary } = scan(&head) else { return Ok(()) };
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        let status = request.parse(&head);
        prop_assert_eq!(status, Ok(httparse::Status::Complete(head_len)));
        prop_assert_eq!(request.method.unwrap().as_bytes(), &head[summary.method.clone()]);
        prop_assert_eq!(request.path.unwrap().as_bytes(), &head[summary.target.clone()]);
        let minor = u8::from(summary.version == HttpVersion::Http11);
        prop_assert_eq!(request.version, Some(minor));
        prop_assert_eq!(request.headers.len(), summary.fields);
        let named = |name: &str| {
            request.headers.iter().filter(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value).collect::<Vec<_>>()
        };
        let host: Vec<&[u8]> = summary.host.iter().map(|span| &head[span.clone()]).collect();
        prop_assert_eq!(named("host"), host);
        let length = match summary.framing { BodyFraming::Length(n) => vec![n.to_string()], _ => vec![] };
        let length: Vec<&[u8]> = length.iter().map(|text| text.as_bytes()).collect();
        prop_assert_eq!(named("content-length"), length);
        let chunked = summary.framing == BodyFraming::Chunked;
        prop_assert_eq!(named("transfer-encoding").len(), usize::from(chunked));
    }

    #[test]
    fn pieces_do_not_matter(head in head(), total in 20_usize..200, line in 10_usize..60, count in 0_usize..5) {
        let limits = HeadLimits { total_bytes: total, request_line_bytes: line, field_bytes: line, fields: count };
        for limits in [limits, HeadLimits::default()] {
            let whole = HeadScanner::new(limits).scan(&head);
            let mut scanner = HeadScanner::new(limits);
            let mut last = Progress::NeedMore;
            for end in 0..=head.len() {
                last = scanner.scan(&head[..end]);
                if last != Progress::NeedMore { break; }
            }
            prop_assert_eq!(last, whole);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut scanner = HeadScanner::new(HeadLimits::default());
        scanner.scan(&bytes);
        // A caller that breaks the contract gets some answer, not a panic.
        scanner.scan(&[]);
        scanner.scan(bytes.get(..3).unwrap_or_default());
    }
}
