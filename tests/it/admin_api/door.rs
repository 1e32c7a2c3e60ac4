//! Who comes in.

use super::{Someone, gateway, on_record};
use crate::harness::{Answer, Client, Gateway, until};

const LOGIN: &str = "/api/v1/session";

fn login(gateway: &Gateway, key: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(headers);
    let body = format!("{{\"key\":\"{key}\"}}");
    Client::tcp(gateway.admin()).call("POST", LOGIN, &all, body.as_bytes())
}

fn with_cookie(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::tcp(gateway.admin()).call(method, path, headers, b"")
}

#[test]
fn a_browser_logs_in_and_out() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    let answer = login(&gateway, &ann.key, &[("Sec-Fetch-Site", "same-origin")]);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json()["way"], "session");
    let cookie = answer.header("Set-Cookie").unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let own = [("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")];
    let me = with_cookie(&gateway, "GET", "/api/v1/me", &own);
    assert_eq!(me.json()["name"], "ann");
    assert_eq!(me.json()["roles"][0], "auditor");
    // Another site's page cannot use it.
    let other = [("Cookie", cookie), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(
        with_cookie(&gateway, "GET", "/api/v1/me", &other).status,
        403
    );
    assert_eq!(with_cookie(&gateway, "DELETE", LOGIN, &other).status, 403);
    let nowhere = [("Cookie", cookie)];
    assert_eq!(with_cookie(&gateway, "DELETE", LOGIN, &nowhere).status, 403);
    assert_eq!(with_cookie(&gateway, "DELETE", LOGIN, &own).status, 204);
    assert_eq!(with_cookie(&gateway, "GET", "/api/v1/me", &own).status, 401);
}

#[test]
fn a_session_ends_with_its_key() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "viewer");
    let answer = login(&gateway, &ann.key, &[]);
    let cookie = answer.header("Set-Cookie").unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let headers = [("Cookie", cookie)];
    assert_eq!(
        with_cookie(&gateway, "GET", "/api/v1/me", &headers).status,
        200
    );
    gateway.egret(&["admin", "key", "revoke", "ann"]).ok();
    until("the session has ended", || {
        with_cookie(&gateway, "GET", "/api/v1/me", &headers).status == 401
    });
    assert_eq!(ann.get("/me").status, 401);
}

#[test]
fn wrong_keys_are_slowed_down_and_put_on_record() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "auditor");
    let mut answers: Vec<u16> = Vec::new();
    let wrong = "ega_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for _ in 0..12 {
        let answer = login(&gateway, wrong, &[]);
        if answer.status == 429 {
            let wait: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait));
        }
        answers.push(answer.status);
    }
    assert_eq!(answers[0], 401);
    assert_eq!(answers[11], 429);
    let denied = ["--operation", "admin.login", "--outcome", "failure"];
    until("they are on record", || {
        on_record(&gateway, &denied).len() >= 9
    });
    assert!(!gateway.stderr().contains("AAAAAAAA"));
    drop(ann);
}

#[test]
fn other_names_and_oversized_requests_are_refused() {
    let (gateway, _sim) = gateway();
    let ann = Someone::new(&gateway, "ann", "operator");
    let bearer = format!("Bearer {}", ann.key);
    let port = gateway.admin().rsplit(':').next().unwrap();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        (format!("127.0.0.1.evil.example:{port}"), 421),
    ] {
        let request = format!(
            "GET /api/v1/me HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n"
        );
        let mut client = Client::tcp(gateway.admin());
        client.send(request.as_bytes()).unwrap();
        let answer = client.answer("GET").unwrap();
        assert_eq!(answer.status, status, "{host}");
    }
    let body = format!("{{\"q\":\"{}\"}}", "x".repeat(80 << 10));
    assert_eq!(ann.post("/calls/terms", &body).status, 413);
    let headers = [("Authorization", &*bearer), ("Content-Type", "text/plain")];
    let answer = Client::tcp(gateway.admin()).call("POST", "/api/v1/calls/terms", &headers, b"{}");
    assert_eq!(answer.status, 415);
    assert_eq!(ann.post("/calls/terms", "[]").status, 400);
    assert_eq!(ann.post("/calls/terms", "{\"q\":1}").status, 400);
    let answer = ann.get("/calls?colour=red");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["parameter"], "colour");
    for name in [
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "Referrer-Policy",
        "X-Frame-Options",
    ] {
        assert!(answer.header(name).is_some(), "{name}");
    }
    assert!(answer.header("Access-Control-Allow-Origin").is_none());
}
