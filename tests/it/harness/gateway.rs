//! The gateway and the other commands as processes.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

use super::audit::{self, Row};
use super::raw::{Answer, Client};
use super::sim::CYBRID_SERVICES;
use super::{eventually, until};

/// An address that nobody listens on: the services that a test does not use.
const NOBODY: &str = "http://127.0.0.1:1";

/// A configuration in a directory of its own.
pub struct Config {
    directory: TempDir,
    listeners: Vec<String>,
    callers: String,
    providers: String,
    admin: String,
    sections: String,
    filter: String,
    environment: Vec<(String, String)>,
    limits: bool,
}

impl Config {
    /// One plain listener on loopback, where processes of this machine are the caller `app`.
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            listeners: Vec::new(),
            callers: "local = \"app\"".to_owned(),
            providers: String::new(),
            admin: "address = \"127.0.0.1:0\"".to_owned(),
            sections: String::new(),
            filter: "info".to_owned(),
            environment: Vec::new(),
            limits: false,
        }
    }

    /// Keeps the banks' limits. Otherwise they are only counted: tests make more calls than a bank
    /// allows.
    pub fn within_limits(mut self) -> Self {
        self.limits = true;
        self
    }

    /// Where the configuration, the ledger and everything else of the test is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file beside the configuration; gives its path.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Writes a file beside the configuration that only its owner may read.
    pub fn private_file(self, name: &str, content: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.file(name, content);
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, mode).expect("permissions");
        self
    }

    /// Adds a listener, as TOML without the table's header.
    pub fn listener(mut self, toml: &str) -> Self {
        self.listeners.push(toml.to_owned());
        self
    }

    /// Replaces the content of `[callers]`.
    pub fn callers(mut self, toml: &str) -> Self {
        self.callers = toml.to_owned();
        self
    }

    /// Adds a provider: its keys, and the sandbox of each service as a URL or a table.
    pub fn provider(mut self, id: &str, keys: &str, services: &[(&str, &str)]) -> Self {
        writeln!(self.providers, "[providers.{id}]\n{keys}").expect("text");
        for (service, sandbox) in services {
            let sandbox = if sandbox.starts_with('{') {
                (*sandbox).to_owned()
            } else {
                format!("\"{sandbox}\"")
            };
            // No test may look up, let alone call, a bank's real host.
            writeln!(
                self.providers,
                "[providers.{id}.services.{service}]\nsandbox = {sandbox}\nproduction = \"{NOBODY}\""
            )
            .expect("text");
        }
        self
    }

    /// Cybrid with all its services at one address.
    pub fn cybrid(self, url: &str) -> Self {
        self.cybrid_with("", url)
    }

    /// As [`Config::cybrid`], with keys of `[providers.cybrid]`.
    pub fn cybrid_with(self, keys: &str, url: &str) -> Self {
        self.provider(
            "cybrid",
            keys,
            &CYBRID_SERVICES.map(|service| (service, url)),
        )
    }

    /// Replaces the content of `[admin]`.
    pub fn admin(mut self, toml: &str) -> Self {
        self.admin = toml.to_owned();
        self
    }

    /// Adds whole sections.
    pub fn section(mut self, toml: &str) -> Self {
        writeln!(self.sections, "{toml}").expect("text");
        self
    }

    /// The log filter; `info` otherwise.
    pub fn log(mut self, filter: &str) -> Self {
        self.filter = filter.to_owned();
        self
    }

    /// Sets an environment variable for the gateway.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the configuration file is.
    pub fn path(&self) -> PathBuf {
        self.directory().join("egret.toml")
    }

    /// Writes the configuration file.
    pub fn write(&self) {
        let listeners = match self.listeners.as_slice() {
            [] => "[[listener]]\naddress = \"127.0.0.1:0\"\n".to_owned(),
            some => some
                .iter()
                .map(|one| format!("[[listener]]\n{one}\n"))
                .collect(),
        };
        let text = format!(
            "node = \"node-1\"\ndata_dir = \"data\"\nworkers = 2\n\n{listeners}\n[callers]\n{}\n\n\
             [admin]\n{}\n\n{}\n[log]\nfilter = \"{}\"\nformat = \"json\"\n\n{}",
            self.callers, self.admin, self.providers, self.filter, self.sections
        );
        std::fs::write(self.path(), text).expect("a configuration");
    }

    /// Runs `egret` with this configuration until it ends.
    pub fn egret(&self, arguments: &[&str]) -> Ran {
        self.write();
        egret_in(self.directory(), arguments)
    }

    /// Starts the gateway and waits until it is ready.
    pub fn start(self) -> Gateway {
        match self.try_start() {
            Ok(gateway) => gateway,
            Err(ran) => panic!("the gateway did not start:\n{}", ran.stderr),
        }
    }

    /// Starts the gateway; if it ends instead of getting ready, gives how.
    pub fn try_start(self) -> Result<Gateway, Ran> {
        self.write();
        let mut child = egret_command(self.directory(), &["serve"])
            .env("EGRET_LIMITS_SHADOW", (!self.limits).to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway");
        let stderr = BufReader::new(child.stderr.take().expect("stderr"));
        let lines = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut sink = sink.lock().expect("lines");
                sink.push_str(&line);
                sink.push('\n');
            }
        });
        let mut gateway = Gateway {
            config: self,
            child,
            lines,
            reader: Some(reader),
            addresses: Vec::new(),
            admin: None,
        };
        let ended = eventually("the gateway is ready", || {
            if gateway.log("the gateway is ready").is_some() {
                return Some(None);
            }
            gateway.child.try_wait().expect("a child").map(Some)
        });
        if let Some(status) = ended {
            gateway.join_reader();
            return Err(Ran {
                status,
                stdout: String::new(),
                stderr: gateway.stderr(),
            });
        }
        gateway.addresses = gateway
            .logs("listening")
            .iter()
            .map(|line| line["address"].as_str().expect("an address").to_owned())
            .collect();
        gateway.admin = gateway
            .log("answering probes and metrics")
            .map(|line| line["address"].as_str().expect("an address").to_owned());
        Ok(gateway)
    }
}

