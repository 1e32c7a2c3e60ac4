//! Notices in the forms that others read: what is sent, byte for byte. Sending is elsewhere.
//!
//! One file per form, each with its source. A builder is a function from a [`Notice`] and the
//! [`Sender`] to bytes; secrets (routing keys, signing keys) go in at the last moment and only
//! into what is sent, never into what is kept.

pub mod alertmanager;
pub mod mail;
pub mod ocsf;
pub mod pagerduty;
pub mod slack;
pub mod syslog;
#[cfg(test)]
mod tests;
pub mod webhook;

use crate::domain::incident::{Notice, NoticeKind};

/// Who tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The installation, as in `egret.example.com`: letters, digits, dots and hyphens.
    pub installation: String,
    /// Version of Egret.
    pub version: String,
    /// Where people find the incident, if there is such a place; the id is put behind it.
    pub link: Option<String>,
}

impl Sender {
    fn link_to(&self, notice: &Notice) -> Option<String> {
        let base = self.link.as_deref()?.trim_end_matches('/');
        Some(format!("{base}/{}", notice.case.id))
    }
}

/// One line for people: what it is and how it goes.
fn headline(notice: &Notice) -> String {
    let case = &notice.case;
    let severity = case.severity.as_str();
    match notice.kind {
        NoticeKind::Opened => format!("[{severity}] {}", case.sentence),
        NoticeKind::Raised => format!(
            "[{severity}, was {}] {}",
            notice.was.map_or("lower", |was| was.as_str()),
            case.sentence
        ),
        NoticeKind::Reminder => format!("[{severity}, goes on] {}", case.sentence),
        NoticeKind::Acknowledged => format!("[taken] {}", case.sentence),
        NoticeKind::Closed => format!("[over] {}", case.sentence),
    }
}

/// The first so many characters, and a sign that there were more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}
