//! Starts the origin and the proxies, each on a free port of 127.0.0.1, and ends them again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::ANSWER_BYTES;
use crate::{Failure, paced};

/// How long a proxy may take to answer its first call.
const START_TIME: Duration = Duration::from_secs(20);

/// How long a proxy may take to end once it was asked to: Egret writes its records meanwhile.
const STOP_TIME: Duration = Duration::from_secs(30);

/// How often it is looked whether something has started or ended.
const LOOK: Duration = Duration::from_millis(20);

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The origin without a proxy
    Direct,
    /// A stock Pingora pass-through
    Bare,
    /// nginx with a JSON access log
    Nginx,
    /// Egret with everything on and the default loss policies
    Egret,
    /// Egret that tells a collector of OpenTelemetry every call, figures and log lines
    EgretTelemetry,
    /// Egret with intent and outcome on disk for every call
    EgretStrict,
    /// Egret with intent and outcome handed to the operating system for every call
    EgretProcessSafe,
    /// Egret with every call recorded once, when it is over
    EgretShed,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Bare => "bare Pingora",
            Self::Nginx => "nginx, JSON log",
            Self::Egret => "Egret",
            Self::EgretTelemetry => "Egret, telemetry",
            Self::EgretStrict => "Egret, strict",
            Self::EgretProcessSafe => "Egret, process_safe",
            Self::EgretShed => "Egret, shed",
        }
    }

    /// Whether it is Egret, and the loss policy of all its classes; `None` for the default ones.
    pub(crate) fn loss_policy(self) -> Option<Option<&'static str>> {
        match self {
            Self::Direct | Self::Bare | Self::Nginx => None,
            Self::Egret | Self::EgretTelemetry => Some(None),
            Self::EgretStrict => Some(Some("strict")),
            Self::EgretProcessSafe => Some(Some("process_safe")),
            Self::EgretShed => Some(Some("shed")),
        }
    }
}

/// Name of the collector among what was started.
const COLLECTOR: &str = "collector";

/// Classes of `[journal.policy]`.
const CLASSES: [&str; 7] = [
    "read",
    "personal-read",
    "write",
    "money",
    "mint",
    "access-change",
    "unknown",
];

/// A process that was started here.
struct Started {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Asked to end by SIGTERM, and given time to; the others are just killed. nginx would leave
    /// its workers behind, Egret its last records.
    gently: bool,
}

impl Started {
    fn end(&mut self) -> Option<ExitStatus> {
        if self.gently {
            // The shell's own `kill` is on every machine.
            let mut kill = Command::new("sh");
            kill.args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]);
            let _ = kill.stderr(Stdio::null()).status();
            let asked = Instant::now();
            while asked.elapsed() < STOP_TIME {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return Some(status);
                }
                thread::sleep(LOOK);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }

    /// The last lines that it has written, for an error text.
    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// Everything that was started, with the directory that it works in. All of it ends and is removed
/// with this value, and also on Ctrl-C and SIGTERM.
pub(crate) struct Stage {
    directory: PathBuf,
    started: Arc<Mutex<Vec<Started>>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        clear(&self.started, &self.directory);
    }
}

fn clear(started: &Mutex<Vec<Started>>, directory: &Path) {
    for one in started.lock().iter_mut() {
        one.end();
    }
    let _ = fs::remove_dir_all(directory);
}

