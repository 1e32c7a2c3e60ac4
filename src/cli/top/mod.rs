//! `egret top`: a running gateway at a glance, on a terminal.

mod draw;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::ask::{AskArgs, Listener};
use super::{ConfigArgs, Failure, Outcome};
use crate::domain::config::parse_duration;
use crate::domain::health::{Glance, Scrape};

/// How many looks the course of the traffic shows: more than a wide terminal has columns.
const COURSE: usize = 400;
/// Size of what is printed without a terminal.
const PRINTED: (u16, u16) = (100, 40);

/// Options of `egret top`.
#[derive(Debug, Args)]
#[command(
    after_help = "It reads the figures of [admin] address, as /metrics tells them: nothing of a call is \
in them. Keys: q ends, p holds, + and - look more or less often.\n\nExamples:\n  egret top\n  egret top --interval 5s\n  \
egret top --once          # looks twice, prints, ends: for a terminal that cannot be drawn on, or a log\n  \
egret top --url https://gateway.internal:9443 --ca internal.pem --cert me.pem --key me.key"
)]
pub struct TopArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// How often to look: 200ms to 60s.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    interval: Duration,
    /// Look twice, print what is to be seen, and end.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    which: AskArgs,
}

const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(200)..=Duration::from_secs(60);

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|error| error.to_string())?;
    if INTERVALS.contains(&interval) {
        Ok(interval)
    } else {
        Err("write 200ms to 60s".to_owned())
    }
}

/// What is looked at, and what was seen.
struct Watch {
    listener: Listener,
    last: Option<(Instant, Scrape)>,
    seen: View,
}

/// What is drawn.
#[derive(Default)]
struct View {
    address: String,
    interval: Duration,
    is_held: bool,
    /// Nobody can press a key.
    is_printed: bool,
    /// `None` until there were two looks.
    glance: Option<Glance>,
    /// Calls a second at each look, the newest last.
    course: VecDeque<f64>,
    /// Why the last look failed.
    fault: Option<String>,
}

impl Watch {
    fn new(listener: Listener, interval: Duration) -> Self {
        let seen = View {
            address: listener.to_string(),
            interval,
            ..View::default()
        };
        Self {
            listener,
            last: None,
            seen,
        }
    }

    fn look(&mut self) {
        match scrape(&self.listener) {
            Ok(scrape) => {
                let now = Instant::now();
                if let Some((at, before)) = &self.last {
                    let glance = Glance::between(before, &scrape, now - *at);
                    self.seen.course.push_back(glance.calls);
                    while self.seen.course.len() > COURSE {
                        self.seen.course.pop_front();
                    }
                    self.seen.glance = Some(glance);
                }
                self.last = Some((now, scrape));
                self.seen.fault = None;
            }
            Err(fault) => self.seen.fault = Some(fault),
        }
    }
}

fn scrape(listener: &Listener) -> Result<Scrape, String> {
    match listener.ask("/metrics") {
        Ok((200, body)) => Scrape::read(&String::from_utf8_lossy(&body)).map_err(|error| {
            format!("{listener} does not tell figures as a gateway does: {error}")
        }),
        Ok((status, _)) => Err(format!(
            "{listener} answers {status}; does [admin] let everybody read the metrics, or the certificate \
             of --cert?"
        )),
        Err(error) if error.is_away => Err(format!(
            "no answer from {listener}: {error}; is the gateway running?"
        )),
        Err(error) => Err(format!("no answer from {listener}: {error}")),
    }
}

/// Shows the gateway until somebody ends it.
///
/// # Errors
/// The configuration has no admin listener, the terminal cannot be used, or, with `--once`, the
/// gateway does not answer.
pub fn run(args: &TopArgs, out: &mut impl Write) -> Outcome {
    let listener = Listener::find(&args.which, &args.config)?;
    let mut watch = Watch::new(listener, args.interval);
    if args.once {
        return print(&mut watch, args.interval, out);
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::new(
            "this is no terminal; `egret top --once` prints what is to be seen",
        ));
    }
    let mut terminal = ratatui::try_init()?;
    let done = follow(&mut watch, |view| {
        terminal.draw(|frame| draw::draw(frame, view)).map(drop)
    });
    ratatui::restore();
    done?;
    Ok(())
}

fn print(watch: &mut Watch, interval: Duration, out: &mut impl Write) -> Outcome {
    watch.seen.is_printed = true;
    watch.look();
    std::thread::sleep(interval);
    watch.look();
    if let Some(fault) = &watch.seen.fault {
        return Err(Failure::new(fault));
    }
    let mut terminal = Terminal::new(TestBackend::new(PRINTED.0, PRINTED.1))
        .map_err(|error| Failure::new(error.to_string()))?;
    let drawn = terminal
        .draw(|frame| draw::draw(frame, &watch.seen))
        .map_err(|error| Failure::new(error.to_string()))?;
    let width = usize::from(drawn.area.width);
    let cells: Vec<&str> = drawn
        .buffer
        .content()
        .iter()
        .map(|cell| cell.symbol())
        .collect();
    let lines: Vec<String> = cells
        .chunks(width.max(1))
        .map(|line| line.concat().trim_end().to_owned())
        .collect();
    let used = lines.iter().rposition(|line| !line.is_empty());
    for line in lines.iter().take(used.map_or(0, |last| last + 1)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn follow(watch: &mut Watch, mut show: impl FnMut(&View) -> io::Result<()>) -> io::Result<()> {
    let mut due = Instant::now();
    loop {
        if due <= Instant::now() && !watch.seen.is_held {
            watch.look();
            due = Instant::now() + watch.seen.interval;
        }
        show(&watch.seen)?;
        let pause = if watch.seen.is_held {
            watch.seen.interval
        } else {
            due.saturating_duration_since(Instant::now())
        };
        if !event::poll(pause)? {
            continue;
        }
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let shortest = *INTERVALS.start();
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
            KeyCode::Char('p') | KeyCode::Char(' ') => watch.seen.is_held = !watch.seen.is_held,
            KeyCode::Char('+') => {
                watch.seen.interval = (watch.seen.interval / 2).max(shortest);
                due = Instant::now();
            }
            KeyCode::Char('-') => {
                watch.seen.interval = (watch.seen.interval * 2).min(*INTERVALS.end());
            }
            _ => {}
        }
    }
}
