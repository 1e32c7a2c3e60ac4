//! Incidents from the disk to somebody's webhook, and what people answer.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use egret::adapters::notify::{Desk, Route};
use egret::domain::incident::{Category, Settings, Severity, Sign};
use egret::types::Micros;

use crate::harness::{Config, Posted, Sim, receiver};

/// Generous: the gateway looks at its queue every second.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(address: SocketAddr) -> Config {
    let sim = Sim::start(egret::sim::Vendor::Cybrid);
    let config = Config::new().cybrid(&sim.url()).section(&format!(
        "[[alerts.channel]]\nname = \"soc\"\nkind = \"webhook\"\nurl = \"http://{address}/hook\"\nsecret_file = \"soc.key\"\n"
    ));
    let key = config.path().with_file_name("soc.key");
    std::fs::write(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    config
}

#[test]
fn a_channel_is_tried_and_a_wrong_one_is_named() {
    let (address, received) = receiver();
    let config = config(address);
    let said = config.egret(&["alert", "test"]).ok();
    assert!(said.contains("soc") && said.contains("taken"), "{said}");
    let Posted { head, body } = received.recv_timeout(PATIENCE).unwrap();
    assert!(
        head.starts_with("POST /hook HTTP/1.1") && head.contains("webhook-signature: v1,"),
        "{head}"
    );
    assert_eq!(body["type"], "incident.opened");
    assert_eq!(
        received.recv_timeout(PATIENCE).unwrap().body["type"],
        "incident.closed"
    );
    assert!(
        config
            .egret(&["alert", "test", "--channel", "noc"])
            .failed()
            .contains("no channel noc")
    );
    assert!(
        config
            .egret(&["alert", "list"])
            .ok()
            .contains("no incidents")
    );
    assert!(
        config
            .egret(&["alert", "ack", "inc-1"])
            .failed()
            .contains("there is no incident inc-1")
    );
}

#[test]
fn a_check_names_every_channel_whose_secret_cannot_be_used() {
    let (address, _) = receiver();
    let channel = |name: &str, kind: &str| {
        let url = match kind {
            "webhook" => format!("url = \"http://{address}/x\"\n"),
            _ => String::new(),
        };
        format!(
            "[[alerts.channel]]\nname = \"{name}\"\nkind = \"{kind}\"\n{url}secret_file = \"{name}.key\"\n"
        )
    };
    let config = config(address);
    let good = config.egret(&["check"]).ok();
    assert!(
        good.contains("tells soc of incidents, from medium on"),
        "{good}"
    );
    let sections = [
        ("gone", "pagerduty"),
        ("open", "webhook"),
        ("wrong", "webhook"),
        ("chat", "slack"),
    ]
    .map(|(name, kind)| channel(name, kind));
    let config = config.section(&sections.concat());
    let write = |name: &str, text: &str, mode: u32| {
        let path = config.path().with_file_name(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write(
        "open.key",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        0o644,
    );
    write("wrong.key", "s3cret-but-no-key\n", 0o600);
    write("chat.key", "s3cret-but-no-url\n", 0o600);
    let ran = config.egret(&["check"]);
    assert_eq!(ran.status.code(), Some(1));
    for part in [
        "channel gone: cannot read",
        "channel open:",
        "has mode 644",
        "channel wrong:",
        "channel chat:",
    ] {
        assert!(
            ran.stdout.contains(part),
            "{part} is missing in\n{}",
            ran.stdout
        );
    }
    assert_eq!(ran.stdout.lines().count(), 4, "{}", ran.stdout);
    assert!(!ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"));
}

#[test]
fn an_incident_reaches_people_and_they_answer() {
    let (address, received) = receiver();
    let config = config(address);
    config.write();
    let directory = config.path().with_file_name("data").join("alerts");
    let route = Route {
        channel: "soc".into(),
        tell_from: Severity::Medium,
        tells_acknowledged: true,
    };
    let mut desk = Desk::open(&directory, Settings::default(), vec![route]).unwrap();
    let now = Micros(jiff::Timestamp::now().as_microsecond());
    let sign = Sign {
        at: now,
        since: now,
        rule: "cold-mints".into(),
        category: Category::MintUnused,
        severity: Severity::High,
        cause: Some(1),
        environment: "production".into(),
        caller: "payouts".into(),
        ip: String::new(),
        subject: String::new(),
        token: String::new(),
        target: String::new(),
        baseline: None,
        calls: Vec::new(),
        sentence: String::new(),
    };
    desk.take(&sign, now).unwrap();
    assert!(received.try_recv().is_err());

    let gateway = config.start();
    let body = received.recv_timeout(PATIENCE).unwrap().body;
    assert_eq!(body["type"], "incident.opened");
    assert_eq!(body["data"]["callers"]["first"][0], "payouts");
    let id = body["data"]["id"].as_str().unwrap();
    assert!(gateway.egret(&["alert", "list"]).ok().contains(id));
    assert!(
        gateway
            .egret(&["alert", "show", id])
            .ok()
            .contains("egret lockdown caller payouts")
    );
    gateway.egret(&["alert", "ack", id]).ok();
    assert_eq!(
        received.recv_timeout(PATIENCE).unwrap().body["type"],
        "incident.acknowledged"
    );
    gateway
        .egret(&[
            "alert",
            "silence",
            "--caller",
            "payouts",
            "--for",
            "2h",
            "--reason",
            "migration",
        ])
        .ok();
    assert!(
        gateway
            .egret(&["alert", "silence", "--list"])
            .ok()
            .contains("caller payouts")
    );
    gateway.egret(&["alert", "silence", "--lift", "1"]).ok();
    gateway
        .egret(&["alert", "close", id, "--reason", "load test"])
        .ok();
    assert_eq!(
        received.recv_timeout(PATIENCE).unwrap().body["type"],
        "incident.closed"
    );
    assert!(
        gateway
            .egret(&["alert", "list"])
            .ok()
            .contains("no incident is open")
    );
    assert!(
        gateway
            .egret(&["alert", "list", "--all"])
            .ok()
            .contains("closed")
    );
    let rows = gateway.query(&["--provider", "egret"]);
    let operations: Vec<String> = rows
        .iter()
        .map(|row| row.text("operation").to_owned())
        .collect();
    assert!(
        operations
            .iter()
            .any(|operation| operation == "alert.close"),
        "{operations:?}"
    );
}
