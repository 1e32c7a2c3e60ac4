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
    class: Class,
    printable: bool,
}

thread_local! {
    static NAMES: RefCell<Vec<Memo>> = const { RefCell::new(Vec::new()) };
}

/// The class of a field, by the user's rules or by its name, and whether the name may be printed.
/// A name that may not promises nothing: only what is sensitive about it counts.
pub(crate) fn field(core: &Core, name: &[u8]) -> (Class, bool) {
    if let Some(class) = core.user.class_of(name) {
        return (class, true);
    }
    let (class, printable) = read_name(name);
    let trusted = (printable || matches!(class, Class::Sensitive(_))) && !core.masks.is_mask(name);
    (if trusted { class } else { Class::Unknown }, printable)
}

/// The class of a name, and whether it may be printed.
pub(crate) fn read_name(name: &[u8]) -> (Class, bool) {
    if name.len() > MEMO_NAME || name.is_empty() {
        return (names::classify(name), names::is_printable(name));
    }
    let hash = words::hash_in(name, 0, name.len());
    let slot = (hash >> 48) as usize % MEMO;
    NAMES.with_borrow_mut(|memo| {
        if memo.is_empty() {
            memo.resize(
                MEMO,
                Memo {
                    len: 0,
                    name: [0; MEMO_NAME],
                    class: Class::Unknown,
                    printable: false,
                },
            );
        }
        let entry = &mut memo[slot];
        if usize::from(entry.len) == name.len() && &entry.name[..name.len()] == name {
            return (entry.class, entry.printable);
        }
        entry.class = names::classify(name);
        entry.printable = names::is_printable(name);
        entry.len = name.len() as u8;
        entry.name[..name.len()].copy_from_slice(name);
        (entry.class, entry.printable)
    })
}
