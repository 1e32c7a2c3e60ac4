//! What is kept of a call: redacted heads, and the beginnings of redacted bodies.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use serde::Serialize;

use super::raw::{MAX_RAW, RawBody, RawExchange, RawHead};
use crate::domain::config::{CaptureBodies, CaptureRule};
use crate::domain::redact::{Context, Counts, Redacted, Redactor, Surface};
use crate::types::{CallId, Micros};

/// Most bytes of a redacted head. The gateway takes heads of 64 KiB at most by default.
const MAX_HEAD: usize = 64 * 1024;

/// Unfolded at a time.
const UNFOLD_PIECE: usize = 8 * 1024;

/// Which call a capture is of.
#[derive(Clone)]
pub struct About {
    /// Its id.
    pub call_id: CallId,
    /// The provider.
    pub provider: Arc<str>,
    /// The operation, if the request matched one.
    pub operation: Option<Arc<str>>,
    /// When the call was over.
    pub captured_at: Micros,
}

/// A capture. Everything in it that came from a caller or a bank has been redacted.
#[derive(Serialize)]
pub struct Document {
    call_id: String,
    provider: Arc<str>,
    operation: Option<Arc<str>>,
    captured_at: String,
    request: Option<Side>,
    response: Option<Side>,
    #[serde(skip)]
    masked: Counts,
}

/// Request or answer.
#[derive(Serialize)]
pub struct Side {
    head: Redacted<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Body>,
}

/// The beginning of a body.
#[derive(Serialize)]
pub struct Body {
    /// What is shown of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Redacted<String>>,
    /// `whole`, `cut` (there was more), `incomplete` (it was cut off on its way), or why nothing
    /// is shown.
    state: &'static str,
    /// Bytes that passed.
    bytes: u64,
}

impl Document {
    /// Redacts what was gathered of a call.
    pub fn make(redactor: &Redactor, rule: &CaptureRule, about: &About, raw: &RawExchange) -> Self {
        let mut maker = Maker {
            redactor,
            about,
            rule,
            masked: Counts::default(),
        };
        let request = maker.side(raw.request_head.as_ref(), &raw.request);
        let response = maker.side(raw.response_head.as_ref(), &raw.response);
        Self {
            call_id: about.call_id.to_string(),
            provider: Arc::clone(&about.provider),
            operation: about.operation.clone(),
            captured_at: about.captured_at.to_string(),
            request,
            response,
            masked: maker.masked,
        }
    }

    /// What was masked in it, also in what was cut off afterwards.
    pub const fn masked(&self) -> &Counts {
        &self.masked
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Texts and numbers only: it cannot fail, and if it did nothing would be shown.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

struct Maker<'m> {
    redactor: &'m Redactor,
    about: &'m About,
    rule: &'m CaptureRule,
    masked: Counts,
}

impl<'m> Maker<'m> {
    fn context(&self) -> Context<'m> {
        Context {
            api: Some(&self.about.provider),
            operation: self.about.operation.as_deref(),
            explain: false,
        }
    }

    fn side(&mut self, head: Option<&RawHead>, body: &RawBody) -> Option<Side> {
        let head = head?;
        let redacted = self
            .redactor
            .redact(Surface::Header, head.bytes(), self.context());
        self.masked.merge(&redacted.counts);
        let wants_body = self.rule.bodies == CaptureBodies::Excerpt && body.seen() > 0;
        Some(Side {
            head: redacted.bytes.into_text().truncate(MAX_HEAD),
            body: wants_body.then(|| self.body(head, body)),
        })
    }

