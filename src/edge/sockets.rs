//! Listening sockets: bound here, or taken over from the process before, so that no connection that
//! waits in one of them is lost.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::domain::config::ListenAddress;

/// Connections that wait to be accepted, per socket; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4096;

/// A socket that is bound, before a runtime takes it.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Bound {
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket) => Self::Unix(socket.try_clone()?),
        })
    }

    /// The same socket, to be handed to another process.
    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        Ok(match self {
            Self::Tcp(socket) => socket.try_clone()?.into(),
            Self::Unix(socket) => socket.try_clone()?.into(),
        })
    }
}

/// What listens on one address.
#[derive(Debug)]
pub(super) struct BoundListener {
    /// As the configuration has it.
    pub(super) wanted: ListenAddress,
    /// With the port that the system chose.
    pub(super) address: ListenAddress,
    pub(super) sockets: Vec<Bound>,
}

impl BoundListener {
    /// The file to be removed at the end, of a Unix socket.
    pub(super) fn file(&self) -> Option<PathBuf> {
        match &self.address {
            ListenAddress::Tcp(_) => None,
            ListenAddress::Unix(path) => Some(path.clone()),
        }
    }
}

/// The sockets of one address, on their way from one process to the next.
#[derive(Debug)]
pub struct SharedSockets {
    /// The address as the configuration has it.
    pub wanted: String,
    /// The sockets.
    pub sockets: Vec<OwnedFd>,
}

/// The sockets that the process before has handed over.
#[derive(Debug, Default)]
pub struct Inherited(pub Vec<SharedSockets>);

impl Inherited {
    /// Takes those of an address; of an address that is there twice, the first.
    fn take(&mut self, wanted: &ListenAddress) -> Vec<OwnedFd> {
        let wanted = wanted.to_string();
        let found = self.0.iter().position(|shared| shared.wanted == wanted);
        found.map_or_else(Vec::new, |at| self.0.remove(at).sockets)
    }
}

/// Listens on an address with at least so many sockets: with those that were handed over, or bound
/// anew.
pub(super) fn listen(
    wanted: &ListenAddress,
    sockets: usize,
    inherited: &mut Inherited,
) -> io::Result<BoundListener> {
    let mut bound = Vec::new();
    for shared in inherited.take(wanted) {
        bound.push(match wanted {
            ListenAddress::Tcp(_) => Bound::Tcp(shared.into()),
            ListenAddress::Unix(_) => Bound::Unix(shared.into()),
        });
    }
    for socket in &bound {
        match socket {
            Bound::Tcp(socket) => socket.set_nonblocking(true)?,
            Bound::Unix(socket) => socket.set_nonblocking(true)?,
        }
    }
    let mut address = wanted.clone();
    match (wanted, bound.first()) {
        (_, Some(Bound::Tcp(socket))) => address = ListenAddress::Tcp(socket.local_addr()?),
        (ListenAddress::Tcp(address), None) => ensure_free(*address)?,
        (ListenAddress::Unix(path), None) => bound.push(Bound::Unix(bind_unix(path)?)),
        (_, Some(Bound::Unix(_))) => {}
    }
    while bound.len() < sockets.max(1) {
        let more = match (&mut address, bound.first()) {
            // Port 0: the first socket learns the port, the others share it.
            (ListenAddress::Tcp(address), None) => {
                let socket = bind_tcp(*address)?;
                *address = socket.local_addr()?;
                Bound::Tcp(socket)
            }
            // Who handed over may not have asked for sharing the port.
            (ListenAddress::Tcp(address), Some(first)) => match bind_tcp(*address) {
                Ok(socket) => Bound::Tcp(socket),
                Err(_) => first.try_clone()?,
            },
            (ListenAddress::Unix(_), Some(first)) => first.try_clone()?,
            (ListenAddress::Unix(path), None) => Bound::Unix(bind_unix(path)?),
        };
        bound.push(more);
    }
    Ok(BoundListener {
        wanted: wanted.clone(),
        address,
        sockets: bound,
    })
}

/// Binds a Unix socket, in place of one that a process has left behind.
pub(super) fn bind_unix(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    // A socket file of a process that has died is in the way; a live one is not ours.
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn tcp_socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Fails if somebody listens there already. With `SO_REUSEPORT` two gateways could share a port,
/// and its calls, without a word, each with a ledger of its own.
fn ensure_free(address: SocketAddr) -> io::Result<()> {
    tcp_socket(address)?.bind(&address.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = tcp_socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn share(bound: &BoundListener) -> SharedSockets {
        SharedSockets {
            wanted: bound.wanted.to_string(),
            sockets: bound
                .sockets
                .iter()
                .map(|one| one.share().unwrap())
                .collect(),
        }
    }

    #[test]
    fn a_connection_that_waits_is_accepted_by_the_next_process() {
        let wanted = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let old = listen(&wanted, 2, &mut Inherited::default()).unwrap();
        let ListenAddress::Tcp(address) = old.address else {
            panic!("no address");
        };
        let mut waiting = TcpStream::connect(address).unwrap();
        let mut inherited = Inherited(vec![share(&old)]);
        drop(old);
        let new = listen(&wanted, 3, &mut inherited).unwrap();
        assert_eq!(new.address, ListenAddress::Tcp(address));
        assert_eq!(new.sockets.len(), 3);
        let mut accepted = new.sockets.iter().find_map(|socket| match socket {
            Bound::Tcp(socket) => socket.accept().ok(),
            Bound::Unix(_) => None,
        });
        accepted
            .as_mut()
            .expect("the connection")
            .0
            .write_all(b"x")
            .unwrap();
        let mut byte = [0];
        waiting.read_exact(&mut byte).unwrap();
        // Two listeners of one configuration may ask for "any port".
        assert!(inherited.take(&wanted).is_empty());
    }

    #[test]
    fn a_unix_socket_keeps_its_file() {
        let place = tempfile::tempdir().unwrap();
        let wanted = ListenAddress::Unix(place.path().join("s"));
        let old = listen(&wanted, 1, &mut Inherited::default()).unwrap();
        assert!(listen(&wanted, 1, &mut Inherited::default()).is_err());
        let mut inherited = Inherited(vec![share(&old)]);
        drop(old);
        let new = listen(&wanted, 2, &mut inherited).unwrap();
        let path = new.file().unwrap();
        std::os::unix::net::UnixStream::connect(path).unwrap();
    }
}