/// Where something listens, and its process.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl Stage {
    /// Makes a directory within `parent`.
    ///
    /// # Errors
    /// It cannot be made, or signals cannot be listened to.
    pub(crate) fn new(parent: &Path) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(parent)
            .map_err(|error| format!("cannot make a directory in {}: {error}", parent.display()))?
            .keep();
        let started = Arc::default();
        let stage = Self { directory, started };
        stage.clear_on_signal()?;
        Ok(stage)
    }

    fn clear_on_signal(&self) -> Result<(), Failure> {
        let (directory, started) = (self.directory.clone(), Arc::clone(&self.started));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let _entered = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        drop(_entered);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
            });
            clear(&started, &directory);
            std::process::exit(130);
        });
        Ok(())
    }

    /// Starts the origin.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn origin(&self, body_bytes: usize) -> Result<Place, Failure> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["origin", "--port", &address.port().to_string()]);
        command.args(["--body", &body_bytes.to_string()]);
        self.start("origin", &mut command, address, false)
    }

    /// Starts the stock Pingora pass-through.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn bare(&self, program: &Path, origin: SocketAddr) -> Result<Place, Failure> {
        let address = free_address()?;
        let mut command = Command::new(program);
        command.args([address.port().to_string(), origin.to_string()]);
        self.start("bare_pingora", &mut command, address, false)
    }

    /// Starts nginx; `None` if it is not installed.
    ///
    /// # Errors
    /// It is installed and does not start.
    pub(crate) fn nginx(&self, origin: SocketAddr) -> Result<Option<Place>, Failure> {
        let address = free_address()?;
        let directory = self.directory.join("nginx");
        fs::create_dir(&directory)?;
        let workers = thread::available_parallelism()?;
        let config = directory.join("nginx.conf");
        fs::write(
            &config,
            nginx_config(&directory, workers.get(), address, origin),
        )?;
        let program = match find_nginx() {
            Some(program) => program,
            None => return Ok(None),
        };
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p"]).arg(&directory);
        command.arg("-c").arg(&config);
        self.start("nginx", &mut command, address, true).map(Some)
    }

    /// Starts a collector of OpenTelemetry.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn collector(&self) -> Result<Place, Failure> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["collector", "--port", &address.port().to_string()]);
        self.start(COLLECTOR, &mut command, address, true)
    }

    /// Ends the collector; gives how many spans it was told.
    ///
    /// # Errors
    /// It did not end in order, or does not say how many.
    pub(crate) fn end_collector(&self, place: Place) -> Result<u64, Failure> {
        self.end(place.pid)?;
        let said = fs::read_to_string(self.log(COLLECTOR))?;
        Ok(said.trim().parse()?)
    }

    /// Starts Egret with a journal and a ledger of its own; gives the path of the ledger as well.
    /// Every class of operation has the kind's loss policy.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn egret(
        &self,
        kind: Kind,
        program: &Path,
        origin: SocketAddr,
        collector: Option<Place>,
    ) -> Result<(Place, PathBuf), Failure> {
        let address = free_address()?;
        let name = kind.name();
        let directory = self.directory.join(name);
        fs::create_dir(&directory)?;
        let config = directory.join("egret.toml");
        let policy = kind.loss_policy().flatten();
        let collector = collector.map(|place| place.address);
        fs::write(&config, egret_config(address, origin, policy, collector))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config);
        // Benches run as whoever owns the machine.
        command.arg("--allow-root");
        let place = self.start(name, &mut command, address, true)?;
        Ok((place, directory.join("data/ledger.db")))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    fn start(
        &self,
        name: &'static str,
        command: &mut Command,
        address: SocketAddr,
        gently: bool,
    ) -> Result<Place, Failure> {
        let log = self.log(name);
        let output = File::create(&log)?;
        command.stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        let program = Path::new(command.get_program()).to_owned();
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let pid = child.id();
        self.started.lock().push(Started {
            name,
            child,
            log,
            gently,
        });
        self.wait_for_listener(pid, address)?;
        Ok(Place { address, pid })
    }

    fn wait_for_listener(&self, pid: u32, address: SocketAddr) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            let mut started = self.started.lock();
            let one = started
                .iter_mut()
                .find(|one| one.child.id() == pid)
                .ok_or("a process was lost")?;
            let trouble = match one.child.try_wait()? {
                Some(status) => format!("has ended ({status})"),
                None if begun.elapsed() > START_TIME => {
                    format!("does not listen on {address} after {START_TIME:?}")
                }
                None => String::new(),
            };
            if !trouble.is_empty() {
                return Err(format!("{} {trouble}:\n{}", one.name, one.last_words()).into());
            }
            drop(started);
            thread::sleep(LOOK);
        }
    }

    /// Ends one process and waits for it.
    ///
    /// # Errors
    /// It did not end in time or not in order.
    pub(crate) fn end(&self, pid: u32) -> Result<(), Failure> {
        let mut started = self.started.lock();
        let Some(at) = started.iter().position(|one| one.child.id() == pid) else {
            return Ok(());
        };
        let mut one = started.remove(at);
        match one.end() {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(format!("{} ended with {status}:\n{}", one.name, one.last_words()).into())
            }
            None => Err(format!("{} did not end within {STOP_TIME:?}", one.name).into()),
        }
    }
}

