//! The operational log: lines on standard error, for people or as JSON.
//!
//! Two promises. A line never waits: a thread of its own writes, and when it falls behind lines
//! are dropped and counted rather than a call delayed. And a line of a library never carries
//! data: Pingora, h2 or sqlx format raw headers, URIs and values into their messages, so of a
//! foreign event only the level, the target and the place in the source are kept, and its text
//! only if it is a literal of the source code. Our own events carry typed fields that cannot hold
//! a secret; what remains passes a scrubber before it is written.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::adapters::clock;
use crate::domain::config::LogFormat;

/// Lines that may wait for the writing thread.
const QUEUE: usize = 8_192;

/// What the log did not say; see [`dropped_lines`].
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Our own targets start with this; everything else is foreign.
const OWN: &str = "egret";

/// Why the log cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not in the notation.
    #[error("log filter: {0}; write, for example, \"info\" or \"warn,egret=debug\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Called twice in one process.
    #[error("the log has been started already")]
    Twice,
}

/// Starts the log. Lines are written until the returned guard is dropped.
///
/// # Errors
/// [`LogError`] when the filter cannot be read or the log runs already.
pub fn start(filter: &str, format: LogFormat) -> Result<WorkerGuard, LogError> {
    let targets: Targets = filter.parse()?;
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE)
        .lossy(true)
        .thread_name("egret-log")
        .finish(io::stderr());
    let _ = DROPPED.set(writer.error_counter());
    let sink = Sink { writer, json };
    let bridge = Bridge {
        targets: targets.clone(),
        sink: sink.clone(),
    };
    log::set_boxed_logger(Box::new(bridge)).map_err(|_| LogError::Twice)?;
    // Pingora asks for dozens of debug lines per call: the level keeps that to a comparison.
    log::set_max_level(highest_level(&targets));
    let subscriber = tracing_subscriber::registry().with(Lines { sink }.with_filter(targets));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
    Ok(guard)
}

/// The most talkative level that any target of the filter has.
fn highest_level(targets: &Targets) -> log::LevelFilter {
    let others = targets.iter().map(|(_, level)| level);
    let highest = others.chain(targets.default_level()).max();
    match highest.and_then(|filter| filter.into_level()) {
        None => log::LevelFilter::Off,
        Some(Level::ERROR) => log::LevelFilter::Error,
        Some(Level::WARN) => log::LevelFilter::Warn,
        Some(Level::INFO) => log::LevelFilter::Info,
        Some(Level::DEBUG) => log::LevelFilter::Debug,
        Some(_) => log::LevelFilter::Trace,
    }
}

/// Lines dropped since the start because the writing thread had fallen behind.
pub fn dropped_lines() -> usize {
    DROPPED.get().map_or(0, ErrorCounter::dropped_lines)
}

/// Makes panics say where they happened but not what was in the values: a formatted panic
/// message can quote anything.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info
            .payload()
            .downcast_ref::<&'static str>()
            .copied()
            .unwrap_or("[text withheld]");
        let (file, line) = info
            .location()
            .map_or(("?", 0), |at| (at.file(), at.line()));
        let thread = std::thread::current();
        // The log's own thread may be what panicked: write directly.
        let _ = writeln!(
            io::stderr(),
            "panic in thread {} at {file}:{line}: {text}",
            thread.name().unwrap_or("?"),
        );
    }));
}

#[derive(Clone)]
struct Sink {
    writer: NonBlocking,
    json: bool,
}

/// One line before it is written.
struct Line<'a> {
    level: &'a str,
    target: &'a str,
    message: &'a str,
    fields: &'a [(&'static str, String)],
}

impl Sink {
    fn write(&self, line: &Line<'_>) {
        let at = clock::now();
        let mut out = String::with_capacity(256);
        if self.json {
            let mut object = serde_json::Map::new();
            object.insert("ts".into(), at.to_string().into());
            object.insert("level".into(), line.level.into());
            object.insert("target".into(), line.target.into());
            object.insert("message".into(), line.message.into());
            for (name, value) in line.fields {
                object.insert((*name).into(), value.as_str().into());
            }
            let _ = write!(out, "{}", serde_json::Value::Object(object));
        } else {
            let _ = write!(
                out,
                "{at} {:<5} {}: {}",
                line.level, line.target, line.message
            );
            for (name, value) in line.fields {
                let _ = write!(out, " {name}={value}");
            }
            // One event is one line, whatever a value holds.
            out = out.replace(['\n', '\r'], " ");
        }
        out.push('\n');
        let _ = self.writer.clone().write_all(out.as_bytes());
    }
}

/// Events of `tracing`: ours, and those of libraries that use it.
struct Lines {
    sink: Sink,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let level = level_name(*meta.level());
        if is_own(meta.target()) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.sink.write(&Line {
                level,
                target: meta.target(),
                message: &fields.message,
                fields: &fields.rest,
            });
        } else {
            let place = place(meta.file(), meta.line());
            self.sink.write(&Line {
                level,
                target: meta.target(),
                message: "[text of a library withheld]",
                fields: &[("at", place)],
            });
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.rest.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.rest.push((field.name(), value.to_owned()));
        }
    }
}

/// Events of the `log` crate: Pingora and others.
struct Bridge {
    targets: Targets,
    sink: Sink,
}

impl log::Log for Bridge {
    fn enabled(&self, meta: &log::Metadata<'_>) -> bool {
        let level = match meta.level() {
            log::Level::Error => Level::ERROR,
            log::Level::Warn => Level::WARN,
            log::Level::Info => Level::INFO,
            log::Level::Debug => Level::DEBUG,
            log::Level::Trace => Level::TRACE,
        };
        self.targets.would_enable(meta.target(), &level)
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let literal = record.args().as_str();
        self.sink.write(&Line {
            level: record.level().as_str(),
            target: record.target(),
            message: literal.unwrap_or("[text of a library withheld]"),
            fields: &[("at", place(record.file(), record.line()))],
        });
    }

    fn flush(&self) {}
}

fn is_own(target: &str) -> bool {
    target
        .strip_prefix(OWN)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// File name and line, without the directories of the machine that compiled it.
fn place(file: Option<&str>, line: Option<u32>) -> String {
    let file = file.map_or("?", |path| path.rsplit('/').next().unwrap_or(path));
    format!("{file}:{}", line.unwrap_or(0))
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        _ => "TRACE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_targets_are_trusted() {
        assert!(is_own("egret"));
        assert!(is_own("egret::edge::proxy"));
        assert!(!is_own("egrets"));
        assert!(!is_own("pingora_proxy"));
    }

    #[test]
    fn the_log_crate_is_kept_to_the_highest_level_of_the_filter() {
        let highest = |filter: &str| highest_level(&filter.parse().unwrap());
        assert_eq!(highest("info"), log::LevelFilter::Info);
        assert_eq!(highest("warn,egret=debug"), log::LevelFilter::Debug);
        assert_eq!(highest("off"), log::LevelFilter::Off);
    }

    #[test]
    fn places_do_not_show_the_build_machine() {
        assert_eq!(place(Some("/home/x/.cargo/h2/src/a.rs"), Some(7)), "a.rs:7");
        assert_eq!(place(None, None), "?:0");
    }
}
