//! A year of a fintech's calls, made up: the same for every database and every run.
//!
//! Sessions of five calls go on beside each other: with the bank token of its caller a session
//! obtains a customer token, and then does four things with it. Callers and customers are skewed,
//! as they are in life: the busiest caller has a sixth of the calls, half of the sessions are of a
//! tenth of the customers. Two calls in a hundred do not end well.

use std::sync::Arc;

use egret::domain::record::{
    CallRecord, CallerVia, Fact, Fingerprint, Gateway, Mint, Pseudonym, Subject, SubjectRole,
};
use egret::types::{
    CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType, TraceId,
};

/// Where the year begins: 2025-11-01T00:00:00Z.
pub const BEGIN: Micros = Micros(1_761_955_200_000_000);

/// Microseconds of the year.
pub const YEAR: i64 = 365 * DAY;

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// Callers.
pub const CALLERS: u64 = 200;

/// Customers.
pub const CUSTOMERS: u64 = 300_000;

/// Calls of a session: one obtains the token, the others use it.
const SESSION: u64 = 5;

/// Sessions that go on beside each other.
const PARALLEL: u64 = 64;

/// A new configuration and a new version so often.
const MONTHS: u64 = 12;

struct Operation {
    name: &'static str,
    path: &'static str,
    effect: Effect,
    method: &'static str,
    pii: &'static [PiiClass],
    /// How many of 10,000 calls of a session.
    share: u64,
}

const fn operation(
    name: &'static str,
    path: &'static str,
    effect: Effect,
    method: &'static str,
    pii: &'static [PiiClass],
    share: u64,
) -> Operation {
    Operation {
        name,
        path,
        effect,
        method,
        pii,
        share,
    }
}

const MINT: Operation = operation(
    "bank.create_customer_token",
    "/api/customer_tokens",
    Effect::Mint,
    "POST",
    &[PiiClass::IpAddress],
    0,
);

#[rustfmt::skip]
const OPERATIONS: [Operation; 12] = [
    operation("bank.list_trades", "/api/trades", Effect::Read, "GET", &[], 2_500),
    operation("bank.get_trade", "/api/trades/{trade_guid}", Effect::Read, "GET", &[], 1_000),
    operation("bank.list_prices", "/api/prices", Effect::Read, "GET", &[], 1_000),
    operation("bank.list_accounts", "/api/accounts", Effect::Read, "GET", &[PiiClass::Financial], 1_500),
    operation("bank.get_customer", "/api/customers/{customer_guid}", Effect::Read, "GET",
        &[PiiClass::PersonName, PiiClass::PostalAddress, PiiClass::DateOfBirth, PiiClass::Phone, PiiClass::Email], 1_000),
    operation("bank.get_external_bank_account", "/api/external_bank_accounts/{guid}", Effect::Read, "GET",
        &[PiiClass::PersonName, PiiClass::BankAccount], 400),
    operation("bank.get_identity_verification", "/api/identity_verifications/{guid}", Effect::Read, "GET",
        &[PiiClass::PersonName, PiiClass::GovernmentId, PiiClass::Document], 10),
    operation("bank.create_quote", "/api/quotes", Effect::Write, "POST", &[], 1_280),
    operation("bank.create_trade", "/api/trades", Effect::Money, "POST", &[PiiClass::Financial], 800),
    operation("bank.create_transfer", "/api/transfers", Effect::Money, "POST", &[PiiClass::Financial], 400),
    operation("bank.create_customer", "/api/customers", Effect::Write, "POST",
        &[PiiClass::PersonName, PiiClass::GovernmentId, PiiClass::Email], 100),
    operation("identity.create_bank_application", "/api/bank_applications", Effect::AccessChange, "POST", &[], 10),
];

/// Makes the calls of the year, or of as long as it is told.
pub struct Year {
    rows: u64,
    begin: i64,
    /// Microseconds.
    length: i64,
    gateways: Vec<Arc<Gateway>>,
    callers: Vec<(Arc<str>, Arc<str>)>,
    operations: Vec<(Arc<str>, Arc<str>)>,
    scopes: Vec<Vec<Arc<str>>>,
    names: [Arc<str>; 9],
    /// Which caller a number from 0 to 65,535 falls to.
    shares: Vec<u64>,
}

impl Year {
    /// A year of so many calls.
    pub fn new(rows: u64) -> Self {
        Self::between(BEGIN, Micros(BEGIN.0 + YEAR), rows)
    }

