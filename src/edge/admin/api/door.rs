//! Finds out who asks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderMap, HeaderValue};
use parking_lot::Mutex;

use super::login::Logins;
use crate::adapters::oidc::{Claimed, IdentityProvider};
use crate::adapters::{clock, entropy};
use crate::domain::access::jwt;
use crate::domain::access::{
    AdminBook, Person, Roles, SESSION_SECRET_BYTES, Sessions, Tries, Way, check_host, check_site,
    hash_of,
};
use crate::domain::config;
use crate::domain::identity::{ADMIN_KEY_PREFIX, CertificateIdentity};
use crate::edge::admin::desk::Fault;
use crate::types::Micros;

/// The other end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its address; `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// What its verified certificate stands for.
    pub certificate: Option<Person>,
}

/// Who may come in, and who is in.
pub struct Door {
    book: Arc<ArcSwap<AdminBook>>,
    sessions: Mutex<Sessions>,
    tries: Mutex<Tries>,
    hosts: Vec<String>,
    pub(super) provider: Option<Arc<IdentityProvider>>,
    pub(super) logins: Logins,
    certificates: Certificates,
}

/// Which certificates have roles.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    names: BTreeMap<String, Arc<str>>,
    roles: BTreeMap<String, Roles>,
}

impl Certificates {
    /// Those of a configuration.
    pub fn new(roles: &BTreeMap<String, Roles>) -> Self {
        let names = roles
            .keys()
            .map(|name| (name.clone(), name.as_str().into()));
        Self {
            names: names.collect(),
            roles: roles.clone(),
        }
    }

    /// Who shows a certificate that the handshake has verified; nobody if it has no roles.
    pub fn person(&self, der: &[u8]) -> Option<Person> {
        let identity = CertificateIdentity::from_der(der).ok()?;
        let name = identity.caller(&self.names)?;
        Some(Person {
            way: Way::Certificate,
            roles: *self.roles.get(&*name)?,
            name,
            expires_at: None,
            key_id: None,
        })
    }
}

