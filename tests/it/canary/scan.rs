//! Looks for planted values in what a process wrote, in every form that a log line or a table
//! could give them.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::values::Planted;

/// Bytes by which a pattern is looked up; every pattern is at least this long.
const KEY: usize = 8;

/// A token is found by its ends, too: "the first characters only" is how tokens leak into logs.
/// Twelve characters of a random value do not occur by chance.
const PART: usize = 12;

/// Values from this length on are also looked for by their ends.
const HAS_PARTS: usize = 30;

struct Pattern {
    text: Vec<u8>,
    planted: usize,
    form: &'static str,
}

/// A value that was found.
#[derive(Debug)]
pub struct Find {
    /// Where it had been planted.
    pub place: String,
    /// How it was written.
    pub form: &'static str,
    /// Where it was found.
    pub found_in: String,
    /// What stands around it.
    pub context: String,
}

/// Patterns of all values in all forms. Letters are compared without case.
pub struct Scanner {
    places: Vec<String>,
    patterns: Vec<Pattern>,
    by_key: HashMap<[u8; KEY], Vec<usize>>,
    /// One bit for each hash of a key that exists.
    filter: Vec<bool>,
}

impl Scanner {
    /// Prepares to look for all of these.
    pub fn new(planted: &[Planted]) -> Self {
        let mut scanner = Self {
            places: planted.iter().map(|it| it.place.clone()).collect(),
            patterns: Vec::new(),
            by_key: HashMap::new(),
            filter: vec![false; 1 << 20],
        };
        for (index, it) in planted.iter().enumerate() {
            scanner.add_all(index, &it.value);
            let bytes = it.value.as_bytes();
            // Parts of JWTs begin alike, since JSON does.
            if bytes.len() >= HAS_PARTS && bytes.is_ascii() {
                let middle = bytes.len() / 2;
                for part in [
                    &it.value[..PART],
                    &it.value[middle..middle + PART],
                    &it.value[bytes.len() - PART..],
                ] {
                    if !part.starts_with("eyJ") && !part.starts_with("-----") {
                        scanner.add_all(index, part);
                    }
                }
            }
        }
        scanner
    }

    fn add_all(&mut self, index: usize, value: &str) {
        for (form, text) in forms(value) {
            self.add(index, form, text);
        }
    }

    fn add(&mut self, planted: usize, form: &'static str, mut text: Vec<u8>) {
        text.make_ascii_lowercase();
        let Some(key) = text.first_chunk::<KEY>() else {
            return;
        };
        let key = *key;
        self.filter[slot(&key)] = true;
        self.by_key
            .entry(key)
            .or_default()
            .push(self.patterns.len());
        self.patterns.push(Pattern {
            text,
            planted,
            form,
        });
    }

    /// Everything of it in these bytes; at most one find for each value and form.
    pub fn scan(&self, name: &str, bytes: &[u8]) -> Vec<Find> {
        let lower = bytes.to_ascii_lowercase();
        let mut found: HashMap<(usize, &'static str), Find> = HashMap::new();
        for at in 0..lower.len().saturating_sub(KEY - 1) {
            let Some(key) = lower[at..].first_chunk::<KEY>() else {
                break;
            };
            if !self.filter[slot(key)] {
                continue;
            }
            for &index in self.by_key.get(key).into_iter().flatten() {
                let pattern = &self.patterns[index];
                if lower[at..].starts_with(&pattern.text) {
                    found
                        .entry((pattern.planted, pattern.form))
                        .or_insert_with(|| Find {
                            place: self.places[pattern.planted].clone(),
                            form: pattern.form,
                            found_in: name.to_owned(),
                            context: context(bytes, at, pattern.text.len()),
                        });
                }
            }
        }
        found.into_values().collect()
    }
}

fn slot(key: &[u8; KEY]) -> usize {
    (u64::from_le_bytes(*key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as usize
}

fn context(bytes: &[u8], at: usize, len: usize) -> String {
    let start = at.saturating_sub(120);
    let end = (at + len + 60).min(bytes.len());
    String::from_utf8_lossy(&bytes[start..end]).into_owned()
}

/// A value in every form in which it is looked for.
pub fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = value.as_bytes();
    let each = |write: &dyn Fn(&mut String, u8)| {
        let mut out = String::new();
        for byte in bytes {
            write(&mut out, *byte);
        }
        out.into_bytes()
    };
    let mut all = vec![
        ("raw", bytes.to_vec()),
        ("reversed", bytes.iter().rev().copied().collect()),
        (
            "hex",
            each(&|out, byte| {
                let _ = write!(out, "{byte:02x}");
            }),
        ),
        (
            "percent, every byte",
            each(&|out, byte| {
                let _ = write!(out, "%{byte:02x}");
            }),
        ),
        (
            "JSON escapes",
            each(&|out, byte| {
                let _ = write!(out, "\\u{:04x}", u32::from(byte));
            }),
        ),
        (
            "hex escapes",
            each(&|out, byte| {
                let _ = write!(out, "\\x{byte:02x}");
            }),
        ),
        (
            "list of bytes",
            each(&|out, byte| {
                let _ = write!(out, "{byte}, ");
            }),
        ),
        (
            "UTF-16",
            value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
    ];
    let encoded = super::values::percent(value);
    if encoded != value {
        all.push(("form", encoded.replace("%20", "+").into_bytes()));
        all.push(("percent", encoded.into_bytes()));
        let path = value.replace(' ', "%20");
        all.push(("percent, spaces only", path.into_bytes()));
        all.push(("Debug text", value.escape_debug().to_string().into_bytes()));
    }
    // Base64 inside other base64 text: the value can begin at each of three positions. What
    // depends on its neighbours is cut off.
    for (shift, [standard, url_safe]) in [
        (0, ["base64", "base64url"]),
        (1, ["base64 at 1", "base64url at 1"]),
        (2, ["base64 at 2", "base64url at 2"]),
    ] {
        let mut padded = vec![0; shift];
        padded.extend_from_slice(bytes);
        let whole = padded.len() / 3 * 4;
        let skip = [0, 2, 3][shift];
        let trim = |text: String| {
            text.as_bytes()
                .get(skip..whole)
                .unwrap_or_default()
                .to_vec()
        };
        all.push((standard, trim(STANDARD_NO_PAD.encode(&padded))));
        all.push((url_safe, trim(URL_SAFE_NO_PAD.encode(&padded))));
    }
    all.retain(|(_, text)| text.len() >= KEY);
    all
}
