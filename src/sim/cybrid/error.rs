//! Errors in the shape of the API: `{"status","error_message","message_code"}`.

use serde_json::json;

use crate::sim::message::Reply;

/// An error answer of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
}

impl ApiError {
    /// From its three fields.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// No such object or path.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "Record not found")
    }

    /// 422 with this code.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(422, code, message)
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self::json(
            error.status,
            &json!({
                "status": error.status,
                "error_message": error.message,
                "message_code": error.code,
            }),
        )
    }
}
