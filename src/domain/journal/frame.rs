//! How events lie in a segment.
//!
//! ```text
//! segment  header (64 bytes) frame frame … zeros
//! header   "EGRETJNL" format:u32 0:u32 journal id:16 first seq:u64 created:i64 0:12 crc:u32
//! frame    magic:2 openings:u16 length:u32 lag:u32 crc:u32 payload opening opening …
//! payload  version:1 kind:1 seq:u64 fields
//! opening  salt:16 pseudonym:16 crc:u32
//! ```
//!
//! The payload is the leaf and never changes. An opening shows whom a commitment in it stands for,
//! and is overwritten with [`ERASED_OPENING`] when that subject is erased. It has a check sum of its
//! own, also when it is erased: zeros alone are what a crash leaves of an opening that was never
//! written, and no half of an opening passes for the whole of it.
//!
//! Numbers outside the payload are little-endian, as CPUs want them; in the payload, which people
//! may hash and read with other programs, they are big-endian. The check sum is CRC-32C
//! (RFC 3720, appendix B.4) over everything else in the header and over the payload.

use crate::domain::evidence::Opening;
use crate::domain::record::Step;
use crate::types::Micros;

/// Format of payloads that this program writes.
pub(super) const VERSION: u8 = 1;
/// Format of segments.
const SEGMENT_FORMAT: u32 = 1;
const SEGMENT_MAGIC: &[u8; 8] = b"EGRETJNL";
/// How a frame begins. Not text, and not a number that lengths or times have in their upper bytes.
pub const FRAME_MAGIC: [u8; 2] = [0xe6, 0x7a];

/// Bytes before the first frame of a segment.
pub const SEGMENT_HEADER: usize = 64;
/// Bytes before the payload of a frame.
pub const FRAME_HEADER: usize = 16;
/// Version, kind and number at the start of a payload.
pub const PAYLOAD_PREFIX: usize = 10;
/// Largest payload: a request head of the largest configurable size (1 MiB) and what its bodies
/// may add fit several times.
pub const MAX_PAYLOAD: usize = 8 << 20;
/// Bytes of an opening behind a payload.
pub const OPENING: usize = Opening::STORED_BYTES + 4;
/// Most openings of a frame: what its header can count.
pub const MAX_OPENINGS: usize = u16::MAX as usize;
/// What an erased opening is overwritten with: zeros and their check sum.
pub const ERASED_OPENING: [u8; OPENING] = {
    let mut bytes = [0; OPENING];
    // CRC-32C of 32 zero bytes, RFC 3720 appendix B.4, as it lies in memory.
    bytes[Opening::STORED_BYTES] = 0xaa;
    bytes[Opening::STORED_BYTES + 1] = 0x36;
    bytes[Opening::STORED_BYTES + 2] = 0x91;
    bytes[Opening::STORED_BYTES + 3] = 0x8a;
    bytes
};

/// Identity of a journal: random, drawn when its first segment is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId([u8; 16]);

impl JournalId {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process has opened the journal.
    Start,
    /// A step of a call.
    Call(Step),
    /// Something could not be recorded.
    Gap,
    /// The key that signs for the log changes.
    Rotation,
}

impl Kind {
    /// Its code in the format.
    pub const fn code(self) -> u8 {
        match self {
            Self::Start => 1,
            Self::Call(Step::Intent) => 2,
            Self::Call(Step::Outcome) => 3,
            Self::Call(Step::Completion) => 4,
            Self::Gap => 5,
            Self::Rotation => 6,
        }
    }

    /// The kind of a code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Start,
            2 => Self::Call(Step::Intent),
            3 => Self::Call(Step::Outcome),
            4 => Self::Call(Step::Completion),
            5 => Self::Gap,
            6 => Self::Rotation,
            _ => return None,
        })
    }
}

/// The start of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The journal that it belongs to.
    pub journal: JournalId,
    /// Number of its first event.
    pub first_seq: u64,
    /// When it was made; for people, nothing depends on it.
    pub created_at: Micros,
}

impl SegmentHeader {
    /// As bytes.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.extend_from_slice(SEGMENT_MAGIC);
        bytes.extend_from_slice(&SEGMENT_FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.journal.as_bytes());
        bytes.extend_from_slice(&self.first_seq.to_le_bytes());
        bytes.extend_from_slice(&self.created_at.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        let mut header = [0; SEGMENT_HEADER];
        for (to, from) in header.iter_mut().zip(bytes) {
            *to = from;
        }
        header
    }

    /// From the first bytes of a segment; `None` if they are no whole header of this format.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, _) = bytes.split_at_checked(SEGMENT_HEADER)?;
        let (body, crc) = header.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let rest = body.strip_prefix(SEGMENT_MAGIC)?;
        let (format, rest) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*format) != SEGMENT_FORMAT {
            return None;
        }
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (journal, rest) = rest.split_first_chunk::<16>()?;
        let (first_seq, rest) = rest.split_first_chunk::<8>()?;
        let (created_at, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            journal: JournalId(*journal),
            first_seq: u64::from_le_bytes(*first_seq),
            created_at: Micros(i64::from_le_bytes(*created_at)),
        })
    }
}

/// Appends an opening as it lies behind a payload.
pub fn push_opening(out: &mut Vec<u8>, opening: &Opening) {
    let bytes = opening.to_bytes();
    out.extend_from_slice(&bytes);
    out.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
}

