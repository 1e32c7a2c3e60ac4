//! Where a request goes, and what of its path the bank sees.

use egret::sim::Vendor;

use crate::harness::{Bank, Config, H2, Sim, reply};

#[test]
fn a_path_prefix_leads_to_the_service_and_is_removed() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let answer = gateway.get("/cybrid/bank/api/banks?page=0&per_page=5", &[]);
    assert_eq!(answer.status, 401);
    assert_eq!(sim.last().request.path, "/api/banks");
    gateway.row_of(&answer).expect(&[
        ("provider", "cybrid"),
        ("service", "bank"),
        ("environment", "sandbox"),
        ("operation", "bank.list_banks"),
        ("effect", "read"),
        ("method", "GET"),
        ("path_template", "/api/banks"),
        ("query", "page=0&per_page=5"),
        ("token_type", "anonymous"),
        ("decision", "forwarded"),
        ("outcome", "failure"),
        ("status", "401"),
        ("caller", "app"),
        ("caller_via", "address"),
        ("node", "node-1"),
        ("attempts", "1"),
        ("upstream_address", &sim.address()),
    ]);
}

#[test]
fn each_service_of_a_provider_has_its_own_server() {
    let [identity, bank, organization] = [1, 2, 3].map(|_| Bank::answering(reply(200, "{}")));
    let gateway = Config::new()
        .provider(
            "cybrid",
            "",
            &[
                ("identity", &identity.url()),
                ("bank", &bank.url()),
                ("organization", &organization.url()),
            ],
        )
        .start();
    for (target, server, line) in [
        (
            "/cybrid/identity/api/users",
            &identity,
            "GET /api/users HTTP/1.1",
        ),
        ("/cybrid/bank/api/trades", &bank, "GET /api/trades HTTP/1.1"),
        (
            "/cybrid/organization/api/organizations/1",
            &organization,
            "GET /api/organizations/1 HTTP/1.1",
        ),
    ] {
        assert_eq!(gateway.get(target, &[]).status, 200);
        let received = server.received();
        assert_eq!(received.len(), 1, "{target}");
        assert_eq!(received[0].line(), line);
        assert_eq!(received[0].header("Host"), Some(server.address()));
    }
}

#[test]
fn the_query_arrives_byte_for_byte() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    for query in [
        "guid=a,b&page=0",
        "name=J%C3%BCrgen+M&x=%7b%7D",
        "b=2&a=1&a=3&a",
        "=&&;=;",
        "q=a%26b%3Dc&z=%20",
        "",
    ] {
        let answer = gateway.get(&format!("/cybrid/bank/api/customers?{query}"), &[]);
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(
            bank.last().line(),
            format!("GET /api/customers?{query} HTTP/1.1")
        );
        gateway
            .row_of(&answer)
            .expect(&[("operation", "bank.list_customers")]);
    }
}

#[test]
fn a_base_path_stands_before_the_operations_path() {
    let bank = Bank::answering(reply(200, "{}"));
    let url = format!("{}/sandbox/v1/", bank.url());
    let gateway = Config::new().cybrid(&url).start();
    let answer = gateway.get("/cybrid/bank/api/quotes?page=1", &[]);
    assert_eq!(
        bank.last().line(),
        "GET /sandbox/v1/api/quotes?page=1 HTTP/1.1"
    );
    gateway.row_of(&answer).expect(&[
        ("operation", "bank.list_quotes"),
        ("path_template", "/api/quotes"),
    ]);
}

#[test]
fn obps_own_path_prefix_is_not_the_gateways() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .provider("obp", "", &[("api", &bank.url())])
        .start();
    let answer = gateway.get("/obp/obp/v4.0.0/users/current", &[]);
    assert_eq!(bank.last().line(), "GET /obp/v4.0.0/users/current HTTP/1.1");
    gateway
        .row_of(&answer)
        .expect(&[("provider", "obp"), ("status", "200")]);
    let answer = gateway.post("/obp/my/logins/direct", &[], "");
    assert_eq!(bank.last().line(), "POST /my/logins/direct HTTP/1.1");
    gateway.row_of(&answer).expect(&[("effect", "mint")]);
}

