use serde_json::Value;

use super::*;
use crate::domain::incident::{Act, Baseline, Book, Category, Settings, Severity, Sign};
use crate::types::{Micros, Secret};

fn at(minutes: i64) -> Micros {
    Micros::from_secs(1_795_305_600 + minutes * 60)
}

fn sign(minutes: i64) -> Sign {
    Sign {
        at: at(minutes),
        since: at(minutes - 1),
        rule: "cold-mints".into(),
        category: Category::MintUnused,
        severity: Severity::Medium,
        cause: None,
        environment: "production".into(),
        caller: "kite-web".into(),
        ip: "240.0.0.1".into(),
        subject: "5d1d000000000001".into(),
        token: "00ff00ff00ff00ff".into(),
        target: String::new(),
        baseline: Some(Baseline {
            count: 412.0,
            expected: 1.25,
            window_s: 600,
            score: 40.0,
            threshold: 14.0,
        }),
        calls: vec!["01990000-0000-7000-8000-000000000001".into()],
        sentence: "kite-web minted 412 tokens <!channel> & used none.".into(),
    }
}

fn sender() -> Sender {
    Sender {
        installation: "egret.example.com".into(),
        version: "0.1.0".into(),
        link: Some("https://egret.example.com/incidents/".into()),
    }
}

