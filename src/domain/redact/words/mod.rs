//! The lexicon: which words are known, and what they announce.
//!
//! Three lists with one bit each. *Interface* words come from the operation catalogs (field
//! names, states, error codes, scopes, path segments). *Text* words are those that documentation
//! uses. *BIP-39* words form recovery phrases. A secret is rarely made of interface words only,
//! so a value made of them may stand; text words may stand where free text is wanted.

mod lists;

use std::sync::LazyLock;

use super::kind::Kind;
use lists::{MORE_TEXT, NOUNS, PERSONS, STREETS};

pub(crate) use lists::LABELS;

/// Word of an API: may stand as a value.
pub(crate) const API: u8 = 1;
/// Word of documentation: may stand in a sentence.
pub(crate) const TEXT: u8 = 2;
/// Word of a recovery phrase.
pub(crate) const BIP39: u8 = 4;
/// A first name.
pub(crate) const FIRST_NAME: u8 = 8;
/// Announces a value ("password", "iban").
pub(crate) const LABEL: u8 = 16;
/// Names a resource, so that an id after it may stand ("customer", "trace").
pub(crate) const NOUN: u8 = 32;
/// Last word of a street ("lane").
pub(crate) const STREET: u8 = 64;
/// Comes before the name of a person ("Mr", "beneficiary").
pub(crate) const PERSON: u8 = 128;

/// Either list of known words.
pub(crate) const KNOWN: u8 = API | TEXT;

struct Entry {
    word: &'static str,
    flags: u8,
    label: Option<Kind>,
}

/// What is known of a word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Word {
    pub flags: u8,
    label: Option<Kind>,
}

