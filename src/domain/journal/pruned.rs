//! What is left of a segment of which pruning has removed the events: beside the hashes of its
//! leaves, a mark that says what went, when, by whom and why. Where the hashes are and no mark,
//! somebody else has removed the segment.

use super::JournalId;
use crate::types::Micros;

/// First line of a mark.
const MARK: &str = "egret-pruned 1";

/// Says that a segment was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneMark {
    /// The journal.
    pub journal: JournalId,
    /// First event of the segment.
    pub first: u64,
    /// Last event of the segment.
    pub last: u64,
    /// When it was given up.
    pub at: Micros,
    /// By whom.
    pub by: String,
    /// Why: one line.
    pub reason: String,
}

impl PruneMark {
    /// As text. Line ends in what was typed become blanks.
    pub fn write(&self) -> String {
        let line = |text: &str| text.replace(char::is_control, " ");
        format!(
            "{MARK}\njournal {}\nfirst {}\nlast {}\nat {}\nby {}\nreason {}\n",
            self.journal,
            self.first,
            self.last,
            self.at.0,
            line(&self.by),
            line(&self.reason)
        )
    }

    /// The counterpart of [`PruneMark::write`]; `None` if it is not a whole mark of this journal.
    pub fn read(text: &str, journal: JournalId) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        if value("egret-pruned")? != "1" || value("journal")? != journal.to_string() {
            return None;
        }
        let mark = Self {
            journal,
            first: value("first")?.parse().ok()?,
            last: value("last")?.parse().ok()?,
            at: Micros(value("at")?.parse().ok()?),
            by: value("by")?.to_owned(),
            reason: value("reason")?.to_owned(),
        };
        (lines.next().is_none() && mark.first <= mark.last).then_some(mark)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JOURNAL: JournalId = JournalId::from_bytes([7; 16]);

    proptest! {
        #[test]
        fn a_mark_comes_back_and_a_piece_of_one_does_not(
            first in 0..u64::MAX / 2,
            count in 0..u64::MAX / 2,
            at in any::<i64>(),
            reason in "[^\\p{Cc}]{0,40}",
            cut in any::<prop::sample::Index>(),
        ) {
            let mark = PruneMark {
                journal: JOURNAL,
                first,
                last: first + count,
                at: Micros(at),
                by: "uid 7".to_owned(),
                reason,
            };
            let text = mark.write();
            prop_assert_eq!(PruneMark::read(&text, JOURNAL), Some(mark));
            prop_assert_eq!(PruneMark::read(&text, JournalId::from_bytes([8; 16])), None);
            let mut cut = cut.index(text.len());
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            prop_assert_eq!(PruneMark::read(&text[..cut], JOURNAL), None);
        }

        #[test]
        fn anything_is_read_without_harm(text in any::<String>()) {
            let _ = PruneMark::read(&text, JOURNAL);
        }
    }
}