/// A whole life: opened, raised, acknowledged, closed.
fn life() -> Vec<Notice> {
    let mut book = Book::new(Settings::default());
    let mut notices = book.take(&sign(0));
    notices.extend(book.take(&Sign {
        severity: Severity::High,
        rule: "sweep".into(),
        ..sign(5)
    }));
    let id = notices[0].case.id.clone();
    notices.extend(
        book.act(Act::Acknowledge { id: id.clone() }, "dora", at(6))
            .unwrap(),
    );
    notices.extend(
        book.act(
            Act::Close {
                id,
                reason: "load test".into(),
            },
            "dora",
            at(30),
        )
        .unwrap(),
    );
    assert_eq!(notices.len(), 4);
    notices
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_webhook_signs_as_the_published_vector() {
    // Reference vector of Standard Webhooks, as in its libraries' tests.
    let key = webhook::SigningKey::parse(&Secret::new(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
    ))
    .unwrap();
    assert_eq!(
        key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#
        ),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
    assert!(!format!("{key:?}").contains("MfKQ"));
    for wrong in ["whsec_", "whsec_AAAA", "not base64!", ""] {
        assert_eq!(
            webhook::SigningKey::parse(&Secret::new(wrong.into())).unwrap_err(),
            webhook::KeyFault
        );
    }
}

#[test]
fn the_webhook_says_everything_and_has_one_id_for_every_try() {
    let notices = life();
    let body = webhook::body(&notices[0], &sender());
    assert!(body.len() < 20_000);
    let value = parse(&body);
    assert_eq!(value["type"], "incident.opened");
    assert_eq!(value["timestamp"], "2026-11-22T00:00:00.000000Z");
    assert_eq!(value["data"]["id"], "inc-20261122-0001");
    assert_eq!(value["data"]["since"], "2026-11-21T23:59:00.000000Z");
    assert_eq!(value["data"]["callers"]["first"][0], "kite-web");
    assert_eq!(value["data"]["baseline"]["count"], 412.0);
    assert_eq!(
        value["link"],
        "https://egret.example.com/incidents/inc-20261122-0001"
    );
    let id = webhook::id(&notices[0], &sender());
    assert_eq!(id, "egret-example-com_inc-20261122-0001_1");
    assert_ne!(id, webhook::id(&notices[1], &sender()));
    let keys: Vec<_> = ["A", "B"]
        .map(|c| {
            webhook::SigningKey::parse(&Secret::new(format!("whsec_{}", c.repeat(32)))).unwrap()
        })
        .into_iter()
        .collect();
    let headers = webhook::headers(&id, at(1), &body, &keys);
    assert_eq!(headers[2], ("webhook-timestamp", "1795305660".to_owned()));
    assert_eq!(headers[3].1.split(' ').count(), 2);
    assert_eq!(webhook::headers(&id, at(1), &body, &[]).len(), 3);
}

#[test]
fn slack_is_escaped_and_within_its_limits() {
    let mut long = sign(0);
    long.sentence = "<&>".repeat(400);
    let long = Book::new(Settings::default()).take(&long).remove(0);
    for notice in life().into_iter().chain([long]) {
        let value = parse(&slack::body(&notice, &sender()));
        let text = value.to_string();
        assert!(!text.contains("<!channel>"), "{text}");
        for block in value["blocks"].as_array().unwrap() {
            if let Some(text) = block["text"]["text"].as_str() {
                let most = if block["type"] == "header" {
                    150
                } else {
                    3_000
                };
                assert!(text.chars().count() <= most);
            }
            for field in block["fields"].as_array().into_iter().flatten() {
                assert!(field["text"].as_str().unwrap().chars().count() <= 2_000);
            }
            assert!(
                block["fields"]
                    .as_array()
                    .is_none_or(|fields| fields.len() <= 10)
            );
        }
        assert!(value["text"].as_str().unwrap().starts_with('['));
    }
}

#[test]
fn pagerduty_opens_acknowledges_and_resolves_one_alert() {
    let key = Secret::new("r0uting".to_owned());
    let events: Vec<Value> = life()
        .iter()
        .map(|notice| parse(pagerduty::body(notice, &sender(), &key).expose()))
        .collect();
    let actions: Vec<_> = events
        .iter()
        .map(|event| event["event_action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
    assert!(
        events
            .iter()
            .all(|event| event["dedup_key"] == "egret/egret.example.com/inc-20261122-0001")
    );
    assert!(events.iter().all(|event| event["routing_key"] == "r0uting"));
    assert_eq!(events[0]["payload"]["severity"], "warning");
    assert_eq!(events[1]["payload"]["severity"], "error");
    assert_eq!(events[0]["payload"]["component"], "kite-web");
    assert!(events[2].get("payload").is_none());
    assert!(
        !pagerduty::event(&life()[0], &sender())
            .to_string()
            .contains("r0uting")
    );
}

#[test]
fn alertmanager_ends_the_milder_alert_when_it_becomes_worse() {
    let notices = life();
    let opened = parse(&alertmanager::body(&notices[0], &sender()));
    let raised = parse(&alertmanager::body(&notices[1], &sender()));
    let closed = parse(&alertmanager::body(&notices[3], &sender()));
    assert_eq!(opened[0]["labels"]["alertname"], "EgretIncident");
    assert_eq!(opened[0]["labels"]["severity"], "medium");
    // Ended in the request that opens the worse one; labels are otherwise the same.
    assert_eq!(raised[0]["labels"], opened[0]["labels"]);
    assert_eq!(raised[0]["endsAt"], at(5).to_string());
    assert_eq!(raised[1]["labels"]["severity"], "high");
    assert_eq!(closed[0]["labels"], raised[1]["labels"]);
    assert_eq!(closed[0]["endsAt"], at(30).to_string());
    assert_eq!(opened[0]["startsAt"], closed[0]["startsAt"]);
}

#[test]
fn mail_is_one_thread_of_seven_bit_lines() {
    let from = mail::Address::parse("egret@example.com").unwrap();
    let to = [
        mail::Address::parse("soc@example.com").unwrap(),
        mail::Address::parse("dora@example.com").unwrap(),
    ];
    let notices = life();
    let mut odd = notices[1].clone();
    odd.case.sentence = "Kundenschlüssel für ".to_owned()
        + &"Überweisungen ".repeat(9)
        + "\r\nBcc: everybody@example.com";
    for (notice, number) in notices.iter().chain([&odd]).zip([1, 2, 3, 4, 2]) {
        let message =
            String::from_utf8(mail::message(notice, &sender(), &from, &to, at(7))).unwrap();
        let (head, body) = message.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("Date: Sun, 22 Nov 2026 00:07:00 +0000\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!(
            "Message-ID: <inc-20261122-0001.{number}.egret.example.com@example.com>"
        )));
        assert_eq!(
            head.contains("In-Reply-To: <inc-20261122-0001.1."),
            number > 1
        );
        assert!(!head.contains("\r\nBcc:"), "{head}");
        assert!(
            head.contains("To: soc@example.com,\r\n dora@example.com\r\n"),
            "{head}"
        );
        for line in message.split("\r\n") {
            assert!(line.len() <= 76, "{} {line}", line.len());
            assert!(line.is_ascii() && !line.contains(['\r', '\n']), "{line:?}");
        }
        assert!(body.contains("suggested"));
    }
    for wrong in [
        "",
        "a",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "a@b\r\nBcc: c@d",
        "<a@b>",
        ".a@b",
        "a..b@c",
        "a@b..c",
    ] {
        assert!(mail::Address::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn quoted_printable_can_be_read_back() {
    let from = mail::Address::parse("egret@example.com").unwrap();
    let mut notice = life().remove(0);
    notice.case.sentence = "é=".repeat(100) + " ";
    let message = String::from_utf8(mail::message(
        &notice,
        &sender(),
        &from,
        std::slice::from_ref(&from),
        at(0),
    ))
    .unwrap();
    let body = message
        .split_once("\r\n\r\n")
        .unwrap()
        .1
        .replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'=' {
            let hex = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.starts_with(&format!("{}\r\n", notice.case.sentence)),
        "{text}"
    );
}

#[test]
fn syslog_escapes_and_counts() {
    let mut notice = life().remove(1);
    notice.case.callers.first = vec!["a\"]\\b\n".into()];
    let message = syslog::message(&notice, &sender(), syslog::Content::Sentence, at(5));
    let text = String::from_utf8(message.clone()).unwrap();
    // Facility 10, severity 3.
    assert!(text.starts_with("<83>1 2026-11-22T00:05:00.000000Z egret.example.com egret - raised [incident@32473 id=\"inc-20261122-0001\""), "{text}");
    assert!(text.contains(r#"caller="a\"\]\\b ""#), "{text}");
    assert!(
        text.contains("] \u{feff}[high, was medium] kite-web"),
        "{text}"
    );
    let framed = syslog::framed(&message);
    assert!(framed.starts_with(format!("{} <83>", message.len()).as_bytes()));
    let text = String::from_utf8(syslog::message(
        &notice,
        &sender(),
        syslog::Content::Ocsf,
        at(5),
    ))
    .unwrap();
    assert_eq!(
        parse(text.split_once('\u{feff}').unwrap().1.as_bytes())["class_uid"],
        2004
    );
}

#[test]
fn the_finding_has_what_its_class_requires() {
    let notices = life();
    let activities = [(1, "Create"), (2, "Update"), (2, "Update"), (3, "Close")];
    let statuses = [1, 1, 2, 4];
    for ((notice, (id, name)), status) in notices.iter().zip(activities).zip(statuses) {
        let finding = ocsf::finding(notice, &sender());
        assert_eq!(finding["activity_id"], id);
        assert_eq!(finding["activity_name"], name);
        assert_eq!(finding["type_uid"], 200_400 + id);
        assert_eq!(finding["status_id"], status);
        // Required by the class and the base event.
        for key in [
            "category_uid",
            "class_uid",
            "severity_id",
            "time",
            "metadata",
            "finding_info",
        ] {
            assert!(!finding[key].is_null(), "{key}");
        }
        assert_eq!(finding["finding_info"]["uid"], "inc-20261122-0001");
        assert_eq!(finding["finding_info"]["analytic"]["type_id"], 2);
        assert_eq!(
            finding["finding_info"]["related_events"][0]["uid"],
            "01990000-0000-7000-8000-000000000001"
        );
        assert_eq!(finding["is_alert"], id != 3 && status != 2);
        let anomaly = &finding["anomaly_analyses"][0];
        assert_eq!(anomaly["analysis_target"]["name"], "kite-web");
        assert_eq!(
            anomaly["anomalies"][0]["observations"][0]["value"],
            "412.000"
        );
        assert_eq!(anomaly["baselines"][0]["observations"][0]["value"], "1.250");
        let evidences = finding["evidences"].as_array().unwrap();
        assert!(
            evidences
                .iter()
                .any(|evidence| evidence["src_endpoint"]["ip"] == "240.0.0.1")
        );
    }
    let bare = Sign {
        caller: String::new(),
        ip: String::new(),
        subject: String::new(),
        token: String::new(),
        baseline: None,
        ..sign(0)
    };
    let finding = ocsf::finding(&Book::new(Settings::default()).take(&bare)[0], &sender());
    assert_eq!(finding["evidences"].as_array().unwrap().len(), 1);
    assert!(finding.get("anomaly_analyses").is_none() && finding.get("resources").is_none());
}
