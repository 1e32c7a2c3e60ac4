//! Errors that the gateway itself answers: RFC 9457 problem details with a stable type and no
//! internals. `docs/problems.md` lists them; a test keeps the list complete.

use serde_json::{Value, json};

use crate::domain::advice::Advice;
use crate::domain::http::Refusal;
use crate::types::{CallId, Decision};

/// Media type of a problem (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Prefix of every `type`. A URN, since a type identifies and need not be fetched.
const TYPE_PREFIX: &str = "urn:egret:problem:";

/// A refusal of the gateway: what the caller is told, and the reason code of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code: the end of `type`, and the `reason` in the record.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What the record says the gateway did.
    pub decision: Decision,
    /// What happened, the same for every occurrence.
    pub title: &'static str,
    /// What to do about it.
    pub detail: &'static str,
}

impl Problem {
    /// The body of the answer. It names the call, so that the caller can ask about it, and says what
    /// else is advised.
    pub fn body(&self, call_id: CallId, advice: Option<&Advice>) -> Vec<u8> {
        let mut body = json!({
            "type": format!("{TYPE_PREFIX}{}", self.code),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": call_id.to_string(),
        });
        if let (Value::Object(members), Some(advice)) = (&mut body, advice) {
            advice.add_to(members);
        }
        body.to_string().into_bytes()
    }

    /// Standard reason phrase of the status.
    pub fn reason_phrase(&self) -> &'static str {
        http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error")
    }
}

/// Code of the problem that stands for a bank's error body; its status is the bank's.
pub const UPSTREAM_ERROR: &str = "upstream_error";

/// The problem that stands for a bank's error body. `code` is the bank's error code as recorded:
/// one that the provider file lists, or `unlisted`.
pub fn upstream_error(status: u16, code: Option<&str>, call_id: CallId) -> Vec<u8> {
    json!({
        "type": format!("{TYPE_PREFIX}{UPSTREAM_ERROR}"),
        "title": "The bank answered with an error.",
        "status": status,
        "detail": "The bank's own text is withheld. Its status and its error code say what is wrong.",
        "upstream_status": status,
        "upstream_code": code,
        "request_id": call_id.to_string(),
    })
    .to_string()
    .into_bytes()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.as_str(),
            status: refusal.status(),
            decision: Decision::Refused,
            title: refusal.detail(),
            detail: refusal.hint(),
        }
    }
}

/// Whether a word is the code of a problem.
pub fn is_code(word: &str) -> bool {
    ALL.iter().any(|problem| problem.code == word)
        || Refusal::ALL.iter().any(|refusal| refusal.as_str() == word)
}

