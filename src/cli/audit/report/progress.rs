//! Says how far a report is, to a person who waits for it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Pause between two lines, and before the first: what is quick needs none.
const PAUSE: Duration = Duration::from_millis(250);

/// Goes back to the start of the line and clears it (ECMA-48, CR and EL).
const CLEAR_LINE: &str = "\r\x1b[K";

/// One line on the terminal, written anew; nothing if there is no terminal.
pub(super) struct Progress {
    is_live: bool,
    last: Instant,
    is_written: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            is_live: io::stderr().is_terminal(),
            last: Instant::now(),
            is_written: false,
        }
    }

    pub(super) fn say(&mut self, what: &str, done: i64, of: i64) {
        if !self.is_live || self.last.elapsed() < PAUSE {
            return;
        }
        self.last = Instant::now();
        self.is_written = true;
        let percent = i128::from(done).saturating_mul(100) / i128::from(of.max(1));
        // A terminal that is gone is no reason to stop.
        let _ = write!(io::stderr(), "{CLEAR_LINE}{what}: {percent} %");
    }

    pub(super) fn finish(self) {
        if self.is_written {
            let _ = write!(io::stderr(), "{CLEAR_LINE}");
        }
    }
}
