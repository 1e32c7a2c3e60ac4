//! What a value may look like, for programs: the schema is made of these.

use std::ops::RangeInclusive;

/// The shape of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Nothing is known of it. No key of the configuration has this shape; a test insists.
    Any,
    /// Text of at most so many bytes.
    Text(usize),
    /// Text that fits one of these regular expressions, in the notation that ECMA 262 and Rust share.
    Pattern(Vec<&'static str>),
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds.
    Integer(u64, u64),
    /// A number from 0 to 1.
    Ratio,
    /// A size in bytes within bounds, as a number or with a unit.
    Size(u64, u64),
    /// A whole number and a unit of time.
    Duration,
    /// A date and time with offset.
    Timestamp,
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// A path.
    Path,
    /// At most so many of these.
    List(usize, Box<Shape>),
    /// One of these shapes.
    Either(Vec<Shape>),
}

impl Shape {
    /// A whole number within bounds.
    pub fn integer(bounds: &RangeInclusive<usize>) -> Self {
        Self::Integer(*bounds.start() as u64, *bounds.end() as u64)
    }
}
