//! The admin API as people and programs use it: over a socket, with keys. What asks the ledger is
//! tried over both databases.

/// Makes a test of each function for a ledger in SQLite, and one for a ledger in Postgres.
macro_rules! over_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(&crate::admin_api::Ledger::Sqlite);
            })*
        }
        mod postgres {
            $(#[test]
            fn $name() {
                if let Some(ledger) = crate::admin_api::Ledger::postgres() {
                    super::$name(&ledger);
                }
            })*
        }
    };
}

mod acts;
mod calls;
mod contract;
mod door;
mod strangers;

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::postgres::database;
use crate::harness::{Answer, Client, Config, Gateway, Sim};

pub(super) const BANKS: &str = "/cybrid/bank/api/banks";

/// Somebody with a key.
pub(super) struct Someone {
    address: String,
    pub(super) key: String,
}

impl Someone {
    /// Makes a key and waits until the gateway knows it.
    pub(super) fn new(gateway: &Gateway, name: &str, role: &str) -> Self {
        Self::with(gateway, name, &[role])
    }

    /// As [`Someone::new`], with several roles.
    pub(super) fn with(gateway: &Gateway, name: &str, roles: &[&str]) -> Self {
        let mut arguments = vec!["admin", "key", "add", name, "--key-only"];
        arguments.extend(roles.iter().flat_map(|role| ["--role", *role]));
        // Not tried until it is there: wrong keys are counted.
        let read = || {
            gateway
                .logs("the admins file has changed and was read again")
                .len()
        };
        let before = read();
        let key = gateway.egret(&arguments).ok();
        crate::harness::until("the key is known", || read() > before);
        let someone = Self {
            address: gateway.admin().to_owned(),
            key: key.trim().to_owned(),
        };
        assert_eq!(someone.get("/me").status, 200);
        someone
    }

    pub(super) fn call(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![("Authorization", &*bearer)];
        if body.is_some() {
            headers.push(("Content-Type", "application/json"));
        }
        let path = format!("/api/v1{path}");
        Client::tcp(&self.address).call(
            method,
            &path,
            &headers,
            body.unwrap_or_default().as_bytes(),
        )
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    /// The JSON of an answer that must be good.
    #[track_caller]
    pub(super) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    #[track_caller]
    pub(super) fn post(&self, path: &str, body: &str) -> Answer {
        self.call("POST", path, Some(body))
    }
}

/// Where the ledger of a test is.
pub(super) enum Ledger {
    Sqlite,
    /// The address of an empty database.
    Postgres(String),
}

impl Ledger {
    /// `None` if there is no server.
    pub(super) fn postgres() -> Option<Self> {
        database().map(Self::Postgres)
    }

    /// A gateway that has it, before a simulated bank, and the bank.
    pub(super) fn gateway(&self) -> (Gateway, Sim) {
        let sim = Sim::start(Vendor::Cybrid);
        let config = Config::new().cybrid(&sim.url());
        let config = match self {
            Self::Sqlite => config,
            Self::Postgres(url) => config.section(&format!("[ledger]\nurl = \"{url}\"")),
        };
        (config.start(), sim)
    }
}

/// A gateway before a simulated bank, and the bank.
pub(super) fn gateway() -> (Gateway, Sim) {
    Ledger::Sqlite.gateway()
}

/// Makes calls, and waits until they are in the ledger.
pub(super) fn call(gateway: &Gateway, count: usize) {
    let mut client = Client::tcp(gateway.address());
    for _ in 0..count {
        assert_eq!(client.call("GET", BANKS, &[], b"").status, 401);
    }
}

/// What is on record of those who have used Egret itself, newest first.
pub(super) fn on_record(gateway: &Gateway, filters: &[&str]) -> Vec<Value> {
    let mut asked = vec!["audit", "query", "--provider", "egret", "--format", "json"];
    asked.extend(filters);
    let rows = gateway.egret(&asked).ok();
    rows.lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}
