//! The callers that have keys, and how keys come and go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::key::{KeyHash, KeyMaterial, RANDOM_BYTES, is_key_id};
use crate::domain::config::nearest;
use crate::types::{Micros, Secret};

/// Most callers in a book; with [`MAX_KEYS`] it keeps the file below 16 MiB.
pub const MAX_CALLERS: usize = 10_000;
/// Most keys of one caller, old ones included; the oldest dead ones make room for new ones.
pub const MAX_KEYS: usize = 8;
/// Longest life of a key that has an end: longer is a typing error.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3650 * 86_400);
/// Longest name of a caller with keys, in bytes.
const MAX_NAME: usize = 64;

/// Whether a text can name a caller with keys. Colons are left out because HTTP Basic ends the
/// user there (RFC 7617, section 2).
pub fn is_keyed_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(good)
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Public id.
    pub id: Arc<str>,
    /// Hash of the whole key.
    pub hash: KeyHash,
    /// When it was made.
    pub created_at: Micros,
    /// When it ends; `None` for never.
    pub expires_at: Option<Micros>,
    /// When it was revoked.
    pub revoked_at: Option<Micros>,
}

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It can.
    Usable,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl KeyState {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl KeyEntry {
    /// Whether the key can be used at a moment. A key ends at the very moment of its expiry.
    pub fn state(&self, now: Micros) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Usable
        }
    }
}

/// A caller and its keys, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerEntry {
    /// Name in every record.
    pub name: Arc<str>,
    /// Its keys.
    pub keys: Vec<KeyEntry>,
}

impl CallerEntry {
    fn has_usable_key(&self, now: Micros) -> bool {
        self.keys
            .iter()
            .any(|key| key.state(now) == KeyState::Usable)
    }
}

/// All callers that have keys. Never changed in place: every operation makes a new book.
#[derive(Clone, Debug, Default)]
pub struct CallerBook {
    callers: Vec<CallerEntry>,
    by_key_id: HashMap<Arc<str>, (usize, usize)>,
}

impl PartialEq for CallerBook {
    fn eq(&self, other: &Self) -> bool {
        self.callers == other.callers
    }
}

/// A key that was just made; the only moment it is known in clear.
#[derive(Debug)]
pub struct NewKey {
    /// Its caller.
    pub caller: Arc<str>,
    /// Its public id.
    pub id: Arc<str>,
    /// The whole key.
    pub key: Secret<String>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Micros>,
    /// Until when older keys go on.
    pub old_keys_until: Option<Micros>,
}

/// What a revocation did.
#[derive(Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Whose keys they were.
    pub caller: Arc<str>,
    /// Ids of the keys that were revoked just now.
    pub key_ids: Vec<Arc<str>>,
}

/// Why an operation on the book was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Not a name.
    #[error("{0:?} is not the name of a caller; use 1 to 64 letters, digits, '.', '_', '-', '@'")]
    BadName(String),
    /// The caller has a key that can be used.
    #[error("the caller {0} has a usable key; use `egret caller rotate {0}` for a new one")]
    HasKey(Arc<str>),
    /// The caller has no key that can be used.
    #[error("the caller {0} has no usable key; use `egret caller add {0}` to make one")]
    HasNoKey(Arc<str>),
    /// No such caller or key.
    #[error("there is no caller or key {name:?}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near:?}?")))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name that exists.
        near: Option<String>,
    },
    /// A lifetime of zero or beyond [`MAX_LIFETIME`].
    #[error("a key lives from 1s to 3650d")]
    BadLifetime,
    /// An overlap beyond [`MAX_LIFETIME`].
    #[error("an old key goes on for at most 3650d")]
    BadOverlap,
    /// Too many keys that can still be used.
    #[error("the caller {0} has {MAX_KEYS} usable keys; revoke one first")]
    TooManyKeys(Arc<str>),
    /// The book is full.
    #[error("there are {MAX_CALLERS} callers already; remove some from the file")]
    TooManyCallers,
    /// The random bytes made an id that exists.
    #[error("the new key's id exists already; try again")]
    IdTaken,
}

impl CallerBook {
    /// A book of these callers. Of two keys with the same id the first counts; the parser refuses
    /// such files.
    pub(super) fn new(mut callers: Vec<CallerEntry>) -> Self {
        callers.sort_by(|left, right| left.name.cmp(&right.name));
        let mut by_key_id = HashMap::new();
        for (at, caller) in callers.iter().enumerate() {
            for (key_at, key) in caller.keys.iter().enumerate() {
                by_key_id.entry(key.id.clone()).or_insert((at, key_at));
            }
        }
        Self { callers, by_key_id }
    }

    /// The callers, by name.
    pub fn callers(&self) -> &[CallerEntry] {
        &self.callers
    }

    /// A key and the name of its caller.
    pub fn key(&self, id: &str) -> Option<(&Arc<str>, &KeyEntry)> {
        let (at, key_at) = *self.by_key_id.get(id)?;
        let caller = self.callers.get(at)?;
        Some((&caller.name, caller.keys.get(key_at)?))
    }

    /// Whether any key can be used.
    pub fn has_usable_key(&self, now: Micros) -> bool {
        self.callers.iter().any(|caller| caller.has_usable_key(now))
    }

