//! The `traceparent` header (W3C Trace Context, level 2, section 3.2).
//!
//! If a request's `traceparent` does not parse, its `tracestate` must be dropped with it
//! (section 3.3.1.4 of the standard); that is up to the caller of this module.

use std::fmt;

use crate::types::TraceId;

/// Bytes of a `traceparent` of version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
pub const TRACEPARENT_BYTES: usize = 55;

/// The caller may have recorded the trace.
const SAMPLED: u8 = 0x01;

/// At least seven bytes of the trace id are random (level 2).
const RANDOM: u8 = 0x02;

/// The position of one call in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: TraceId,
    parent_id: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// Parses a header value. `None` for everything that the standard tells a receiver to ignore:
    /// upper case, all-zero ids, version `ff`, wrong lengths.
    ///
    /// Versions after 00 are read by their first four fields, as the standard demands; more may
    /// follow after a hyphen.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (fields, after) = value.split_at_checked(TRACEPARENT_BYTES)?;
        let (version, rest) = fields.split_at_checked(2)?;
        let (trace_id, rest) = rest.strip_prefix(b"-")?.split_at_checked(32)?;
        let (parent_id, rest) = rest.strip_prefix(b"-")?.split_at_checked(16)?;
        let flags = rest.strip_prefix(b"-")?;
        let [version] = unhex(version)?;
        let good_end = match version {
            0x00 => after.is_empty(),
            0xff => false,
            _ => matches!(after, [] | [b'-', ..]),
        };
        let parent_id = unhex(parent_id)?;
        let [flags] = unhex(flags)?;
        if !good_end || parent_id == [0; 8] {
            return None;
        }
        Some(Self {
            trace_id: TraceId::from_bytes(unhex(trace_id)?)?,
            parent_id,
            flags: flags & (SAMPLED | RANDOM),
        })
    }

    /// The start of a new trace, whose id ends in seven random bytes at least.
    pub fn root(trace_id: TraceId, call: [u8; 8], sampled: bool) -> Self {
        Self {
            trace_id,
            parent_id: non_zero(call),
            flags: RANDOM | if sampled { SAMPLED } else { 0 },
        }
    }

    /// The same trace one call further down, with the id of that call.
    #[must_use]
    pub fn child(&self, call: [u8; 8]) -> Self {
        Self {
            parent_id: non_zero(call),
            ..*self
        }
    }

    /// The trace.
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The call.
    pub const fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// Whether the caller may have recorded the trace.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The header value, in version 00.
    pub fn encode(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let digits = self
            .trace_id
            .as_bytes()
            .iter()
            .chain(&self.parent_id)
            .chain(std::iter::once(&self.flags))
            .flat_map(|byte| [byte >> 4, byte & 0x0f])
            .map(|digit| {
                if digit < 10 {
                    b'0' + digit
                } else {
                    b'a' - 10 + digit
                }
            });
        // Every zero behind the version is a place for a digit.
        let places = text.iter_mut().skip(3).filter(|place| **place == b'0');
        places.zip(digits).for_each(|(place, digit)| *place = digit);
        text
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.encode()).unwrap_or_default())
    }
}

/// The all-zero parent id is forbidden; one in 2^64 random ones is.
fn non_zero(id: [u8; 8]) -> [u8; 8] {
    if id == [0; 8] {
        [0, 0, 0, 0, 0, 0, 0, 1]
    } else {
        id
    }
}

/// Decodes `2 * N` lower-case hexadecimal digits.
fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let pairs = text.chunks_exact(2);
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parse(text: &str) -> Option<TraceParent> {
        TraceParent::parse(text.as_bytes())
    }

    #[test]
    fn reads_the_example_of_the_standard() {
        let parent = parse(EXAMPLE).unwrap();
        assert_eq!(
            parent.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(
            parent.parent_id(),
            [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]
        );
        assert!(parent.is_sampled());
        assert_eq!(parent.to_string(), EXAMPLE);
    }

    #[test]
    fn refuses_what_the_standard_refuses() {
        let zero_trace = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        let bad = [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.extra",
            zero_trace.as_str(),
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn later_versions_are_read_and_written_as_version_00() {
        for text in [
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), EXAMPLE, "{text:?}");
        }
    }

    #[test]
    fn a_child_keeps_trace_and_known_flags() {
        let parent = parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff").unwrap();
        let child = parent.child([0xaa; 8]);
        assert_eq!(
            child.to_string(),
            "00-0af7651916cd43dd8448eb211c80319c-aaaaaaaaaaaaaaaa-03"
        );
        assert!(
            parse(&parent.child([0; 8]).to_string()).is_some(),
            "zero is forbidden"
        );
    }

    #[test]
    fn a_root_is_valid_even_for_zero_bytes() {
        let root = TraceParent::root(TraceId::from_random([0; 16]), [0; 8], false);
        assert_eq!(parse(&root.to_string()), Some(root));
        assert!(!root.is_sampled());
        let trace = TraceId::from_random([0xab; 16]);
        let text = TraceParent::root(trace, [0xcd; 8], true).to_string();
        assert_eq!(
            text,
            format!("00-{}-{}-03", "ab".repeat(16), "cd".repeat(8))
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in any::<[u8; 16]>(), child in any::<[u8; 8]>(), sampled: bool) {
            let root = TraceParent::root(TraceId::from_random(trace), child, sampled).child(child);
            prop_assert_eq!(TraceParent::parse(&root.encode()), Some(root));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(parent) = TraceParent::parse(&bytes) {
                prop_assert_eq!(TraceParent::parse(&parent.encode()), Some(parent));
            }
        }
    }
}
