//! Fields of a payload: a tag, the length of the value (LEB128, shortest form), the value.
//! Numbers are big-endian without leading zeros; signed ones are zigzagged first. A field that is
//! absent, zero or empty is left out; tags ascend, and repeat for lists.

/// Writes fields.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn bytes(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        push_length(self.0, value.len());
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, tag: u8, value: &str) {
        self.bytes(tag, value.as_bytes());
    }

    pub(super) fn some_text(&mut self, tag: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.text(tag, value);
        }
    }

    /// Left out if zero.
    pub(super) fn count(&mut self, tag: u8, value: u64) {
        if value != 0 {
            self.number(tag, value);
        }
    }

    pub(super) fn number(&mut self, tag: u8, value: u64) {
        let bytes = value.to_be_bytes();
        let zeros = (value.leading_zeros() / 8) as usize;
        self.bytes(tag, bytes.get(zeros..).unwrap_or_default());
    }

    pub(super) fn signed(&mut self, tag: u8, value: i64) {
        self.number(tag, ((value << 1) ^ (value >> 63)) as u64);
    }
}

pub(super) fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// There is no field that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is cut off.
    Short,
    /// Its length is not in the shortest form.
    Padded,
}

/// Reads fields one after another.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Unreadable> {
        let Some((&tag, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        self.0 = rest;
        let length = self.length()?;
        self.take(length).map(|value| Some((tag, value)))
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let split = self.0.split_at_checked(length);
        let (value, rest) = split.ok_or(Unreadable::Short)?;
        self.0 = rest;
        Ok(value)
    }

    pub(super) fn length(&mut self) -> Result<usize, Unreadable> {
        let mut length = 0_usize;
        // Five groups of seven bits: more than any payload.
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.0.split_first().ok_or(Unreadable::Short)?;
            self.0 = rest;
            length |= usize::from(byte & 0x7f) << shift;
            match byte {
                0 if shift > 0 => return Err(Unreadable::Padded),
                0x80.. => {}
                _ => return Ok(length),
            }
        }
        Err(Unreadable::Short)
    }
}

pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 8 {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

pub(super) fn signed(bytes: &[u8]) -> Option<i64> {
    let number = number(bytes)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}
