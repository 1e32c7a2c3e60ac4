//! Slack-compatible incoming webhooks: `text` for notifications and for those that know no blocks
//! (Mattermost, Rocket.Chat), `blocks` for Slack (<https://docs.slack.dev/reference/block-kit>).

use serde_json::{Value, json};

use super::{Sender, cut, headline};
use crate::domain::incident::text as words;
use crate::domain::incident::{Notice, NoticeKind, Severity, steps};

/// Header blocks hold 150 characters, sections 3,000, fields 2,000 and 10 of them (Block Kit
/// reference). Escaping makes texts longer, so less is used.
const HEADER: usize = 140;
const SECTION: usize = 2_400;
const FIELD: usize = 300;

/// `&`, `<` and `>` are Slack's markup: `<!channel>` would wake everybody.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn mark(notice: &Notice) -> &'static str {
    match (notice.kind, notice.case.severity) {
        (NoticeKind::Closed, _) => ":white_check_mark:",
        (NoticeKind::Acknowledged, _) => ":eyes:",
        (_, Severity::Critical | Severity::High) => ":red_circle:",
        (_, Severity::Medium) => ":large_orange_circle:",
        (_, Severity::Low | Severity::Info) => ":large_blue_circle:",
    }
}

/// The message.
pub fn body(notice: &Notice, sender: &Sender) -> Vec<u8> {
    let case = &notice.case;
    let mut fields = vec![
        field("Incident", &case.id),
        field("Severity", case.severity.as_str()),
    ];
    for (title, found) in [
        ("Caller", &case.callers),
        ("Address", &case.ips),
        ("Token", &case.tokens),
        ("Grantee", &case.targets),
    ] {
        if !found.first.is_empty() {
            fields.push(field(title, &words::names(found)));
        }
    }
    if let Some(text) = words::baseline(case) {
        fields.push(field("Baseline", &text));
    }
    fields.push(field("Since", &words::moment(case.since)));
    let mut blocks = vec![
        json!({
            "type": "header",
            "text": { "type": "plain_text", "text": cut(case.category.title(), HEADER), "emoji": false },
        }),
        section(&format!("{} {}", mark(notice), escape(&headline(notice)))),
        json!({ "type": "section", "fields": fields }),
    ];
    if matches!(notice.kind, NoticeKind::Opened | NoticeKind::Raised) {
        let lines: Vec<String> = steps(case)
            .iter()
            .map(|step| format!("• {}", escape(step)))
            .collect();
        blocks.push(section(&lines.join("\n")));
    }
    let origin = match sender.link_to(notice) {
        Some(link) => format!(
            "Egret at {} · <{}|{}>",
            escape(&sender.installation),
            escape(&link),
            case.id
        ),
        None => format!("Egret at {}", escape(&sender.installation)),
    };
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": origin }] }));
    json!({ "text": escape(&headline(notice)), "blocks": blocks })
        .to_string()
        .into_bytes()
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, SECTION) } })
}

fn field(title: &str, text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": format!("*{title}*\n{}", escape(&cut(text, FIELD))) })
}
