//! The admin API: an axum router made of the [routes](routes), who may come through the
//! [door](door), and the [document](openapi) that describes it all.
//!
//! Here a request is understood and its asker known; what is asked is answered by the desk.

mod answer;
mod asked;
pub mod door;
mod login;
mod openapi;
mod problem;
mod route;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};

use self::asked::Asked;
use self::door::{Door, MAX_BEARER, Peer};
use self::route::{By, Itself, Method, Route};
use super::console;
use super::desk::{Desk, Entry, Fault};
use super::model;
use super::probes::format_of;
use crate::adapters::{clock, entropy};
use crate::domain::access::{Permission, Person};
use crate::domain::health::prometheus::Format;
use crate::types::CallId;

/// Where the API begins.
pub const BASE: &str = "/api/v1";

/// Largest body.
const MAX_BODY: usize = 64 << 10;

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Tells the figures in a format.
pub type Figures = Arc<dyn Fn(Format) -> String + Send + Sync>;

/// What every request needs.
pub struct Api {
    desk: Arc<dyn Desk>,
    door: Arc<Door>,
    document: Bytes,
    metrics: Figures,
}

/// A new id for a request.
fn request_id() -> CallId {
    let random = entropy::id_bytes().unwrap_or_default();
    CallId::from_parts(clock::now().as_millis(), random)
}

/// Makes the router. Everything in front of it gives requests a [`Peer`].
pub fn router(desk: Arc<dyn Desk>, door: Arc<Door>, version: &str, metrics: Figures) -> Router {
    let all = routes::all();
    let document = openapi::document(&all, version).to_string();
    let api = Arc::new(Api {
        desk,
        door,
        document: Bytes::from(document),
        metrics,
    });
    let mut router = Router::new();
    for route in all {
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        };
        let path = format!("{BASE}{}", route.path);
        let route = Arc::new(route);
        let api = Arc::clone(&api);
        let handler = move |path: RawPathParams, request: Request| {
            let (api, route) = (Arc::clone(&api), Arc::clone(&route));
            async move { api.answer(&route, &path, request).await }
        };
        router = router.route(&path, on(filter, handler));
    }
    let here = Arc::clone(&api);
    let start = move |request: Request| async move { here.to_provider(request).await };
    let here = Arc::clone(&api);
    let back = move |request: Request| async move { here.come_back(request).await };
    let here = Arc::clone(&api);
    let figures = move |request: Request| async move { here.figures(request).await };
    let here = Arc::clone(&api);
    let rest = move |request: Request| async move { here.otherwise(&request) };
    let here = Arc::clone(&api);
    let wrong = move |request: Request| async move {
        here.close(
            &peer_of(&request),
            Err(Fault::MethodNotAllowed),
            request_id(),
        )
    };
    router
        .route("/metrics", on(MethodFilter::GET, figures))
        .route("/auth/oidc/start", on(MethodFilter::GET, start))
        .route("/auth/oidc/return", on(MethodFilter::GET, back))
        .fallback(rest)
        .method_not_allowed_fallback(wrong)
}

fn peer_of(request: &Request) -> Peer {
    request
        .extensions()
        .get::<Peer>()
        .cloned()
        .unwrap_or_default()
}

/// A person as they see themselves.
fn shown(who: &Person) -> model::Me {
    model::Me {
        name: who.name.to_string(),
        way: who.way.as_str(),
        roles: who.roles.iter().map(|role| role.as_str()).collect(),
        permissions: who.roles.permissions().map(Permission::as_str).collect(),
        expires_at: who.expires_at.map(|at| at.to_string()),
    }
}

fn json(status: u16, value: &impl serde::Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    answer::plain(status, "application/json", body)
}

impl Api {
    /// Adds what every answer has.
    fn close(
        &self,
        peer: &Peer,
        done: Result<Response<Body>, Fault>,
        id: CallId,
    ) -> Response<Body> {
        let mut response = done.unwrap_or_else(|fault| problem::respond(&fault, id));
        answer::secure(response.headers_mut(), peer.is_tls);
        response
    }

