//! The line between two processes of one gateway: messages and file descriptors over a Unix socket
//! that the new process finds as its standard input. Nobody else can speak on it.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::domain::handover::{MAX_DESCRIPTORS, MAX_MESSAGE, Message};

/// File descriptors in one message of the kernel, which takes 253 at most.
const AT_A_TIME: usize = 64;

/// How often who waits looks whether waiting makes sense.
const LOOK: Duration = Duration::from_millis(50);

/// The line has failed.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The other side has gone.
    #[error("the other process has gone")]
    Gone,
    /// It says nothing.
    #[error("the other process has said nothing in time")]
    TimedOut,
    /// Somebody has asked to stop.
    #[error("it was asked to stop")]
    Aborted,
    /// What it says is no message.
    #[error("the other process says what this one does not understand: {0}")]
    Garbled(String),
    /// The system refused.
    #[error("cannot speak with the other process: {0}")]
    Io(#[from] io::Error),
}

/// One end of the line.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
}

impl Line {
    /// A line, and its other end for the standard input of a new process.
    ///
    /// # Errors
    /// What the system said.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Self { stream: ours }, theirs.into()))
    }

    /// The line to the process that has started this one.
    ///
    /// # Errors
    /// Standard input is something else.
    pub fn from_stdin() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // Fails for what is no socket.
        stream.peer_addr()?;
        Ok(Self { stream })
    }

    /// Says something.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn send(&mut self, message: &Message) -> Result<(), LineError> {
        let text = serde_json::to_vec(message).map_err(|e| LineError::Garbled(e.to_string()))?;
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.stream.write_all(&length.to_le_bytes())?;
        self.stream.write_all(&text)?;
        Ok(())
    }

    /// Waits for what the other side says, for at most `patience` and until `abort` says to stop.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn receive(
        &mut self,
        patience: Duration,
        abort: &dyn Fn() -> bool,
    ) -> Result<Message, LineError> {
        let deadline = Instant::now() + patience;
        let mut length = [0; 4];
        self.fill(&mut length, deadline, abort)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_MESSAGE {
            return Err(LineError::Garbled(format!("a message of {length} bytes")));
        }
        let mut text = vec![0; length];
        self.fill(&mut text, deadline, abort)?;
        serde_json::from_slice(&text).map_err(|error| LineError::Garbled(error.to_string()))
    }

    fn fill(
        &mut self,
        mut space: &mut [u8],
        deadline: Instant,
        abort: &dyn Fn() -> bool,
    ) -> Result<(), LineError> {
        self.stream.set_read_timeout(Some(LOOK))?;
        while !space.is_empty() {
            if abort() {
                return Err(LineError::Aborted);
            }
            match self.stream.read(space) {
                Ok(0) => return Err(LineError::Gone),
                Ok(read) => space = space.get_mut(read..).unwrap_or_default(),
                Err(error) if is_timeout(&error) && Instant::now() < deadline => {}
                Err(error) if is_timeout(&error) => return Err(LineError::TimedOut),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(LineError::Gone);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sends file descriptors; the message before must have said how many.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn send_descriptors(&mut self, all: &[BorrowedFd<'_>]) -> Result<(), LineError> {
        for some in all.chunks(AT_A_TIME) {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_A_TIME))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(some)) {
                return Err(io::Error::from(io::ErrorKind::OutOfMemory).into());
            }
            // They ride on a byte of their own, so that who reads messages does not meet them.
            sendmsg(
                &self.stream,
                &[IoSlice::new(&[0])],
                &mut control,
                SendFlags::NOSIGNAL,
            )
            .map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Receives as many file descriptors as were announced.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn receive_descriptors(&mut self, count: usize) -> Result<Vec<OwnedFd>, LineError> {
        if count > MAX_DESCRIPTORS {
            return Err(LineError::Garbled(format!("{count} file descriptors")));
        }
        self.stream
            .set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut found = Vec::new();
        while found.len() < count {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_A_TIME))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut byte = [1];
            let received = recvmsg(
                &self.stream,
                &mut [IoSliceMut::new(&mut byte)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
            .map_err(io::Error::from)?;
            if received.bytes == 0 {
                return Err(LineError::Gone);
            }
            let before = found.len();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(some) = message {
                    found.extend(some);
                }
            }
            if found.len() == before || byte != [0] {
                return Err(LineError::Garbled("no file descriptors".to_owned()));
            }
        }
        if found.len() > count {
            return Err(LineError::Garbled("too many file descriptors".to_owned()));
        }
        Ok(found)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (Line, Line) {
        let (ours, theirs) = Line::pair().unwrap();
        let stream = UnixStream::from(theirs);
        (ours, Line { stream })
    }

    const NEVER: &dyn Fn() -> bool = &|| false;
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn messages_and_descriptors_arrive_in_their_order() {
        let (mut one, mut two) = line();
        let sockets: Vec<_> = (0..150)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        one.send(&Message::WantJournal).unwrap();
        one.send_descriptors(&borrowed).unwrap();
        one.send(&Message::Serving { pid: 1 }).unwrap();
        assert_eq!(two.receive(LONG, NEVER).unwrap(), Message::WantJournal);
        let received = two.receive_descriptors(150).unwrap();
        for (sent, received) in sockets.iter().zip(received) {
            let received = std::net::UdpSocket::from(received);
            assert_eq!(sent.local_addr().unwrap(), received.local_addr().unwrap());
        }
        let last = two.receive(LONG, NEVER).unwrap();
        assert_eq!(last, Message::Serving { pid: 1 });
    }

    #[test]
    fn who_waits_learns_why_nothing_comes() {
        let (mut one, two) = line();
        let ended = one.receive(Duration::ZERO, NEVER);
        assert!(matches!(ended, Err(LineError::TimedOut)), "{ended:?}");
        let ended = one.receive(LONG, &|| true);
        assert!(matches!(ended, Err(LineError::Aborted)), "{ended:?}");
        drop(two);
        let ended = one.receive(LONG, NEVER);
        assert!(matches!(ended, Err(LineError::Gone)), "{ended:?}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let (mut one, mut two) = line();
        two.stream.write_all(&[255; 4]).unwrap();
        let ended = one.receive(LONG, NEVER);
        assert!(matches!(ended, Err(LineError::Garbled(_))), "{ended:?}");
        let (mut one, mut two) = line();
        two.stream.write_all(&[2, 0, 0, 0, b'{', b'}']).unwrap();
        let ended = one.receive(LONG, NEVER);
        assert!(matches!(ended, Err(LineError::Garbled(_))), "{ended:?}");
        two.stream.write_all(&[0]).unwrap();
        let ended = one.receive_descriptors(1);
        assert!(matches!(ended, Err(LineError::Garbled(_))), "{ended:?}");
    }
}
