//! Requests with secrets in every place that a request has.

use std::fmt::Write as _;

use super::values::{Garden, Kind, percent};
use super::wire::{Shot, h2};

/// An operation to hang secrets on.
struct Base {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    json: Option<&'static str>,
}

/// Known and unknown operations of every provider, and a provider that does not exist. `@` in a
/// path stands for an identifier.
const BASES: &[Base] = &[
    base("cybrid list", "GET", "/cybrid/bank/api/customers", None),
    base(
        "cybrid create customer",
        "POST",
        "/cybrid/bank/api/customers",
        Some("type"),
    ),
    base(
        "cybrid one customer",
        "GET",
        "/cybrid/bank/api/customers/@",
        None,
    ),
    base(
        "cybrid quote",
        "POST",
        "/cybrid/bank/api/quotes",
        Some("side"),
    ),
    base(
        "cybrid trade",
        "POST",
        "/cybrid/bank/api/trades",
        Some("quote_guid"),
    ),
    base(
        "cybrid transfer",
        "POST",
        "/cybrid/bank/api/transfers",
        Some("transfer_type"),
    ),
    base(
        "cybrid mint",
        "POST",
        "/cybrid/identity/oauth/token",
        Some("client_secret"),
    ),
    base(
        "cybrid customer token",
        "POST",
        "/cybrid/identity/api/customer_tokens",
        Some("customer_guid"),
    ),
    base(
        "cybrid key",
        "POST",
        "/cybrid/identity/api/bank_applications",
        Some("ip_allowlist"),
    ),
    base(
        "cybrid organization",
        "GET",
        "/cybrid/organization/api/organizations/@",
        None,
    ),
    base(
        "cybrid unknown",
        "DELETE",
        "/cybrid/bank/internal/@/dump/@",
        None,
    ),
    base(
        "obp mint",
        "POST",
        "/obp/my/logins/direct",
        Some("password"),
    ),
    base(
        "obp accounts",
        "GET",
        "/obp/obp/v5.1.0/banks/@/accounts/@/owner/account",
        None,
    ),
    base(
        "obp revoke",
        "DELETE",
        "/obp/obp/v3.1.0/banks/@/accounts/@/permissions/@/@/views/@",
        None,
    ),
    base(
        "obp pay",
        "POST",
        "/obp/obp/v4.0.0/banks/@/accounts/@/owner/transaction-request-types/SANDBOX_TAN/transaction-requests",
        Some("value"),
    ),
    base(
        "obp consent",
        "POST",
        "/obp/obp/v5.1.0/banks/@/my/consents/EMAIL",
        Some("email"),
    ),
    base("obp oauth1", "POST", "/obp/oauth/initiate", None),
    base(
        "obp unknown",
        "PATCH",
        "/obp/obp/v9.9.9/@",
        Some("anything"),
    ),
    base(
        "wyre transfer",
        "POST",
        "/wyre/v3/transfers",
        Some("amount"),
    ),
    base("wyre account", "GET", "/wyre/v3/accounts/@", None),
    base(
        "wyre create account",
        "POST",
        "/wyre/v3/accounts",
        Some("profileFields"),
    ),
    base(
        "wyre mint",
        "POST",
        "/wyre/v2/sessions/auth/key",
        Some("secretKey"),
    ),
    base("wyre unknown", "PUT", "/wyre/v9/@", Some("secretKey")),
    base("no provider", "GET", "/@/@", None),
];

const fn base(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    json: Option<&'static str>,
) -> Base {
    Base {
        name,
        method,
        path,
        json,
    }
}

