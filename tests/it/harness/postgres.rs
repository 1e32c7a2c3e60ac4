//! Throw-away Postgres servers: Debian's package, a cluster in a temporary directory, gone with
//! the process whatever becomes of it.
//!
//! `EGRET_TEST_POSTGRES_URL` names a server to use instead, as its superuser, for the tests that do
//! not stop it. Without a server a test says that it was skipped; where `CI` is set it fails.
//! The tests of the library and the benches use this file, too: it needs nothing of the others.
#![allow(dead_code, reason = "not all who use this file use all of it")]

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// Longest wait for a server to start or to stop, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills the server of a directory and removes the directory once its own input ends: that is when
/// the process that started it is gone.
const GUARD: &str = r#"
trap '' INT TERM
cat > /dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null) && kill -QUIT "$pid"
for try in 1 2 3 4 5 6 7 8 9 10; do
    [ -e "$1/data/postmaster.pid" ] || break
    sleep 0.2
done
rm -rf "$1"
"#;

/// A server of one's own.
pub struct Server {
    directory: PathBuf,
    binaries: PathBuf,
    port: u16,
    process: Option<Child>,
    guard: Child,
}

impl Server {
    /// Starts a server on a free port of loopback; `None` if there is none to start.
    pub fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            skip();
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory").keep();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        if let Some((user, group)) = unprivileged() {
            chown(&directory, Some(user), Some(group)).expect("root");
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut server = Self {
            directory,
            binaries,
            port,
            process: None,
            guard,
        };
        let made = server
            .command("initdb")
            .arg("-D")
            .arg(server.data())
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"])
            .args(["--locale=C", "--no-instructions"])
            .stdout(Stdio::null())
            .status()
            .expect("initdb");
        assert!(made.success(), "initdb failed");
        let rules =
            "local all all trust\nhost all locked all scram-sha-256\nhost all all all trust\n";
        fs::write(server.data().join("pg_hba.conf"), rules).expect("the cluster's directory");
        server.resume();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A program of the server, as a user who is not root: it refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.binaries.join(program);
        let mut command = match unprivileged() {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={user}"), format!("--regid={group}")]);
                command.arg("--clear-groups").arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// Starts it again after a stop. The same port, the same data.
    pub fn resume(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .expect("a log");
        let port = self.port.to_string();
        let sockets = self.directory.display().to_string();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        command.args(["-p", &port, "-k", &sockets, "-h", "127.0.0.1"]);
        // On disk when it says so, as in earnest; more connections than any test needs.
        command.args(["-c", "fsync=on", "-c", "max_connections=200"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.spawn().expect("postgres"));
        let begun = Instant::now();
        while block_on(PgConnection::connect(&self.url("postgres"))).is_err() {
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < PATIENCE,
                "no answer from Postgres:\n{}",
                log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it: connections are cut. `"INT"` lets it close its files, `"QUIT"` is a crash.
    pub fn stop(&mut self, signal: &str) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // `setpriv` has become the server, so this is its own number.
        let pid = process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill").success());
        let begun = Instant::now();
        while process.try_wait().expect("a child").is_none() {
            assert!(begun.elapsed() < PATIENCE, "Postgres does not stop");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address of one of its databases, as its superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.stop("QUIT");
        }
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// An empty database on a server that all tests of the process share; `None` if there is none.
pub fn database() -> Option<String> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("EGRET_TEST_POSTGRES_URL") {
            return Some(url);
        }
        let server = Server::start()?;
        let url = server.url("postgres");
        // It ends with the process.
        std::mem::forget(server);
        Some(url)
    });
    let Some(server) = server else {
        skip();
        return None;
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("egret_test_{}_{number}", std::process::id());
    execute(server, &format!("DROP DATABASE IF EXISTS {name}"));
    execute(server, &format!("CREATE DATABASE {name}"));
    let (before, options) = server.split_once('?').unwrap_or((server, ""));
    let (before, _) = before.rsplit_once('/').expect("an address with a database");
    Some(format!("{before}/{name}?{options}"))
}

/// Runs statements on a database.
pub fn execute(url: &str, sql: &str) {
    try_execute(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Runs statements on a database that may refuse them.
pub fn try_execute(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    block_on(async {
        let mut conn = PgConnection::connect(url).await?;
        conn.execute(AssertSqlSafe(sql.to_owned())).await?;
        conn.close().await
    })
}

/// Asks a database for one number.
pub fn number(url: &str, sql: &str) -> i64 {
    block_on(async {
        let mut conn = PgConnection::connect(url).await.expect("a connection");
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut conn)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        conn.close().await.expect("closed");
        number
    })
}

fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    // In a thread of its own: the test may have a runtime already.
    thread::scope(|scope| {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(work)
        };
        scope.spawn(run).join().expect("no panic")
    })
}

fn skip() {
    let message = "SKIPPED: there is no Postgres to test with; install Debian's `postgresql` \
        (deploy/need.sh test), or name a server in EGRET_TEST_POSTGRES_URL";
    assert!(std::env::var_os("CI").is_none(), "{message}");
    // Past the capture of the test harness: somebody should see it.
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Where the programs are: the newest of Debian's versions, or what is in the path.
fn binaries() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let version = |path: &Path| -> u32 {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or(0)
    };
    let newest = debian
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path));
    if let Some(path) = newest {
        return Some(path.join("bin"));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .find(|path| path.join("initdb").exists() && path.join("postgres").exists())
}

/// Whom the server runs as if the tests run as root.
fn unprivileged() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
