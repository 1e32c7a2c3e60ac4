//! Who calls: Egret keys, client certificates and local addresses.
//!
//! Pure: the callers file comes as text, the time and the random bytes are given. Keys exist in
//! clear only while one is shown to its owner or checked; the file and the book hold hashes.

mod book;
mod certificate;
mod file;
mod key;
mod resolve;

pub use book::{
    BookError, CallerBook, CallerEntry, KeyEntry, KeyState, MAX_CALLERS, MAX_KEYS, MAX_LIFETIME,
    NewKey, Revoked, is_keyed_name,
};
pub use certificate::{CertificateFault, CertificateIdentity, CertifiedCaller};
pub(in crate::domain) use file::{KeyedName, read_key, write_key};
pub use file::{parse_callers, write_callers};
pub use key::{
    ADMIN_KEY_PREFIX, KEY_LENGTH, KEY_PREFIX, KeyHash, KeyMaterial, RANDOM_BYTES, key_id_of,
};
pub use resolve::{CHALLENGE, Denial, Identified, Peer, authenticate, resolve_caller};
