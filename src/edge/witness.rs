//! The HTTP side of a witness (<https://c2sp.org/tlog-witness>): `POST /add-checkpoint`, and `GET /`
//! for people. Judging and remembering are in `adapters::evidence::witness`.
//!
//! It speaks HTTP/1.1 without TLS: on loopback, or behind a proxy that has a certificate. What it
//! gives out is signed and public; what it takes is checked.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::adapters::clock;
use crate::adapters::evidence::witness::{NotCosigned, Witness};
use crate::domain::evidence::witness::{AddCheckpoint, MAX_REQUEST_BYTES};

/// Connections at a time; logs post once a second.
const MAX_CONNECTIONS: usize = 256;

/// Longest time for a head, and for a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, witness: Arc<Witness>, stop: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of file descriptors, most likely: others must end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let witness = Arc::clone(&witness);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(move |request| {
                let witness = Arc::clone(&witness);
                async move { Ok::<_, std::convert::Infallible>(answer(&witness, request).await) }
            });
            // A broken connection is the other side's affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(witness: &Arc<Witness>, request: Request<Incoming>) -> Answer {
    const TEXT: &str = "text/plain; charset=utf-8";
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => respond(200, TEXT, describe(witness)),
        (&Method::POST, "/add-checkpoint") => {
            let body = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect();
            let body = match tokio::time::timeout(PATIENCE, body).await {
                Ok(Ok(body)) => body.to_bytes(),
                Ok(Err(_)) => return respond(413, TEXT, "the request is too long\n".to_owned()),
                Err(_) => return respond(408, TEXT, "the request took too long\n".to_owned()),
            };
            let request = match AddCheckpoint::parse(&body) {
                Ok(request) => request,
                Err(fault) => return respond(400, TEXT, format!("{fault}\n")),
            };
            // Waits for the disk: not on the thread that serves the others.
            let judge = Arc::clone(witness);
            let judged =
                tokio::task::spawn_blocking(move || judge.add(&request, clock::now())).await;
            match judged {
                Ok(Ok(accepted)) => respond(200, TEXT, accepted.body()),
                Ok(Err(NotCosigned::Refused(refusal))) => {
                    respond(refusal.status(), refusal.content_type(), refusal.body())
                }
                Ok(Err(NotCosigned::NotKept(error))) => {
                    tracing::error!(target: "egret::witness", %error, "a cosignature could not be kept and was not given");
                    respond(
                        500,
                        TEXT,
                        "this witness cannot write its state\n".to_owned(),
                    )
                }
                Err(_) => respond(500, TEXT, "this witness failed\n".to_owned()),
            }
        }
        (_, "/" | "/add-checkpoint") => respond(405, TEXT, "POST /add-checkpoint\n".to_owned()),
        _ => respond(404, TEXT, "POST /add-checkpoint\n".to_owned()),
    }
}

fn describe(witness: &Witness) -> String {
    let mut text = format!("{}\n", witness.key());
    for (origin, seen) in witness.seen() {
        let size = seen.map_or(0, |seen| seen.size);
        text.push_str(&format!("{origin} {size}\n"));
    }
    text
}

fn respond(status: u16, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    answer
}
