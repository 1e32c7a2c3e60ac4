//! API keys, sessions and the signature over URL and body.

use std::collections::HashMap;

use ring::hmac;

use super::error::WyreError;
use super::{CHILD_ACCOUNT, MASTER_ACCOUNT};
use crate::sim::entropy::Entropy;
use crate::sim::message::Request;

/// The master account's key and secret.
pub const MASTER_KEY: &str = "AK-SIM-MASTER-0001";
const MASTER_SECRET: &str = "SK-SIM-MASTER-SECRET-00000001";
/// The accepted age of a timestamp was never documented; five minutes either way here.
const TIMESTAMP_WINDOW_MILLIS: i64 = 5 * 60 * 1_000;
/// Secrets that clients make are this long.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 25..=35;
/// All minted keys are forgotten beyond this many.
const MAX_KEYS: usize = 20_000;

/// An API key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The identifier.
    pub id: String,
    secret: String,
    /// The account that it acts for; `None` until the session is bound.
    pub account: Option<String>,
    /// May only read.
    pub read_only: bool,
}

/// Who calls, and for which account.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key used.
    pub key: String,
    /// Of the key.
    pub account: Option<String>,
    /// Of the key, or the one in `masqueradeAs`.
    pub acting_for: Option<String>,
    /// May only read.
    pub read_only: bool,
}

/// All keys, by identifier and by secret.
#[derive(Debug)]
pub struct Keys {
    keys: HashMap<String, Key>,
    by_secret: HashMap<String, String>,
}

impl Keys {
    /// With the master key.
    pub fn new() -> Self {
        let mut keys = Self {
            keys: HashMap::new(),
            by_secret: HashMap::new(),
        };
        keys.plant_master();
        keys
    }

    fn plant_master(&mut self) {
        self.insert(Key {
            id: MASTER_KEY.to_owned(),
            secret: MASTER_SECRET.to_owned(),
            account: Some(MASTER_ACCOUNT.to_owned()),
            read_only: false,
        });
    }

    fn insert(&mut self, key: Key) {
        if self.keys.len() >= MAX_KEYS {
            self.keys.clear();
            self.by_secret.clear();
            self.plant_master();
        }
        self.by_secret.insert(key.secret.clone(), key.id.clone());
        self.keys.insert(key.id.clone(), key);
    }

    /// Makes a session of a secret, or finds the one it already has.
    ///
    /// # Errors
    /// 400 if the secret is not 25 to 35 characters.
    pub fn mint(&mut self, secret: &str, entropy: &mut Entropy) -> Result<&Key, WyreError> {
        if !SECRET_CHARS.contains(&secret.chars().count()) {
            return Err(WyreError::invalid(
                "secretKey must be between 25 and 35 characters",
            ));
        }
        let id = match self.by_secret.get(secret) {
            Some(id) => id.clone(),
            None => {
                let id = format!(
                    "AK-{}",
                    entropy.text(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20)
                );
                self.insert(Key {
                    id: id.clone(),
                    secret: secret.to_owned(),
                    account: None,
                    read_only: false,
                });
                id
            }
        };
        self.keys
            .get(&id)
            .ok_or_else(|| WyreError::denied("invalidSession"))
    }

    /// Makes a key with a secret of its own; answers both.
    pub fn create(
        &mut self,
        account: &str,
        read_only: bool,
        entropy: &mut Entropy,
    ) -> (String, String) {
        let alphabet = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        let id = format!("AK-{}", entropy.text(alphabet, 20));
        let secret = format!("SK-{}", entropy.text(alphabet, 28));
        self.insert(Key {
            id: id.clone(),
            secret: secret.clone(),
            account: Some(account.to_owned()),
            read_only,
        });
        (id, secret)
    }

