//! Who is calling.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::domain::identity::{CallerBook, Peer, resolve_caller};
use crate::domain::problem::{self, Problem};
use crate::domain::record::{CallRecord, Caller};
use crate::types::Micros;

/// Callers, how they are told apart, and the present time.
#[derive(Clone, Copy)]
pub struct Callers<'a> {
    /// The callers with keys.
    pub book: &'a CallerBook,
    /// The caller that processes of this machine are taken to be.
    pub local: Option<&'a Arc<str>>,
    /// The present.
    pub now: Micros,
}

/// Identifies the caller and notes it in the record. `keys` are the values of every
/// `Proxy-Authorization` field.
///
/// # Errors
/// The problem to answer with; the record has the reason.
pub fn caller<'f>(
    callers: &Callers<'_>,
    keys: impl IntoIterator<Item = &'f [u8]>,
    peer: Peer<'_>,
    address: Option<SocketAddr>,
    record: &mut CallRecord,
) -> Result<Arc<str>, Problem> {
    record.caller.address = address;
    match resolve_caller(keys, peer, callers.book, callers.local, callers.now) {
        Ok(identified) => {
            record.caller = Caller {
                name: Some(Arc::clone(&identified.name)),
                via: identified.via,
                key_id: identified.key_id,
                address,
            };
            Ok(identified.name)
        }
        Err(denial) => {
            // The record says exactly why; the caller learns no more than it must.
            record.reason = Some(denial.code().into());
            Err(if denial.status() == problem::CALLER_UNIDENTIFIED.status {
                problem::CALLER_UNIDENTIFIED
            } else {
                problem::CALLER_REFUSED
            })
        }
    }
}
