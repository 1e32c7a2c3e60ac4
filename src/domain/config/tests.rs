//! What a user sees when a configuration is read.

mod alerts;
mod budgets;
mod change;
mod detect;
mod include;
mod machine;
mod redaction;
mod reference;
mod resilience;
mod schema;
mod telemetry;

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::types::Environment;
use machine::Machine;

fn read(text: &str, machine: &Machine) -> Result<Config, Faults> {
    parse(Path::new("/etc/egret/egret.toml"), text, machine)
}

fn faults(text: &str, machine: &Machine) -> Vec<String> {
    let faults = read(text, machine).expect_err(text);
    faults
        .list()
        .iter()
        .map(|fault| fault.to_string().replace("/etc/egret/", ""))
        .collect()
}

/// Exactly one fault, that starts like this.
fn one_fault(text: &str, machine: &Machine, start: &str) {
    let found = faults(text, machine);
    assert!(
        found.len() == 1 && found[0].starts_with(start),
        "{text}\n{found:#?}"
    );
}

const CYBRID: &str = "[providers.cybrid]\n";

#[test]
fn the_shortest_configuration_gets_every_default() {
    let config = read(CYBRID, &Machine::default()).unwrap();
    assert_eq!(&*config.node, "node-1");
    assert_eq!(config.workers, 4);
    assert_eq!(config.data_dir, Path::new("/etc/egret/egret-data"));
    assert_eq!(
        config.ledger.place,
        Path::new("/etc/egret/egret-data/ledger.db").into()
    );
    assert_eq!(
        config.callers.file,
        Path::new("/etc/egret/egret-data/callers.toml")
    );
    assert_eq!(config.timeouts.request, Duration::from_secs(30));
    assert_eq!(
        config.listeners,
        [Listener {
            address: ListenAddress::Tcp("127.0.0.1:8080".parse().unwrap()),
            tls: None
        }]
    );
    let cybrid = &config.providers["cybrid"];
    assert_eq!(cybrid.environment, Environment::Sandbox);
    assert_eq!(cybrid.unknown_operations, UnknownOperations::Forward);
    assert_eq!(cybrid.base_urls.len(), 4);
    let identity = &cybrid.base_urls[&("identity".into(), Environment::Production)];
    assert_eq!(&*identity.host, "id.production.cybrid.app");
    assert_eq!(
        (identity.port, identity.tls, identity.verify),
        (443, true, true)
    );
}

#[test]
fn the_example_configuration_works() {
    let text = include_str!("../../../config/egret.toml");
    let config = read(text, &Machine::default()).unwrap();
    assert!(config.listeners[0].address.is_local());
    assert_eq!(config.callers.local.as_deref(), Some("local"));
    assert_eq!(
        config.timeouts,
        read(CYBRID, &Machine::default()).unwrap().timeouts
    );
}

/// The keys that the example shows behind `#` with "their default" are defaults indeed.
#[test]
fn the_example_shows_true_defaults() {
    let text: String = include_str!("../../../config/egret.toml")
        .lines()
        .map(|line| {
            let shown = line.strip_prefix("# ").unwrap_or(line);
            let plain = [
                "connect",
                "tls = \"",
                "request",
                "head =",
                "idle",
                "drain",
                "field_bytes",
                "fields = 128",
                "connections",
                "segment_size",
                "max_bytes = \"16GiB",
                "sync_interval",
                "max_ledger_lag",
                "address = \"127.0.0.1:9464",
                "writer_priority",
                "format",
                "filter",
                "workers",
                "unknown_operations",
                "forward_caller_address",
            ];
            let line = if plain
                .iter()
                .any(|key| shown.starts_with(key) && shown.contains(" = "))
            {
                shown
            } else {
                line
            };
            format!("{line}\n")
        })
        .collect();
    assert!(text.contains("\nsegment_size = \"64MiB\""));
    let mut shown = read(&text, &Machine::default()).unwrap();
    let silent = read(
        include_str!("../../../config/egret.toml"),
        &Machine::default(),
    )
    .unwrap();
    assert_ne!(shown.config_hash, silent.config_hash);
    shown.config_hash.clone_from(&silent.config_hash);
    assert_eq!(shown, silent);
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let text = "\
workers = 300
[[listener]]
address = \"8080\"
[providers.cybrid]
enviroment = \"production\"
unknown_operations = \"denny\"
[providers.cibrid]
[timeouts]
request = 30
idle = \"2h\"
[log]
filter = \"!\"
";
    assert_eq!(
        faults(text, &Machine::default()),
        [
            "egret.toml:1:11: workers: out of bounds, found 300; use 0 to 256",
            "egret.toml:3:11: listener.address: not an address with a port, found \"8080\"; \
             write \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:egret.sock\"",
            "egret.toml:5:1: providers.cybrid.enviroment: unknown key; did you mean \"environment\"?",
            "egret.toml:6:22: providers.cybrid.unknown_operations: not an allowed value, \
             found \"denny\"; did you mean \"deny\"? use one of: \"forward\", \"deny\"",
            "egret.toml:7:12: providers.cibrid: there is no built-in provider with this id; \
             did you mean \"cybrid\"? built in: cybrid, obp, wyre; for others name their provider \
             file with file = \"...\"",
            "egret.toml:9:11: timeouts.request: a duration needs a unit, found the plain number 30; \
             write \"30s\" for seconds or \"30ms\" for milliseconds",
            "egret.toml:10:8: timeouts.idle: out of bounds, found \"2h\"; use \"1ms\" to \"1h\"",
            "egret.toml:12:10: log.filter: not a log filter: invalid directive; write a level \
             (error, warn, info, debug, trace) or a list such as \"info,egret=debug\"",
        ]
    );
}