/// Headers that carry credentials, names, or something that somebody may want to log. `Connection`
/// and the framing headers have requests of their own.
const HEADERS: &[&str] = &[
    "DirectLogin",
    "directlogin",
    "DAuth",
    "Consumer-Key",
    "Consent-JWT",
    "Consent-Id",
    "Consent-ID",
    "PSU-IP-Address",
    "PSU-ID",
    "PSU-Device-ID",
    "TPP-Signature-Certificate",
    "Signature",
    "Digest",
    "X-Api-Key",
    "X-API-Signature",
    "x-api-signature",
    "Cookie",
    "cOOkie",
    "Set-Cookie",
    "User-Agent",
    "Referer",
    "Origin",
    "From",
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "Via",
    "X-Request-Id",
    "X-Request-ID",
    "X-Correlation-Id",
    "Correlation-Id",
    "Idempotency-Key",
    "traceparent",
    "tracestate",
    "baggage",
    "Accept",
    "Accept-Language",
    "Accept-Version",
    "Accept-Encoding",
    "If-None-Match",
    "If-Match",
    "If-Modified-Since",
    "Range",
    "Warning",
    "Keep-Alive",
    "Upgrade",
    "X-HTTP-Method-Override",
    "X-Original-URL",
    "X-Client-Cert",
    "X-SSL-Client-Cert",
    "Client-Cert",
    "X-Amz-Security-Token",
    "X-Wyre-Signature",
    "Egret-Call-Id",
    "Egret-Anything",
    "X-Customer-Name",
    "X-Unknown-Header",
];

/// Everything that is well-formed enough to go on to the bank.
pub fn regular(garden: &mut Garden) -> Vec<Shot> {
    let mut shots = Vec::new();
    for base in BASES {
        shots.push(all_headers(garden, base));
        shots.push(query(garden, base));
        for form in [
            "json",
            "form",
            "multipart",
            "binary",
            "broken json",
            "chunked",
        ] {
            if base.json.is_some() || form == "json" {
                shots.push(body(garden, base, form));
            }
        }
        shots.push(h2(garden, base));
    }
    shots.extend(super::credentials::credentials(garden));
    shots.extend(methods_and_hosts(garden));
    shots
}

fn path(garden: &mut Garden, base: &Base, place: &str) -> String {
    let mut path = String::new();
    for (index, part) in base.path.split('@').enumerate() {
        if index > 0 {
            let value = match garden.any(format!("{}, {place}, path segment {index}", base.name)) {
                // A slash would be refused before it is matched.
                value if value.contains('/') => garden.plant(Kind::Uuid, format!("{place}, path")),
                value => value,
            };
            path.push_str(&percent(&value));
        }
        path.push_str(part);
    }
    path
}

/// Request line and the headers without which nothing goes.
fn start(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
}

