//! Calls at a fixed rate, timed from the moment at which each was due. A proxy that stalls so
//! delays the calls behind it visibly, instead of being spared them.
//!
//! Threads that block, not an asynchronous runtime: its timers tick in milliseconds, which is more
//! than a call takes.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{
    ANSWER_BYTES, Load, Measured, PATIENCE, Progress, RECONNECT_PAUSE, Tally, Watch, Window,
};

/// Calls at `rate` per second, evenly spread in time and over the connections.
///
/// # Errors
/// The rate makes no sense or threads cannot be started; failed calls are part of the result.
pub(crate) fn drive(load: &Load, rate: f64) -> Result<Measured, Failure> {
    if !rate.is_finite() || rate <= 0.0 {
        return Err("--rate must be more than 0".into());
    }
    // Threads inherit it: they are woken when they asked for, not up to 50 µs later.
    let _ = fs::write("/proc/self/timerslack_ns", "1");
    let watch = Watch::new(load);
    let begin = Instant::now();
    let start = begin + load.warm_up;
    let window = Window {
        start,
        end: start + load.duration,
    };
    let gap = Duration::try_from_secs_f64(1.0 / rate)?;
    let stride = Duration::try_from_secs_f64(load.connections as f64 / rate)?;
    let mut threads = Vec::with_capacity(load.connections);
    for (connection, place) in (0..load.connections).zip(0u32..) {
        let schedule = Schedule {
            first: begin + gap * place,
            stride,
            window,
        };
        let (address, request) = (load.address, load.request(connection));
        let body = move || schedule.call(address, &request);
        threads.push(thread::Builder::new().stack_size(128 * 1024).spawn(body)?);
    }
    sleep_until(window.start);
    let from = watch.look();
    sleep_until(window.end);
    let to = watch.look();
    let mut tallies = Vec::with_capacity(threads.len());
    for thread in threads {
        tallies.push(thread.join().map_err(|_| "a thread has panicked")?);
    }
    Ok(Measured::new(load, tallies, &watch, [from, to]))
}

/// When the calls of one connection are due.
struct Schedule {
    first: Instant,
    stride: Duration,
    window: Window,
}

impl Schedule {
    fn call(&self, address: SocketAddr, request: &[u8]) -> Tally {
        let mut tally = Tally::default();
        let mut buffer = vec![0; ANSWER_BYTES];
        // Connected before its first call is due: the measurement is of calls.
        let mut connection = connect(address).ok();
        let mut due = self.first;
        while due < self.window.end {
            sleep_until(due);
            match exchange(&mut connection, address, request, &mut buffer) {
                Ok(status) => tally.answer(status, due.elapsed(), self.window.contains(due)),
                Err(error) => {
                    tally.broken(&error);
                    connection = None;
                    thread::sleep(RECONNECT_PAUSE);
                }
            }
            due += self.stride;
        }
        tally
    }
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One call; gives the status of the answer.
///
/// # Errors
/// There was no answer, or none in order.
pub(crate) fn exchange(
    connection: &mut Option<TcpStream>,
    address: SocketAddr,
    request: &[u8],
    buffer: &mut [u8],
) -> Result<u16, Failure> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(connect(address)?),
    };
    stream.write_all(request)?;
    let mut progress = Progress::default();
    loop {
        let count = stream.read(progress.space(buffer))?;
        if let Some(answer) = progress.read(buffer, count)? {
            if answer.closes {
                *connection = None;
            }
            return Ok(answer.status);
        }
    }
}
