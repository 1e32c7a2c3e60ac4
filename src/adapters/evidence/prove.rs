//! Makes proof bundles from the files of a journal.

use std::path::{Path, PathBuf};

use super::FileError;
use super::checkpoints::{self, Signed};
use super::keys::LogKeys;
use super::leaves::LeafStore;
use super::verify::call_of;
use crate::adapters::journal::{Met, ReadError, Walk};
use crate::domain::evidence::bundle::{CreateError, LeafContent, ProofBundle, add_records, create};
use crate::domain::evidence::merkle::{LeafHashes as _, NodeHash};
use crate::types::CallId;

/// Most records of one call that are looked for.
const MAX_RECORDS: usize = 8;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum NotProved {
    /// No log.
    #[error("no log was begun in {path}: nothing can be proved")]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// The call is not in the journal.
    #[error("no record of the call {0} is in the journal")]
    NoCall(CallId),
    /// It is too young.
    #[error(
        "record {0} is not under a checkpoint yet; they are made every second while the gateway runs"
    )]
    NoCheckpoint(u64),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A segment.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store contradicts itself.
    #[error(transparent)]
    Create(#[from] CreateError<FileError>),
}

/// Records of a call: number and bytes.
pub type Records = Vec<(u64, Vec<u8>)>;

/// Looks for the records of a call, from a number on: all of the journal if need be.
///
/// # Errors
/// [`NotProved`].
pub fn records_of(directory: &Path, call: CallId, from: u64) -> Result<Records, NotProved> {
    let mut walk = Walk::open(directory, from)?;
    let mut found = Records::new();
    while let Some((_, met)) = walk.advance()? {
        if let Met::Frame(seq) = met
            && call_of(walk.payload()) == Some(call)
        {
            found.push((seq, walk.payload().to_vec()));
            let is_last = walk.payload().get(1) == Some(&COMPLETION);
            if is_last || found.len() == MAX_RECORDS {
                break;
            }
        }
    }
    Ok(found)
}

/// Code of the last step of a call.
const COMPLETION: u8 =
    crate::domain::journal::Kind::Call(crate::domain::record::Step::Completion).code();

/// Reads records by their numbers; those that are gone are left out.
///
/// # Errors
/// [`NotProved`].
pub fn records_at(directory: &Path, numbers: &[u64]) -> Result<Records, NotProved> {
    let mut found = Records::new();
    for number in numbers {
        let mut walk = Walk::open(directory, *number)?;
        while let Some((_, met)) = walk.advance()? {
            match met {
                Met::Frame(seq) if seq == *number => {
                    found.push((seq, walk.payload().to_vec()));
                    break;
                }
                Met::Frame(seq) if seq > *number => break,
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Makes the bundle of a call. `numbers` are the records of it that a ledger knows of; of one that
/// was pruned the hash is proved.
///
/// # Errors
/// [`NotProved`].
pub fn bundle(directory: &Path, call: CallId, numbers: &[u64]) -> Result<ProofBundle, NotProved> {
    let Some(keys) = LogKeys::read(directory)? else {
        return Err(NotProved::NoLog {
            path: directory.to_owned(),
        });
    };
    let records = if numbers.is_empty() {
        records_of(directory, call, 0)?
    } else {
        records_at(directory, numbers)?
    };
    let last = records
        .iter()
        .map(|(seq, _)| *seq)
        .chain(numbers.iter().copied())
        .max();
    let last = last.ok_or(NotProved::NoCall(call))?;
    let leaves = LeafStore::open(directory)?;
    let checkpoint = covering(directory, last)?.ok_or(NotProved::NoCheckpoint(last))?;
    let mut records = records.into_iter();
    let (index, leaf) = match records.next() {
        Some((index, bytes)) => (index, LeafContent::Present(bytes)),
        None => {
            let index = numbers.first().copied().unwrap_or(last);
            (index, LeafContent::Pruned(hash_of(&leaves, index)?))
        }
    };
    let mut bundle = create(
        &leaves,
        index,
        leaf,
        checkpoint.note,
        Vec::new(),
        &keys.rotations,
    )?;
    let rest: Records = records.collect();
    add_records(&mut bundle, &leaves, &rest)?;
    Ok(bundle)
}

fn hash_of(leaves: &LeafStore, index: u64) -> Result<NodeHash, FileError> {
    let mut found = Vec::new();
    leaves.read(index..index + 1, &mut found)?;
    found.first().copied().ok_or_else(|| FileError::NoLeaf {
        path: PathBuf::new(),
        leaf: index,
    })
}

/// The newest checkpoint over a record that a witness has cosigned, else the newest over it; with
/// the cosignatures of all its entries.
fn covering(directory: &Path, record: u64) -> Result<Option<Signed>, FileError> {
    let mut plain: Option<Signed> = None;
    for segment in checkpoints::segments(directory)?.into_iter().rev() {
        let entries = checkpoints::read(directory, segment, 0)?.found;
        let covers = entries
            .into_iter()
            .map(|(_, signed)| signed)
            .filter(|signed| signed.checkpoint.size > record);
        let mut best: Option<Signed> = None;
        for signed in covers {
            if plain
                .as_ref()
                .is_none_or(|plain| signed.checkpoint.size > plain.checkpoint.size)
            {
                plain = Some(signed.clone());
            }
            if signed.cosignatures() == 0 {
                continue;
            }
            match &mut best {
                Some(best) if best.checkpoint == signed.checkpoint => signed
                    .note
                    .signatures()
                    .iter()
                    .for_each(|signature| best.note.add(signature.clone())),
                Some(best) if best.checkpoint.size > signed.checkpoint.size => {}
                _ => best = Some(signed),
            }
        }
        if best.is_some() {
            return Ok(best);
        }
        if segment <= record {
            break;
        }
    }
    Ok(plain)
}
