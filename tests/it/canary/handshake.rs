//! Secrets outside of HTTP requests: certificates, server names, Egret keys, configurations.

use std::fs;
use std::thread;
use std::time::Duration;

use egret::sim::Vendor;

use super::gateway::{self, Gateway};
use super::scan::Scanner;
use super::values::{Garden, Kind};
use super::wire::Shot;
use super::{fire_all, malformed, providers, report};
use crate::harness::{Answer, Authority, Client, Sim, client_tls, eventually};

#[test]
fn nothing_of_a_handshake_is_kept_but_the_callers_name() {
    let mut garden = Garden::new(31);
    let sim = Sim::start(Vendor::Cybrid);
    let authority = Authority::new("callers");
    let stranger = Authority::new("strangers");
    let home = tempfile::tempdir().unwrap();
    authority
        .issue("localhost", &["localhost"])
        .write(home.path(), "server");
    fs::write(home.path().join("ca.pem"), authority.pem()).unwrap();
    let config = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[listener.tls]\ncertificate = \"server.pem\"\n\
         key = \"server.key\"\nclient_ca = \"ca.pem\"\nclient_certificate = \"optional\"\n{}\
         [callers.certificates]\n\"listed.example\" = \"payments\"\n",
        providers(&sim.url(), &sim.url(), &sim.url(), "").replace("local = \"app\"\n", ""),
    );
    let mut gateway = Gateway::start_in(home, "human", &config, 1);
    let address = gateway.address().to_string();
    let mut secret = |place: &str| {
        garden
            .plant(Kind::Name, place)
            .to_lowercase()
            .replace(' ', "-")
    };
    // Listed by one of its names: the others are nobody's business.
    let (common, other) = (secret("common name, listed"), secret("other name, listed"));
    let listed = authority.issue(&common, &["listed.example", &format!("{other}.example")]);
    // Not listed: its first name is the caller's name, the rest is not.
    let unused = secret("common name, not listed");
    let named = authority.issue(&unused, &["spiffe://example.org/ledger"]);
    // Of an authority that nobody trusts.
    let false_name = secret("common name of a stranger");
    let forged = stranger.issue(&false_name, &[&format!("{false_name}.example")]);
    for (identity, expected) in [
        (Some(&listed), Some("payments")),
        (Some(&named), Some("spiffe://example.org/ledger")),
        (None, None),
    ] {
        let mut client = Client::tls(&address, "localhost", client_tls(&authority, identity, &[]));
        let answer = client.call(
            "GET",
            "/cybrid/bank/api/customers",
            &[("Connection", "close")],
            b"",
        );
        // The ledger is fed a moment after the answer.
        let row = eventually("the row of the call", || row_of(&gateway, &answer));
        assert_eq!(row["caller"].as_str(), expected, "{row} {}", answer.head);
    }
    let sni = secret("server name");
    let key = egret_key_calls(&gateway, &authority);
    garden.remember(&key, "secret part of a valid Egret key");
    let rejected = client_tls(&authority, Some(&forged), &[]);
    let mut client = Client::tls(&address, "localhost", rejected);
    assert!(
        client.request("GET", "/", &[], b"").is_err() || client.answer("GET").is_err(),
        "a stranger's certificate was taken"
    );
    let mut shots = vec![
        Shot::new(
            "server name",
            malformed::client_hello(&format!("{sni}.example")),
        )
        .then_close(),
    ];
    let plain = garden.plant(Kind::Token, "plain HTTP on the TLS port");
    shots.push(
        Shot::new(
            "plain",
            format!("GET /{plain} HTTP/1.1\r\nHost: {plain}\r\n\r\n"),
        )
        .then_close(),
    );
    fire_all(gateway.address(), &shots);
    thread::sleep(Duration::from_millis(50));
    // The names as they stood in the certificates.
    let lowered: Vec<(String, String)> = garden
        .planted
        .iter()
        .map(|it| (it.value.to_lowercase().replace(' ', "-"), it.place.clone()))
        .collect();
    for (value, place) in lowered {
        garden.remember(&value, &place);
    }
    assert!(gateway.rows().len() >= 3);
    let scanner = Scanner::new(&garden.planted);
    gateway.stop();
    let mut found = Vec::new();
    for (path, bytes) in gateway.written() {
        found.extend(scanner.scan(&path.display().to_string(), &bytes));
    }
    report(found);
}

/// The ledger is fed a moment after the answer.
fn row_of(gateway: &Gateway, answer: &Answer) -> Option<serde_json::Value> {
    let mut rows = gateway.rows().into_iter();
    rows.find(|row| row["call_id"] == answer.call_id())
}

/// Calls with a key that holds, in all three ways to send it; gives its secret part.
fn egret_key_calls(gateway: &Gateway, authority: &Authority) -> String {
    use base64::Engine as _;
    let printed = gateway.run(&["caller", "add", "robot", "--key-only"]);
    let key = String::from_utf8(printed).unwrap().trim().to_owned();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("robot:{key}"));
    let address = gateway.address().to_string();
    for scheme in [
        format!("Bearer {key}"),
        format!("Egret {key}"),
        format!("Basic {basic}"),
    ] {
        // The gateway looks at the file now and then.
        crate::harness::until("the key is known", || {
            let mut client = Client::tls(&address, "localhost", client_tls(authority, None, &[]));
            let fields = [
                ("Proxy-Authorization", scheme.as_str()),
                ("Connection", "close"),
            ];
            let answer = client.call("GET", "/cybrid/bank/api/customers", &fields, b"");
            assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
            if answer.status == 401 {
                let row = eventually("the row of the call", || row_of(gateway, &answer));
                assert_eq!(row["caller"], "robot");
            }
            answer.status == 401
        });
    }
    // The id before it is public and stands in records.
    key.splitn(3, '_').nth(2).unwrap().to_owned()
}

#[test]
fn faults_of_a_configuration_do_not_repeat_secrets() {
    let mut garden = Garden::new(41);
    let home = tempfile::tempdir().unwrap();
    let mut secret = |place: &str| garden.plant(Kind::Token, place);
    let config = format!(
        "data_dir = \"data\"\nnode = 7\n[[listener]]\naddress = \"127.0.0.1:0\"\npassword = \"{}\"\n\
         [callers]\nlocal = \"a b {}\"\n[providers.cybrid]\nclient_secret = \"{}\"\n\
         [providers.cybrid.services.bank]\nsandbox = \"https://user:{}@example.org/?token={}\"\n\
         [providers.obp.services.api]\nsandbox = \"http://{}.example\"\n",
        secret("unknown key"),
        secret("name of a caller"),
        secret("unknown key of a provider"),
        secret("password in a URL"),
        secret("query of a URL"),
        secret("host of a URL"),
    );
    fs::write(home.path().join("egret.toml"), &config).unwrap();
    let broken = garden.plant(Kind::Token, "text that is not TOML");
    let scanner = Scanner::new(&garden.planted);
    let mut found = Vec::new();
    for text in [
        config,
        format!("[callers]\nkey = {broken}\n"),
        format!("{broken} {broken}\n"),
    ] {
        fs::write(home.path().join("egret.toml"), text).unwrap();
        for command in [
            ["check"].as_slice(),
            &["serve"],
            &["caller", "list"],
            &["audit", "query"],
        ] {
            let printed = gateway::run_in(home.path(), command);
            assert!(!printed.is_empty(), "{command:?}");
            found.extend(scanner.scan(&command.join(" "), &printed));
        }
    }
    report(found);
}
