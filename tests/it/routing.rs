//! Where a request goes, and what of its path the bank sees.

use egret::sim::Vendor;

use crate::harness::{Config, Sim};

#[test]
fn a_path_prefix_leads_to_the_service_and_is_removed() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let answer = gateway.get("/cybrid/bank/api/banks?page=0&per_page=5", &[]);
    assert_eq!(answer.status, 401);
    assert_eq!(sim.last().request.path, "/api/banks");
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("provider", "cybrid"),
        ("service", "bank"),
        ("environment", "sandbox"),
        ("operation", "bank.list_banks"),
        ("method", "GET"),
        ("path_template", "/api/banks"),
        ("query", "page=0&per_page=5"),
        ("token_type", "anonymous"),
        ("decision", "forwarded"),
        ("outcome", "failure"),
        ("status", "401"),
        ("caller", "app"),
        ("node", "node-1"),
    ]);
}