/// The hosts cannot be resolved, so nothing is sent: the record says where it would have gone.
#[test]
fn the_host_of_a_provider_leads_to_it_in_every_environment() {
    let gateway = Config::new()
        .cybrid("http://127.0.0.1:1")
        .section(
            "[providers.obp.services.api]\nsandbox = \"https://obp.sandbox.invalid\"\n\
             production = \"https://obp.production.invalid:8443\"",
        )
        .start();
    for (host, environment) in [
        ("obp.sandbox.invalid", "sandbox"),
        ("OBP.Sandbox.Invalid:443", "sandbox"),
        ("obp.production.invalid:8443", "production"),
    ] {
        let answer = gateway.get("/obp/v4.0.0/users/current", &[("Host", host)]);
        assert_eq!(answer.problem(), "upstream_unresolved", "{host}");
        let wanted = [
            ("provider", "obp"),
            ("service", "api"),
            ("environment", environment),
            ("path_template", "/obp/v4.0.0/users/current"),
            ("decision", "unavailable"),
            ("reason", "upstream_unresolved"),
            ("outcome", "failure"),
            ("status", "503"),
            ("forwarded_at", ""),
        ];
        gateway.row_of(&answer).expect(&wanted);
    }
    let mut h2 = H2::plain(gateway.address());
    h2.authority("obp.production.invalid");
    let answer = h2.call("GET", "/obp/v4.0.0/users/current", &[], b"");
    assert_eq!(answer.status, 503);
    let row = gateway.row(&["--call-id", answer.call_id()]);
    row.expect(&[("provider", "obp"), ("environment", "production")]);
}

#[test]
fn a_request_that_leads_nowhere_is_refused_and_recorded() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    for (target, host) in [
        ("/", "localhost"),
        ("/api/customers", "localhost"),
        ("/cybrid", "localhost"),
        ("/cybrid/banks/api/customers", "localhost"),
        ("/cybrid/bankapi/customers", "localhost"),
        ("/Cybrid/bank/api/customers", "localhost"),
        ("/api/customers", "bank.elsewhere.example"),
    ] {
        let answer = gateway.get(target, &[("Host", host)]);
        assert_eq!(answer.status, 404, "{target}");
        assert_eq!(answer.problem(), "no_such_provider");
        gateway.row_of(&answer).expect(&[
            ("provider", ""),
            ("operation", "unknown"),
            ("path_template", ""),
            ("decision", "refused"),
            ("reason", "no_such_provider"),
            ("status", "404"),
            ("caller", "app"),
        ]);
    }
    assert_eq!(sim.count(), 0);
}

#[test]
fn an_unknown_operation_is_forwarded_and_recorded_without_its_path() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let answer = gateway.get("/cybrid/bank/api/novelties/kq7zx?secret=kq7zy", &[]);
    assert_eq!(
        sim.last().request.target(),
        "/api/novelties/kq7zx?secret=kq7zy"
    );
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("provider", "cybrid"),
        ("service", "bank"),
        ("operation", "unknown"),
        ("effect", ""),
        ("path_template", ""),
        ("decision", "forwarded"),
    ]);
    assert!(!row.0.to_string().contains("kq7z"), "{row:?}");
}

#[test]
fn an_unknown_operation_can_be_denied() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new()
        .cybrid_with("unknown_operations = \"deny\"", &sim.url())
        .start();
    // The path is known, the method is not.
    let answer = gateway.call("DELETE", "/cybrid/bank/api/customers", &[], b"");
    assert_eq!(answer.status, 403);
    assert_eq!(answer.problem(), "unknown_operation");
    gateway.row_of(&answer).expect(&[
        ("operation", "unknown"),
        ("method", "DELETE"),
        ("decision", "denied"),
        ("reason", "unknown_operation"),
        ("outcome", "failure"),
        ("status", "403"),
        ("attempts", "0"),
    ]);
    assert_eq!(sim.count(), 0);
    assert_eq!(gateway.get("/cybrid/bank/api/customers", &[]).status, 401);
    assert_eq!(sim.count(), 1);
}
