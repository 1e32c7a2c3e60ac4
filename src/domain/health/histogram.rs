//! How values are spread: what is counted in buckets, and what is read from them.

use std::time::Duration;

use crate::types::{Micros, TraceId};

/// Upper bounds of the buckets of a duration of HTTP, in seconds: those that OpenTelemetry's semantic
/// conventions for HTTP metrics advise.
pub const HTTP_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Upper bounds of the buckets of a commit of the journal, in seconds: a write and a sync, from memory
/// to a disk that hangs.
pub const COMMIT_BOUNDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Values by bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Upper bounds of the buckets, growing; a value that is equal to one is in its bucket.
    pub bounds: &'static [f64],
    /// How many values each bucket has; one more than there are bounds, for what is beyond the last.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: f64,
    /// A call for some of the buckets, the last that was traced: its bucket first.
    pub exemplars: Vec<(usize, Exemplar)>,
}

/// A traced call as an example for a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its span.
    pub span_id: [u8; 8],
    /// Its value.
    pub value: f64,
    /// When it was over.
    pub at: Micros,
}

impl Histogram {
    /// Without a value.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            exemplars: Vec::new(),
        }
    }

    /// How many values it has.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds the values of another one with the same bounds.
    pub fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        for (to, from) in self.counts.iter_mut().zip(&other.counts) {
            *to += from;
        }
    }
}

/// The bucket of a value.
pub fn bucket_of(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|bound| *bound < value)
}

/// Buckets for each doubling of a latency: a quantile is at most a twelfth too high.
const STEPS: u32 = 8;
/// The shortest latency that is told apart, in microseconds, as a power of two: 64 µs.
const FIRST: u32 = 6;
/// The longest, as a power of two: 134 s, longer than a call takes by default.
const LAST: u32 = 27;
/// Buckets of a [`Latency`].
pub const LATENCY_BUCKETS: usize = ((LAST - FIRST) * STEPS + 2) as usize;

/// Durations in buckets that are narrow enough for quantiles, and the same for everybody: they can be
/// added up over workers and providers, and taken from each other to look at a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    counts: Box<[u64]>,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            counts: vec![0; LATENCY_BUCKETS].into(),
        }
    }
}

impl Latency {
    /// From counts by bucket, as [`latency_bucket`] tells them.
    pub fn from_counts(counts: impl IntoIterator<Item = u64>) -> Self {
        let mut all = Self::default();
        for (to, from) in all.counts.iter_mut().zip(counts) {
            *to = from;
        }
        all
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.counts.iter_mut().zip(&other.counts) {
            *to += from;
        }
    }

    /// What has come since an earlier look at the same.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let both = self.counts.iter().zip(&earlier.counts);
        Self {
            counts: both.map(|(now, then)| now.saturating_sub(*then)).collect(),
        }
    }

    /// The duration that a part of all does not exceed, such as 0.99; `None` if there are none. At most
    /// a twelfth too high; beyond the last bucket it is the bound of that.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = ((count as f64 * part.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(latency_bound(at))
    }
}

/// The bucket of a duration.
pub fn latency_bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if micros < 1 << FIRST {
        return 0;
    }
    let power = micros.ilog2();
    // The three bits after the first tell the step within the doubling.
    let step = (micros >> (power - STEPS.ilog2())) - u64::from(STEPS);
    let bucket = u64::from(power - FIRST) * u64::from(STEPS) + step + 1;
    usize::try_from(bucket).map_or(LATENCY_BUCKETS - 1, |at| at.min(LATENCY_BUCKETS - 1))
}

/// What no duration of a bucket reaches; of the last, what all of them reach.
fn latency_bound(bucket: usize) -> Duration {
    let bucket = u64::try_from(bucket.min(LATENCY_BUCKETS - 2)).unwrap_or(0);
    let (power, step) = (bucket / u64::from(STEPS), bucket % u64::from(STEPS));
    let whole = 1_u64 << (u64::from(FIRST) + power);
    Duration::from_micros(whole + whole / u64::from(STEPS) * step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_on_a_bound_is_below_it_as_prometheus_and_otlp_have_it() {
        assert_eq!(bucket_of(HTTP_BOUNDS, 0.0), 0);
        assert_eq!(bucket_of(HTTP_BOUNDS, 0.005), 0);
        assert_eq!(bucket_of(HTTP_BOUNDS, 0.0051), 1);
        assert_eq!(bucket_of(HTTP_BOUNDS, 10.0), 13);
        assert_eq!(bucket_of(HTTP_BOUNDS, 11.0), 14);
    }

    #[test]
    fn quantiles_of_nothing_one_and_a_span() {
        let mut all = Latency::default();
        assert_eq!(all.quantile(0.5), None);
        let mut counts = vec![0; LATENCY_BUCKETS];
        counts[latency_bucket(Duration::from_millis(10))] = 99;
        counts[latency_bucket(Duration::from_secs(3))] = 1;
        all.add(&Latency::from_counts(counts));
        let near = |found: Option<Duration>, wanted: Duration| {
            let found = found.unwrap();
            assert!(found >= wanted && found <= wanted + wanted / 8, "{found:?}");
        };
        near(all.quantile(0.5), Duration::from_millis(10));
        near(all.quantile(0.99), Duration::from_millis(10));
        near(all.quantile(1.0), Duration::from_secs(3));
        let earlier = all.clone();
        assert_eq!(all.since(&earlier).count(), 0);
        all.add(&earlier);
        assert_eq!(all.since(&earlier), earlier);
    }

    #[test]
    fn what_is_too_long_is_in_the_last_bucket() {
        assert_eq!(latency_bucket(Duration::MAX), LATENCY_BUCKETS - 1);
        assert_eq!(latency_bucket(Duration::ZERO), 0);
        let mut counts = vec![0; LATENCY_BUCKETS];
        counts[LATENCY_BUCKETS - 1] = 1;
        let bound = Latency::from_counts(counts).quantile(0.5).unwrap();
        assert_eq!(bound, Duration::from_micros(1 << LAST));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_what_is_below_its_bound_and_not_below_the_one_before(micros in 0_u64..1 << LAST) {
            let took = Duration::from_micros(micros);
            let at = latency_bucket(took);
            prop_assert!(took < latency_bound(at));
            prop_assert!(at == 0 || took >= latency_bound(at - 1));
        }

        #[test]
        fn buckets_grow_with_durations(a: u64, b: u64) {
            let (short, long) = (a.min(b), a.max(b));
            prop_assert!(latency_bucket(Duration::from_micros(short)) <= latency_bucket(Duration::from_micros(long)));
        }
    }
}
