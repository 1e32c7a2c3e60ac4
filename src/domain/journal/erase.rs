//! Which openings must be overwritten to erase a subject, and the plan that says so.
//!
//! An erasure is carried out from a plan that is on disk before the first byte is overwritten. A
//! power cut in the middle may leave half an opening: nobody could tell any more whose it was, and
//! the frame would count as damaged. The plan still names its place. It names places only and holds
//! nothing of the subject.

use std::collections::HashSet;
use std::fmt::Write;

use memchr::memmem;

use super::frame::{
    FRAME_HEADER, JournalId, OPENING, SEGMENT_HEADER, SegmentHeader, read_frame, read_opening,
};
use crate::domain::record::Pseudonym;

/// First line of a plan.
const PLAN: &str = "egret erase plan 1";
/// Last line of a plan.
const PLAN_END: &str = "end";

/// An opening to be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// First event of the segment.
    pub segment: u64,
    /// Where its frame begins in the segment.
    pub frame: u64,
    /// Check sum in the header of that frame: the spot is in no other.
    pub frame_crc: u32,
    /// Where the opening begins in the segment.
    pub opening: u64,
}

/// What was found in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Openings of the wanted subjects, in the order of the file.
    pub spots: Vec<Spot>,
    /// The last event with one.
    pub last_seq: Option<u64>,
    /// Events with such openings that are not known to be on disk: they must be left alone for now.
    pub too_fresh: u64,
}

/// An event that should be there is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which.
    pub seq: u64,
    /// Where in the segment.
    pub offset: usize,
}

/// Finds the openings of the wanted subjects in a segment whose last event comes before `end`.
/// Events before `durable_to` are on disk; later frames may say so of more.
///
/// # Errors
/// [`Damage`] when the segment should go on but cannot be read. `end` is `u64::MAX` for the last
/// segment: that ends where it cannot be read.
pub fn find_openings(
    bytes: &[u8],
    header: &SegmentHeader,
    end: u64,
    durable_to: u64,
    wanted: &HashSet<Pseudonym>,
) -> Result<Found, Damage> {
    // Most segments have nothing of a subject, and searching is ten times as fast as reading.
    if !wanted
        .iter()
        .any(|one| memmem::find(bytes, one.as_bytes()).is_some())
    {
        return Ok(Found::default());
    }
    let mut durable_to = if end == u64::MAX { durable_to } else { end };
    let mut found: Vec<(u64, Spot)> = Vec::new();
    let mut seq = header.first_seq;
    let mut offset = SEGMENT_HEADER;
    while seq < end {
        let rest = bytes.get(offset..).unwrap_or_default();
        let frame = match read_frame(rest) {
            Ok(frame) if frame.seq == seq => frame,
            _ if end == u64::MAX => break,
            _ => return Err(Damage { seq, offset }),
        };
        durable_to = durable_to.max(seq.saturating_sub(u64::from(frame.lag)));
        for (index, opening) in frame.openings.chunks_exact(OPENING).enumerate() {
            let stored = read_opening(opening).flatten();
            if stored.is_some_and(|opening| wanted.contains(&opening.pseudonym)) {
                let spot = Spot {
                    segment: header.first_seq,
                    frame: offset as u64,
                    frame_crc: frame_crc(rest).unwrap_or(0),
                    opening: (offset + frame.openings_at() + index * OPENING) as u64,
                };
                found.push((seq, spot));
            }
        }
        offset += frame.len();
        seq += 1;
    }
    let too_fresh = found.iter().filter(|(seq, _)| *seq >= durable_to).count() as u64;
    found.retain(|(seq, _)| *seq < durable_to);
    Ok(Found {
        last_seq: found.last().map(|(seq, _)| *seq),
        spots: found.into_iter().map(|(_, spot)| spot).collect(),
        too_fresh,
    })
}

/// The check sum in the header of the frame that begins with `bytes`.
pub fn frame_crc(bytes: &[u8]) -> Option<u32> {
    let (header, _) = bytes.split_first_chunk::<FRAME_HEADER>()?;
    let (_, crc) = header.split_last_chunk::<4>()?;
    Some(u32::from_le_bytes(*crc))
}

/// A plan as text.
pub fn write_plan(journal: JournalId, spots: &[Spot]) -> String {
    let mut out = format!("{PLAN}\n{journal}\n");
    for spot in spots {
        let Spot {
            segment,
            frame,
            frame_crc,
            opening,
        } = spot;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{segment} {frame} {frame_crc} {opening}");
    }
    out.push_str(PLAN_END);
    out.push('\n');
    out
}