#[test]
fn listeners_beyond_loopback_need_tls_and_callers() {
    let machine = Machine::with_tls_files();
    let keyed = Machine {
        has_keys: true,
        ..Machine::with_tls_files()
    };
    let text = |listener: &str| format!("{CYBRID}[[listener]]\n{listener}\n");
    const TLS: &str = "tls = { certificate = \"tls.pem\", key = \"tls.key\" }";
    const MTLS: &str =
        "tls = { certificate = \"tls.pem\", key = \"tls.key\", client_ca = \"ca.pem\" }";

    let open = text("address = \"0.0.0.0:8080\"");
    let found = faults(&open, &machine);
    assert_eq!(found.len(), 2, "{found:#?}");
    one_fault(
        &open,
        &keyed,
        "egret.toml:3:11: listener.address: a listener beyond loopback needs TLS",
    );

    let tls = text(&format!("address = \"0.0.0.0:8080\"\n{TLS}"));
    let who = "egret.toml:3:11: listener.address: a listener beyond loopback needs a way to tell who calls";
    one_fault(&tls, &machine, who);
    one_fault(
        &format!("{tls}[callers]\nlocal = \"me\"\n"),
        &machine,
        &format!("{who} (callers.local"),
    );
    read(&tls, &keyed).unwrap();

    let mtls = read(&text(&format!("address = \"[::]:8443\"\n{MTLS}")), &machine).unwrap();
    let tls = mtls.listeners[0].tls.as_ref().unwrap();
    assert!(tls.client_certificate_required);
    assert_eq!(tls.key, Path::new("/etc/egret/tls.key"));

    let plain = text("address = \"10.0.0.1:8080\"\nplain = true");
    one_fault(&plain, &machine, who);
    read(&plain, &keyed).unwrap();
    let both = text(&format!("plain = true\n{TLS}"));
    one_fault(
        &both,
        &machine,
        "egret.toml:3:9: listener.plain: this listener has TLS",
    );
}

#[test]
fn tls_files_must_be_readable_and_hold_what_they_should() {
    let machine = Machine::with_tls_files();
    let tls = |tls: &str| format!("{CYBRID}[[listener]]\ntls = {{ {tls} }}\n");
    for (text, start) in [
        (
            "certificate = \"no.pem\", key = \"tls.key\"",
            "egret.toml:3:23: listener.tls.certificate: the file cannot be read: entity not found",
        ),
        (
            "certificate = \"tls.key\", key = \"tls.key\"",
            "egret.toml:3:23: listener.tls.certificate: the file does not hold a PEM certificate",
        ),
        (
            "certificate = \"tls.pem\", key = \"ca.pem\"",
            "egret.toml:3:40: listener.tls.key: the file does not hold a PEM private key",
        ),
        (
            "certificate = \"tls.pem\"",
            "egret.toml:3:7: listener.tls.key: missing",
        ),
        (
            "certificate = \"tls.pem\", key = \"-----BEGIN RSA\"",
            "egret.toml:3:40: listener.tls.key: this is the content of a PEM file",
        ),
        (
            "certificate = \"tls.pem\", key = \"tls.key\", client_certificate = \"optional\"",
            "egret.toml:3:72: listener.tls.client_certificate: there is no authority",
        ),
    ] {
        one_fault(&tls(text), &machine, start);
    }
}

#[test]
fn listeners_do_not_share_an_address() {
    let text = format!("{CYBRID}[[listener]]\n[[listener]]\naddress = \"127.0.0.1:8080\"\n");
    one_fault(
        &text,
        &Machine::default(),
        "egret.toml:4:11: listener.address: another listener",
    );
    let sockets = format!(
        "{CYBRID}[[listener]]\naddress = \"unix:a\"\n[[listener]]\naddress = \"unix:./a/../a\"\n"
    );
    read(&sockets, &Machine::default()).unwrap();
    let long = format!(
        "{CYBRID}[[listener]]\naddress = \"unix:{}\"\n",
        "a".repeat(100)
    );
    one_fault(
        &long,
        &Machine::default(),
        "egret.toml:3:11: listener.address: the path of the Unix socket is too long",
    );
}

