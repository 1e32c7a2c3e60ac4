//! Starting and stopping, and what keeps the gateway from starting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection as _, Executor as _};

use crate::harness::{Bank, Client, Config, egret_in, reply, runtime, until};

const TRADES: &str = "/cybrid/bank/api/trades";

/// A bank that answers when it is told to.
fn gated() -> (Bank, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&go);
    let bank = Bank::start(move |line| {
        line.request();
        until("the bank may answer", || gate.load(Ordering::SeqCst));
        line.send(reply(201, "{\"guid\":\"0c\"}"));
    });
    (bank, go)
}

#[test]
fn calls_in_flight_end_and_are_recorded_when_the_gateway_stops() {
    let (bank, go) = gated();
    let mut gateway = Config::new().cybrid(&bank.url()).start();
    let address = gateway.address().to_owned();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::tcp(&address)).collect();
    for client in &mut clients {
        client.request("POST", TRADES, &[], b"{}").unwrap();
    }
    until("the bank has the requests", || bank.received().len() == 4);
    gateway.terminate();
    gateway.wait_for_log("stopping: no new connections, calls in flight may end");
    go.store(true, Ordering::SeqCst);
    for client in &mut clients {
        let answer = client.answer("POST").unwrap();
        assert_eq!((answer.status, answer.text()), (201, "{\"guid\":\"0c\"}"));
    }
    let ran = gateway.wait();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("stopped; every record is in the ledger"),
        "{}",
        ran.stderr
    );
    let rows = gateway.query(&[]);
    assert_eq!(rows.len(), 4);
    for row in rows {
        row.expect(&[
            ("outcome", "success"),
            ("status", "201"),
            ("operation", "bank.create_trade"),
        ]);
    }
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn calls_that_outlast_the_drain_time_are_recorded_as_unknown() {
    let (bank, _never) = gated();
    let mut gateway = Config::new()
        .cybrid(&bank.url())
        .section("[timeouts]\ndrain = \"300ms\"")
        .start();
    let mut client = Client::tcp(gateway.address());
    client.request("POST", TRADES, &[], b"{}").unwrap();
    until("the bank has the request", || bank.received().len() == 1);
    gateway.terminate();
    let ran = gateway.wait();
    assert!(ran.stderr.contains("cut off"), "{}", ran.stderr);
    assert!(client.answer("POST").is_err());
    let rows = gateway.query(&[]);
    assert_eq!(rows.len(), 1);
    rows[0].expect(&[
        ("outcome", "unknown"),
        ("operation", "bank.create_trade"),
        ("status", ""),
    ]);
}

#[test]
fn an_idle_gateway_stops_at_once_even_with_open_connections() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut idle = Client::tcp(gateway.address());
    assert_eq!(
        idle.call("GET", "/cybrid/bank/api/banks", &[], b"").status,
        200
    );
    let _silent = Client::tcp(gateway.address());
    let begun = std::time::Instant::now();
    let (ran, _left) = gateway.stop();
    assert_eq!(ran.status.code(), Some(0));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert!(idle.is_closed());
}

#[test]
fn a_second_gateway_on_the_same_port_refuses_to_start() {
    let bank = Bank::answering(reply(200, "{}"));
    let first = Config::new().cybrid(&bank.url()).start();
    let listener = format!("address = \"{}\"", first.address());
    let second = Config::new().listener(&listener).cybrid(&bank.url());
    let error = second.egret(&["serve"]).failed();
    let wanted = format!("cannot listen on {}", first.address());
    assert!(error.contains(&wanted), "{error}");
    assert_eq!(first.get("/cybrid/bank/api/banks", &[]).status, 200);
}

#[test]
fn a_restarted_gateway_goes_on_with_its_ledger_and_its_key() {
    let bank = Bank::answering(reply(200, "{}"));
    let token = [("Authorization", "Bearer same.opaque.token")];
    let gateway = Config::new().cybrid(&bank.url()).start();
    let one = gateway.get("/cybrid/bank/api/banks", &token);
    let one = gateway.row_of(&one);
    let (_, config) = gateway.stop();
    let gateway = config.start();
    let two = gateway.get("/cybrid/bank/api/banks", &token);
    let two = gateway.row_of(&two);
    assert!(!one.lacks("token_fingerprint"));
    assert_eq!(
        one.field("token_fingerprint"),
        two.field("token_fingerprint")
    );
    assert_eq!(one.field("config_hash"), two.field("config_hash"));
    assert_eq!(gateway.query(&[]).len(), 2);
}

