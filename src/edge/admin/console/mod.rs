//! The web console: static files in the binary. Nothing of the gateway is in them; what pages show
//! they ask the API for.

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its media type.
    pub media: &'static str,
    /// Its content.
    pub body: &'static [u8],
    /// Tells one version of it from the next; in quotes, as in the header.
    pub etag: String,
}

/// The file at a path; `None` if there is none.
pub fn file(_path: &str) -> Option<File> {
    None
}
