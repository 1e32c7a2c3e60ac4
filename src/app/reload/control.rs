//! The socket by which a running gateway is asked to reload: `reload.sock` in the data directory.
//!
//! Whoever may write to it may ask; it has mode 0600, so that is the user who runs the gateway, who
//! could as well send a signal. The kernel says who asks, and the record repeats it. A question and its
//! answer are one line of JSON each. A signal alone would tell nobody what became of it, and the admin
//! listener can be off.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::report::Answer;
use super::{ReloadHandle, Trigger};
use crate::adapters::machine;

/// Its name in the data directory.
pub const RELOAD_SOCKET: &str = "reload.sock";

/// Longest question, in bytes.
const MAX_QUESTION: usize = 1_024;

/// Longest answer, in bytes: faults are bounded, and so are differences.
const MAX_ANSWER: u64 = 16 << 20;

/// How long a question may take to come.
const QUESTION_TIME: Duration = Duration::from_secs(5);

/// How long an answer is waited for: names are resolved and the record reaches the disk within it.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
enum Question {
    /// Reload the configuration.
    Reload,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody is there.
    #[error(
        "no gateway answers on {path}: {cause}; is it running with this configuration, and do you \
         have the rights of its user?"
    )]
    Away {
        /// The socket.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// It has stopped answering.
    #[error("the gateway did not answer: {0}; its log says what became of it")]
    Cut(io::Error),
}

/// The socket while it is listened on; removed when this is dropped, unless another process has put its
/// own in its place.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Drop for Control {
    fn drop(&mut self) {
        if std::fs::metadata(&self.path).is_ok_and(|of| of.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds the socket, in place of one that a process has left behind or gives up.
pub(super) fn listen(path: &Path) -> io::Result<Control> {
    // Under another name first: it is never there for others to connect to, and it takes the place of
    // an older one in one step.
    let fresh = path.with_extension(format!("sock.{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let socket = std::os::unix::net::UnixListener::bind(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    let inode = std::fs::metadata(&fresh)?.ino();
    std::fs::rename(&fresh, path)?;
    socket.set_nonblocking(true)?;
    Ok(Control {
        listener: UnixListener::from_std(socket)?,
        path: path.to_owned(),
        inode,
    })
}

/// Answers for as long as it is polled, one after the other.
pub(super) async fn serve(control: &Control, handle: &ReloadHandle) {
    loop {
        match control.listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = answer(stream, handle).await {
                    tracing::debug!(reason = %error.kind(), "a question on the reload socket");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the reload socket cannot be used");
                tokio::time::sleep(QUESTION_TIME).await;
            }
        }
    }
}

async fn answer(mut stream: UnixStream, handle: &ReloadHandle) -> io::Result<()> {
    let user = machine::name_of(stream.peer_cred()?.uid());
    let question = tokio::time::timeout(QUESTION_TIME, read_line(&mut stream)).await??;
    let answer = match serde_json::from_slice::<Question>(&question) {
        Ok(Question::Reload) => {
            let trigger = Trigger::Person {
                name: user,
                via: "command",
            };
            match handle.reload(trigger).await {
                Some(report) => Answer::from(report),
                None => return Ok(()),
            }
        }
        Err(_) => Answer {
            outcome: "refused".to_owned(),
            faults: vec!["not a question that this version knows".to_owned()],
            ..Answer::default()
        },
    };
    let mut line = serde_json::to_vec(&answer).map_err(io::Error::other)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

async fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MAX_QUESTION && stream.read(&mut byte).await? == 1 {
        match byte {
            [b'\n'] => break,
            [other] => line.push(other),
        }
    }
    Ok(line)
}

/// Asks the gateway that runs with a data directory to reload its configuration.
///
/// # Errors
/// [`ControlError`].
pub fn ask_to_reload(data_dir: &Path) -> Result<Answer, ControlError> {
    let path = data_dir.join(RELOAD_SOCKET);
    let away = |cause| ControlError::Away {
        path: path.display().to_string(),
        cause,
    };
    let mut stream = std::os::unix::net::UnixStream::connect(&path).map_err(away)?;
    let ask = || -> io::Result<Answer> {
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        let mut question = serde_json::to_vec(&Question::Reload).map_err(io::Error::other)?;
        question.push(b'\n');
        stream.write_all(&question)?;
        let mut line = String::new();
        BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut line)?;
        serde_json::from_str(&line).map_err(io::Error::other)
    };
    ask().map_err(ControlError::Cut)
}
