//! Labelled traffic as commands: made, repeated, judged.

use serde_json::Value;

use crate::harness::{egret, egret_in};

#[test]
fn traffic_is_made_again_byte_for_byte_and_alerts_about_it_are_judged() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let said = egret_in(
            directory.path(),
            &[
                "sim",
                "traffic",
                "--seed",
                "3",
                "--days",
                "3",
                "--tenants",
                "3",
                "--volume",
                "0.1",
                "--learning",
                "1",
                "--scenario",
                "mint_storm:easy",
                "--events",
                &format!("{name}.events"),
                "--labels",
                &format!("{name}.labels"),
                "--netmap",
                &format!("{name}.netmap"),
            ],
        )
        .ok();
        assert!(said.contains("attacks"), "{said}");
        ["events", "labels", "netmap"].map(|ending| {
            std::fs::read_to_string(directory.path().join(format!("{name}.{ending}"))).unwrap()
        })
    };
    let [events, labels, netmap] = make("one");
    assert!([events.clone(), labels.clone(), netmap] == make("two"));

    let attack: Value = labels
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|label| label["type"] == "attack")
        .expect("an attack");
    let id = attack["event_ids"][0].as_u64().unwrap();
    let first: Value = serde_json::from_str(events.lines().nth(id as usize - 1).unwrap()).unwrap();
    assert_eq!(first["id"], id);
    assert_eq!(first["ts"], attack["start"]);
    assert_eq!(first["caller"], attack["callers"][0]);

    // Two seconds later somebody says so; another alert is about nobody.
    let alerts = format!(
        "{{\"ts\":{},\"rule\":\"mints\",\"severity\":\"high\",\"category\":\"mint_volume\",\"caller\":{}}}\n\
         {{\"ts\":{},\"rule\":\"noise\",\"caller\":\"nobody\"}}\n",
        first["ts"].as_i64().unwrap() + 2_000,
        first["caller"],
        first["ts"]
    );
    std::fs::write(directory.path().join("alerts"), alerts).unwrap();
    let arguments = [
        "detect",
        "score",
        "--labels",
        "one.labels",
        "--alerts",
        "alerts",
    ];
    let score: Value = serde_json::from_str(
        &egret_in(directory.path(), &[&arguments[..], &["--json"]].concat()).ok(),
    )
    .unwrap();
    assert_eq!(score["recall"]["found"], 1);
    assert_eq!(score["precision"], serde_json::json!({"found": 1, "of": 2}));
    assert_eq!(score["median_delay_ms"], 2_000);
    let text = egret_in(directory.path(), &[&arguments[..], &["--missed"]].concat()).ok();
    assert!(
        text.contains("mint_storm") && text.contains("2.0 s"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_made_or_judged_is_said() {
    assert!(
        egret(&["sim", "traffic", "--list"])
            .ok()
            .contains("attack  mint_storm")
    );
    let error = egret(&[
        "sim",
        "traffic",
        "--scenario",
        "flood",
        "--events",
        "e",
        "--labels",
        "l",
    ])
    .failed();
    assert!(
        error.contains("no scene is called `flood`") && error.contains("mint_drip"),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("labels"), "").unwrap();
    std::fs::write(
        directory.path().join("alerts"),
        "{\"ts\":1,\"rule\":\"x\"}\n",
    )
    .unwrap();
    let arguments = [
        "detect", "score", "--labels", "labels", "--alerts", "alerts",
    ];
    let error = egret_in(directory.path(), &arguments).failed();
    assert!(
        error.contains("alerts: line 1: it names no caller"),
        "{error}"
    );
}
