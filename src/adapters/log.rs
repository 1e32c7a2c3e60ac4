//! The operational log: lines on standard error, for people or as JSON.
//!
//! Two promises. A line never waits: a thread of its own writes, and when it falls behind lines
//! are dropped and counted rather than a call delayed. And a line of a library never carries
//! data: Pingora, h2 or sqlx format raw headers, URIs and values into their messages, so of a
//! foreign event only the level, the target and the place in the source are kept, and its text
//! only if it is a literal of the source code. Our own events pass the redactor as the last thing
//! before they are written: messages and texts as free text, fields of a few known names only if
//! they have the shape that their name promises.
//!
//! Redacting library lines instead of withholding them is not offered: free text has no structure
//! to rely on, and one name or short password that gets through is one too many.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{Registry, reload};

use crate::adapters::clock;
use crate::adapters::redactions;
use crate::adapters::telemetry::Inbox;
use crate::domain::config::LogFormat;
use crate::domain::health::KeptFrom;
use crate::domain::problem;
use crate::domain::redact::{self, Redactor, Surface};
use crate::types::{CallId, Micros};

/// Lines that may wait for the writing thread.
const QUEUE: usize = 8_192;

/// What the log did not say; see [`dropped_lines`].
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The running log's filter; see [`handle`].
static HANDLE: OnceLock<Handle> = OnceLock::new();

/// Who gets lines besides standard error; see [`forward_to`].
static FORWARD: ArcSwapOption<Inbox<LogLine>> = ArcSwapOption::const_empty();

/// Longest filter, in bytes: as in the configuration.
const MAX_FILTER: usize = 1024;

/// Our own targets start with this; everything else is foreign.
const OWN: &str = "egret";

/// Why the log cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not in the notation.
    #[error("log filter: {0}; write, for example, \"info\" or \"warn,egret=debug\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The filter is longer than any has a reason to be.
    #[error("log filter: longer than {MAX_FILTER} bytes")]
    TooLong,
    /// Called twice in one process.
    #[error("the log has been started already")]
    Twice,
}

/// Starts the log. Lines are written until the returned guard is dropped.
///
/// # Errors
/// [`LogError`] when the filter cannot be read or the log runs already.
pub fn start(
    filter: &str,
    format: LogFormat,
    redactor: Arc<Redactor>,
) -> Result<WorkerGuard, LogError> {
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    start_into(filter, json, redactor, io::stderr())
}

/// As [`start`], with lines written to `output`: a self-test reads them there.
///
/// # Errors
/// As [`start`].
pub fn start_into(
    filter: &str,
    json: bool,
    redactor: Arc<Redactor>,
    output: impl Write + Send + 'static,
) -> Result<WorkerGuard, LogError> {
    let targets = parse(filter)?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE)
        .lossy(true)
        .thread_name("egret-log")
        .finish(output);
    let _ = DROPPED.set(writer.error_counter());
    let redactor = Arc::new(ArcSwap::new(redactor));
    let sink = Sink {
        writer,
        json,
        redactor: Arc::clone(&redactor),
    };
    let foreign = Arc::new(ArcSwap::from_pointee(targets.clone()));
    let bridge = Bridge {
        targets: Arc::clone(&foreign),
        sink: sink.clone(),
    };
    log::set_boxed_logger(Box::new(bridge)).map_err(|_| LogError::Twice)?;
    // Pingora asks for dozens of debug lines per call: the level keeps that to a comparison.
    log::set_max_level(highest_level(&targets));
    let (reloadable, own) = reload::Layer::new(targets);
    let subscriber = tracing_subscriber::registry().with(Lines { sink }.with_filter(reloadable));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
    let _ = HANDLE.set(Handle {
        own,
        foreign,
        filter: Arc::new(Mutex::new(filter.to_owned())),
        redactor,
    });
    Ok(guard)
}

fn parse(filter: &str) -> Result<Targets, LogError> {
    if filter.len() > MAX_FILTER {
        return Err(LogError::TooLong);
    }
    Ok(filter.parse()?)
}

/// Changes which lines the running log writes.
#[derive(Clone)]
pub struct Handle {
    own: reload::Handle<Targets, Registry>,
    foreign: Arc<ArcSwap<Targets>>,
    filter: Arc<Mutex<String>>,
    redactor: Arc<ArcSwap<Redactor>>,
}

impl Handle {
    /// The filter in force, as it was written.
    pub fn filter(&self) -> String {
        self.filter.lock().clone()
    }

    /// Puts another filter in force, for every line from here on, and says so in the log.
    ///
    /// # Errors
    /// [`LogError`]; then the filter stays as it was.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        let targets = parse(filter)?;
        // Held until it is done, so that two changes do not mix.
        let mut current = self.filter.lock();
        if *current == filter {
            return Ok(());
        }
        // The subscriber lives as long as the process.
        let _ = self.own.reload(targets.clone());
        log::set_max_level(highest_level(&targets));
        self.foreign.store(Arc::new(targets));
        let before = std::mem::replace(&mut *current, filter.to_owned());
        drop(current);
        tracing::warn!(target: "egret::log", filter, before, "the log filter was changed");
        Ok(())
    }
}

/// Changes the filter of the log, and what redacts its lines; does nothing if no log was started.
///
/// # Errors
/// [`LogError`] when the filter cannot be read; the log goes on as it was.
pub fn change(filter: &str, redactor: Arc<Redactor>) -> Result<(), LogError> {
    let Some(handle) = HANDLE.get() else {
        return Ok(());
    };
    handle.set_filter(filter)?;
    handle.redactor.store(redactor);
    Ok(())
}

