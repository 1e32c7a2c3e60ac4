//! Evidence: what lets an auditor who trusts neither us nor our database check that history was
//! not changed.
//!
//! The records of a node are the leaves of an RFC 6962 Merkle tree ([`merkle`]). Its root is
//! signed from time to time as a C2SP checkpoint ([`Checkpoint`], [`Note`]) and cosigned by
//! witnesses ([`witness`]). A proof bundle ([`bundle`]) carries one record to somebody who has the
//! public key and nothing else; [`audit`] compares whole stores with the checkpoints and names the
//! first record that does not fit. `docs/design/evidence.md` gives the reasons.
//!
//! Nothing here reads a file, a clock or a source of randomness: keys, time and bytes are handed
//! in.

pub mod audit;
pub mod bundle;
mod checkpoint;
mod commitment;
pub mod merkle;
mod note;
mod rotation;
mod store;
mod text;
pub mod witness;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use commitment::{Commitment, Opening, Salt, TamperedOpening};
pub use note::{
    KeyError, KeyId, MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteError, Signature, SignatureType,
    Signed, SignerKey, VerifierKey, VerifyError, cosignature_time,
};
pub use rotation::{KeyHistory, KeyRotation, MAX_ROTATIONS, RotationError};
pub use store::{CheckpointStore, StoredCheckpoint};
