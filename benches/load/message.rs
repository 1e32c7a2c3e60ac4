//! Just enough HTTP/1.1 to send prepared requests and to find where a message ends.

use std::net::SocketAddr;

use memchr::memmem;

use crate::Failure;

/// A GET request.
pub(crate) fn request(address: SocketAddr, path: &str, headers: &[String]) -> String {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}

/// Where an answer ends, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Bytes of head and body together.
    pub(crate) length: usize,
    /// Whether the connection is closed after it.
    pub(crate) closes: bool,
}

/// Reads the head of an answer; `None` if it is not there yet.
///
/// # Errors
/// What is not an answer, and answers without a length, which a proxy should not have made of
/// one that had it.
pub(crate) fn answer(bytes: &[u8]) -> Result<Option<Answer>, Failure> {
    let Some(head) = head(bytes) else {
        return Ok(None);
    };
    let status = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok())
        .ok_or("the answer does not begin with HTTP/1.1 and a status")?;
    let body = content_length(head).ok_or("the answer has no Content-Length")?;
    Ok(Some(Answer {
        status,
        length: head.len() + body,
        closes: field(head, b"connection:")
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"close")),
    }))
}

/// The head of a message with the empty line after it, if it is complete.
pub(crate) fn head(bytes: &[u8]) -> Option<&[u8]> {
    let end = memmem::find(bytes, b"\r\n\r\n")?;
    bytes.get(..end + 4)
}

/// The length of the body, from the head of a message.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    let value = field(head, b"content-length:")?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The value of a header field; the name is given in small letters with its colon.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, others) = rest.split_at(end + 1);
        rest = others;
        if let Some((found, value)) = line.split_at_checked(name.len())
            && found.eq_ignore_ascii_case(name)
        {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Answer, answer};

    #[test]
    fn an_answer_is_found_once_its_head_is_complete() {
        let text = b"HTTP/1.1 404 Not Found\r\nA: b\r\nCONTENT-length:  12\r\n\r\n{}";
        for end in 0..text.len() - 2 {
            assert_eq!(answer(&text[..end]).unwrap(), None, "{end}");
        }
        let expected = Answer {
            status: 404,
            length: text.len() - 2 + 12,
            closes: false,
        };
        assert_eq!(answer(text).unwrap(), Some(expected));
    }

    #[test]
    fn an_answer_can_be_the_last_of_its_connection() {
        let text = b"HTTP/1.1 503 Busy\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n";
        assert!(answer(text).unwrap().unwrap().closes);
    }

    #[test]
    fn answers_that_cannot_be_measured_are_errors() {
        for text in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert!(answer(text.as_bytes()).is_err(), "{text}");
        }
    }
}
