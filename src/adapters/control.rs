//! The socket by which commands ask the running gateway to do something: one request a connection,
//! one answer, each a line of JSON. It lies in the data directory and is for the gateway's own user
//! and root.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Name of the socket in the data directory.
pub const SOCKET: &str = "control.sock";

/// Longest request, in bytes: a path.
const MAX_LINE: usize = 64 << 10;

/// Longest answer, in bytes: faults of a configuration are bounded, and so are differences.
const MAX_ANSWER: u64 = 16 << 20;

/// How long a client may take to say what it wants.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// What the gateway is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Hand over to a new process.
    Upgrade {
        /// The program; none for the one that the gateway was started from.
        binary: Option<PathBuf>,
    },
    /// Reload the configuration.
    Reload,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done.
    Done {
        /// What came of it, for people.
        said: String,
    },
    /// It is not.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// What a reload came to.
    Report {
        /// Everything in it may be shown.
        report: serde_json::Value,
    },
}

/// Somebody who waits for an answer.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    /// Number of the user who asks, as the system says.
    pub user: u32,
}

impl Client {
    /// Answers. Whether somebody still listens does not matter.
    pub async fn answer(mut self, reply: &Reply) {
        if let Ok(mut line) = serde_json::to_vec(reply) {
            line.push(b'\n');
            let _ = timeout(REQUEST_TIME, self.stream.write_all(&line)).await;
        }
    }
}

/// The socket.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// By which it is told from one that another process has put in its place.
    inode: u64,
}

impl Control {
    /// Puts the socket in its place, also over one that another process has left or is about to
    /// leave: who has the journal has the directory.
    ///
    /// # Errors
    /// What the system said.
    pub fn bind(directory: &Path) -> io::Result<Self> {
        let path = directory.join(SOCKET);
        let draft = directory.join(format!("{SOCKET}.{}", std::process::id()));
        let _ = std::fs::remove_file(&draft);
        let listener = UnixListener::bind(&draft)?;
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))?;
        let inode = std::fs::metadata(&draft)?.ino();
        std::fs::rename(&draft, &path)?;
        Ok(Self {
            listener,
            path,
            inode,
        })
    }

    /// The next request. What is none is answered and passed over.
    pub async fn next(&self) -> (Request, Client) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let user = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
            let mut client = Client { stream, user };
            match timeout(REQUEST_TIME, read_line(&mut client.stream)).await {
                Ok(Ok(line)) => match serde_json::from_slice(&line) {
                    Ok(request) => return (request, client),
                    Err(_) => {
                        let why = "this gateway does not know what is asked: is it older?";
                        let why = why.to_owned();
                        client.answer(&Reply::Failed { why }).await;
                    }
                },
                _ => drop(client),
            }
        }
    }

    /// Takes the socket away, unless another process has put its own there.
    pub fn remove(self) {
        if std::fs::metadata(&self.path).is_ok_and(|of| of.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

async fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut limited = stream.take(MAX_LINE as u64);
    loop {
        let mut byte = [0];
        if limited.read(&mut byte).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if byte == *b"\n" {
            return Ok(line);
        }
        line.extend_from_slice(&byte);
    }
}

/// Asks the gateway that runs with a data directory, for at most `patience`.
///
/// # Errors
/// None runs, it cannot be reached, or it does not answer.
pub fn ask(directory: &Path, request: &Request, patience: Duration) -> io::Result<Reply> {
    let mut stream = Blocking::connect(directory.join(SOCKET))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&answer)?)
}

/// An answer that does not fit the request.
pub const ODD_REPLY: &str = "the gateway's answer is not understood: is it of another version?";

/// Why [`ask`] has failed, for people.
pub fn not_asked(directory: &Path, error: &io::Error) -> String {
    format!(
        "cannot ask the gateway by {}: {error}; is it running, and is this its user?",
        directory.join(SOCKET).display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn requests_are_answered_and_other_things_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let old = Control::bind(&directory).unwrap();
            // The next process puts its own in place.
            let control = Control::bind(&directory).unwrap();
            drop(old);
            let mode = std::fs::metadata(directory.join(SOCKET)).unwrap();
            assert_eq!(mode.permissions().mode() & 0o777, 0o600);
            let request = Request::Upgrade { binary: None };
            let asked = request.clone();
            let asks = std::thread::spawn(move || {
                let mut odd = Blocking::connect(directory.join(SOCKET)).unwrap();
                odd.write_all(b"{\"dance\":{}}\n").unwrap();
                let mut said = String::new();
                odd.read_to_string(&mut said).unwrap();
                (said, ask(&directory, &asked, LONG))
            });
            let (found, client) = control.next().await;
            assert_eq!(found, request);
            assert_eq!(client.user, rustix::process::getuid().as_raw());
            let said = "well".to_owned();
            client.answer(&Reply::Done { said: said.clone() }).await;
            let (odd, reply) = asks.join().unwrap();
            assert!(odd.contains("failed"), "{odd}");
            assert_eq!(reply.unwrap(), Reply::Done { said });
            control.remove();
        });
        assert!(ask(place.path(), &Request::Upgrade { binary: None }, LONG).is_err());
    }
}
