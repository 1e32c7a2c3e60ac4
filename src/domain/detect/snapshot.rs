//! The engine's state as bytes, so that a restart goes on where it stopped.

use std::io::Write;

use super::engine::{Detection, State};
use super::settings::Settings;

/// First bytes of a snapshot.
const MAGIC: &[u8; 8] = b"egretdet";
/// Version of what follows. A snapshot of another version is of no use: detection learns anew
/// from the ledger.
const VERSION: u32 = 3;

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFault {
    /// It is something else.
    #[error("this is no snapshot of detection")]
    Foreign,
    /// Another version of Egret wrote it.
    #[error(
        "the snapshot has version {0}, and this Egret reads version {VERSION}; replay the ledger to learn anew"
    )]
    Version(u32),
    /// It is damaged.
    #[error("the snapshot is damaged: {0}")]
    Damaged(postcard::Error),
    /// It cannot be written.
    #[error("the snapshot cannot be written: {0}")]
    Write(postcard::Error),
    /// It cannot be written.
    #[error("the snapshot cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl Detection {
    /// Writes everything that is remembered.
    ///
    /// # Errors
    /// The output fails.
    pub fn snapshot(&self, mut out: impl Write) -> Result<(), SnapshotFault> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        postcard::to_io(self.state(), &mut out).map_err(SnapshotFault::Write)?;
        Ok(out.flush()?)
    }

    /// Goes on from a snapshot. Settings may differ from those before, but for the bounds of tables,
    /// which stay as they were.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version.
    pub fn restore(settings: Settings, bytes: &[u8]) -> Result<Self, SnapshotFault> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotFault::Foreign)?;
        let (version, rest) = rest
            .split_first_chunk::<4>()
            .ok_or(SnapshotFault::Foreign)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            other => return Err(SnapshotFault::Version(other)),
        }
        let state: State = postcard::from_bytes(rest).map_err(SnapshotFault::Damaged)?;
        Ok(Self::with(settings, state))
    }
}
