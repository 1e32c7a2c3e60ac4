//! Check of the request target, for HTTP/1 and HTTP/2 alike.
//!
//! The gateway matches the path against the catalog and the bank's server routes by it. Both must
//! see the same path, whatever the bank's server decodes, merges or strips on the way. So a target
//! that could be read in two ways is refused. It is never rewritten here: signatures cover it.

use std::fmt;

use memchr::memchr;
use smallvec::SmallVec;

use super::head::check_form;
use super::refusal::Refusal;

/// The longest path. The longest template in the catalogs has 168 characters.
pub const MAX_PATH_BYTES: usize = 4 * 1024;

/// The longest query. Cybrid's guid filters may have 4,096 characters each, and an operation
/// takes several; commas may come percent-encoded.
pub const MAX_QUERY_BYTES: usize = 32 * 1024;

/// The longest target: path, question mark and query.
pub const MAX_TARGET_BYTES: usize = MAX_PATH_BYTES + 1 + MAX_QUERY_BYTES;

/// The most segments in a path. The deepest template in the catalogs has 12.
pub const MAX_SEGMENTS: usize = 64;

/// How many layers of percent-encoding are peeled off a path to look for what they hide.
const MAX_DECODINGS: usize = 3;

/// Whether `%2F` may stand in a path. OBP has operations with a URL in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedSlash {
    /// Refuse it: some servers take it for a slash.
    Refuse,
    /// Let it pass, but refuse dot segments that it would make. An encoded backslash stays
    /// refused.
    Allow,
}

/// A request target that passed the check: the very bytes that were sent.
///
/// Path and query may hold personal values and secrets, so `Debug` shows neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    raw: &'a str,
    path_len: usize,
}

impl<'a> Target<'a> {
    /// Checks a target in origin form: `/path` with an optional `?query`.
    ///
    /// # Errors
    /// The first fault found; it says nothing of the content.
    pub fn parse(raw: &'a [u8], slashes: EncodedSlash) -> Result<Self, Refusal> {
        check_form(raw)?;
        let path_len = memchr(b'?', raw).unwrap_or(raw.len());
        let (path, query) = raw.split_at(path_len);
        let query = query.get(1..).unwrap_or_default();
        if path.len() > MAX_PATH_BYTES {
            return Err(Refusal::PathTooLong);
        }
        if query.len() > MAX_QUERY_BYTES {
            return Err(Refusal::QueryTooLong);
        }
        check_parts(path, query)?;
        check_segments(path)?;
        if check_escapes(path)? {
            check_decoded_path(path, slashes)?;
        }
        check_escapes(query)?;
        let raw = std::str::from_utf8(raw).map_err(|_| Refusal::TargetNotAscii)?;
        Ok(Self { raw, path_len })
    }

    /// Path and query as sent.
    pub const fn as_str(&self) -> &'a str {
        self.raw
    }

    /// The path as sent, with its leading and any trailing slash.
    pub fn path(&self) -> &'a str {
        self.raw.get(..self.path_len).unwrap_or_default()
    }

    /// The query as sent, without the question mark; `None` if there is no question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.raw.get(self.path_len + 1..)
    }

    /// The segments of the path as sent. A trailing slash makes a last segment that is empty.
    pub fn segments(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.path().split('/').skip(1)
    }
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target([hidden])")
    }
}

const IN_PATH: u8 = 1;
const IN_QUERY: u8 = 2;

/// Where a character may stand as it is. In the path: `pchar` of RFC 3986 and the slash. In the
/// query also what the URL standard lets browsers leave unescaped there (`filter[x]=`), except
/// the backslash.
static ALLOWED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 128 {
        let c = byte as u8;
        let everywhere = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b':'
                    | b'@'
                    | b'/'
                    | b'%'
            );
        let only_query = matches!(c, b'?' | b'[' | b']' | b'{' | b'}' | b'|' | b'^' | b'`');
        if everywhere {
            table[byte] = IN_PATH | IN_QUERY;
        } else if only_query {
            table[byte] = IN_QUERY;
        }
        byte += 1;
    }
    table
};

/// Whether every character of a target may stand where it stands.
pub(super) fn check_target_characters(raw: &[u8]) -> Result<(), Refusal> {
    let path_len = memchr(b'?', raw).unwrap_or(raw.len());
    let (path, query) = raw.split_at(path_len);
    check_parts(path, query.get(1..).unwrap_or_default())
}

fn check_parts(path: &[u8], query: &[u8]) -> Result<(), Refusal> {
    check_characters(path, IN_PATH)?;
    check_characters(query, IN_QUERY)
}

