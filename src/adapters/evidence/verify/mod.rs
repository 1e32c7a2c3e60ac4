//! Checks a journal's directory end to end: frames, numbers, leaf hashes, checkpoints, signatures
//! and keys. It reads each file once, from the first record on, and holds what lies between two
//! checkpoints.
//!
//! It works beside a running gateway: what is compared ends with the last checkpoint that was there
//! at the beginning, and that covers only what is on disk for good.

mod frames;

use std::io;
use std::path::{Path, PathBuf};

use super::checkpoints::{self, Signed};
use super::keys::LogKeys;
use super::leaves::{KeptHashes, LeafStore};
use super::{FileError, list};
use crate::adapters::journal::{Absence, ReadError, Reader, absence, leaves_path};
use crate::domain::evidence::audit::{Auditor, Difference, Finding, MAX_WINDOW, Record};
use crate::domain::evidence::merkle::{NodeHash, leaf_hash};
use crate::domain::evidence::{Checkpoint, KeyHistory, VerifierKey};
use crate::domain::journal::{JournalId, Source as _};
use crate::types::CallId;
use frames::{Frames, Next, stands_once};

pub use frames::{call_of, find};

/// What is wrong with a journal or a ledger, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Stable name of the kind of fault.
    pub kind: &'static str,
    /// A sentence.
    pub message: String,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The call that it belongs to, as far as that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Byte in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Fault {
    /// A fault without a place.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            sequence: None,
            call_id: None,
            file: None,
            offset: None,
        }
    }

    /// Names the record.
    #[must_use]
    pub fn of_record(mut self, sequence: u64) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// Names the call.
    #[must_use]
    pub fn of_call(mut self, call: CallId) -> Self {
        self.call_id = Some(call.to_string());
        self
    }

    fn in_file(mut self, file: PathBuf, offset: u64) -> Self {
        self.file = Some(file);
        self.offset = Some(offset);
        self
    }
}

/// What an audit of a journal found.
#[derive(Clone, Debug, Default)]
pub struct JournalAudit {
    /// What is wrong, the first record first.
    pub faults: Vec<Fault>,
    /// The journal.
    pub journal: Option<JournalId>,
    /// Name of the log.
    pub origin: String,
    /// Its public keys, the first one first.
    pub keys: Vec<VerifierKey>,
    /// Records that a checkpoint vouches for.
    pub covered: u64,
    /// Records behind the last checkpoint.
    pub uncovered: u64,
    /// Records of which only the hash is left.
    pub pruned: u64,
    /// Checkpoints that were checked.
    pub checkpoints: u64,
    /// The last of them.
    pub last: Option<Signed>,
}

/// Why a journal cannot be audited at all.
#[derive(Debug, thiserror::Error)]
pub enum NotAudited {
    /// There is no log.
    #[error(
        "no log was begun in {path}: `egret serve` begins one with its first checkpoint, unless \
         [evidence] is not enabled"
    )]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Audits a journal. `trusted` are keys that the auditor has from elsewhere: one of them must be in
/// the log's history. `progress` is told how many records of how many were looked at.
///
/// # Errors
/// [`NotAudited`] when the files cannot be read; what is wrong with them is in the result.
pub fn audit(
    directory: &Path,
    trusted: &[VerifierKey],
    progress: impl FnMut(u64, u64),
) -> Result<JournalAudit, NotAudited> {
    let Some(keys) = LogKeys::read(directory)? else {
        return Err(NotAudited::NoLog {
            path: directory.to_owned(),
        });
    };
    let mut found = JournalAudit {
        origin: keys.first.name().to_owned(),
        ..JournalAudit::default()
    };
    let history = match keys.history() {
        Ok(history) => history,
        Err((index, fault)) => {
            let message = format!("the key rotation at record {index} is not valid: {fault}");
            let fault = Fault::new("key", message).of_record(index);
            found
                .faults
                .push(fault.in_file(LogKeys::path(directory), 0));
            KeyHistory::new(keys.first.clone())
        }
    };
    found.keys = history.keys().cloned().collect();
    if !trusted.is_empty() && !found.keys.iter().any(|key| trusted.contains(key)) {
        let message = format!(
            "none of the given keys is a key of this log; its first key is {}",
            keys.first
        );
        found.faults.push(Fault::new("key", message));
    }
    Pass {
        directory,
        keys: &keys,
        history: &history,
        found: &mut found,
        kept: KeptHashes::new(LeafStore::open_without_nodes(directory)?),
        frames: Frames::open(directory)?,
        auditor: Auditor::new(),
        last: None,
    }
    .run(progress)?;
    Ok(found)
}

/// One pass over everything.
struct Pass<'a> {
    directory: &'a Path,
    keys: &'a LogKeys,
    history: &'a KeyHistory,
    found: &'a mut JournalAudit,
    kept: KeptHashes,
    frames: Frames,
    auditor: Auditor,
    /// Size and root of the last checkpoint that fitted.
    last: Option<(u64, NodeHash)>,
}

