//! Admin keys, and how they come and go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Person, Role, Roles, Way};
use crate::domain::config::nearest;
use crate::domain::identity::{
    ADMIN_KEY_PREFIX, KeyEntry, KeyHash, KeyMaterial, KeyState, MAX_LIFETIME, RANDOM_BYTES,
    is_keyed_name, key_id_of,
};
use crate::types::{Micros, Secret};

/// Most keys in a book, dead ones included: people and tools that look after one installation.
pub const MAX_ADMIN_KEYS: usize = 1_000;

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminKey {
    /// Who has it.
    pub name: Arc<str>,
    /// What they are.
    pub roles: Roles,
    /// The key.
    pub key: KeyEntry,
}

/// Every admin key. Never changed in place: every operation makes a new book.
#[derive(Clone, Debug, Default)]
pub struct AdminBook {
    keys: Vec<AdminKey>,
    by_id: HashMap<Arc<str>, usize>,
}

impl PartialEq for AdminBook {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

/// A key that was just made; the only moment it is known in clear.
#[derive(Debug)]
pub struct NewAdminKey {
    /// Who gets it.
    pub name: Arc<str>,
    /// What they are.
    pub roles: Roles,
    /// Its public id.
    pub id: Arc<str>,
    /// The whole key.
    pub key: Secret<String>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Micros>,
}

/// What a revocation did.
#[derive(Debug, PartialEq, Eq)]
pub struct RevokedAdminKeys {
    /// Whose keys they were.
    pub name: Arc<str>,
    /// Ids of the keys that were revoked just now.
    pub key_ids: Vec<Arc<str>>,
}

/// Why an operation on the book was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminKeyError {
    /// Not a name.
    #[error("not a name: use 1 to 64 letters, digits, '.', '_', '-', '@'")]
    BadName,
    /// A key that may nothing.
    #[error("a key needs a role: viewer, auditor or operator")]
    NoRole,
    /// A lifetime of zero or beyond [`MAX_LIFETIME`].
    #[error("a key lives from 1s to 3650d")]
    BadLifetime,
    /// No such name or key.
    #[error("there is no admin key {name:?}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near:?}?")))]
    NoSuchKey {
        /// What was asked for.
        name: String,
        /// The nearest that exists.
        near: Option<String>,
    },
    /// The book is full.
    #[error(
        "there are {MAX_ADMIN_KEYS} admin keys, the most there may be; remove dead ones from the file"
    )]
    Full,
    /// The random bytes made an id that exists.
    #[error("the new key's id exists already; try again")]
    IdTaken,
}

