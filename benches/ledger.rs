//! The cost of a row: making its JSON, and writing it durably.
//!
//! `cargo bench --bench ledger`. The rows are on disk (write-ahead log, `synchronous=FULL`) when a
//! write returns, so the small batches show the disk as much as the program.

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use egret::adapters::ledger::detail::write_detail;
use egret::adapters::ledger::{RecordStore, SqliteStore};
use egret::domain::record::{
    CallRecord, CallerVia, Fact, Fingerprint, Gateway, Pseudonym, Subject, SubjectRole,
};
use egret::types::{
    CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType, TraceId,
};

fn main() {
    divan::main();
}

/// Parts that the proxy shares between records.
struct Shared {
    gateway: Arc<Gateway>,
    names: [Arc<str>; 8],
}

impl Shared {
    fn new() -> Self {
        Self {
            gateway: Arc::new(Gateway {
                node: "gateway-1".into(),
                version: "0.1.0".into(),
                config_hash: "00112233aabbccdd".into(),
            }),
            names: [
                "billing",
                "cybrid",
                "bank",
                "createTrade",
                "/api/trades",
                "trades:execute",
                "customer",
                "quote_guid",
            ]
            .map(Arc::from),
        }
    }

    /// A usual record: a customer token makes a trade.
    fn record(&self, n: u64) -> CallRecord {
        let at = 1_767_323_045_000_000 + n as i64 * 100;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        let id = CallId::from_parts(at / 1_000, random);
        let mut record = CallRecord::new(id, Micros(at), Arc::clone(&self.gateway));
        let [
            caller,
            provider,
            service,
            operation,
            path,
            scope,
            customer,
            quote,
        ] = self.names.clone();
        record.times.forwarded_at = Some(Micros(at + 180));
        record.times.first_byte_at = Some(Micros(at + 9_180));
        record.times.completed_at = Some(Micros(at + 9_950));
        record.caller.name = Some(caller);
        record.caller.via = CallerVia::Key;
        record.caller.address = "127.0.0.1:40001".parse().ok();
        record.target.provider = Some(provider);
        record.target.service = Some(service);
        record.target.environment = Some(Environment::Sandbox);
        record.target.operation = Some(operation);
        record.target.effect = Some(Effect::Money);
        record.target.method = "POST";
        record.target.path_template = Some(path);
        record.credential.token_type = TokenType::Customer;
        record.credential.present.push(TokenType::Customer);
        record.credential.fingerprint = Some(Fingerprint::from_bytes([n as u8; 16]));
        record.credential.scopes.push(scope);
        record.credential.expires_at = Some(Micros(at + 1_800_000_000));
        record.add_subject(Subject {
            kind: customer,
            role: SubjectRole::Token,
            pseudonym: Pseudonym::from_bytes([(n >> 4) as u8; 16]),
        });
        record.facts.push(Fact {
            name: quote,
            value: "8c7f0d1e4b5a4d0f9b7e3a2c1d0e9f8a".into(),
        });
        record.pii = [PiiClass::Financial].into_iter().collect();
        record.decision = Decision::Forwarded;
        record.outcome = Outcome::Success;
        record.status = Some(201);
        record.traffic.attempts = 1;
        record.traffic.request_bytes = 412;
        record.traffic.response_bytes = 1_290;
        record.traffic.upstream = "203.0.113.7:443".parse().ok();
        record.traffic.tls_version = Some("TLSv1.3".into());
        record.trace_id = TraceId::from_bytes([7; 16]);
        record
    }
}

#[divan::bench]
fn assemble_detail(bencher: Bencher) {
    let record = Shared::new().record(1);
    let mut out = String::with_capacity(1_024);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        out.clear();
        write_detail(&mut out, black_box(&record));
        out.len()
    });
}

#[divan::bench(args = [1, 8, 64, 512], max_time = Duration::from_secs(3))]
fn write_durably(bencher: Bencher, rows: u64) {
    let (Ok(directory), Ok(runtime)) = (
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")),
        tokio::runtime::Builder::new_current_thread().build(),
    ) else {
        return;
    };
    let path = directory.path().join("egret.db");
    let Ok(mut store) = runtime.block_on(SqliteStore::open(&path)) else {
        return;
    };
    let shared = Shared::new();
    let mut next = 0;
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| {
            let batch: Vec<_> = (next..next + rows)
                .map(|n| Box::new(shared.record(n)))
                .collect();
            next += rows;
            batch
        })
        .bench_local_refs(|batch| runtime.block_on(store.write(batch)).unwrap_or(0));
}
