//! Tokens that were handed out, over time.

use std::collections::BTreeMap;

use super::AdminDesk;
use crate::adapters::clock;
use crate::adapters::ledger::{Filter, Minted, Steps};
use crate::domain::access::Person;
use crate::domain::own::{self, OwnCall, OwnOperation};
use crate::edge::admin::desk::{Fault, Period, Reply};
use crate::edge::admin::model;
use crate::types::{CallId, Micros};

/// The period unless another is given.
const DEFAULT_PERIOD_S: i64 = 24 * 3600;

/// Most steps: more points than a screen has.
const MAX_STEPS: i64 = 500;

/// Most series that are shown; the busiest.
const MAX_SERIES: usize = 50;

/// Steps to choose from, in seconds, where none is asked for.
const STEPS_S: [i64; 9] = [
    60,
    300,
    900,
    3_600,
    3 * 3_600,
    6 * 3_600,
    86_400,
    7 * 86_400,
    30 * 86_400,
];

/// A step that gives at most so many.
fn choose(length_s: i64, wanted: i64) -> i64 {
    let mut steps = STEPS_S.iter().copied();
    steps
        .find(|step| length_s.div_euclid(*step) < wanted)
        .unwrap_or(30 * 86_400)
}

/// Puts counts in series.
fn series(found: Vec<Minted>, steps: usize) -> (Vec<model::MintSeries>, bool) {
    let mut by_name: BTreeMap<(String, String, String), Vec<u64>> = BTreeMap::new();
    for Minted {
        step,
        kind,
        caller,
        provider,
        calls,
    } in found
    {
        let counts = by_name
            .entry((kind, caller, provider))
            .or_insert_with(|| vec![0; steps]);
        let place = usize::try_from(step).ok();
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count += calls;
        }
    }
    let named =
        by_name.into_iter().map(
            |((token_type, caller, provider), mints)| model::MintSeries {
                token_type,
                caller,
                provider,
                mints,
            },
        );
    let mut all: Vec<_> = named.collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.mints.iter().sum::<u64>()));
    let cut = all.len() > MAX_SERIES;
    all.truncate(MAX_SERIES);
    (all, cut)
}

impl AdminDesk {
    pub(super) async fn mints(
        &self,
        period: Period,
        step_s: Option<u32>,
        caller: Option<String>,
        provider: Option<String>,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let now = clock::now();
        let to = period.to.map_or(now, |to| to.resolve(now));
        let earlier = Micros::from_secs(to.as_secs().saturating_sub(DEFAULT_PERIOD_S));
        let from = period.from.map_or(earlier, |from| from.resolve(now));
        if from >= to {
            let why = format!("the period is empty: {from} is not before {to}");
            return Err(Fault::BadParameter("to".to_owned(), why));
        }
        let length_s = to.as_secs().saturating_sub(from.as_secs());
        // A step that was asked for and would give too many becomes a longer one.
        let wanted = step_s.map_or_else(|| choose(length_s, 60), i64::from);
        let step_s = match length_s.div_euclid(wanted) < MAX_STEPS {
            true => wanted,
            false => choose(length_s, MAX_STEPS),
        };
        // Steps begin at whole multiples, so that two pages show the same ones.
        let first = from.as_secs().div_euclid(step_s).saturating_mul(step_s);
        let steps = to
            .as_secs()
            .saturating_sub(first)
            .div_euclid(step_s)
            .saturating_add(1);
        let steps = usize::try_from(steps)
            .unwrap_or(0)
            .min(MAX_STEPS as usize + 2);
        let mut call = OwnCall::new(OwnOperation::AuditStats)
            .fact("part", "tokens")
            .fact("from", from)
            .fact("to", to);
        for (name, is_set) in [
            ("caller", caller.is_some()),
            ("provider", provider.is_some()),
        ] {
            if is_set {
                call = call.fact(own::FILTER, name);
            }
        }
        let filter = Filter {
            caller,
            provider,
            ..Filter::default()
        };
        let ranges = Steps {
            from,
            to,
            origin: Micros::from_secs(first),
            length_s: step_s,
        };
        let work = async {
            let filter = &filter;
            let found = self
                .readers
                .ask(|mut reader| async move {
                    let found = reader.mints(filter, ranges).await;
                    (reader, found)
                })
                .await?;
            let (series, cut) = series(found, steps);
            let at = (0..steps).map(|step| {
                let offset = i64::try_from(step).unwrap_or(0).saturating_mul(step_s);
                Micros::from_secs(first.saturating_add(offset)).to_string()
            });
            let mints = model::Mints {
                from: from.to_string(),
                to: to.to_string(),
                step_s: u64::try_from(step_s).unwrap_or(0),
                at: at.collect(),
                series,
                cut,
            };
            Ok((Reply::json(&mints), None))
        };
        self.recorded(call, who, id, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_neither_too_many_nor_too_few() {
        for length in [1, 60, 3_600, 86_400, 30 * 86_400, 3_650 * 86_400] {
            let step = choose(length, 60);
            assert!(length / step <= 122, "{length}: {step}");
            assert!(length / choose(length, MAX_STEPS) < MAX_STEPS, "{length}");
        }
        assert_eq!(choose(3_599, 60), 60);
    }

    #[test]
    fn counts_go_where_they_belong() {
        let one = |step, caller: &str, calls| Minted {
            step,
            kind: "customer_access_token".to_owned(),
            caller: caller.to_owned(),
            provider: "cybrid".to_owned(),
            calls,
        };
        let (all, cut) = series(vec![one(0, "a", 1), one(2, "b", 5), one(9, "a", 7)], 3);
        assert!(!cut);
        assert_eq!(all[0].caller, "b");
        assert_eq!(all[0].mints, [0, 0, 5]);
        assert_eq!(all[1].mints, [1, 0, 0]);
    }
}
