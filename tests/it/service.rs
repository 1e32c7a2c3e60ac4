//! The gateway as a service of the system: what a service manager hears, what the process gives up,
//! how it goes when it is asked to.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::harness::{
    Authority, Bank, Client, Config, PATIENCE, Relay, egret_command, reply, server_tls, until,
};

const BANKS: &str = "/cybrid/bank/api/banks";

/// A service manager's socket, and everything that it has heard.
struct Manager {
    socket: UnixDatagram,
    heard: String,
}

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            heard: String::new(),
        }
    }

    /// Forgets what has been said so far.
    fn forget(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }

    /// Listens until a line is heard that begins like this; gives the rest of it.
    fn hears(&mut self, begins: &str) -> String {
        let from = self.heard.len();
        loop {
            let new = &self.heard[from..];
            if let Some(rest) = new.lines().find_map(|line| line.strip_prefix(begins)) {
                return rest.to_owned();
            }
            let mut bytes = [0; 4096];
            let length = self.socket.recv(&mut bytes).unwrap_or_else(|error| {
                panic!("{begins} was not heard: {error}; but:\n{}", self.heard)
            });
            self.heard
                .push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
    }
}

#[test]
fn a_service_manager_hears_that_it_is_ready_alive_another_process_and_over() {
    let bank = Bank::answering(reply(200, "{}"));
    let config = Config::new()
        .cybrid(&bank.url())
        .section("[timeouts]\nidle = \"1s\"");
    let place = config.directory().join("notify");
    let mut manager = Manager::at(&place);
    let mut gateway = config
        .variable("NOTIFY_SOCKET", place.to_str().unwrap())
        .variable("WATCHDOG_USEC", "500000")
        .start();
    manager.hears("READY=1");
    manager.hears("WATCHDOG=1");
    gateway.egret(&["config", "reload"]).ok();
    manager.hears("RELOADING=1");
    manager.hears("READY=1");
    gateway.egret(&["upgrade"]).ok();
    let pid = manager.hears("MAINPID=");
    assert_eq!(pid, gateway.pid().to_string());
    until("the first process has ended", || gateway.first_has_ended());
    manager.forget();
    manager.hears("WATCHDOG=1");
    gateway.terminate();
    manager.hears("STOPPING=1");
    assert_eq!(gateway.wait().status.code(), Some(0));
}

#[test]
fn load_balancers_can_notice_before_it_stops_to_listen() {
    let bank = Bank::answering(reply(200, "{}"));
    let mut gateway = Config::new()
        .cybrid(&bank.url())
        .section("[timeouts]\ndrain_delay = \"10m\"")
        .start();
    let mut kept = Client::tcp(gateway.address());
    let before = kept.call("GET", BANKS, &[], b"");
    assert_ne!(before.header("Connection"), Some("close"));
    gateway.terminate();
    gateway.wait_for_log("stopping: no new connections, calls in flight may end");
    until("readiness is red", || {
        gateway.admin_get("/readyz").status == 503
    });
    for client in [&mut kept, &mut Client::tcp(gateway.address())] {
        let answer = client.call("GET", BANKS, &[], b"");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("Connection"), Some("close"));
    }
    // Whoever asks twice does not want to wait.
    gateway.terminate();
    let ran = gateway.wait();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    assert_eq!(gateway.query(&[]).len(), 3);
}

#[test]
fn it_gives_up_what_it_does_not_need() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    gateway.row_of(&gateway.get(BANKS, &[]));
    for file in ["ledger.db", "control.sock", "journal"] {
        let mode = std::fs::metadata(gateway.directory().join("data").join(file));
        let mode = mode.unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn root_is_refused_unless_told() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let config = Config::new().cybrid("http://127.0.0.1:1");
    config.write();
    let refused = egret_command(config.directory(), &["serve"])
        .env_remove("EGRET_ALLOW_ROOT")
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("--allow-root"), "{said}");
    assert!(
        !config.directory().join("data").exists(),
        "nothing is made as root"
    );
}

