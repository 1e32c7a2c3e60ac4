//! Strict check of the head of an HTTP/1.x request (RFC 9112), on the raw bytes.
//!
//! HTTP parsers forgive: a bare LF, a folded header, two equal lengths. Wherever two parsers
//! forgive differently a request can be smuggled past one of them. So this check runs on the raw
//! bytes before the proxy's parser sees them and refuses everything that RFC 9112 lets a server
//! refuse. It changes nothing and copies nothing; it does not look into the body.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::refusal::Refusal;
use super::target::{MAX_TARGET_BYTES, check_target_characters};

/// The first byte of a TLS record that holds a handshake message (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// The longest method. The longest registered one (`UPDATEREDIRECTREF`) has 17 characters.
const MAX_METHOD_BYTES: usize = 32;

/// The longest host name with a port: 253 characters (RFC 1035) plus colon and five digits,
/// rounded up for brackets and a final dot.
const MAX_HOST_BYTES: usize = 262;

/// The largest heads that are accepted. Everything is counted without the CR LF of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, with the empty line that ends it.
    pub total_bytes: usize,
    /// Bytes of the request line.
    pub request_line_bytes: usize,
    /// Bytes of one header line, name and value.
    pub field_bytes: usize,
    /// Number of header lines.
    pub fields: usize,
}

impl Default for HeadLimits {
    /// 64 KiB in all. The request line has room for the longest path and query that
    /// [`super::Target`] accepts, so that HTTP/1 and HTTP/2 have the same limit. A header line of
    /// 16 KiB holds a bank token of 3 KiB five times over.
    fn default() -> Self {
        Self {
            total_bytes: 64 * 1024,
            request_line_bytes: MAX_TARGET_BYTES + 64,
            field_bytes: 16 * 1024,
            fields: 128,
        }
    }
}

/// The versions of HTTP that have a head of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Where the body of the request ends (RFC 9112, 6.3). Never in doubt once a head is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body.
    None,
    /// This many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// What an accepted head says, as positions in the scanned buffer: no copy of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadSummary {
    /// Where the method stands.
    pub method: Range<usize>,
    /// Where the request target stands: starts with a slash, has no CTL, SP or non-ASCII byte.
    /// [`super::Target`] judges the rest.
    pub target: Range<usize>,
    /// The version.
    pub version: HttpVersion,
    /// Where the value of `Host` stands; only HTTP/1.0 may come without.
    pub host: Option<Range<usize>>,
    /// Where the body ends.
    pub framing: BodyFraming,
    /// How many header lines there are.
    pub fields: usize,
}

/// How far a scan came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The head goes on beyond the buffer: read more and scan again.
    NeedMore,
    /// The head is accepted.
    Complete {
        /// Bytes of the head with its final empty line; the body starts here.
        head_len: usize,
        /// What the head says.
        summary: HeadSummary,
    },
    /// The head is refused, for good.
    Refused(Refusal),
}

/// Scans one request head in a buffer that grows.
///
/// Every byte is searched once, however small the pieces in which it arrives. Use a new scanner
/// for the next request on the connection.
#[derive(Debug)]
pub struct HeadScanner {
    limits: HeadLimits,
    line_start: usize,
    searched: usize,
    phase: Phase,
    summary: HeadSummary,
    length: Option<u64>,
    chunked: bool,
    outcome: Option<Progress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the request line. RFC 9112, 2.2 wants one empty line before it ignored.
    Start { skipped: bool },
    /// Behind the request line.
    Fields,
}

