//! Requests that the gateway must refuse, with secrets in them.

use super::values::{Garden, Kind};
use super::wire::{Shot, h2};

/// What the gateway must refuse, with secrets in it.
pub fn malformed(garden: &mut Garden) -> Vec<Shot> {
    let mut shots = Vec::new();
    let mut add = |name: &str, text: &dyn Fn(&str) -> String| {
        let secret = garden.plant(Kind::Token, format!("refused request, {name}"));
        shots.push(Shot::new(name, text(&secret)));
    };
    const P: &str = "/cybrid/bank/api/customers";
    let head = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    };
    add("absolute form with user", &|s| {
        head(&format!("http://{s}:{s}@localhost{P}?t={s}"), "")
    });
    add("authority form", &|s| {
        format!("CONNECT {s}.example:443 HTTP/1.1\r\nHost: {s}\r\n\r\n")
    });
    add("fragment", &|s| head(&format!("{P}#access_token={s}"), ""));
    add("dot segment", &|s| head(&format!("{P}/../{s}"), ""));
    add("encoded dot segment", &|s| {
        head(&format!("{P}/%2e%2E/{s}"), "")
    });
    add("encoded slash", &|s| head(&format!("{P}/{s}%2F{s}"), ""));
    add("backslash", &|s| head(&format!("{P}/{s}\\x"), ""));
    add("invalid UTF-8", &|s| head(&format!("{P}/{s}%ff%fe"), ""));
    add("encoded NUL", &|s| head(&format!("{P}/{s}%00"), ""));
    add("bad escape", &|s| head(&format!("{P}/{s}%zz"), ""));
    add("not ASCII", &|s| head(&format!("{P}/{s}ü"), ""));
    add("quote in target", &|s| head(&format!("{P}?x=\"{s}\""), ""));
    add("space in target", &|s| head(&format!("{P}?x={s} {s}"), ""));
    add("long path", &|s| {
        head(&format!("{P}/{}", s.repeat(200)), "")
    });
    add("long query", &|s| {
        head(&format!("{P}?q={}", s.repeat(1000)), "")
    });
    add("asterisk", &|s| {
        format!("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nX: {s}\r\n\r\n")
    });
    add("no slash", &|s| head(s, ""));
    add("obs-fold", &|s| head(P, &format!("X-A: 1\r\n {s}\r\n")));
    add("space before colon", &|s| {
        head(P, &format!("X-{s} : {s}\r\n"))
    });
    add("no colon", &|s| head(P, &format!("{s}\r\n")));
    add("name with slash", &|s| head(P, &format!("a/{s}: {s}\r\n")));
    add("control in value", &|s| head(P, &format!("X: {s}\x01\r\n")));
    add("NUL in value", &|s| head(P, &format!("X: {s}\0\r\n")));
    add("bare CR", &|s| head(P, &format!("X: {s}\rY: {s}\r\n")));
    add("bare LF", &|s| {
        format!("GET {P} HTTP/1.1\nHost: localhost\nX: {s}\n\n")
    });
    add("HTTP/0.9", &|s| format!("GET /{s}\r\n"));
    add("HTTP/3.7", &|s| {
        format!("GET /{s} HTTP/3.7\r\nHost: localhost\r\n\r\n")
    });
    add("no version", &|s| format!("GET /a {s}\r\n\r\n"));
    add("method with space", &|s| format!(" {s} / HTTP/1.1\r\n\r\n"));
    add("method with brace", &|s| {
        format!("{{{s}}} / HTTP/1.1\r\n\r\n")
    });
    add("bad host", &|s| {
        format!("GET {P} HTTP/1.1\r\nHost: {s}@{s}/\r\n\r\n")
    });
    add("two hosts", &|s| {
        format!("GET {P} HTTP/1.1\r\nHost: {s}\r\nHost: {s}\r\n\r\n")
    });
    add("no host", &|s| {
        format!("GET {P} HTTP/1.1\r\nX: {s}\r\n\r\n")
    });
    add("bad length", &|s| {
        head(P, &format!("Content-Length: {s}\r\n"))
    });
    add("conflicting lengths", &|s| {
        head(
            P,
            &format!("Content-Length: 4\r\nContent-Length: 5\r\nX: {s}\r\n"),
        )
    });
    add("both framings", &|s| {
        head(
            P,
            &format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\nX: {s}\r\n"),
        )
    });
    add("odd encoding", &|s| {
        head(P, &format!("Transfer-Encoding: {s}\r\n"))
    });
    add("many headers", &|s| {
        head(P, &format!("X-{s}: {s}\r\n").repeat(300))
    });
    add("huge header", &|s| {
        head(P, &format!("X: {}\r\n", s.repeat(600)))
    });
    add("huge head", &|s| {
        head(P, &format!("X-Part: {}\r\n", s.repeat(200)).repeat(20))
    });
    add("empty lines", &|s| {
        format!("\r\n\r\n\r\nGET /{s} HTTP/1.1\r\n\r\n")
    });
    add("not HTTP", &|s| format!("{s}\r\n{s}\r\n\r\n"));
    add("binary", &|s| format!("\0\u{1}\u{2}{s}\r\n\r\n"));
    add("SSH", &|s| format!("SSH-2.0-{s}\r\n"));
    add("bad chunk size", &|s| {
        format!(
            "POST {P} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{s}\r\n{s}\r\n0\r\n\r\n"
        )
    });
    add("chunk longer than said", &|s| {
        format!(
            "POST {P} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{s}\r\n0\r\n\r\n"
        )
    });
    add("second request smuggled", &|s| {
        format!(
            "POST {P} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello\
             GET /{s} HTTP/1.1\r\nHost: {s}@\r\n\r\n"
        )
    });
    add("HTTP/2 preface with garbage", &|s| {
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{s}{s}{s}")
    });
    add("HTTP/2 preface cut", &|s| {
        format!("PRI * HTTP/2.0\r\n\r\n{s}\r\n\r\n")
    });
    for (name, fields) in [
        ("HTTP/2 upper case", vec![("X-NAME", "@")]),
        ("HTTP/2 connection header", vec![("connection", "@")]),
        (
            "HTTP/2 control in value",
            vec![("x-value", "@\r\ninjected: 1")],
        ),
        ("HTTP/2 space in name", vec![("x @", "1")]),
        (
            "HTTP/2 late pseudo header",
            vec![("x", "1"), (":path", "/@")],
        ),
        ("HTTP/2 unknown pseudo header", vec![(":token", "@")]),
        ("HTTP/2 bad length", vec![("content-length", "@")]),
    ] {
        let secret = garden.plant(Kind::HexKey, format!("refused request, {name}"));
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(key, value)| (key.replace('@', &secret), value.replace('@', &secret)))
            .collect();
        let target = format!("{P}?token={secret}");
        let mut all = vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", target.as_str()),
        ];
        all.extend(
            fields
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        shots.push(Shot::new(name, h2::request(&all, None)));
    }
    for (name, target, method, authority) in [
        ("HTTP/2 CONNECT", "", "CONNECT", "@.example:443"),
        (
            "HTTP/2 user in authority",
            "/cybrid/bank/api/customers",
            "GET",
            "@:@@localhost",
        ),
        ("HTTP/2 path without slash", "@", "GET", "localhost"),
        ("HTTP/2 path with dots", "/../@", "GET", "localhost"),
        (
            "HTTP/2 path with fragment",
            "/cybrid/bank/api/customers#@",
            "GET",
            "localhost",
        ),
        (
            "HTTP/2 method",
            "/cybrid/bank/api/customers",
            "@",
            "localhost",
        ),
    ] {
        let secret = garden.plant(Kind::Token, format!("refused request, {name}"));
        let [target, method, authority] =
            [target, method, authority].map(|text| text.replace('@', &secret));
        let mut fields = vec![
            (":method", method.as_str()),
            (":authority", authority.as_str()),
        ];
        if !target.is_empty() {
            fields.extend([(":scheme", "http"), (":path", target.as_str())]);
        }
        shots.push(Shot::new(name, h2::request(&fields, None)));
    }
    // A TLS hello with a server name that says something.
    let name = garden.plant(Kind::HexKey, "server name of a TLS handshake");
    shots.push(Shot::new(
        "TLS on the plain port",
        client_hello(&name[..60]),
    ));
    shots.into_iter().map(Shot::then_close).collect()
}

/// A TLS 1.2 ClientHello (RFC 5246, section 7.4.1.2) with a server name (RFC 6066, section 3) and
/// a cipher suite that nobody has.
pub fn client_hello(server_name: &str) -> Vec<u8> {
    let name = server_name.as_bytes();
    let u16 = |value: usize| (value as u16).to_be_bytes();
    let mut extension = vec![0, 0];
    extension.extend(u16(name.len() + 5));
    extension.extend(u16(name.len() + 3));
    extension.push(0);
    extension.extend(u16(name.len()));
    extension.extend_from_slice(name);
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x5a, 0x5a, 1, 0]);
    hello.extend(u16(extension.len()));
    hello.extend(extension);
    let mut handshake = vec![1, 0];
    handshake.extend(u16(hello.len()));
    handshake.extend(hello);
    let mut record = vec![0x16, 3, 1];
    record.extend(u16(handshake.len()));
    record.extend(handshake);
    record
}
