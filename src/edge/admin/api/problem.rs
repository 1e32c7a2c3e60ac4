//! Errors of the admin API: RFC 9457 problems.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::domain::problem::MEDIA_TYPE;
use crate::edge::admin::desk::Fault;
use crate::edge::admin::model::Problem;
use crate::types::CallId;

/// When to come back where it is not known: short, since most of it passes soon.
const RETRY_SECONDS: u64 = 2;

struct Told {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: String,
}

fn told(fault: &Fault) -> Told {
    let (status, code, title, detail) = match fault {
        Fault::Unauthenticated => (
            401,
            "unauthenticated",
            "It is not known who asks.",
            "Show an admin key or a token of the identity provider in Authorization: Bearer, begin \
             a session, or show a client certificate that has roles. `egret admin key add` makes \
             keys."
                .to_owned(),
        ),
        Fault::TooMany(_) => (
            429,
            "too_many",
            "Too many wrong keys.",
            "Wait as long as Retry-After says.".to_owned(),
        ),
        Fault::Forbidden(permission) => (
            403,
            "forbidden",
            "Your roles do not allow this.",
            format!("It needs the permission {}.", permission.as_str()),
        ),
        Fault::OtherSite => (
            403,
            "other_site",
            "The request comes from another site.",
            "What changes something is taken from the console's own pages, or with a bearer."
                .to_owned(),
        ),
        Fault::WrongHost => (
            421,
            "wrong_host",
            "The listener does not go by this name.",
            "Add the name to [admin] hosts if it is yours.".to_owned(),
        ),
        Fault::NotFound(what) => (404, "not_found", "There is no such thing.", what.clone()),
        Fault::MethodNotAllowed => (
            405,
            "method_not_allowed",
            "Not with this method.",
            "Allow names those that there are; /api/v1/openapi.json describes them.".to_owned(),
        ),
        Fault::Conflict(why) => (409, "conflict", "It cannot be done as things are.", why.clone()),
        Fault::BadParameter(name, why) => (
            400,
            "bad_parameter",
            "A parameter cannot be understood.",
            format!("{name}: {why}"),
        ),
        Fault::BadBody(why) => (400, "bad_body", "The body cannot be understood.", why.clone()),
        Fault::TooLarge => (
            413,
            "too_large",
            "The body is too large.",
            "64 KiB are more than any body here needs.".to_owned(),
        ),
        Fault::WrongType => (
            415,
            "wrong_type",
            "The body must be JSON.",
            "Send Content-Type: application/json.".to_owned(),
        ),
        Fault::NotRecorded => (
            503,
            "not_recorded",
            "It cannot be put on record, so it is not done.",
            "The journal has failed or is full: see /readyz.".to_owned(),
        ),
        Fault::LedgerAway(why) => (
            503,
            "ledger_away",
            "The ledger cannot be asked.",
            why.clone(),
        ),
        Fault::Starting => (
            503,
            "starting",
            "The gateway has not come up yet.",
            "See /startupz.".to_owned(),
        ),
        Fault::Busy => (
            503,
            "busy",
            "Too many questions at a time.",
            "Wait as long as Retry-After says.".to_owned(),
        ),
        Fault::Timeout => (
            504,
            "timeout",
            "The question took too long.",
            "Ask for a shorter period, or for less.".to_owned(),
        ),
        Fault::Failed(why) => (500, "failed", "It went wrong.", why.clone()),
    };
    Told {
        status,
        code,
        title,
        detail,
    }
}

/// The answer that tells a fault.
pub(super) fn respond(fault: &Fault, id: CallId) -> Response<Body> {
    let told = told(fault);
    let problem = Problem {
        kind: format!("urn:egret:problem:admin_{}", told.code),
        title: told.title,
        status: told.status,
        detail: told.detail,
        request_id: id.to_string(),
        parameter: match fault {
            Fault::BadParameter(name, _) => Some(name.clone()),
            _ => None,
        },
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() =
        StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match fault {
        Fault::Unauthenticated => {
            let challenge = HeaderValue::from_static("Bearer realm=\"egret\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        Fault::TooMany(seconds) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        Fault::NotRecorded | Fault::LedgerAway(_) | Fault::Starting | Fault::Busy => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        _ => {}
    }
    answer
}