/// The running log's handle; `None` before [`start`].
pub fn handle() -> Option<Handle> {
    HANDLE.get().cloned()
}

/// A line as it was written: everything in it has been redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Micros,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// Where it comes from.
    pub target: String,
    /// What it says.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(&'static str, String)>,
}

/// Sends a copy of each line to this inbox, too; `None` for nobody.
pub fn forward_to(inbox: Option<Arc<Inbox<LogLine>>>) {
    FORWARD.store(inbox);
}

/// The thread that tells of lines must not tell of its own: each would make another.
pub const TELEMETRY_THREAD: &str = "egret-telemetry";

fn forward(at: Micros, line: &Line<'_>) {
    let Some(inbox) = &*FORWARD.load() else {
        return;
    };
    if std::thread::current().name() == Some(TELEMETRY_THREAD) {
        return;
    }
    inbox.put(LogLine {
        at,
        level: line.level,
        target: line.target.to_owned(),
        message: line.message.to_owned(),
        fields: line.fields.to_vec(),
    });
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
    redactor: Arc<ArcSwap<Redactor>>,
}

/// One line before it is written.
struct Line<'a> {
    level: &'static str,
    target: &'a str,
    message: &'a str,
    fields: &'a [(&'static str, String)],
}

impl Sink {
    fn write(&self, line: &Line<'_>) {
        let at = clock::now();
        forward(at, line);
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
            fields.redact(&self.sink.redactor.load());
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

/// Digits that a number may have without being looked at: a card number has at least twelve.
const MAX_PLAIN_DIGITS: usize = 11;

impl Fields {
    /// The last line: nothing is written that has not been here.
    fn redact(&mut self, redactor: &Redactor) {
        self.message = redact(redactor, &self.message);
        for (name, value) in &mut self.rest {
            if !is_promised(name, value) {
                *value = redact(redactor, value);
            }
        }
    }
}

/// Redacts a text. A redactor that panics must not take a thread of the gateway with it, nor let
/// the text pass.
fn redact(redactor: &Redactor, text: &str) -> String {
    let work = std::panic::AssertUnwindSafe(|| {
        let context = redact::Context::default();
        let redaction = redactor.redact(Surface::Text, text.as_bytes(), context);
        redactions::note(KeptFrom::Log, &redaction.counts);
        redaction.bytes.into_text().into_inner()
    });
    std::panic::catch_unwind(work).unwrap_or_else(|_| "[redacted]".to_owned())
}

/// Whether a field of ours holds what its name promises, which is nothing of a call but its id.
fn is_promised(name: &str, value: &str) -> bool {
    let is_short_number = || {
        let digits = value.strip_prefix('-').unwrap_or(value);
        digits.len() <= MAX_PLAIN_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match name {
        "call" => value.parse::<CallId>().is_ok(),
        "trace" => value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
        // Of the configuration.
        "hash" => value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
        // Words of this program.
        "problem" => problem::is_code(value),
        // Our own listeners.
        "address" => value.starts_with("unix:") || value.parse::<SocketAddr>().is_ok(),
        // These repeat the configuration, which no caller and no bank can write to.
        "node" | "ledger" | "version" | "host" | "sentinel" => true,
        _ => !value.is_empty() && is_short_number(),
    }
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
    targets: Arc<ArcSwap<Targets>>,
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
        self.targets.load().would_enable(meta.target(), &level)
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

    fn shown(name: &'static str, value: &str) -> String {
        let mut fields = Fields {
            message: String::new(),
            rest: vec![(name, value.to_owned())],
        };
        fields.redact(&Redactor::default());
        fields.rest.remove(0).1
    }

    #[test]
    fn our_own_messages_come_out_as_they_are() {
        let redactor = Redactor::default();
        for message in [
            "listening",
            "the gateway is ready",
            "stopping: no new connections, calls in flight may end",
            "calls were cut off at the end of the drain time",
            "stopped; every record is in the ledger",
            "cannot resolve the name of a bank's server; trying again",
            "the name of a bank's server is resolved again",
            "a call was refused because it could not be recorded",
            "a refused request could not be recorded",
            "too many open connections; closing a new one",
            "the callers file has changed and was read again",
            "the callers file has changed and cannot be used; the old one stays",
            "audit records are being written again",
            "TLS handshake with a caller failed",
        ] {
            assert_eq!(redact(&redactor, message), message);
        }
    }

    #[test]
    fn fields_show_what_their_name_promises_and_nothing_else() {
        let call = CallId::floor(1_795_305_338_000).to_string();
        assert_eq!(shown("call", &call), call);
        assert_eq!(shown("address", "127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(shown("open", "10000"), "10000");
        assert_eq!(
            shown("ledger", "/var/lib/egret/ledger.db"),
            "/var/lib/egret/ledger.db"
        );
        for (name, value) in [
            ("call", "Bearer Zq7fake9token8canary7x"),
            ("address", "postgres://egret:hunter2x@db/ledger"),
            (
                "error",
                "cannot reach https://user:hunter2x@bank.example/?token=Zq7fake9token8canary7x",
            ),
            ("count", "4111111111111111"),
            ("error", "password=hunter2x was refused"),
        ] {
            let out = shown(name, value);
            assert!(out.contains("[redacted"), "{out}");
            for secret in ["hunter2x", "Zq7fake9", "411111"] {
                assert!(!out.contains(secret), "{out}");
            }
        }
    }

    #[test]
    fn places_do_not_show_the_build_machine() {
        assert_eq!(place(Some("/home/x/.cargo/h2/src/a.rs"), Some(7)), "a.rs:7");
        assert_eq!(place(None, None), "?:0");
    }
}
