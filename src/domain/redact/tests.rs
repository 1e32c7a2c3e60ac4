//! What a user sees of the engine, surface by surface.

use super::*;

fn redact(surface: Surface, input: &str) -> String {
    let redactor = Redactor::default();
    let out = redactor.redact(surface, input.as_bytes(), Context::default());
    let text = String::from_utf8(out.bytes.into_inner()).unwrap();
    let again = redactor.redact(surface, text.as_bytes(), Context::default());
    assert_eq!(
        String::from_utf8(again.bytes.into_inner()).unwrap(),
        text,
        "not idempotent"
    );
    text
}

#[track_caller]
fn check(surface: Surface, cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        assert_eq!(redact(surface, input), *expected, "{input}");
    }
}

#[test]
fn json_is_judged_by_its_names() {
    check(
        Surface::Json,
        &[
            (
                r#"{"state":"completed","ssn":"078-05-1120"}"#,
                r#"{"state":"completed","ssn":"[redacted:ssn]"}"#,
            ),
            (
                r#"{"guid":"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e","frob":"hunter2x"}"#,
                r#"{"guid":"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e","frob":"[redacted:unknown]"}"#,
            ),
            (
                r#"{"amount":100000,"card":{"number":4111111111111111,"cvv":123}}"#,
                r#"{"amount":100000,"card":{"number":"[redacted:account]","cvv":"[redacted:card_code]"}}"#,
            ),
            (
                r#"{"fieldId":"individualSsn","value":"989-41-7730"}"#,
                r#"{"fieldId":"individualSsn","value":"[redacted:ssn]"}"#,
            ),
            (
                r#"{"value":"989-41-7730","fieldId":"individualSsn"}"#,
                r#"{"value":"[redacted:ssn]","fieldId":"individualSsn"}"#,
            ),
            (r#"["ssn","989-41-7730"]"#, r#"["ssn","[redacted:ssn]"]"#),
            (
                r#"{"sk_live_4eC39HqLyjWDarjtT1zdp7dc":true}"#,
                r#"{"[redacted:saas_key]":true}"#,
            ),
            (
                r#"{"name":{"first":"Zyxanthe","last":"Quillfeather"},"type":"individual"}"#,
                r#"{"name":{"first":"[redacted:name]","last":"[redacted:name]"},"type":"individual"}"#,
            ),
            (
                r#"{"message":"OBP-20003: token abcDEF1234567890xyz is invalid"}"#,
                r#"{"message":"OBP-20003: token [redacted:token] is invalid"}"#,
            ),
            (
                r#"{"created_at":"2026-01-02T03:04:05.678Z","date_of_birth":"1987-03-21"}"#,
                r#"{"created_at":"2026-01-02T03:04:05.678Z","date_of_birth":"[redacted:dob]"}"#,
            ),
            (
                r#"{"body":"{\"ssn\":\"989-41-7730\",\"state\":\"ok\"}"}"#,
                r#"{"body":"{\"ssn\":\"[redacted:ssn]\",\"state\":\"ok\"}"}"#,
            ),
        ],
    );
}

#[test]
fn broken_json_is_still_redacted() {
    for input in [
        r#"{"ssn":"989-41-7730"#,
        r#"{'ssn': '989-41-7730'}"#,
        r#"{ssn: 989-41-7730}"#,
        r#"{"a":1}{"ssn":"989-41-7730"}"#,
        r#")]}',{"ssn":"989-41-7730"}"#,
        r#""ssn":"989-41-7730"}"#,
        r#"{"ssn" "989-41-7730"}"#,
    ] {
        let out = redact(Surface::Json, input);
        assert!(!out.contains("41-77"), "{input} gave {out}");
    }
}

#[test]
fn headers_keep_what_is_known() {
    check(
        Surface::Header,
        &[
            (
                "Authorization: Bearer eyJhbGciOiJSUzUxMiJ9.e30.c2ln",
                "Authorization: Bearer [redacted:bearer]",
            ),
            (
                "authorization: Basic dXNlcjpwYXNz\r\nX-Request-ID: 5d1d0000-0000-4000-8000-00000000000a\r\n",
                "authorization: Basic [redacted:basic]\r\nX-Request-ID: 5d1d0000-0000-4000-8000-00000000000a\r\n",
            ),
            (
                "Content-Type: application/json; charset=utf-8",
                "Content-Type: application/json; charset=utf-8",
            ),
            (
                "DirectLogin: username=\"dora.demo\", password=\"a,b\", consumer_key=\"k3y\"",
                "DirectLogin: [redacted:directlogin]",
            ),
            (
                "Cookie: JSESSIONID=node01abcdef",
                "Cookie: [redacted:cookie]",
            ),
            (
                "GET /api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e?include_pii=true HTTP/1.1",
                "GET /api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e?include_pii=true HTTP/1.1",
            ),
            (
                "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36",
                "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36",
            ),
            (
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            (
                "X-Api-Signature: df256a10af0c93c1",
                "X-Api-Signature: [redacted:signature]",
            ),
        ],
    );
}

#[test]
fn paths_and_queries_keep_ids_behind_known_words() {
    check(
        Surface::Path,
        &[
            (
                "/obp/v4.0.0/banks/gh.29.uk/accounts/5d1d0000-0000-4000-8000-00000000000a/owner/account",
                "/obp/v4.0.0/banks/gh.29.uk/accounts/5d1d0000-0000-4000-8000-00000000000a/owner/account",
            ),
            (
                "/v2/apiKey/AK-DEMO-DEMO-0001",
                "/v2/apiKey/[redacted:api_key]",
            ),
            (
                "/users/email/john%40example.com/terminator",
                "/users/email/[redacted:email]/terminator",
            ),
            (
                "/user_mgt/reset_password/5d1d0000-0000-4000-8000-00000000000a",
                "/user_mgt/reset_password/[redacted:token]",
            ),
        ],
    );
    check(
        Surface::Query,
        &[
            (
                "timestamp=1700000000000&secretKey=q7m2v9d4k1x8&page=2",
                "timestamp=1700000000000&secretKey=[redacted:secret]&page=2",
            ),
            (
                "?state=completed&code=400&guid=0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
                "?state=completed&code=400&guid=0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
            ),
            (
                "state=af0ifjsldkj&code=SplxlOBeZQQYbYS6WxSbIA",
                "state=[redacted:unknown]&code=[redacted:opaque]",
            ),
            ("q=4111%25201111%25201111%25201111", "q=[redacted:card]"),
        ],
    );
}

#[test]
fn forms_and_parts_are_read() {
    check(
        Surface::Form,
        &[(
            "grant_type=client_credentials&client_secret=a%26b&scope=customers%3Aread",
            "grant_type=client_credentials&client_secret=[redacted:secret]&scope=customers%3Aread",
        )],
    );
    check(
        Surface::Multipart,
        &[(
            "--xYz\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n078-05-1120\r\n--xYz\r\nContent-Disposition: form-data; name=\"state\"\r\n\r\ncompleted\r\n--xYz--\r\n",
            "--xYz\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n[redacted:ssn]\r\n--xYz\r\nContent-Disposition: form-data; name=\"state\"\r\n\r\ncompleted\r\n--xYz--\r\n",
        )],
    );
}

#[test]
fn text_is_read_word_by_word() {
    check(
        Surface::Text,
        &[
            (
                "2026-11-22T02:31:07Z INFO transfer completed in 12 ms",
                "2026-11-22T02:31:07Z INFO transfer completed in 12 ms",
            ),
            (
                "card 4111 1111 1111 1111 declined",
                "card [redacted:card] declined",
            ),
            (
                "password is hunter2 today",
                "password is [redacted:password] today",
            ),
            (
                "the password policy was updated",
                "the password policy was updated",
            ),
            (
                "mail to john.doe@example.com, please",
                "mail to [redacted:email], please",
            ),
            (
                "request_id=5d1d0000-0000-4000-8000-00000000000a status=200",
                "request_id=5d1d0000-0000-4000-8000-00000000000a status=200",
            ),
            (
                "customer 0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e is frozen",
                "customer 0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e is frozen",
            ),
            (
                "use 5d1d0000-0000-4000-8000-00000000000a now",
                "use [redacted:opaque] now",
            ),
            (
                "account number 12345678 routing 021000021",
                "account number [redacted:account] routing [redacted:routing]",
            ),
            ("born 21 March 1987 in", "born [redacted:dob] in"),
            (
                "payload eyJzc24iOiI5ODktNDEtNzczMCJ9 seen",
                "payload [redacted:jwt] seen",
            ),
            (
                "got {\"ssn\":\"989-41-7730\",\"state\":\"ok\"} back",
                "got {\"ssn\":\"[redacted:ssn]\",\"state\":\"ok\"} back",
            ),
            (
                "GET https://user:pw@bank.sandbox.cybrid.app/api/customers?code=abc123def&page=1 failed",
                "GET https://[redacted:userinfo]@bank.sandbox.cybrid.app/api/customers?code=[redacted:unknown]&page=1 failed",
            ),
            ("Zyxanthe Quillfeather called", "[redacted:name] called"),
            (
                "seed phrase: abandon ability able about above absent absorb abstract absurd abuse access accident",
                "seed phrase: [redacted:mnemonic]",
            ),
            (
                "WWW-Authenticate: OAuth realm=\"h\", Bearer realm=\"h\"",
                "WWW-Authenticate: OAuth realm=\"h\", Bearer realm=\"h\"",
            ),
        ],
    );
}
