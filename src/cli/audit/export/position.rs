//! A place in the ledger.

use std::fmt;
use std::str::FromStr;

use crate::adapters::ledger::CallRow;
use crate::types::CallId;

/// A place in the order in which calls were written into the ledger: after the row with this number.
/// The call id tells whether the ledger is still the same one: in a rebuilt one the numbers are
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of the row; 0 before the first.
    pub seq: i64,
    /// The call in it; `None` before the first.
    pub call_id: Option<CallId>,
}

impl Position {
    /// After a row.
    pub fn of(row: &CallRow) -> Option<Self> {
        Some(Self {
            seq: row.integer("seq")?,
            call_id: row.text("call_id").parse().ok(),
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call_id {
            Some(call_id) => write!(f, "{}:{call_id}", self.seq),
            None => write!(f, "{}", self.seq),
        }
    }
}

/// Text that is no place in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use the whole cursor as the export before has printed it, such as 48211:019a2b3c-...")]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        if text == "0" {
            return Ok(Self::default());
        }
        let (seq, call_id) = text.split_once(':').ok_or(NotAPosition)?;
        let seq: i64 = seq.parse().map_err(|_| NotAPosition)?;
        let call_id = call_id.parse().map_err(|_| NotAPosition)?;
        match seq > 0 {
            true => Ok(Self {
                seq,
                call_id: Some(call_id),
            }),
            false => Err(NotAPosition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        let text = "48211:019a2b3c-4d5e-7f60-8123-456789abcdef";
        let position: Position = text.parse().unwrap();
        assert_eq!(position.seq, 48_211);
        assert_eq!(position.to_string(), text);
        let none = Position::default();
        assert_eq!(none.to_string().parse(), Ok(none));
        for wrong in [
            "",
            "48211",
            "48211:",
            ":x",
            "-1:019a2b3c-4d5e-7f60-8123-456789abcdef",
            "1:2",
        ] {
            assert_eq!(wrong.parse::<Position>(), Err(NotAPosition), "{wrong}");
        }
    }
}
