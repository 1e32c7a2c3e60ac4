//! Probes and figures.

use axum::body::Body;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::json;

use crate::domain::health::{Bounds, Probe, Report, Vitals, prometheus};

/// Every path, with what it tells.
const PATHS: &[(&str, Page)] = &[
    ("/livez", Page::Probe(Probe::Live)),
    ("/readyz", Page::Probe(Probe::Ready)),
    ("/startupz", Page::Probe(Probe::Startup)),
    ("/metrics", Page::Metrics),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Probe(Probe),
    Metrics,
}

/// What whoever asks is told without saying who they are.
pub(super) struct Asker {
    /// The checks of a probe, one by one, not only their sum.
    pub(super) sees_checks: bool,
    /// The figures.
    pub(super) sees_metrics: bool,
    /// The format in which they are told.
    pub(super) format: prometheus::Format,
}

/// The format of figures that a request asks for.
pub(super) fn format_of(headers: &HeaderMap) -> prometheus::Format {
    let fields = headers.get_all(ACCEPT).iter();
    prometheus::Format::of(fields.filter_map(|field| field.to_str().ok()))
}

/// Answers a request, if it is one of these. Its query does not matter.
pub(super) fn answer(
    method: &Method,
    path: &str,
    asker: &Asker,
    bounds: Bounds,
    observe: &dyn Fn() -> Vitals,
) -> Option<Response<Body>> {
    let (_, page) = PATHS.iter().find(|(known, _)| *known == path)?;
    if *page == Page::Metrics && !asker.sees_metrics {
        return None;
    }
    // HEAD too: hyper leaves out the body.
    if ![Method::GET, Method::HEAD].contains(method) {
        let text = "Only GET and HEAD.\n".to_owned();
        let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(ALLOW, allowed);
        return Some(answer);
    }
    let vitals = observe();
    Some(match page {
        Page::Probe(probe) => {
            let report = Report::of(*probe, &vitals, &bounds);
            let status = StatusCode::from_u16(report.status()).unwrap_or_default();
            let body = match asker.sees_checks {
                true => report.body,
                false => json!({ "ok": report.good, "stage": report.body["stage"] }),
            };
            response(status, JSON, format!("{body:#}\n"))
        }
        Page::Metrics => {
            let text = prometheus::render(asker.format, &vitals, &bounds);
            response(StatusCode::OK, asker.format.content_type(), text)
        }
    })
}

/// The listener stops.
pub(super) fn gone() -> Response<Body> {
    let text = "The gateway stops.\n".to_owned();
    response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    answer
}
