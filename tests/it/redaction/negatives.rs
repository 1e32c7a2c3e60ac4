//! Hard negatives: what looks like a secret and must survive.

use egret::domain::redact::Surface;

use super::generate::{Maker, percent};
use super::values as v;

impl Maker {
    pub fn negatives(&mut self) {
        for _ in 0..6 {
            let r = &mut self.rng;
            let (guid, id, sha, order, span) = (
                v::guid(r),
                v::uuid(r),
                format!("a{}", r.chars(v::HEX, 39)),
                format!("1{}", r.digits(15)),
                format!("{}f", r.chars(v::HEX, 15)),
            );
            let epoch = format!("17953{}", r.digits(5));
            let cases: Vec<(Surface, String, Vec<&str>)> = vec![
                (Surface::Text, format!("order {order} shipped in 3 parcels"), vec![&order]),
                (Surface::Text, format!("commit {sha} built as v2.14.3-rc1"), vec![&sha, "v2.14.3-rc1"]),
                (Surface::Text, "the password policy requires 12 characters; token expired, card declined, account closed".into(), vec!["password policy", "token expired", "card declined", "account closed"]),
                (Surface::Text, "invalid SSN 000-12-3456 and 666-45-6789 in test 3.4.5.6".into(), vec![]),
                (Surface::Text, format!("trace_id={} span_id={span} ts={epoch}", &guid), vec![&guid, &span, &epoch]),
                (Surface::Text, "OBPv4.0.0-grantUserAccessToView answered 403 OBP-20017 after 1,234.56 ms".into(), vec!["OBPv4.0.0-grantUserAccessToView", "OBP-20017", "1,234.56"]),
                (Surface::Text, format!("GET /api/transfers/{guid} HTTP/1.1 200 1795 bytes"), vec![&guid, "HTTP/1.1", "200"]),
                (Surface::Text, "at egret::edge::proxy::stages (src/edge/proxy/mod.rs:142:17)".into(), vec!["egret::edge::proxy::stages", "src/edge/proxy/mod.rs:142:17"]),
                (Surface::Text, "rate limit 100 per 300 s for 10.20.30.40, 12 retries, 99.95 % ok".into(), vec!["100", "10.20.30.40", "99.95"]),
                (Surface::Text, "WWW-Authenticate: Bearer realm=\"obp\", error=\"invalid_token\"".into(), vec!["realm=\"obp\"", "invalid_token"]),
                (Surface::Json, format!("{{\"order_id\":{order},\"trace_id\":\"{guid}\",\"token_type\":\"Bearer\",\"expires_in\":1800,\"scope\":\"customers:read trades:execute\"}}"), vec![&order, &guid, "Bearer", "1800", "customers:read trades:execute"]),
                (Surface::Json, format!("{{\"password_changed_at\":\"2026-01-02T03:04:05Z\",\"email_verified\":true,\"card_type\":\"debit\",\"has_ssn\":false,\"request_id\":\"{id}\"}}"), vec!["2026-01-02T03:04:05Z", "true", "debit", "false", &id]),
                (Surface::Json, "{\"status\":422,\"error_message\":\"Invalid scopes. Required: trades:execute\",\"message_code\":\"invalid_scopes\"}".into(), vec!["422", "Invalid scopes. Required: trades:execute", "invalid_scopes"]),
                (Surface::Json, "{\"code\":401,\"message\":\"OBP-20001: User not logged in. Authentication is required!\"}".into(), vec!["401", "OBP-20001: User not logged in"]),
                (Surface::Json, format!("{{\"symbol\":\"BTC-USD\",\"side\":\"buy\",\"deliver_amount\":{epoch},\"fee\":\"0.25\",\"version\":\"5.1.0\"}}"), vec!["BTC-USD", "buy", &epoch, "0.25", "5.1.0"]),
                (Surface::Json, "{\"exceptionId\":\"X1Y2Z3\",\"type\":\"ValidationException\",\"errorCode\":\"validation.general\",\"transient\":false}".into(), vec!["ValidationException", "validation.general", "false"]),
                (Surface::Header, format!("HTTP/1.1 429 Too Many Requests\r\nX-Rate-Limit-Remaining: 0\r\nRetry-After: 300\r\nCorrelation-Id: {id}\r\nDate: Sun, 22 Nov 2026 02:18:58 GMT\r\n"), vec!["429", "Remaining: 0", "300", &id, "Sun, 22 Nov 2026 02:18:58 GMT"]),
                (Surface::Header, format!("traceparent: 00-{guid}-{span}-01\r\nAccept: application/json, */*;q=0.8\r\nAccept-Encoding: gzip, deflate\r\nHost: bank.sandbox.cybrid.app\r\n"), vec![&guid, &span, "application/json, */*;q=0.8", "gzip, deflate", "bank.sandbox.cybrid.app"]),
                (Surface::Query, format!("timestamp=17000000{}&masqueradeAs=AC_TESTTEST01&format=json&include_pii=true&sort_direction=DESC", "00000"), vec!["1700000000000", "AC_TESTTEST01", "format=json", "include_pii=true", "DESC"]),
                (Surface::Query, format!("guid={guid},{}&created_at_gte=2026-01-01T00%3A00%3A00Z&asset=USD", guid.replace('a', "b")), vec![&guid, "2026-01-01T00%3A00%3A00Z", "asset=USD"]),
                (Surface::Path, format!("/obp/v5.1.0/banks/gh.29.uk/accounts/{id}/owner/transactions"), vec!["v5.1.0", "gh.29.uk", &id, "owner/transactions"]),
                (Surface::Path, format!("/v3/transfers/TF_ABCDEF12345/confirm?timestamp={epoch}000"), vec!["TF_ABCDEF12345/confirm", &epoch]),
                (Surface::Form, format!("grant_type=client_credentials&scope=banks%3Aread+accounts%3Aread&account_guid={guid}"), vec!["client_credentials", "banks%3Aread+accounts%3Aread", &guid]),
            ];
            for (surface, input, useful) in cases {
                self.negative(surface, input, &useful);
            }
        }
    }

