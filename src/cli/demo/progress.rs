//! Says how far the demo is: in one line on a terminal, else in a few plain lines.

use std::io::{self, Write};
use std::time::Duration;

use tokio::time::Instant;

use super::visitor::Score;
use super::{DemoArgs, Screen};

/// Pause between two reports on a terminal.
const LIVE: Duration = Duration::from_millis(200);

/// Pause between two plain lines.
const PLAIN: Duration = Duration::from_secs(10);

/// Goes back to the start of the line and clears it (ECMA-48, CR and EL).
const CLEAR_LINE: &str = "\r\x1b[K";

/// How far the demo is.
pub struct Progress {
    began: Instant,
    seconds: u64,
    is_live: bool,
    is_quiet: bool,
}

impl Progress {
    /// The beginning.
    pub fn new(args: &DemoArgs, screen: Screen) -> Self {
        Self {
            began: Instant::now(),
            seconds: args.seconds,
            is_live: screen.is_terminal,
            is_quiet: args.quiet,
        }
    }

    /// Reports until it is dropped; returns only if it cannot.
    pub async fn report(&mut self, score: &Score, out: &mut impl Write) -> io::Error {
        self.began = Instant::now();
        loop {
            tokio::time::sleep(if self.is_live { LIVE } else { PLAIN }).await;
            if self.is_quiet {
                continue;
            }
            if let Err(error) = self.write(score, out) {
                return error;
            }
        }
    }

    fn write(&self, score: &Score, out: &mut impl Write) -> io::Result<()> {
        let (calls, refused) = (score.calls.get(), score.refused.get());
        let passed = self.began.elapsed().as_secs().min(self.seconds);
        let line = format!(
            "{passed:>3} of {} s   {calls} calls, {refused} refused or failed   {}",
            self.seconds,
            score.last.get()
        );
        if self.is_live {
            write!(out, "{CLEAR_LINE}{line}")?;
        } else {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    /// Says how it went.
    pub fn finish(&self, score: &Score, out: &mut impl Write) -> io::Result<()> {
        if self.is_live && !self.is_quiet {
            write!(out, "{CLEAR_LINE}")?;
        }
        writeln!(
            out,
            "{} calls, {} of them refused or failed, most of these on purpose. All are on record.",
            score.calls.get(),
            score.refused.get()
        )
    }
}