/// A key that opens nothing. Which of the reasons it is stays inside: who tries must not learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl AdminBook {
    /// A book of these keys. Of two with the same id the first counts; the parser refuses such
    /// files.
    pub(super) fn new(keys: Vec<AdminKey>) -> Self {
        let mut by_id = HashMap::new();
        for (at, key) in keys.iter().enumerate() {
            by_id.entry(Arc::clone(&key.key.id)).or_insert(at);
        }
        Self { keys, by_id }
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> &[AdminKey] {
        &self.keys
    }

    /// Whether a key can be used, by its id.
    pub fn is_usable(&self, id: &str, now: Micros) -> bool {
        let key = self.by_id.get(id).and_then(|at| self.keys.get(*at));
        key.is_some_and(|key| key.key.state(now) == KeyState::Usable)
    }

    /// Whose key this is. Takes as long for a wrong secret as for the right one.
    ///
    /// # Errors
    /// It opens nothing.
    pub fn open(&self, key: &[u8], now: Micros) -> Result<Person, Unknown> {
        let id = key_id_of(ADMIN_KEY_PREFIX, key).ok_or(Unknown)?;
        let known = self.by_id.get(id).and_then(|at| self.keys.get(*at));
        let known = known.ok_or(Unknown)?;
        let is_right = known.key.hash.matches(&KeyHash::of(key));
        if !is_right || known.key.state(now) != KeyState::Usable {
            return Err(Unknown);
        }
        Ok(Person {
            name: Arc::clone(&known.name),
            way: Way::Key,
            roles: known.roles,
            expires_at: known.key.expires_at,
            key_id: Some(Arc::clone(&known.key.id)),
        })
    }

    /// Makes a key. A name may have several, each with roles of its own.
    ///
    /// # Errors
    /// [`AdminKeyError`].
    pub fn add(
        &self,
        name: &str,
        roles: impl IntoIterator<Item = Role>,
        lifetime: Option<Duration>,
        now: Micros,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<(Self, NewAdminKey), AdminKeyError> {
        if !is_keyed_name(name) {
            return Err(AdminKeyError::BadName);
        }
        let roles = Roles::of(roles);
        if roles.is_empty() {
            return Err(AdminKeyError::NoRole);
        }
        if lifetime.is_some_and(|life| life < Duration::from_secs(1) || life > MAX_LIFETIME) {
            return Err(AdminKeyError::BadLifetime);
        }
        if self.keys.len() >= MAX_ADMIN_KEYS {
            return Err(AdminKeyError::Full);
        }
        let made = KeyMaterial::generate_with(ADMIN_KEY_PREFIX, random);
        if self.by_id.contains_key(&made.id) {
            return Err(AdminKeyError::IdTaken);
        }
        let expires_at = lifetime.map(|life| now.plus(life));
        let mut keys = self.keys.clone();
        keys.push(AdminKey {
            name: name.into(),
            roles,
            key: KeyEntry {
                id: Arc::clone(&made.id),
                hash: made.hash(),
                created_at: now,
                expires_at,
                revoked_at: None,
            },
        });
        let new = NewAdminKey {
            name: name.into(),
            roles,
            id: made.id,
            key: made.key,
            expires_at,
        };
        Ok((Self::new(keys), new))
    }

    /// Revokes every key of a name, or one key by its id.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke(
        &self,
        name_or_id: &str,
        now: Micros,
    ) -> Result<(Self, RevokedAdminKeys), AdminKeyError> {
        let mut keys = self.keys.clone();
        let mut revoked: Option<RevokedAdminKeys> = None;
        let meant = |key: &AdminKey| &*key.name == name_or_id || &*key.key.id == name_or_id;
        for key in keys.iter_mut().filter(|key| meant(key)) {
            let revoked = revoked.get_or_insert_with(|| RevokedAdminKeys {
                name: Arc::clone(&key.name),
                key_ids: Vec::new(),
            });
            if key.key.revoked_at.is_none() {
                key.key.revoked_at = Some(now);
                revoked.key_ids.push(Arc::clone(&key.key.id));
            }
        }
        match revoked {
            Some(revoked) => Ok((Self::new(keys), revoked)),
            None => {
                let known = self.keys.iter().flat_map(|key| [&*key.name, &*key.key.id]);
                // Who pastes a whole key must not find it in a message.
                let is_shown =
                    is_keyed_name(name_or_id) && !name_or_id.starts_with(ADMIN_KEY_PREFIX);
                Err(AdminKeyError::NoSuchKey {
                    name: if is_shown { name_or_id } else { "…" }.to_owned(),
                    near: nearest(name_or_id, known).map(str::to_owned),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn made(book: &AdminBook, name: &str, role: Role, seed: u8) -> (AdminBook, NewAdminKey) {
        book.add(name, [role], Some(DAY), Micros(0), &[seed; RANDOM_BYTES])
            .unwrap()
    }

    #[test]
    fn a_key_opens_until_it_ends_or_is_revoked() {
        let (book, new) = made(&AdminBook::default(), "ann", Role::Auditor, 1);
        let key = new.key.expose().as_bytes();
        assert!(key.starts_with(b"ega_"));
        let who = book.open(key, Micros(5)).unwrap();
        assert_eq!(
            (&*who.name, who.way, who.roles),
            ("ann", Way::Key, new.roles)
        );
        let mut wrong = key.to_vec();
        wrong[20] ^= 1;
        assert_eq!(book.open(&wrong, Micros(5)), Err(Unknown));
        assert_eq!(book.open(b"", Micros(5)), Err(Unknown));
        let end = Micros(0).plus(DAY);
        assert_eq!(book.open(key, end), Err(Unknown));
        let (revoked, told) = book.revoke("ann", Micros(6)).unwrap();
        assert_eq!(told.key_ids, std::slice::from_ref(&new.id));
        assert_eq!(revoked.open(key, Micros(7)), Err(Unknown));
        assert!(!revoked.is_usable(&new.id, Micros(7)) && book.is_usable(&new.id, Micros(7)));
        assert!(!format!("{new:?}{book:?}").contains(new.key.expose().as_str()));
    }

    #[test]
    fn one_of_several_keys_is_revoked_by_its_id() {
        let (book, first) = made(&AdminBook::default(), "ann", Role::Viewer, 1);
        let (book, second) = made(&book, "ann", Role::Operator, 2);
        let (book, told) = book.revoke(&first.id, Micros(1)).unwrap();
        assert_eq!(told.key_ids, [first.id]);
        assert!(book.open(second.key.expose().as_bytes(), Micros(2)).is_ok());
        let error = book.revoke("anne", Micros(1)).unwrap_err();
        assert!(error.to_string().contains("did you mean \"ann\"?"));
    }

    #[test]
    fn what_makes_no_key() {
        let book = AdminBook::default();
        let add = |name, roles: &[Role], life| {
            let random = &[1; RANDOM_BYTES];
            book.add(name, roles.iter().copied(), life, Micros(0), random)
                .err()
        };
        assert_eq!(
            add("a b", &[Role::Viewer], None),
            Some(AdminKeyError::BadName)
        );
        assert_eq!(add("a", &[], None), Some(AdminKeyError::NoRole));
        let never = Some(Duration::ZERO);
        assert_eq!(
            add("a", &[Role::Viewer], never),
            Some(AdminKeyError::BadLifetime)
        );
    }
}
