//! The admin listener: probes and figures, as an agent on the machine sees them.

use std::io::{Read, Write};
use std::net::TcpStream;

use egret::sim::{Faults, Vendor};

use crate::harness::{Client, Config, PATIENCE, Sim, until};

const BANKS: &str = "/cybrid/bank/api/banks";
const TRADES: &str = "/cybrid/bank/api/trades";

#[test]
fn a_gateway_that_is_well_says_so() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = gateway.admin_get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.json()["ok"], true);
        assert_eq!(answer.json()["stage"], "serving");
    }
    let ready = gateway.admin_get("/readyz").json();
    for check in [
        "journal",
        "journal_space",
        "ledger",
        "clock",
        "listeners",
        "draining",
    ] {
        assert_eq!(ready["checks"][check]["ok"], true, "{ready:#}");
    }
    let said = gateway.egret(&["health"]);
    // The port was chosen by the system, so the configuration does not name it.
    assert!(said.failed().contains("no answer from 127.0.0.1:0"));
}

#[test]
fn figures_follow_the_calls() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let answer = gateway.admin_get("/metrics");
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let before = gateway.figure("egret_journal_next_seq");
    for _ in 0..3 {
        assert_eq!(gateway.post(TRADES, &[], "{}").status, 401);
    }
    until("the ledger has the calls", || {
        gateway.figure("egret_ledger_rows_written_total") == 3.0
            && gateway.figure("egret_ledger_lag") == 0.0
            && gateway.figure("egret_ledger_lag_seconds") == 0.0
            && gateway.figure("egret_ledger_lag_events") == 0.0
    });
    // Intent, outcome and completion of each.
    assert_eq!(gateway.figure("egret_journal_next_seq"), before + 9.0);
    assert_eq!(gateway.figure("egret_journal_durable_seq"), before + 9.0);
    assert_eq!(gateway.figure("egret_journal_undrained_bytes"), 0.0);
    assert_eq!(gateway.figure("egret_calls_in_flight"), 0.0);
    assert_eq!(gateway.figure("egret_ready"), 1.0);
    assert_eq!(gateway.figure("egret_check_ok{check=\"clock\"}"), 1.0);
    // Two workers, one listener.
    assert_eq!(gateway.figure("egret_listener_sockets"), 2.0);
    // Nothing of a call is a label; the names of limits are.
    let text = gateway.admin_get("/metrics");
    for word in ["app", "trades", "node-1"] {
        assert!(!text.text().contains(word), "{word}:\n{}", text.text());
    }
}

#[test]
fn it_only_reads_and_says_what_there_is() {
    let gateway = Config::new().cybrid("http://127.0.0.1:1").start();
    let answer = gateway.admin_get("/nowhere");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("/readyz"));
    let mut client = Client::tcp(gateway.admin());
    // One connection for all of them; a body does not matter.
    for method in ["POST", "PUT", "DELETE"] {
        let answer = client.call(method, "/readyz", &[], b"x");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("Allow"), Some("GET, HEAD"));
    }
    let answer = client.call("HEAD", "/metrics?x=y", &[], b"");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let huge = "x".repeat(64 << 10);
    let answer = Client::tcp(gateway.admin()).call("GET", "/readyz", &[("X", &huge)], b"");
    assert_eq!(answer.status, 431);
    assert_eq!(gateway.admin_get("/readyz").status, 200);
}

#[test]
fn peers_that_say_nothing_do_not_keep_others_out_for_good() {
    let gateway = Config::new().cybrid("http://127.0.0.1:1").start();
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(gateway.admin()).unwrap())
        .collect();
    // Those beyond the bound are closed at once.
    let closed = silent.iter().skip(100).all(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        matches!(stream.read(&mut [0]), Ok(0) | Err(_))
    });
    assert!(closed);
    drop(silent);
    until("there is room again", || {
        let mut stream = TcpStream::connect(gateway.admin()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let asked = stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.0 200")
    });
}

#[test]
fn a_gateway_that_stops_is_not_ready_but_alive() {
    let sim = Sim::start(Vendor::Cybrid);
    sim.set_faults(Faults {
        latency_ms: Some((3_000, 3_000)),
        ..Faults::default()
    });
    let mut gateway = Config::new()
        .cybrid(&sim.url())
        .section("[timeouts]\ndrain = \"20s\"")
        .start();
    let mut client = Client::tcp(gateway.address());
    client.request("GET", BANKS, &[], b"").unwrap();
    until("the call is in flight", || {
        gateway.figure("egret_calls_in_flight") == 1.0
    });
    gateway.terminate();
    until("it is not ready", || {
        gateway.admin_get("/readyz").status == 503
    });
    let told = gateway.admin_get("/readyz").json();
    assert_eq!(told["stage"], "draining");
    assert_eq!(told["checks"]["draining"]["ok"], false);
    assert_eq!(told["checks"]["listeners"]["ok"], true, "{told:#}");
    assert_eq!(gateway.admin_get("/livez").status, 200);
    assert_eq!(gateway.figure("egret_draining"), 1.0);
    assert_eq!(client.answer("GET").unwrap().status, 401);
    assert!(gateway.wait().status.success());
}

#[test]
fn a_unix_socket_and_the_command() {
    let config = Config::new()
        .cybrid("http://127.0.0.1:1")
        .admin("address = \"unix:admin.sock\"");
    let gateway = config.start();
    let socket = gateway.directory().join("admin.sock");
    let answer = Client::unix(&socket).call("GET", "/readyz", &[], b"");
    assert_eq!(answer.status, 200);
    for probe in ["ready", "live", "startup"] {
        let said = gateway.egret(&["health", "--probe", probe]).ok();
        assert!(said.contains("\"ok\": true"), "{said}");
    }
    let (ran, config) = gateway.stop();
    assert!(ran.status.success());
    assert!(!socket.exists());
    let error = config.egret(&["health"]).failed();
    assert!(error.contains("no answer from unix:"), "{error}");
}

#[test]
fn an_address_in_use_is_said_with_what_to_write() {
    let gateway = Config::new().cybrid("http://127.0.0.1:1").start();
    let taken = format!("address = \"{}\"", gateway.admin());
    let other = Config::new().cybrid("http://127.0.0.1:1").admin(&taken);
    let error = other.egret(&["serve"]).failed();
    assert!(
        error.contains(gateway.admin()) && error.contains("[admin] address"),
        "{error}"
    );
    let other = Config::new()
        .cybrid("http://127.0.0.1:1")
        .admin("address = \"off\"");
    let error = other.egret(&["health"]).failed();
    assert!(error.contains("[admin] address"), "{error}");
    let (ran, _) = other.start().stop();
    assert!(ran.status.success());
}
