//! The one place where the wall clock is read.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::types::Micros;

/// Now, in UTC. A clock before 1970 reads as 1970.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
