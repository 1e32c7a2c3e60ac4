//! What classification may see of a request.

use smallvec::SmallVec;

/// How many values of one repeated header are looked at. Two prove the fault; a few more show
/// what is present.
const MAX_REPEATS: usize = 4;

/// The header fields of a request, in the order and with the name case they were received in.
pub trait HeaderSource {
    /// Hands every field to `visitor` as (name, value), once.
    fn visit<'h>(&'h self, visitor: &mut dyn FnMut(&'h [u8], &'h [u8]));
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderSource for Vec<(N, V)> {
    fn visit<'h>(&'h self, visitor: &mut dyn FnMut(&'h [u8], &'h [u8])) {
        for (name, value) in self {
            visitor(name.as_ref(), value.as_ref());
        }
    }
}

/// The parts of a request that decide its credential.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// The path at the provider, without the gateway's prefix and without the query.
    pub path: &'a str,
    /// What follows `?`, still percent-encoded.
    pub query: Option<&'a str>,
    /// The header fields.
    pub headers: &'a dyn HeaderSource,
    /// Whether the connection to the *provider* shows a TLS client certificate. The caller's own
    /// certificate ends at the gateway and identifies the caller, not the credential.
    pub client_certificate: bool,
}

impl RequestView<'_> {
    /// Whether the path is `suffix` or ends with it; a trailing slash is not counted.
    pub(super) fn path_ends_with(&self, suffix: &str) -> bool {
        self.path
            .strip_suffix('/')
            .unwrap_or(self.path)
            .ends_with(suffix)
    }

    /// Whether the path is `path`; a trailing slash is not counted.
    pub(super) fn path_is(&self, path: &str) -> bool {
        self.path.strip_suffix('/').unwrap_or(self.path) == path
    }
}

/// The values of one header, with surrounding blanks removed.
#[derive(Default)]
pub(super) struct Values<'a>(SmallVec<[&'a [u8]; 1]>);

impl<'a> Values<'a> {
    pub(super) fn push(&mut self, value: &'a [u8]) {
        if self.0.len() < MAX_REPEATS {
            self.0.push(value.trim_ascii());
        }
    }

    pub(super) fn first(&self) -> Option<&'a [u8]> {
        self.0.first().copied()
    }

    pub(super) fn is_repeated(&self) -> bool {
        self.0.len() > 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.0.iter().copied()
    }
}
