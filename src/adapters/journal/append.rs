//! How events come into the journal's buffer, each with its number.

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use super::Journal;
use crate::adapters::entropy;
use crate::domain::evidence::Salt;
use crate::domain::journal::{
    Encoded, FRAME_HEADER, Kind, MAX_OPENINGS, MAX_PAYLOAD, OPENING, PAYLOAD_PREFIX, encode_call,
    encode_rotation, push_frame,
};
use crate::domain::record::{CallRecord, NotRecorded, Recorder, Step, Ticket, Wait};

/// Most bytes of events that wait in memory to be written. At 400 bytes each that is 80,000: some
/// seconds of traffic while the disk does not answer.
pub(super) const MAX_WAITING: usize = 32 << 20;

thread_local! {
    static ENCODED: RefCell<Encoded> = const {
        RefCell::new(Encoded { fields: Vec::new(), openings: Vec::new() })
    };
}

impl Recorder for Journal {
    fn append(
        &self,
        step: Step,
        known: Option<usize>,
        record: &CallRecord,
        wait: Wait,
    ) -> Result<Ticket, NotRecorded> {
        let encode = |encoded: &mut Encoded| {
            encoded.clear();
            let salts = || entropy::id_bytes().map(Salt::from_bytes);
            if encode_call(encoded, known, record, salts).is_err() {
                // Without a salt there is no commitment, and without that no record.
                let mut queue = self.shared.queue.lock();
                self.shared.note_lost(&mut queue, known.is_none(), wait);
                return Err(NotRecorded);
            }
            self.push(Kind::Call(step), known.is_none(), encoded, wait)
        };
        // While a thread ends its own buffer may be gone already.
        ENCODED
            .try_with(|encoded| encode(&mut encoded.borrow_mut()))
            .unwrap_or_else(|_| encode(&mut Encoded::default()))
    }
}

impl Journal {
    /// Records that the signing key changes. `sign` gets the number of the event, which is part of
    /// what is signed; calls wait meanwhile, for two signatures.
    ///
    /// # Errors
    /// [`NotRecorded`] if nothing can be recorded or signed now.
    pub fn announce_key(
        &self,
        sign: impl FnOnce(u64) -> Option<Vec<u8>>,
    ) -> Result<Ticket, NotRecorded> {
        if self.shared.refuses() {
            return Err(NotRecorded);
        }
        let mut queue = self.shared.queue.lock();
        let seq = queue.next_seq;
        let note = sign(seq).ok_or(NotRecorded)?;
        let mut fields = Vec::new();
        encode_rotation(&mut fields, &note);
        queue.next_seq += 1;
        queue.count += 1;
        push_frame(&mut queue.bytes, Kind::Rotation, seq, &fields, &[]);
        queue.wait = queue.wait.max(Some(Wait::Durable));
        drop(queue);
        self.writer.unpark();
        Ok(Ticket {
            seq,
            wait: Wait::Durable,
        })
    }

    fn push(
        &self,
        kind: Kind,
        first: bool,
        encoded: &Encoded,
        wait: Wait,
    ) -> Result<Ticket, NotRecorded> {
        let shared = &*self.shared;
        let Encoded { fields, openings } = encoded;
        let too_large = FRAME_HEADER + PAYLOAD_PREFIX + fields.len() > MAX_PAYLOAD
            || openings.len() > MAX_OPENINGS * OPENING;
        let refused = first && shared.refuses();
        let kept = usize::try_from(shared.kept.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let mut queue = shared.queue.lock();
        let no_room = queue.bytes.len().saturating_add(kept) >= MAX_WAITING;
        if refused || no_room || too_large {
            shared.note_lost(&mut queue, first, wait);
            return Err(NotRecorded);
        }
        let seq = queue.next_seq;
        queue.next_seq += 1;
        queue.count += 1;
        push_frame(&mut queue.bytes, kind, seq, fields, openings);
        queue.awaited += u32::from(wait != Wait::Nothing);
        queue.wait = queue.wait.max(Some(wait));
        drop(queue);
        if wait != Wait::Nothing || shared.asleep.load(Ordering::SeqCst) {
            self.writer.unpark();
        }
        if wait != Wait::Nothing && shared.failing_since.load(Ordering::SeqCst) != 0 {
            // Kept and written once that is over, but nobody waits for it.
            return Err(NotRecorded);
        }
        Ok(Ticket { seq, wait })
    }
}