/// The session cookie. The prefix has browsers see to it that no other host can have set it.
pub(super) const fn cookie_name(is_tls: bool) -> &'static str {
    match is_tls {
        true => "__Host-egret-session",
        false => "egret-session",
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(header::COOKIE).iter();
    let mut pairs = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'));
    pairs.find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found.trim() == name).then_some(value.trim())
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Door {
    /// A door to which these keys open.
    pub fn new(
        admin: &config::Admin,
        book: Arc<ArcSwap<AdminBook>>,
        provider: Option<Arc<IdentityProvider>>,
    ) -> Self {
        Self {
            book,
            sessions: Mutex::new(Sessions::new(admin.sessions)),
            tries: Mutex::default(),
            hosts: admin.hosts.clone(),
            provider,
            logins: Logins::default(),
            certificates: Certificates::new(&admin.certificates),
        }
    }

    /// Which certificates have roles.
    pub(in crate::edge::admin) const fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Whether the request is to this listener, and not led here by another name.
    pub(super) fn check_host(&self, headers: &HeaderMap, uri: &http::Uri) -> Result<(), Fault> {
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Fault::WrongHost);
        }
        // An absolute target goes before the header (RFC 9112, section 3.2.2).
        let host = uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| text(headers, "host"));
        check_host(host, &self.hosts).map_err(|_| Fault::WrongHost)
    }

    /// Whether a request may come from where it does. Whoever shows a bearer has put it there;
    /// cookies and certificates browsers send by themselves.
    pub(super) fn check_site(
        &self,
        headers: &HeaderMap,
        changes: bool,
        is_by_itself: bool,
    ) -> Result<(), Fault> {
        let fetch_site = text(headers, "sec-fetch-site");
        if fetch_site == Some("cross-site") {
            return Err(Fault::OtherSite);
        }
        if !changes || !is_by_itself {
            return Ok(());
        }
        let origin = text(headers, "origin");
        check_site(fetch_site, origin, text(headers, "host")).map_err(|_| Fault::OtherSite)
    }

    /// Who asks. What is shown first counts, and if it is wrong nothing else makes up for it.
    pub(super) async fn identify(&self, headers: &HeaderMap, peer: &Peer) -> Result<Person, Fault> {
        let now = clock::now();
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        if let Some(field) = fields.next() {
            let bearer = field.to_str().ok().and_then(|value| {
                let (scheme, rest) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(rest.trim())
            });
            let Some(bearer) = bearer.filter(|_| fields.next().is_none()) else {
                return Err(self.failed(peer, now));
            };
            return self.bearer(bearer, peer, now).await;
        }
        if let Some(value) = cookie(headers, cookie_name(peer.is_tls)) {
            let hash = secret_hash(value).ok_or(Fault::Unauthenticated)?;
            let book = self.book.load();
            let is_usable = |id: &str| book.is_usable(id, now);
            let person = self.sessions.lock().resume(&hash, now, is_usable);
            return person.ok_or(Fault::Unauthenticated);
        }
        peer.certificate.clone().ok_or(Fault::Unauthenticated)
    }

    /// Whether a key may be tried.
    fn may_try(&self, peer: &Peer, now: Micros) -> Result<(), Fault> {
        let checked = self.tries.lock().check(peer.address, now);
        checked.map_err(|full| Fault::TooMany(full.0.as_secs().max(1)))
    }

    fn failed(&self, peer: &Peer, now: Micros) -> Fault {
        let mut tries = self.tries.lock();
        match tries.check(peer.address, now) {
            Ok(()) => {
                tries.failed(peer.address);
                Fault::Unauthenticated
            }
            Err(full) => Fault::TooMany(full.0.as_secs().max(1)),
        }
    }

    async fn bearer(&self, bearer: &str, peer: &Peer, now: Micros) -> Result<Person, Fault> {
        self.may_try(peer, now)?;
        if bearer.starts_with(ADMIN_KEY_PREFIX) || self.provider.is_none() {
            return self.key(bearer, peer, now);
        }
        let Some(provider) = &self.provider else {
            return Err(self.failed(peer, now));
        };
        match provider.person(bearer, None, now).await {
            Ok(person) => Ok(person),
            Err(Claimed::Wrong(fault)) => {
                // What is wrong with a token helps its owner; it is signed, so there is nothing to
                // guess.
                tracing::warn!(target: "egret::admin", %fault, "a token of the identity provider was refused");
                Err(self.failed(peer, now))
            }
            Err(Claimed::Away(why)) => {
                tracing::warn!(target: "egret::admin", %why, "the identity provider cannot be asked for its keys");
                Err(Fault::Failed(
                    "the identity provider cannot be asked for its keys".to_owned(),
                ))
            }
        }
    }

    /// Whose key this is.
    pub(super) fn key(&self, key: &str, peer: &Peer, now: Micros) -> Result<Person, Fault> {
        self.may_try(peer, now)?;
        let opened = self.book.load().open(key.as_bytes(), now);
        opened.map_err(|_| self.failed(peer, now))
    }

    /// Begins a session; gives the cookie, and the person as the session knows them.
    pub(super) fn begin(&self, who: Person, is_tls: bool) -> Result<(HeaderValue, Person), Fault> {
        let now = clock::now();
        let secret: [u8; SESSION_SECRET_BYTES] = entropy::key_bytes()
            .map_err(|_| Fault::Failed("the system gives no random bytes".to_owned()))?;
        let value = URL_SAFE_NO_PAD.encode(secret);
        let person = Person {
            way: Way::Session,
            ..who.clone()
        };
        let end = self
            .sessions
            .lock()
            .begin(hash_of(value.as_bytes()), who, now);
        let person = Person {
            expires_at: Some(end),
            ..person
        };
        Ok((session_cookie(&value, is_tls, None)?, person))
    }

    /// Ends the session of a request, if there is one; gives whose it was, and what takes back the
    /// cookie.
    pub(super) fn end(&self, headers: &HeaderMap, is_tls: bool) -> (Option<Person>, HeaderValue) {
        let hash = cookie(headers, cookie_name(is_tls)).and_then(secret_hash);
        let who = hash.and_then(|hash| self.sessions.lock().end(&hash));
        let gone = session_cookie("", is_tls, Some(0));
        (who, gone.unwrap_or_else(|_| HeaderValue::from_static("")))
    }
}

fn secret_hash(value: &str) -> Option<[u8; 32]> {
    (1..=64)
        .contains(&value.len())
        .then(|| hash_of(value.as_bytes()))
}

fn session_cookie(value: &str, is_tls: bool, age: Option<u32>) -> Result<HeaderValue, Fault> {
    let name = cookie_name(is_tls);
    let secure = if is_tls { "; Secure" } else { "" };
    let age = age.map_or_else(String::new, |age| format!("; Max-Age={age}"));
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Fault::Failed("the session could not be made".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Longest bearer that is looked at.
pub(super) const MAX_BEARER: usize = jwt::MAX_TOKEN;
