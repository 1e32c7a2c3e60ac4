//! A request as a vendor sees it, and the reply that a vendor gives.

use std::net::IpAddr;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::types::Micros;

/// A request, read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// As sent.
    pub method: String,
    /// As sent, without the query.
    pub path: String,
    /// As sent, without the question mark; empty if there was none.
    pub query: String,
    /// In the order and the case received. HTTP/2 names are lowercase on the wire.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// `Host` or `:authority`; empty if neither came.
    pub host: String,
    /// Who connected.
    pub peer: IpAddr,
    /// When it arrived, by the injected clock.
    pub now: Micros,
}

impl Request {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first header of exactly that name. OBP servers before late 2026 look up most
    /// credential headers this way.
    pub fn header_exact(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The token after `Bearer ` in `Authorization`.
    pub fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    }

    /// The decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        pairs(&self.query)
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// True if the parameter is `true` in any case (the Python clients write `True`).
    pub fn flag(&self, name: &str) -> bool {
        self.parameter(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body as a JSON object; an empty body is an empty object; `None` if it is neither.
    pub fn json(&self) -> Option<Map<String, Value>> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Some(Map::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Some(map),
            _ => None,
        }
    }

    /// Path and query as sent.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// The path in decoded segments, without empty ones at the ends.
    pub fn segments(&self) -> Vec<String> {
        self.path
            .trim_matches('/')
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect()
    }
}

/// The decoded pairs of a query or a form body.
pub fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode_form(name), decode_form(value))
    })
}

fn decode_form(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

/// What a vendor answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Besides `Content-Type`, `Content-Length` and `Date`.
    pub headers: Vec<(String, String)>,
    /// Of the body; ignored if there is none.
    pub content_type: &'static str,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json; charset=utf-8",
            body: value.to_string().into_bytes(),
        }
    }

    /// A text answer of another type.
    pub fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type,
            body: body.into().into_bytes(),
        }
    }

    /// An answer without a body.
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "",
            body: Vec::new(),
        }
    }

    /// The page that a load balancer shows: not from the application, no JSON.
    pub fn infrastructure(status: u16) -> Self {
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|code| code.canonical_reason())
            .unwrap_or("Error");
        Self::text(
            status,
            "text/html",
            format!(
                "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n\
                 <center><h1>{status} {reason}</h1></center>\r\n</body>\r\n</html>\r\n"
            ),
        )
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn request(query: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            path: "/a%20b/c".to_owned(),
            query: query.to_owned(),
            headers: vec![("DAuth".to_owned(), "x".to_owned())],
            body: Bytes::new(),
            host: String::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            now: Micros(0),
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let request = request("include_pii=True&a=1%2C2&b=x+y&empty");
        assert!(request.flag("include_pii"));
        assert_eq!(request.parameter("a").as_deref(), Some("1,2"));
        assert_eq!(request.parameter("b").as_deref(), Some("x y"));
        assert_eq!(request.parameter("empty").as_deref(), Some(""));
        assert_eq!(request.parameter("none"), None);
        assert_eq!(request.segments(), ["a b", "c"]);
    }

    #[test]
    fn exact_lookup_minds_the_case() {
        let request = request("");
        assert_eq!(request.header("dauth"), Some("x"));
        assert_eq!(request.header_exact("dauth"), None);
        assert_eq!(request.header_exact("DAuth"), Some("x"));
    }
}