impl Pass<'_> {
    fn run(mut self, mut progress: impl FnMut(u64, u64)) -> Result<(), NotAudited> {
        let segments = checkpoints::segments(self.directory)?;
        let total = match checkpoints::last(self.directory) {
            Ok(last) => last.map_or(0, |(_, signed)| signed.checkpoint.size),
            // Said when its file is read.
            Err(_) => 0,
        };
        'log: for segment in segments {
            let entries = match checkpoints::read(self.directory, segment, 0) {
                Ok(entries) => entries,
                Err(FileError::Malformed { path, offset, what }) => {
                    let message = format!("a checkpoint was changed: {what}");
                    self.fault(Fault::new("checkpoint", message).in_file(path, offset));
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let mut entries = entries.found;
            entries.sort_by_key(|(_, signed)| (signed.checkpoint.size, signed.cosignatures()));
            for (offset, signed) in entries {
                if !self.checkpoint(segment, offset, &signed)? {
                    break 'log;
                }
                progress(self.auditor.tree().size(), total);
            }
        }
        self.found.covered = self.auditor.tree().size();
        if self.found.faults.is_empty() {
            self.check_rotations()?;
            self.found.uncovered = self.frames.count_from(self.found.covered)?;
            self.check_ends()?;
        }
        self.found.journal = self.frames.walk.journal();
        Ok(())
    }

    fn fault(&mut self, fault: Fault) {
        self.found.faults.push(fault);
    }

    /// Checks the next checkpoint and the records before it. False if nothing behind it can be
    /// checked.
    fn checkpoint(
        &mut self,
        segment: u64,
        offset: u64,
        signed: &Signed,
    ) -> Result<bool, NotAudited> {
        let file = checkpoints::path(self.directory, segment);
        let stated = match Checkpoint::open(&signed.note, self.history) {
            Ok(stated) => stated,
            Err(fault) => {
                let message = format!("a checkpoint is not signed by the log's key: {fault}");
                self.fault(Fault::new("checkpoint", message).in_file(file, offset));
                return Ok(false);
            }
        };
        if let Some((size, root)) = self.last
            && size == stated.size
        {
            if root != stated.root {
                let message = Finding::Forked { size }.to_string();
                self.fault(Fault::new("forked", message).in_file(file, offset));
                return Ok(false);
            }
            self.found.last = Some(signed.clone());
            return Ok(true);
        }
        let fed = self.feed(stated.size)?;
        let checked = fed.and_then(|()| self.auditor.checkpoint(stated.size, &stated.root));
        if let Err(finding) = checked {
            let finding = self.look_again(&stated)?.unwrap_or(finding);
            let fault = self.locate(finding)?;
            self.fault(fault);
            return Ok(false);
        }
        self.found.checkpoints += 1;
        self.last = Some((stated.size, stated.root));
        self.found.last = Some(signed.clone());
        Ok(true)
    }

    /// With the leaf hashes by number, if those are what was signed, nothing has to be guessed.
    fn look_again(&self, stated: &Checkpoint) -> Result<Option<Finding>, NotAudited> {
        let from = self.auditor.tree().size();
        if stated.size < from || stated.size - from > MAX_WINDOW as u64 {
            return Ok(None);
        }
        let Some(truth) = self.kept.all(from..stated.size)? else {
            return Ok(None);
        };
        Ok(self.auditor.locate_with(stated.size, &stated.root, &truth))
    }

    /// Hands the records below a size to the auditor.
    fn feed(&mut self, size: u64) -> Result<Result<(), Finding>, NotAudited> {
        loop {
            let Some(next) = self.frames.take_below(size)? else {
                return Ok(Ok(()));
            };
            let record = match next {
                Next::Frame { seq, leaf } => Record {
                    sequence: seq,
                    leaf: Some(leaf),
                    kept: self.kept.of(seq)?,
                },
                Next::Gone { seq } => {
                    let kept = self.kept.of(seq)?;
                    if kept.is_some() {
                        self.note_gone(seq).map_err(|source| ReadError::Io {
                            path: self.directory.to_owned(),
                            source,
                        })?;
                    }
                    Record {
                        sequence: seq,
                        leaf: None,
                        kept,
                    }
                }
                Next::Foreign { place } => {
                    let file = self.frames.file(place.segment);
                    let message = "a segment has no header of this journal: it was changed or \
                                   replaced";
                    self.fault(Fault::new("segment", message).in_file(file, 0));
                    continue;
                }
            };
            if let Err(finding) = self.auditor.record(record) {
                return Ok(Err(finding));
            }
        }
    }

    /// A whole segment is gone and its leaf hashes are there.
    fn note_gone(&mut self, seq: u64) -> io::Result<()> {
        self.found.pruned += 1;
        if !self.frames.is_first_gone(seq) {
            return Ok(());
        }
        if let Err(why) = self.was_given_up(seq)? {
            let end = self.frames.gone_until(seq);
            let file = self.frames.file(seq);
            let message = format!(
                "a segment is gone: records {seq} to {}; their leaf hashes are there and fit, but \
                 {why}",
                end - 1
            );
            self.fault(
                Fault::new("segment_removed", message)
                    .of_record(seq)
                    .in_file(file, 0),
            );
        }
        Ok(())
    }

    /// Whether retention has given up the segment that begins with a record: the log's key has
    /// signed that. If not, why nobody can know.
    fn was_given_up(&self, first: u64) -> io::Result<Result<(), &'static str>> {
        // The first segment that is there says which journal this is.
        let Ok(reader) = Reader::open(self.directory) else {
            return Ok(Err("no other segment says which journal this is"));
        };
        let journal = reader.journal();
        let Absence::Pruned { signed, .. } = absence(self.directory, journal, first)? else {
            return Ok(Err("no mark says that it was given up"));
        };
        let Some(note) = signed else {
            return Ok(Err("the mark that says that it was given up is not signed"));
        };
        let keys = &self.found.keys;
        let is_signed = keys
            .iter()
            .any(|key| note.verify(std::slice::from_ref(key)).is_ok());
        if is_signed {
            return Ok(Ok(()));
        }
        Ok(Err(
            "the mark that says that it was given up is not signed by a key of this log",
        ))
    }

    fn locate(&self, finding: Finding) -> Result<Fault, NotAudited> {
        let finding = match finding {
            // Behind the last record that a checkpoint vouches for, a later record that stands too
            // early looks like one too many. If it is nowhere else, it was taken from there.
            Finding::Records(Difference::Inserted { sequence, numbered })
                if numbered > sequence && stands_once(self.directory, numbered)? =>
            {
                Difference::Moved { sequence, numbered }.into()
            }
            finding => finding,
        };
        let (kind, sequence) = match &finding {
            Finding::Records(Difference::Changed { sequence }) => ("changed", Some(*sequence)),
            Finding::Records(Difference::Removed { sequence }) => ("removed", Some(*sequence)),
            Finding::Records(Difference::Inserted { sequence, .. }) => {
                ("inserted", Some(*sequence))
            }
            Finding::Records(Difference::Moved { sequence, .. }) => ("moved", Some(*sequence)),
            Finding::KeptHash { sequence } => ("leaf_hash", Some(*sequence)),
            Finding::Unlocated { from, .. } => ("unlocated", Some(*from)),
            Finding::Shrunk { .. } => ("checkpoint", None),
            Finding::Forked { .. } => ("forked", None),
        };
        let mut fault = Fault::new(kind, finding.to_string());
        let Some(sequence) = sequence else {
            return Ok(fault);
        };
        fault.sequence = Some(sequence);
        if kind == "leaf_hash" {
            let segments = list(self.directory, ".leaves")?;
            let first = segments.into_iter().rfind(|first| *first <= sequence);
            let first = first.unwrap_or(0);
            let path = leaves_path(self.directory, first);
            return Ok(fault.in_file(path, (sequence - first) * 32));
        }
        if let Some((place, call)) = find(self.directory, sequence)? {
            fault.call_id = call.map(|id| id.to_string());
            fault = fault.in_file(self.frames.file(place.segment), place.offset);
        }
        Ok(fault)
    }

    /// Each announced key must be a record of the log.
    fn check_rotations(&mut self) -> Result<(), NotAudited> {
        for (index, leaf) in &self.keys.rotations {
            let mut kept = KeptHashes::new(LeafStore::open_without_nodes(self.directory)?);
            if *index < self.found.covered && kept.of(*index)? != Some(leaf_hash(leaf)) {
                let message = format!("the key rotation at record {index} is not in the log");
                let fault = Fault::new("key", message).of_record(*index);
                let file = LogKeys::path(self.directory);
                self.found.faults.push(fault.in_file(file, 0));
            }
        }
        let known = |seq: &u64| self.keys.rotations.iter().any(|(index, _)| index == seq);
        let unknown = self.frames.rotations.iter().find(|seq| !known(seq));
        if let Some(seq) = unknown.copied().filter(|seq| *seq < self.found.covered) {
            let message =
                format!("the key rotation at record {seq} is not in the list of the log's keys");
            let file = LogKeys::path(self.directory);
            let fault = Fault::new("key", message).of_record(seq).in_file(file, 0);
            self.found.faults.push(fault);
        }
        Ok(())
    }

    /// More leaf hashes than checkpoints vouch for, and no records: the end was cut off.
    fn check_ends(&mut self) -> Result<(), NotAudited> {
        if self.found.covered == 0 && self.kept.of(0)?.is_some() {
            let message = "there are leaf hashes, and no checkpoint is left";
            self.fault(Fault::new("checkpoint", message).in_file(self.directory.to_owned(), 0));
        }
        Ok(())
    }
}
