//! Who may see and do what through the admin API: roles and permissions, keys, sessions, tokens of
//! an identity provider, and what a request from a browser must look like.
//!
//! Pure: the time and the random bytes are given. Keys and session secrets exist in clear only while
//! one is shown or checked; what is kept are hashes.

mod book;
mod file;
pub mod jwt;
mod role;
mod session;
mod site;
mod tries;

pub use book::{
    AdminBook, AdminKey, AdminKeyError, MAX_ADMIN_KEYS, NewAdminKey, RevokedAdminKeys, Unknown,
};
pub(in crate::domain) use file::{ROLES, roles_of};
pub use file::{parse_admins, write_admins};
pub use role::{Permission, Role, Roles};
pub use session::{SESSION_SECRET_BYTES, Session, SessionSettings, Sessions, hash_of};
pub use site::{SiteFault, check_host, check_site};
pub use tries::{Tries, TriesFull};

use std::sync::Arc;

use crate::types::Micros;

/// How somebody has said who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// An admin key with the request.
    Key,
    /// A session, begun with a key or at the identity provider.
    Session,
    /// A client certificate.
    Certificate,
    /// A token of the identity provider.
    Token,
}

impl Way {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Session => "session",
            Self::Certificate => "certificate",
            Self::Token => "token",
        }
    }
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name in every record.
    pub name: Arc<str>,
    /// How they have said who they are.
    pub way: Way,
    /// What they are.
    pub roles: Roles,
    /// Until when that holds; `None` for no end.
    pub expires_at: Option<Micros>,
    /// Id of the key, where it was one, also one that a session began with.
    pub key_id: Option<Arc<str>>,
}
