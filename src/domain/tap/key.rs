//! Holds the name that is being read, up to the length that a path or a form name may have.

/// The longest key that a path can name. The field names in the catalogs have at most 40.
pub const MAX_KEY_BYTES: usize = 64;

/// A name that arrives in pieces. One that gets too long cannot match anything and is forgotten.
#[derive(Clone)]
pub(super) struct KeyBuffer {
    bytes: [u8; MAX_KEY_BYTES],
    len: usize,
}

impl KeyBuffer {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; MAX_KEY_BYTES],
            len: 0,
        }
    }

    pub(super) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        let end = self.len.saturating_add(piece.len());
        if let Some(free) = self.bytes.get_mut(self.len..end) {
            free.copy_from_slice(piece);
        }
        self.len = end;
    }

    /// The name, unless it is too long.
    pub(super) fn name(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}
