//! Answers of a bank with secrets in every place that an answer has.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::origin::{Answer, Step};
use super::requests::pem;
use super::values::{Garden, Kind};
use super::wire::h2;

/// Headers of answers that somebody may want to log.
const HEADERS: &[&str] = &[
    "Set-Cookie",
    "GatewayLogin",
    "gatewaylogin",
    "Correlation-Id",
    "X-Request-Id",
    "Location",
    "WWW-Authenticate",
    "Link",
    "Server",
    "ETag",
    "Via",
    "Warning",
    "Content-Disposition",
    "Content-Location",
    "Retry-After",
    "X-Rate-Limit-Remaining",
    "Alt-Svc",
    "traceparent",
    "Egret-Call-Id",
    "X-Anything",
    "Date",
    "Age",
    "Refresh",
    "echo_Authorization",
];

fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn json_answer(status: &str, fields: &str, body: &str) -> Vec<u8> {
    answer(
        status,
        &format!("Content-Type: application/json\r\n{fields}"),
        body.as_bytes(),
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body in which fields that the catalog records hold something else, and fields that it does
/// not record hold what they always hold.
fn body(garden: &mut Garden, place: &str) -> String {
    let mut members = Vec::new();
    for name in [
        "guid",
        "customer_guid",
        "bank_guid",
        "type",
        "state",
        "side",
        "asset",
        "symbol",
        "status",
        "quote_guid",
        "created_at",
        "scope",
        "expires_in",
        "token_type",
        "client_id",
        "id",
        "exceptionId",
        "errorCode",
        "error",
        "error_description",
        "message",
        "message_code",
        "error_message",
        "code",
        "failedValue",
        "transient",
        "view_id",
        "value",
        "bank_id",
        "account_id",
        "iban",
        "email",
        "phone",
        "ssn",
        "user_id",
        "challenge",
        "consent_id",
        "jwt",
        "srn",
        "owner",
        "sourceAmount",
        "destAmount",
        "blockchainTx",
    ] {
        members.push(format!(
            "\"{name}\":\"{}\"",
            garden.field(name, format!("{place}, field {name}"))
        ));
    }
    let key = garden.any(format!("{place}, key"));
    let nested = garden.any(format!("{place}, nested"));
    let number = garden.plant(Kind::Card, format!("{place}, number"));
    members.push(format!(
        "\"{key}\":1,\"objects\":[{{\"guid\":\"{nested}\",\"name\":{{\"full\":\"{nested}\"}}}}],\
         \"tppMessages\":[{{\"code\":\"{nested}\"}}],\"pan\":{number}"
    ));
    format!("{{{}}}", members.join(","))
}

/// Answers for HTTP/1.1.
pub fn http1(garden: &mut Garden) -> Vec<Answer> {
    let mut all = Vec::new();
    for status in [
        "200 OK",
        "201 Created",
        "302 Found",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "409 Conflict",
        "422 Unprocessable",
        "429 Slow",
        "500 Broken",
        "503 No",
        "299 Odd",
    ] {
        let fields: String = HEADERS
            .iter()
            .map(|name| {
                let value = garden.any(format!("answer {status}, header {name}"));
                format!("{name}: {value}\r\n")
            })
            .collect();
        let name = garden.plant(Kind::HexKey, format!("answer {status}, header name"));
        let body = body(garden, &format!("answer {status}"));
        let fields = format!("{fields}{name}: 1\r\n");
        all.push(Answer::new(status, json_answer(status, &fields, &body)));
    }
    for (status, body) in [
        (
            "401 No",
            "{\"code\":401,\"message\":\"OBP-20003: Token not valid: @\"}",
        ),
        ("401 No", "{\"code\":401,\"message\":\"OBP-20003@\"}"),
        ("401 No", "{\"code\":401,\"message\":\"@ OBP-20003\"}"),
        (
            "400 No",
            "{\"error\":\"OBP-10001: Incorrect json format @\",\"failMsg\":\"@\"}",
        ),
        (
            "422 No",
            "{\"status\":422,\"message_code\":\"@\",\"error_message\":\"@\"}",
        ),
        (
            "422 No",
            "{\"status\":422,\"message_code\":\"invalid_parameter @\"}",
        ),
        (
            "400 No",
            "{\"error\":\"invalid_client @\",\"error_description\":\"@\"}",
        ),
        (
            "400 No",
            "{\"exceptionId\":\"@\",\"type\":\"ValidationException@\",\"errorCode\":\"validation.@\"}",
        ),
        (
            "400 No",
            "{\"exceptionId\":{\"@\":1},\"type\":[\"@\"],\"errorCode\":{\"x\":\"@\"}}",
        ),
        (
            "401 No",
            "{\"tppMessages\":[{\"code\":\"TOKEN_INVALID @\",\"text\":\"@\"}]}",
        ),
        ("400 No", "{\"message_code\":\"@"),
        ("400 No", "[\"@\"]"),
        ("400 No", "\"@\""),
        ("400 No", "@"),
    ] {
        let secret = garden.plant(Kind::Token, format!("error body {body}"));
        let text = body.replace('@', &secret);
        all.push(Answer::new(body, json_answer(status, "", &text)));
        let secret = garden.plant(Kind::Token, format!("error body {body}, compressed"));
        let packed = gzip(body.replace('@', &secret).as_bytes());
        all.push(Answer::new(
            format!("{body}, compressed"),
            answer(
                status,
                "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
                &packed,
            ),
        ));
    }
    for status in ["200 OK", "201 Created"] {
        let (access, refresh) = (
            garden.jwt(&format!("minted, {status}"), &[("sub_type", "\"bank\"")]),
            garden.plant(Kind::Token, format!("refresh token, {status}")),
        );
        let (secret, expires, id) = (
            garden.plant(Kind::Token, format!("client secret, {status}")),
            garden.any(format!("expires_in, {status}")),
            garden.any(format!("client id, {status}")),
        );
        let text = format!(
            "{{\"access_token\":\"{access}\",\"token\":\"{access}\",\"refresh_token\":\"{refresh}\",\
             \"id_token\":\"{access}\",\"secret\":\"{secret}\",\"client_id\":\"{id}\",\
             \"expires_in\":\"{expires}\",\"scope\":\"customers:read {expires}\",\
             \"sessionId\":\"{refresh}\",\"apiKey\":\"{secret}\",\"ownerSrn\":\"account:{id}\"}}"
        );
        all.push(Answer::new(
            format!("mint {status}"),
            json_answer(status, "", &text),
        ));
        let token = garden.plant(Kind::Token, format!("OAuth 1 answer, {status}"));
        let form = format!(
            "oauth_token={token}&oauth_token_secret={token}&oauth_callback_confirmed={token}"
        );
        all.push(Answer::new(
            format!("form {status}"),
            answer(status, "Content-Type: text/html\r\n", form.as_bytes()),
        ));
        let part = garden.plant(
            Kind::Token,
            format!("mint answer that breaks off, {status}"),
        );
        all.push(Answer::new(
            format!("mint cut {status}"),
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n\
                 {{\"access_token\":\"{part}"
            ),
        ));
    }
    all.extend(odd(garden));
    all.extend(slow(garden));
    all
}

/// Answers that are malformed, or close to it.
fn odd(garden: &mut Garden) -> Vec<Answer> {
    let mut all = Vec::new();
    let mut add = |name: &str, text: &dyn Fn(&str) -> Vec<u8>| {
        let secret = garden.plant(Kind::Token, format!("odd answer, {name}"));
        all.push(Answer::new(name, text(&secret)));
    };
    let ok = |fields: String, body: String| json_answer("200 OK", &fields, &body);
    add("status line is a secret", &|s| {
        format!("{s}\r\n\r\n").into()
    });
    add("status is a secret", &|s| {
        format!("HTTP/1.1 {s}\r\n\r\n").into()
    });
    add("version is a secret", &|s| {
        format!("HTTP/{s} 200 OK\r\n\r\n").into()
    });
    add("reason is a secret", &|s| {
        answer(&format!("200 {s}"), "", b"{}")
    });
    add("status of four digits", &|s| {
        format!("HTTP/1.1 2000 {s}\r\n\r\n").into()
    });
    add("many headers", &|s| {
        ok(format!("X-{s}: {s}\r\n").repeat(400), "{}".into())
    });
    add("huge header", &|s| {
        ok(format!("X-Huge: {}\r\n", s.repeat(8000)), "{}".into())
    });
    add("header without colon", &|s| {
        ok(format!("{s}\r\n"), "{}".into())
    });
    add("header with space", &|s| {
        ok(format!("X {s}: {s}\r\n"), "{}".into())
    });
    add("header with NUL", &|s| {
        ok(format!("X: {s}\0\r\n"), "{}".into())
    });
    add("folded header", &|s| {
        ok(format!("X: 1\r\n {s}\r\n"), "{}".into())
    });
    add("bare LF", &|s| {
        format!("HTTP/1.1 200 OK\nX: {s}\nContent-Length: 2\n\n{{}}").into()
    });
    add("bad length", &|s| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {s}\r\n\r\n{s}").into()
    });
    add("conflicting lengths", &|s| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 40\r\n\r\n{s}").into()
    });
    add("odd transfer encoding", &|s| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {s}\r\n\r\n{s}").into()
    });
    add("bad chunk size", &|s| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{s}\r\n{s}\r\n").into()
    });
    add("chunk extension and trailer", &|s| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n\
             2;{s}={s}\r\n{{}}\r\n0\r\nX-T: {s}\r\n\r\n"
        )
        .into()
    });
    add("chunked and cut", &|s| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{s}").into()
    });
    add("body cut", &|s| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{s}").into()
    });
    add("error body cut", &|s| {
        format!(
            "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n\
             {{\"message_code\":\"{s}"
        )
        .into()
    });
    add("bytes after the answer", &|s| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}HTTP/1.1 200 OK\r\nX: {s}\r\n\r\n")
            .into()
    });
    add("body of 204", &|s| {
        format!("HTTP/1.1 204 No\r\n\r\n{s}").into()
    });
    add("body of 304", &|s| {
        format!("HTTP/1.1 304 No\r\nETag: {s}\r\n\r\n{s}").into()
    });
    add("early hints", &|s| {
        format!(
            "HTTP/1.1 103 Hints\r\nLink: <{s}>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}"
        )
        .into()
    });
    add("switching protocols", &|s| {
        format!("HTTP/1.1 101 Switch\r\nUpgrade: {s}\r\nConnection: upgrade\r\n\r\n{s}").into()
    });
    add("head cut", &|s| {
        format!("HTTP/1.1 200 OK\r\nX-Token: {s}").into()
    });
    add("HTML", &|s| {
        answer(
            "502 Bad",
            "Content-Type: text/html\r\n",
            format!("<h1>{s}</h1>").as_bytes(),
        )
    });
    add("media type is a secret", &|s| {
        answer(
            "400 Bad",
            &format!("Content-Type: application/json; x={s}\r\n"),
            s.as_bytes(),
        )
    });
    add("unknown coding", &|s| {
        answer(
            "400 Bad",
            &format!("Content-Type: application/json\r\nContent-Encoding: {s}\r\n"),
            s.as_bytes(),
        )
    });
    add("not gzip", &|s| {
        answer(
            "400 Bad",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            s.as_bytes(),
        )
    });
    add("gzip cut", &|s| {
        let packed = gzip(format!("{{\"message_code\":\"{s}\",\"x\":\"{s}\"}}").as_bytes());
        answer(
            "400 Bad",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            &packed[..packed.len() - 12],
        )
    });
    add("until the end of the connection", &|s| {
        format!("HTTP/1.1 200 OK\r\n\r\n{{\"a\":\"{s}\"}}").into()
    });
    add("HTTP/1.0", &|s| {
        format!("HTTP/1.0 200 OK\r\nX: {s}\r\n\r\n{s}").into()
    });
    add("binary", &|s| {
        answer(
            "200 OK",
            "",
            &[b"\0\xff\xfe".as_slice(), s.as_bytes()].concat(),
        )
    });
    let key = pem(garden, "answer");
    all.push(Answer::new(
        "PEM",
        answer(
            "200 OK",
            "Content-Type: application/x-pem-file\r\n",
            key.as_bytes(),
        ),
    ));
    all.push(Answer::new("nothing at all", Vec::new()));
    all
}