fn finish(mut head: String, body: &[u8]) -> Vec<u8> {
    let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn all_headers(garden: &mut Garden, base: &Base) -> Shot {
    let mut head = start(base.method, &path(garden, base, "headers"));
    for name in HEADERS {
        let value = garden.any(format!("{}, header {name}", base.name));
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let bearer = garden.jwt(
        &format!("{}, bearer token", base.name),
        &[("sub_type", "\"customer\"")],
    );
    let _ = write!(head, "Authorization: Bearer {bearer}\r\n");
    let name = garden.plant(Kind::Token, format!("{}, header name", base.name));
    let echo = garden.plant(Kind::Token, format!("{}, echo header name", base.name));
    let twice = garden.any(format!("{}, header given twice", base.name));
    let again = garden.any(format!("{}, header given twice", base.name));
    let _ = write!(
        head,
        "{name}: 1\r\necho_{echo}: 2\r\nX-Twice: {twice}\r\nx-tWICE: {again}\r\n"
    );
    Shot::new(format!("{}: headers", base.name), finish(head, b""))
}

fn query(garden: &mut Garden, base: &Base) -> Shot {
    let mut target = path(garden, base, "query");
    let mut separator = '?';
    let names = [
        // Listed with a shape that the value does not have.
        "page",
        "per_page",
        "include_pii",
        "created_at_gte",
        "side",
        "state",
        "type",
        "limit",
        "offset",
        "timestamp",
        "format",
        "sort_direction",
        "from_date",
        // Subjects.
        "customer_guid",
        "bank_guid",
        "account_guid",
        "guid",
        "masqueradeAs",
        "accountId",
        // Masked and unlisted.
        "secretKey",
        "signature",
        "ips",
        "access_token",
        "oauth_token",
        "code",
        "state",
        "label",
        "anything",
        "filter[name]",
    ];
    for name in names {
        let value = garden.field(name, format!("{}, query parameter {name}", base.name));
        let _ = write!(target, "{separator}{name}={}", percent(&value));
        separator = '&';
    }
    let name = garden.any(format!("{}, query parameter's name", base.name));
    let flag = garden.any(format!("{}, parameter without value", base.name));
    let twice = garden.any(format!("{}, parameter given twice", base.name));
    let _ = write!(
        target,
        "&{}=1&{}&page=1&page={}",
        percent(&name),
        percent(&flag),
        percent(&twice)
    );
    Shot::new(
        format!("{}: query", base.name),
        finish(start(base.method, &target), b""),
    )
}

/// Fields whose values the catalog records or reads if they have the right shape; here they have
/// not. And fields for people.
const FIELDS: &[&str] = &[
    "side",
    "type",
    "asset",
    "symbol",
    "product_type",
    "transfer_type",
    "grant_type",
    "scope",
    "expires_in",
    "state",
    "status",
    "currency",
    "quote_guid",
    "customer_guid",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "password",
    "username",
    "email",
    "ssn",
    "pan",
    "cvv",
    "iban",
    "secretKey",
    "sourceAmount",
    "destCurrency",
    "source",
    "dest",
    "message",
    "challenge_answer",
    "description",
    "view_id",
    "amount",
    "account_number",
    "phone_number",
];

fn json(garden: &mut Garden, place: &str) -> String {
    let mut json = String::from("{");
    for name in FIELDS {
        let value = garden.field(name, format!("{place}, field {name}"));
        let _ = write!(json, "\"{name}\":\"{value}\",");
    }
    let mut next = |what: &str| garden.any(format!("{place}, {what}"));
    let (first, last) = (next("name.first"), next("name.last"));
    let (key, street) = (next("key"), next("address.street"));
    let (a, b) = (next("array"), next("array"));
    let (profile, pair) = (next("profileFields value"), next("name and value"));
    let nested = next("deeply nested");
    let escaped: String = next("escaped")
        .bytes()
        .fold(String::new(), |mut out, byte| {
            let _ = write!(out, "\\u{byte:04x}");
            out
        });
    let number = garden.plant(Kind::Card, format!("{place}, number"));
    let _ = write!(
        json,
        "\"name\":{{\"first\":\"{first}\",\"last\":\"{last}\"}},\"{key}\":true,\
         \"address\":{{\"street\":\"{street}\"}},\"views\":[\"{a}\",\"{b}\"],\
         \"profileFields\":[{{\"fieldId\":\"individualLegalName\",\"value\":\"{profile}\"}}],\
         \"attributes\":[{{\"name\":\"ssn\",\"value\":\"{pair}\"}}],\
         \"value\":{{\"currency\":\"EUR\",\"amount\":{{\"x\":\"{nested}\"}}}},\
         \"escaped\":\"{escaped}\",\"card\":{number}}}"
    );
    json
}

fn body(garden: &mut Garden, base: &Base, form: &str) -> Shot {
    let place = format!("{}, {form} body", base.name);
    let mut head = start(base.method, &path(garden, base, form));
    let shot_name = format!("{}: {form}", base.name);
    let bytes = match form {
        "json" => {
            head.push_str("Content-Type: application/json; charset=utf-8\r\n");
            finish(head, json(garden, &place).as_bytes())
        }
        "broken json" => {
            head.push_str("Content-Type: application/json\r\n");
            let json = json(garden, &place).replace("\"name\"", "\"name");
            let cut = &json[..json.len() - 20];
            finish(head, cut.as_bytes())
        }
        "form" => {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            let fields: Vec<String> = FIELDS
                .iter()
                .map(|name| {
                    let value = garden.field(name, format!("{place}, field {name}"));
                    format!("{name}={}", percent(&value))
                })
                .collect();
            finish(head, fields.join("&").as_bytes())
        }
        "multipart" => {
            let boundary = garden.plant(Kind::Token, format!("{place}, boundary"));
            let file = garden.any(format!("{place}, file name"));
            let content = garden.any(format!("{place}, part"));
            let key = pem(garden, &place);
            let _ = write!(
                head,
                "Content-Type: multipart/form-data; boundary={boundary}\r\n"
            );
            let body = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"f\"; \
                 filename=\"{file}\"\r\n\r\n{content}\r\n{key}\r\n--{boundary}--\r\n"
            );
            finish(head, body.as_bytes())
        }
        "binary" => {
            let _ = write!(head, "Content-Type: application/octet-stream\r\n");
            let mut body = vec![0, 255, 254, 10, 13, 0];
            body.extend_from_slice(garden.any(place).as_bytes());
            body.extend_from_slice(&[0, 200, 201]);
            finish(head, &body)
        }
        _ => {
            let extension = garden.plant(Kind::Token, format!("{place}, chunk extension"));
            let trailer = garden.plant(Kind::Token, format!("{place}, trailer"));
            let trailer_name = garden.plant(Kind::Token, format!("{place}, trailer's name"));
            let json = json(garden, &place);
            let _ = write!(
                head,
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: {trailer_name}\r\n\r\n"
            );
            for chunk in json.as_bytes().chunks(700) {
                let chunk = std::str::from_utf8(chunk).unwrap();
                let _ = write!(head, "{:x};ext={extension}\r\n{chunk}\r\n", chunk.len());
            }
            let _ = write!(
                head,
                "0;last={extension}\r\n{trailer_name}: {trailer}\r\n\r\n"
            );
            // Short pieces, so that values and chunk sizes lie across reads.
            return Shot::new(shot_name, head.into_bytes()).split(97);
        }
    };
    Shot::new(shot_name, bytes)
}

/// What looks like the inside of a private key.
pub fn pem(garden: &mut Garden, place: &str) -> String {
    let lines: Vec<String> = (0..3)
        .map(|_| garden.plant(Kind::Signature, format!("{place}, line of a private key")))
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        lines.join("\n")
    )
}

