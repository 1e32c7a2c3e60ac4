//! Prometheus Alertmanager, API v2 (`POST /api/v2/alerts`,
//! <https://prometheus.io/docs/alerting/latest/alerts_api/>).
//!
//! Labels are an alert's identity there. An incident that becomes worse is therefore another
//! alert: the former one is ended in the same request.

use std::time::Duration;

use serde_json::{Value, json};

use super::Sender;
use crate::domain::incident::{Notice, NoticeKind, Severity, steps};
use crate::types::Micros;

/// How long an alert lives that nobody ends, should Egret not be there to do it: without an end
/// Alertmanager would end it after its `resolve_timeout` of five minutes.
const LIVES: Duration = Duration::from_secs(86_400);

/// The alerts.
pub fn body(notice: &Notice, sender: &Sender) -> Vec<u8> {
    let case = &notice.case;
    let end = match notice.kind {
        NoticeKind::Closed => case.closed_at.unwrap_or(notice.at),
        _ => notice.at.max(case.last_at).plus(LIVES),
    };
    let mut alerts = Vec::new();
    if let (NoticeKind::Raised, Some(was)) = (notice.kind, notice.was) {
        alerts.push(alert(notice, sender, was, notice.at));
    }
    alerts.push(alert(notice, sender, case.severity, end));
    Value::Array(alerts).to_string().into_bytes()
}

fn alert(notice: &Notice, sender: &Sender, severity: Severity, end: Micros) -> Value {
    let case = &notice.case;
    json!({
        "labels": {
            "alertname": "EgretIncident",
            "incident": case.id,
            "installation": sender.installation,
            "severity": severity,
        },
        "annotations": {
            "summary": case.sentence,
            "description": steps(case).join("\n"),
            "category": case.category,
            "caller": case.callers.one().unwrap_or_default(),
            "environment": case.environment,
        },
        "startsAt": case.since.to_string(),
        "endsAt": end.to_string(),
        "generatorURL": sender.link_to(notice).unwrap_or_default(),
    })
}