/// A running gateway; killed when dropped.
pub struct Gateway {
    config: Config,
    child: Child,
    lines: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    addresses: Vec<String>,
    admin: Option<String>,
}

impl Gateway {
    /// Address and port of the first listener.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// Address and port of each listener.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Address and port of the admin listener.
    pub fn admin(&self) -> &str {
        self.admin.as_deref().expect("an admin listener")
    }

    /// `GET` from the admin listener.
    pub fn admin_get(&self, path: &str) -> Answer {
        Client::tcp(self.admin()).call("GET", path, &[], b"")
    }

    /// A figure of `/metrics`, by its name and label as it stands there.
    #[track_caller]
    pub fn figure(&self, series: &str) -> f64 {
        let answer = self.admin_get("/metrics");
        let text = answer.text();
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let found = found.unwrap_or_else(|| panic!("no {series} in:\n{text}"));
        found.parse().expect("a number")
    }

    /// Base URL of the first listener.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where the configuration, the ledger and everything else of the test is.
    pub fn directory(&self) -> &Path {
        self.config.directory()
    }

    /// Process id: of the last process that has taken over, if any has.
    pub fn pid(&self) -> u32 {
        let successor = self.log("another process has taken over");
        successor.map_or(self.child.id(), |line| {
            let pid = line["pid"].as_str().expect("a process id");
            pid.parse().expect("a number")
        })
    }

    /// Whether the process that was started first has ended.
    pub fn first_has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// One call over a connection of its own.
    pub fn call(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        Client::tcp(self.address()).call(method, target, headers, body)
    }

