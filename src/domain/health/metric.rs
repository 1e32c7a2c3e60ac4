//! What a figure is, and how figures are read from the vitals.

use std::borrow::Cow;
use std::time::Duration;

use super::checks::Bounds;
use super::histogram::Histogram;
use super::vitals::Vitals;
use crate::types::Micros;

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by bucket, and only grows.
    Histogram,
}

impl MetricKind {
    /// As in Prometheus' `# TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The value of a figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A count, exact.
    Count(u64),
    /// Anything else.
    Real(f64),
    /// Values by bucket.
    Histogram(Histogram),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Count(u64::from(yes))
    }
}

impl From<Duration> for Value {
    /// In seconds.
    fn from(span: Duration) -> Self {
        Self::Real(span.as_secs_f64())
    }
}

impl From<Micros> for Value {
    /// In seconds since 1970.
    fn from(at: Micros) -> Self {
        Self::Real(at.0 as f64 / 1e6)
    }
}

/// Name and value of a label. Names are those of OpenTelemetry's attributes, with dots; values come
/// from this program, from the catalog and from the names of the configuration, never from a call.
pub type Label = (&'static str, Cow<'static, str>);

/// One value of a figure, with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, each name once.
    pub labels: Vec<Label>,
    /// The value.
    pub value: Value,
}

/// A figure.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name; ends in its unit, and in `_total` for counters.
    pub name: &'static str,
    /// What it does over time.
    pub kind: MetricKind,
    /// What it means, in a sentence.
    pub help: &'static str,
    pub(super) read: fn(&Vitals, &Bounds) -> Vec<Sample>,
}

impl Metric {
    /// Reads it; empty while there is nothing to tell.
    pub fn read(&self, vitals: &Vitals, bounds: &Bounds) -> Vec<Sample> {
        (self.read)(vitals, bounds)
    }
}

impl Sample {
    pub(super) fn labelled(
        name: &'static str,
        label: impl Into<Cow<'static, str>>,
        value: Value,
    ) -> Self {
        Self {
            labels: vec![(name, label.into())],
            value,
        }
    }
}

pub(super) fn one(value: impl Into<Value>) -> Vec<Sample> {
    vec![Sample {
        labels: Vec::new(),
        value: value.into(),
    }]
}

/// A figure of a part; nothing while there is no such part.
pub(super) fn of<P, T: Into<Value>>(part: Option<&P>, read: impl FnOnce(&P) -> T) -> Vec<Sample> {
    part.map_or_else(Vec::new, |part| one(read(part)))
}

/// A figure that each of several has.
pub(super) fn each<'p, P: 'p>(
    parts: impl IntoIterator<Item = &'p P>,
    read: impl FnMut(&'p P) -> Sample,
) -> Vec<Sample> {
    parts.into_iter().map(read).collect()
}