    fn body(&mut self, head: &RawHead, raw: &RawBody) -> Body {
        let shown = |text, state| Body {
            text,
            state,
            bytes: raw.seen(),
        };
        if self.about.operation.is_none() {
            // Without field rules a number in a sentence cannot be told from an account's.
            return shown(None, "not captured: unknown operation");
        }
        let Some(surface) = surface(head.value("content-type"), raw.bytes()) else {
            return shown(None, "not captured: not a text");
        };
        let unfolded = match head.value("content-encoding") {
            None => None,
            Some(coding) if coding.eq_ignore_ascii_case("identity") => None,
            Some(coding) if coding.eq_ignore_ascii_case("gzip") => Some(unfold(raw.bytes())),
            Some(_) => return shown(None, "not captured: encoding"),
        };
        let (bytes, is_whole) = match &unfolded {
            None => (raw.bytes(), raw.is_whole()),
            Some((bytes, ended)) => (bytes.as_slice(), *ended && raw.is_whole()),
        };
        let (text, is_cut) = self.excerpt(surface, bytes, is_whole);
        let state = match (is_cut, is_whole) {
            (true, _) => "cut",
            (false, true) => "whole",
            (false, false) if bytes.len() >= MAX_RAW => "cut",
            (false, false) => "incomplete",
        };
        shown(Some(text), state)
    }

    /// Redacts as a stream until enough came out. Of bytes that are not whole, the end that the
    /// redactor has not decided on is left out: half a secret is not recognised as one.
    fn excerpt(
        &mut self,
        surface: Surface,
        bytes: &[u8],
        is_whole: bool,
    ) -> (Redacted<String>, bool) {
        let max = self.rule.max_bytes;
        let mut stream = self.redactor.stream(surface, self.context());
        let mut out = Redacted::<Vec<u8>>::default();
        for piece in bytes.chunks(UNFOLD_PIECE) {
            out.append(stream.push(piece));
            if out.get().len() > max {
                self.masked.merge(stream.counts());
                return (out.into_text().truncate(max), true);
            }
        }
        if is_whole {
            let rest = stream.finish();
            out.append(rest.bytes);
            self.masked.merge(&rest.counts);
        } else {
            self.masked.merge(stream.counts());
        }
        let is_cut = out.get().len() > max;
        (out.into_text().truncate(max), is_cut)
    }
}

/// How a body is to be read; `None` for files.
fn surface(content_type: Option<&str>, bytes: &[u8]) -> Option<Surface> {
    let Some(content_type) = content_type else {
        // Error bodies of infrastructure often have no type; JSON is read most strictly.
        return std::str::from_utf8(bytes).is_ok().then_some(Surface::Json);
    };
    let surface = Surface::of_content_type(content_type);
    let is_text = content_type
        .trim_start()
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    (surface != Surface::Text || is_text).then_some(surface)
}