    /// Values that have the shape of their field, on every surface with fields.
    pub fn fields_that_stay(&mut self) {
        for (field, values) in FIELDS {
            for value in *values {
                let quoted = serde_json::to_string(value).unwrap();
                let inner = &quoted[1..quoted.len() - 1];
                self.negative(Surface::Json, format!("{{\"{field}\":{quoted}}}"), &[inner]);
                let encoded = percent(value);
                for surface in [Surface::Query, Surface::Form] {
                    self.negative(surface, format!("{field}={encoded}"), &[&encoded]);
                }
                let pair = if value.contains(' ') {
                    format!("{field}=\"{value}\"")
                } else {
                    format!("{field}={value}")
                };
                self.negative(
                    Surface::Text,
                    format!("2026-11-22T02:31:07Z INFO handled {pair} in 12 ms\n"),
                    &[value, "12 ms"],
                );
                self.negative(
                    Surface::Header,
                    format!("X-{}: {value}\r\n", field.replace('_', "-")),
                    &[value],
                );
            }
        }
        for (line, useful) in LINES {
            self.negative(Surface::Text, format!("{line}\n"), useful);
        }
    }
}

/// Fields with values of their shape.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "order_id",
        &[
            "1002938475612",
            "ORD-2026-000123",
            "SO123456",
            "1234567",
            "7f3a2b",
        ],
    ),
    (
        "request_id",
        &[
            "8f14e45f-ceea-467f-a8f0-1c2d3e4f5a6b",
            "req_8a7b6c5d4e",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "a1b2c3d4",
        ],
    ),
    (
        "trace_id",
        &["0af7651916cd43dd8448eb211c80319c", "4611686018427387904"],
    ),
    ("span_id", &["b7ad6b7169203331", "00f067aa0ba902b7"]),
    ("guid", &["7c9e6679f34b4d06a1b2c3d4e5f60718"]),
    ("transaction_id", &["txn_1a2b3c4d5e", "TRX20261122001"]),
    ("invoice_number", &["INV-2026-00017", "10023"]),
    ("tracking_number", &["1Z999AA10123456784", "JD014600003SE"]),
    ("isin", &["US0378331005", "GB0002634946"]),
    ("symbol", &["BTC-USD", "AAPL"]),
    (
        "commit",
        &["9fceb02d0ae598e95dc970b74767f19372d61af8", "9fceb02"],
    ),
    ("build", &["1482", "2026.11.22.1"]),
    ("version", &["2.14.3", "v1.0.0-beta.2", "1.2.3.4", "17"]),
    ("color", &["#ff8800", "#FFAA00"]),
    ("status", &["completed", "422", "in_progress"]),
    (
        "amount",
        &[
            "100.00",
            "-12.5",
            "1234567.89",
            "100000",
            "0.00000001",
            "1,234.56",
        ],
    ),
    (
        "created_at",
        &[
            "2026-11-22T02:31:07.123456+00:00",
            "1795305338",
            "1795305338123",
            "2026-11-22 02:31:07",
        ],
    ),
    ("error_code", &["OBP-20001", "invalid_request", "E1042"]),
    ("bank_id", &["gh.29.uk"]),
    ("retry_count", &["3"]),
    ("port", &["8443"]),
    (
        "hostname",
        &["ip-10-0-3-17", "egret-7d9f8b6c5-x2x4z", "ledger-0"],
    ),
    ("timezone", &["Europe/Berlin", "UTC"]),
    ("batch_id", &["20261122-001", "B-00012"]),
    ("block_height", &["812345"]),
    ("expires_in", &["3600"]),
    ("idempotency_key", &["8f14e45f-ceea-467f-a8f0-1c2d3e4f5a6b"]),
    ("exchange_rate", &["1.08345"]),
];

