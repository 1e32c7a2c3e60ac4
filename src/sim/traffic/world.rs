//! What has happened and what is still to come: events in buckets of an hour, sorted when their
//! hour is over, and the labels that they belong to.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::calendar::HOUR;
use super::event::{Event, Lines};
use super::label::Label;
use super::network::NetMap;

/// Events beyond the end of the run are let go.
pub(super) struct World {
    /// Start of the oldest bucket.
    now: i64,
    end: i64,
    buckets: VecDeque<Vec<Event>>,
    callers: Vec<String>,
    pub(super) map: NetMap,
    pub(super) labels: Vec<Label>,
    written: u64,
    lines: Lines,
    buffer: Vec<u8>,
}

impl World {
    pub(super) fn new(start: i64, end: i64, catalog_names: bool) -> Self {
        Self {
            now: start,
            end,
            buckets: VecDeque::new(),
            callers: Vec::new(),
            map: NetMap::default(),
            labels: Vec::new(),
            written: 0,
            lines: Lines::new(catalog_names),
            buffer: Vec::new(),
        }
    }

    /// Gives a caller its number.
    pub(super) fn enroll(&mut self, name: &str) -> u32 {
        if let Some(at) = self.callers.iter().position(|known| known == name) {
            return at as u32;
        }
        self.callers.push(name.to_owned());
        (self.callers.len() - 1) as u32
    }

    pub(super) fn caller_name(&self, caller: u32) -> &str {
        self.callers.get(caller as usize).map_or("", String::as_str)
    }

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Opens a label and gives the number to mark its events with.
    pub(super) fn label(&mut self, label: Label) -> u32 {
        self.labels.push(label);
        self.labels.len() as u32
    }

    pub(super) fn push(&mut self, mut event: Event) {
        if event.ts >= self.end {
            return;
        }
        event.ts = event.ts.max(self.now);
        let hour = ((event.ts - self.now) / HOUR) as usize;
        while self.buckets.len() <= hour {
            self.buckets.push_back(Vec::new());
        }
        if let Some(bucket) = self.buckets.get_mut(hour) {
            bucket.push(event);
        }
    }

    /// Writes the oldest hour.
    pub(super) fn close_hour(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut bucket = self.buckets.pop_front().unwrap_or_default();
        self.now += HOUR;
        // Stable: what was pushed first comes first among equals.
        bucket.sort_by_key(|event| event.ts);
        self.buffer.clear();
        for event in &bucket {
            self.written += 1;
            let caller = self
                .callers
                .get(event.caller as usize)
                .map_or("", String::as_str);
            self.lines
                .write(self.written, event, caller, &self.map, &mut self.buffer);
            if let Some(label) = (event.label as usize)
                .checked_sub(1)
                .and_then(|at| self.labels.get_mut(at))
            {
                label.note(self.written, event, caller);
            }
            if self.buffer.len() > 1 << 18 {
                out.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        out.write_all(&self.buffer)
    }
}