#[test]
fn the_ledger_of_another_program_is_left_as_it_is() {
    let config = Config::new().cybrid("http://127.0.0.1:1");
    let data = config.directory().join("data");
    std::fs::create_dir(&data).unwrap();
    let ledger = data.join("ledger.db");
    std::fs::write(
        &ledger,
        "a shopping list, and a long one at that".repeat(40),
    )
    .unwrap();
    let before = std::fs::read(&ledger).unwrap();
    let error = config.egret(&["serve"]).failed();
    assert!(
        error.contains("is not an Egret ledger") && error.contains("ledger.db"),
        "{error}"
    );
    assert_eq!(std::fs::read(&ledger).unwrap(), before);

    std::fs::remove_file(&ledger).unwrap();
    sql(
        &ledger,
        "CREATE TABLE groceries (name TEXT); INSERT INTO groceries VALUES ('milk')",
    );
    let error = config.egret(&["serve"]).failed();
    assert!(error.contains("is not an Egret ledger"), "{error}");
    sql(&ledger, "UPDATE groceries SET name = 'tea'");
}

#[test]
fn a_ledger_of_a_newer_egret_is_refused() {
    let (ran, config) = Config::new().cybrid("http://127.0.0.1:1").start().stop();
    assert!(ran.status.success());
    let ledger = config.directory().join("data/ledger.db");
    sql(
        &ledger,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, x'00', 1)",
    );
    sql(&ledger, "PRAGMA user_version = 9999");
    for command in [&["serve"][..], &["audit", "query"]] {
        let error = config.egret(command).failed();
        assert!(error.contains("newer egret"), "{error}");
    }
}

fn sql(path: &std::path::Path, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    runtime().block_on(async {
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn every_fault_of_a_configuration_is_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("egret.toml"),
        "nodes = \"n\"\n\
         [[listener]]\n\
         address = \"localhost\"\n\
         [timeouts]\n\
         request = 30\n\
         [callers]\n\
         file = 5\n\
         [providers.acme]\n\
         file = \"acme.toml\"\n\
         [providers.cybrid]\n\
         environment = \"staging\"\n\
         [providers.cybrid.services.bank]\n\
         sandbox = \"http://bank.example\"\n\
         [providers.wyre.services.api]\n\
         sandbox = \"https://api.sendwyre.com\"\n",
    )
    .unwrap();
    std::fs::write(
        directory.path().join("acme.toml"),
        "id = \"acme\"\ntitle = \"Acme\"\ncredential_scheme = \"bearer\"\n[[service]]\nid = \"api\"\n\
         prefix = \"/acme\"\n[[operation]]\nid = \"one\"\nmethod = \"GET\"\npath = \"/x\"\neffect = \"reed\"\n",
    )
    .unwrap();
    for command in ["check", "serve"] {
        let ran = egret_in(directory.path(), &[command]);
        assert!(!ran.status.success());
        let said = format!("{}{}", ran.stdout, ran.stderr);
        for place in [
            "egret.toml:1:",
            "egret.toml:3:",
            "egret.toml:5:",
            "egret.toml:7:",
            "acme.toml:11:",
            "egret.toml:11:",
            "egret.toml:13:",
            "egret.toml:15:",
        ] {
            assert!(
                said.contains(place),
                "{command} does not name {place}:\n{said}"
            );
        }
    }
    assert!(
        !directory.path().join("egret-data").exists(),
        "nothing is made before the check"
    );
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let error = egret_in(directory.path(), &["serve"]).failed();
    assert!(
        error.contains("cannot read the configuration") && error.contains("egret.toml"),
        "{error}"
    );
    let config = Config::new().cybrid("http://127.0.0.1:1");
    let error = config.egret(&["audit", "query"]).failed();
    assert!(
        error.contains("there is no ledger") && error.contains("egret serve"),
        "{error}"
    );
}

#[test]
fn variables_win_over_the_file_and_every_listener_serves() {
    let bank = Bank::answering(reply(200, "{}"));
    let config = Config::new()
        .listener("address = \"127.0.0.1:0\"")
        .listener("address = \"127.0.0.1:0\"")
        .cybrid(&bank.url());
    let file = config.path();
    let gateway = config
        .log("warn")
        .variable("EGRET_LOG_FILTER", "info")
        .variable("EGRET_NODE", "other")
        .start();
    assert!(
        std::fs::read_to_string(file)
            .unwrap()
            .contains("node = \"node-1\"")
    );
    assert_eq!(gateway.addresses().len(), 2);
    for address in gateway.addresses() {
        let answer = Client::tcp(address).call("GET", "/cybrid/bank/api/banks", &[], b"");
        gateway
            .row_of(&answer)
            .expect(&[("node", "other"), ("status", "200")]);
    }
}