    /// Gives a caller its first key, or a new one after all others ended.
    ///
    /// # Errors
    /// A bad name or lifetime, a caller that has a usable key, or a full book.
    pub fn add(
        &self,
        name: &str,
        lifetime: Option<Duration>,
        now: Micros,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<(Self, NewKey), BookError> {
        if !is_keyed_name(name) {
            return Err(BookError::BadName(name.chars().take(MAX_NAME).collect()));
        }
        let mut callers = self.callers.clone();
        let at = match self.position(name) {
            Some(at) => at,
            None if callers.len() >= MAX_CALLERS => return Err(BookError::TooManyCallers),
            None => {
                callers.push(CallerEntry {
                    name: name.into(),
                    keys: Vec::new(),
                });
                callers.len() - 1
            }
        };
        if callers[at].has_usable_key(now) {
            return Err(BookError::HasKey(callers[at].name.clone()));
        }
        let new = self.make(&mut callers[at], lifetime, now, random)?;
        Ok((Self::new(callers), new))
    }

    /// Gives a caller a new key and lets its others end after `overlap`. Without a lifetime the
    /// new key lives as long as the newest one was meant to.
    ///
    /// # Errors
    /// An unknown caller, one without a usable key, a bad lifetime or overlap, or too many keys.
    pub fn rotate(
        &self,
        name: &str,
        overlap: Duration,
        lifetime: Option<Duration>,
        now: Micros,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<(Self, NewKey), BookError> {
        let at = self.position(name).ok_or_else(|| self.unknown(name))?;
        if overlap > MAX_LIFETIME {
            return Err(BookError::BadOverlap);
        }
        let mut callers = self.callers.clone();
        let caller = &mut callers[at];
        let newest = caller
            .keys
            .iter()
            .rfind(|key| key.state(now) == KeyState::Usable)
            .ok_or_else(|| BookError::HasNoKey(caller.name.clone()))?;
        let meant = newest.expires_at.map(|end| end.since(newest.created_at));
        let until = now.plus(overlap);
        for key in &mut caller.keys {
            if key.state(now) == KeyState::Usable {
                key.expires_at = Some(key.expires_at.map_or(until, |end| end.min(until)));
            }
        }
        let mut new = self.make(caller, lifetime.or(meant), now, random)?;
        new.old_keys_until = Some(until);
        Ok((Self::new(callers), new))
    }

    /// Takes back every key of a caller, or one key by its id. Keys that were revoked before
    /// stay as they are.
    ///
    /// # Errors
    /// Nothing has this name or id.
    pub fn revoke(&self, name_or_id: &str, now: Micros) -> Result<(Self, Revoked), BookError> {
        let (at, only) = match self.position(name_or_id) {
            Some(at) => (at, None),
            None => match self.by_key_id.get(name_or_id) {
                Some((at, key_at)) => (*at, Some(*key_at)),
                None => return Err(self.unknown(name_or_id)),
            },
        };
        let mut callers = self.callers.clone();
        let caller = &mut callers[at];
        let mut key_ids = Vec::new();
        for (key_at, key) in caller.keys.iter_mut().enumerate() {
            if only.is_none_or(|only| only == key_at) && key.revoked_at.is_none() {
                key.revoked_at = Some(now);
                key_ids.push(key.id.clone());
            }
        }
        let revoked = Revoked {
            caller: caller.name.clone(),
            key_ids,
        };
        Ok((Self::new(callers), revoked))
    }

    fn make(
        &self,
        caller: &mut CallerEntry,
        lifetime: Option<Duration>,
        now: Micros,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<NewKey, BookError> {
        if lifetime.is_some_and(|life| life < Duration::from_secs(1) || life > MAX_LIFETIME) {
            return Err(BookError::BadLifetime);
        }
        if caller.keys.len() >= MAX_KEYS {
            let dead = caller
                .keys
                .iter()
                .position(|key| key.state(now) != KeyState::Usable)
                .ok_or_else(|| BookError::TooManyKeys(caller.name.clone()))?;
            caller.keys.remove(dead);
        }
        let material = KeyMaterial::generate(random);
        if self.by_key_id.contains_key(&material.id) {
            return Err(BookError::IdTaken);
        }
        let expires_at = lifetime.map(|life| now.plus(life));
        caller.keys.push(KeyEntry {
            id: material.id.clone(),
            hash: material.hash(),
            created_at: now,
            expires_at,
            revoked_at: None,
        });
        Ok(NewKey {
            caller: caller.name.clone(),
            id: material.id,
            key: material.key,
            expires_at,
            old_keys_until: None,
        })
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.callers
            .binary_search_by(|caller| (*caller.name).cmp(name))
            .ok()
    }

    fn unknown(&self, name: &str) -> BookError {
        let names = self.callers.iter().map(|caller| &*caller.name);
        // A whole key pasted by mistake must not be repeated.
        let shown = is_keyed_name(name) && !name.starts_with("egk_") || is_key_id(name);
        BookError::Unknown {
            near: nearest(name, names).map(str::to_owned),
            name: if shown {
                name.to_owned()
            } else {
                "(not shown)".to_owned()
            },
        }
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