#[test]
fn the_admin_listener_must_be_able_to_tell_who_asks() {
    let admin = |text: &str| format!("{CYBRID}[admin]\n{text}\n");
    let config = read(CYBRID, &Machine::default()).unwrap();
    let default = ListenAddress::Tcp("127.0.0.1:9464".parse().unwrap());
    assert_eq!(config.admin.address, Some(default));
    assert_eq!(config.admin.max_ledger_lag, Duration::from_secs(300));
    let off = read(&admin("address = \"off\""), &Machine::default()).unwrap();
    assert_eq!(off.admin.address, None);
    let socket = read(&admin("address = \"unix:a.sock\""), &Machine::default()).unwrap();
    let path = ListenAddress::Unix("/etc/egret/a.sock".into());
    assert_eq!(socket.admin.address, Some(path));
    for (text, start) in [
        (
            "address = \"0.0.0.0:9464\"",
            "the admin listener can be reached from other machines and cannot tell who asks",
        ),
        (
            "address = \"127.0.0.1:8080\"",
            "a listener for calls has this address",
        ),
        ("address = \"no\"", "not an address with a port"),
    ] {
        let start = format!("egret.toml:3:11: admin.address: {start}");
        one_fault(&admin(text), &Machine::default(), &start);
    }
    one_fault(
        &admin("max_ledger_lag = \"1ms\""),
        &Machine::default(),
        "egret.toml:3:18: admin.max_ledger_lag: ",
    );
}

#[test]
fn providers_without_a_public_address_say_what_to_write() {
    for id in ["obp", "wyre"] {
        let found = faults(&format!("[providers.{id}]\n"), &Machine::default());
        assert_eq!(
            found,
            [format!(
                "egret.toml:1:1: providers.{id}: no base URL for the environment sandbox; {id} has no \
                 public address: write [providers.{id}.services.api] with sandbox = \"https://...\""
            )]
        );
    }
    let text = "[providers.obp.services.api]\nsandbox = \"https://obp.example.org/base/\"\n";
    let config = read(text, &Machine::default()).unwrap();
    let upstream = &config.providers["obp"].base_urls[&("api".into(), Environment::Sandbox)];
    assert_eq!(
        (&*upstream.host, &*upstream.base_path),
        ("obp.example.org", "/base")
    );
}

#[test]
fn dangerous_base_urls_are_refused_where_they_stand() {
    for (url, start) in [
        (
            "\"http://bank.example\"",
            "plain HTTP is allowed to this machine only",
        ),
        ("\"https://10.1.2.3\"", "an address has no server name"),
        (
            "\"https://user:hunter2@bank.example\"",
            "a base URL must not hold a user or a password",
        ),
        (
            "\"https://bank.example/?key=hunter2\"",
            "a base URL must not hold a query",
        ),
        (
            "\"https://api.sendwyre.com\"",
            "api.sendwyre.com is refused: Wyre was wound down in 2023",
        ),
        (
            "\"https://bank.production.cybrid.app\"",
            "bank.production.cybrid.app is the provider's production host",
        ),
        (
            "\"http://127.0.0.1:8080\"",
            "this is a listener of this gateway",
        ),
        (
            "\"http://localhost:8080\"",
            "this is a listener of this gateway",
        ),
        ("7", "must be a URL in quotes"),
    ] {
        let text = format!("[providers.cybrid.services.bank]\nsandbox = {url}\n");
        let start = format!("egret.toml:2:11: providers.cybrid.services.bank.sandbox: {start}");
        one_fault(&text, &Machine::default(), &start);
        assert!(
            !faults(&text, &Machine::default())
                .concat()
                .contains("hunter2")
        );
    }
    let table = "[providers.cybrid.services.bank.sandbox]\nurl = \"https://bank.example\"\nverify = false\n";
    one_fault(
        table,
        &Machine::default(),
        "egret.toml:2:7: providers.cybrid.services.bank.sandbox.url: verify = false",
    );
    let simulator = table.replace("bank.example", "127.0.0.1:9001");
    let config = read(&simulator, &Machine::default()).unwrap();
    assert!(!config.providers["cybrid"].base_urls[&("bank".into(), Environment::Sandbox)].verify);
    one_fault(
        "[providers.cybrid.services.bnak]\n",
        &Machine::default(),
        "egret.toml:1:28: providers.cybrid.services.bnak: the provider has no such service; did you mean \"bank\"?",
    );
}

