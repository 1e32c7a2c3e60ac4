//! Reads single values out of a body while it streams by, without holding the body.
//!
//! A tap is fed the chunks of a body as they pass and hands the values at given places to a
//! [`TapSink`], piece by piece. The body goes on unchanged whatever the tap makes of it: a body
//! that is no JSON, or is nested too deeply, only ends the tapping.
//!
//! Limits, all of them constants of this module: 64 paths of at most 16 steps, keys of at most 64
//! bytes, 64 levels of nesting. Memory per body is below 400 bytes, whatever the body's size; a
//! value is never held by the tap. Time is linear in the size of the body.
//!
//! Not done here: decompression, and judging what a value means.

mod escape;
mod form;
mod json;
mod key;
mod number;
mod path;
#[cfg(test)]
mod tests;

pub use form::{FormTap, NameSet};
pub use json::{JsonTap, MAX_DEPTH};
pub use key::MAX_KEY_BYTES;
pub use path::{MAX_PATH_STEPS, MAX_PATHS, PathError, PathSet};

/// What kind of value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A string; its pieces are its unescaped content without the quotes.
    String,
    /// A number; its pieces are its text as sent.
    Number,
    /// `true`; no pieces.
    True,
    /// `false`; no pieces.
    False,
    /// `null`; no pieces.
    Null,
    /// An object, told at its end; no pieces.
    Object,
    /// An array, told at its end; no pieces.
    Array,
}

/// Takes what a tap finds. The index is the place of the path in the list that was compiled.
///
/// Pieces of two values are never mixed. A value counts once its end is told: pieces without an
/// end belong to a value that was cut off.
///
/// A string's pieces join to its bytes as sent, with escapes resolved; half of a surrogate pair
/// becomes U+FFFD. Nobody has checked that the rest is UTF-8. A key that an object has twice is
/// told twice, as different servers believe the first or the last.
pub trait TapSink {
    /// The next piece of the value at this path.
    fn piece(&mut self, index: usize, bytes: &[u8]);

    /// The value at this path is complete.
    fn end(&mut self, index: usize, kind: ValueKind);
}

/// How a tap stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapStatus {
    /// The body goes on.
    Running,
    /// The whole body was read.
    Complete,
    /// There was no body, or only white space.
    Empty,
    /// The body ended in the middle.
    Truncated,
    /// The body is not what it should be: tapping stopped at the fault. What was found before it
    /// was told.
    Broken,
    /// The body is nested more deeply than [`MAX_DEPTH`]: tapping stopped there.
    TooDeep,
}
