//! PagerDuty Events API v2 (`POST https://events.pagerduty.com/v2/enqueue`,
//! <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>).

use serde_json::{Value, json};

use super::{Sender, cut};
use crate::domain::incident::{Notice, NoticeKind, Severity, steps, view};
use crate::types::Secret;

/// Longest `payload.summary`.
const SUMMARY: usize = 1_024;
/// Longest `dedup_key`.
const DEDUP_KEY: usize = 255;

/// Where events go.
pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

/// The event without its routing key: what may be kept.
pub fn event(notice: &Notice, sender: &Sender) -> Value {
    let case = &notice.case;
    let dedup_key = cut(
        &format!("egret/{}/{}", sender.installation, case.id),
        DEDUP_KEY,
    );
    let action = match notice.kind {
        NoticeKind::Opened | NoticeKind::Raised | NoticeKind::Reminder => "trigger",
        NoticeKind::Acknowledged => "acknowledge",
        NoticeKind::Closed => "resolve",
    };
    let mut event = json!({ "event_action": action, "dedup_key": dedup_key });
    if action != "trigger" {
        return event;
    }
    let Some(map) = event.as_object_mut() else {
        return event;
    };
    map.insert(
        "payload".into(),
        json!({
            "summary": cut(&case.sentence, SUMMARY),
            "source": sender.installation,
            "severity": severity(case.severity),
            "timestamp": case.last_at.to_string(),
            "component": case.callers.one().unwrap_or("gateway"),
            "group": if case.environment.is_empty() { "egret" } else { case.environment.as_str() },
            "class": case.category,
            "custom_details": { "incident": view(case), "steps": steps(case) },
        }),
    );
    map.insert("client".into(), "Egret".into());
    if let Some(link) = sender.link_to(notice) {
        map.insert("client_url".into(), link.clone().into());
        map.insert("links".into(), json!([{ "href": link, "text": case.id }]));
    }
    event
}

/// The event as it is sent. It holds the routing key.
pub fn body(notice: &Notice, sender: &Sender, routing_key: &Secret<String>) -> Secret<Vec<u8>> {
    let mut event = event(notice, sender);
    if let Some(map) = event.as_object_mut() {
        map.insert("routing_key".into(), routing_key.expose().as_str().into());
    }
    Secret::new(event.to_string().into_bytes())
}
