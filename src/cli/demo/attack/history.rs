//! Weeks of an ordinary service, made up: what the detectors learn from before the attack.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::domain::keyring::Keyring;
use crate::domain::record::{
    CallRecord, CallerVia, Fact, Fingerprint, Gateway, Mint, Subject, SubjectRole,
};
use crate::sim::Entropy;
use crate::types::{CallId, Decision, Effect, Environment, Micros, Outcome, TokenType};

/// How far it goes back.
pub const DAYS: u32 = 21;
/// Visits of customers a day.
const VISITS: u64 = 40;
/// Life of a customer's token, as the simulator gives it.
const CUSTOMER_TOKEN: i64 = 28_800;
/// Life of the bank token.
const BANK_TOKEN: i64 = 28_800;
/// Nothing lies nearer than this many seconds: no visit is still going on.
const UNTIL: i64 = 3_600;

const DAY: i64 = 86_400;
const SECOND: i64 = 1_000_000;

/// What is known of the service.
pub struct Service<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it calls from.
    pub address: SocketAddr,
    /// The customers that it serves, by their guids.
    pub customers: &'a [String],
    /// Makes fingerprints and pseudonyms as the gateway does.
    pub keyring: &'a Keyring,
    /// The gateway.
    pub gateway: Arc<Gateway>,
}

/// One operation, as the catalog has it.
struct Operation {
    service: &'static str,
    id: &'static str,
    effect: Effect,
    method: &'static str,
    path: &'static str,
}

const LOGIN: Operation = Operation {
    service: "identity",
    id: "identity.oauth_token",
    effect: Effect::Mint,
    method: "POST",
    path: "/oauth/token",
};
const MINT: Operation = Operation {
    service: "identity",
    id: "identity.create_customer_token",
    effect: Effect::Mint,
    method: "POST",
    path: "/api/customer_tokens",
};
const VISIT: [Operation; 3] = [
    Operation {
        service: "bank",
        id: "bank.get_customer",
        effect: Effect::Read,
        method: "GET",
        path: "/api/customers/{customer_guid}",
    },
    Operation {
        service: "bank",
        id: "bank.list_accounts",
        effect: Effect::Read,
        method: "GET",
        path: "/api/accounts",
    },
    Operation {
        service: "bank",
        id: "bank.list_prices",
        effect: Effect::Read,
        method: "GET",
        path: "/api/prices",
    },
];

/// The calls of the service up to an hour ago, oldest first.
pub fn make(service: &Service<'_>, now: Micros, seed: u64) -> Vec<CallRecord> {
    let mut maker = Maker {
        service,
        entropy: Entropy::new(seed ^ 0x6869_7374_6f72_7900),
        records: Vec::new(),
    };
    let end = now.as_secs() - UNTIL;
    let first = end - i64::from(DAYS) * DAY;
    let mut bank: Option<(i64, Fingerprint)> = None;
    for day in 0..i64::from(DAYS) {
        let mut moments: Vec<i64> = (0..VISITS)
            .map(|_| first + day * DAY + maker.within(DAY))
            .collect();
        moments.sort_unstable();
        for at in moments {
            let fresh = bank.filter(|(minted_at, _)| at - minted_at < BANK_TOKEN - UNTIL);
            let (_, token) = match fresh {
                Some(kept) => kept,
                None => *bank.insert((at - 1, maker.log_in(at - 1))),
            };
            maker.visit(at, token);
        }
    }
    maker
        .records
        .retain(|record| record.times.received_at.as_secs() <= end);
    maker.records.sort_by_key(|record| record.call_id);
    maker.records
}

struct Maker<'a> {
    service: &'a Service<'a>,
    entropy: Entropy,
    records: Vec<CallRecord>,
}