    /// So many calls, evenly from one moment to another.
    pub fn between(begin: Micros, end: Micros, rows: u64) -> Self {
        let gateway = |n: u64| {
            Arc::new(Gateway {
                node: format!("gateway-{}", n % 3).into(),
                version: format!("0.{}.0", n / 3).into(),
                config_hash: format!("{:016x}", mix(n / 3)).into(),
            })
        };
        let caller = |n: u64| {
            (
                format!("service-{n:03}").into(),
                format!("key-{n:03}").into(),
            )
        };
        let words = |range: std::ops::Range<u64>| {
            let scope = |n: u64| format!("resource_{n}:execute").into();
            range.map(scope).collect::<Vec<Arc<str>>>()
        };
        // Zipf: the n-th caller has 1/n of the calls of the first.
        let whole: f64 = (1..=CALLERS).map(|n| 1.0 / n as f64).sum();
        let mut shares = Vec::with_capacity(65_536);
        for n in 0..CALLERS {
            let slots = 65_536.0 / (n + 1) as f64 / whole;
            shares.extend(std::iter::repeat_n(n, slots.ceil() as usize));
        }
        shares.truncate(65_536);
        Self {
            rows,
            begin: begin.0,
            length: end.0 - begin.0,
            gateways: (0..3 * MONTHS).map(gateway).collect(),
            callers: (0..CALLERS).map(caller).collect(),
            operations: std::iter::once(&MINT)
                .chain(&OPERATIONS)
                .map(|operation| (operation.name.into(), operation.path.into()))
                .collect(),
            scopes: vec![words(0..20), words(20..45), words(5..10)],
            names: [
                "cybrid",
                "bank",
                "customer",
                "organization",
                "account",
                "quote_guid",
                "customer_access_token",
                "https://id.sandbox.cybrid.app",
                "https://id.production.cybrid.app",
            ]
            .map(Arc::from),
            shares,
        }
    }

    /// Call number `n` in the order of time.
    pub fn record(&self, n: u64) -> CallRecord {
        let mixed = mix(n);
        let apart = self.length as u64 / self.rows.max(1);
        let at = self.begin + (n * apart + mixed % apart.max(1)) as i64;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&mixed.to_be_bytes());
        let id = CallId::from_parts(at / 1_000, random);
        let month = n * MONTHS / self.rows.max(1);
        let gateway = (month * 3 + mixed % 3) as usize;
        let mut record = CallRecord::new(id, Micros(at), Arc::clone(&self.gateways[gateway]));
        // Sessions of a group take their steps one after the other.
        let group = n / (PARALLEL * SESSION);
        let session = group * PARALLEL + n % PARALLEL;
        let step = n % (PARALLEL * SESSION) / PARALLEL;
        let drawn = mix(session ^ 0x5e55_1035);
        let caller = self.shares[(drawn & 0xffff) as usize];
        let customer = customer_of(drawn >> 16);
        let token = customer_token(session);
        self.fill(&mut record, caller, mixed);
        if step == 0 {
            let day = (at - self.begin) / DAY;
            self.mint(&mut record, caller, day, customer, token, at);
        } else {
            // The same in every call of the token.
            let end = (group + 1) * PARALLEL * SESSION * apart;
            let until = self.begin + end as i64 + 1_800_000_000;
            self.act(&mut record, customer, token, mixed, until);
        }
        self.end(&mut record, mixed, at);
        record
    }

    fn fill(&self, record: &mut CallRecord, caller: u64, mixed: u64) {
        let (name, key) = self.callers[caller as usize].clone();
        record.caller.name = Some(name);
        record.caller.via = CallerVia::Key;
        record.caller.key_id = Some(key);
        record.caller.address =
            Some(([10, 0, 0, caller as u8], 40_000 + (mixed % 64) as u16).into());
        record.target.provider = Some(Arc::clone(&self.names[0]));
        record.target.service = Some(Arc::clone(&self.names[1]));
        record.target.environment = Some(Environment::Production);
        record.decision = Decision::Forwarded;
        record.traffic.attempts = 1;
        record.traffic.request_bytes = 412;
        record.traffic.response_bytes = 1_290 + (mixed >> 58);
        record.traffic.upstream = Some(([203, 0, 113, (mixed >> 8) as u8 % 4], 443).into());
        record.traffic.tls_version = Some("TLSv1.3".into());
        let mut trace = [7; 16];
        trace[..8].copy_from_slice(&mixed.to_be_bytes());
        record.trace_id = TraceId::from_bytes(trace);
    }

    fn target(&self, record: &mut CallRecord, index: usize) {
        let operation = index
            .checked_sub(1)
            .map_or(&MINT, |index| &OPERATIONS[index]);
        let (name, path) = self.operations[index].clone();
        record.target.operation = Some(name);
        record.target.path_template = Some(path);
        record.target.effect = Some(operation.effect);
        record.target.method = operation.method;
        record.pii = operation.pii.iter().copied().collect();
    }

    /// What names both kinds of tokens: the bank and its organization.
    fn claims(&self, record: &mut CallRecord, token: Fingerprint, until: i64) {
        record.credential.fingerprint = Some(token);
        record.credential.expires_at = Some(Micros(until));
        record.credential.issuer = Some(Arc::clone(&self.names[8]));
        for (name, value) in [(1, 1), (3, 2)] {
            record.add_subject(Subject {
                kind: Arc::clone(&self.names[name]),
                role: SubjectRole::Token,
                pseudonym: Some(pseudonym("place", value)),
            });
        }
    }

    fn mint(
        &self,
        record: &mut CallRecord,
        caller: u64,
        day: i64,
        customer: u64,
        token: Fingerprint,
        at: i64,
    ) {
        self.target(record, 0);
        record.credential.token_type = TokenType::Bank;
        record.credential.present.push(TokenType::Bank);
        record.credential.scopes.clone_from(&self.scopes[1]);
        self.claims(
            record,
            bank_token(caller, day as u64),
            self.begin + (day + 1) * DAY,
        );
        record.add_subject(Subject {
            kind: Arc::clone(&self.names[2]),
            role: SubjectRole::Request,
            pseudonym: Some(pseudonym("customer", customer)),
        });
        record.mint = Some(Mint {
            kind: Arc::clone(&self.names[6]),
            fingerprint: Some(token),
            expires_at: Some(Micros(at + 1_800_000_000)),
        });
    }

    fn act(
        &self,
        record: &mut CallRecord,
        customer: u64,
        token: Fingerprint,
        mixed: u64,
        until: i64,
    ) {
        let mut drawn = (mixed >> 20) % 10_000;
        let mut index = 1;
        for (number, operation) in (1..).zip(&OPERATIONS) {
            index = number;
            match drawn.checked_sub(operation.share) {
                Some(rest) => drawn = rest,
                None => break,
            }
        }
        self.target(record, index);
        record.credential.token_type = TokenType::Customer;
        record.credential.present.push(TokenType::Customer);
        record.credential.scopes.clone_from(&self.scopes[0]);
        self.claims(record, token, until);
        record.add_subject(Subject {
            kind: Arc::clone(&self.names[2]),
            role: SubjectRole::Token,
            pseudonym: Some(pseudonym("customer", customer)),
        });
        if record.target.method == "POST" {
            record.add_subject(Subject {
                kind: Arc::clone(&self.names[4]),
                role: SubjectRole::Request,
                pseudonym: Some(pseudonym("account", customer)),
            });
            record.facts.push(Fact {
                name: Arc::clone(&self.names[5]),
                value: format!("{mixed:016x}{mixed:016x}").into(),
            });
        }
    }

    /// Times, and how it went.
    fn end(&self, record: &mut CallRecord, mixed: u64, at: i64) {
        record.times.forwarded_at = Some(Micros(at + 180));
        record.times.first_byte_at = Some(Micros(at + 9_180));
        record.times.completed_at = Some(Micros(at + 9_950));
        record.outcome = Outcome::Success;
        record.status = Some(if record.target.method == "POST" {
            201
        } else {
            200
        });
        let mut fail = |outcome, status, code: Option<&str>| {
            record.outcome = outcome;
            record.status = status;
            record.error_code = code.map(Into::into);
            record.pii = Default::default();
            record.mint = None;
        };
        match (mixed >> 36) % 1_000 {
            0..12 => fail(Outcome::Failure, Some(422), Some("invalid_parameter")),
            12..15 => fail(Outcome::Failure, Some(401), Some("authentication_failed")),
            15..16 => fail(Outcome::Failure, Some(403), Some("invalid_scopes")),
            16..17 => fail(Outcome::Unknown, Some(504), None),
            17..18 => fail(Outcome::Cancelled, None, None),
            18..20 => {
                fail(Outcome::Failure, Some(403), None);
                record.decision = Decision::Denied;
                record.reason = Some("caller_refused".into());
                record.times.forwarded_at = None;
                record.times.first_byte_at = None;
                record.traffic.upstream = None;
                record.traffic.tls_version = None;
            }
            _ => {}
        }
    }

    /// Tokens of the year.
    pub fn tokens(&self) -> u64 {
        self.rows / SESSION
    }
}

