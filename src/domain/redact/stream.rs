//! One input in pieces. The surfaces read whole units (a line, a token, a pair, a part), so the
//! output depends on the bytes and never on where they were cut.

use super::fields::Node;
use super::kind::Kind;
use super::names::Class;
use super::sink::{Counts, Hit, Sink, Why};
use super::surface::header::{self, HeaderState};
use super::surface::json::Json;
use super::surface::lines::Lines;
use super::surface::multipart::Multipart;
use super::surface::value::VALUE_MAX;
use super::surface::{pairs, target};
use super::{Context, Core, Redacted, Redaction, Surface};

/// The reader of one surface with its state.
pub(crate) enum Machine<'r> {
    Lines(Lines<'r>),
    Json(Json<'r>),
    Header {
        state: HeaderState,
        node: Option<Node<'r>>,
    },
    Form {
        node: Option<Node<'r>>,
        named: Option<Class>,
        skipping: bool,
    },
    Multipart(Multipart),
    /// Paths and queries are short: read as one.
    Whole {
        surface: Surface,
        node: Option<Node<'r>>,
        done: bool,
    },
}

impl<'r> Machine<'r> {
    pub(crate) fn new(core: &'r Core, surface: Surface, context: Context<'_>) -> Self {
        let node = core.rules(context);
        match surface {
            Surface::Text => Self::Lines(Lines::new()),
            Surface::Json => Self::Json(Json::new(node, 0)),
            Surface::Header => Self::Header {
                state: HeaderState::default(),
                node,
            },
            Surface::Form => Self::Form {
                node,
                named: None,
                skipping: false,
            },
            Surface::Multipart => Self::Multipart(Multipart::new()),
            Surface::Query | Surface::Path => Self::Whole {
                surface,
                node,
                done: false,
            },
        }
    }

    pub(crate) fn run_all(&mut self, core: &'r Core, input: &[u8], sink: &mut Sink<'r>) {
        let mut at = 0;
        while at < input.len() {
            let used = self.consume(core, &input[at..], true, sink);
            if used == 0 {
                // Cannot happen at the end of the input; if it does, nothing raw gets out.
                sink.mask(Kind::Oversize, Why::Shape, b"");
                break;
            }
            at += used;
        }
    }

    fn consume(&mut self, core: &'r Core, input: &[u8], eof: bool, sink: &mut Sink<'r>) -> usize {
        match self {
            Self::Lines(lines) => lines.consume(core, input, eof, sink),
            Self::Json(json) => json.consume(core, input, eof, sink),
            Self::Multipart(multipart) => multipart.consume(core, input, eof, sink),
            Self::Header { state, node } => header_lines(core, input, eof, *node, sink, state),
            Self::Form {
                node,
                named,
                skipping,
            } => form(core, input, eof, sink, *node, named, skipping),
            Self::Whole {
                surface,
                node,
                done,
            } => {
                if *done {
                    return input.len();
                }
                if input.len() > VALUE_MAX {
                    sink.mask(Kind::Oversize, Why::Shape, b"");
                    *done = true;
                    return input.len();
                }
                if eof {
                    whole(core, *surface, *node, input, sink);
                    return input.len();
                }
                0
            }
        }
    }
}

fn header_lines<'r>(
    core: &'r Core,
    input: &[u8],
    eof: bool,
    node: Option<Node<'r>>,
    sink: &mut Sink<'r>,
    state: &mut HeaderState,
) -> usize {
    let mut at = 0;
    while at < input.len() {
        let rest = &input[at..];
        let (len, end) = match memchr::memchr(b'\n', rest) {
            Some(n) => (n, n + 1),
            None if eof => (rest.len(), rest.len()),
            // A line beyond the limit is masked whole when its end comes; only its length is held.
            None => break,
        };
        let line = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
        header::redact_line(core, line, node, sink, state);
        sink.keep(&rest[line.len()..end]);
        at += end;
    }
    at
}