    /// Forgets a key of an account; false if it has none of that name.
    pub fn delete(&mut self, id: &str, account: &str) -> bool {
        let owned = self
            .keys
            .get(id)
            .is_some_and(|key| key.account.as_deref() == Some(account) && id != MASTER_KEY);
        if owned && let Some(key) = self.keys.remove(id) {
            self.by_secret.remove(&key.secret);
        }
        owned
    }

    /// Binds a session to the account made with it; false if it was bound before.
    pub fn bind(&mut self, id: &str, account: &str) -> bool {
        match self.keys.get_mut(id) {
            Some(key) if key.account.is_none() => {
                key.account = Some(account.to_owned());
                true
            }
            _ => false,
        }
    }

    /// The caller, or `None` if the request carries no credential.
    ///
    /// # Errors
    /// 401 for every fault: the list of statuses has no 403.
    pub fn identify(
        &mut self,
        request: &Request,
        public_url: Option<&str>,
        entropy: &mut Entropy,
    ) -> Result<Option<Caller>, WyreError> {
        let key = match (
            request.header("x-api-key"),
            request.header("x-api-signature"),
        ) {
            (Some(id), Some(signature)) => {
                let key = self
                    .keys
                    .get(id)
                    .ok_or_else(|| WyreError::denied("invalidApiKey"))?;
                check_timestamp(request)?;
                check_signature(request, key, signature, public_url)?;
                key.clone()
            }
            (None, None) => match request.bearer() {
                None => return Ok(None),
                Some(secret) => self.session(secret, request, entropy)?,
            },
            _ => return Err(WyreError::denied("incompleteCredentials")),
        };
        let acting_for = masquerade(request, key.account.as_deref())?;
        Ok(Some(Caller {
            key: key.id,
            account: key.account,
            acting_for,
            read_only: key.read_only,
        }))
    }

    /// A bearer secret. One that is new is taken only to make an account with it.
    fn session(
        &mut self,
        secret: &str,
        request: &Request,
        entropy: &mut Entropy,
    ) -> Result<Key, WyreError> {
        if let Some(key) = self.by_secret.get(secret).and_then(|id| self.keys.get(id)) {
            return Ok(key.clone());
        }
        if request.method == "POST" && request.path == "/v3/accounts" {
            return self.mint(secret, entropy).cloned();
        }
        Err(WyreError::denied("invalidSession"))
    }
}

fn check_timestamp(request: &Request) -> Result<(), WyreError> {
    let stamp: i64 = request
        .parameter("timestamp")
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| WyreError::denied("missingTimestamp"))?;
    let age = request
        .now
        .as_millis()
        .saturating_sub(stamp)
        .saturating_abs();
    if age > TIMESTAMP_WINDOW_MILLIS {
        return Err(WyreError::denied("staleTimestamp"));
    }
    Ok(())
}

/// HMAC-SHA256 over the full URL, as the client saw it, and the body; lowercase hexadecimal.
fn check_signature(
    request: &Request,
    key: &Key,
    signature: &str,
    public_url: Option<&str>,
) -> Result<(), WyreError> {
    let base = match public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", request.host),
    };
    let mut message = format!("{base}{}", request.target()).into_bytes();
    message.extend_from_slice(&request.body);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.secret.as_bytes());
    let wanted: String = hmac::sign(&secret, &message)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if wanted == signature {
        Ok(())
    } else {
        Err(WyreError::denied("invalidSignature"))
    }
}

/// `masqueradeAs` is an account id or an SRN; only the master account has a child.
fn masquerade(request: &Request, own: Option<&str>) -> Result<Option<String>, WyreError> {
    let Some(asked) = request.parameter("masqueradeAs") else {
        return Ok(own.map(str::to_owned));
    };
    let asked = asked.strip_prefix("account:").unwrap_or(&asked);
    let allowed = own == Some(asked) || (own == Some(MASTER_ACCOUNT) && asked == CHILD_ACCOUNT);
    if allowed {
        Ok(Some(asked.to_owned()))
    } else {
        Err(WyreError::denied("masquerade"))
    }
}
