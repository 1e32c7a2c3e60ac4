//! What a book needs to be one book for several machines.

/// A place where the book is kept for a fleet. Whoever changes it begins, looks, writes or ends, and
/// until then nobody else does.
pub trait SharedBook: std::fmt::Debug + Send {
    /// Begins a change. Gives the version, and the kept form if it is another version than `known`;
    /// version 0 is an empty place.
    ///
    /// # Errors
    /// A sentence that says what is wrong; nothing has begun.
    fn begin(&mut self, known: i64) -> Result<(i64, Option<String>), String>;

    /// Writes the kept form and ends the change. Gives its version.
    ///
    /// # Errors
    /// A sentence that says what is wrong; nothing was changed.
    fn write(&mut self, text: String) -> Result<i64, String>;

    /// Ends without a change.
    fn end(&mut self);
}
