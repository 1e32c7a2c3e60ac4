//! A gateway on the ledger, and somebody who asks it.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(330);

/// Killed when dropped.
pub struct Gateway {
    child: Child,
    address: String,
    key: String,
    _directory: TempDir,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Gateway {
    /// Starts it; `ledger` is what stands in `[ledger]`.
    pub fn start(ledger: &str) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        // What was there before is not learned from: it is not what is measured.
        let text = format!(
            "data_dir = \"data\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\n\
             address = \"127.0.0.1:0\"\n[callers]\nlocal = \"app\"\n[detect]\nhistory = \"0ms\"\n\
             [log]\nformat = \"json\"\n[ledger]\n{ledger}\n\
             [providers.cybrid.services.bank]\nsandbox = \"http://127.0.0.1:1\"\n\
             production = \"http://127.0.0.1:1\"\n"
        );
        std::fs::write(directory.path().join("egret.toml"), text)?;
        let add = [
            "admin",
            "key",
            "add",
            "ann",
            "--key-only",
            "--role",
            "auditor",
        ];
        let made = command(directory.path(), &add)
            .args(["--role", "operator"])
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        let key = String::from_utf8(made.stdout)?.trim().to_owned();
        let mut child = command(directory.path(), &["serve"])
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("no output")?);
        let mut lines = lines.lines();
        let mut address = None;
        loop {
            let line = lines.next().ok_or("the gateway has ended")??;
            let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            match said["message"].as_str() {
                Some("answering probes and metrics") => {
                    address = said["address"].as_str().map(str::to_owned);
                }
                Some("the gateway is ready") => break,
                _ => {}
            }
            if said["level"] == "ERROR" {
                eprintln!("{line}");
            }
        }
        // A pipe that nobody reads would stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(Self {
            child,
            address: address.ok_or("there is no admin listener")?,
            key,
            _directory: directory,
        })
    }

    /// Sends a request over a connection of its own and reads the whole answer.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Answer, Box<dyn Error>> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.key,
            body.len(),
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or("no answer")?;
        let head = String::from_utf8_lossy(&answer[..end]);
        let status = head.split(' ').nth(1).unwrap_or_default().parse()?;
        Ok(Answer {
            status,
            body: answer[end + 4..].to_vec(),
        })
    }
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egret"));
    command
        .args(arguments)
        .current_dir(directory)
        .env("EGRET_CONFIG", directory.join("egret.toml"))
        .env("EGRET_ALLOW_ROOT", "true")
        .stdin(Stdio::null());
    command
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
