//! Proof bundles: one file that proves one record to somebody who has the log's public key.
//!
//! The file is a C2SP tlog-proof (<https://c2sp.org/tlog-proof>), so public tools can check it
//! given the leaf's hash. Its `extra` line makes it self-contained; decoded, it reads:
//!
//! ```text
//! egret/proof@v1
//! leaf <base64 of the leaf's bytes>        or: pruned <base64 of the leaf's hash>
//! opening <salt> <pseudonym>               none or more, hexadecimal
//! record <index> <base64 of the leaf>      none or more: further records of the same call
//! rotation <index> <base64 of the leaf>    none or more, in the log's order
//! <base64 hash>                            after each `record` and `rotation`: its inclusion proof
//! ```
//!
//! Nothing in `extra` is believed because it stands there: the leaf, each further record and each rotation are checked
//! against the signed root, each opening against the leaf.

mod create;
mod format;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod verify;

pub use create::{CreateError, add_records, create};
pub use format::{BundleError, LeafContent, LeafProof, MAX_BUNDLE_BYTES, ProofBundle};
pub use verify::{BundleFault, Trust, Verified, Witnessed, verify_bundle};
