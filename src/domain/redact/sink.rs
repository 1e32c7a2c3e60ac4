//! Where redacted output goes: the only place that writes a mask, counts it, or notes why.

use super::kind::{KINDS, Kind};
use super::pseudonym::PseudonymKey;

/// Why a mask was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The name of the field, header or parameter.
    Name,
    /// A recogniser validated the value.
    Recogniser,
    /// A word before it ("password is ...").
    Label,
    /// The value has not the shape of its known name, or the name is not known.
    Shape,
    /// A field rule of the operation.
    FieldRule,
    /// A rule of the configuration.
    UserRule,
    /// The value was found after decoding.
    Decoded,
}

impl Why {
    /// The word for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Recogniser => "recogniser",
            Self::Label => "label",
            Self::Shape => "shape",
            Self::FieldRule => "field rule",
            Self::UserRule => "user rule",
            Self::Decoded => "decoded",
        }
    }
}

/// One mask: where it stands in the output, what it replaced, and why. Holds no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Offset of the mask in the redacted output, in bytes.
    pub at: usize,
    /// What was there.
    pub kind: Kind,
    /// Which rule fired.
    pub why: Why,
}

/// Masks by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(Kind, u32)>);

impl Counts {
    pub(crate) fn add(&mut self, kind: Kind, n: u32) {
        match self.0.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, count)) => *count = count.saturating_add(n),
            None => self.0.push((kind, n)),
        }
    }

    /// Kinds with how often each was masked, in the order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u32)> + '_ {
        self.0.iter().copied()
    }

    /// How many masks in all.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, n)| u64::from(*n)).sum()
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Self) {
        for (kind, n) in other.iter() {
            self.add(kind, n);
        }
    }
}

/// What the masks look like, shared by all calls of one redactor.
#[derive(Clone)]
pub(crate) struct Masks {
    /// Bit `n` set: kind `n` is masked. User kinds are always masked.
    pub enabled: u64,
    pub key: Option<PseudonymKey>,
    pub user_kinds: Vec<String>,
}

impl Masks {
    pub(crate) fn is_on(&self, kind: Kind) -> bool {
        let at = kind.index();
        at >= KINDS.len() || self.enabled >> at & 1 == 1
    }

    pub(crate) fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::User(n) => self
                .user_kinds
                .get(usize::from(n))
                .map_or("user", String::as_str),
            other => other.name(),
        }
    }

    /// Whether `bytes` is exactly one mask that this redactor could have written.
    pub(crate) fn is_mask(&self, bytes: &[u8]) -> bool {
        self.mask_len(bytes) == Some(bytes.len())
    }

    /// Length of the mask at the start of `bytes`. Idempotence rests on this: a mask is accepted
    /// only with a known kind, and a pseudonym only with its keyed check.
    pub(crate) fn mask_len(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.first() != Some(&b'[') || (self.key.is_none() && !bytes.starts_with(b"[redacted:"))
        {
            return None;
        }
        let end = bytes.iter().take(MASK_MAX).position(|b| *b == b']')?;
        let inner = std::str::from_utf8(bytes.get(1..end)?).ok()?;
        let (head, tail) = inner.split_once(':')?;
        let known = |name: &str| {
            KINDS.iter().any(|row| row.name == name) || self.user_kinds.iter().any(|k| k == name)
        };
        let good = if head == "redacted" {
            known(tail)
        } else {
            known(head) && self.key.as_ref().is_some_and(|key| key.verify(head, tail))
        };
        good.then_some(end + 1)
    }
}

/// The longest mask: the longest name of a kind (32) with a pseudonym.
pub(crate) const MASK_MAX: usize = 64;

/// Collects the output of one call.
pub(crate) struct Sink<'r> {
    pub masks: &'r Masks,
    pub out: Vec<u8>,
    pub counts: Counts,
    pub hits: Option<Vec<Hit>>,
    /// Bytes already handed out by a stream, so that offsets in `hits` stay true.
    pub flushed: usize,
}

impl<'r> Sink<'r> {
    pub(crate) fn new(masks: &'r Masks, capacity: usize, explain: bool) -> Self {
        Self {
            masks,
            out: Vec::with_capacity(capacity),
            counts: Counts::default(),
            hits: explain.then(Vec::new),
            flushed: 0,
        }
    }

    /// A sink for a value inside this one, whose output is escaped before it is added.
    pub(crate) fn nested(&self) -> Sink<'r> {
        Sink::new(self.masks, 64, self.hits.is_some())
    }

    #[inline]
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Takes over counts and reasons of a nested sink; its bytes go through `encode`.
    pub(crate) fn absorb(&mut self, inner: Sink<'_>, encode: impl Fn(&[u8], &mut Vec<u8>)) {
        let at = self.flushed + self.out.len();
        self.counts.merge(&inner.counts);
        if let (Some(hits), Some(more)) = (self.hits.as_mut(), inner.hits) {
            hits.extend(more.into_iter().map(|hit| Hit {
                at: at + hit.at,
                ..hit
            }));
        }
        encode(&inner.out, &mut self.out);
    }

    /// Writes the mask for `original`, or `original` itself when its kind is switched off.
    pub(crate) fn mask(&mut self, kind: Kind, why: Why, original: &[u8]) {
        if !self.masks.is_on(kind) {
            self.out.extend_from_slice(original);
            return;
        }
        self.count(kind, why);
        let name = self.masks.name(kind);
        match &self.masks.key {
            Some(key) if kind.is_personal() => {
                let tag = key.tag(name, original);
                self.out.push(b'[');
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b':');
                self.out.extend_from_slice(tag.as_bytes());
                self.out.push(b']');
            }
            _ => {
                self.out.extend_from_slice(b"[redacted:");
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b']');
            }
        }
    }

    /// A mask as a JSON string.
    pub(crate) fn mask_quoted(&mut self, kind: Kind, why: Why, original: &[u8]) {
        if !self.masks.is_on(kind) {
            self.out.extend_from_slice(original);
            return;
        }
        self.out.push(b'"');
        self.mask(kind, why, original);
        self.out.push(b'"');
    }

    /// Counts a value that is dropped without a mask.
    pub(crate) fn count(&mut self, kind: Kind, why: Why) {
        self.counts.add(kind, 1);
        let at = self.flushed + self.out.len();
        if let Some(hits) = self.hits.as_mut() {
            hits.push(Hit { at, kind, why });
        }
    }
}
