//! What the pages of the console ask.

use egret::types::Micros;

use super::year::{self, CUSTOMERS, DAY, Year};

/// How long somebody may have to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page does not come without it.
    Page,
    /// It reads a whole period, and the page says so meanwhile.
    Long,
}

/// A request.
pub struct Request {
    pub name: &'static str,
    pub kind: Kind,
    pub method: &'static str,
    pub path: String,
    pub body: Option<String>,
}

fn page(name: &'static str, path: impl Into<String>) -> Request {
    Request {
        name,
        kind: Kind::Page,
        method: "GET",
        path: path.into(),
        body: None,
    }
}

fn long(name: &'static str, path: impl Into<String>) -> Request {
    Request {
        kind: Kind::Long,
        ..page(name, path)
    }
}

fn typed(name: &'static str, words: &str) -> Request {
    Request {
        method: "POST",
        body: Some(format!("{{\"q\":\"{words}\"}}")),
        ..page(name, "/calls/terms")
    }
}

/// All of them, page by page.
pub fn requests(weeks: &Year, rows: u64, begin: Micros, end: Micros) -> Vec<Request> {
    // A year before anything is there: what "all" means to whoever looks for it.
    let all = String::new();
    let last = |length: i64| format!("&from={}", Micros(end.0 - length));
    let (day, week, month) = (last(DAY), last(7 * DAY), last(28 * DAY));
    let rows = rows.saturating_sub(1);
    let id = |n: u64| weeks.record(n).call_id.to_string();
    // The middle of a session in the middle of the weeks, and the call that began it.
    let middle = rows / 2 / 320 * 320;
    let (mint, used, old) = (id(middle), id(middle + 128), id(rows / 10));
    let token = year::customer_token(middle / 5);
    let bank_token = year::bank_token(0, 14);
    let customer = year::customer(CUSTOMERS / 20);
    let bank = year::bank();
    let nobody = "0123456789abcdef0123456789abcdef";
    let calls = |conditions: &str, period: &str| {
        format!("/calls?banks_only=true&limit=50{conditions}{period}")
    };
    let total = |conditions: &str, period: &str| {
        format!("/calls?banks_only=true&limit=1&total=true{conditions}{period}")
    };
    let mut found = vec![
        page("now", "/now?history=true"),
        page("now: incidents", "/incidents?limit=6"),
        page("who am I", "/me"),
        page("callers", "/callers"),
        page("providers", "/providers"),
        page("policy", "/policy"),
        page("lockdown", "/lockdown"),
        page("configuration", "/config"),
        page("silences", "/silences"),
        page("incidents", "/incidents?state=all&limit=50"),
        page("evidence", "/evidence"),
        page("call that minted", format!("/calls/{mint}")),
        page("call with a token", format!("/calls/{used}")),
        page(
            "call by the beginning of its id",
            format!("/calls/{}", &used[..18]),
        ),
        typed("words: a caller and statuses", "service-000 5xx"),
        typed("words: nobody's name", "nothing-is-called-so"),
        typed(
            "words: a customer's GUID",
            "3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11",
        ),
        typed("words: a fingerprint", &token.to_string()),
        typed("words: digits of nothing", nobody),
    ];
    // Each with its count, as the page asks for both.
    let searches: [(&'static str, &'static str, String, &str); 30] = [
        ("calls, a day", "calls, a day: count", all.clone(), &day),
        ("calls, ever", "calls, ever: count", all.clone(), &all),
        (
            "caller, frequent, a day",
            "caller, frequent, a day: count",
            "&caller=service-000".to_owned(),
            &day,
        ),
        (
            "caller, frequent, a month",
            "caller, frequent, a month: count",
            "&caller=service-000".to_owned(),
            &month,
        ),
        (
            "caller, rare, a month",
            "caller, rare, a month: count",
            "&caller=service-190".to_owned(),
            &month,
        ),
        (
            "failed, a day",
            "failed, a day: count",
            "&failed=true".to_owned(),
            &day,
        ),
        (
            "unknown outcome, ever",
            "unknown outcome, ever: count",
            "&outcome=unknown".to_owned(),
            &all,
        ),
        (
            "unknown outcome of money, ever",
            "unknown outcome of money, ever: count",
            "&outcome=unknown&effect=money".to_owned(),
            &all,
        ),
        (
            "status 201, a day",
            "status 201, a day: count",
            "&status=201".to_owned(),
            &day,
        ),
        (
            "status 5xx, a day",
            "status 5xx, a day: count",
            "&status=5xx".to_owned(),
            &day,
        ),
        (
            "status 401, a month",
            "status 401, a month: count",
            "&status=401".to_owned(),
            &month,
        ),
        (
            "status 404, none, a day",
            "status 404, none, a day: count",
            "&status=404".to_owned(),
            &day,
        ),
        (
            "status 404, none, ever",
            "status 404, none, ever: count",
            "&status=404".to_owned(),
            &all,
        ),
        (
            "status 206, none, ever",
            "status 206, none, ever: count",
            "&status=206".to_owned(),
            &all,
        ),
        (
            "error code, ever",
            "error code, ever: count",
            "&error_code=invalid_scopes".to_owned(),
            &all,
        ),
        (
            "error code, none, ever",
            "error code, none, ever: count",
            "&error_code=no_such".to_owned(),
            &all,
        ),
        (
            "caller and status 206, none, ever",
            "caller and status 206, none, ever: count",
            "&caller=service-000&status=206".to_owned(),
            &all,
        ),
        (
            "bank, no hits, ever",
            "bank, no hits, ever: count",
            "&provider=obp".to_owned(),
            &all,
        ),
        (
            "sandbox, no hits, ever",
            "sandbox, no hits, ever: count",
            "&environment=sandbox".to_owned(),
            &all,
        ),
        (
            "operation, rare, a month",
            "operation, rare, a month: count",
            "&operation=bank.get_identity_verification".to_owned(),
            &month,
        ),
        (
            "money, a week",
            "money, a week: count",
            "&effect=money".to_owned(),
            &week,
        ),
        (
            "personal data, a month",
            "personal data, a month: count",
            "&has_pii=true".to_owned(),
            &month,
        ),
        (
            "personal data, no hits, ever",
            "personal data, no hits, ever: count",
            "&pii=security_question".to_owned(),
            &all,
        ),
        (
            "customer, ever",
            "customer, ever: count",
            format!("&pseudonym={customer}"),
            &all,
        ),
        (
            "nobody's pseudonym, ever",
            "nobody's pseudonym, ever: count",
            format!("&pseudonym={nobody}"),
            &all,
        ),
        (
            "everybody's subject, ever",
            "everybody's subject, ever: count",
            format!("&pseudonym={bank}"),
            &all,
        ),
        (
            "everybody's subject and 404, ever",
            "everybody's subject and 404, ever: count",
            format!("&pseudonym={bank}&status=404"),
            &all,
        ),
        (
            "token, ever",
            "token, ever: count",
            format!("&fingerprint={token}"),
            &all,
        ),
        (
            "token of the bank, ever",
            "token of the bank, ever: count",
            format!("&fingerprint={bank_token}"),
            &all,
        ),
        (
            "denied, a month",
            "denied, a month: count",
            "&decision=denied".to_owned(),
            &month,
        ),
    ];
    for (name, counted, conditions, period) in &searches {
        found.push(page(name, calls(conditions, period)));
        found.push(page(counted, total(conditions, period)));
    }
    found.extend([
        page("calls, ever, oldest first", calls("&order=oldest", &all)),
        page(
            "calls, on from a call long ago",
            calls(&format!("&after={old}"), &all),
        ),
        page(
            "calls, back from a call long ago",
            calls(&format!("&before={old}"), &all),
        ),
        page(
            "caller, rare, on from long ago",
            calls(&format!("&caller=service-190&after={old}"), &all),
        ),
        page(
            "status 404, oldest first, ever",
            calls("&status=404&order=oldest", &all),
        ),
        page("what people did in Egret", "/calls?limit=50&provider=egret"),
        page(
            "tokens, an hour",
            format!("/tokens?from={}&to={end}", Micros(end.0 - DAY / 24)),
        ),
        page("tokens, a day", format!("/tokens?to={end}{day}")),
        page("tokens, a week", format!("/tokens?to={end}{week}")),
        page("tokens, four weeks", format!("/tokens?to={end}{month}")),
        page(
            "tokens of a caller, four weeks",
            format!("/tokens?caller=service-000&to={end}{month}"),
        ),
        page(
            "lineage of a token",
            format!("/lineage/token/{token}?format=json"),
        ),
        page(
            "lineage of a customer",
            format!("/lineage/customer/{customer}?format=json"),
        ),
        page(
            "lineage of a caller, rare",
            "/lineage/caller/service-190?format=json",
        ),
        long(
            "lineage of a caller, frequent",
            "/lineage/caller/service-000?format=json",
        ),
        long(
            "lineage of a token of the bank",
            format!("/lineage/token/{bank_token}?format=json"),
        ),
        long(
            "export, a frequent caller's day",
            format!("/calls/export?format=csv&banks_only=true&caller=service-000{day}"),
        ),
    ]);
    for (day, weeks, name) in [
        (
            "report pii-access, a day",
            "report pii-access, four weeks",
            "pii-access",
        ),
        (
            "report token-use, a day",
            "report token-use, four weeks",
            "token-use",
        ),
        (
            "report failed-auth, a day",
            "report failed-auth, four weeks",
            "failed-auth",
        ),
        (
            "report access-changes, a day",
            "report access-changes, four weeks",
            "access-changes",
        ),
        ("report money, a day", "report money, four weeks", "money"),
    ] {
        let of = |from: i64| format!("/reports/{name}?format=json&from={}&to={end}", Micros(from));
        found.push(long(day, of(end.0 - DAY)));
        found.push(long(weeks, of(begin.0)));
    }
    found
}

/// What an answer says of how much there is.
pub fn note(body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(body) else {
        return String::new();
    };
    let mut note = String::new();
    if let Some(calls) = answer["calls"].as_array() {
        note = format!("{} calls", calls.len());
    }
    if let Some(total) = answer["total"]["calls"].as_u64() {
        note = format!("counted {total}");
        if answer["total"]["more"] == true {
            note.push_str(" and more");
        }
    }
    for (at, said) in [
        (&answer["searched_to"], "searched to"),
        (&answer["total"]["counted_to"], "counted to"),
    ] {
        if let Some(to) = at.as_str() {
            note.push_str(&format!(", {said} {to}"));
        }
    }
    note
}
