//! The figures of the banks' endpoint groups: breakers, places, repetitions.

use super::metric::{Metric, MetricKind, Sample, Value, each};
use super::vitals::{GroupVitals, Vitals};
use crate::domain::resilience::BreakerState;

use MetricKind::{Counter, Gauge};

fn of_groups<T: Into<Value>>(vitals: &Vitals, read: fn(&GroupVitals) -> T) -> Vec<Sample> {
    each(&vitals.groups, |group| {
        Sample::labelled("group", group.name.to_string(), read(group).into())
    })
}

/// The figures of endpoint groups.
pub(super) const GROUP_METRICS: &[Metric] = &[
    Metric {
        name: "egret_breaker_open",
        kind: Gauge,
        help: "1 for each endpoint group that is left alone or probed, 0 for one that is well.",
        read: |vitals, _| of_groups(vitals, |group| group.breaker != BreakerState::Closed),
    },
    Metric {
        name: "egret_breaker_state",
        kind: Gauge,
        help: "1 for the state that the breaker of an endpoint group is in (closed, open, half_open), 0 for the others.",
        read: |vitals, _| {
            let of_each = vitals.groups.iter().flat_map(|group| {
                let states = [
                    BreakerState::Closed,
                    BreakerState::HalfOpen,
                    BreakerState::Open,
                ];
                states.map(|state| Sample {
                    labels: vec![
                        ("group", group.name.to_string().into()),
                        ("state", state.as_str().into()),
                    ],
                    value: (group.breaker == state).into(),
                })
            });
            of_each.collect()
        },
    },
    Metric {
        name: "egret_breaker_opened_total",
        kind: Counter,
        help: "Times that the breaker of an endpoint group has opened, also again after probes.",
        read: |vitals, _| of_groups(vitals, |group| group.opened),
    },
    Metric {
        name: "egret_breaker_stopped_total",
        kind: Counter,
        help: "Calls that a breaker has stopped.",
        read: |vitals, _| of_groups(vitals, |group| group.stopped),
    },
    Metric {
        name: "egret_bulkhead_in_flight",
        kind: Gauge,
        help: "Calls in flight to an endpoint group.",
        read: |vitals, _| of_groups(vitals, |group| group.in_flight),
    },
    Metric {
        name: "egret_bulkhead_limit",
        kind: Gauge,
        help: "Calls that may be in flight to an endpoint group; moves if it is adaptive.",
        read: |vitals, _| of_groups(vitals, |group| group.limit),
    },
    Metric {
        name: "egret_bulkhead_waiting",
        kind: Gauge,
        help: "Calls that wait for a place in an endpoint group.",
        read: |vitals, _| of_groups(vitals, |group| group.waiting),
    },
    Metric {
        name: "egret_bulkhead_shed_total",
        kind: Counter,
        help: "Calls for which no place in an endpoint group was free in time.",
        read: |vitals, _| of_groups(vitals, |group| group.shed),
    },
    Metric {
        name: "egret_retries_total",
        kind: Counter,
        help: "Repetitions of calls to an endpoint group, other addresses of the bank not counted.",
        read: |vitals, _| of_groups(vitals, |group| group.repeated),
    },
    Metric {
        name: "egret_retries_denied_total",
        kind: Counter,
        help: "Repetitions that the retry budget had no room for.",
        read: |vitals, _| of_groups(vitals, |group| group.not_repeated),
    },
];
