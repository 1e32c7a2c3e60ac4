//! What is answered where.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use crate::domain::health::{Bounds, Probe, Report, Vitals, prometheus};

/// Every path, with what it tells.
const PATHS: &[(&str, Page)] = &[
    ("/livez", Page::Probe(Probe::Live)),
    ("/readyz", Page::Probe(Probe::Ready)),
    ("/startupz", Page::Probe(Probe::Startup)),
    ("/metrics", Page::Metrics),
];

#[derive(Clone, Copy)]
enum Page {
    Probe(Probe),
    Metrics,
}

/// Answers a request. Its query and its headers do not matter.
pub(super) fn answer(
    method: &Method,
    path: &str,
    bounds: Bounds,
    observe: &dyn Fn() -> Vitals,
) -> Response<Full<Bytes>> {
    let Some((_, page)) = PATHS.iter().find(|(known, _)| *known == path) else {
        let paths: Vec<_> = PATHS.iter().map(|(path, _)| *path).collect();
        let text = format!("There is {} here.\n", paths.join(", "));
        return response(StatusCode::NOT_FOUND, TEXT, text);
    };
    // HEAD too: hyper leaves out the body.
    if ![Method::GET, Method::HEAD].contains(method) {
        let text = "Only GET and HEAD.\n".to_owned();
        let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(ALLOW, allowed);
        return answer;
    }
    let vitals = observe();
    match page {
        Page::Probe(probe) => {
            let report = Report::of(*probe, &vitals, &bounds);
            let status = StatusCode::from_u16(report.status()).unwrap_or_default();
            response(status, JSON, format!("{:#}\n", report.body))
        }
        Page::Metrics => {
            let text = prometheus::render(&vitals, &bounds);
            response(StatusCode::OK, prometheus::CONTENT_TYPE, text)
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