fn form<'r>(
    core: &'r Core,
    input: &[u8],
    eof: bool,
    sink: &mut Sink<'r>,
    node: Option<Node<'r>>,
    named: &mut Option<Class>,
    skipping: &mut bool,
) -> usize {
    let mut at = 0;
    while at < input.len() {
        let rest = &input[at..];
        let found = memchr::memchr(b'&', rest);
        if *skipping {
            at += found.unwrap_or(rest.len());
            *skipping = found.is_none();
            if found.is_none() {
                break;
            }
            continue;
        }
        if found == Some(0) {
            sink.keep(b"&");
            at += 1;
            continue;
        }
        match found {
            Some(n) if n <= VALUE_MAX => {
                pairs::redact_pair(core, &rest[..n], node, sink, 0, named);
                at += n;
            }
            None if eof && rest.len() <= VALUE_MAX => {
                let line = rest.strip_suffix(b"\n").unwrap_or(rest);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                pairs::redact_pair(core, line, node, sink, 0, named);
                sink.keep(&rest[line.len()..]);
                at = input.len();
            }
            _ if rest.len() > VALUE_MAX => {
                sink.mask(Kind::Oversize, Why::Shape, b"");
                *skipping = true;
            }
            _ => break,
        }
    }
    at
}

fn whole<'r>(
    core: &'r Core,
    surface: Surface,
    node: Option<Node<'r>>,
    input: &[u8],
    sink: &mut Sink<'r>,
) {
    let line = input.strip_suffix(b"\n").unwrap_or(input);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let tail = &input[line.len()..];
    if !header::request_line(core, line, node, sink) {
        let target = line.starts_with(b"/") || target::looks_like_url(line);
        match surface {
            Surface::Path => target::redact_url(core, line, node, sink, 0),
            _ if target => target::redact_url(core, line, node, sink, 0),
            _ => {
                let query = match line.strip_prefix(b"?") {
                    Some(query) => {
                        sink.keep(b"?");
                        query
                    }
                    None => line,
                };
                pairs::redact_pairs(core, query, node, sink, 0);
            }
        }
    }
    sink.keep(tail);
}

/// A redaction in progress. Holds at most one unit of the surface (256 KiB, a line of 64 KiB).
pub struct Stream<'r> {
    core: &'r Core,
    machine: Machine<'r>,
    sink: Sink<'r>,
    pending: Vec<u8>,
    /// Do not try again before this many bytes are there: keeps tiny pieces linear.
    retry_at: usize,
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl<'r> Stream<'r> {
    pub(crate) fn new(core: &'r Core, surface: Surface, context: Context<'_>) -> Self {
        Self {
            core,
            machine: Machine::new(core, surface, context),
            sink: Sink::new(&core.masks, 1024, context.explain),
            pending: Vec::new(),
            retry_at: 0,
        }
    }

    /// Takes the next piece; answers what can be written now.
    pub fn push(&mut self, piece: &[u8]) -> Redacted<Vec<u8>> {
        self.pending.extend_from_slice(piece);
        if self.pending.len() >= self.retry_at {
            self.advance();
        }
        self.take()
    }

    fn advance(&mut self) {
        let mut at = 0;
        loop {
            let used = self
                .machine
                .consume(self.core, &self.pending[at..], false, &mut self.sink);
            at += used;
            if used == 0 || at >= self.pending.len() {
                break;
            }
        }
        self.pending.drain(..at);
        self.retry_at = self
            .pending
            .len()
            .saturating_mul(2)
            .min(self.pending.len() + VALUE_MAX);
    }

    fn take(&mut self) -> Redacted<Vec<u8>> {
        let out = std::mem::take(&mut self.sink.out);
        self.sink.flushed += out.len();
        Redacted(out)
    }

    /// The reasons noted since the last call, if the context asked for them. Offsets count from the
    /// start of the whole output.
    pub fn take_hits(&mut self) -> Vec<Hit> {
        self.sink
            .hits
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The tally of what was handed out so far.
    pub const fn counts(&self) -> &Counts {
        &self.sink.counts
    }

    /// Ends the input; answers the rest of the output and the tally of the whole.
    pub fn finish(mut self) -> Redaction {
        let pending = std::mem::take(&mut self.pending);
        self.machine.run_all(self.core, &pending, &mut self.sink);
        Redaction {
            bytes: Redacted(self.sink.out),
            counts: self.sink.counts,
            hits: self.sink.hits.unwrap_or_default(),
        }
    }
}
