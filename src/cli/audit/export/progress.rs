//! What a person sees while an export goes on. Nothing where nobody looks.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar is drawn, in times a second.
const RATE: u8 = 5;

const TEMPLATE: &str = "{bar:30} {percent:>3} %  {msg}  {eta} left";

/// The bar; it stands for the rows of the ledger between where the export begins and where it ends,
/// of which the filter may let only some through.
pub(super) struct Progress {
    bar: ProgressBar,
    from: i64,
}

impl Progress {
    /// Shows a bar if standard error is a terminal and calls do not go to the same one.
    pub(super) fn start(from: i64, to: i64, to_file: bool) -> Self {
        let is_free = to_file || !std::io::stdout().is_terminal();
        // Hides itself where standard error is no terminal.
        let target = match is_free {
            true => ProgressDrawTarget::stderr_with_hz(RATE),
            false => ProgressDrawTarget::hidden(),
        };
        let length = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self { bar, from }
    }

    pub(super) fn show(&self, at: i64, calls: u64) {
        let position = u64::try_from(at.saturating_sub(self.from)).unwrap_or(0);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let speed = calls as f64 / seconds;
        self.bar.set_message(format!("{calls} calls, {speed:.0}/s"));
        self.bar.set_position(position);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
