//! What a field's name says, remembered for the names that one thread has read lately.

use std::cell::RefCell;

use super::super::Core;
use super::super::names::{self, Class};
use super::super::words;

/// Names that one thread has read lately. Reading a name costs some hundred nanoseconds and
/// the names of one API are few; the memo changes nothing but the time.
const MEMO: usize = 512;
const MEMO_NAME: usize = 40;

#[derive(Clone, Copy)]
struct Memo {
    len: u8,
    name: [u8; MEMO_NAME],
    says: Name,
}

/// What a name says.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub class: Class,
    /// Whether it may be printed.
    pub printable: bool,
    /// Whether its value can be the name of a field beside it.
    pub pairs: bool,
    /// Whether such a name names the value of this field.
    pub holds: bool,
}

thread_local! {
    static NAMES: RefCell<Vec<Memo>> = const { RefCell::new(Vec::new()) };
}

/// What the name of a field says, by the user's rules or by itself. A name that may not be printed
/// promises nothing: only what is sensitive about it counts.
pub(crate) fn field(core: &Core, name: &[u8]) -> Name {
    let says = read_name_in(name, 0, name.len());
    if let Some(class) = core.user.class_of(name) {
        return Name {
            class,
            printable: true,
            ..says
        };
    }
    let trusted =
        (says.printable || matches!(says.class, Class::Sensitive(_))) && !core.masks.is_mask(name);
    Name {
        class: if trusted { says.class } else { Class::Unknown },
        ..says
    }
}

/// The class of a name, and whether it may be printed.
pub(crate) fn read_name(name: &[u8]) -> (Class, bool) {
    let says = read_name_in(name, 0, name.len());
    (says.class, says.printable)
}

/// What the name `text[at..end]` says.
pub(crate) fn read_name_in(text: &[u8], at: usize, end: usize) -> Name {
    let name = &text[at..end];
    if name.len() > MEMO_NAME || name.is_empty() {
        return read(name);
    }
    let hash = words::hash_in(text, at, end);
    let slot = (hash >> 48) as usize % MEMO;
    NAMES.with_borrow_mut(|memo| {
        if memo.is_empty() {
            let none = Memo {
                len: 0,
                name: [0; MEMO_NAME],
                says: read(b""),
            };
            memo.resize(MEMO, none);
        }
        let entry = &mut memo[slot];
        if usize::from(entry.len) == name.len() && &entry.name[..name.len()] == name {
            return entry.says;
        }
        entry.says = read(name);
        entry.len = name.len() as u8;
        entry.name[..name.len()].copy_from_slice(name);
        entry.says
    })
}

fn read(name: &[u8]) -> Name {
    let class = names::classify(name);
    Name {
        class,
        printable: names::is_printable(name),
        pairs: names_pair(name, class),
        holds: holds_pair(name),
    }
}

/// Whether a field holds what a field beside it names: `value`, `stringValue`, `answer`. Other
/// members of the same object have names of their own.
fn holds_pair(name: &[u8]) -> bool {
    const WORDS: [&str; 20] = [
        "value", "values", "val", "vals", "v", "content", "contents", "data", "text", "string",
        "answer", "input", "raw", "details", "response", "result", "payload", "body", "current",
        "entry",
    ];
    let mut last = false;
    words::split_words(name, |word| {
        if !word.iter().all(u8::is_ascii_digit) {
            last = WORDS
                .iter()
                .any(|w| word.eq_ignore_ascii_case(w.as_bytes()));
        }
        true
    });
    last
}

/// Whether the value of a field can name the field that is beside it.
fn names_pair(name: &[u8], class: Class) -> bool {
    matches!(class, Class::PairName)
        || matches!(
            name,
            b"name"
                | b"type"
                | b"label"
                | b"id"
                | b"code"
                | b"kind"
                | b"n"
                | b"k"
                | b"displayName"
                | b"title"
        )
}