impl HeadScanner {
    /// A scanner for one head.
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            line_start: 0,
            searched: 0,
            phase: Phase::Start { skipped: false },
            summary: HeadSummary {
                method: 0..0,
                target: 0..0,
                version: HttpVersion::Http11,
                host: None,
                framing: BodyFraming::None,
                fields: 0,
            },
            length: None,
            chunked: false,
            outcome: None,
        }
    }

    /// Goes on where the last scan stopped. `buf` starts with the first byte of the head and only
    /// ever grows between calls. Once complete or refused, the answer stays the same.
    pub fn scan(&mut self, buf: &[u8]) -> Progress {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        let outcome = match self.advance(buf) {
            Ok(None) => return Progress::NeedMore,
            Ok(Some(head_len)) => Progress::Complete {
                head_len,
                summary: self.summary.clone(),
            },
            Err(refusal) => Progress::Refused(refusal),
        };
        self.outcome = Some(outcome.clone());
        outcome
    }

    /// Takes all lines that are complete; the length of the head once its last line is there.
    fn advance(&mut self, buf: &[u8]) -> Result<Option<usize>, Refusal> {
        if buf.first() == Some(&TLS_HANDSHAKE) {
            return Err(Refusal::TlsOnPlainPort);
        }
        // One byte more than allowed is enough to know that it is too much.
        let view = buf
            .get(..self.limits.total_bytes.saturating_add(1))
            .unwrap_or(buf);
        loop {
            let rest = view.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr(b'\n', rest) else {
                self.searched = self.searched.max(view.len());
                self.check_line_length(self.searched)?;
                if self.searched > self.limits.total_bytes {
                    return Err(Refusal::HeadTooLarge);
                }
                return Ok(None);
            };
            let lf = self.searched + at;
            self.check_line_length(lf)?;
            if lf >= self.limits.total_bytes {
                return Err(Refusal::HeadTooLarge);
            }
            let start = self.line_start;
            let line = view.get(start..lf).unwrap_or_default();
            self.line_start = lf + 1;
            self.searched = lf + 1;
            let Some((b'\r', line)) = line.split_last() else {
                return Err(Refusal::BareLf);
            };
            if self.take_line(line, start)? {
                return Ok(Some(lf + 1));
            }
        }
    }

    /// Refuses a line that, without its LF, reaches to `end` and is too long even if it ends in CR.
    fn check_line_length(&self, end: usize) -> Result<(), Refusal> {
        let (limit, refusal) = match self.phase {
            Phase::Start { .. } => (self.limits.request_line_bytes, Refusal::RequestLineTooLarge),
            Phase::Fields => (self.limits.field_bytes, Refusal::FieldTooLarge),
        };
        if end.saturating_sub(self.line_start) > limit.saturating_add(1) {
            return Err(refusal);
        }
        Ok(())
    }

    /// Takes one line without its CR LF that starts at `start`. True if it ends the head.
    fn take_line(&mut self, line: &[u8], start: usize) -> Result<bool, Refusal> {
        match self.phase {
            Phase::Start { skipped: true } if line.is_empty() => Err(Refusal::LeadingEmptyLines),
            Phase::Start { .. } if line.is_empty() => {
                self.phase = Phase::Start { skipped: true };
                Ok(false)
            }
            Phase::Start { .. } => {
                self.take_request_line(line, start)?;
                self.phase = Phase::Fields;
                Ok(false)
            }
            Phase::Fields if line.is_empty() => {
                self.conclude()?;
                Ok(true)
            }
            Phase::Fields => {
                self.take_field(line, start)?;
                Ok(false)
            }
        }
    }

    fn take_request_line(&mut self, line: &[u8], start: usize) -> Result<(), Refusal> {
        if line == b"PRI * HTTP/2.0" {
            return Err(Refusal::Http2Preface);
        }
        if memchr(b'\r', line).is_some() {
            return Err(Refusal::BareCr);
        }
        let space = memchr(b' ', line).ok_or(Refusal::BadRequestLine)?;
        let (method, rest) = line.split_at(space);
        if method.is_empty() || method.len() > MAX_METHOD_BYTES || !is_token(method) {
            return Err(Refusal::BadMethod);
        }
        let rest = rest.get(1..).unwrap_or_default();
        // HTTP/0.9 is a request line without a version.
        let space = memchr(b' ', rest).ok_or(Refusal::BadVersion)?;
        let (target, version) = rest.split_at(space);
        self.summary.version = match version {
            b" HTTP/1.1" => HttpVersion::Http11,
            b" HTTP/1.0" => HttpVersion::Http10,
            [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Refusal::BadVersion);
            }
            _ => return Err(Refusal::BadRequestLine),
        };
        if target.is_empty() || has_control(target) || memchr(b'\t', target).is_some() {
            return Err(Refusal::BadRequestLine);
        }
        if method == b"CONNECT" {
            return Err(Refusal::Connect);
        }
        check_form(target)?;
        // The proxy's own parser would drop a fragment without a word, and answer other characters
        // that it does not like before anything is recorded.
        check_target_characters(target)?;
        let target_start = start + method.len() + 1;
        self.summary.method = start..start + method.len();
        self.summary.target = target_start..target_start + target.len();
        Ok(())
    }

    fn take_field(&mut self, line: &[u8], start: usize) -> Result<(), Refusal> {
        if self.summary.fields >= self.limits.fields {
            return Err(Refusal::TooManyFields);
        }
        self.summary.fields += 1;
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Refusal::ObsFold);
        }
        let name_len = line
            .iter()
            .position(|&byte| !TOKEN[usize::from(byte)])
            .unwrap_or(line.len());
        let (name, rest) = line.split_at(name_len);
        let value = match rest {
            [b':', value @ ..] if !name.is_empty() => value,
            [b' ' | b'\t', after @ ..] if !name.is_empty() && memchr(b':', after).is_some() => {
                return Err(Refusal::SpaceBeforeColon);
            }
            [b'\r', ..] => return Err(Refusal::BareCr),
            _ => return Err(Refusal::BadFieldName),
        };
        if has_control(value) {
            return Err(match memchr(b'\r', value) {
                Some(_) => Refusal::BareCr,
                None => Refusal::BadFieldValue,
            });
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                let value_start = start + name.len() + 1;
                self.take_host(value, value_start)
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.take_length(trim(value)),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.take_transfer_encoding(trim(value))
            }
            _ => Ok(()),
        }
    }

    fn take_host(&mut self, value: &[u8], start: usize) -> Result<(), Refusal> {
        if self.summary.host.is_some() {
            return Err(Refusal::DuplicateHost);
        }
        let host = trim(value);
        if !is_host(host) {
            return Err(Refusal::BadHost);
        }
        let leading = value.len() - value.trim_ascii_start().len();
        self.summary.host = Some(start + leading..start + leading + host.len());
        Ok(())
    }

    /// RFC 9112, 6.3 lets a recipient accept equal repeated lengths or refuse them: refused.
    fn take_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let repeated = self.length.is_some() || memchr(b',', value).is_some();
        for member in value.split(|&byte| byte == b',') {
            let length = parse_length(trim(member)).ok_or(Refusal::BadLength)?;
            if self.length.is_some_and(|before| before != length) {
                return Err(Refusal::ConflictingLength);
            }
            self.length = Some(length);
        }
        if repeated {
            return Err(Refusal::DuplicateLength);
        }
        Ok(())
    }

    fn take_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.summary.version == HttpVersion::Http10 {
            return Err(Refusal::TransferEncodingInHttp10);
        }
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::TransferEncodingUnsupported);
        }
        self.chunked = true;
        Ok(())
    }

    /// Judges the head as a whole.
    fn conclude(&mut self) -> Result<(), Refusal> {
        self.summary.framing = match (self.chunked, self.length) {
            (true, Some(_)) => return Err(Refusal::LengthWithTransferEncoding),
            (true, None) => BodyFraming::Chunked,
            (false, Some(length)) => BodyFraming::Length(length),
            (false, None) => BodyFraming::None,
        };
        if self.summary.host.is_none() && self.summary.version == HttpVersion::Http11 {
            return Err(Refusal::MissingHost);
        }
        Ok(())
    }
}