fn h2(garden: &mut Garden, base: &Base) -> Shot {
    let place = format!("{}, HTTP/2", base.name);
    let target = path(garden, base, "HTTP/2");
    let query = garden.any(format!("{place}, query"));
    let target = format!(
        "{target}?token={}&page={}",
        percent(&query),
        percent(&query)
    );
    let basic = garden.basic(&format!("{place}, authorization"));
    let authorization = format!("Basic {basic}");
    let value = garden.any(format!("{place}, header"));
    let cookie = garden.any(format!("{place}, cookie"));
    let name = garden.plant(Kind::HexKey, format!("{place}, header name"));
    let fields = [
        (":method", base.method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", target.as_str()),
        ("authorization", authorization.as_str()),
        ("x-something", value.as_str()),
        ("cookie", cookie.as_str()),
        (name.as_str(), "1"),
    ];
    let body = base.json.map(|_| json(garden, &place));
    let mut bytes = h2::request(&fields, body.as_deref().map(str::as_bytes));
    // Then the client says why it goes, in its own words.
    let debug = garden.plant(Kind::Token, format!("{place}, GOAWAY"));
    let mut goaway = vec![0; 8];
    goaway.extend_from_slice(debug.as_bytes());
    bytes.extend(h2::frame(h2::SETTINGS, 1, 0, &[]));
    let mut shot = Shot::new(format!("{}: HTTP/2", base.name), bytes);
    shot.pieces.push(h2::frame(h2::GOAWAY, 0, 0, &goaway));
    shot
}

fn methods_and_hosts(garden: &mut Garden) -> Vec<Shot> {
    let mut shots = Vec::new();
    for target in [
        "/cybrid/bank/api/customers",
        "/obp/obp/v5.1.0/banks",
        "/wyre/v3/transfers",
        "/x",
    ] {
        let method = garden.plant(Kind::Guid, format!("method, {target}"));
        shots.push(Shot::new(
            "method",
            format!("{}\r\n", start(&method, target)),
        ));
        let host = garden.plant(Kind::Token, format!("Host, {target}"));
        shots.push(Shot::new(
            "host",
            format!("GET {target} HTTP/1.1\r\nHost: {host}.example\r\nConnection: close\r\n\r\n"),
        ));
        let lowercase = garden.plant(Kind::HexKey, format!("last path segment, {target}"));
        let parameter = garden.plant(Kind::Token, format!("path parameter, {target}"));
        shots.push(Shot::new(
            "path",
            format!(
                "{}\r\n",
                start(
                    "GET",
                    &format!("{target}/{lowercase};jsessionid={parameter}")
                )
            ),
        ));
        let old = garden.any(format!("HTTP/1.0, {target}"));
        shots.push(Shot::new(
            "HTTP/1.0",
            format!(
                "GET {target}?a={} HTTP/1.0\r\nX-Token: {old}\r\n\r\n",
                percent(&old)
            ),
        ));
    }
    shots
}