fn check_characters(text: &[u8], place: u8) -> Result<(), Refusal> {
    let wrong = text
        .iter()
        .find(|&&byte| ALLOWED[usize::from(byte)] & place == 0);
    match wrong {
        None => Ok(()),
        Some(b'#') => Err(Refusal::TargetFragment),
        Some(b'\\') => Err(Refusal::Backslash),
        Some(0x80..) => Err(Refusal::TargetNotAscii),
        Some(byte) if byte.is_ascii_control() => Err(Refusal::TargetControl),
        Some(_) => Err(Refusal::TargetCharacter),
    }
}

/// Judges the segments of a path as sent.
fn check_segments(path: &[u8]) -> Result<(), Refusal> {
    let mut rest = path.get(1..).unwrap_or_default();
    let mut count = 1;
    while let Some(end) = memchr(b'/', rest) {
        let (segment, after) = rest.split_at(end);
        if segment.is_empty() {
            return Err(Refusal::EmptySegment);
        }
        if is_dots(segment) {
            return Err(Refusal::DotSegment);
        }
        count += 1;
        rest = after.get(1..).unwrap_or_default();
    }
    if is_dots(rest) {
        return Err(Refusal::DotSegment);
    }
    if count > MAX_SEGMENTS {
        return Err(Refusal::TooManySegments);
    }
    Ok(())
}

/// `.` or `..`, also with path parameters behind it: servers such as Jetty and Tomcat strip
/// `;anything` before they resolve dots.
fn is_dots(segment: &[u8]) -> bool {
    matches!(
        segment,
        b"." | b".." | [b'.', b';', ..] | [b'.', b'.', b';', ..]
    )
}

/// Judges the escapes of path or query: two hexadecimal digits, no control character, UTF-8.
/// True if there is any.
fn check_escapes(text: &[u8]) -> Result<bool, Refusal> {
    let mut at = memchr(b'%', text);
    let found = at.is_some();
    while let Some(start) = at {
        let rest = text.get(start..).unwrap_or_default();
        let first = escape(rest).ok_or(Refusal::TargetEscape)?;
        // What is not ASCII is always escaped here, so a UTF-8 sequence is a run of escapes.
        let width = match first {
            0x00..=0x1f | 0x7f => return Err(Refusal::TargetControl),
            0x20..=0x7e => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Err(Refusal::TargetUtf8),
        };
        if width > 1 {
            let mut sequence = [0; 4];
            for (index, byte) in sequence.iter_mut().take(width).enumerate() {
                *byte = rest
                    .get(3 * index..)
                    .and_then(escape)
                    .ok_or(Refusal::TargetUtf8)?;
            }
            let sequence = sequence.get(..width).unwrap_or_default();
            let text = std::str::from_utf8(sequence).map_err(|_| Refusal::TargetUtf8)?;
            if text.chars().any(char::is_control) {
                return Err(Refusal::TargetControl);
            }
        }
        let next = start + 3 * width;
        at = memchr(b'%', text.get(next..).unwrap_or_default()).map(|offset| next + offset);
    }
    Ok(found)
}

/// The byte that an escape at the start of `text` stands for.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Peels off layer after layer of percent-encoding and judges what comes to light. Servers that
/// decode twice exist, and `%25%32%65` is `%2e` after one layer and a dot after two.
fn check_decoded_path(path: &[u8], slashes: EncodedSlash) -> Result<(), Refusal> {
    let mut text: SmallVec<[u8; 256]> = SmallVec::from_slice(path);
    for _ in 0..MAX_DECODINGS {
        let mut decoded: SmallVec<[u8; 256]> = SmallVec::with_capacity(text.len());
        let mut rest: &[u8] = &text;
        while let Some((&first, after)) = rest.split_first() {
            match escape(rest) {
                None => {
                    decoded.push(first);
                    rest = after;
                }
                Some(byte) => {
                    match byte {
                        b'/' if slashes == EncodedSlash::Refuse => {
                            return Err(Refusal::EncodedSlash);
                        }
                        b'\\' => return Err(Refusal::Backslash),
                        0x00..=0x1f | 0x7f => return Err(Refusal::TargetControl),
                        _ => decoded.push(byte),
                    }
                    rest = rest.get(3..).unwrap_or_default();
                }
            }
        }
        if decoded.len() == text.len() {
            return Ok(());
        }
        if std::str::from_utf8(&decoded).is_err() {
            return Err(Refusal::TargetUtf8);
        }
        if decoded.split(|&byte| byte == b'/').any(is_dots) {
            return Err(Refusal::DotSegment);
        }
        text = decoded;
    }
    let still_encoded = (0..text.len()).any(|at| text.get(at..).and_then(escape).is_some());
    if still_encoded {
        return Err(Refusal::NestedEncoding);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