/// Declares the problems once, so that none can be forgotten in the list.
macro_rules! problems {
    ($($(#[$meta:meta])* $name:ident = $status:literal $code:literal $decision:ident $title:literal $detail:literal;)+) => {
        $($(#[$meta])* pub const $name: Problem = Problem {
            code: $code,
            status: $status,
            decision: Decision::$decision,
            title: $title,
            detail: $detail,
        };)+

        /// Every problem that is not a refused request head or target.
        pub const ALL: &[Problem] = &[$($name),+];
    };
}

problems! {
    /// No credentials for the gateway.
    CALLER_UNIDENTIFIED = 407 "caller_unidentified" Denied
        "The gateway does not know who is calling."
        "Send an Egret key in the Proxy-Authorization header, or a client certificate, as the listener requires.";
    /// Credentials for the gateway that do not hold.
    CALLER_REFUSED = 403 "caller_refused" Denied
        "The gateway does not accept these caller credentials."
        "Check that the Egret key or certificate is current; `egret caller list` shows which are.";
    /// Neither a path prefix nor a host of a provider.
    NO_SUCH_PROVIDER = 404 "no_such_provider" Refused
        "The request leads to no configured provider."
        "Use a provider's path prefix, such as /cybrid/bank, or send the provider's own host name in Host.";
    /// The operation is not in the catalog and the configuration denies those.
    UNKNOWN_OPERATION = 403 "unknown_operation" Denied
        "The request matches no operation of the provider's catalog, and such requests are denied."
        "Check method and path, add the operation to the provider file, or set unknown_operations = \"forward\".";
    /// DAuth or GatewayLogin by a caller that may not use it.
    SCHEME_NOT_ALLOWED = 403 "scheme_not_allowed" Denied
        "This caller may not use this authentication scheme."
        "The bank trusts the gateway's address for this scheme; list the caller under dauth_callers or gateway_login_callers.";
    /// An operator has forbidden it for now.
    LOCKED_DOWN = 403 "locked_down" Denied
        "Calls like this one are locked down."
        "Nothing was sent to the bank. An operator decides when such calls go on: give them the request_id; `egret lockdown list` shows them why.";
    /// A caller who may make only so many calls a minute for now.
    THROTTLED = 429 "throttled" Limited
        "The caller is throttled, and has made as many calls in this minute as it may."
        "Nothing was sent to the bank. Try again in a minute; an operator sees why with `egret lockdown list`: give them the request_id.";
    /// No room for a record.
    RECORD_UNAVAILABLE = 503 "record_unavailable" Unavailable
        "The call cannot be recorded, so it was not made."
        "Nothing was sent to the bank. Try again; if it persists, the audit journal needs attention.";
    /// The bank has answered, and that cannot be recorded.
    ANSWER_UNRECORDED = 503 "answer_unrecorded" Forwarded
        "The bank's answer cannot be recorded, so it is withheld. The call may have taken effect."
        "Ask the bank for the state of the resource before you send the call again; the audit journal needs attention.";
    /// `Egret-Priority` or `Egret-Patience` that mean nothing.
    BAD_WISH = 400 "bad_wish" Refused
        "Egret-Priority or Egret-Patience is not understood."
        "Send Egret-Priority: money, write, read or batch, and Egret-Patience: a whole number of seconds.";
    /// The bank's rate limit allows no more calls before the caller's time is over.
    BUDGET_SPENT = 429 "budget_spent" Limited
        "The bank's rate limit is used up, so the call was not made."
        "Nothing was sent to the bank. Try again after retry_after seconds, or allow the call more time to wait.";
    /// No connection to the bank.
    UPSTREAM_UNREACHABLE = 502 "upstream_unreachable" Unavailable
        "No connection to the bank could be made, so the call was not made."
        "Nothing was sent to the bank. It is safe to try again.";
    /// The bank's address is not known.
    UPSTREAM_UNRESOLVED = 503 "upstream_unresolved" Unavailable
        "The bank's host name could not be resolved, so the call was not made."
        "Nothing was sent to the bank. It is safe to try again.";
    /// TLS to the bank failed.
    UPSTREAM_TLS = 502 "upstream_tls" Unavailable
        "The bank's identity could not be verified, so the call was not made."
        "Nothing was sent to the bank. An operator should check the bank's certificate and the trusted authorities.";
    /// Connecting took too long.
    UPSTREAM_CONNECT_TIMEOUT = 504 "upstream_connect_timeout" Unavailable
        "The bank did not accept a connection in time, so the call was not made."
        "Nothing was sent to the bank. It is safe to try again.";
    /// The bank's server refused it before processing.
    UPSTREAM_REFUSED = 503 "upstream_refused" Unavailable
        "The bank's server refused the call before it looked at it, so the call was not made."
        "The bank is shutting down or has too much to do. It is safe to try again.";
    /// The endpoint group fails and is left alone.
    BREAKER_OPEN = 503 "breaker_open" Unavailable
        "This part of the bank's interface has failed repeatedly and is left alone for a while, so the call was not made."
        "Nothing was sent to the bank. Try again after the time in Retry-After.";
    /// The caller has too many calls in flight.
    TOO_MANY_CALLS = 429 "too_many_calls" Limited
        "The caller has as many calls in flight as it may, so the call was not made."
        "Nothing was sent to the bank. Send fewer calls at a time; bulkheads.in_flight_per_caller is the bound.";
    /// The group has too many calls in flight.
    PROVIDER_BUSY = 503 "provider_busy" Limited
        "As many calls to this part of the bank's interface are in flight as may be, so the call was not made."
        "Nothing was sent to the bank. Try again after the time in Retry-After; bulkheads.in_flight is the bound.";
    /// The answer took too long.
    UPSTREAM_TIMEOUT = 504 "upstream_timeout" Forwarded
        "The bank did not answer in time. The call may have taken effect."
        "Ask the bank for the state of the resource before you send the call again.";
    /// The connection broke before the answer.
    UPSTREAM_NO_ANSWER = 502 "upstream_no_answer" Forwarded
        "The connection to the bank ended before its answer. The call may have taken effect."
        "Ask the bank for the state of the resource before you send the call again.";
    /// The bank's answer was not HTTP.
    UPSTREAM_BAD_ANSWER = 502 "upstream_bad_answer" Forwarded
        "The bank's answer was malformed. The call may have taken effect."
        "Ask the bank for the state of the resource before you send the call again.";
    /// The request body ended early or was malformed.
    BAD_REQUEST_BODY = 400 "bad_request_body" Forwarded
        "The request's body was malformed or ended early."
        "Send a complete body that agrees with Content-Length or the chunked encoding.";
    /// The request body did not arrive in time.
    REQUEST_TIMEOUT = 408 "request_timeout" Forwarded
        "The request did not arrive in time."
        "Send the whole request without long pauses.";
    /// Something of the gateway's own.
    INTERNAL = 500 "internal" Unavailable
        "The gateway failed."
        "Give the request_id to the gateway's operators.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_problem_has_the_members_of_the_rfc_and_the_call_id() {
        let id = CallId::floor(1);
        let body: serde_json::Value =
            serde_json::from_slice(&UPSTREAM_TIMEOUT.body(id, None)).unwrap();
        assert_eq!(body["type"], "urn:egret:problem:upstream_timeout");
        assert_eq!(body["status"], 504);
        assert_eq!(body["request_id"], id.to_string());
        assert_eq!(body.as_object().unwrap().len(), 5);
        let advice = Advice {
            budget: Some("cybrid.general".into()),
            ..Advice::default()
        };
        let body = BUDGET_SPENT.body(id, Some(&advice));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "urn:egret:problem:budget_spent");
        assert_eq!(body["budget"], "cybrid.general");
    }

    #[test]
    fn an_error_of_the_bank_keeps_its_status_and_its_code() {
        let body = upstream_error(422, Some("invalid_parameter"), CallId::floor(1));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "urn:egret:problem:upstream_error");
        assert_eq!(
            (&body["status"], &body["upstream_status"]),
            (&422.into(), &422.into())
        );
        assert_eq!(body["upstream_code"], "invalid_parameter");
        let body = upstream_error(500, None, CallId::floor(1));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(body["upstream_code"].is_null());
        assert!(include_str!("../../docs/problems.md").contains("| `upstream_error` |"));
    }

    #[test]
    fn codes_are_unique_and_documented() {
        let documented = include_str!("../../docs/problems.md");
        let mut seen = HashSet::new();
        let refusals = Refusal::ALL.iter().map(|refusal| Problem::from(*refusal));
        for problem in ALL.iter().copied().chain(refusals) {
            assert!(seen.insert(problem.code), "{} twice", problem.code);
            let row = format!("| `{}` | {} |", problem.code, problem.status);
            assert!(documented.contains(&row), "docs/problems.md lacks {row}");
        }
    }
}
