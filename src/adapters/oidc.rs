//! An identity provider: its documents and keys, and the way of a browser through it (OpenID
//! Connect Core 1.0, section 3.1; PKCE, RFC 7636). Tokens are judged in `domain::access::jwt`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::entropy;
use super::http_client::{Client, HttpGet, HttpPost};
use crate::domain::access::Person;
use crate::domain::access::jwt::{KeySet, TokenFault, TokenRules, judge, verify};
use crate::domain::catalog::BaseUrl;
use crate::domain::config::Oidc;
use crate::types::{Micros, Secret};

/// Largest document of a provider.
const MAX_DOCUMENT: usize = 256 << 10;

/// Keys are asked for again after so long, so that one that was taken back is given up.
const KEYS_LIVE: Duration = Duration::from_secs(3_600);

/// After a token with a key that is not known, keys are asked for again, but not more often: anybody
/// can make such tokens.
const KEYS_PAUSE: Duration = Duration::from_secs(30);

/// Why nobody is known by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The token is at fault.
    Wrong(TokenFault),
    /// The provider cannot be asked.
    Away(String),
}

/// A login under way.
#[derive(Clone, Debug)]
pub struct Login {
    /// Names it.
    pub state: String,
    nonce: String,
    verifier: Secret<String>,
}

/// What the provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Clone, Debug, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: String,
}

#[derive(Clone, Debug)]
struct Known {
    discovered: Discovered,
    keys: KeySet,
    fetched_at: Micros,
}

