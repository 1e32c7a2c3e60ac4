//! An OCSF Detection Finding (class 2004), schema 1.8.0
//! (<https://schema.ocsf.io/1.8.0/classes/detection_finding>). Rows of the ledger go out as API
//! Activity (6003), see `domain/ocsf`; their `metadata.uid` is what `related_events` names.

use serde_json::{Value, json};

use super::Sender;
use crate::domain::incident::{Case, Notice, NoticeKind, Severity, State, steps};

const CATEGORY: u32 = 2;
const CLASS: u32 = 2004;
/// `type_uid` of the calls behind it: API Activity, Other.
const CALL: u32 = 600_399;
/// Calls that are named.
const MAX_CALLS: usize = 100;

const fn activity(kind: NoticeKind) -> (u32, &'static str) {
    match kind {
        NoticeKind::Opened => (1, "Create"),
        NoticeKind::Raised | NoticeKind::Reminder | NoticeKind::Acknowledged => (2, "Update"),
        NoticeKind::Closed => (3, "Close"),
    }
}

const fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

const fn status(state: State) -> (u32, &'static str) {
    match state {
        State::Open => (1, "New"),
        State::Acknowledged => (2, "In Progress"),
        State::Closed => (4, "Resolved"),
    }
}

/// The finding.
pub fn finding(notice: &Notice, sender: &Sender) -> Value {
    let case = &notice.case;
    let (activity_id, activity_name) = activity(notice.kind);
    let (severity_id, severity) = severity(case.severity);
    let (status_id, status) = status(case.state);
    let is_alert = matches!(
        notice.kind,
        NoticeKind::Opened | NoticeKind::Raised | NoticeKind::Reminder
    );
    let mut finding = json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("Detection Finding: {activity_name}"),
        "time": notice.at.as_millis(),
        "start_time": case.since.as_millis(),
        "end_time": case.last_at.as_millis(),
        "timezone_offset": 0,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": is_alert,
        "message": case.sentence,
        "metadata": {
            "version": crate::domain::ocsf::VERSION,
            "uid": format!("{}/{}", case.id, notice.number),
            "log_name": "incidents",
            "log_provider": sender.installation,
            "product": { "name": "Egret", "vendor_name": "Egret", "version": sender.version },
        },
        "finding_info": info(case, notice, sender),
        "evidences": evidences(case),
        "remediation": { "desc": steps(case).join("\n") },
        "unmapped": { "environment": case.environment, "signs": case.signs, "rules": case.rules },
    });
    let Some(map) = finding.as_object_mut() else {
        return finding;
    };
    for (key, value) in [
        ("resources", resources(case)),
        ("observables", observables(case)),
        ("anomaly_analyses", anomaly(case)),
    ] {
        if let Value::Array(list) = &value
            && !list.is_empty()
        {
            map.insert(key.into(), value);
        }
    }
    finding
}

fn info(case: &Case, notice: &Notice, sender: &Sender) -> Value {
    let analytic =
        |rule: &String| json!({ "name": rule, "uid": rule, "type_id": 2, "type": "Behavioral" });
    let calls: Vec<Value> = case
        .calls
        .iter()
        .take(MAX_CALLS)
        .map(|call| json!({ "uid": call, "type": "API Activity: Other", "type_uid": CALL }))
        .collect();
    let mut info = json!({
        "uid": case.id,
        "title": case.category.title(),
        "desc": case.sentence,
        "types": [case.category],
        "created_time": case.opened_at.as_millis(),
        "modified_time": notice.at.as_millis(),
        "first_seen_time": case.since.as_millis(),
        "last_seen_time": case.last_at.as_millis(),
        "analytic": case.rules.keys().next().map(analytic),
        "related_analytics": case.rules.keys().skip(1).map(analytic).collect::<Vec<_>>(),
        "related_events": calls,
        "related_events_count": case.calls_named,
    });
    if let (Some(map), Some(link)) = (info.as_object_mut(), sender.link_to(notice)) {
        map.insert("src_url".into(), link.into());
    }
    info
}

/// Who did it from where: each pair is not known, so callers and addresses stand side by side.
fn evidences(case: &Case) -> Value {
    let callers = case
        .callers
        .first
        .iter()
        .map(|caller| json!({ "actor": { "app_name": caller } }));
    let ips = case
        .ips
        .first
        .iter()
        .map(|ip| json!({ "src_endpoint": { "ip": ip } }));
    let all: Vec<Value> = callers.chain(ips).collect();
    if all.is_empty() {
        // At least one attribute is wanted.
        return json!([{ "data": { "incident": case.id } }]);
    }
    all.into()
}

fn resources(case: &Case) -> Value {
    let of = |kind: &'static str, names: &[String]| -> Vec<Value> {
        names
            .iter()
            .map(|name| json!({ "uid": name, "type": kind }))
            .collect()
    };
    let mut all = of("customer", &case.subjects.first);
    all.extend(of("token", &case.tokens.first));
    all.extend(of("grantee", &case.targets.first));
    all.into()
}

fn observables(case: &Case) -> Value {
    let ips = case.ips.first.iter().map(|ip| {
        json!({ "name": "evidences[].src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": ip })
    });
    let ids = case.subjects.first.iter().chain(&case.tokens.first).map(|id| {
        json!({ "name": "resources[].uid", "type_id": 10, "type": "Resource UID", "value": id })
    });
    ips.chain(ids).collect::<Vec<_>>().into()
}

fn anomaly(case: &Case) -> Value {
    let Some(broken) = case.baseline else {
        return json!([]);
    };
    let attribute = format!("{} in {} s", case.category, broken.window_s);
    let observed = |value: f64| {
        json!([{
            "observation_type": "Frequency Analysis",
            "observed_attribute": attribute,
            "observations": [{ "value": format!("{value:.3}") }],
        }])
    };
    json!([{
        "analysis_target": { "name": case.callers.one().unwrap_or("gateway"), "type": "Application Component" },
        "anomalies": observed(broken.count),
        "baselines": observed(broken.expected),
    }])
}
