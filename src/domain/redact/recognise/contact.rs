//! E-mail addresses.

/// Most bytes of the local part that are kept apart from the text before it (RFC 5321: 64), and
/// of the domain.
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;

/// The bounds of the address around an at sign at `at` (`sign` bytes long), not before `from`.
pub(crate) fn email_around(text: &[u8], at: usize, from: usize) -> Option<(usize, usize)> {
    email(text, at, at + 1, from)
}

/// The bounds of the address whose at sign is `text[at..after]`.
pub(crate) fn email(text: &[u8], at: usize, after: usize, from: usize) -> Option<(usize, usize)> {
    let low = from.max(at.saturating_sub(LOCAL_MAX));
    let mut start = at;
    if at > low && text[at - 1] == b'"' {
        start = text[low..at - 1]
            .iter()
            .rposition(|b| *b == b'"')
            .map_or(at, |n| low + n);
    }
    if start == at {
        while start > low && is_local(text[start - 1]) {
            start -= 1;
        }
    }
    while start < at && matches!(text[start], b'.' | b'\'' | b'-' | b'=' | b'/') {
        start += 1;
    }
    if start == at {
        return None;
    }
    let high = text.len().min(after + DOMAIN_MAX);
    let mut end = after;
    let mut dot = None;
    while end < high
        && (text[end].is_ascii_alphanumeric()
            || matches!(text[end], b'-' | b'.' | b'_')
            || text[end] >= 0x80)
    {
        if text[end] == b'.' {
            dot = Some(end);
        }
        end += 1;
    }
    while end > after && matches!(text[end - 1], b'.' | b'-' | b'_') {
        end -= 1;
        if dot == Some(end) {
            dot = text[after..end]
                .iter()
                .rposition(|b| *b == b'.')
                .map(|n| after + n);
        }
    }
    let dot = dot.filter(|dot| *dot > after && *dot < end)?;
    let top = &text[dot + 1..end];
    (top.len() >= 2
        && top
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b >= 0x80)
        && !top[0].is_ascii_digit())
    .then_some((start, end))
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'.' | b'_'
                | b'+'
                | b'-'
                | b'%'
                | b'\''
                | b'!'
                | b'#'
                | b'$'
                | b'*'
                | b'~'
                | b'^'
                | b'/'
        )
        || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_out_of_text() {
        for (text, found) in [
            (
                "to john.doe+tag@mail.example.com, ok",
                Some("john.doe+tag@mail.example.com"),
            ),
            ("<a_b@x.io>.", Some("a_b@x.io")),
            ("user@localhost", None),
            ("a @ b.com", None),
            ("v1.2@3.4", None),
            ("ünï@exämple.de!", Some("ünï@exämple.de")),
        ] {
            let at = text.find('@').unwrap();
            let bounds = email_around(text.as_bytes(), at, 0);
            assert_eq!(bounds.map(|(a, b)| &text[a..b]), found, "{text}");
        }
    }
}