fn slow(garden: &mut Garden) -> Vec<Answer> {
    let mut all = Vec::new();
    let secret = garden.plant(Kind::Token, "answer in pieces");
    let bytes = json_answer(
        "400 Bad",
        "",
        &format!("{{\"message\":\"OBP-30001: {secret}\"}}"),
    );
    all.push(Answer {
        name: "in pieces".to_owned(),
        steps: bytes
            .chunks(19)
            .flat_map(|piece| [Step::Send(piece.to_vec()), Step::Pause(4)])
            .collect(),
    });
    for (name, start) in [
        (
            "too late after the head",
            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nX: @\r\n\r\n@",
        ),
        ("too late within the head", "HTTP/1.1 200 OK\r\nX: @"),
    ] {
        let secret = garden.plant(Kind::Token, format!("slow answer, {name}"));
        all.push(Answer {
            name: name.to_owned(),
            steps: vec![
                Step::Send(start.replace('@', &secret).into()),
                Step::Pause(4_000),
            ],
        });
    }
    all
}

/// Answers for HTTP/2: frames.
pub fn http2(garden: &mut Garden) -> Vec<Answer> {
    let mut all = Vec::new();
    for status in ["200", "400", "401", "500"] {
        let place = format!("HTTP/2 answer {status}");
        let cookie = garden.any(format!("{place}, cookie"));
        let name = garden.plant(Kind::HexKey, format!("{place}, header name"));
        let body = body(garden, &place);
        let fields = [
            (":status", status),
            ("content-type", "application/json"),
            ("set-cookie", cookie.as_str()),
            (name.as_str(), "1"),
        ];
        let mut bytes = h2::frame(h2::HEADERS, h2::END_HEADERS, 1, &h2::block(&fields));
        bytes.extend(h2::frame(h2::DATA, h2::END_STREAM, 1, body.as_bytes()));
        all.push(Answer::new(place, bytes));
    }
    // A card number is digits, as a support reference may be.
    let card = garden.plant(Kind::Card, "HTTP/2 answer, support reference");
    let fields = [(":status", "400"), ("content-type", "application/json")];
    let mut bytes = h2::frame(h2::HEADERS, h2::END_HEADERS, 1, &h2::block(&fields));
    let body = format!("{{\"exceptionId\":\"{card}\",\"errorCode\":\"{card}.{card}\"}}");
    bytes.extend(h2::frame(h2::DATA, h2::END_STREAM, 1, body.as_bytes()));
    all.push(Answer::new("card", bytes));
    let mut add = |name: &str, make: &dyn Fn(&str) -> Vec<u8>| {
        let secret = garden.plant(Kind::HexKey, format!("odd HTTP/2 answer, {name}"));
        all.push(Answer::new(name, make(&secret)));
    };
    let headers =
        |fields: &[(&str, &str)]| h2::frame(h2::HEADERS, h2::END_HEADERS, 1, &h2::block(fields));
    add("GOAWAY with text", &|s| {
        let mut payload = vec![0, 0, 0, 0, 0, 0, 0, 2];
        payload.extend_from_slice(s.as_bytes());
        h2::frame(h2::GOAWAY, 0, 0, &payload)
    });
    add("status is a secret", &|s| headers(&[(":status", s)]));
    add("no status", &|s| headers(&[("x", s)]));
    add("upper case", &|s| {
        headers(&[(":status", "200"), ("X-UP", s)])
    });
    add("control character", &|s| {
        headers(&[(":status", "200"), ("x", &format!("{s}\r\nx: y"))])
    });
    add("length disagrees", &|s| {
        let mut bytes = headers(&[(":status", "200"), ("content-length", "3")]);
        bytes.extend(h2::frame(h2::DATA, h2::END_STREAM, 1, s.as_bytes()));
        bytes
    });
    add("reset after a part", &|s| {
        let mut bytes = headers(&[(":status", "200"), ("x-token", s)]);
        bytes.extend(h2::frame(h2::DATA, 0, 1, s.as_bytes()));
        bytes.extend(h2::frame(h2::RST_STREAM, 0, 1, &[0, 0, 0, 2]));
        bytes
    });
    add("HTTP/1.1 instead", &|s| {
        format!("HTTP/1.1 400 Bad\r\nX: {s}\r\n\r\n{s}").into_bytes()
    });
    add("garbage", &|s| s.repeat(20).into_bytes());
    add("block that cannot be read", &|s| {
        h2::frame(
            h2::HEADERS,
            h2::END_HEADERS,
            1,
            &[&[0xff, 0xff, 0xff, 0xff][..], s.as_bytes()].concat(),
        )
    });
    all
}
