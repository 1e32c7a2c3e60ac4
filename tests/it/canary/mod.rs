//! Plants secrets and personal values in every place that requests and answers have, lets them
//! through the gateway, and looks for them in everything that it wrote: the ledger's files, the
//! log at trace level, what the commands print, what the admin API shows, and the gateway's own answers.
//!
//! What the catalog records on purpose is no secret here. The whole list of it:
//!
//! - values of the right shape in the fields that a provider file names as facts or as safe
//!   parameters (`page=2`, an amount, a quote's guid): the garden plants other shapes there;
//! - the number in a field for amounts: a card number has the shape of one;
//! - a token's `jti` that is a UUID, its `exp`, and scopes and issuer that the file lists;
//! - the trace id of a valid `traceparent`, and an `Accept-Version` that is a recent date;
//! - the name of a caller whose certificate a trusted authority has signed, for a caller must have
//!   a name: the SPIFFE id, else the DNS name, else the common name. Other names in the same
//!   certificate and the server name asked for are secrets.

mod admin;
mod answers;
mod bank;
mod credentials;
mod gateway;
mod handshake;
mod malformed;
mod origin;
mod proof;
mod requests;
mod scan;
mod values;
pub mod wire;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::thread;

use egret::sim::{Faults, Vendor};

use self::gateway::Gateway;
use self::scan::{Find, Scanner};
use self::values::{Garden, Kind};
use self::wire::{Shot, fire};
use crate::harness::{Sim, eventually};

/// Distinct values that must be planted, at least.
const ENOUGH: usize = 400;

/// Requests at the same time, to keep the test short.
const LANES: usize = 4;

const TIMES: &str = "[timeouts]\nhead = \"700ms\"\nrequest = \"2s\"\nidle = \"2s\"\ndrain = \"300ms\"\n\
                     connect = \"1s\"\n";

/// Everything that was found, or that was expected and did not happen.
fn check(gateway: &mut Gateway, garden: &Garden, least_rows: usize, heard: &[Vec<u8>]) {
    // The ledger is fed a moment after the answers.
    let what = format!("{least_rows} rows");
    let rows = eventually(&what, || {
        let rows = gateway.rows();
        (rows.len() >= least_rows).then_some(rows)
    });
    let scanner = Scanner::new(&garden.planted);
    let mut found = Vec::new();
    // While it runs the newest rows are in the write-ahead log.
    for (path, bytes) in gateway.written() {
        found.extend(scanner.scan(&format!("{}, running", path.display()), &bytes));
    }
    let first = rows[0]["call_id"].as_str().unwrap().to_owned();
    let failed: Vec<String> = rows
        .iter()
        .filter(|row| row["outcome"] != "success")
        .step_by(1 + rows.len() / 6)
        .map(|row| row["call_id"].as_str().unwrap().to_owned())
        .collect();
    for format in ["table", "json", "csv"] {
        let mut commands = vec![
            vec!["audit", "query", "--limit", "0", "--format", format],
            vec!["audit", "tail", "--limit", "1000", "--format", format],
            vec!["audit", "stats", "--format", format],
            vec!["audit", "show", &first, "--format", format],
        ];
        commands.extend(
            failed
                .iter()
                .map(|id| vec!["audit", "show", id, "--format", format]),
        );
        for command in commands {
            let printed = gateway.run(&command);
            assert!(!printed.is_empty(), "{command:?} printed nothing");
            found.extend(scanner.scan(&command.join(" "), &printed));
        }
    }
    for name in [
        "pii-access",
        "token-use",
        "failed-auth",
        "access-changes",
        "money",
    ] {
        for format in ["table", "json", "csv", "html"] {
            let command = ["audit", "report", name, "--from", "1h", "--format", format];
            found.extend(scanner.scan(&command.join(" "), &gateway.run(&command)));
        }
    }
    found.extend(admin::sweep(gateway, garden, &scanner));
    gateway.stop();
    let written = gateway.written();
    for name in ["stderr", "stdout", "ledger.db", "egret.toml"] {
        assert!(
            written.iter().any(|(path, _)| path.ends_with(name)),
            "no {name}"
        );
    }
    for (path, bytes) in &written {
        found.extend(scanner.scan(&path.display().to_string(), bytes));
    }
    let (_, log) = written
        .iter()
        .find(|(path, _)| path.ends_with("stderr"))
        .unwrap();
    let log = String::from_utf8_lossy(log);
    for level in ["TRACE", "DEBUG"] {
        assert!(log.contains(level), "the log has no line of level {level}");
    }
    // Calls that fail are warned of.
    let is_loud = ["WARN", "ERROR"].iter().any(|level| log.contains(level));
    assert!(is_loud, "the log has no line about a failure");
    // What the gateway itself says to callers.
    for (index, bytes) in heard.iter().enumerate() {
        if bytes
            .windows(18)
            .any(|window| window == b"urn:egret:problem:")
        {
            found.extend(scanner.scan(&format!("problem {index}"), bytes));
        }
    }
    report(found);
}