/// The counterpart of [`write_plan`]; `None` if it is not a whole plan for this journal.
pub fn read_plan(text: &str, journal: JournalId) -> Option<Vec<Spot>> {
    let mut lines = text.lines();
    if lines.next()? != PLAN || lines.next()? != journal.to_string() {
        return None;
    }
    let mut spots = Vec::new();
    for line in lines.by_ref() {
        if line == PLAN_END {
            return lines.next().is_none().then_some(spots);
        }
        let mut words = line.split(' ');
        spots.push(Spot {
            segment: words.next()?.parse().ok()?,
            frame: words.next()?.parse().ok()?,
            frame_crc: words.next()?.parse().ok()?,
            opening: words.next()?.parse().ok()?,
        });
        if words.next().is_some() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ERASED_OPENING, Kind, push_frame, push_opening, seal_frame};
    use super::*;
    use crate::domain::evidence::{Opening, Salt};
    use crate::types::Micros;

    const JOURNAL: JournalId = JournalId::from_bytes([7; 16]);

    fn pseudonym(of: u8) -> Pseudonym {
        Pseudonym::from_bytes([of; 16])
    }

    /// A segment from event 10 on; each frame has these subjects and this many events not on disk.
    fn segment(frames: &[(&[u8], u32)]) -> (SegmentHeader, Vec<u8>) {
        let header = SegmentHeader {
            journal: JOURNAL,
            first_seq: 10,
            created_at: Micros(0),
        };
        let mut bytes = header.encode().to_vec();
        for (seq, (subjects, lag)) in (10..).zip(frames) {
            let mut openings = Vec::new();
            for subject in *subjects {
                let salt = Salt::from_bytes([seq as u8; 16]);
                let pseudonym = pseudonym(*subject);
                push_opening(&mut openings, &Opening { salt, pseudonym });
            }
            let at = bytes.len();
            push_frame(&mut bytes, Kind::Gap, seq, b"payload", &openings);
            seal_frame(&mut bytes[at..], *lag).unwrap();
        }
        (header, bytes)
    }

    fn erase(bytes: &mut [u8], spots: &[Spot]) {
        for spot in spots {
            let at = spot.opening as usize;
            assert_eq!(
                frame_crc(&bytes[spot.frame as usize..]),
                Some(spot.frame_crc)
            );
            bytes[at..at + OPENING].copy_from_slice(&ERASED_OPENING);
        }
    }

    #[test]
    fn the_openings_of_a_subject_are_found_and_only_those() {
        let (header, mut bytes) = segment(&[(&[1, 2], 0), (&[2], 0), (&[1, 1], 0), (&[], 0)]);
        let wanted = HashSet::from([pseudonym(1)]);
        let found = find_openings(&bytes, &header, 14, 0, &wanted).unwrap();
        assert_eq!(
            (found.spots.len(), found.last_seq, found.too_fresh),
            (3, Some(12), 0)
        );
        erase(&mut bytes, &found.spots);
        assert!(memmem::find(&bytes, pseudonym(1).as_bytes()).is_none());
        let again = find_openings(&bytes, &header, 14, 0, &wanted).unwrap();
        assert_eq!(again, Found::default());
        // The other one is as it was, and every frame is whole.
        let other = HashSet::from([pseudonym(2)]);
        let found = find_openings(&bytes, &header, 14, 0, &other).unwrap();
        assert_eq!(found.spots.len(), 2);
    }

    #[test]
    fn what_may_not_be_on_disk_is_left_alone() {
        // Event 12 was written when 10 was on disk and 11 was not.
        let (header, bytes) = segment(&[(&[1], 0), (&[1], 0), (&[1], 1)]);
        let wanted = HashSet::from([pseudonym(1)]);
        let found = |durable_to| find_openings(&bytes, &header, u64::MAX, durable_to, &wanted);
        for (durable_to, spots, too_fresh) in [(0, 1, 2), (12, 2, 1), (13, 3, 0)] {
            let found = found(durable_to).unwrap();
            assert_eq!((found.spots.len(), found.too_fresh), (spots, too_fresh));
        }
    }

    #[test]
    fn damage_is_located_unless_it_is_the_end() {
        let (header, mut bytes) = segment(&[(&[1], 0), (&[1], 0)]);
        let second = SEGMENT_HEADER + read_frame(&bytes[SEGMENT_HEADER..]).unwrap().len();
        bytes[second + 20] ^= 1;
        let wanted = HashSet::from([pseudonym(1)]);
        let damage = find_openings(&bytes, &header, 12, 0, &wanted);
        assert_eq!(
            damage,
            Err(Damage {
                seq: 11,
                offset: second
            })
        );
        let found = find_openings(&bytes, &header, u64::MAX, 11, &wanted).unwrap();
        assert_eq!(found.spots.len(), 1);
    }

    proptest! {
        #[test]
        fn a_plan_comes_back_and_a_piece_of_one_does_not(
            spots in prop::collection::vec(any::<(u64, u64, u32, u64)>(), 0..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let spots: Vec<_> = spots
                .into_iter()
                .map(|(segment, frame, frame_crc, opening)| Spot { segment, frame, frame_crc, opening })
                .collect();
            let text = write_plan(JOURNAL, &spots);
            prop_assert_eq!(read_plan(&text, JOURNAL), Some(spots));
            prop_assert_eq!(read_plan(&text, JournalId::from_bytes([8; 16])), None);
            // Without its last line end it still says everything.
            let cut = cut.index(text.len() - 1);
            prop_assert_eq!(read_plan(&text[..cut], JOURNAL), None);
        }
    }
}
