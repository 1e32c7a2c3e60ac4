//! The load generator: what is measured, and calls as fast as the answers come.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::histogram::Histogram;
use crate::process::{Machine, Processes, own_cpu};
use crate::{Failure, message};

/// Larger than any answer.
pub(crate) const ANSWER_BYTES: usize = 256 * 1024;

/// How long an answer may take before the call counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Pause after a broken connection, so that a dead proxy is not hammered.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(10);

/// What to send where, and for how long.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// Each connection sends one of them again and again; never empty.
    pub(crate) requests: Vec<Bytes>,
    pub(crate) connections: usize,
    /// Time before the measurement begins.
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    /// The process to take CPU time and memory of.
    pub(crate) pid: Option<u32>,
    /// The process of the origin, if it is ours: it is not one of the others.
    pub(crate) origin: Option<u32>,
}

impl Load {
    /// What a connection sends.
    pub(crate) fn request(&self, connection: usize) -> Bytes {
        let index = connection % self.requests.len().max(1);
        self.requests.get(index).cloned().unwrap_or_default()
    }
}

/// The time in which calls count.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

impl Window {
    pub(crate) fn contains(&self, moment: Instant) -> bool {
        (self.start..self.end).contains(&moment)
    }
}

/// What one connection has seen.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    /// Of the calls within the window.
    pub(crate) latency: Histogram,
    /// Calls within the window.
    pub(crate) calls: u64,
    /// Answers in all, warm-up included, whatever their status.
    pub(crate) answered: u64,
    /// Answers with a status other than 2xx.
    pub(crate) refused: u64,
    /// Calls without an answer: connections that failed or ended, and answers out of order.
    pub(crate) broken: u64,
    /// What went wrong first.
    pub(crate) first_error: Option<String>,
}

impl Tally {
    /// Counts an answer.
    pub(crate) fn answer(&mut self, status: u16, took: Duration, counts: bool) {
        self.answered += 1;
        if !(200..300).contains(&status) {
            self.refused += 1;
            let text = || format!("an answer with status {status}");
            self.first_error.get_or_insert_with(text);
        }
        if counts {
            self.calls += 1;
            self.latency.add(took);
        }
    }