impl Maker<'_> {
    fn within(&mut self, seconds: i64) -> i64 {
        let bound = u64::try_from(seconds).unwrap_or(0);
        i64::try_from(self.entropy.below(bound)).unwrap_or(0)
    }

    fn token(&mut self) -> Fingerprint {
        let token = self.entropy.bytes(32);
        self.service.keyring.fingerprint(&token)
    }

    /// Mints a bank token.
    fn log_in(&mut self, at: i64) -> Fingerprint {
        let mut record = self.record(&LOGIN, at);
        record.credential.token_type = TokenType::ClientCredentials;
        let token = self.token();
        record.mint = Some(Mint {
            kind: "client_credentials_access_token".into(),
            fingerprint: Some(token),
            expires_at: Some(Micros((at + BANK_TOKEN) * SECOND)),
        });
        self.keep(record);
        token
    }

    /// A customer opens the application: a token is minted, and used.
    fn visit(&mut self, at: i64, bank: Fingerprint) {
        let customers = self.service.customers;
        let pick = self.entropy.below(customers.len() as u64) as usize;
        let Some(guid) = customers.get(pick) else {
            return;
        };
        let whom = self.service.keyring.pseudonym("customer", guid.as_bytes());
        let subject = |role| Subject {
            kind: "customer".into(),
            role,
            pseudonym: Some(whom),
        };
        let mut record = self.record(&MINT, at);
        record.credential.token_type = TokenType::Bank;
        record.credential.fingerprint = Some(bank);
        record.add_subject(subject(SubjectRole::Request));
        record.status = Some(201);
        for scope in super::SCOPES {
            record.add_fact(Fact {
                name: "requested_scopes".into(),
                value: (*scope).into(),
            });
        }
        let token = self.token();
        let ends = Micros((at + CUSTOMER_TOKEN) * SECOND);
        record.mint = Some(Mint {
            kind: "customer_access_token".into(),
            fingerprint: Some(token),
            expires_at: Some(ends),
        });
        self.keep(record);
        let calls = 2 + self.within(4);
        let mut moment = at;
        for operation in VISIT
            .iter()
            .cycle()
            .take(usize::try_from(calls).unwrap_or(2))
        {
            moment += 1 + self.within(12);
            let mut record = self.record(operation, moment);
            record.credential.token_type = TokenType::Customer;
            record.credential.fingerprint = Some(token);
            record.credential.expires_at = Some(ends);
            record.add_subject(subject(SubjectRole::Token));
            self.keep(record);
        }
    }

    fn record(&mut self, operation: &Operation, at: i64) -> CallRecord {
        let received_at = Micros(at * SECOND + self.within(SECOND));
        let random = self.entropy.bytes(10).try_into().unwrap_or_default();
        let id = CallId::from_parts(received_at.as_millis(), random);
        let mut record = CallRecord::new(id, received_at, Arc::clone(&self.service.gateway));
        let later = |micros: i64| Some(Micros(received_at.0 + micros));
        let took = 20_000 + self.within(60_000);
        record.times.forwarded_at = later(300);
        record.times.first_byte_at = later(took);
        record.times.completed_at = later(took + 400);
        record.caller.name = Some(self.service.name.into());
        record.caller.via = CallerVia::Key;
        record.caller.address = Some(self.service.address);
        record.target.provider = Some("cybrid".into());
        record.target.service = Some(operation.service.into());
        record.target.environment = Some(Environment::Production);
        record.target.operation = Some(operation.id.into());
        record.target.effect = Some(operation.effect);
        record.target.method = operation.method;
        record.target.path_template = Some(operation.path.into());
        record.decision = Decision::Forwarded;
        record.outcome = Outcome::Success;
        record.status = Some(200);
        record.traffic.attempts = 1;
        // Nobody shall take it for what has happened.
        record.add_fact(Fact {
            name: "made_up_by".into(),
            value: "egret demo".into(),
        });
        record
    }

    fn keep(&mut self, record: CallRecord) {
        self.records.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_order_ends_an_hour_ago_and_says_what_it_is() {
        let keyring = Keyring::new(&[7; 32]);
        let customers: Vec<String> = (0..9).map(|n| format!("{n:032x}")).collect();
        let service = Service {
            name: "payments",
            address: SocketAddr::from(([127, 0, 0, 1], 40_000)),
            customers: &customers,
            keyring: &keyring,
            gateway: Arc::new(Gateway {
                node: "demo".into(),
                version: "0".into(),
                config_hash: "h".into(),
            }),
        };
        let now = Micros::from_secs(1_795_305_600);
        let records = make(&service, now, 1);
        assert!(
            records.len() > 20 * VISITS as usize * 3,
            "{}",
            records.len()
        );
        assert!(records.is_sorted_by_key(|record| record.call_id));
        let last = records.iter().map(|record| record.times.received_at).max();
        assert!(last.unwrap().as_secs() <= now.as_secs() - UNTIL);
        assert!(
            records
                .iter()
                .all(|record| record.facts.iter().any(|fact| &*fact.name == "made_up_by"))
        );
        assert_eq!(
            make(&service, now, 1),
            records,
            "the same seed makes the same"
        );
        let mints = records.iter().filter(|record| record.mint.is_some());
        assert!(mints.count() > 20 * VISITS as usize);
    }
}