/// Makes one call.
///
/// # Errors
/// There is no answer, or one with another status than 200.
pub(crate) fn probe(address: SocketAddr, request: &[u8]) -> Result<(), Failure> {
    let mut buffer = vec![0; ANSWER_BYTES];
    match paced::exchange(&mut None, address, request, &mut buffer)? {
        200 => Ok(()),
        status => {
            let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
            let text = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default());
            Err(format!("the first call was answered with status {status}:\n{text}").into())
        }
    }
}

/// An address that nobody listened on a moment ago.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// nginx from the search path, or from where Debian has it for root only.
fn find_nginx() -> Option<&'static str> {
    ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| {
        let mut command = Command::new(program);
        command
            .arg("-v")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.status() {
            Ok(status) => status.success(),
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    })
}

/// Upstream keep-alive as in Pingora (128 connections) and, as nothing may be lost, a log line
/// written for every call: `access_log` without a buffer.
fn nginx_config(
    directory: &Path,
    workers: usize,
    address: SocketAddr,
    origin: SocketAddr,
) -> String {
    let directory = directory.display();
    format!(
        r#"daemon off;
worker_processes {workers};
pid "{directory}/nginx.pid";
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path "{directory}/client_body";
    proxy_temp_path "{directory}/proxy";
    fastcgi_temp_path "{directory}/fastcgi";
    uwsgi_temp_path "{directory}/uwsgi";
    scgi_temp_path "{directory}/scgi";
    proxy_max_temp_file_size 0;
    log_format record escape=json '{{"time":"$time_iso8601","id":"$request_id","address":"$remote_addr",'
        '"method":"$request_method","path":"$uri","query":"$args","status":$status,'
        '"request_bytes":$request_length,"bytes":$bytes_sent,"seconds":$request_time,'
        '"upstream":"$upstream_addr","upstream_status":"$upstream_status",'
        '"upstream_seconds":"$upstream_response_time","agent":"$http_user_agent"}}';
    access_log "{directory}/access.log" record;
    large_client_header_buffers 4 64k;
    keepalive_requests 1000000000;
    upstream origin {{
        server {origin};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"#
    )
}

/// Every service is overridden, so that nothing beyond this machine is ever looked up.
fn egret_config(
    address: SocketAddr,
    origin: SocketAddr,
    policy: Option<&str>,
    collector: Option<SocketAddr>,
) -> String {
    let telemetry: String = collector
        .map(|address| format!("[telemetry]\nendpoint = \"http://{address}\"\n"))
        .unwrap_or_default();
    let policies: String = policy
        .into_iter()
        .flat_map(|policy| CLASSES.map(|class| format!("{class} = \"{policy}\"\n")))
        .collect();
    format!(
        r#"node = "bench"
data_dir = "data"

[[listener]]
address = "{address}"

[admin]
address = "off"

[callers]
local = "bench"

[limits]
shadow = true

[providers.cybrid]
environment = "sandbox"
http_version = "1.1"

[providers.cybrid.services.identity]
sandbox = "http://{origin}"
production = "http://{origin}/production"

[providers.cybrid.services.bank]
sandbox = "http://{origin}"
production = "http://{origin}/production"

[providers.cybrid.services.organization]
sandbox = "http://{origin}"
production = "http://{origin}/production"

[log]
filter = "info"
format = "json"

{telemetry}
[journal.policy]
{policies}"#
    )
}

/// Says something beside the tables.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
