//! Several providers together.

use super::super::*;
use super::provider;
use crate::types::Environment;

const OTHER: &str = r#"
id = "oidc"
title = "Another login"
credential_scheme = "bearer"
[[service]]
id = "api"
prefix = "/obp-oidc"
base_urls = { production = "https://login.example" }
[[service]]
id = "deep"
prefix = "/obp/deep"
base_urls = { sandbox = "http://127.0.0.1:9001" }
"#;

fn catalog() -> Catalog {
    let other = Provider::parse("oidc.toml", OTHER).unwrap();
    Catalog::new(vec![
        provider("cybrid"),
        provider("obp"),
        provider("wyre"),
        other,
    ])
    .unwrap()
}

#[test]
fn the_longest_prefix_at_a_segment_boundary_wins() {
    let catalog = catalog();
    let place = |path| {
        let found = catalog.by_prefix(path)?;
        let entry = catalog.entry(found.provider).unwrap();
        let service = entry.provider.service(found.service).unwrap();
        Some((
            entry.provider.id.to_string(),
            service.id.to_string(),
            found.rest.to_owned(),
        ))
    };
    let some = |provider: &str, service: &str, rest: &str| {
        Some((provider.to_owned(), service.to_owned(), rest.to_owned()))
    };
    assert_eq!(
        place("/cybrid/bank/api/customers"),
        some("cybrid", "bank", "/api/customers")
    );
    assert_eq!(
        place("/obp/obp/v4.0.0/banks"),
        some("obp", "api", "/obp/v4.0.0/banks")
    );
    assert_eq!(place("/obp-oidc/token"), some("oidc", "api", "/token"));
    assert_eq!(place("/obp/deep/x"), some("oidc", "deep", "/x"));
    assert_eq!(place("/obp/deeper"), some("obp", "api", "/deeper"));
    assert_eq!(place("/obp"), some("obp", "api", "/"));
    assert_eq!(place("/obp/"), some("obp", "api", "/"));
    for path in ["/cybrid", "/cybrid/bankrupt", "/obpx", "/", "", "/OBP/x"] {
        assert_eq!(place(path), None, "{path}");
    }
}

#[test]
fn hosts_lead_to_service_and_environment() {
    let catalog = catalog();
    let found = catalog.by_host("Bank.Sandbox.cybrid.app:443").unwrap();
    assert_eq!(found.environment, Environment::Sandbox);
    let entry = catalog.entry(found.provider).unwrap();
    assert_eq!(&*entry.provider.service(found.service).unwrap().id, "bank");
    for host in [
        "cybrid.app",
        "evil-bank.sandbox.cybrid.app",
        "bank.sandbox.cybrid.app.",
        "bank.sandbox.cybrid.app:x",
        "",
        "api.sendwyre.com",
    ] {
        assert_eq!(catalog.by_host(host), None, "{host}");
    }
    // A loopback upstream would take the requests that name the gateway itself.
    assert_eq!(catalog.by_host("127.0.0.1:9001"), None);
}

#[test]
fn providers_that_claim_the_same_are_refused() {
    let faults = Catalog::new(vec![provider("cybrid"), provider("cybrid")]).unwrap_err();
    let whats: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert!(whats.contains(&"a second provider \"cybrid\""), "{whats:?}");
    assert!(whats.contains(&"a second prefix /cybrid/bank"), "{whats:?}");
    assert!(
        whats.contains(&"a second base URL with host id.sandbox.cybrid.app"),
        "{whats:?}"
    );
}
