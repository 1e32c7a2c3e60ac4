//! Signs of life of threads: each says now and then that it goes on, and who wants to know sees how
//! long one has been silent. A thread that is blocked or caught in a loop is silent; one that has
//! nothing to do is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a thread says that it goes on.
const BEAT: Duration = Duration::from_secs(1);

/// The signs of some threads. Clones are of the same threads.
#[derive(Clone, Debug)]
pub struct Pulse {
    began: Instant,
    /// When each was last heard, in milliseconds since `began`.
    beats: Arc<[AtomicU64]>,
}

impl Pulse {
    /// Of so many threads; all of them are heard now.
    pub fn of(threads: usize) -> Self {
        Self {
            began: Instant::now(),
            beats: (0..threads).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A thread goes on.
    pub fn beat(&self, thread: usize) {
        if let Some(beat) = self.beats.get(thread) {
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            beat.store(now, Ordering::Relaxed);
        }
    }

    /// Says again and again that a thread goes on, as a task of its runtime.
    pub async fn go_on(self, thread: usize) {
        loop {
            self.beat(thread);
            tokio::time::sleep(BEAT).await;
        }
    }

    /// For how long the most silent has not been heard.
    pub fn silence(&self) -> Duration {
        let beats = self.beats.iter().map(|beat| beat.load(Ordering::Relaxed));
        let last = beats
            .min()
            .map_or(self.began.elapsed(), Duration::from_millis);
        self.began.elapsed().saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_silent_thread_counts() {
        let began = Instant::now()
            .checked_sub(Duration::from_secs(100))
            .expect("a machine that has run for some minutes");
        let mut pulse = Pulse::of(2);
        pulse.began = began;
        assert!(pulse.silence() >= Duration::from_secs(100));
        pulse.beat(0);
        assert!(pulse.silence() >= Duration::from_secs(100));
        pulse.beat(1);
        assert!(pulse.silence() < Duration::from_secs(50));
        // There is no such thread.
        pulse.beat(2);
    }
}
