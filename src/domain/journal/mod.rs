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

mod aside;
mod assemble;
mod decode;
mod encode;
mod event;
mod fields;
mod frame;
mod scan;
mod source;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use aside::Aside;
pub use assemble::{Assembler, Finished, Leaves, MAX_OPEN};
pub use decode::{DecodeError, Decoder};
pub use encode::{encode_call, encode_gap, encode_start};
pub use event::{CallEvent, Event, Gap, Start};
pub use frame::{
    FRAME_HEADER, FrameError, FrameRef, JournalId, Kind, MAX_PAYLOAD, PAYLOAD_PREFIX,
    SEGMENT_HEADER, SegmentHeader, push_frame, read_frame, seal_frame,
};
pub use scan::{Corruption, Cut, Scan, scan_last};
pub use source::{Batch, Cursor, Source};
