//! Adds up what the workers have counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::key::{Key, Tag};
use super::{Exemplars, HTTPS, Names, Shard};
use crate::domain::health::{
    CallSeries, CallVitals, ClientSeries, CredentialSeries, DenialSeries, HTTP_BOUNDS, Histogram,
    KeptFrom, MintSeries, PlaceVitals, RecordValue, RedactionSeries, ResendSeries, ServerSeries,
};
use crate::types::{Decision, Outcome, TokenType};

pub(super) fn vitals(names: &Names, shards: &[Arc<Shard>], exemplars: &Exemplars) -> CallVitals {
    let mut vitals = CallVitals {
        places: places(names, shards),
        unlisted: shards.iter().map(|shard| load(&shard.unlisted)).sum(),
        ..CallVitals::default()
    };
    let mut durations: BTreeMap<u64, Histogram> = BTreeMap::new();
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for shard in shards {
        for (key, histogram) in shard.durations.iter() {
            let all = durations
                .entry(key)
                .or_insert_with(|| Histogram::new(HTTP_BOUNDS));
            all.add(&histogram.read(HTTP_BOUNDS));
        }
        for (key, count) in shard.counts.iter() {
            *counts.entry(key).or_default() += load(count);
        }
    }
    for (word, mut histogram) in durations {
        let known = exemplars.get(&word).into_iter().flatten();
        histogram.exemplars = known.map(|(bucket, one)| (*bucket, *one)).collect();
        if let Some(key) = Key::unpack(word) {
            add_durations(&mut vitals, names, key, histogram);
        }
    }
    for (word, count) in counts {
        if let Some(key) = Key::unpack(word) {
            add_count(&mut vitals, names, key, count);
        }
    }
    vitals
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn places(names: &Names, shards: &[Arc<Shard>]) -> Vec<PlaceVitals> {
    let all = (0..=names.places().len()).map(|index| {
        let mut place = PlaceVitals::new(names.place(index));
        for counts in shards.iter().filter_map(|shard| shard.places.get(index)) {
            place.add(&PlaceVitals {
                place: None,
                calls: load(&counts.calls),
                failed: load(&counts.failed),
                denied: load(&counts.denied),
                attempts: load(&counts.attempts),
                mints: load(&counts.mints),
                latency: counts.latency.read(),
                bank: counts.bank.read(),
            });
        }
        place
    });
    all.filter(|place| place.calls > 0).collect()
}

fn add_durations(vitals: &mut CallVitals, names: &Names, key: Key, durations: Histogram) {
    let place = names.place(key.place);
    let method = names.method_name(key.a);
    let status = (key.b != 0).then_some(key.b);
    match key.tag {
        Tag::Server => vitals.server.push(ServerSeries {
            place,
            method,
            status,
            is_https: key.c & HTTPS != 0,
            error: names.reason_name(key.c & !HTTPS),
            durations,
        }),
        Tag::Client => vitals.client.push(ClientSeries {
            place,
            method,
            status,
            error: names.failure_name(key.c),
            durations,
        }),
        _ => {}
    }
}

fn add_count(vitals: &mut CallVitals, names: &Names, key: Key, count: u64) {
    let place = names.place(key.place);
    match key.tag {
        Tag::Calls => {
            vitals
                .calls
                .extend(of(Decision::ALL, key.b).zip(of(Outcome::ALL, key.c)).map(
                    |(decision, outcome)| CallSeries {
                        place,
                        operation: names.operation_name(key.a),
                        decision,
                        outcome,
                        count,
                    },
                ))
        }
        Tag::Denials => vitals
            .denials
            .extend(of(Decision::ALL, key.a).map(|decision| DenialSeries {
                place,
                decision,
                reason: names.reason_name(key.b).unwrap_or("other"),
                count,
            })),
        Tag::Credentials => {
            vitals
                .credentials
                .extend(
                    of(TokenType::ALL, key.a).map(|token_type| CredentialSeries {
                        place,
                        token_type,
                        count,
                    }),
                );
        }
        Tag::Mints => vitals
            .mints
            .extend(of(TokenType::ALL, key.b).map(|token_type| MintSeries {
                place,
                kind: names.kind_name(key.a),
                token_type,
                count,
            })),
        Tag::Resends => vitals
            .resends
            .extend(names.failure_name(key.a).map(|cause| ResendSeries {
                place,
                cause,
                count,
            })),
        Tag::Redactions => {
            vitals
                .redactions
                .extend(of(RecordValue::ALL, key.a).map(|value| RedactionSeries {
                    place,
                    kept_from: KeptFrom::Record,
                    kind: value.as_str(),
                    count,
                }));
        }
        Tag::Server | Tag::Client => {}
    }
}

/// A word by its place in its declaration.
fn of<T: Copy>(all: &[T], index: u16) -> Option<T> {
    all.get(usize::from(index)).copied()
}
