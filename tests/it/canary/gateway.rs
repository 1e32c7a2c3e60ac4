//! A gateway process of its own, with everything that it writes in one directory.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const EGRET: &str = env!("CARGO_BIN_EXE_egret");

/// A gateway that logs all that it can and writes everything below one directory.
pub struct Gateway {
    /// Its working directory, with configuration and data.
    pub home: tempfile::TempDir,
    /// Where it listens, in the order of its listeners.
    pub addresses: Vec<SocketAddr>,
    child: Option<Child>,
}

impl Gateway {
    /// Starts with this configuration. `data_dir` and `[log]` are added to it.
    pub fn start(format: &str, body: &str, listeners: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self::start_in(home, format, body, listeners)
    }

    /// Starts in a directory that holds what the configuration names.
    pub fn start_in(home: tempfile::TempDir, format: &str, body: &str, listeners: usize) -> Self {
        let config = format!(
            "node = \"canary\"\ndata_dir = \"data\"\nworkers = 1\n{body}\n\
             [log]\nfilter = \"trace\"\nformat = \"{format}\"\n"
        );
        fs::write(home.path().join("egret.toml"), config).unwrap();
        let output = |name: &str| File::create(home.path().join(name)).unwrap();
        let child = Command::new(EGRET)
            .args(["serve", "--config", "egret.toml"])
            .current_dir(home.path())
            .env_remove("EGRET_CONFIG")
            .env("EGRET_ADMIN_ADDRESS", "127.0.0.1:0")
            // Where tests run in a container they are root.
            .env("EGRET_ALLOW_ROOT", "true")
            // More is fired than a bank allows.
            .env("EGRET_LIMITS_SHADOW", "true")
            .env("RUST_BACKTRACE", "full")
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        let mut gateway = Self {
            home,
            addresses: Vec::new(),
            child: Some(child),
        };
        gateway.wait_ready(listeners);
        gateway
    }

    fn wait_ready(&mut self, listeners: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = fs::read_to_string(self.home.path().join("stderr")).unwrap_or_default();
            if log.contains("the gateway is ready") {
                self.addresses = log
                    .lines()
                    .filter(|line| line.contains(" listening") || line.contains("\"listening\""))
                    .filter_map(|line| {
                        let at = line.find("127.0.0.1:")?;
                        let text = &line[at..];
                        let end = text[10..]
                            .find(|c: char| !c.is_ascii_digit())
                            .map_or(text.len(), |end| end + 10);
                        text[..end].parse().ok()
                    })
                    .collect();
                assert_eq!(self.addresses.len(), listeners, "{log}");
                return;
            }
            let died = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().unwrap());
            assert!(
                died.is_none() && Instant::now() < deadline,
                "not ready:\n{log}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The first listener.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The admin listener.
    pub fn admin(&self) -> SocketAddr {
        let log = fs::read_to_string(self.home.path().join("stderr")).unwrap();
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains("answering probes and metrics"));
        let line = line.unwrap_or_else(|| panic!("no admin listener:\n{log}"));
        let (_, rest) = line.split_once("127.0.0.1:").unwrap();
        let end = rest.find(|c: char| !c.is_ascii_digit());
        format!("127.0.0.1:{}", &rest[..end.unwrap_or(rest.len())])
            .parse()
            .unwrap()
    }

    /// Stops it as an operator would, and waits for its end.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let killed = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
                panic!("the gateway did not stop");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs another command on the same configuration; gives standard output and error.
    pub fn run(&self, args: &[&str]) -> Vec<u8> {
        run_in(self.home.path(), args)
    }

    /// The rows of the ledger, oldest first.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        let out = self.run(&[
            "audit",
            "query",
            "--banks-only",
            "--limit",
            "0",
            "--oldest-first",
            "--format",
            "json",
        ]);
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no row: {line}")))
            .collect()
    }

    /// Everything below its directory, the secret key apart.
    pub fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        collect(self.home.path(), &mut all);
        all
    }
}

/// Runs a command of Egret's in a directory; gives standard output and error.
pub fn run_in(directory: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new(EGRET)
        .args(args)
        .current_dir(directory)
        .env("EGRET_CONFIG", "egret.toml")
        .env("EGRET_ALLOW_ROOT", "true")
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    [output.stdout, output.stderr].concat()
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn collect(directory: &Path, all: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, all);
        } else if path.is_file() && path.extension().is_none_or(|end| end != "key") {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
}