fn report(mut found: Vec<Find>) {
    found.sort_by(|a, b| (&a.place, &a.found_in).cmp(&(&b.place, &b.found_in)));
    let lines: Vec<String> = found
        .iter()
        .take(60)
        .map(|it| {
            format!(
                "{} ({}) in {}:\n    {}",
                it.place, it.form, it.found_in, it.context
            )
        })
        .collect();
    assert!(
        found.is_empty(),
        "{} finds:\n{}",
        found.len(),
        lines.join("\n")
    );
}

/// Fires all shots and gives what came back.
fn fire_all(address: SocketAddr, shots: &[Shot]) -> Vec<Vec<u8>> {
    let lanes: Vec<Vec<Vec<u8>>> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                scope.spawn(move || {
                    let mut heard = Vec::new();
                    for shot in shots.iter().skip(lane).step_by(LANES) {
                        let it = fire(address, shot).unwrap();
                        assert!(it.closed, "{}: the connection stays open", shot.name);
                        heard.push(it.bytes);
                    }
                    heard
                })
            })
            .collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    lanes.concat()
}

fn providers(cybrid: &str, obp: &str, wyre: &str, wyre_keys: &str) -> String {
    // Nobody listens at the production addresses: no test may reach a real bank.
    let service = |id: &str, service: &str, url: &str| {
        format!(
            "[providers.{id}.services.{service}]\nsandbox = \"{url}\"\nproduction = \"http://127.0.0.1:1\"\n"
        )
    };
    format!(
        "[callers]\nlocal = \"app\"\n[providers.cybrid]\n{}{}{}\
         [providers.obp]\ndauth_callers = [\"app\"]\ngateway_login_callers = [\"app\"]\n{}\
         [providers.wyre]\n{wyre_keys}\n{}{TIMES}",
        service("cybrid", "identity", cybrid),
        service("cybrid", "bank", cybrid),
        service("cybrid", "organization", cybrid),
        service("obp", "api", obp),
        service("wyre", "api", wyre),
    )
}

const PLAIN: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

#[test]
fn nothing_of_a_request_is_kept_human() {
    requests_leave_nothing("human", 11);
}

#[test]
fn nothing_of_a_request_is_kept_json() {
    requests_leave_nothing("json", 12);
}

/// Requests of every kind, to the simulators.
fn requests_leave_nothing(format: &str, seed: u64) {
    let mut garden = Garden::new(seed);
    let cybrid = Sim::start(Vendor::Cybrid);
    let echoing = Faults {
        echo_headers: true,
        ..Faults::default()
    };
    let obp = Sim::start_with(Vendor::Obp, |options| options.faults = echoing);
    let wyre = Sim::start(Vendor::Wyre);
    let config = providers(&cybrid.url(), &obp.url(), &wyre.url(), "");
    let mut gateway = Gateway::start(format, &format!("{PLAIN}{config}"), 1);
    let mut shots = requests::regular(&mut garden);
    let regular = shots.len();
    shots.extend(malformed::malformed(&mut garden));
    let mut heard = fire_all(gateway.address(), &shots);
    heard.extend(customer_flow(gateway.address(), &mut garden));
    // That nothing is found later means something only if it was there.
    let mut seen = Vec::new();
    for request in [&cybrid, &obp, &wyre].iter().flat_map(|sim| sim.requests()) {
        seen.extend_from_slice(request.request.target().as_bytes());
        for (name, value) in &request.request.headers {
            seen.extend_from_slice(format!("\n{name}: {value}\n").as_bytes());
        }
        seen.extend_from_slice(&request.request.body);
    }
    let arrived = distinct_places(&Scanner::new(&garden.planted).scan("simulators", &seen));
    assert!(
        arrived > ENOUGH,
        "only {arrived} values arrived at the simulators"
    );
    check(&mut gateway, &garden, regular, &heard);
}

