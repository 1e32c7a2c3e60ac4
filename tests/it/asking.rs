//! `egret health` and `egret top` at an admin listener behind TLS: by the configuration of the listener,
//! by an authority, by a client certificate, and from a machine without a configuration.

use crate::harness::{Authority, Config, Gateway, Ran, egret, egret_command};

const ONCE: [&str; 4] = ["top", "--once", "--interval", "200ms"];

/// A gateway whose admin listener has a certificate for `localhost`, and the keys of `[admin]`.
fn start(authority: &Authority, keys: &str, section: &str) -> Gateway {
    start_with(authority, keys, section, "")
}

fn start_with(authority: &Authority, keys: &str, section: &str, others: &str) -> Gateway {
    let admin = format!(
        "address = \"127.0.0.1:0\"\ntls = {{ certificate = \"admin.pem\", key = \"admin.key\"{keys} }}\n{section}"
    );
    let config = Config::new()
        .cybrid("http://127.0.0.1:1")
        .admin(&admin)
        .section(others);
    authority
        .issue("egret", &["localhost"])
        .write(config.directory(), "admin");
    config.file("ca.pem", &authority.pem());
    config.start()
}

/// Asks by the configuration; the port was chosen by the system, so the configuration does not name it.
fn ask(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let mut command = egret_command(gateway.directory(), arguments);
    ran(command.env("EGRET_ADMIN_ADDRESS", gateway.admin()))
}

fn ran(command: &mut std::process::Command) -> Ran {
    let output = command.output().expect("egret");
    Ran {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn url(gateway: &Gateway) -> String {
    let port = gateway.admin().rsplit(':').next().unwrap();
    format!("https://localhost:{port}")
}

#[test]
fn whoever_has_the_configuration_needs_nothing_else() {
    let by_hand = "[reload]\non_change = false";
    let gateway = start_with(&Authority::new("ours"), "", "", by_hand);
    let said = ask(&gateway, &["health"]).ok();
    assert!(said.contains("\"ok\": true"), "{said}");
    let seen = ask(&gateway, &ONCE).ok();
    assert!(seen.contains("ready"), "{seen}");
    // The doctor asks in the same way.
    let doctor = ask(&gateway, &["doctor", "--no-self-test"]);
    assert!(
        doctor.stdout.contains("gateway: ready"),
        "{}",
        doctor.stdout
    );
    // Another certificate than that of the configuration, whoever has signed it.
    let other = Authority::new("ours").issue("egret", &["localhost"]);
    other.write(gateway.directory(), "admin");
    let said = ask(&gateway, &["health"]).failed();
    assert!(said.contains("another certificate"), "{said}");
    // Until the listener takes it.
    gateway.egret(&["config", "reload"]).ok();
    ask(&gateway, &["health"]).ok();
}

#[test]
fn an_authority_vouches_for_it_from_anywhere() {
    let authority = Authority::new("ours");
    let gateway = start(&authority, "", "");
    let ca = gateway.directory().join("ca.pem").display().to_string();
    let url = url(&gateway);
    let said = egret(&["health", "--url", &url, "--ca", &ca]).ok();
    assert!(said.contains("\"ok\": true"), "{said}");
    let seen = egret(&[&ONCE[..], &["--url", &url, "--ca", &ca]].concat()).ok();
    assert!(seen.contains("ready"), "{seen}");
    // By its name, also where the configuration has its address.
    let said = ask(&gateway, &["health", "--ca", "ca.pem"]).failed();
    assert!(said.contains("not good for 127.0.0.1"), "{said}");
    // Nobody vouches for it.
    let said = egret(&["health", "--url", &url]).failed();
    assert!(said.contains("give --ca"), "{said}");
    let other = Authority::new("others").pem();
    std::fs::write(gateway.directory().join("others.pem"), other).unwrap();
    let said = ask(&gateway, &["health", "--ca", "others.pem"]).failed();
    assert!(said.contains("give --ca"), "{said}");
    // It is not spoken to in the clear.
    let plain = url.replace("https", "http");
    egret(&["health", "--url", &plain]).failed();
    let said = egret(&["health", "--url", &plain, "--ca", &ca]).failed();
    assert!(said.contains("https://"), "{said}");
    let said = egret(&["health", "--url", &format!("{url}/livez"), "--ca", &ca]).failed();
    assert!(said.contains("no path"), "{said}");
}

#[test]
fn a_client_certificate_opens_what_is_closed() {
    let authority = Authority::new("ours");
    let gateway = start(
        &authority,
        ", client_ca = \"ca.pem\", client_certificate = \"required\"",
        "open_metrics = false\n[admin.certificates]\n\"ann\" = [\"viewer\"]",
    );
    for name in ["ann", "bob"] {
        let identity = authority.issue(name, &[]);
        identity.write(gateway.directory(), name);
    }
    Authority::new("others")
        .issue("eve", &[])
        .write(gateway.directory(), "eve");
    for command in [&["health"][..], &ONCE] {
        let said = ask(&gateway, command).failed();
        assert!(said.contains("give --cert and --key"), "{said}");
    }
    let with = |command: &[&str], name: &str| {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        ask(
            &gateway,
            &[command, &["--cert", &cert, "--key", &key]].concat(),
        )
    };
    let seen = with(&ONCE, "ann").ok();
    assert!(seen.contains("ready"), "{seen}");
    with(&["health"], "ann").ok();
    // A probe tells everybody who comes in; figures are for those who have a role.
    with(&["health"], "bob").ok();
    let said = with(&ONCE, "bob").failed();
    assert!(said.contains("answers 401"), "{said}");
    let said = with(&["health"], "eve").failed();
    assert!(said.contains("client_ca"), "{said}");
    let said = ask(&gateway, &["health", "--cert", "ann.pem"]).failed();
    assert!(said.contains("--key"), "{said}");
    let said = ask(
        &gateway,
        &["health", "--cert", "ann.pem", "--key", "none.key"],
    )
    .failed();
    assert!(said.contains("none.key"), "{said}");
    // Whoever cannot come in is not taken for nobody.
    let doctor = ask(&gateway, &["doctor", "--no-self-test"]);
    assert!(
        doctor.stdout.contains("wants a client certificate"),
        "{}",
        doctor.stdout
    );
}
