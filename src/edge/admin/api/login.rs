//! The way of a browser through the identity provider: authorization code with PKCE (RFC 7636).

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use parking_lot::Mutex;

use super::door::{Door, cookie};
use super::{Api, answer};
use crate::adapters::clock;
use crate::adapters::oidc::{Claimed, Login};
use crate::edge::admin::desk::{Entry, Fault};
use crate::types::{CallId, Micros};

/// Logins under way at a time; whoever begins more pushes the oldest out.
const MAX_LOGINS: usize = 200;

/// How long a login may take at the identity provider.
const LOGIN_TIME: Duration = Duration::from_secs(600);

/// The cookie that binds a login to its browser. It comes back from another site, so it cannot be
/// `Strict`; it opens nothing.
const COOKIE: &str = "egret-login";

/// Logins under way, by their state.
#[derive(Default)]
pub struct Logins(Mutex<HashMap<String, (Login, Micros)>>);

impl Logins {
    fn add(&self, login: Login, now: Micros) {
        let mut all = self.0.lock();
        all.retain(|_, (_, began)| now.since(*began) < LOGIN_TIME);
        if all.len() >= MAX_LOGINS
            && let Some(oldest) = all
                .iter()
                .min_by_key(|(_, (_, began))| *began)
                .map(|(state, _)| state.clone())
        {
            all.remove(&oldest);
        }
        all.insert(login.state.clone(), (login, now));
    }

    fn take(&self, state: &str, now: Micros) -> Option<Login> {
        let (login, began) = self.0.lock().remove(state)?;
        (now.since(began) < LOGIN_TIME).then_some(login)
    }
}

/// Sends a browser to the identity provider.
pub(super) async fn start(door: &Door, is_tls: bool) -> Result<Response<Body>, Fault> {
    let provider = door
        .provider
        .as_ref()
        .filter(|provider| provider.takes_browsers());
    let provider = provider.ok_or_else(no_provider)?;
    let (login, url) = provider.start(clock::now()).await.map_err(away)?;
    let secure = if is_tls { "; Secure" } else { "" };
    let bound = format!(
        "{COOKIE}={}; Path=/auth/oidc; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        login.state,
        LOGIN_TIME.as_secs()
    );
    door.logins.add(login, clock::now());
    let mut response = answer::plain(
        303,
        "text/plain; charset=utf-8",
        "to the identity provider\n",
    );
    let headers = response.headers_mut();
    let wrong = |_| Fault::Failed("the identity provider's address cannot be used".to_owned());
    headers.insert(
        header::LOCATION,
        HeaderValue::from_str(&url).map_err(wrong)?,
    );
    headers.insert(
        header::SET_COOKIE,
        HeaderValue::from_str(&bound).map_err(wrong)?,
    );
    Ok(response)
}

/// Takes a browser that comes back.
pub(super) async fn finish(
    api: &Api,
    query: &str,
    headers: &HeaderMap,
    is_tls: bool,
    id: CallId,
) -> Result<Response<Body>, Fault> {
    let door = &api.door;
    let provider = door.provider.as_ref().ok_or_else(no_provider)?;
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8();
        value.ok().map(|value| value.into_owned())
    };
    let state = value("state").filter(|state| cookie(headers, COOKIE) == Some(state));
    let login = state.and_then(|state| door.logins.take(&state, clock::now()));
    let login = login.ok_or_else(|| {
        Fault::Conflict("this login was not begun here, or too long ago; begin again".to_owned())
    })?;
    let Some(code) = value("code") else {
        api.desk.enter(Entry::Unknown, None, id).await?;
        return Err(Fault::Unauthenticated);
    };
    let person = match provider.finish(&login, &code, clock::now()).await {
        Ok(person) => person,
        Err(Claimed::Away(why)) => return Err(away(why)),
        Err(Claimed::Wrong(fault)) => {
            tracing::warn!(target: "egret::admin", %fault, "a login at the identity provider was refused");
            api.desk.enter(Entry::Unknown, None, id).await?;
            return Err(Fault::Unauthenticated);
        }
    };
    api.desk.enter(Entry::Login, Some(&person), id).await?;
    let (session, _) = door.begin(person, is_tls)?;
    // Not a redirect: it would still come from the other site, and a strict cookie would stay at home.
    const PAGE: &str = "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" \
        content=\"0;url=/\"><title>Egret</title><a href=\"/\">Go on</a>\n";
    let mut response = answer::plain(200, "text/html; charset=utf-8", PAGE);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, session);
    let gone = HeaderValue::from_static("egret-login=; Path=/auth/oidc; HttpOnly; Max-Age=0");
    headers.append(header::SET_COOKIE, gone);
    Ok(response)
}

fn no_provider() -> Fault {
    Fault::NotFound("[admin.oidc] with redirect is not configured".to_owned())
}

fn away(why: String) -> Fault {
    tracing::warn!(target: "egret::admin", %why, "the identity provider cannot be used");
    Fault::Failed("the identity provider cannot be used at the moment".to_owned())
}
