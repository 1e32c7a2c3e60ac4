//! Records of calls.

use super::filter::{self, CALL_ID, DIGITS, HEX, ID_PREFIX};
use crate::adapters::ledger::Order;
use crate::domain::access::Permission::Calls;
use crate::domain::config::is_caller_name;
use crate::domain::investigation::Whom;
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::edge::admin::api::asked::{Asked, bad};
use crate::edge::admin::api::route::Method::{Get, Post};
use crate::edge::admin::api::route::{Answer, Kind, Param, Route, Shape, json, path, query};
use crate::edge::admin::desk::{Ask, CallsAsked, Cursor, Fault, Form};
use crate::edge::admin::model;
use crate::types::{CallId, Secret};

/// Most calls on a page, and how many there are unless it is said.
const MAX_PAGE: u64 = 500;
const PAGE: u64 = 50;

/// Longest text of words.
const MAX_Q: usize = 500;

pub(super) const ORDERS: [(&str, Order); 2] = [
    ("newest", Order::NewestFirst),
    ("oldest", Order::OldestFirst),
];

const STEPS: [(&str, Option<u32>); 5] = [
    ("auto", None),
    ("1m", Some(60)),
    ("5m", Some(300)),
    ("1h", Some(3_600)),
    ("1d", Some(86_400)),
];

/// How investigations and reports are written.
pub(super) const DOCUMENTS: [Form; 3] = [Form::Json, Form::Html, Form::Csv];
pub(super) const DOCUMENT_MEDIA: &[&str] = &["text/html", "text/csv"];

pub(super) fn order() -> Param {
    query(
        "order",
        Kind::Words(ORDERS.iter().map(|(word, _)| *word).collect()),
        "Which come first",
    )
}

pub(super) fn form(forms: &[Form]) -> Param {
    query(
        "format",
        Kind::Words(forms.iter().map(|form| form.as_str()).collect()),
        "How it is written",
    )
}

fn with(mut params: Vec<Param>, more: impl IntoIterator<Item = Param>) -> Vec<Param> {
    params.extend(more);
    params
}