/// An identity provider.
pub struct IdentityProvider {
    issuer: BaseUrl,
    rules: TokenRules,
    secret_file: Option<PathBuf>,
    redirect: Option<BaseUrl>,
    scopes: String,
    client: Client,
    known: Mutex<Option<Known>>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn random() -> Result<String, String> {
    let bytes: [u8; 32] = entropy::key_bytes().map_err(|error| error.to_string())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl IdentityProvider {
    /// The one of a configuration. Nothing is asked for until it is needed.
    pub fn new(oidc: &Oidc) -> Self {
        Self {
            issuer: oidc.issuer.clone(),
            rules: oidc.rules.clone(),
            secret_file: oidc.client_secret_file.clone(),
            redirect: oidc.redirect.clone(),
            scopes: oidc.scopes.clone(),
            client: Client::new(true),
            known: Mutex::new(None),
        }
    }

    /// Its host, for people.
    pub fn name(&self) -> &str {
        self.issuer.host()
    }

    /// Whether browsers can log in there.
    pub const fn takes_browsers(&self) -> bool {
        self.redirect.is_some()
    }

    /// Who shows a token; with a nonce, one that must belong to that login.
    ///
    /// # Errors
    /// [`Claimed`].
    pub async fn person(
        &self,
        token: &str,
        nonce: Option<&str>,
        now: Micros,
    ) -> Result<Person, Claimed> {
        let known = self.known(now, KEYS_LIVE).await.map_err(Claimed::Away)?;
        let claims = match verify(token, &known.keys) {
            Err(TokenFault::UnknownKey) => {
                // It may have changed its keys.
                let known = self.known(now, KEYS_PAUSE).await.map_err(Claimed::Away)?;
                verify(token, &known.keys)
            }
            claims => claims,
        };
        claims
            .and_then(|claims| judge(&claims, &self.rules, nonce, now))
            .map_err(Claimed::Wrong)
    }

    /// Begins a login; gives it, and where the browser goes.
    ///
    /// # Errors
    /// The provider cannot be asked.
    pub async fn start(&self, now: Micros) -> Result<(Login, String), String> {
        let known = self.known(now, KEYS_LIVE).await?;
        let endpoint = known.discovered.authorization_endpoint;
        let endpoint = endpoint.ok_or("it names no authorization_endpoint")?;
        // Checked like any other address, since a browser is sent there.
        let (path, _) = endpoint.split_once('?').unwrap_or((&endpoint, ""));
        BaseUrl::parse(path)?;
        let redirect = self.redirect.as_ref().ok_or("there is no redirect")?;
        let login = Login {
            state: random()?,
            nonce: random()?,
            verifier: Secret::new(random()?),
        };
        let challenge = digest(&SHA256, login.verifier.expose().as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let mut url = endpoint;
        let redirect = redirect.to_string();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", &self.rules.audience),
            ("redirect_uri", &redirect),
            ("scope", &self.scopes),
            ("state", &login.state),
            ("nonce", &login.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ] {
            url.push(if url.contains('?') { '&' } else { '?' });
            let _ = write!(url, "{name}={}", encode(value));
        }
        Ok((login, url))
    }

    /// Ends a login with the code that the browser has brought.
    ///
    /// # Errors
    /// [`Claimed`].
    pub async fn finish(&self, login: &Login, code: &str, now: Micros) -> Result<Person, Claimed> {
        let tokens = self.exchange(login, code, now).await;
        let tokens = tokens.map_err(Claimed::Away)?;
        self.person(&tokens.id_token, Some(&login.nonce), now).await
    }

    async fn exchange(&self, login: &Login, code: &str, now: Micros) -> Result<Tokens, String> {
        let known = self.known(now, KEYS_LIVE).await?;
        let endpoint = known.discovered.token_endpoint;
        let url = BaseUrl::parse(&endpoint.ok_or("it names no token_endpoint")?)?;
        let redirect = self.redirect.as_ref().ok_or("there is no redirect")?;
        let redirect = redirect.to_string();
        let mut form = String::new();
        for (name, value) in [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect),
            ("client_id", &self.rules.audience),
            ("code_verifier", login.verifier.expose()),
        ] {
            let and = if form.is_empty() { "" } else { "&" };
            let _ = write!(form, "{and}{name}={}", encode(value));
        }
        let mut headers = vec![
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
            ("accept", "application/json".to_owned()),
        ];
        if let Some(path) = &self.secret_file {
            // A short file, read at a login.
            let secret = std::fs::read_to_string(path)
                .map(Secret::new)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            let both = format!(
                "{}:{}",
                encode(&self.rules.audience),
                encode(secret.expose().trim())
            );
            let both = base64::engine::general_purpose::STANDARD.encode(both);
            headers.push(("authorization", format!("Basic {both}")));
        }
        let post = HttpPost {
            url: &url,
            path: "",
            headers: &headers,
            body: form.into_bytes(),
            max_answer: MAX_DOCUMENT,
        };
        let answer = self.client.post(post).await?;
        if answer.status != 200 {
            return Err(format!("its token endpoint answered {}", answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| "its token endpoint gave no id_token".to_owned())
    }

    /// What is known of it, not older than `age`, or as old as it must be where it is away.
    async fn known(&self, now: Micros, age: Duration) -> Result<Known, String> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref()
            && now.since(known.fetched_at) < age
        {
            return Ok(known.clone());
        }
        match (self.fetch(now).await, known.as_mut()) {
            (Ok(fetched), _) => Ok(known.insert(fetched).clone()),
            // Keys that were good an hour ago are better than nobody who can look at an incident,
            // but not for longer than a day.
            (Err(_), Some(old)) if now.since(old.fetched_at) < 24 * KEYS_LIVE => Ok(old.clone()),
            (Err(why), _) => Err(why),
        }
    }

    async fn fetch(&self, now: Micros) -> Result<Known, String> {
        let document = self
            .get(&self.issuer, "/.well-known/openid-configuration")
            .await?;
        let discovered: Discovered = serde_json::from_slice(&document)
            .map_err(|_| "its configuration document cannot be read".to_owned())?;
        // OpenID Connect Discovery 1.0, section 4.3.
        if discovered.issuer != self.rules.issuer {
            return Err("its configuration document names another issuer".to_owned());
        }
        let keys = BaseUrl::parse(&discovered.jwks_uri)?;
        let keys = KeySet::parse(&self.get(&keys, "").await?);
        let keys = keys.filter(|keys| !keys.is_empty());
        Ok(Known {
            discovered,
            keys: keys.ok_or("it has no keys for RS256, ES256 or EdDSA")?,
            fetched_at: now,
        })
    }

    async fn get(&self, url: &BaseUrl, path: &str) -> Result<bytes::Bytes, String> {
        let get = HttpGet {
            url,
            path,
            headers: &[("accept", "application/json".to_owned())],
            max_answer: MAX_DOCUMENT,
        };
        let answer = self.client.get(get).await?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(format!("{url} answered {status}")),
        }
    }
}
