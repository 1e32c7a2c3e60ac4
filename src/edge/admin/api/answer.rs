//! Replies of the desk as HTTP answers, and the headers that every answer has.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_core::Stream;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use tokio::sync::mpsc;

use crate::edge::admin::desk::{Event, Reply};

/// Pause after which a line without meaning keeps a connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Milliseconds until a browser comes back to a tail that has ended.
const RETRY: &str = "retry: 2000\n\n";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const SECURITY: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// A report is a page of its own, with its style inside; nothing in it is run.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// Adds the headers that every answer has; what an answer has set itself stays.
pub(super) fn secure(headers: &mut HeaderMap, is_tls: bool) {
    for (name, value) in SECURITY {
        let name = HeaderName::from_static(name);
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if is_tls {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

/// An answer with a body.
pub(super) fn plain(status: u16, media: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Nothing, done.
pub(super) fn done() -> Response<Body> {
    let mut answer = plain(204, "application/json", Body::empty());
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer
}

/// What the desk replied.
pub(super) fn respond(reply: Reply) -> Response<Body> {
    match reply {
        Reply::Json(status, body) => plain(status, "application/json", body),
        Reply::Done => done(),
        Reply::File { media, name, body } => {
            let mut answer = plain(200, media, body);
            let headers = answer.headers_mut();
            if media.starts_with("text/html") {
                let policy = HeaderValue::from_static(PAGE_POLICY);
                headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            attach(headers, name.as_deref());
            answer
        }
        Reply::Stream {
            media,
            name,
            pieces,
        } => {
            let pieces = Received(pieces);
            let mut answer = plain(200, media, Body::from_stream(pieces));
            attach(answer.headers_mut(), Some(&name));
            answer
        }
        Reply::Events(events) => {
            let (pieces, received) = mpsc::channel::<Result<Bytes, Infallible>>(16);
            tokio::spawn(write_events(events, pieces));
            plain(
                200,
                "text/event-stream",
                Body::from_stream(Received(received)),
            )
        }
    }
}

fn attach(headers: &mut HeaderMap, name: Option<&str>) {
    // Names are made here, of words and ids.
    let value = name
        .and_then(|name| HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).ok());
    if let Some(value) = value {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
}

/// What comes through a channel.
struct Received<T>(mpsc::Receiver<T>);

impl<T> Stream for Received<T> {
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}

/// Writes events until there are no more, or nobody reads them.
async fn write_events(
    mut events: mpsc::Receiver<Event>,
    pieces: mpsc::Sender<Result<Bytes, Infallible>>,
) {
    let send = async |text: String| pieces.send(Ok(Bytes::from(text))).await.is_ok();
    if !send(RETRY.to_owned()).await {
        return;
    }
    loop {
        let text = match tokio::time::timeout(KEEP_ALIVE, events.recv()).await {
            Err(_) => ": keep-alive\n\n".to_owned(),
            Ok(None) => return,
            Ok(Some(Event::Call { seq, row })) => {
                format!("event: call\nid: {seq}\ndata: {row}\n\n")
            }
            Ok(Some(Event::Problem(why))) => {
                let why = serde_json::Value::from(why);
                format!("event: problem\ndata: {{\"detail\":{why}}}\n\n")
            }
        };
        if !send(text).await {
            return;
        }
    }
}
