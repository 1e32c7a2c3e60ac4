//! Histograms that threads add to and read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::health::{Histogram, LATENCY_BUCKETS, Latency, bucket_of, latency_bucket};

/// Buckets of a histogram; every table of bounds has one less.
const BUCKETS: usize = 15;

/// Durations by bucket. Whoever reads while another adds may see a duration in its bucket and not yet in
/// the sum: the next look has both.
#[derive(Debug, Default)]
pub struct AtomicHistogram {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl AtomicHistogram {
    /// Adds a duration.
    pub fn add(&self, bounds: &'static [f64], took: Duration) {
        if let Some(count) = self.counts.get(bucket_of(bounds, took.as_secs_f64())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What it holds, in seconds.
    pub fn read(&self, bounds: &'static [f64]) -> Histogram {
        let mut read = Histogram::new(bounds);
        for (to, from) in read.counts.iter_mut().zip(&self.counts) {
            *to = from.load(Ordering::Relaxed);
        }
        read.sum = self.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        read
    }
}

/// Durations in narrow buckets.
#[derive(Debug)]
pub struct AtomicLatency(Box<[AtomicU64]>);

impl Default for AtomicLatency {
    fn default() -> Self {
        Self((0..LATENCY_BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl AtomicLatency {
    /// Adds a duration.
    pub fn add(&self, took: Duration) {
        if let Some(count) = self.0.get(latency_bucket(took)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What it holds.
    pub fn read(&self) -> Latency {
        Latency::from_counts(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::health::{COMMIT_BOUNDS, HTTP_BOUNDS};

    #[test]
    fn what_is_added_is_read() {
        for bounds in [HTTP_BOUNDS, COMMIT_BOUNDS] {
            assert_eq!(bounds.len() + 1, BUCKETS);
        }
        let histogram = AtomicHistogram::default();
        histogram.add(HTTP_BOUNDS, Duration::from_millis(5));
        histogram.add(HTTP_BOUNDS, Duration::from_secs(60));
        let read = histogram.read(HTTP_BOUNDS);
        assert_eq!((read.counts[0], read.counts[14], read.count()), (1, 1, 2));
        assert!((read.sum - 60.005).abs() < 1e-9);
        let latency = AtomicLatency::default();
        latency.add(Duration::from_millis(5));
        assert_eq!(latency.read().count(), 1);
    }
}