/// Half of the sessions are of a tenth of the customers.
fn customer_of(drawn: u64) -> u64 {
    let customers = if drawn & 1 == 0 {
        CUSTOMERS / 10
    } else {
        CUSTOMERS
    };
    (drawn >> 1) % customers
}

/// The token of a session.
pub fn customer_token(session: u64) -> Fingerprint {
    Fingerprint::from_bytes(*pseudonym("token", session).as_bytes())
}

/// The token with which a caller obtains others on one day.
pub fn bank_token(caller: u64, day: u64) -> Fingerprint {
    Fingerprint::from_bytes(*pseudonym("bank token", caller * 1_000 + day).as_bytes())
}

/// Stands for a customer.
pub fn customer(n: u64) -> Pseudonym {
    pseudonym("customer", n)
}

/// Name of a caller.
pub fn caller_name(n: u64) -> String {
    format!("service-{n:03}")
}

fn pseudonym(kind: &str, n: u64) -> Pseudonym {
    let salt = kind
        .bytes()
        .fold(0, |salt, byte| mix(salt ^ u64::from(byte)));
    let high = mix(salt ^ mix(n));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&mix(high).to_be_bytes());
    Pseudonym::from_bytes(bytes)
}

/// Spreads a number over 64 bits (SplitMix64).
pub fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Stands for the bank, which nearly every token names.
pub fn bank() -> Pseudonym {
    pseudonym("place", 1)
}
