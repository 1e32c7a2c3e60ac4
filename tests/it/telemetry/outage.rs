use super::BANKS;
use crate::harness::{Bank, Client, Collector, Config, reply, until};

/// Lets a gateway make calls while nobody takes what it tells, and looks at what became of it.
fn survives(endpoint: &str) {
    let bank = Bank::answering(reply(200, "{}"));
    let section =
        format!("[telemetry]\nendpoint = \"{endpoint}\"\ninterval = \"1s\"\ntimeout = \"200ms\"\n");
    let gateway = Config::new().cybrid(&bank.url()).section(&section).start();
    let mut client = Client::tcp(gateway.address());
    for _ in 0..50 {
        assert_eq!(client.call("GET", BANKS, &[], b"").status, 200);
    }
    // Tried again for eight seconds, then dropped and counted.
    until("the calls are given up", || {
        gateway.figure("egret_telemetry_dropped_total{signal=\"traces\"}") > 0.0
    });
    assert!(gateway.figure("egret_telemetry_failures_total{signal=\"traces\"}") >= 1.0);
    assert_eq!(
        gateway.figure("egret_telemetry_sent_total{signal=\"traces\"}"),
        0.0
    );
    assert_eq!(gateway.figure("egret_ready"), 1.0);
    // It is said once for each kind, not for each try.
    let said = gateway.logs(
        "the collector does not take what it is told; calls and their records do not depend on it",
    );
    assert_eq!(said.len(), 3, "{said:#?}");
    // The audit has all of them.
    gateway.rows(50, &["--provider", "cybrid"]);
    let (ran, _) = gateway.stop();
    assert!(ran.status.success());
}

#[test]
fn a_collector_that_is_away_costs_calls_nothing() {
    survives("http://127.0.0.1:1");
}

#[test]
fn a_collector_that_does_not_answer_costs_calls_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    survives(&format!("http://{}", silent.local_addr().unwrap()));
}

#[test]
fn a_stop_tells_what_waits() {
    let collector = Collector::start();
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&collector.section(""))
        .start();
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(answer.status, 200);
    let (ran, _) = gateway.stop();
    assert!(ran.status.success());
    assert_eq!(collector.spans().len(), 2);
}
