//! Watches one body.

use std::sync::Arc;

use super::plan::{Fields, Plan, Use};
use crate::domain::keyring::{FingerprintStream, Keyring};
use crate::domain::record::{CallRecord, Fact, Fingerprint, Subject, SubjectRole};
use crate::domain::tap::{FormTap, JsonTap, TapSink, ValueKind};
use crate::types::Secret;

/// Longest value that is kept, in bytes. The longest shape (a list of scopes) fits; error
/// messages are read for the code at their start.
const MAX_VALUE: usize = 256;

/// Longest token that is kept to read its claims, in bytes. A bank token with every scope is near
/// 2.9 KB. Longer tokens are fingerprinted all the same.
const MAX_TOKEN: usize = 8 * 1024;

/// Values kept of one body, over all paths: arrays can repeat a path without end.
const MAX_VALUES: usize = 64;

/// A token that passed by.
pub struct MintedToken {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token, if it was short enough to be kept.
    pub token: Option<Secret<Vec<u8>>>,
}

/// What one body said.
#[derive(Default)]
pub struct Observations {
    /// Values by path, in the order in which they came.
    values: Vec<(usize, ValueKind, Secret<Vec<u8>>)>,
    /// Tokens.
    pub tokens: Vec<MintedToken>,
    /// Seconds that the token lives.
    pub expires_in: Option<u64>,
}

/// Watches one body as it streams by.
pub struct Observer {
    plan: Arc<Plan>,
    tap: Tap,
    sink: Sink,
}

enum Tap {
    Json(JsonTap),
    Form(FormTap),
}

struct Sink {
    plan: Arc<Plan>,
    keyring: Arc<Keyring>,
    current: Vec<u8>,
    stream: Option<FingerprintStream>,
    token_too_long: bool,
    observations: Observations,
}

impl Observer {
    /// Starts to watch a body.
    pub fn new(plan: &Arc<Plan>, keyring: &Arc<Keyring>) -> Self {
        let tap = match &plan.fields {
            Fields::Json(paths) => Tap::Json(JsonTap::new(Arc::clone(paths))),
            Fields::Form(names) => Tap::Form(FormTap::new(Arc::clone(names))),
        };
        Self {
            plan: Arc::clone(plan),
            tap,
            sink: Sink {
                plan: Arc::clone(plan),
                keyring: Arc::clone(keyring),
                current: Vec::new(),
                stream: None,
                token_too_long: false,
                observations: Observations::default(),
            },
        }
    }

    /// Takes the next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) {
        match &mut self.tap {
            Tap::Json(tap) => tap.feed(piece, &mut self.sink),
            Tap::Form(tap) => tap.feed(piece, &mut self.sink),
        }
    }

    /// The body has ended: writes what was seen into the record, and gives the rest. Of a body
    /// that was cut off (`whole` is false), values that were complete count.
    pub fn finish(
        mut self,
        whole: bool,
        role: SubjectRole,
        record: &mut CallRecord,
    ) -> Observations {
        match &mut self.tap {
            Tap::Json(tap) => drop(tap.finish(&mut self.sink)),
            // Nothing in a form says that its last value is complete but the end of the body.
            Tap::Form(tap) if whole => drop(tap.finish(&mut self.sink)),
            Tap::Form(_) => {}
        }
        let Sink {
            keyring,
            mut observations,
            ..
        } = self.sink;
        let mut best_code: Option<(usize, Box<str>)> = None;
        for (index, kind, value) in std::mem::take(&mut observations.values) {
            for used in self.plan.uses.get(index).into_iter().flatten() {
                let text = match kind {
                    ValueKind::True => "true",
                    ValueKind::False => "false",
                    _ => std::str::from_utf8(value.expose()).unwrap_or_default(),
                };
                match used {
                    Use::Present(name) => push_fact(record, name, "true"),
                    _ if kind == ValueKind::Null || text.is_empty() => {}
                    Use::Fact(name, shape) if shape.fits(text) => push_fact(record, name, text),
                    Use::Subject(of) => record.add_subject(Subject {
                        kind: Arc::clone(of),
                        role,
                        pseudonym: Some(keyring.pseudonym(of, text.as_bytes())),
                    }),
                    Use::ErrorCode(rank, rule) => {
                        if best_code.as_ref().is_none_or(|(best, _)| rank < best) {
                            best_code = Some((*rank, rule.code(text).into()));
                        }
                    }
                    Use::ExpiresIn => observations.expires_in = text.parse().ok(),
                    Use::Fact(..) | Use::Token => {}
                }
            }
        }
        if let Some((_, code)) = best_code {
            record.error_code = Some(code);
        }
        observations
    }
}

impl Observations {
    /// A secret that the caller sends to be made into a session (Wyre) is its credential, unless
    /// there is another.
    pub fn note_credential(&self, record: &mut CallRecord) {
        if let Some(token) = self.tokens.first() {
            record
                .credential
                .fingerprint
                .get_or_insert(token.fingerprint);
        }
    }
}

fn push_fact(record: &mut CallRecord, name: &Arc<str>, value: &str) {
    record.add_fact(Fact {
        name: Arc::clone(name),
        value: value.into(),
    });
}

impl Sink {
    fn is_token(&self, index: usize) -> bool {
        self.plan
            .uses
            .get(index)
            .is_some_and(|uses| uses.iter().any(|used| matches!(used, Use::Token)))
    }
}

impl TapSink for Sink {
    fn piece(&mut self, index: usize, piece: &[u8]) {
        let limit = if self.is_token(index) {
            self.stream
                .get_or_insert_with(|| self.keyring.fingerprint_stream())
                .update(piece);
            MAX_TOKEN
        } else {
            MAX_VALUE
        };
        let room = limit.saturating_sub(self.current.len());
        self.token_too_long |= piece.len() > room;
        self.current
            .extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn end(&mut self, index: usize, kind: ValueKind) {
        let value = Secret::new(std::mem::take(&mut self.current));
        let too_long = std::mem::take(&mut self.token_too_long);
        if let Some(stream) = self.stream.take() {
            if kind == ValueKind::String && self.observations.tokens.len() < MAX_VALUES {
                self.observations.tokens.push(MintedToken {
                    fingerprint: stream.finish(),
                    token: (!too_long).then_some(value),
                });
            }
        } else if self.observations.values.len() < MAX_VALUES {
            self.observations.values.push((index, kind, value));
        }
    }
}
