//! The journal as bytes: what a record of it looks like, how records lie in a segment, what is
//! left of a segment after a crash, and how the steps of a call become one row of the ledger.
//!
//! Pure: files are in `adapters::journal`. What never changes once it is released:
//!
//! - The *payload* of a frame is the leaf that evidence is built on. It is canonical: one event
//!   has one encoding, and [`Decoder::decode`] accepts no other.
//! - Events are numbered without holes, from 0, over all segments of a journal.
//! - A frame says how many events before it were not yet known to be on disk. So a hole that a
//!   crash has torn can be told from one that somebody made later.

mod assemble;
mod decode;
mod encode;
mod erase;
mod event;
mod fields;
mod form;
mod frame;
mod pruned;
mod relay;
mod scan;
mod source;
mod texts;
mod trail;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use assemble::{Assembler, Finished, Leaves, MAX_OPEN};
pub use decode::{DecodeError, Decoder};
pub use encode::{Encoded, encode_call, encode_gap, encode_rotation, encode_start};
pub use erase::{Damage, Found, Spot, find_openings, frame_crc, read_plan, write_plan};
pub use event::{CallEvent, Event, Gap, Start};
pub use frame::{
    ERASED_OPENING, FRAME_HEADER, FRAME_MAGIC, FrameError, FrameRef, JournalId, Kind, MAX_OPENINGS,
    MAX_PAYLOAD, OPENING, PAYLOAD_PREFIX, SEGMENT_HEADER, SegmentHeader, frame_length, push_frame,
    push_opening, read_frame, read_opening, seal_frame,
};
pub use pruned::PruneMark;
pub use relay::{
    ANSWER, Answer, BATCH_HEAD, BatchFault, BatchHead, JOURNAL_FORMAT, MAX_BATCH, check_batch,
    renumber, unnumbered,
};
pub use scan::{Corruption, Cut, Scan, scan_last};
pub use source::{Batch, Cursor, Source};
pub use trail::Trail;
