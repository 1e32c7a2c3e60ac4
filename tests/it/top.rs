//! `egret top --once`: what somebody on a terminal sees.

use egret::sim::Vendor;

use crate::harness::{Config, Gateway, Ran, Sim, egret_command};

fn top(gateway: &Gateway) -> Ran {
    // The port was chosen by the system, so the configuration does not name it.
    let mut command = egret_command(
        gateway.directory(),
        &["top", "--once", "--interval", "300ms"],
    );
    let output = command
        .env("EGRET_ADMIN_ADDRESS", gateway.admin())
        .output()
        .expect("egret");
    Ran {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn a_gateway_is_seen_at_a_glance() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    for _ in 0..3 {
        gateway.post("/cybrid/bank/api/trades", &[], "{}");
    }
    let seen = top(&gateway).ok();
    for wanted in [
        concat!("egret ", env!("CARGO_PKG_VERSION")),
        "ready",
        "cybrid.sandbox.bank",
        "closed",
        "journal   well",
        "ledger    well",
        "evidence  well",
        "limits, what is left of them",
    ] {
        assert!(seen.contains(wanted), "{wanted} is not in\n{seen}");
    }
    assert!(!seen.contains('\u{1b}'), "no colours where it is printed");
    assert!(!seen.contains("q ends"), "nobody can press a key");
}

#[test]
fn a_gateway_that_is_not_there_is_said() {
    let config = Config::new().cybrid("http://127.0.0.1:1");
    let said = config
        .egret(&["top", "--once", "--interval", "200ms"])
        .failed();
    assert!(said.contains("no answer from"), "{said}");
    let said = config.egret(&["top"]).failed();
    assert!(said.contains("egret top --once"), "{said}");
    let said = config.egret(&["top", "--interval", "1ms"]).failed();
    assert!(said.contains("200ms to 60s"), "{said}");
}
