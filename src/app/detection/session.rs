//! What is there while a node detects: a connection to the ledger, the engine, and what it has
//! said that is not in the book yet.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::keep::Keeper;
use super::{Fault, IsFed, Watched};
use crate::adapters::clock;
use crate::adapters::entropy;
use crate::adapters::ledger::{LedgerError, LedgerPlace, Reader};
use crate::domain::config::Config;
use crate::domain::detect::{NetworkMap, Position, Told, Watch};
use crate::types::Micros;

/// Rows that are read at once: some megabytes, and some tens of milliseconds of work.
const BATCH: u32 = 2_000;
/// Rows that are learned from at the very first start, at most: an hour of work.
const MAX_HISTORY: i64 = 20_000_000;
/// At the very first start people are called about what is not older than this: an attack that is
/// going on, and nothing that is over.
const STILL_TOLD: Duration = Duration::from_secs(3_600);
/// How often the state is kept, as long as it is small.
const KEEP: Duration = Duration::from_secs(60);
/// A larger state is kept more rarely, so that no more than this is written in [`KEEP`].
const KEPT_AT_ONCE: u64 = 16 << 20;
/// Yet not more rarely than this: it is what a restart has to read again.
const LONGEST_KEEP: Duration = Duration::from_secs(900);

/// What a look at the ledger came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is probably more.
    More,
    /// There was nothing more.
    Done,
}

pub(super) struct Session {
    place: LedgerPlace,
    /// `None` after it has failed.
    reader: Option<Reader>,
    watch: Watch,
    /// Said by the engine and not in the book yet.
    pub(super) pending: VecDeque<Told>,
    kept_at: Micros,
    /// When it is kept next.
    keep_at: Micros,
    is_changed: bool,
}

impl Session {
    /// Goes on where detection stood, or begins with what the ledger has.
    pub(super) async fn open(
        config: &Config,
        keeper: &mut Keeper,
        now: Micros,
    ) -> Result<Self, Fault> {
        let place = config.ledger.place.clone();
        let mut reader = Reader::open(&place).await?;
        let watch = match keeper.load().await.map_err(Fault::Keep)? {
            Some(bytes) => {
                match Watch::restore(config.detect.settings.clone(), random()?, &bytes) {
                    Ok(watch) => Some(find_again(watch, &mut reader).await?),
                    Err(fault) => {
                        tracing::error!(
                            target: "egret::detect",
                            error = %fault,
                            aside = keeper.put_aside().await.map_err(Fault::Keep)?,
                            "what was learned cannot be used, so it is learned anew from the ledger"
                        );
                        None
                    }
                }
            }
            None => None,
        };
        let watch = match watch {
            Some(watch) => watch,
            None => {
                let watch = begin(config, &mut reader, now).await?;
                // Before anything is said: what is said twice must have the same marks.
                let bytes = watch
                    .save()
                    .map_err(|error| Fault::Keep(error.to_string()))?;
                keeper.save(&bytes, now).await.map_err(Fault::Keep)?;
                watch
            }
        };
        tracing::info!(
            target: "egret::detect",
            row = watch.position().seq,
            "this node watches the ledger"
        );
        Ok(Self {
            place,
            reader: Some(reader),
            watch,
            pending: VecDeque::new(),
            kept_at: now,
            keep_at: now.plus(KEEP),
            is_changed: false,
        })
    }

    /// The next look connects anew.
    pub(super) fn reconnect(&mut self) {
        self.reader = None;
    }

    /// Reads what is new and judges it, unless something waits to be told.
    pub(super) async fn look(
        &mut self,
        map: &dyn NetworkMap,
        is_fed: &IsFed,
        watched: &Watched,
    ) -> Result<Turn, LedgerError> {
        if !self.pending.is_empty() {
            return Ok(Turn::More);
        }
        // Before the rows are read: what ends later may be missing among them.
        let now = clock::now();
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(Reader::open(&self.place).await?),
        };
        let rows = reader.events(self.watch.position().seq, BATCH).await?;
        let mut judged_to = now;
        for row in &rows {
            let told = self.watch.take(row.position, &row.row, map);
            self.pending.extend(told);
            judged_to = row.received_at;
        }
        let turn = if rows.len() < BATCH as usize {
            judged_to = now;
            Turn::Done
        } else {
            Turn::More
        };
        if rows.is_empty() && is_fed(now) {
            self.pending.extend(self.watch.pass_time(now.as_millis()));
        }
        self.is_changed |= !rows.is_empty() || !self.pending.is_empty();
        watched.judged_to.store(judged_to.0, Ordering::Relaxed);
        let events = self.watch.detection().figures().events;
        watched.events.store(events, Ordering::Relaxed);
        Ok(turn)
    }

    /// Keeps the state if it is time. What was said must be in the book.
    pub(super) async fn keep_if_due(
        &mut self,
        keeper: &mut Keeper,
        now: Micros,
    ) -> Result<(), String> {
        // A clock that was set back must not stop this.
        let is_due = now >= self.keep_at || now < self.kept_at;
        if !is_due || !self.is_changed || !self.pending.is_empty() {
            return Ok(());
        }
        let bytes = self.watch.save().map_err(|error| error.to_string())?;
        keeper.save(&bytes, now).await?;
        let rarer = u32::try_from(bytes.len() as u64 / KEPT_AT_ONCE).unwrap_or(u32::MAX);
        let pause = KEEP
            .saturating_mul(rarer.saturating_add(1))
            .min(LONGEST_KEEP);
        self.kept_at = now;
        self.keep_at = now.plus(pause);
        self.is_changed = false;
        Ok(())
    }

    /// Keeps the state at the end.
    pub(super) async fn keep(mut self, keeper: &mut Keeper) -> Result<(), String> {
        self.keep_at = Micros(0);
        self.keep_if_due(keeper, clock::now()).await
    }
}

/// Begins with nothing known, so far back that there is something to learn from.
async fn begin(config: &Config, reader: &mut Reader, now: Micros) -> Result<Watch, Fault> {
    let back = |time: Duration| {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Micros(now.0.saturating_sub(micros))
    };
    let mut position = reader.before(back(config.detect.history)).await?;
    let last = reader.last_seq().await?;
    if last.saturating_sub(position.seq) > MAX_HISTORY {
        position = reader.place_behind(last - MAX_HISTORY).await?;
    }
    tracing::info!(
        target: "egret::detect",
        rows = last - position.seq,
        "detection begins, and learns from what is in the ledger"
    );
    let tell_from = back(STILL_TOLD).as_millis();
    let settings = config.detect.settings.clone();
    Ok(Watch::begin(settings, random()?, position, tell_from))
}

/// Sees to it that a place means the same row as when it was kept.
async fn find_again(mut watch: Watch, reader: &mut Reader) -> Result<Watch, Fault> {
    if reader.has_row(watch.position()).await? {
        return Ok(watch);
    }
    // What was judged is not judged again; rows of the last moment may be.
    let found = match watch.detection().clock() {
        Some(clock) => {
            reader
                .before(Micros(clock.saturating_add(1).saturating_mul(1_000)))
                .await?
        }
        None => Position::default(),
    };
    tracing::warn!(
        target: "egret::detect",
        row = watch.position().seq,
        now = found.seq,
        "the ledger is another one than before: it was rebuilt or restored; detection goes on by time"
    );
    watch.move_to(found);
    Ok(watch)
}

fn random() -> Result<u64, Fault> {
    let bytes = entropy::id_bytes().map_err(|error| Fault::Keep(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes))
}
