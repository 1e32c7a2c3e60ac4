//! Errors in OBP's shape: `{"code":<status>,"message":"OBP-NNNNN: text"}`.

use serde_json::json;

use crate::sim::message::Reply;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObpError {
    status: u16,
    message: String,
}

impl ObpError {
    /// From status and message, which starts with the OBP code.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// Nobody is logged in.
    pub fn anonymous() -> Self {
        Self::new(
            401,
            "OBP-20001: User not logged in. Authentication is required!",
        )
    }

    /// The path is none of ours; the message repeats it, as the servers do.
    pub fn no_such_path(path: &str, content_type: &str) -> Self {
        Self::new(
            404,
            format!(
                "OBP-10404: 404 Not Found. The server has not found anything matching the \
                 Request-URI. Check your URL and the Headers. PATH: {path}, CONTENT_TYPE: \
                 {content_type}"
            ),
        )
    }

    /// The body is not what the call needs.
    pub fn bad_json(what: &str) -> Self {
        Self::new(
            400,
            format!("OBP-10001: Incorrect json format. The Json body should have {what}"),
        )
    }
}

impl From<ObpError> for Reply {
    fn from(error: ObpError) -> Self {
        let reply = Self::json(
            error.status,
            &json!({"code": error.status, "message": error.message}),
        );
        if error.status == 401 {
            let realm = "sim";
            return reply.with(
                "WWW-Authenticate",
                format!(
                    "OAuth realm=\"{realm}\", Bearer realm=\"{realm}\", \
                     DirectLogin realm=\"{realm}\""
                ),
            );
        }
        reply
    }
}