#[test]
fn the_doctor_tells_programs_what_to_do() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let ran = gateway.egret(&["doctor", "--no-self-test", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report:#}");
    let findings = report["findings"].as_array().unwrap();
    let of = |check: &str| -> Vec<&serde_json::Value> {
        let of = findings.iter().filter(|found| found["check"] == check);
        of.collect()
    };
    for check in ["clock", "permissions", "keys", "disk", "journal", "ledger"] {
        assert!(!of(check).is_empty(), "{check} in {report:#}");
    }
    let network = of("network");
    let reached = |grade: &str| network.iter().any(|found| found["grade"] == grade);
    assert!(reached("ok"), "{network:#?}");
    drop(gateway);

    // A bank that nobody can reach is a failure, and says what follows.
    let away = Config::new().cybrid("http://127.0.0.1:1");
    away.write();
    let ran = away.egret(&["doctor", "--no-self-test"]);
    assert!(
        ran.stdout.contains("no connection to 127.0.0.1:1"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("calls there fail until"),
        "{}",
        ran.stdout
    );
    ran.failed();
    away.egret(&["doctor", "--no-self-test", "--offline"]).ok();
}

/// What the doctor says of the collector.
fn of_telemetry(config: &Config, arguments: &[&str]) -> (String, String) {
    let all = [&["doctor", "--no-self-test", "--format", "json"], arguments].concat();
    let ran = config.egret(&all);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut findings = report["findings"].as_array().unwrap().iter();
    let found = findings
        .find(|found| found["check"] == "telemetry")
        .unwrap_or_else(|| panic!("{report:#}"));
    let what = found["what"].as_str().unwrap();
    let advice = found["advice"].as_str().unwrap();
    let grade = found["grade"].as_str().unwrap();
    (grade.to_owned(), format!("{what}\n{advice}"))
}

#[test]
fn the_doctor_tries_the_collector() {
    let bank = Bank::answering(reply(200, "{}"));
    let collector = Bank::answering(reply(200, ""));
    let with = |section: &str| {
        let config = Config::new().cybrid(&bank.url()).section(section);
        config.write();
        config
    };
    let there = with(&format!(
        "[telemetry]\nendpoint = \"{}\"\n",
        collector.url()
    ));
    let (grade, said) = of_telemetry(&there, &[]);
    assert_eq!(grade, "ok", "{said}");
    assert!(said.contains("reached"), "{said}");
    let (grade, said) = of_telemetry(&there, &["--offline"]);
    assert_eq!(grade, "ok", "{said}");
    assert!(said.contains("not checked"), "{said}");

    let away = with("[telemetry]\nendpoint = \"http://127.0.0.1:1\"\n");
    let (grade, said) = of_telemetry(&away, &[]);
    // Calls do not need it.
    assert_eq!(grade, "warning", "{said}");
    assert!(said.contains("no connection to 127.0.0.1:1"), "{said}");
    assert!(said.contains("4317"), "{said}");

    let none = with("");
    let (grade, said) = of_telemetry(&none, &[]);
    assert_eq!(grade, "ok", "{said}");
    assert!(said.contains("no collector is named"), "{said}");

    // Inside TLS, signed by its own authority and by another one.
    let authority = Authority::new("collector");
    let identity = authority.issue("collector", &["localhost"]);
    let target = collector.url();
    let target = target.strip_prefix("http://").unwrap();
    let relay = Relay::start(target, server_tls(&identity, &["h2"]));
    let section = format!(
        "[telemetry]\nendpoint = \"https://localhost:{}\"\nca = \"ca.pem\"\n",
        relay.port
    );
    let config = Config::new().cybrid(&bank.url()).section(&section);
    config.file("ca.pem", &authority.pem());
    config.write();
    let (grade, said) = of_telemetry(&config, &[]);
    assert!(
        said.contains("its certificate is trusted until")
            || said.contains("its certificate ends at"),
        "{grade}: {said}"
    );
    config.file("ca.pem", &Authority::new("other").pem());
    let (grade, said) = of_telemetry(&config, &[]);
    assert_eq!(grade, "warning", "{said}");
    assert!(said.contains("TLS with"), "{said}");
}