#[test]
fn provider_files_are_read_and_their_faults_are_reported() {
    let mut machine = Machine::with_tls_files();
    let text = "[providers.own]\nfile = \"own.toml\"\n[providers.own.services.api]\nsandbox = \"https://x.example\"\n";
    let config = read(text, &machine).unwrap();
    assert_eq!(
        config.providers["own"].file.as_deref(),
        Some(Path::new("/etc/egret/own.toml"))
    );
    machine
        .files
        .insert("/etc/egret/own.toml".into(), "own provider, changed");
    assert_ne!(
        read(text, &machine).unwrap().config_hash,
        config.config_hash
    );
    machine.files.insert("/etc/egret/own.toml".into(), "broken");
    one_fault(text, &machine, "own.toml:3:1: operations: missing");
    machine.files.clear();
    one_fault(
        text,
        &machine,
        "egret.toml:2:8: providers.own.file: the file cannot be read",
    );
    one_fault(
        "",
        &machine,
        "egret.toml: providers: no provider is configured",
    );
}

#[test]
fn environment_variables_override_and_change_the_hash() {
    let mut machine = Machine::default();
    let before = read(CYBRID, &machine).unwrap();
    machine.variables.insert("EGRET_TIMEOUTS_REQUEST", "9s");
    machine.variables.insert("EGRET_NODE", "blue");
    machine.variables.insert("EGRET_DATA_DIR", "/var/lib/egret");
    let after = read(CYBRID, &machine).unwrap();
    assert_eq!(after.timeouts.request, Duration::from_secs(9));
    assert_eq!(&*after.node, "blue");
    assert_eq!(
        after.ledger.place,
        Path::new("/var/lib/egret/ledger.db").into()
    );
    assert_ne!(after.config_hash, before.config_hash);
    assert_eq!(after.config_hash.len(), 16);
    machine.variables.insert("EGRET_WORKERS", "many");
    one_fault(CYBRID, &machine, "environment: EGRET_WORKERS: wrong type");
}

#[test]
fn bounds_that_belong_together_are_checked_together() {
    let text = format!(
        "{CYBRID}[limits]\nhead_bytes = \"8KiB\"\nfield_bytes = 9000\n[timeouts]\ntls = \"1s\"\n"
    );
    let found = faults(&text, &Machine::default());
    assert!(
        found[0].starts_with("egret.toml:4:15: limits.field_bytes: larger than"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("egret.toml:6:7: timeouts.tls: shorter than"),
        "{found:?}"
    );
    let zero = format!("{CYBRID}[timeouts]\nconnect = \"0s\"\n");
    one_fault(
        &zero,
        &Machine::default(),
        "egret.toml:3:11: timeouts.connect: out of bounds",
    );
}

#[test]
fn certificates_are_mapped_to_callers() {
    let text = format!(
        "{CYBRID}dauth_callers = [\"a\", \"b\", \"a\"]\n[callers.certificates]\n\"spiffe://x/y\" = \"a\"\n"
    );
    let config = read(&text, &Machine::default()).unwrap();
    assert_eq!(&*config.callers.certificates["spiffe://x/y"], "a");
    assert_eq!(config.providers["cybrid"].dauth_callers.len(), 2);
    let bad = format!("{CYBRID}[callers.certificates]\n\"x\" = \"two words\"\n");
    one_fault(
        &bad,
        &Machine::default(),
        "egret.toml:3:7: callers.certificates.x: not the name of a caller",
    );
}

#[test]
fn a_ledger_is_in_one_place_and_its_password_in_no_fault_and_no_hash() {
    let url = "postgres://egret:hunter2@db/egret";
    let text = |ledger: &str| format!("{CYBRID}[ledger]\n{ledger}\n");
    let config = read(&text(&format!("url = \"{url}\"")), &Machine::default()).unwrap();
    assert_eq!(config.ledger.place.to_string(), "postgres://egret@db/egret");
    assert!(!format!("{config:?}").contains("hunter2"));
    let other = text("url = \"postgres://egret:hunter3@db/egret\"");
    let other = read(&other, &Machine::default()).unwrap();
    assert_eq!(other.config_hash, config.config_hash);
    assert_ne!(other.ledger, config.ledger);
    for (ledger, start) in [
        (
            format!("path = \"a.db\"\nurl = \"{url}\""),
            "egret.toml:3: ledger.path: path and url are both written",
        ),
        (
            "password_file = \"p\"".to_owned(),
            "egret.toml:3: ledger.password_file: there is no url",
        ),
        (
            "url = \"mysql://egret:hunter2@db/egret\"".to_owned(),
            "egret.toml:3: ledger.url: not an address of Postgres",
        ),
    ] {
        let found = faults(&text(&ledger), &Machine::default());
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].contains(start.split_once(": ").unwrap().1),
            "{found:#?}"
        );
        assert!(!found[0].contains("hunter2"), "{found:#?}");
    }
}