/// Lines as programs write them.
const LINES: &[(&str, &[&str])] = &[
    (
        "\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1136)",
        &["ThreadPoolExecutor.java:1136"],
    ),
    (
        "  File \"/usr/lib/python3.11/site-packages/requests/adapters.py\", line 501, in send",
        &[
            "/usr/lib/python3.11/site-packages/requests/adapters.py",
            "501",
        ],
    ),
    (
        "thread 'main' panicked at src/main.rs:42:5: the len is 3 but the index is 7",
        &["src/main.rs:42:5", "the len is 3 but the index is 7"],
    ),
    (
        "SELECT id, state FROM transfers WHERE state = 'completed' AND amount > 1000 LIMIT 50",
        &["SELECT id, state FROM transfers", "'completed'", "LIMIT 50"],
    ),
    (
        "10.0.3.17 - - [22/Nov/2026:02:31:07 +0000] \"GET /api/trades HTTP/1.1\" 200 1532 \"-\" \"curl/8.5.0\"",
        &["GET /api/trades HTTP/1.1", "200 1532", "curl/8.5.0"],
    ),
    (
        "Deployed build 1482 (commit 9fceb02d0ae598e95dc970b74767f19372d61af8) to us-east-1",
        &[
            "1482",
            "9fceb02d0ae598e95dc970b74767f19372d61af8",
            "us-east-1",
        ],
    ),
    (
        "version 2.14.3-rc1+build.5 (rustc 1.95.0, x86_64-unknown-linux-gnu)",
        &["2.14.3-rc1", "1.95.0"],
    ),
    (
        "see RFC 7519 section 4.1.4 and ISO 20022 pacs.008.001.08",
        &["RFC 7519", "ISO 20022"],
    ),
    (
        "token expired 30 seconds ago; key not found: trades.fee.percent",
        &["token expired 30 seconds ago", "trades.fee.percent"],
    ),
    (
        "password policy: minimum 12 characters; the secret could not be loaded",
        &["minimum 12 characters", "could not be loaded"],
    ),
    (
        "SSN validation failed: must have 9 digits; the routing number must have exactly 9 digits",
        &["must have 9 digits", "exactly 9 digits"],
    ),
    (
        "Nov 22 02:31:07 host1 egret[4711]: reloaded 14 routes",
        &["4711", "14 routes"],
    ),
    (
        "eth0: link up, 1000 Mbps, the color #ff8800 means a warning",
        &["1000 Mbps", "#ff8800"],
    ),
];
