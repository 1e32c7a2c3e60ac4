//! A request as people paste it, made into the bytes that a client would have sent.

use std::borrow::Cow;

/// Most bytes that are read: the largest head that can be configured, and a body that shows
/// everything a catalog may ask for.
pub const MAX_PASTE: usize = 4 * 1024 * 1024;

/// What `curl -v` puts before the lines that it sends.
const CURL_SENT: &str = "> ";

/// A pasted request.
pub struct Paste {
    /// The head with CR LF line ends and its empty line, and whatever follows.
    pub bytes: Vec<u8>,
    /// What was made right on the way.
    pub notes: Vec<&'static str>,
}

/// Takes a paste as it is: every fault of it will be seen.
pub fn exact(raw: &[u8]) -> Paste {
    Paste {
        bytes: raw.to_vec(),
        notes: Vec::new(),
    }
}

/// Makes right what pasting does to a request: the decoration of `curl -v`, LF line ends, a
/// missing empty line at the end, `HTTP/2` as the version. What a client can have done wrong
/// stays as it is.
pub fn tolerant(raw: &[u8]) -> Paste {
    let mut notes = Vec::new();
    let sent = undecorated(raw);
    if matches!(sent, Cow::Owned(_)) {
        notes.push("only the lines that curl marks as sent were read");
    }
    let text = trim_start(&sent);
    let mut bytes = Vec::with_capacity(text.len() + 64);
    let mut rest = text;
    let mut is_bare = false;
    let mut is_first = true;
    let mut is_complete = false;
    while !rest.is_empty() {
        let (line, after, ended) = match memchr::memchr(b'\n', rest) {
            Some(at) => {
                let (line, after) = rest.split_at(at);
                (line, after.get(1..).unwrap_or_default(), true)
            }
            None => (rest, &[][..], false),
        };
        rest = after;
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None => {
                is_bare |= ended;
                line
            }
        };
        match line.strip_suffix(b" HTTP/2") {
            Some(start) if is_first => {
                bytes.extend_from_slice(start);
                bytes.extend_from_slice(b" HTTP/1.1");
                notes.push("the version HTTP/2 was read as HTTP/1.1");
            }
            _ => bytes.extend_from_slice(line),
        }
        bytes.extend_from_slice(b"\r\n");
        is_first = false;
        if line.is_empty() {
            is_complete = true;
            break;
        }
    }
    if is_bare {
        notes.push("line ends were read as CR LF; a client that really sends LF alone is refused");
    }
    if !is_complete {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(rest);
    Paste { bytes, notes }
}

/// What curl sent, if this is the output of `curl -v`; else everything.
fn undecorated(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_sent = |line: &[u8]| line.starts_with(CURL_SENT.as_bytes()) || line.trim_ascii() == b">";
    // Only the first line decides: a body may hold such lines.
    let first = raw.split(|byte| *byte == b'\n').find(|line| {
        let noise = line.starts_with(b"* ") || line.trim_ascii().is_empty();
        !noise
    });
    if !first.is_some_and(is_sent) {
        return Cow::Borrowed(raw);
    }
    let mut sent = Vec::with_capacity(raw.len());
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if is_sent(line) {
            sent.extend_from_slice(line.get(CURL_SENT.len()..).unwrap_or(b"\n"));
        }
    }
    Cow::Owned(sent)
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())
        .unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        String::from_utf8(tolerant(text.as_bytes()).bytes).unwrap()
    }

    #[test]
    fn line_ends_and_the_last_line_are_made_right() {
        let whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(read("GET / HTTP/1.1\nHost: x"), whole);
        assert_eq!(read("\n\nGET / HTTP/1.1\nHost: x\n\n"), whole);
        assert_eq!(read(whole), whole);
        assert!(tolerant(whole.as_bytes()).notes.is_empty());
        assert_eq!(
            read("POST / HTTP/1.1\n\n{\n}\n"),
            "POST / HTTP/1.1\r\n\r\n{\n}\n"
        );
    }

    #[test]
    fn the_output_of_curl_is_undressed() {
        let pasted = "* Connected\n> GET /a HTTP/2\n> Host: x\n> \n* more\n< HTTP/2 200\n< a: b\n";
        assert_eq!(read(pasted), "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(read("> GET / HTTP/1.1\r\n>\r\n"), "GET / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn faults_of_clients_stay() {
        let folded = "GET / HTTP/1.1\nHost: x\n folded\n\n";
        assert!(read(folded).contains("\r\n folded\r\n"));
        assert!(read("GET / HTTP/1.1\nA : b\n\n").contains("A : b"));
        assert_eq!(exact(b"GET / HTTP/1.1\n\n").bytes, b"GET / HTTP/1.1\n\n");
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in "[ -~\r\n>*]{0,200}") {
            let once = tolerant(text.as_bytes());
            // Without the marks of curl, which a second reading would strip once more.
            if !once.bytes.starts_with(b">") && !once.bytes.starts_with(b"* ") {
                let twice = tolerant(&once.bytes);
                // A line end inside a line (CR CR LF) loses one CR each time.
                if !text.contains("\r\r") && !text.contains(" HTTP/2") {
                    prop_assert_eq!(once.bytes, twice.bytes);
                }
            }
        }
    }
}
