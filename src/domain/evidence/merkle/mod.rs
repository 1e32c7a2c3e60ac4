//! The Merkle tree of RFC 6962 (section 2.1; the same tree in RFC 9162) with SHA-256.
//!
//! [`Tree`] appends and knows the root of its present size; [`prove`] makes proofs from stored
//! leaf hashes; [`verify`] checks them and needs nothing stored. No transport, no storage.

mod hash;
pub mod prove;
mod tree;
pub mod verify;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(super) mod vectors;

pub use hash::{NodeHash, leaf_hash, node_hash};
pub use prove::{LeafHashes, ProofError, prove_consistency, prove_inclusion, root_at, tree_at};
pub use tree::Tree;
pub use verify::{ProofFault, verify_consistency, verify_inclusion};

/// No proof has more hashes: a tree of 2^64 leaves has 64 levels.
pub const MAX_PROOF_HASHES: usize = 64;
