//! Which budgets the built-in providers have, and what calls spend.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;

use super::{Part, Plans, Shares};
use crate::domain::catalog::{self, Provider};
use crate::domain::config::{BudgetKey, BudgetRule, Budgets, Patience};
use crate::domain::record::{CallRecord, Fingerprint, Gateway, Pseudonym, Subject, SubjectRole};
use crate::types::{CallId, Micros, TokenType};

const MINUTE: Duration = Duration::from_secs(60);

fn provider(id: &str) -> Provider {
    let (name, text) = catalog::builtin()
        .into_iter()
        .find(|(name, _)| name.contains(id))
        .unwrap();
    Provider::parse(name, text).unwrap()
}

fn plans(id: &str, rules: &[(&str, BudgetRule)]) -> Plans {
    let budgets = Budgets {
        shadow: false,
        waiting: 10,
        waiting_per_caller: 5,
        shares: Shares::default(),
        patience: Patience {
            usual: [MINUTE; 4],
            most: MINUTE,
        },
        priorities: BTreeMap::new(),
        shared: None,
        replicas: 1,
        egress: "default".into(),
        coalesce: false,
        coalesce_keep: Duration::ZERO,
    };
    let rules = rules
        .iter()
        .map(|(id, rule)| (Arc::from(*id), rule.clone()))
        .collect();
    Plans::resolve(&provider(id), &rules, &budgets, MINUTE)
}

fn record(token_type: TokenType) -> CallRecord {
    let gateway = Gateway {
        node: "n".into(),
        version: "1".into(),
        config_hash: "0".into(),
    };
    let mut record = CallRecord::new(CallId::floor(1), Micros(1), Arc::new(gateway));
    record.credential.token_type = token_type;
    record.credential.fingerprint = Some(Fingerprint::from_bytes([7; 16]));
    record.caller.name = Some("app".into());
    record
}

fn spent(plans: &Plans, operation: Option<&str>, record: &CallRecord) -> Vec<(String, Part)> {
    let plans = plans.of(operation, record).into_iter();
    plans
        .map(|(plan, part)| (plan.name.to_string(), part))
        .collect()
}

#[test]
fn cybrid_counts_tokens_apart_and_everything_else_together() {
    let plans = plans("cybrid", &[]);
    let bank = record(TokenType::Bank);
    let all = |name: &str| vec![(name.to_owned(), Part::All)];
    assert_eq!(
        spent(&plans, Some("identity.oauth_token"), &bank),
        all("cybrid.oauth_token")
    );
    assert_eq!(
        spent(&plans, Some("bank.create_trade"), &bank),
        all("cybrid.general")
    );
    assert_eq!(spent(&plans, None, &bank), all("cybrid.general"));
    let limits: Vec<u32> = plans.all().iter().map(|plan| plan.settings.limit).collect();
    assert_eq!(limits, [100, 20, 200]);
}

#[test]
fn the_configuration_changes_adds_and_removes() {
    let rule = |limit| BudgetRule {
        limit: Some(limit),
        window: Some(MINUTE),
        ..BudgetRule::default()
    };
    let off = BudgetRule {
        off: true,
        ..BudgetRule::default()
    };
    let burst = BudgetRule {
        per: Some(BudgetKey::Caller),
        ..rule(5)
    };
    let plans = plans(
        "cybrid",
        &[
            ("general", rule(600)),
            ("oauth_token", off),
            ("burst", burst),
        ],
    );
    let bank = record(TokenType::Bank);
    // What is switched off is not counted elsewhere either.
    assert_eq!(spent(&plans, Some("identity.oauth_token"), &bank), []);
    assert_eq!(
        spent(&plans, Some("bank.create_trade"), &bank),
        [
            ("cybrid.general".to_owned(), Part::All),
            ("cybrid.burst".to_owned(), Part::Caller("app".into())),
        ]
    );
}

#[test]
fn obp_counts_consumers_and_those_who_show_nothing() {
    let without = plans("obp", &[]);
    let anonymous = record(TokenType::Anonymous);
    let name = "obp.anonymous".to_owned();
    assert_eq!(spent(&without, None, &anonymous), [(name, Part::All)]);
    assert_eq!(spent(&without, None, &record(TokenType::DirectLogin)), []);
    let obp = provider("obp");
    let unknown: Vec<&str> = without.unknown(&obp).map(|id| &**id).collect();
    assert_eq!(unknown, ["consumer"]);
    let rule = BudgetRule {
        limit: Some(60),
        window: Some(MINUTE),
        ..BudgetRule::default()
    };
    let with = plans("obp", &[("consumer", rule)]);
    assert_eq!(with.unknown(&obp).count(), 0);
    let mut known = record(TokenType::DirectLogin);
    let name = || "obp.consumer".to_owned();
    assert_eq!(spent(&with, None, &known), [(name(), Part::All)]);
    known.subjects = smallvec![Subject {
        kind: "consumer".into(),
        role: SubjectRole::Token,
        pseudonym: Some(Pseudonym::from_bytes([9; 16])),
    }];
    assert_eq!(spent(&with, None, &known), [(name(), Part::Of([9; 16]))]);
}
