//! How the banks' rate limits are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::quota::Shares;
use crate::types::{Priority, Secret};

/// How the banks' rate limits are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Whether calls are only counted, unless a budget says otherwise.
    pub shadow: bool,
    /// Most calls that wait for one budget.
    pub waiting: usize,
    /// Most of them of one caller.
    pub waiting_per_caller: usize,
    /// What each priority is sure to get of a contended budget.
    pub shares: Shares,
    /// How long calls wait.
    pub patience: Patience,
    /// The most urgent priority that a caller may ask for, where that is more urgent than what its
    /// call is.
    pub priorities: BTreeMap<Arc<str>, Priority>,
    /// Where replicas share their budgets; `None` if each has its own.
    pub shared: Option<SharedStore>,
    /// How many replicas there are, for when the store is away.
    pub replicas: u32,
    /// Name of the address that calls leave from: replicas with the same share their budgets.
    pub egress: Arc<str>,
    /// Whether identical reads at the same time share one answer, where the catalog allows it.
    pub coalesce: bool,
    /// For how long an answer is shared after it has come.
    pub coalesce_keep: Duration,
}

/// How long calls wait for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// By priority, in the order of [`Priority::ALL`], unless the caller says otherwise.
    pub usual: [Duration; 4],
    /// The longest that a caller may ask for.
    pub most: Duration,
}

impl Patience {
    /// How long a call waits.
    pub fn of(&self, priority: Priority, asked: Option<Duration>) -> Duration {
        let usual = Priority::ALL.iter().zip(self.usual);
        let usual = usual.into_iter().find(|(of, _)| **of == priority);
        let usual = usual.map_or(Duration::ZERO, |(_, usual)| usual);
        asked.map_or(usual, |asked| asked.min(self.most))
    }
}

impl Budgets {
    /// The priority of a call: what it is, or what its caller asked for. Less urgent always, more
    /// urgent as far as the caller may.
    pub fn priority(&self, usual: Priority, caller: &str, asked: Option<Priority>) -> Priority {
        let Some(asked) = asked else {
            return usual;
        };
        // The order of priorities is that of their declaration, the most urgent first.
        let rank = |priority| Priority::ALL.iter().position(|of| *of == priority);
        let granted = self.priorities.get(caller).copied().unwrap_or(usual);
        let limit = rank(granted).min(rank(usual));
        if rank(asked) >= limit {
            asked
        } else if rank(granted) < rank(usual) {
            granted
        } else {
            usual
        }
    }
}

/// What the configuration says of one budget; what it does not say holds as the provider file has
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetRule {
    /// Calls in a window.
    pub limit: Option<u32>,
    /// The window.
    pub window: Option<Duration>,
    /// What the bank counts by.
    pub per: Option<BudgetKey>,
    /// Operations that spend it.
    pub operations: Option<Vec<Arc<str>>>,
    /// The status with which the bank refuses.
    pub status: Option<u16>,
    /// Whether it is only counted.
    pub shadow: Option<bool>,
    /// Whether there is no such budget.
    pub off: bool,
}

/// What the bank counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetKey {
    /// The address that calls come from: everything behind the gateway shares one allowance.
    Address,
    /// The client application that the token names.
    Consumer,
    /// The account that the token names.
    Account,
    /// The credential itself.
    Token,
    /// The caller of the gateway, where each has a contract of its own with the bank.
    Caller,
}

impl BudgetKey {
    /// Every key with its spelling.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("source_ip", Self::Address),
        ("consumer", Self::Consumer),
        ("account", Self::Account),
        ("token", Self::Token),
        ("caller", Self::Caller),
    ];

    /// The spelling.
    pub fn as_str(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, key)| *key == self)
            .map_or("", |(word, _)| word)
    }
}

/// The address of a Redis or Valkey, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedStore {
    url: Secret<String>,
    shown: Box<str>,
}

impl SharedStore {
    /// Reads an address as `redis://user:password@host:port/0`.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let rest = url
            .strip_prefix("redis://")
            .ok_or("not an address of Redis or Valkey")?;
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) || url.contains(['?', '#']) {
            return Err("the address holds a character that must be written in percent form");
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if !database.bytes().all(|byte| byte.is_ascii_digit()) || database.len() > 4 {
            return Err("what follows the host is not the number of a database");
        }
        let host = match authority.rsplit_once('@') {
            Some((_, host)) => host,
            None => authority,
        };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if name.is_empty() {
            return Err("the address names no host");
        }
        let slash = if database.is_empty() { "" } else { "/" };
        Ok(Self {
            url: Secret::new(url.to_owned()),
            shown: format!("redis://{host}{slash}{database}").into(),
        })
    }

    /// The whole address.
    pub fn url(&self) -> &Secret<String> {
        &self.url
    }
}

impl fmt::Display for SharedStore {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let store = SharedStore::parse("redis://egret:s3cret@cache.internal:6380/2").unwrap();
        assert_eq!(store.to_string(), "redis://cache.internal:6380/2");
        assert!(!format!("{store:?}").contains("s3cret"));
        assert!(SharedStore::parse("redis://127.0.0.1").is_ok());
        for bad in [
            "postgres://127.0.0.1",
            "redis://",
            "redis://:6379",
            "redis://host/one",
            "redis://host/0?x=y",
            "redis://a b",
        ] {
            assert!(SharedStore::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_caller_may_wait_its_turn_but_not_jump_the_queue() {
        let budgets = Budgets {
            shadow: false,
            waiting: 1,
            waiting_per_caller: 1,
            shares: Shares::default(),
            patience: Patience {
                usual: [Duration::from_secs(20); 4],
                most: Duration::from_secs(60),
            },
            priorities: [("treasury".into(), Priority::Write)].into(),
            shared: None,
            replicas: 1,
            egress: "default".into(),
            coalesce: false,
            coalesce_keep: Duration::ZERO,
        };
        use Priority::{Batch, Money, Read, Write};
        let table = [
            (Read, "app", None, Read),
            (Read, "app", Some(Batch), Batch),
            (Read, "app", Some(Money), Read),
            (Money, "app", Some(Batch), Batch),
            (Read, "treasury", Some(Write), Write),
            (Read, "treasury", Some(Money), Write),
            (Money, "treasury", Some(Money), Money),
            (Batch, "treasury", Some(Read), Read),
        ];
        for (usual, caller, asked, expected) in table {
            let got = budgets.priority(usual, caller, asked);
            assert_eq!(got, expected, "{usual} of {caller}, asked for {asked:?}");
        }
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(budgets.patience.of(Read, hour), Duration::from_secs(60));
        assert_eq!(budgets.patience.of(Read, None), Duration::from_secs(20));
    }
}
