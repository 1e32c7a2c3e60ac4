//! Says, from the request alone, which credential a call carries.
//!
//! Each [`Scheme`] is one provider's way of looking: its carriers, its order of precedence and
//! its quirks, in one file under `scheme/`. The answer names the kind of token the provider will
//! use, everything else that is present, what to fingerprint, and what a JWT claims.
//!
//! Not done here: no signature is checked (the provider does that; every claim is "as claimed"),
//! nothing is compared with the clock, and no fingerprint is made: the caller owns the key.
//! Request bodies are not looked at, so a client secret or a Wyre `secretKey` in a body is known
//! only by its path.
//!
//! Cost: one pass over the headers and one over each credential; linear in their length. A call
//! allocates nothing unless a JWT, HTTP Basic or percent-encoding has to be decoded.

mod claims;
mod classification;
mod decode;
mod json;
mod jwt;
mod material;
mod parameters;
mod request;
mod scheme;
mod sensitive;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdict;

pub use claims::{Claims, Subject, TokenId, Words};
pub use classification::Classification;
pub use material::{Material, MaterialKind};
pub use request::{HeaderSource, RequestView};
pub use scheme::{Scheme, classify, sole_bearer, token_claims};
pub use sensitive::canonical_case;

/// The longest credential value that is read, in bytes. A Cybrid bank token with every scope is
/// near 3 KB and an OBP consent with many views can be longer; header limits of servers end at
/// 16 KiB or below, so nothing longer is worth the time.
pub const MAX_VALUE: usize = 16 * 1024;

/// The longest JWT payload that is parsed, in bytes after base64url. It holds every scope of a
/// Cybrid token and some sixty views of an OBP consent.
pub const MAX_CLAIMS: usize = 8 * 1024;