fn read_calls(asked: &Asked) -> Result<Ask, Fault> {
    let after: Option<CallId> = asked.parse("after")?;
    let before: Option<CallId> = asked.parse("before")?;
    let cursor = match (after, before) {
        (Some(_), Some(_)) => return Err(bad("before", "use after or before, not both")),
        (Some(after), None) => Some(Cursor::After(after)),
        (None, before) => before.map(Cursor::Before),
    };
    let limit = asked.number("limit", 1..=MAX_PAGE)?.unwrap_or(PAGE);
    Ok(Ask::Calls(Box::new(CallsAsked {
        question: filter::read(asked)?,
        q: asked.text("q").map(|text| Secret::new(text.to_owned())),
        order: asked.word("order", &ORDERS)?.unwrap_or_default(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        cursor,
        total: asked.flag("total")?,
    })))
}

fn investigate(asked: &Asked, whom: Whom) -> Result<Ask, Fault> {
    Ok(Ask::Investigate {
        whom,
        period: filter::read_period(asked)?,
        form: asked.form(&DOCUMENTS)?.unwrap_or(Form::Json),
    })
}

fn lineage(
    at: &'static str,
    id: &'static str,
    summary: &'static str,
    of: Param,
    ask: fn(&Asked) -> Result<Ask, Fault>,
) -> Route {
    let answer = Answer::Document(Shape::of::<model::Document>(), DOCUMENT_MEDIA);
    let params = with(filter::period(), [form(&DOCUMENTS), of]);
    Route::new(Get, at, Calls, id, summary, answer, ask).params(params)
}

pub(super) fn routes() -> Vec<Route> {
    let call_id = |kind| path("call_id", kind, "Id of the call");
    vec![
        Route::new(
            Get,
            "/calls",
            Calls,
            "calls",
            "Search calls",
            json::<model::Calls>(),
            read_calls,
        )
        .params(with(
            filter::params(),
            [
                query("q", Kind::Text(MAX_Q), "Up to eight words: ids, fingerprints, names, words of the record, a customer's GUID"),
                order(),
                query("limit", Kind::Number(1, MAX_PAGE), "At most so many"),
                query("after", CALL_ID, "Go on after this call: `next` of the page before"),
                query("before", CALL_ID, "Go back before this call: `prev` of the page after"),
                query("total", Kind::Flag, "Count them all, up to 10,000"),
            ],
        )),
        Route::new(
            Post,
            "/calls/terms",
            Calls,
            "terms",
            "What is made of words, so that a raw identifier never stands in a URL",
            json::<model::Terms>(),
            |asked| {
                let body: model::TermsBody = asked.body()?;
                if body.q.len() > MAX_Q || body.q.chars().any(char::is_control) {
                    return Err(Fault::BadBody(format!("q: use at most {MAX_Q} bytes of text")));
                }
                Ok(Ask::Terms(Secret::new(body.q)))
            },
        )
        .body::<model::TermsBody>(),
        Route::new(
            Get,
            "/calls/{call_id}",
            Calls,
            "call",
            "Everything about one call, by its id or how it begins",
            json::<model::CallDetail>(),
            |asked| Ok(Ask::Call(asked.need("call_id")?)),
        )
        .params(vec![call_id(ID_PREFIX)])
        .also(&[404, 409]),
        Route::new(
            Get,
            "/calls/{call_id}/proof",
            Calls,
            "proof",
            "A file that proves what was recorded of a call (C2SP tlog-proof)",
            Answer::File(&["text/plain"]),
            |asked| Ok(Ask::Proof(asked.need("call_id")?)),
        )
        .params(vec![call_id(CALL_ID)])
        .also(&[404, 409]),
        Route::new(
            Get,
            "/tail",
            Calls,
            "tail",
            "Calls as they are recorded, as server-sent events",
            Answer::Events,
            |asked| {
                let last = asked.number("last", 0..=i64::MAX as u64)?;
                Ok(Ask::Tail {
                    question: Box::new(filter::read(asked)?),
                    last: last.and_then(|last| i64::try_from(last).ok()),
                })
            },
        )
        .params(with(
            filter::params(),
            [query("last", Kind::Number(0, i64::MAX as u64), "Go on after the call with this number (`seq`); Last-Event-ID counts more")],
        )),
        Route::new(
            Get,
            "/tokens",
            Calls,
            "mints",
            "Tokens that were handed out, over time, by kind, caller and bank",
            json::<model::Mints>(),
            |asked| {
                Ok(Ask::Mints {
                    period: filter::read_period(asked)?,
                    step_s: asked.word("step", &STEPS)?.flatten(),
                    caller: asked.text("caller").map(str::to_owned),
                    provider: asked.text("provider").map(str::to_owned),
                })
            },
        )
        .params(with(
            filter::period(),
            [
                query("step", Kind::Words(STEPS.iter().map(|(word, _)| *word).collect()), "Length of a step"),
                query("caller", Kind::Text(255), "Only obtained by this caller"),
                query("provider", Kind::Text(255), "Only from this bank"),
            ],
        )),
        lineage(
            "/lineage/token/{fingerprint}",
            "lineageOfToken",
            "A token: where it came from, and each use of it",
            path("fingerprint", HEX, "Its fingerprint"),
            |asked| {
                let token = asked.text("fingerprint").and_then(Fingerprint::parse_hex);
                investigate(asked, Whom::Token(token.ok_or_else(|| bad("fingerprint", DIGITS))?))
            },
        ),
        lineage(
            "/lineage/caller/{name}",
            "lineageOfCaller",
            "All that a caller has done",
            path("name", Kind::Form("^[!-.0-~]{1,255}$"), "Its name"),
            |asked| {
                let name = asked.text("name").filter(|name| is_caller_name(name));
                let name = name.ok_or_else(|| bad("name", "not the name of a caller"))?;
                investigate(asked, Whom::Caller(name.to_owned()))
            },
        )
        .also(&[404]),
        lineage(
            "/lineage/customer/{pseudonym}",
            "lineageOfCustomer",
            "All that concerns a customer",
            path("pseudonym", HEX, "Its pseudonym, which `/calls/terms` makes of a GUID"),
            |asked| {
                let whom = asked.text("pseudonym").and_then(Pseudonym::parse_hex);
                investigate(asked, Whom::Subject(whom.ok_or_else(|| bad("pseudonym", DIGITS))?))
            },
        ),
    ]
}
