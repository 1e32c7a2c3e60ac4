//! A bank that answers with anything: well-formed answers full of secrets, and what is no answer
//! at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::wire::h2;

/// Header by which a request chooses its answer.
pub const CHOICE: &str = "X-Answer";

/// What the bank does after it has read a request.
#[derive(Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Waits.
    Pause(u64),
}

/// An answer.
#[derive(Clone)]
pub struct Answer {
    /// What it tries.
    pub name: String,
    /// What happens, before the connection is closed.
    pub steps: Vec<Step>,
}

impl Answer {
    /// One piece of bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            steps: vec![Step::Send(bytes.into())],
        }
    }
}

/// Serves one connection: the answers, the turn of the next one, and where to put what was read.
type Serve = fn(TcpStream, &[Answer], &AtomicUsize, &Mutex<Vec<Vec<u8>>>);

/// The running bank.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    /// All bytes that it received, by connection.
    pub seen: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
}

impl Origin {
    /// Speaks HTTP/1.1; requests choose among the answers.
    pub fn http1(answers: Vec<Answer>) -> Self {
        Self::start(answers, |stream, answers, _, seen| {
            serve_http1(stream, answers, seen)
        })
    }

    /// Speaks HTTP/2 with prior knowledge; each request gets the next answer. `Send` steps hold
    /// frames for stream 1.
    pub fn http2(answers: Vec<Answer>) -> Self {
        Self::start(answers, |stream, answers, turn, seen| {
            serve_http2(stream, answers, turn, seen);
        })
    }

    fn start(answers: Vec<Answer>, serve: Serve) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (answers, turn) = (Arc::new(answers), Arc::new(AtomicUsize::new(0)));
        let (all, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (answers, turn, seen) =
                    (Arc::clone(&answers), Arc::clone(&turn), Arc::clone(&all));
                thread::spawn(move || serve(stream, &answers, &turn, &seen));
            }
        });
        Self {
            address,
            seen,
            stop,
        }
    }

    /// Everything that was received.
    pub fn received(&self) -> Vec<u8> {
        self.seen.lock().unwrap().concat()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn perform(stream: &mut TcpStream, answer: &Answer) {
    for step in &answer.steps {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(bytes).is_err() {
                    return;
                }
            }
            Step::Pause(millis) => thread::sleep(Duration::from_millis(*millis)),
        }
    }
}

fn serve_http1(mut stream: TcpStream, answers: &[Answer], seen: &Mutex<Vec<Vec<u8>>>) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => {
                seen.lock().unwrap().push(bytes);
                return;
            }
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_len]).into_owned();
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let length: usize = field("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let chunked = field("transfer-encoding").is_some();
    loop {
        let done = if chunked {
            bytes.ends_with(b"0\r\n\r\n")
        } else {
            bytes.len() >= head_len + length
        };
        if done {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    seen.lock().unwrap().push(bytes);
    let chosen = field(CHOICE).and_then(|text| text.parse::<usize>().ok());
    match chosen.and_then(|index| answers.get(index)) {
        Some(answer) => perform(&mut stream, answer),
        None => perform(
            &mut stream,
            &Answer::new(
                "",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
            ),
        ),
    }
}

fn serve_http2(
    mut stream: TcpStream,
    answers: &[Answer],
    turn: &AtomicUsize,
    seen: &Mutex<Vec<Vec<u8>>>,
) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
    let _ = stream.write_all(&h2::frame(h2::SETTINGS, 0, 0, &[]));
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let frames = h2::frames(bytes.get(h2::PREFACE.len()..).unwrap_or_default());
        if frames
            .iter()
            .any(|frame| frame.stream == 1 && frame.flags & h2::END_STREAM != 0)
        {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => {
                seen.lock().unwrap().push(bytes);
                return;
            }
        }
    }
    seen.lock().unwrap().push(bytes);
    let _ = stream.write_all(&h2::frame(h2::SETTINGS, 1, 0, &[]));
    if let Some(answer) = answers.get(turn.fetch_add(1, Ordering::Relaxed)) {
        perform(&mut stream, answer);
    }
    // Closing at once would make a reset of what the gateway has not read yet.
    thread::sleep(Duration::from_millis(50));
}
