//! Pingora's header fields as the pure parts of the house see them.

use pingora_http::RequestHeader;

use crate::domain::credential::HeaderSource;

/// The fields of a request, with the case of their names if it is known.
pub struct Fields<'a>(pub &'a RequestHeader);

impl HeaderSource for Fields<'_> {
    fn visit<'h>(&'h self, visitor: &mut dyn FnMut(&'h [u8], &'h [u8])) {
        if self.0.has_case() {
            for (name, value) in self.0.case_header_iter() {
                visitor(name.as_slice(), value.as_bytes());
            }
        } else {
            for (name, value) in &self.0.headers {
                visitor(name.as_str().as_bytes(), value.as_bytes());
            }
        }
    }
}
