//! Proofs of single calls.

use std::path::Path;

use crate::adapters::evidence::prove::{self, NotProved};
use crate::adapters::journal;
use crate::domain::evidence::bundle::ProofBundle;
use crate::domain::journal::{JournalId, Source as _};
use crate::types::CallId;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveFault {
    /// It could not be made.
    #[error(transparent)]
    NotProved(#[from] NotProved),
    /// The call's row came from another node.
    #[error(
        "the call {0} was recorded by another node: prove it there, with the journal of that node"
    )]
    OtherNode(CallId),
}

/// Makes the proof of a call, of the journal that its row names, or of the first of `directories` if
/// the ledger does not know the call. Reads files.
///
/// # Errors
/// [`ProveFault`].
pub fn prove_call(
    call: CallId,
    known: Option<(JournalId, &[u64])>,
    directories: [&Path; 2],
) -> Result<ProofBundle, ProveFault> {
    let (directory, numbers) = match known {
        None => (directories[0], &[][..]),
        Some((id, numbers)) => {
            let directory = directories
                .into_iter()
                .find(|directory| {
                    journal::Reader::open(directory).is_ok_and(|found| found.journal() == id)
                })
                .ok_or(ProveFault::OtherNode(call))?;
            (directory, numbers)
        }
    };
    Ok(prove::bundle(directory, call, numbers)?)
}