/// Appends a frame that is not sealed yet. [`seal_frame`] must follow before it is written.
/// `openings` are at most [`MAX_OPENINGS`], as [`push_opening`] makes them.
pub fn push_frame(out: &mut Vec<u8>, kind: Kind, seq: u64, fields: &[u8], openings: &[u8]) {
    let length = PAYLOAD_PREFIX + fields.len();
    let mut head = [0; FRAME_HEADER + PAYLOAD_PREFIX];
    let [
        m0,
        m1,
        n0,
        n1,
        l0,
        l1,
        l2,
        l3,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        version,
        code,
        number @ ..,
    ] = &mut head;
    [*m0, *m1] = FRAME_MAGIC;
    // Payloads are below MAX_PAYLOAD and openings below MAX_OPENINGS: callers see to it.
    [*n0, *n1] = ((openings.len() / OPENING) as u16).to_le_bytes();
    [*l0, *l1, *l2, *l3] = (length as u32).to_le_bytes();
    *version = VERSION;
    *code = kind.code();
    *number = seq.to_be_bytes();
    out.extend_from_slice(&head);
    out.extend_from_slice(fields);
    out.extend_from_slice(openings);
}

/// Fills in what is known only when the frame at the start of `bytes` is written: how many events
/// before it are not known to be on disk, and the check sum. Gives the length of the frame.
pub fn seal_frame(bytes: &mut [u8], lag: u32) -> Option<usize> {
    let (header, rest) = bytes.split_first_chunk_mut::<FRAME_HEADER>()?;
    let [_, _, n0, n1, l0, l1, l2, l3, lag_at @ .., c0, c1, c2, c3] = header;
    let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
    let openings = usize::from(u16::from_le_bytes([*n0, *n1])) * OPENING;
    *lag_at = lag.to_le_bytes();
    [*c0, *c1, *c2, *c3] = [0; 4];
    let payload = rest.get(..length)?;
    let crc = checksum(header, payload);
    let (_, at) = header.split_last_chunk_mut::<4>()?;
    *at = crc.to_le_bytes();
    Some(FRAME_HEADER + length + openings)
}

/// How long the frame is that begins with `bytes`, by what its header says; `None` if there is no
/// whole header.
pub fn frame_length(bytes: &[u8]) -> Option<usize> {
    let (header, _) = bytes.split_first_chunk::<FRAME_HEADER>()?;
    let [_, _, n0, n1, l0, l1, l2, l3, ..] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let openings = usize::from(u16::from_le_bytes([n0, n1])) * OPENING;
    Some(FRAME_HEADER + length.min(MAX_PAYLOAD) + openings)
}

fn checksum(header: &[u8; FRAME_HEADER], payload: &[u8]) -> u32 {
    let (covered, _) = header.split_at(FRAME_HEADER - 4);
    crc32c::crc32c_append(crc32c::crc32c(covered), payload)
}

/// A frame as it lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// Number of its event.
    pub seq: u64,
    /// How many events before it were not known to be on disk when it was written.
    pub lag: u32,
    /// The leaf.
    pub payload: &'a [u8],
    /// What shows whom the leaf's commitments stand for: so many times [`OPENING`] bytes. Their
    /// check sums hold; whether they fit the leaf, [`super::Decoder::decode`] says.
    pub openings: &'a [u8],
}

impl FrameRef<'_> {
    /// Length in the segment.
    pub const fn len(&self) -> usize {
        FRAME_HEADER + self.payload.len() + self.openings.len()
    }

    /// Where its openings begin in it.
    pub const fn openings_at(&self) -> usize {
        FRAME_HEADER + self.payload.len()
    }

    /// Never: a frame has a header.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// There is no whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Nothing was written here: no more bytes, or zeros.
    End,
    /// The frame goes on beyond the bytes at hand.
    Short,
    /// Not a frame, or a damaged one.
    Damaged,
}

/// Reads the frame at the start of `bytes`.
///
/// # Errors
/// [`FrameError`].
pub fn read_frame(bytes: &[u8]) -> Result<FrameRef<'_>, FrameError> {
    let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER>() else {
        return Err(if bytes.iter().all(|byte| *byte == 0) {
            FrameError::End
        } else {
            FrameError::Short
        });
    };
    if *header == [0; FRAME_HEADER] {
        return Err(FrameError::End);
    }
    let [m0, m1, n0, n1, l0, l1, l2, l3, lag @ .., c0, c1, c2, c3] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if [m0, m1] != FRAME_MAGIC || !(PAYLOAD_PREFIX..=MAX_PAYLOAD).contains(&length) {
        return Err(FrameError::Damaged);
    }
    let (payload, rest) = rest.split_at_checked(length).ok_or(FrameError::Short)?;
    let openings = usize::from(u16::from_le_bytes([n0, n1])) * OPENING;
    let openings = rest.get(..openings).ok_or(FrameError::Short)?;
    if checksum(header, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FrameError::Damaged);
    }
    if !openings.chunks_exact(OPENING).all(is_whole) {
        return Err(FrameError::Damaged);
    }
    let Some([_, _, seq @ ..]) = payload.first_chunk::<PAYLOAD_PREFIX>() else {
        return Err(FrameError::Damaged);
    };
    Ok(FrameRef {
        seq: u64::from_be_bytes(*seq),
        lag: u32::from_le_bytes(lag),
        payload,
        openings,
    })
}

fn is_whole(opening: &[u8]) -> bool {
    opening
        .split_last_chunk::<4>()
        .is_some_and(|(stored, crc)| crc32c::crc32c(stored) == u32::from_le_bytes(*crc))
}

/// The opening that [`push_opening`] wrote; `None` inside if it was erased, `None` outside if
/// these are no opening's bytes.
pub fn read_opening(bytes: &[u8]) -> Option<Option<Opening>> {
    let (stored, _) = bytes.split_first_chunk::<{ Opening::STORED_BYTES }>()?;
    is_whole(bytes).then(|| Opening::from_bytes(stored))
}