impl Word {
    #[inline]
    pub(crate) const fn is(self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// The kind that the word announces.
    pub(crate) const fn label(self) -> Option<Kind> {
        self.label
    }
}

/// Open addressing over word indices: 64 KiB for the index, so that it stays in the second cache.
pub(crate) struct Lexicon {
    entries: Vec<Entry>,
    slots: Vec<u16>,
    /// One bit for each hash of a word that announces something: 8 KiB, so that ordinary words are
    /// passed over without leaving the first cache.
    special: Vec<u64>,
    /// The same for words of recovery phrases, many of which are ordinary too.
    phrase: Vec<u64>,
}

const SLOTS: usize = 1 << 15;

/// The hash of a word in any case: Fx over pieces of eight bytes, folded to lower case.
fn hash_of(word: &[u8]) -> u64 {
    hash_rest(0, word)
}

/// Up to eight bytes as a number, without a copy of variable length.
#[inline]
fn piece_of(chunk: &[u8]) -> u64 {
    if let (Some(head), Some(tail)) = (chunk.first_chunk::<4>(), chunk.last_chunk::<4>()) {
        // Where both overlap they are the same.
        let tail = u64::from(u32::from_le_bytes(*tail)) << ((chunk.len() - 4) * 8);
        return u64::from(u32::from_le_bytes(*head)) | tail;
    }
    chunk
        .iter()
        .rev()
        .fold(0, |piece, b| piece << 8 | u64::from(*b))
}

pub(crate) const fn mix(hash: u64, piece: u64, len: usize) -> u64 {
    let mask = if len >= 8 {
        u64::MAX
    } else {
        (1 << (len * 8)) - 1
    };
    (hash.rotate_left(5) ^ ((piece | 0x2020_2020_2020_2020) & mask))
        .wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// How many of eight bytes, from the first on, are small letters.
#[inline]
pub(crate) const fn small_letters(piece: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    // In each byte, the high bit tells whether its low seven bits are at least `a`, or beyond `z`.
    let low = piece & !HIGH;
    let from_a = low + (0x80 - b'a' as u64) * ONES;
    let beyond_z = low + (0x80 - b'z' as u64 - 1) * ONES;
    let others = !(from_a & !beyond_z & !piece) & HIGH;
    others.trailing_zeros() as usize / 8
}

/// The same for `text[at..end]`, without copying where eight more bytes follow.
#[inline]
pub(crate) fn hash_in(text: &[u8], at: usize, end: usize) -> u64 {
    let mut hash = 0;
    let mut here = at;
    while here < end {
        let Some(piece) = text
            .get(here..here + 8)
            .and_then(|piece| <[u8; 8]>::try_from(piece).ok())
        else {
            return if here == at {
                hash_of(&text[at..end])
            } else {
                hash_rest(hash, &text[here..end])
            };
        };
        hash = mix(hash, u64::from_le_bytes(piece), end - here);
        here += 8;
    }
    hash
}

fn hash_rest(hash: u64, rest: &[u8]) -> u64 {
    rest.chunks(8)
        .fold(hash, |hash, chunk| mix(hash, piece_of(chunk), chunk.len()))
}

const fn bit(hash: u64) -> usize {
    (hash >> 32) as usize & 0xffff
}

const fn slot(hash: u64) -> usize {
    (hash >> 40) as usize & (SLOTS - 1)
}

impl Lexicon {
    fn build() -> Self {
        let mut lexicon = Self {
            entries: Vec::with_capacity(12_000),
            slots: vec![0; SLOTS],
            special: vec![0; 1 << 10],
            phrase: vec![0; 1 << 10],
        };
        let lists: [(&'static str, u8); 8] = [
            (include_str!("../data/api_words.txt"), API),
            (include_str!("../data/text_words.txt"), TEXT),
            (MORE_TEXT, TEXT),
            (include_str!("../data/bip39_english.txt"), BIP39),
            (include_str!("../data/first_names.txt"), FIRST_NAME),
            (NOUNS, NOUN),
            (STREETS, STREET),
            (PERSONS, PERSON),
        ];
        for (list, flag) in lists {
            for word in list.split_ascii_whitespace() {
                lexicon.add(word, flag, None);
            }
        }
        for (word, kind) in LABELS {
            lexicon.add(word, LABEL, Some(*kind));
        }
        // `code` and `name` are judged by the word before them; the others are words of SQL.
        for entry in &lexicon.entries {
            let bit = bit(hash_of(entry.word.as_bytes()));
            if entry.flags & (LABEL | NOUN | PERSON) != 0
                || matches!(
                    entry.word,
                    "code" | "codes" | "name" | "values" | "identified"
                )
            {
                lexicon.special[bit / 64] |= 1 << (bit % 64);
            }
            if entry.flags & BIP39 != 0 {
                lexicon.phrase[bit / 64] |= 1 << (bit % 64);
            }
        }
        lexicon
    }

    fn add(&mut self, word: &'static str, flags: u8, label: Option<Kind>) {
        let mut at = slot(hash_of(word.as_bytes()));
        loop {
            match self.slots[at] {
                0 => break,
                n => {
                    let entry = &mut self.entries[usize::from(n) - 1];
                    if entry.word == word {
                        entry.flags |= flags;
                        entry.label = label.or(entry.label);
                        return;
                    }
                }
            }
            at = (at + 1) & (SLOTS - 1);
        }
        let Ok(number) = u16::try_from(self.entries.len() + 1) else {
            return;
        };
        self.entries.push(Entry { word, flags, label });
        self.slots[at] = number;
    }

    /// Whether a word with this hash may stand in a recovery phrase.
    #[inline]
    pub(crate) fn is_phrase(&self, hash: u64) -> bool {
        let bit = bit(hash);
        self.phrase[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Whether a word with this hash may announce something: a value, an id, a person.
    #[inline]
    pub(crate) fn is_special(&self, hash: u64) -> bool {
        let bit = bit(hash);
        self.special[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Looks a word up, in any case. `hash` is its [`hash_in`].
    #[inline]
    pub(crate) fn get_hashed(&self, word: &[u8], hash: u64) -> Word {
        let mut at = slot(hash);
        loop {
            match self.slots[at] {
                0 => return Word::default(),
                n => {
                    let entry = &self.entries[usize::from(n) - 1];
                    // Most words are small, and equal as they are.
                    let known = entry.word.as_bytes();
                    if known == word || known.eq_ignore_ascii_case(word) {
                        return Word {
                            flags: entry.flags,
                            label: entry.label,
                        };
                    }
                }
            }
            at = (at + 1) & (SLOTS - 1);
        }
    }

    pub(crate) fn get(&self, word: &[u8]) -> Word {
        if word.len() > 24 {
            return Word::default();
        }
        self.get_hashed(word, hash_of(word))
    }
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::build);

/// The lexicon, built at first use.
#[inline]
pub(crate) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

/// Looks a word up, in any case.
pub(crate) fn word(bytes: &[u8]) -> Word {
    LEXICON.get(bytes)
}

/// Splits an identifier into its words: at `_`, `-`, `.`, other signs, between digits and
/// letters, and at the humps of `camelCase` and `HTTPServer`. Calls `each` with every piece and
/// stops when it answers false.
pub(crate) fn split_words(text: &[u8], mut each: impl FnMut(&[u8]) -> bool) -> bool {
    let mut at = 0;
    while at < text.len() {
        let b = text[at];
        if b.is_ascii_digit() {
            let end = run(text, at, |b| b.is_ascii_digit());
            if !each(&text[at..end]) {
                return false;
            }
            at = end;
        } else if b.is_ascii_uppercase() {
            let caps = run(text, at, |b| b.is_ascii_uppercase());
            let mut end = run(text, caps, |b| b.is_ascii_lowercase());
            if caps - at > 1 && end > caps {
                // `HTTPServer`: the last capital begins the next word; `IBANs`: it does not.
                end = if end - caps == 1 && text[caps] == b's' {
                    end
                } else {
                    caps - 1
                };
            }
            if !each(&text[at..end]) {
                return false;
            }
            at = end;
        } else if b.is_ascii_lowercase() {
            let end = run(text, at, |b| b.is_ascii_lowercase());
            if !each(&text[at..end]) {
                return false;
            }
            at = end;
        } else if b < 0x80 {
            at += 1;
        } else {
            let end = run(text, at, |b| b >= 0x80);
            if !each(&text[at..end]) {
                return false;
            }
            at = end;
        }
    }
    true
}

/// End of the run of bytes from `at` for which `is` holds.
#[inline]
pub(crate) fn run(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    text.get(at..).map_or(text.len(), |rest| {
        at + rest.iter().position(|b| !is(*b)).unwrap_or(rest.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        split_words(text.as_bytes(), |w| {
            words.push(String::from_utf8_lossy(w).into_owned());
            true
        });
        words
    }

    #[test]
    fn identifiers_split_at_signs_humps_and_digits() {
        assert_eq!(split("dateOfBirth"), ["date", "Of", "Birth"]);
        assert_eq!(split("X-API-Key"), ["X", "API", "Key"]);
        assert_eq!(split("HTTPServer2"), ["HTTP", "Server", "2"]);
        assert_eq!(split("individualSsn"), ["individual", "Ssn"]);
        assert_eq!(split("IBANs"), ["IBANs"]);
    }

    #[test]
    fn small_letters_are_counted_from_the_first_on() {
        for (text, count) in [
            (b"abcdefgh", 8),
            (b"az{az   ", 2),
            (b"`abc    ", 0),
            (b"transfer", 8),
            (b"ok, and ", 2),
            (b"a\xe1b    \0", 1),
            (b"Abc     ", 0),
            (b"zzzzzzz1", 7),
        ] {
            assert_eq!(small_letters(u64::from_le_bytes(*text)), count, "{text:?}");
        }
    }

    #[test]
    fn words_are_found_in_any_case() {
        assert!(word(b"Completed").is(API));
        assert!(word(b"although").is(TEXT));
        assert!(word(b"abandon").is(BIP39));
        assert_eq!(word(b"PASSWORD").label(), Some(Kind::Password));
        assert!(!word(b"zyxanthe").is(KNOWN));
        let bip = include_str!("../data/bip39_english.txt").lines().count();
        assert_eq!(bip, 2048);
    }
}
