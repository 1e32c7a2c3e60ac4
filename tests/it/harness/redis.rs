//! A Redis or Valkey of one's own: on a free port, nothing on disk, gone with the test.
//!
//! Without a server a test says that it was skipped; where `CI` is set it fails.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::until;

/// A running server.
pub struct Redis {
    port: u16,
    process: Child,
}

impl Redis {
    /// Starts a server; `None` if there is none to start.
    pub fn start() -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        Self::start_on(port)
    }

    /// Starts a server on a port, as one that was killed comes back.
    pub fn start_on(port: u16) -> Option<Self> {
        let Some(program) = program() else {
            crate::clients::skip(
                "there is no redis-server and no valkey-server; install Debian's `redis-server` \
                 (deploy/need.sh test)",
            );
            return None;
        };
        // It dies with this thread, whatever becomes of the test.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the server");
        let server = Self { port, process };
        until("Redis answers", || server.answers());
        Some(server)
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut answer = [0; 7];
        let asked = stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .and_then(|()| stream.write_all(b"PING\r\n"))
            .and_then(|()| stream.read_exact(&mut answer));
        asked.is_ok() && answer == *b"+PONG\r\n"
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Redis {
    /// As `kill -9` does.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    ["redis-server", "valkey-server"].iter().find_map(|name| {
        std::env::split_paths(&path)
            .map(|directory| directory.join(name))
            .find(|program| program.exists())
    })
}
