//! Identifiers of calls and traces.

use std::fmt;
use std::str::FromStr;

/// Identifies one call: a UUIDv7 (RFC 9562), so that ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(uuid::Uuid);

impl CallId {
    /// Builds an id from the time in milliseconds since 1970 and ten random bytes
    /// (RFC 9562, section 5.7). Times before 1970 count as 1970.
    pub fn from_parts(unix_millis: i64, random: [u8; 10]) -> Self {
        let millis = u64::try_from(unix_millis).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// From the 16 bytes of the id.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// The 16 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The smallest id of a millisecond: the bound for a search by time.
    pub fn floor(unix_millis: i64) -> Self {
        Self::from_parts(unix_millis, [0; 10])
    }

    /// The time in the id, in milliseconds since 1970.
    pub fn unix_millis(&self) -> i64 {
        let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::try_parse(text).map(Self)
    }
}

/// A W3C trace id (Trace Context, section 3.2.2.3): 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// `None` for the all-zero id, which the standard forbids.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// From random bytes. Should all be zero, which the standard forbids, the last becomes one.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::from_bytes(bytes).unwrap_or(Self(1_u128.to_be_bytes()))
    }

    /// The 16 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_are_version_7_and_sort_by_time() {
        let early = CallId::from_parts(1_000, [0xff; 10]);
        let late = CallId::from_parts(1_001, [0; 10]);
        assert!(early < late);
        assert!(CallId::floor(1_000) <= early);
        assert_eq!(early.to_string().as_bytes()[14], b'7');
        assert_eq!(early.to_string().parse::<CallId>().unwrap(), early);
    }

    #[test]
    fn the_zero_trace_id_is_refused() {
        assert_eq!(TraceId::from_bytes([0; 16]), None);
        let id = TraceId::from_bytes([0xab; 16]).unwrap();
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(TraceId::from_random([0xab; 16]), id);
        assert_eq!(
            TraceId::from_random([0; 16]).to_string(),
            format!("{:032x}", 1)
        );
    }
}