    async fn answer(
        &self,
        route: &Route,
        path: &RawPathParams,
        request: Request,
    ) -> Response<Body> {
        let id = request_id();
        let peer = peer_of(&request);
        let done = self.try_answer(route, path, request, &peer, id).await;
        self.close(&peer, done, id)
    }

    async fn try_answer(
        &self,
        route: &Route,
        path: &RawPathParams,
        request: Request,
        peer: &Peer,
        id: CallId,
    ) -> Result<Response<Body>, Fault> {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        self.door.check_host(headers, &parts.uri)?;
        let who = match route.permission {
            Some(permission) => Some(self.admit(permission, headers, peer, id).await?),
            None => None,
        };
        // A login makes a cookie that is not there yet: only browsers say where they come from.
        let is_login = matches!(route.by, By::Itself(Itself::Login));
        let says_where = headers.contains_key("sec-fetch-site") || headers.contains_key("origin");
        let is_by_itself = match is_login {
            true => says_where,
            false => !headers.contains_key(header::AUTHORIZATION) && who.is_some(),
        };
        self.door
            .check_site(headers, route.method.changes(), is_by_itself)?;
        let body = match route.body {
            Some(_) => read_body(headers, body).await?,
            None => Vec::new(),
        };
        let path = path
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = parts.uri.query().unwrap_or_default();
        let mut asked = Asked::read(route, path, query, body)?;
        match route.by {
            By::Itself(itself) => self.itself(itself, &asked, headers, peer, who, id).await,
            By::Desk(ask) => {
                let who = who.ok_or(Fault::Unauthenticated)?;
                // A browser that comes back to a tail says where it was (HTML, section 9.2.4).
                if matches!(route.answer, route::Answer::Events)
                    && let Some(last) = headers.get("last-event-id")
                {
                    asked.go_on_after(last.to_str().ok().unwrap_or_default());
                }
                let reply = self.desk.answer(ask(&asked)?, &who, id).await?;
                Ok(answer::respond(reply))
            }
        }
    }

    /// Who asks, if they may.
    async fn admit(
        &self,
        permission: Permission,
        headers: &HeaderMap,
        peer: &Peer,
        id: CallId,
    ) -> Result<Person, Fault> {
        let who = match self.door.identify(headers, peer).await {
            Ok(who) => who,
            Err(fault) => {
                // Only a wrong key is worth a record: no key at all is a page that was opened.
                if fault == Fault::Unauthenticated && headers.contains_key(header::AUTHORIZATION) {
                    self.desk.enter(Entry::Unknown, None, id).await?;
                }
                return Err(fault);
            }
        };
        if !who.roles.allow(permission) {
            let denied = Entry::Denied(permission);
            self.desk.enter(denied, Some(&who), id).await?;
            return Err(Fault::Forbidden(permission));
        }
        Ok(who)
    }