/// Undoes gzip, at most [`MAX_RAW`] bytes of it; says whether it came to its end.
fn unfold(bytes: &[u8]) -> (Vec<u8>, bool) {
    // 15 bits of window: the largest that gzip allows (RFC 1952 with RFC 1951).
    let mut machine = Decompress::new_gzip(15);
    let mut out = Vec::new();
    let mut piece = [0; UNFOLD_PIECE];
    loop {
        let read = usize::try_from(machine.total_in()).unwrap_or(usize::MAX);
        let before = machine.total_out();
        let rest = bytes.get(read..).unwrap_or_default();
        let status = machine.decompress(rest, &mut piece, FlushDecompress::None);
        let written = usize::try_from(machine.total_out() - before).unwrap_or(0);
        out.extend_from_slice(piece.get(..written).unwrap_or_default());
        let advanced = machine.total_in() > read as u64 || written > 0;
        match status {
            Ok(Status::StreamEnd) => return (out, true),
            Ok(_) if advanced && out.len() < MAX_RAW => {}
            _ => return (out, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    const CARD: &str = "4111111111111111";

    fn rule(bodies: CaptureBodies, max_bytes: usize) -> CaptureRule {
        CaptureRule {
            provider: "cybrid".into(),
            operations: Vec::new(),
            bodies,
            max_bytes,
            retention: Duration::from_secs(60),
            sample: 1,
        }
    }

    fn about() -> About {
        About {
            call_id: CallId::floor(1),
            provider: "cybrid".into(),
            operation: Some("bank.create_trade".into()),
            captured_at: Micros(1),
        }
    }

    fn capture(rule: &CaptureRule, fields: &[(&str, &str)], body: &[u8], end: bool) -> String {
        let mut head = RawHead::request("POST", b"/api/trades?token=Zq7fake9token8canary7x&page=2");
        for (name, value) in fields {
            head.field(name, value.as_bytes());
        }
        let mut raw = RawExchange {
            request_head: Some(head),
            ..RawExchange::default()
        };
        raw.request.push(body, end);
        let document = Document::make(&Redactor::default(), rule, &about(), &raw);
        String::from_utf8(document.to_json()).unwrap()
    }

    #[test]
    fn heads_are_kept_without_credentials_and_bodies_only_if_wanted() {
        let fields = [
            ("Authorization", "Bearer Zq7fake9token8canary7x"),
            ("Proxy-Authorization", "Bearer egret_Zq7fake9token8canary7x"),
            ("Content-Type", "application/json"),
        ];
        let out = capture(
            &rule(CaptureBodies::None, 1024),
            &fields,
            b"{\"a\":1}",
            true,
        );
        assert!(
            out.contains("POST /api/trades") && out.contains("page=2"),
            "{out}"
        );
        assert!(
            out.contains("Authorization: Bearer [redacted:bearer]"),
            "{out}"
        );
        assert!(
            !out.contains("canary") && !out.contains("\"body\""),
            "{out}"
        );
    }

    #[test]
    fn bodies_are_redacted_before_they_are_cut() {
        let body = format!("{{\"card_number\":\"{CARD}\",\"amount\":7,\"status\":\"ok\"}}");
        let fields = [("Content-Type", "application/json")];
        for max in 0..body.len() + 40 {
            let out = capture(
                &rule(CaptureBodies::Excerpt, max),
                &fields,
                body.as_bytes(),
                true,
            );
            assert!(!out.contains("4111"), "{max}: {out}");
        }
        let whole = capture(
            &rule(CaptureBodies::Excerpt, 1024),
            &fields,
            body.as_bytes(),
            true,
        );
        assert!(
            whole.contains("[redacted:card]") && whole.contains("\"whole\""),
            "{whole}"
        );
    }

    #[test]
    fn a_body_that_was_cut_off_shows_nothing_undecided() {
        let body = format!("{{\"amount\":7,\"note\":\"{CARD}\"}}");
        let fields = [("Content-Type", "application/json")];
        for end in 0..body.len() {
            let rule = rule(CaptureBodies::Excerpt, 1024);
            let out = capture(&rule, &fields, &body.as_bytes()[..end], false);
            assert!(!out.contains("4111"), "{end}: {out}");
        }
    }

    #[test]
    fn compressed_bodies_are_read_through_and_other_encodings_are_not() {
        let body = format!("{{\"card_number\":\"{CARD}\",\"amount\":7}}");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(body.as_bytes()).unwrap();
        let packed = gzip.finish().unwrap();
        let rule = rule(CaptureBodies::Excerpt, 1024);
        let json = ("Content-Type", "application/json");
        let out = capture(&rule, &[json, ("Content-Encoding", "gzip")], &packed, true);
        assert!(
            out.contains("[redacted:card]") && out.contains("whole"),
            "{out}"
        );
        let out = capture(&rule, &[json, ("Content-Encoding", "br")], &packed, true);
        assert!(out.contains("not captured: encoding"), "{out}");
        let file = [("Content-Type", "application/pdf")];
        let out = capture(&rule, &file, b"%PDF-1.7 Ada Lovelace", true);
        assert!(
            out.contains("not captured: not a text") && !out.contains("Ada"),
            "{out}"
        );
    }

    #[test]
    fn a_bomb_is_unfolded_so_far_and_no_further() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b' '; 50 * MAX_RAW]).unwrap();
        let (out, ended) = unfold(&gzip.finish().unwrap());
        assert!(out.len() < MAX_RAW + 2 * UNFOLD_PIECE && !ended);
    }
}
