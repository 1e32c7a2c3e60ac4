//! What is below `deploy/`: checked by the tools of those who will read it, and tried where it can be.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::clients::skip;
use crate::harness::egret_command;
use crate::harness::postgres::{self, Server};

fn has(program: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", "command -v \"$0\"", program]);
    command
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The unit, the image, the chart, compose and the alert rules hold what their own tools ask for.
#[test]
fn everything_passes_the_tools_of_its_kind() {
    let needed = ["python3", "npm", "promtool", "systemd-analyze"];
    if let Some(missing) = needed.iter().find(|program| !has(program)) {
        return skip(&format!("deploy/check.sh needs {missing}"));
    }
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploy-tools");
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/check.sh"))
        .arg(&tools)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("deploy: all is well"), "{said}");
}

/// The database that compose makes is one that its gateway can migrate as the owner and write as
/// nobody more.
#[test]
fn the_database_of_compose_lets_the_gateway_add_rows_only() {
    let Some(server) = Server::start() else {
        return;
    };
    if !has("psql") {
        return skip("there is no psql");
    }
    postgres::execute(&server.url("postgres"), "CREATE DATABASE egret");
    let url = server.url("egret");
    let authority = url
        .strip_prefix("postgres://postgres@")
        .and_then(|rest| rest.strip_suffix("/egret"))
        .unwrap();
    let (host, port) = authority.split_once(':').unwrap();
    let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/compose");
    let place = tempfile::tempdir().unwrap();
    for name in ["owner_password", "gateway_password"] {
        std::fs::write(place.path().join(name), "it's a password").unwrap();
    }
    let made = Command::new(compose.join("postgres-init.sh"))
        .env("SECRETS", place.path())
        .envs([("PGHOST", host), ("PGPORT", port)])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");

    // The configuration of compose, with its database and its cache where they are here.
    let text = std::fs::read_to_string(compose.join("egret.toml")).unwrap();
    let password = place.path().join("gateway_password");
    let text = text
        .replace("@postgres:5432", &format!("@{authority}"))
        .replace("/run/secrets/gateway_password", password.to_str().unwrap());
    assert!(text.contains(authority) && text.contains(password.to_str().unwrap()));
    std::fs::write(place.path().join("egret.toml"), text).unwrap();
    let egret = |arguments: &[&str], ledger: Option<&str>| {
        let mut command = egret_command(place.path(), arguments);
        command.env("EGRET_DATA_DIR", place.path().join("data"));
        command.env("EGRET_ADMIN_ADDRESS", "off");
        if let Some(ledger) = ledger {
            command.env("EGRET_LEDGER_URL", ledger);
        }
        let ran = command.output().unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {errors}");
    };
    // As the header of compose.yaml says: a caller first, or the gateway would listen to anybody.
    egret(&["caller", "add", "demo"], None);
    egret(&["check"], None);
    let owner = format!("postgres://egret_owner@{authority}/egret");
    egret(&["audit", "migrate"], Some(&owner));
    // A reading is put on record, so this writes as the gateway does.
    egret(&["audit", "query", "--from", "1h"], None);

    let gateway = format!("postgres://egret_gateway@{authority}/egret");
    let written = "SELECT count(*) FROM egret.calls WHERE operation = 'audit.query'";
    assert_eq!(postgres::number(&gateway, written), 1);
    for forbidden in [
        "DELETE FROM egret.records",
        "UPDATE egret.records SET status = 200",
        "DROP TABLE egret.records",
        "CREATE TABLE egret.own (n int)",
    ] {
        assert!(
            postgres::try_execute(&gateway, forbidden).is_err(),
            "the gateway's login may {forbidden}"
        );
    }
}
