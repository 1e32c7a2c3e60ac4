//! A message of the Internet (RFC 5322): text, one thread per incident, marked as made by a
//! machine (RFC 3834) so that nobody's absence note answers it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Sender, cut, headline};
use crate::domain::incident::{Notice, show};
use crate::types::Micros;

/// Longest line without its end (RFC 5322 section 2.1.1 recommends it, RFC 2045 section 6.7
/// demands it of quoted-printable: 76).
const LINE: usize = 76;
/// Longest subject, in characters.
const SUBJECT: usize = 200;
/// Bytes per encoded word: a line of 76 characters less `Subject: `, `=?UTF-8?B?` and `?=`, as
/// base64 (RFC 2047 section 2).
const WORD_BYTES: usize = 39;
/// Longest address (RFC 5321 section 4.5.3.1.3, less the angle brackets).
const ADDRESS: usize = 254;

/// An address such as `alerts@example.com`, without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

/// It is no address that can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an address such as alerts@example.com: ASCII, one @, no spaces or angle brackets")]
pub struct AddressFault;

impl Address {
    /// Reads an address. Quoted local parts are not taken: nobody has one, and they can hold what
    /// a header must not.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let (local, domain) = text.split_once('@').ok_or(AddressFault)?;
        let is_atom =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let is_dots =
            |part: &str| part.starts_with('.') || part.ends_with('.') || part.contains("..");
        let is_good = !local.is_empty()
            && !domain.is_empty()
            && text.len() <= ADDRESS
            && local.bytes().all(is_atom)
            && domain
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
            && !is_dots(local)
            && !is_dots(domain);
        if is_good {
            Ok(Self(text.to_owned()))
        } else {
            Err(AddressFault)
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The whole message, with CRLF line ends and without the dots that SMTP adds.
pub fn message(
    notice: &Notice,
    sender: &Sender,
    from: &Address,
    to: &[Address],
    now: Micros,
) -> Vec<u8> {
    let case = &notice.case;
    let host = from
        .0
        .split_once('@')
        .map_or("localhost", |(_, domain)| domain);
    let thread = |number: u8| {
        format!(
            "<{}.{number}.{}@{host}>",
            case.id,
            plain(&sender.installation)
        )
    };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "Date: {}\r\n", date(now));
    let _ = write!(out, "From: Egret <{}>\r\n", from.0);
    let receivers: Vec<&str> = to.iter().map(Address::as_str).collect();
    let _ = write!(out, "To: {}\r\n", receivers.join(",\r\n "));
    let _ = write!(
        out,
        "Subject: {}\r\n",
        subject(&cut(&headline(notice), SUBJECT))
    );
    let _ = write!(out, "Message-ID: {}\r\n", thread(notice.number));
    if notice.number > 1 {
        let _ = write!(out, "In-Reply-To: {0}\r\nReferences: {0}\r\n", thread(1));
    }
    out.push_str("Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
    out.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
    out.push_str("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    let mut text = show(case);
    if let Some(link) = sender.link_to(notice) {
        let _ = write!(text, "\n{link}\n");
    }
    let _ = write!(
        text,
        "\nEgret {} at {}\n",
        sender.version, sender.installation
    );
    quoted_printable(&mut out, &text);
    out.into_bytes()
}

fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.' || *c == '-')
        .collect()
}

/// RFC 5322 section 3.3.
fn date(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(
        |_| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned(),
        |at| at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
    )
}

/// The subject: as it is if it is ASCII and short, else in encoded words (RFC 2047).
fn subject(text: &str) -> String {
    let is_simple = text.len() + "Subject: ".len() <= LINE
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !text.contains("=?");
    if is_simple {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut part = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if part.len() + c.len_utf8() > WORD_BYTES {
            words.push(std::mem::take(&mut part));
        }
        part.push(c);
    }
    words.push(part);
    let encoded: Vec<String> = words
        .iter()
        .map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)))
        .collect();
    encoded.join("\r\n ")
}

/// RFC 2045 section 6.7.
fn quoted_printable(out: &mut String, text: &str) {
    for line in text.lines() {
        let mut width = 0;
        let bytes = line.as_bytes();
        for (place, byte) in bytes.iter().enumerate() {
            let is_last = place + 1 == bytes.len();
            let is_plain =
                (b'!'..=b'~').contains(byte) && *byte != b'=' || (*byte == b' ' && !is_last);
            let needs = if is_plain { 1 } else { 3 };
            if width + needs > LINE - 1 {
                out.push_str("=\r\n");
                width = 0;
            }
            if is_plain {
                out.push(char::from(*byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(out, "={byte:02X}");
            }
            width += needs;
        }
        out.push_str("\r\n");
    }
}
