//! Checks a journal's directory end to end: frames, numbers, leaf hashes, checkpoints, signatures
//! and keys. It reads each file once, from the first record on, and holds what lies between two
//! checkpoints.
//!
//! It works beside a running gateway: what is compared ends with the last checkpoint that was there
//! at the beginning, and that covers only what is on disk for good.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoints::{self, Signed};
use super::keys::LogKeys;
use super::leaves::{KeptHashes, LeafStore};
use super::{FileError, list};
use crate::adapters::journal::{Absence, Met, Place, ReadError, Walk, absence, leaves_path};
use crate::domain::evidence::audit::{Auditor, Difference, Finding, MAX_WINDOW, Record};
use crate::domain::evidence::merkle::{NodeHash, leaf_hash};
use crate::domain::evidence::{Checkpoint, KeyHistory, KeyRotation, VerifierKey};
use crate::domain::journal::{JournalId, Kind, PAYLOAD_PREFIX};
use crate::types::CallId;

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
        if self.frames.is_first_gone(seq) && !self.was_given_up(seq)? {
            let end = self.frames.gone_until(seq);
            let file = self.frames.file(seq);
            let message = format!(
                "a segment is gone: records {seq} to {}; their leaf hashes are there and fit",
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

    /// Whether retention has given up the segment that begins with a record.
    fn was_given_up(&self, first: u64) -> io::Result<bool> {
        let Some(journal) = self.found.journal else {
            return Ok(false);
        };
        let absence = absence(self.directory, journal, first)?;
        Ok(matches!(absence, Absence::Pruned(_)))
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

/// What comes next in the journal.
#[derive(Clone, Copy, Debug)]
enum Next {
    Frame {
        seq: u64,
        leaf: NodeHash,
    },
    /// A record of a segment that is gone.
    Gone {
        seq: u64,
    },
    Foreign {
        place: Place,
    },
}

/// The frames of the journal with what is missing in between.
struct Frames {
    directory: PathBuf,
    walk: Walk,
    ahead: VecDeque<Next>,
    /// Segments of which only the leaf hashes are left: first record and end.
    gone: Vec<(u64, u64)>,
    /// The record that should come next.
    expected: u64,
    ended: bool,
    /// Records that announce a key.
    rotations: Vec<u64>,
}

impl Frames {
    fn open(directory: &Path) -> Result<Self, NotAudited> {
        let walk = Walk::open(directory, 0)?;
        let leaves = list(directory, ".leaves")?;
        let size = LeafStore::open_without_nodes(directory)?.size();
        let mut all: Vec<u64> = walk.segments().iter().chain(&leaves).copied().collect();
        all.sort_unstable();
        all.dedup();
        let ends = all.iter().skip(1).copied().chain([size.max(1)]);
        let gone = all
            .iter()
            .copied()
            .zip(ends)
            .filter(|(first, end)| first < end && !walk.segments().contains(first))
            .collect();
        Ok(Self {
            directory: directory.to_owned(),
            walk,
            ahead: VecDeque::new(),
            gone,
            expected: 0,
            ended: false,
            rotations: Vec::new(),
        })
    }

    fn file(&self, segment: u64) -> PathBuf {
        crate::adapters::journal::segment_path(&self.directory, segment)
    }

    fn is_first_gone(&self, seq: u64) -> bool {
        self.gone.iter().any(|(first, _)| *first == seq)
    }

    fn gone_until(&self, seq: u64) -> u64 {
        let of = |(first, end): &&(u64, u64)| (*first..*end).contains(&seq);
        self.gone.iter().find(of).map_or(seq + 1, |(_, end)| *end)
    }

    /// Takes the next record below `size`.
    fn take_below(&mut self, size: u64) -> Result<Option<Next>, NotAudited> {
        if self.expected < size
            && self
                .gone
                .iter()
                .any(|(a, b)| (*a..*b).contains(&self.expected))
        {
            let seq = self.expected;
            self.expected += 1;
            return Ok(Some(Next::Gone { seq }));
        }
        self.look_ahead(2)?;
        let Some(next) = self.ahead.front().copied() else {
            return Ok(None);
        };
        if let Next::Frame { seq, .. } = next {
            // One that is numbered beyond the checkpoint waits, unless the right one follows it:
            // then it was put in between.
            let follows =
                |next: &Next| matches!(next, Next::Frame { seq, .. } if *seq == self.expected);
            let is_between = seq != self.expected && self.ahead.get(1).is_some_and(follows);
            if seq >= size && !is_between {
                return Ok(None);
            }
            if !is_between {
                self.expected = seq.saturating_add(1);
            }
        }
        self.ahead.pop_front();
        Ok(Some(next))
    }

    fn look_ahead(&mut self, count: usize) -> Result<(), NotAudited> {
        while !self.ended && self.ahead.len() < count {
            let next = match self.walk.advance()? {
                None => {
                    self.ended = true;
                    return Ok(());
                }
                Some((_, Met::Frame(seq))) => {
                    let payload = self.walk.payload();
                    if KeyRotation::is_in(payload) {
                        self.rotations.push(seq);
                    }
                    Next::Frame {
                        seq,
                        leaf: leaf_hash(payload),
                    }
                }
                Some((_, Met::Damaged)) => {
                    // Stands for the record that should be here; nothing else has this hash.
                    let before = self.ahead.iter().rev().find_map(|next| match next {
                        Next::Frame { seq, .. } | Next::Gone { seq } => Some(seq + 1),
                        Next::Foreign { .. } => None,
                    });
                    Next::Frame {
                        seq: before.unwrap_or(self.expected),
                        leaf: leaf_hash(b"damaged"),
                    }
                }
                Some((place, Met::Foreign)) => Next::Foreign { place },
            };
            self.ahead.push_back(next);
        }
        Ok(())
    }

    /// How many records follow in order.
    fn count_from(&mut self, from: u64) -> Result<u64, NotAudited> {
        let mut next = from;
        loop {
            self.look_ahead(1)?;
            match self.ahead.pop_front() {
                Some(Next::Frame { seq, .. }) if seq == next => next += 1,
                _ => return Ok(next - from),
            }
        }
    }
}

/// Where a record stands, or should stand, and the call that it belongs to.
///
/// # Errors
/// [`ReadError`].
pub fn find(directory: &Path, seq: u64) -> Result<Option<(Place, Option<CallId>)>, ReadError> {
    let mut walk = Walk::open(directory, seq)?;
    let mut expected = None;
    while let Some((place, met)) = walk.advance()? {
        match met {
            Met::Frame(found) if found == seq => {
                return Ok(Some((place, call_of(walk.payload()))));
            }
            Met::Frame(found) if found > seq => return Ok(Some((place, None))),
            Met::Frame(found) => expected = Some(found + 1),
            Met::Damaged if expected.unwrap_or(place.segment) == seq => {
                return Ok(Some((place, None)));
            }
            Met::Damaged => expected = Some(expected.unwrap_or(place.segment) + 1),
            Met::Foreign => {}
        }
    }
    Ok(None)
}

/// Whether the journal has a record with this number once, and not twice.
fn stands_once(directory: &Path, seq: u64) -> Result<bool, ReadError> {
    let mut walk = Walk::open(directory, seq)?;
    let mut times = 0;
    let mut segment = None;
    while let Some((place, met)) = walk.advance()? {
        // A record that was moved is still in the segment of its number, or it would be void.
        if *segment.get_or_insert(place.segment) != place.segment {
            break;
        }
        times += u32::from(met == Met::Frame(seq));
    }
    Ok(times == 1)
}

/// The call that a payload is a step of.
pub fn call_of(payload: &[u8]) -> Option<CallId> {
    let (prefix, fields) = payload.split_first_chunk::<PAYLOAD_PREFIX>()?;
    let [_, kind, ..] = *prefix;
    match Kind::from_code(kind)? {
        Kind::Call(_) => Some(CallId::from_bytes(*fields.first_chunk::<16>()?)),
        _ => None,
    }
}
