//! What was redacted, as figures: how many values did not get where they must not be.
//!
//! A value is told by what it was kept out of and by its kind. Both are words of this program, so the
//! figure has some two hundred series at most, and nothing of a value is in any.

use super::calls::MaybePlace;
use super::metric::{Metric, MetricKind, Sample, Value};
use super::vitals::Vitals;
use crate::domain::http::count_masked;
use crate::domain::record::CallRecord;

/// What a value was kept out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptFrom {
    /// The record of a call.
    Record,
    /// A line of the log.
    Log,
    /// A capture.
    Capture,
    /// What a person wrote as the reason for something that they did.
    Reason,
}

impl KeptFrom {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Record, Self::Log, Self::Capture, Self::Reason];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Log => "log",
            Self::Capture => "capture",
            Self::Reason => "reason",
        }
    }
}

/// What a record has in place of a value, or does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordValue {
    /// The credential of the request, of which there is a keyed hash.
    Credential,
    /// A token or secret that the answer handed out, of which there is a keyed hash.
    Mint,
    /// An identifier of a customer, an account and so on, for which a pseudonym stands.
    Subject,
    /// A parameter of the query that the catalog does not let be shown.
    Parameter,
}

impl RecordValue {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Credential, Self::Mint, Self::Subject, Self::Parameter];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Mint => "mint",
            Self::Subject => "subject",
            Self::Parameter => "parameter",
        }
    }

    /// How many such values of a call did not get into its record.
    pub fn count(self, record: &CallRecord) -> u64 {
        match self {
            Self::Credential => u64::from(record.credential.fingerprint.is_some()),
            Self::Mint => {
                let mint = record.mint.as_ref();
                u64::from(mint.is_some_and(|mint| mint.fingerprint.is_some()))
            }
            Self::Subject => {
                let subjects = record.subjects.iter();
                subjects.filter(|one| one.pseudonym.is_some()).count() as u64
            }
            Self::Parameter => record.target.query.as_deref().map_or(0, count_masked),
        }
    }
}

/// Values that were redacted since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactionSeries {
    /// Where the call went, for those that a record does not have; `None` for all others.
    pub place: MaybePlace,
    /// What they were kept out of.
    pub kept_from: KeptFrom,
    /// What they were: a [`RecordValue`] or a kind of the redactor, such as `iban`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
}

/// The figures of redaction.
pub(super) const REDACTION_METRICS: &[Metric] = &[Metric {
    name: "egret_redactions_total",
    kind: MetricKind::Counter,
    help: "Values that were masked, hashed or left out, by what they were kept from (record, log, capture, reason) and by their kind (docs/redaction.md lists those of logs, captures and reasons).",
    read,
}];

fn read(vitals: &Vitals, _: &super::Bounds) -> Vec<Sample> {
    let of_calls = vitals.calls.redactions.iter();
    let all = of_calls.chain(&vitals.redactions).map(|series| {
        let mut labels = super::call_metrics::of_place(&series.place);
        labels.push(("kept_from", series.kept_from.as_str().into()));
        labels.push(("kind", series.kind.into()));
        Sample {
            labels,
            value: Value::Count(series.count),
        }
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::record::{Fingerprint, Gateway, Mint, Pseudonym, Subject, SubjectRole};
    use crate::types::{CallId, Micros};

    #[test]
    fn what_a_record_has_in_place_of_values_is_counted() {
        let gateway = Gateway {
            node: "n".into(),
            version: "0".into(),
            config_hash: "h".into(),
        };
        let mut record = CallRecord::new(CallId::floor(1), Micros(1), Arc::new(gateway));
        let counts = |record: &CallRecord| {
            let all = RecordValue::ALL.iter();
            all.map(|value| value.count(record)).collect::<Vec<_>>()
        };
        assert_eq!(counts(&record), [0, 0, 0, 0]);
        record.credential.fingerprint = Some(Fingerprint::from_bytes([1; 16]));
        record.mint = Some(Mint {
            kind: "access_token".into(),
            fingerprint: Some(Fingerprint::from_bytes([2; 16])),
            expires_at: None,
        });
        for pseudonym in [Some(Pseudonym::from_bytes([3; 16])), None] {
            record.add_subject(Subject {
                kind: "customer".into(),
                role: SubjectRole::Request,
                pseudonym,
            });
        }
        record.target.query = Some("page=2&guid=[redacted]&[unlisted]&name=[redacted]".into());
        assert_eq!(counts(&record), [1, 1, 1, 3]);
    }
}
