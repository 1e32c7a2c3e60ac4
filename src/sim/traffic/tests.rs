use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::*;

fn run(options: &TrafficOptions) -> (Vec<u8>, Vec<u8>, Vec<u8>, TrafficSummary) {
    let (mut events, mut labels, mut netmap) = (Vec::new(), Vec::new(), Vec::new());
    let summary = generate(options, &mut events, &mut labels, Some(&mut netmap)).unwrap();
    (events, labels, netmap, summary)
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    std::str::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn small(seed: u64) -> TrafficOptions {
    TrafficOptions {
        days: 4,
        tenants: 6,
        volume: 0.2,
        learning_days: 1,
        ..TrafficOptions::new(seed)
    }
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_others() {
    let one = run(&small(5));
    let two = run(&small(5));
    let three = run(&small(6));
    assert!(one.0 == two.0 && one.1 == two.1 && one.2 == two.2);
    assert!(one.0 != three.0);
}

#[test]
fn events_keep_the_format() {
    let (events, _, netmap, summary) = run(&small(7));
    let events = lines(&events);
    assert_eq!(events.len() as u64, summary.events);
    assert!(events.len() > 2_000, "{}", events.len());
    let mut last = 0;
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["id"], place as u64 + 1);
        let ts = event["ts"].as_i64().unwrap();
        assert!(ts >= last);
        last = ts;
        assert!(event["caller"].is_string() && event["ip"].is_string());
        if let Some(token) = event.get("token") {
            assert_eq!(token.as_str().unwrap().len(), 16);
        }
        if event["err"] == "circuit_open" {
            assert_eq!(event["by"], "proxy");
        }
        if event.get("mint").is_some() {
            assert!(event["status"].as_u64().unwrap() < 300);
        }
    }
    let map: Value = serde_json::from_slice(&netmap).unwrap();
    assert!(
        map.as_array()
            .unwrap()
            .iter()
            .any(|network| network["own"] == true)
    );
}

#[test]
fn tokens_of_everyday_life_are_minted_before_they_are_used() {
    let options = TrafficOptions {
        scenarios: Selection::None,
        ..small(8)
    };
    let (events, ..) = run(&options);
    let mut minted = HashMap::new();
    let mut unknown = 0;
    let mut used = 0;
    for event in lines(&events) {
        if let (Some(token), "customer") = (
            event["token"].as_str(),
            event["token_type"].as_str().unwrap(),
        ) {
            used += 1;
            if event["err"] != "token_expired"
                && event["err"] != "invalid_token"
                && !minted.contains_key(token)
            {
                unknown += 1;
            }
        }
        if let Some(mint) = event.get("mint") {
            minted.insert(
                mint["token"].as_str().unwrap().to_owned(),
                event["ts"].as_i64().unwrap(),
            );
        }
    }
    assert!(used > 1_000);
    assert_eq!(unknown, 0);
}

#[test]
fn every_attack_finds_a_tenant_and_leaves_events() {
    let options = TrafficOptions {
        days: 24,
        tenants: 24,
        volume: 0.02,
        learning_days: 1,
        ..TrafficOptions::new(9)
    };
    let (_, labels, _, summary) = run(&options);
    let labels = lines(&labels);
    let attacks: Vec<_> = labels
        .iter()
        .filter(|label| label["type"] == "attack")
        .collect();
    let kinds: HashSet<_> = attacks
        .iter()
        .map(|label| label["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.len() >= 40, "{}", kinds.len());
    assert_eq!(summary.left_out, Vec::<String>::new());
    for label in &attacks {
        let is_silent = label["kind"] == "silence";
        assert!(
            is_silent || label["events"].as_u64().unwrap() > 0,
            "{label}"
        );
        assert!(!label["callers"].as_array().unwrap().is_empty());
        assert!(label["end"].as_i64() >= label["start"].as_i64());
    }
    let traps = labels
        .iter()
        .filter(|label| label["type"] == "trap")
        .count();
    assert!(traps >= 25, "{traps}");
}

#[test]
fn a_scene_is_chosen_by_name() {
    assert_eq!(
        Selection::parse("mint_storm:hard"),
        Ok(Selection::One("mint_storm", Some(Difficulty::Hard)))
    );
    assert!(
        Selection::parse("mint_storm:loud")
            .unwrap_err()
            .contains("easy, medium, hard")
    );
    assert!(
        Selection::parse("nothing")
            .unwrap_err()
            .contains("mint_storm")
    );
    let options = TrafficOptions {
        scenarios: Selection::parse("mint_storm").unwrap(),
        ..small(10)
    };
    let (_, labels, ..) = run(&options);
    let labels = lines(&labels);
    assert!(
        labels
            .iter()
            .all(|label| label["type"] == "tenant" || label["kind"] == "mint_storm")
    );
    assert!(labels.iter().any(|label| label["type"] == "attack"));
}
