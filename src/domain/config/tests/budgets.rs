//! The banks' limits in the configuration.

use std::time::Duration;

use super::machine::Machine;
use super::{CYBRID, faults, read};
use crate::domain::config::BudgetKey;
use crate::types::Priority;

#[test]
fn budgets_are_overridden_and_added() {
    let text = format!(
        "{CYBRID}\n[providers.cybrid.budgets]\ngeneral = {{ limit = 600, shadow = true }}\n\
         trades = {{ limit = 5, window = \"1m\", per = \"caller\", operations = [\"bank.create_trade\"] }}\n\
         [limits]\nwaiting = 7\n[limits.patience]\nread = \"3s\"\n\
         [limits.shares]\nmoney = 40\nwrite = 30\nread = 20\nbatch = 10\n\
         [limits.priority]\ntreasury = \"money\"\n"
    );
    let config = read(&text, &Machine::default()).unwrap();
    let rules = &config.providers["cybrid"].budgets;
    assert_eq!(rules["general"].limit, Some(600));
    assert_eq!(rules["general"].shadow, Some(true));
    assert_eq!(rules["general"].window, None);
    assert_eq!(rules["trades"].per, Some(BudgetKey::Caller));
    assert_eq!(rules["trades"].window, Some(Duration::from_secs(60)));
    let budgets = &config.budgets;
    assert_eq!(budgets.waiting, 7);
    assert_eq!(budgets.shares.of(Priority::Batch), 10);
    assert_eq!(
        budgets.patience.of(Priority::Read, None),
        Duration::from_secs(3)
    );
    assert_eq!(budgets.priorities["treasury"], Priority::Money);
}

#[test]
fn what_cannot_be_kept_is_a_fault() {
    let text = format!(
        "{CYBRID}\n[providers.cybrid.budgets]\ngenral = {{ limit = 600 }}\n\
         x = {{ limit = 0, window = \"1m\" }}\n\
         y = {{ limit = 1, window = \"1m\", operations = [\"bank.create_trad\"] }}\n\
         [limits]\nshared = \"http://cache\"\n[limits.shares]\nmoney = 90\n"
    );
    let found = faults(&text, &Machine::default()).join("\n");
    for part in [
        "providers.cybrid.budgets.genral: the provider file gives no numbers for this budget",
        "did you mean \"general\"?",
        "providers.cybrid.budgets.x.limit: out of bounds",
        "did you mean \"bank.create_trade\"?",
        "limits.shared: not an address of Redis or Valkey",
        "limits.shares: the shares do not add up to 100",
    ] {
        assert!(found.contains(part), "{part} in:\n{found}");
    }
}

#[test]
fn the_password_of_the_store_is_not_in_the_hash() {
    let with = |password: &str| {
        let text = format!("{CYBRID}\n[limits]\nshared = \"redis://u:{password}@cache:6379\"\n");
        read(&text, &Machine::default()).unwrap().config_hash
    };
    assert_eq!(with("one"), with("other"));
}
