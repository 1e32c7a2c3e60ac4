//! Errors in Wyre's shape.

use serde_json::json;

use crate::sim::entropy::Entropy;
use crate::sim::message::Reply;

/// An error answer, before it gets its `exceptionId`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WyreError {
    status: u16,
    kind: &'static str,
    code: String,
    message: String,
    transient: bool,
}

impl WyreError {
    fn new(status: u16, kind: &'static str, code: &str, message: &str) -> Self {
        Self {
            status,
            kind,
            code: code.to_owned(),
            message: message.to_owned(),
            transient: false,
        }
    }

    /// 401: wrong key, signature, time, session or account, told apart by the code's tail only.
    pub fn denied(what: &str) -> Self {
        Self::new(
            401,
            "AccessDeniedException",
            &format!("accessDenied.{what}"),
            "Access denied",
        )
    }

    /// 400: the request is not as documented.
    pub fn invalid(message: &str) -> Self {
        Self::new(400, "ValidationException", "validation.general", message)
    }

    /// 400: the transfer is not in a state for this.
    pub fn transfer(code: &str, message: &str) -> Self {
        Self::new(400, "TransferException", code, message)
    }

    /// 404; v2 answers 400.
    pub fn not_found(path: &str) -> Self {
        let status = if path.starts_with("/v2/") { 400 } else { 404 };
        Self::new(status, "NotFoundException", "notFound", "Not found")
    }

    /// 429, which may be tried again.
    pub fn too_many() -> Self {
        Self {
            transient: true,
            ..Self::new(429, "RateLimitException", "rateLimit", "Too many requests")
        }
    }

    /// The answer.
    pub fn reply(self, entropy: &mut Entropy) -> Reply {
        let id = entropy.text(b"ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", 6);
        Reply::json(
            self.status,
            &json!({
                "exceptionId": id,
                "type": self.kind,
                "errorCode": self.code,
                "message": self.message,
                "language": "en",
                "transient": self.transient,
            }),
        )
    }
}