/// Refuses every form of target but the origin form, a path (RFC 9112, 3.2).
pub(super) fn check_form(target: &[u8]) -> Result<(), Refusal> {
    match target {
        [b'/', ..] => Ok(()),
        b"*" => Err(Refusal::AsteriskForm),
        [first, ..] if first.is_ascii_alphabetic() && memmem::find(target, b"://").is_some() => {
            Err(Refusal::AbsoluteForm)
        }
        _ => Err(Refusal::BadTarget),
    }
}

/// Digits only, and a number below 2^64.
fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |length, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        length.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// `uri-host [ ":" port ]` (RFC 9110, 7.2) with the names that occur in DNS: no user, no escapes.
fn is_host(value: &[u8]) -> bool {
    if value.len() > MAX_HOST_BYTES {
        return false;
    }
    let (host_is_good, after) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = memchr(b']', rest) else {
                return false;
            };
            let (address, after) = rest.split_at(end);
            let is_ipv6 = std::str::from_utf8(address)
                .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
            (is_ipv6, after.get(1..).unwrap_or_default())
        }
        _ => {
            let end = memchr(b':', value).unwrap_or(value.len());
            let (name, after) = value.split_at(end);
            let is_name = !name.is_empty()
                && name
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
            (is_name, after)
        }
    };
    let port_is_good = match after {
        [] => true,
        [b':', port @ ..] => {
            port.len() <= 5 && parse_length(port).is_some_and(|port| port <= 65_535)
        }
        _ => false,
    };
    host_is_good && port_is_good
}

/// Without the spaces and tabs around it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A control character other than HTAB. Written without early exit inside a block so that the
/// compiler uses vector instructions.
fn has_control(value: &[u8]) -> bool {
    value.chunks(32).any(|block| {
        block.iter().fold(false, |found, &byte| {
            found | ((byte < 0x20) & (byte != b'\t')) | (byte == 0x7f)
        })
    })
}

fn is_token(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| TOKEN[usize::from(byte)])
}

/// Whether a byte may stand in a token, such as a header name (RFC 9110, 5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// The characters of a token (RFC 9110, 5.6.2).
pub(super) static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests;
