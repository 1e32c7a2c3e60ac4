//! Options of commands: `--password x`, `-Dsecret=x`, `-px` of the MySQL tools.

use super::super::kind::Kind;
use super::super::sink::Why;
use super::super::words;
use super::spans::{self, CLASS, IDENT};
use super::{LABEL_REACH, Scan};

/// Bytes before and behind an option in which its command and its user are looked for.
const LINE_MAX: usize = 128;

/// Digits that no option has in its name; what has as many is judged as a token.
const NAME_DIGITS: usize = 6;

/// Commands with the letters of the options that take a password.
const COMMANDS: [(&[u8], &[u8]); 15] = [
    (b"mysql", b"p"),
    (b"mariadb", b"p"),
    (b"sshpass", b"p"),
    (b"mongo", b"p"),
    (b"cqlsh", b"p"),
    (b"7z", b"p"),
    (b"psql", b"W"),
    (b"pg_dump", b"W"),
    (b"sqlcmd", b"P"),
    (b"bcp", b"P"),
    (b"isql", b"P"),
    (b"zip", b"P"),
    (b"redis-cli", b"a"),
    (b"ldap", b"w"),
    (b"openssl", b"k"),
];

impl Scan<'_, '_, '_> {
    /// An option with its value; `None` if it takes none that could be a secret.
    pub(super) fn option(&mut self, at: usize, end: usize) -> Option<usize> {
        let text = self.text;
        // `curl -u user:password`.
        if matches!(&text[at..end], b"-u" | b"--user" | b"-U" | b"--proxy-user") {
            self.label = Some((Kind::Password, end + LABEL_REACH));
            return Some(end);
        }
        let name = words::run(&text[..end], at, |b| b == b'-');
        if name - at == 1
            && let Some(next) = self.short_option(at, end)
        {
            return Some(next);
        }
        let name = if name - at == 1 && text.get(name) == Some(&b'D') {
            name + 1
        } else {
            name
        };
        let ident = words::run(&text[..end], name, |b| CLASS[usize::from(b)] & IDENT != 0);
        if ident == name || name == at {
            return None;
        }
        if text.get(ident) == Some(&b'=') {
            return self.key(name, ident).map(|next| next.max(at + 1));
        }
        let digits = text[name..end]
            .iter()
            .filter(|b| b.is_ascii_digit())
            .count();
        if digits < NAME_DIGITS
            && ident == end
            && matches!(text.get(end), None | Some(b' ' | b'"' | b'\'' | b','))
        {
            self.announce(name, end);
            return Some(end);
        }
        None
    }

    /// One letter behind one hyphen, with its value behind a blank or directly.
    fn short_option(&mut self, at: usize, end: usize) -> Option<usize> {
        let text = self.text;
        let letter = *text[..end].get(at + 1)?;
        if !matches!(letter, b'p' | b'P' | b'W' | b'w' | b'a' | b'k') {
            return None;
        }
        let line = &text[at.saturating_sub(LINE_MAX)..at];
        let line = memchr::memrchr2(b';', b'|', line).map_or(line, |n| &line[n + 1..]);
        let known = COMMANDS.iter().any(|(command, letters)| {
            letters.contains(&letter) && memchr::memmem::find(line, command).is_some()
        });
        if end - at == 2 {
            return self.short_value(end, known, matches!(letter, b'a' | b'k'));
        }
        // `-psecret`; other letters stand for several options at once.
        (known && matches!(letter, b'p' | b'P') && end - at > 5)
            .then(|| self.mask(at + 2, end, Kind::Password, Why::Label))
    }

    /// The value behind a blank: a password where the command takes one, or where the line names a
    /// user as well. Elsewhere it may be a port, a path, a package or a project, and only what looks
    /// like nothing of these is masked.
    fn short_value(&mut self, end: usize, known: bool, only: bool) -> Option<usize> {
        let text = self.text;
        if only && !known {
            return None;
        }
        let start = words::run(text, end, |b| b == b' ');
        let line = &text[end.saturating_sub(LINE_MAX)..text.len().min(end + LINE_MAX)];
        let user = known
            || [b" -u".as_slice(), b" -U ", b"--user", b"login", b"sshpass"]
                .iter()
                .any(|option| memchr::memmem::find(line, option).is_some());
        if user && let Some((open, close)) = spans::opening_quote(text, start) {
            let from = start + open;
            let inside = &text[from..text.len().min(from + LINE_MAX)];
            let stop = memchr::memmem::find(inside, close).filter(|len| *len > 0)?;
            return Some(self.mask(from, from + stop, Kind::Password, Why::Label));
        }
        let stop = spans::token_end(text, start);
        let value = &text[start..stop];
        let has = |is: fn(&u8) -> bool| value.iter().any(is);
        let signs = has(|b| matches!(b, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*'));
        let mixed =
            has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        let other = value.len() < 3
            || value[0] == b'-'
            || value.contains(&b'/')
            || value.iter().all(|b| b.is_ascii_digit() || *b == b':')
            || self.sink.masks.mask_len(value).is_some();
        (start > end && !other && (user || signs || mixed))
            .then(|| self.mask(start, stop, Kind::Password, Why::Label))
    }
}
