//! Hashes of leaves and nodes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

/// A SHA-256 value in the tree: of a leaf, of a node, or the root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHash([u8; 32]);

impl NodeHash {
    /// Root of the tree without leaves: the hash of the empty string (RFC 6962, section 2.1).
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// From 32 bytes as stored or received.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for NodeHash {
    /// Base64, as in checkpoints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hash of a leaf: SHA-256(0x00 || data). The prefix keeps leaves and nodes apart, so that no
/// node can be passed off as a record (second preimage, RFC 6962, section 2.1).
pub fn leaf_hash(data: &[u8]) -> NodeHash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0x00]);
    context.update(data);
    take(&context.finish())
}

/// Hash of a node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    let mut input = [0x01; 65];
    input[1..33].copy_from_slice(&left.0);
    input[33..].copy_from_slice(&right.0);
    take(&digest::digest(&digest::SHA256, &input))
}

fn take(digest: &digest::Digest) -> NodeHash {
    // SHA-256 has 32 bytes; the other case cannot happen.
    NodeHash(digest.as_ref().try_into().unwrap_or_default())
}