    /// Counts a call without an answer.
    pub(crate) fn broken(&mut self, error: &Failure) {
        self.broken += 1;
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    fn merge(&mut self, other: Self) {
        self.latency.merge(&other.latency);
        self.calls += other.calls;
        self.answered += other.answered;
        self.refused += other.refused;
        self.broken += other.broken;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// How often it is looked whether a process has come to rest. Longer than anything that it does now
/// and then, such as feeding a ledger.
const LOOK: Duration = Duration::from_millis(600);

/// CPU time within that of a process at rest; it is told to 10 ms only.
const AT_REST: Duration = Duration::from_millis(10);

/// How long is waited for that at most.
const REST_TIME: Duration = Duration::from_secs(10);

/// The processes whose CPU time is taken.
pub(crate) struct Watch {
    target: Option<Processes>,
    /// CPU time of the target before the first call.
    begun: Duration,
    threads: BTreeMap<String, Duration>,
    origin: Option<Processes>,
}

impl Watch {
    pub(crate) fn new(load: &Load) -> Self {
        let target = load.pid.map(Processes::of);
        Self {
            begun: target.as_ref().map(Processes::cpu).unwrap_or_default(),
            threads: target.as_ref().map(Processes::threads).unwrap_or_default(),
            target,
            origin: load.origin.map(Processes::of),
        }
    }

    /// CPU time of the target for all the calls, what it does after the last answer included,
    /// such as writing records: that belongs to these calls and not to the next measurement.
    fn cpu_at_rest(&self) -> Option<Duration> {
        let target = self.target.as_ref()?;
        let asked = Instant::now();
        let mut now = target.cpu();
        loop {
            std::thread::sleep(LOOK);
            let before = std::mem::replace(&mut now, target.cpu());
            let rests = now.saturating_sub(before) <= AT_REST;
            if rests || asked.elapsed() > REST_TIME {
                return Some(now.saturating_sub(self.begun));
            }
        }
    }

    /// The part of it that each kind of thread has used.
    fn threads(&self) -> Vec<(String, Duration)> {
        let now = self.target.as_ref().map(Processes::threads);
        let used = now.unwrap_or_default().into_iter().map(|(name, cpu)| {
            let begun = self.threads.get(&name).copied().unwrap_or_default();
            (name, cpu.saturating_sub(begun))
        });
        used.collect()
    }

    /// What they have used up to now.
    pub(crate) fn look(&self) -> Used {
        let cpu = |processes: &Option<Processes>| {
            processes.as_ref().map(Processes::cpu).unwrap_or_default()
        };
        Used {
            target: cpu(&self.target),
            origin: cpu(&self.origin),
            generator: own_cpu(),
            machine: Machine::now(),
        }
    }
}

/// CPU time used up to a moment.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    target: Duration,
    origin: Duration,
    generator: Duration,
    machine: Machine,
}

/// The result of a measurement.
#[derive(Clone)]
pub(crate) struct Measured {
    /// Calls within the window.
    pub(crate) calls: u64,
    pub(crate) duration: Duration,
    pub(crate) latency: Histogram,
    /// Answers in all, warm-up included.
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    pub(crate) first_error: Option<String>,
    /// CPU time of the process for all answered calls; `None` if no process was named.
    pub(crate) cpu: Option<Duration>,
    /// The part of it that each kind of thread has used.
    pub(crate) threads: Vec<(String, Duration)>,
    /// Its memory in RAM at the end, in bytes.
    pub(crate) resident: Option<u64>,
    /// CPU time of this process within the window.
    pub(crate) generator_cpu: Duration,
    /// Share of the machine used by processes that have no part in this.
    pub(crate) others: f64,
}

impl Measured {
    /// Puts together what the connections saw and what was used meanwhile.
    pub(crate) fn new(
        load: &Load,
        tallies: impl IntoIterator<Item = Tally>,
        watch: &Watch,
        [from, to]: [Used; 2],
    ) -> Self {
        let mut tally = Tally::default();
        for one in tallies {
            tally.merge(one);
        }
        let cpu = watch.cpu_at_rest();
        let target = to.target.saturating_sub(from.target);
        let generator_cpu = to.generator.saturating_sub(from.generator);
        let ours = target + generator_cpu + to.origin.saturating_sub(from.origin);
        Self {
            calls: tally.calls,
            duration: load.duration,
            latency: tally.latency,
            answered: tally.answered,
            refused: tally.refused,
            broken: tally.broken,
            first_error: tally.first_error,
            cpu,
            threads: watch.threads(),
            resident: watch.target.as_ref().map(Processes::resident),
            generator_cpu,
            others: to.machine.others_since(from.machine, ours),
        }
    }

    /// Calls per second.
    pub(crate) fn calls_per_second(&self) -> f64 {
        self.calls as f64 / self.duration.as_secs_f64()
    }

    /// CPU microseconds of the process per call.
    pub(crate) fn cpu_us_per_call(&self) -> Option<f64> {
        Some(micros_each(self.cpu?, self.answered))
    }

    /// CPU microseconds of one kind of thread of the process per call.
    pub(crate) fn thread_us_per_call(&self, name: &str) -> f64 {
        let found = self.threads.iter().find(|(thread, _)| thread == name);
        micros_each(
            found.map(|(_, cpu)| *cpu).unwrap_or_default(),
            self.answered,
        )
    }

    /// CPU microseconds of this process per call.
    pub(crate) fn generator_us_per_call(&self) -> f64 {
        micros_each(self.generator_cpu, self.calls)
    }

    /// Calls that did not end as they should.
    pub(crate) fn errors(&self) -> u64 {
        self.refused + self.broken
    }
}

fn micros_each(cpu: Duration, calls: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / (calls.max(1) as f64)
}

/// Calls over each connection as soon as the last answer is there. Every call that is begun is
/// also ended, so that the number of answers is exact.
///
/// # Errors
/// The runtime cannot be started; failed calls are part of the result.
pub(crate) fn saturate(load: &Load) -> Result<Measured, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let watch = Watch::new(load);
    runtime.block_on(async {
        let start = Instant::now() + load.warm_up;
        let window = Window {
            start,
            end: start + load.duration,
        };
        let tasks: Vec<_> = (0..load.connections)
            .map(|connection| tokio::spawn(call(load.address, load.request(connection), window)))
            .collect();
        tokio::time::sleep_until(window.start.into()).await;
        let from = watch.look();
        tokio::time::sleep_until(window.end.into()).await;
        let to = watch.look();
        let mut tallies = Vec::with_capacity(tasks.len());
        for task in tasks {
            tallies.push(task.await?);
        }
        Ok(Measured::new(load, tallies, &watch, [from, to]))
    })
}

async fn call(address: SocketAddr, request: Bytes, window: Window) -> Tally {
    let mut tally = Tally::default();
    let mut buffer = vec![0; ANSWER_BYTES];
    let mut connection = None;
    let mut now = Instant::now();
    while now < window.end {
        let started = now;
        let exchange = exchange(&mut connection, address, &request, &mut buffer);
        let result = tokio::time::timeout(PATIENCE, exchange).await;
        now = Instant::now();
        match result.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(status) => tally.answer(status, now - started, window.contains(now)),
            Err(error) => {
                tally.broken(&error);
                connection = None;
                tokio::time::sleep(RECONNECT_PAUSE).await;
                now = Instant::now();
            }
        }
    }
    tally
}

async fn exchange(
    connection: &mut Option<TcpStream>,
    address: SocketAddr,
    request: &[u8],
    buffer: &mut [u8],
) -> Result<u16, Failure> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            connection.insert(stream)
        }
    };
    stream.write_all(request).await?;
    let mut progress = Progress::default();
    loop {
        let count = stream.read(progress.space(buffer)).await?;
        if let Some(answer) = progress.read(buffer, count)? {
            if answer.closes {
                *connection = None;
            }
            return Ok(answer.status);
        }
    }
}

/// How much of an answer is there.
#[derive(Default)]
pub(crate) struct Progress {
    filled: usize,
    answer: Option<message::Answer>,
}

impl Progress {
    /// Where to read to.
    pub(crate) fn space<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Takes note of what was read; gives the answer once it is complete.
    ///
    /// # Errors
    /// The connection has ended or the answer is not in order.
    pub(crate) fn read(
        &mut self,
        buffer: &[u8],
        count: usize,
    ) -> Result<Option<message::Answer>, Failure> {
        if count == 0 {
            return Err("the connection was closed before the answer was complete".into());
        }
        self.filled += count;
        if self.answer.is_none() {
            self.answer = message::answer(buffer.get(..self.filled).unwrap_or_default())?;
        }
        match self.answer {
            Some(answer) if self.filled == answer.length => Ok(Some(answer)),
            Some(answer) if self.filled > answer.length => Err("more came than one answer".into()),
            _ => Ok(None),
        }
    }
}