    async fn itself(
        &self,
        itself: Itself,
        asked: &Asked,
        headers: &HeaderMap,
        peer: &Peer,
        who: Option<Person>,
        id: CallId,
    ) -> Result<Response<Body>, Fault> {
        match itself {
            Itself::Ways => {
                let provider = self.door.provider.as_ref();
                let provider = provider.filter(|provider| provider.takes_browsers());
                Ok(json(
                    200,
                    &model::Ways {
                        key: true,
                        oidc: provider.map(|provider| model::OidcWay {
                            start: "/auth/oidc/start",
                            name: provider.name().to_owned(),
                        }),
                    },
                ))
            }
            Itself::Document => Ok(answer::plain(
                200,
                "application/json",
                self.document.clone(),
            )),
            Itself::Me => {
                let who = who.ok_or(Fault::Unauthenticated)?;
                // It tells nothing but who asks, and a page asks it first of all: also of a gateway
                // that cannot record.
                let _ = self.desk.enter(Entry::Figures, Some(&who), id).await;
                Ok(json(200, &shown(&who)))
            }
            Itself::Login => {
                let body: model::KeyBody = asked.body()?;
                if body.key.len() > MAX_BEARER {
                    return Err(Fault::Unauthenticated);
                }
                let opened = self.door.key(&body.key, peer, clock::now());
                let who = match opened {
                    Ok(who) => who,
                    Err(fault) => {
                        if fault == Fault::Unauthenticated {
                            self.desk.enter(Entry::Unknown, None, id).await?;
                        }
                        return Err(fault);
                    }
                };
                self.desk.enter(Entry::Login, Some(&who), id).await?;
                // A browser that logs in again leaves nothing behind.
                let _ = self.door.end(headers, peer.is_tls);
                let (cookie, who) = self.door.begin(who, peer.is_tls)?;
                let mut response = json(201, &shown(&who));
                response.headers_mut().insert(header::SET_COOKIE, cookie);
                Ok(response)
            }
            Itself::Logout => {
                // A page of another site must not end it; whoever has no session ends none.
                let has_cookie = headers.contains_key(header::COOKIE);
                self.door.check_site(headers, true, has_cookie)?;
                let (who, gone) = self.door.end(headers, peer.is_tls);
                if let Some(who) = who {
                    self.desk.enter(Entry::Logout, Some(&who), id).await?;
                }
                let mut response = answer::done();
                response.headers_mut().insert(header::SET_COOKIE, gone);
                Ok(response)
            }
        }
    }

    /// Figures for those who have said who they are.
    async fn figures(&self, request: Request) -> Response<Body> {
        let (id, peer) = (request_id(), peer_of(&request));
        let (parts, _) = request.into_parts();
        let headers = &parts.headers;
        let admitted = match self.door.check_host(headers, &parts.uri) {
            Ok(()) => self.admit(Permission::Watch, headers, &peer, id).await,
            Err(fault) => Err(fault),
        };
        let done = match admitted {
            Ok(who) => self.desk.enter(Entry::Figures, Some(&who), id).await,
            Err(fault) => Err(fault),
        };
        let format = format_of(headers);
        let text = || (self.metrics)(format);
        let done = done.map(|()| answer::plain(200, format.content_type(), text()));
        self.close(&peer, done, id)
    }

    async fn to_provider(&self, request: Request) -> Response<Body> {
        let (id, peer) = (request_id(), peer_of(&request));
        let done = match self.door.check_host(request.headers(), request.uri()) {
            Ok(()) => login::start(&self.door, peer.is_tls).await,
            Err(fault) => Err(fault),
        };
        self.close(&peer, done, id)
    }

    async fn come_back(&self, request: Request) -> Response<Body> {
        let (id, peer) = (request_id(), peer_of(&request));
        let query = request.uri().query().unwrap_or_default().to_owned();
        let headers = request.headers().clone();
        let done = match self.door.check_host(&headers, request.uri()) {
            Ok(()) => login::finish(self, &query, &headers, peer.is_tls, id).await,
            Err(fault) => Err(fault),
        };
        self.close(&peer, done, id)
    }

    /// The console, and what is nowhere.
    fn otherwise(&self, request: &Request) -> Response<Body> {
        let (id, peer) = (request_id(), peer_of(request));
        let path = request.uri().path();
        let done = match self.door.check_host(request.headers(), request.uri()) {
            Err(fault) => Err(fault),
            Ok(()) => match console::answer(path, request.headers()) {
                Some(page) if is_read(request.method()) => Ok(page.map(Body::new)),
                Some(_) => Err(Fault::MethodNotAllowed),
                None => Err(Fault::NotFound(
                    "There are /livez, /readyz, /startupz and /metrics; /api/v1/openapi.json says \
                     what else there is."
                        .to_owned(),
                )),
            },
        };
        let mut response = self.close(&peer, done, id);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }
}

fn is_read(method: &http::Method) -> bool {
    [http::Method::GET, http::Method::HEAD].contains(method)
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Fault> {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return Err(Fault::WrongType);
    }
    let read = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIME, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(_)) => Err(Fault::TooLarge),
        Err(_) => Err(Fault::Timeout),
    }
}
