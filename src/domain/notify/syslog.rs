//! A syslog message (RFC 5424), framed for a stream by its length (RFC 6587 section 3.4.1).

use super::{Sender, headline};
use crate::domain::incident::{Notice, Severity};
use crate::types::Micros;

/// Facility 10: security and authorization messages.
const FACILITY: u8 = 10;
/// Longest HOSTNAME.
const HOSTNAME: usize = 255;
/// The enterprise number that is reserved for documentation (RFC 5612): Egret has none of its own.
const SD_ID: &str = "incident@32473";

const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    }
}

/// What follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A sentence.
    Sentence,
    /// An OCSF Detection Finding as JSON.
    Ocsf,
}

/// The message, without framing.
pub fn message(notice: &Notice, sender: &Sender, content: Content, now: Micros) -> Vec<u8> {
    let case = &notice.case;
    let priority = FACILITY * 8 + severity(case.severity);
    let host: String = sender
        .installation
        .chars()
        .filter(char::is_ascii_graphic)
        .take(HOSTNAME)
        .collect();
    let host = if host.is_empty() { "-" } else { &host };
    let mut data = String::new();
    for (name, value) in [
        ("id", case.id.as_str()),
        ("state", case.state.as_str()),
        ("severity", case.severity.as_str()),
        ("category", case.category.as_str()),
        ("caller", case.callers.one().unwrap_or_default()),
        ("ip", case.ips.one().unwrap_or_default()),
        ("environment", case.environment.as_str()),
    ] {
        if !value.is_empty() {
            data.push_str(&format!(" {name}=\"{}\"", escape(value)));
        }
    }
    let text = match content {
        Content::Sentence => headline(notice),
        Content::Ocsf => super::ocsf::finding(notice, sender).to_string(),
    };
    // The byte order mark says that the text is UTF-8 (section 6.4).
    format!(
        "<{priority}>1 {now} {host} egret - {} [{SD_ID}{data}] \u{feff}{text}",
        notice.kind.as_str()
    )
    .into_bytes()
}

/// The message with its length before it, for TCP and TLS.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = format!("{} ", message.len()).into_bytes();
    out.extend_from_slice(message);
    out
}

/// Values of parameters: `"`, `\` and `]` are escaped (section 6.3.3).
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}