fn distinct_places(found: &[Find]) -> usize {
    found
        .iter()
        .map(|it| it.place.as_str())
        .collect::<HashSet<_>>()
        .len()
}

/// A flow that succeeds: mint, customer with personal data, customer token, with what the
/// simulator makes up on the way.
fn customer_flow(address: SocketAddr, garden: &mut Garden) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    let mut call = |method: &str, target: &str, fields: &str, body: &str| {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let bytes = fire(address, &Shot::new(target, request)).unwrap().bytes;
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with("HTTP/1.1 2"), "{target}: {text}");
        heard.push(bytes);
        let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
        // A chunked body has its one object between the sizes.
        let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
        serde_json::from_str::<serde_json::Value>(json).unwrap()
    };
    garden.remember("sim-bank-secret", "the simulator's client secret");
    let minted = call(
        "POST",
        "/cybrid/identity/oauth/token",
        "",
        "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
         \"client_secret\":\"sim-bank-secret\",\
         \"scope\":\"customers:read customers:write customers:execute customers:pii:read\"}",
    );
    let token = minted["access_token"].as_str().unwrap();
    for part in token.split('.').skip(1) {
        garden.remember(part, "bank token of the simulator");
    }
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let [first, last, street, city, email, phone, birth, ssn] = [
        Kind::Name,
        Kind::Name,
        Kind::Address,
        Kind::Name,
        Kind::Email,
        Kind::Phone,
        Kind::BirthDate,
        Kind::Ssn,
    ]
    .map(|kind| garden.plant(kind, format!("customer, {kind:?}")));
    let customer = call(
        "POST",
        "/cybrid/bank/api/customers",
        &bearer,
        &format!(
            "{{\"type\":\"individual\",\"name\":{{\"first\":\"{first}\",\"last\":\"{last}\"}},\
             \"address\":{{\"street\":\"{street}\",\"city\":\"{city}\",\"postal_code\":\"10115\",\
             \"country_code\":\"DE\"}},\"date_of_birth\":\"{birth}\",\"email_address\":\"{email}\",\
             \"phone_number\":\"{phone}\",\"identification_numbers\":[{{\"type\":\
             \"social_security_number\",\"issuing_country_code\":\"US\",\
             \"identification_number\":\"{ssn}\"}}]}}"
        ),
    );
    let guid = customer["guid"].as_str().unwrap();
    garden.remember(guid, "guid of the customer");
    call(
        "GET",
        &format!("/cybrid/bank/api/customers/{guid}?include_pii=true"),
        &bearer,
        "",
    );
    let customer_token = call(
        "POST",
        "/cybrid/identity/api/customer_tokens",
        &bearer,
        &format!("{{\"customer_guid\":\"{guid}\",\"scopes\":[\"customers:read\"]}}"),
    );
    for part in customer_token["access_token"]
        .as_str()
        .unwrap()
        .split('.')
        .skip(1)
    {
        garden.remember(part, "customer token of the simulator");
    }
    garden.remember("sim-password-1", "password at OBP");
    call(
        "POST",
        "/obp/my/logins/direct",
        "DirectLogin: username=\"sim-user\", password=\"sim-password-1\", \
         consumer_key=\"simconsumerkey00000000000000000000000000\"\r\n",
        "",
    );
    heard
}