    /// `GET` over a connection of its own.
    pub fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", target, headers, b"")
    }

    /// `POST` of JSON over a connection of its own.
    pub fn post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        self.call("POST", target, &all, body.as_bytes())
    }

    /// Runs another command on the same configuration.
    pub fn egret(&self, arguments: &[&str]) -> Ran {
        egret_in(self.directory(), arguments)
    }

    /// The rows that `egret audit query --format json` shows, oldest first.
    pub fn query(&self, filters: &[&str]) -> Vec<Row> {
        audit::query(self.directory(), filters)
    }

    /// Waits until exactly `count` rows match and gives them, oldest first.
    pub fn rows(&self, count: usize, filters: &[&str]) -> Vec<Row> {
        let mut last = 0;
        let deadline = std::time::Instant::now() + super::PATIENCE;
        loop {
            let rows = self.query(filters);
            if rows.len() == count {
                return rows;
            }
            last = last.max(rows.len());
            assert!(
                rows.len() < count && std::time::Instant::now() < deadline,
                "{count} rows wanted for {filters:?}, {} found:\n{rows:#?}",
                rows.len(),
            );
        }
    }

    /// Waits for the one row that matches.
    pub fn row(&self, filters: &[&str]) -> Row {
        self.rows(1, filters).remove(0)
    }

    /// Waits for the row of an answer, by its `Egret-Call-Id`.
    pub fn row_of(&self, answer: &Answer) -> Row {
        self.row(&["--call-id", answer.call_id()])
    }

    /// What was written to stderr until now.
    pub fn stderr(&self) -> String {
        self.lines.lock().expect("lines").clone()
    }

    /// The last log line with this message.
    pub fn log(&self, message: &str) -> Option<Value> {
        self.logs(message).pop()
    }

    /// Every log line with this message.
    pub fn logs(&self, message: &str) -> Vec<Value> {
        self.stderr()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["message"] == message)
            .collect()
    }

    /// Asks the gateway to stop, without waiting.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal to the process that is the gateway now.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Asks the gateway to stop and waits for its end; gives also what is left to look at.
    pub fn stop(mut self) -> (Ran, Config) {
        self.terminate();
        let ran = self.wait();
        let fresh = Config::new();
        (ran, std::mem::replace(&mut self.config, fresh))
    }

    /// Kills the process at once, as `kill -9` does; gives what is left to look at.
    pub fn kill(mut self) -> Config {
        self.child.kill().expect("kill");
        self.wait();
        std::mem::replace(&mut self.config, Config::new())
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> Ran {
        let status = eventually("the gateway has ended", || {
            self.child.try_wait().expect("a child")
        });
        self.join_reader();
        Ran {
            status,
            stdout: String::new(),
            stderr: self.stderr(),
        }
    }

    /// Waits until a log line with this message was written.
    pub fn wait_for_log(&self, message: &str) {
        until(message, || self.log(message).is_some());
    }

    fn join_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader of stderr");
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for started in self.logs("a new process is to take over") {
            let pid = started["pid"].as_str().expect("a process id");
            let _ = Command::new("kill")
                .args(["-KILL", pid])
                .stderr(Stdio::null())
                .status();
        }
        if std::thread::panicking() {
            eprintln!(
                "--- log of the gateway ---\n{}--- end of the log ---",
                self.stderr()
            );
        }
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// How.
    pub status: ExitStatus,
    /// What it wrote.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Ran {
    /// The standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{:?}\n{}", self.status, self.stderr);
        self.stdout
    }

    /// The standard error of a command that must have failed.
    #[track_caller]
    pub fn failed(self) -> String {
        assert!(!self.status.success(), "succeeded:\n{}", self.stdout);
        self.stderr
    }
}

/// Runs `egret` without a configuration.
pub fn egret(arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir().expect("a directory");
    egret_in(directory.path(), arguments)
}

/// Runs `egret` on the configuration in a directory.
pub fn egret_in(directory: &Path, arguments: &[&str]) -> Ran {
    let output = egret_command(directory, arguments).output().expect("egret");
    Ran {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// `egret` on the configuration in a directory, to be started.
pub fn egret_command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egret"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("EGRET_") || text.starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("EGRET_CONFIG", directory.join("egret.toml"))
        // Where tests run in a container they are root.
        .env("EGRET_ALLOW_ROOT", "true")
        .stdin(Stdio::null())
        .current_dir(directory);
    command
}
