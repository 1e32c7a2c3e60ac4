//! HTTP/1.1 and HTTP/2, TLS and Unix sockets, on both sides.

use egret::sim::Vendor;

use crate::harness::{
    Authority, Bank, Client, Config, Gateway, H2, Relay, Sim, client_tls, reply, server_tls,
};

const BANKS: &str = "/cybrid/bank/api/banks";

#[test]
fn one_plain_port_speaks_http1_and_http2() {
    let bank = Bank::answering(reply(200, "{\"objects\":[]}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut h1 = Client::tcp(gateway.address());
    for _ in 0..3 {
        let answer = h1.call("GET", BANKS, &[], b"");
        assert_eq!((answer.status, answer.text()), (200, "{\"objects\":[]}"));
    }
    let mut h2 = H2::plain(gateway.address());
    for _ in 0..3 {
        let answer = h2.call("POST", "/cybrid/bank/api/quotes", &[], b"{}");
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"{\"objects\":[]}"[..])
        );
        let row = gateway.row(&["--call-id", answer.call_id()]);
        row.expect(&[
            ("operation", "bank.create_quote"),
            ("outcome", "success"),
            ("request_bytes", "2"),
            ("response_bytes", "14"),
        ]);
    }
    gateway.rows(6, &["--outcome", "success"]);
}

#[test]
fn http10_is_answered_and_pipelining_ends_after_the_first() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut client = Client::tcp(gateway.address());
    let one = format!("GET {BANKS} HTTP/1.1\r\nHost: x\r\n\r\n");
    // Requests behind the first are not read at all: RFC 9112, section 9.3.2 lets a server close
    // and has the client send them again.
    client.send(one.repeat(3)).unwrap();
    let answer = client.answer("GET").unwrap();
    assert!(client.is_closed());
    assert_eq!(gateway.row(&[]).text("call_id"), answer.call_id());
    assert_eq!(bank.received().len(), 1);
    let mut client = Client::tcp(gateway.address());
    client
        .send(format!("GET {BANKS} HTTP/1.0\r\nHost: x\r\n\r\n"))
        .unwrap();
    assert_eq!(client.answer("GET").unwrap().status, 200);
    assert!(client.is_closed());
}

/// A gateway with one TLS listener, and the authority that signed its certificate.
fn tls_gateway(bank: &Bank, more: &str, callers: &str) -> (Gateway, Authority) {
    let ours = Authority::new("Authority of the gateway");
    let clients = Authority::new("Authority of the callers");
    let config = Config::new();
    ours.issue("gateway", &["gateway.test", "localhost"])
        .write(config.directory(), "gateway");
    config.file("clients.pem", &clients.pem());
    let listener = format!(
        "address = \"127.0.0.1:0\"\ntls = {{ certificate = \"gateway.pem\", key = \"gateway.key\"{more} }}"
    );
    let gateway = config
        .listener(&listener)
        .callers(callers)
        .cybrid(&bank.url())
        .start();
    (gateway, ours)
}

#[test]
fn tls_offers_http2_and_http1() {
    let bank = Bank::answering(reply(200, "{}"));
    let (gateway, ours) = tls_gateway(&bank, "", "local = \"app\"");
    let mut h2 = H2::tls(
        gateway.address(),
        "gateway.test",
        client_tls(&ours, None, &["h2", "http/1.1"]),
    );
    let answer = h2.call("GET", BANKS, &[], b"");
    assert_eq!(answer.status, 200);
    gateway
        .row(&["--call-id", answer.call_id()])
        .expect(&[("outcome", "success"), ("caller", "app")]);
    for alpn in [&["http/1.1"][..], &[]] {
        let mut h1 = Client::tls(
            gateway.address(),
            "gateway.test",
            client_tls(&ours, None, alpn),
        );
        for _ in 0..2 {
            let answer = h1.call("GET", BANKS, &[], b"");
            assert_eq!(answer.status, 200);
            gateway.row_of(&answer).expect(&[("outcome", "success")]);
        }
    }
}

#[test]
fn plain_http_on_a_tls_port_and_tls_on_a_plain_port_end_clearly() {
    let bank = Bank::answering(reply(200, "{}"));
    let (gateway, ours) = tls_gateway(&bank, "", "local = \"app\"");
    let mut plain = Client::tcp(gateway.address());
    let _ = plain.request("GET", BANKS, &[], b"");
    assert!(plain.answer("GET").is_err());
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut tls = Client::tls(
        gateway.address(),
        "gateway.test",
        client_tls(&ours, None, &[]),
    );
    assert!(tls.request("GET", BANKS, &[], b"").is_err());
    gateway.row(&[]).expect(&[
        ("decision", "refused"),
        ("reason", "tls_on_plain_port"),
        ("caller", ""),
        ("status", "400"),
    ]);
    assert_eq!(bank.connections(), 0);
}

#[test]
fn a_client_certificate_names_the_caller() {
    let bank = Bank::answering(reply(200, "{}"));
    let ours = Authority::new("Authority");
    let config = Config::new();
    ours.issue("gateway", &["gateway.test"])
        .write(config.directory(), "gateway");
    config.file("clients.pem", &ours.pem());
    let gateway = config
        .listener(
            "address = \"127.0.0.1:0\"\ntls = { certificate = \"gateway.pem\", key = \"gateway.key\", \
             client_ca = \"clients.pem\" }",
        )
        .callers(
            "[callers.certificates]\n\"spiffe://example.org/payments\" = \"payments\"\n\
             \"ledger.internal\" = \"bookkeeping\"\n\"Old Batch Job\" = \"batch\"",
        )
        .cybrid(&bank.url())
        .start();
    for (common_name, names, caller) in [
        ("x", &["spiffe://example.org/payments"][..], "payments"),
        (
            "x",
            &["spiffe://example.org/payments", "ledger.internal"],
            "payments",
        ),
        (
            "x",
            &["spiffe://example.org/other"],
            "spiffe://example.org/other",
        ),
        ("x", &["ledger.internal"], "bookkeeping"),
        ("x", &["LEDGER.internal"], "bookkeeping"),
        ("x", &["unlisted.internal"], "unlisted.internal"),
        ("Old Batch Job", &[], "batch"),
        ("reports", &[], "reports"),
    ] {
        let own = ours.issue(common_name, names);
        let mut h1 = Client::tls(
            gateway.address(),
            "gateway.test",
            client_tls(&ours, Some(&own), &[]),
        );
        let answer = h1.call("GET", BANKS, &[], b"");
        assert_eq!(answer.status, 200, "{names:?}");
        let wanted = [
            ("caller", caller),
            ("caller_via", "mtls"),
            ("caller_key_id", ""),
        ];
        gateway.row_of(&answer).expect(&wanted);
        let mut h2 = H2::tls(
            gateway.address(),
            "gateway.test",
            client_tls(&ours, Some(&own), &["h2"]),
        );
        let answer = h2.call("GET", BANKS, &[], b"");
        gateway
            .row(&["--call-id", answer.call_id()])
            .expect(&wanted);
    }
}

#[test]
fn where_a_certificate_is_required_nobody_gets_in_without_a_good_one() {
    let bank = Bank::answering(reply(200, "{}"));
    let (gateway, ours) = tls_gateway(&bank, ", client_ca = \"clients.pem\"", "local = \"app\"");
    let stranger = Authority::new("Somebody").issue("payments", &["spiffe://example.org/payments"]);
    for own in [None, Some(&stranger)] {
        let mut client = Client::tls(
            gateway.address(),
            "gateway.test",
            client_tls(&ours, own, &[]),
        );
        let _ = client.request("GET", BANKS, &[], b"");
        assert!(client.answer("GET").is_err());
    }
    assert_eq!(bank.connections(), 0);
}

#[test]
fn where_a_certificate_is_optional_a_caller_without_one_must_show_a_key() {
    let bank = Bank::answering(reply(200, "{}"));
    let (gateway, ours) = tls_gateway(
        &bank,
        ", client_ca = \"clients.pem\", client_certificate = \"optional\"",
        "",
    );
    let mut client = Client::tls(
        gateway.address(),
        "gateway.test",
        client_tls(&ours, None, &[]),
    );
    let answer = client.call("GET", BANKS, &[], b"");
    assert_eq!(answer.problem(), "caller_unidentified");
    gateway.row_of(&answer).expect(&[
        ("caller", ""),
        ("caller_via", "none"),
        ("reason", "caller_missing"),
        ("status", "407"),
    ]);
    // The gateway looks at the callers file every second.
    let key = gateway
        .egret(&["caller", "add", "payments", "--key-only"])
        .ok();
    let key = format!("Bearer {}", key.trim());
    let answer = crate::harness::eventually("the key is known", || {
        let mut client = Client::tls(
            gateway.address(),
            "gateway.test",
            client_tls(&ours, None, &[]),
        );
        let answer = client.call("GET", BANKS, &[("Proxy-Authorization", &key)], b"");
        (answer.status == 200).then_some(answer)
    });
    gateway
        .row_of(&answer)
        .expect(&[("caller", "payments"), ("caller_via", "key")]);
}

#[test]
fn a_unix_socket_serves_processes_of_this_machine() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .listener("address = \"unix:egret.sock\"")
        .cybrid(&bank.url())
        .start();
    let path = gateway.directory().join("egret.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    let mut client = Client::unix(&path);
    for _ in 0..2 {
        let answer = client.call("GET", BANKS, &[], b"");
        assert_eq!(answer.status, 200);
        gateway.row_of(&answer).expect(&[
            ("caller", "app"),
            ("caller_via", "address"),
            ("caller_address", ""),
        ]);
    }
    let (ran, _left) = gateway.stop();
    assert!(ran.status.success());
    assert!(!path.exists());
}

/// A gateway before a TLS server that shows a certificate for `name` and speaks `alpn`.
fn with_tls_bank(
    sim: &Sim,
    keys: &str,
    issuer: &Authority,
    trusted: &Authority,
    name: &str,
    alpn: &[&str],
) -> Gateway {
    let relay = Relay::start(
        &sim.address(),
        server_tls(&issuer.issue("bank", &[name]), alpn),
    );
    let config = Config::new();
    config.file("bank-ca.pem", &trusted.pem());
    let url = format!(
        "{{ url = \"https://localhost:{}\", ca = \"bank-ca.pem\" }}",
        relay.port
    );
    config.cybrid_with(keys, &url).start()
}

#[test]
fn a_bank_with_a_private_authority_is_verified() {
    let sim = Sim::start(Vendor::Cybrid);
    let authority = Authority::new("Bank authority");
    let gateway = with_tls_bank(&sim, "", &authority, &authority, "localhost", &[]);
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(answer.status, 401, "{}", answer.text());
    gateway.row_of(&answer).expect(&[
        ("tls_version", "TLSv1.3"),
        ("decision", "forwarded"),
        ("status", "401"),
    ]);
    assert_eq!(sim.count(), 1);
}

#[test]
fn a_bank_that_cannot_be_verified_gets_nothing() {
    let good = Authority::new("Bank authority");
    let other = Authority::new("Bank authority");
    let sim = Sim::start(Vendor::Cybrid);
    for (issuer, name) in [(&good, "elsewhere.example"), (&other, "localhost")] {
        let gateway = with_tls_bank(&sim, "", issuer, &good, name, &[]);
        let answer = gateway.post(
            "/cybrid/bank/api/trades",
            &[("Authorization", "Bearer x")],
            "{}",
        );
        assert_eq!(answer.problem(), "upstream_tls", "{name}");
        gateway.row_of(&answer).expect(&[
            ("decision", "unavailable"),
            ("reason", "upstream_tls"),
            ("outcome", "failure"),
            ("status", "502"),
            ("forwarded_at", ""),
            ("operation", "bank.create_trade"),
        ]);
    }
    assert_eq!(sim.count(), 0);
}

#[test]
fn a_tls_handshake_takes_no_longer_than_the_call_may() {
    // Accepts connections and says nothing.
    let bank = Bank::start(|line| {
        line.head();
    });
    let port = bank.address().rsplit(':').next().unwrap();
    let gateway = Config::new()
        .cybrid(&format!("https://localhost:{port}"))
        .section("[timeouts]\nrequest = \"500ms\"")
        .start();
    let answer = gateway.post("/cybrid/bank/api/trades", &[], "{}");
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (504, "upstream_connect_timeout")
    );
    let row = gateway.row_of(&answer);
    row.expect(&[
        ("outcome", "failure"),
        ("decision", "unavailable"),
        ("forwarded_at", ""),
    ]);
    assert!(row.number("total_us") < 4_000_000, "{row:?}");
}

#[test]
fn http2_to_the_bank_by_prior_knowledge_and_by_alpn() {
    let sim = Sim::start(Vendor::Cybrid);
    let keys = "http_version = \"2\"";
    let plain = Config::new().cybrid_with(keys, &sim.url()).start();
    let authority = Authority::new("Bank authority");
    let by_alpn = with_tls_bank(&sim, keys, &authority, &authority, "localhost", &["h2"]);
    let fallback = with_tls_bank(
        &sim,
        keys,
        &authority,
        &authority,
        "localhost",
        &["http/1.1"],
    );
    for (gateway, lower) in [(&plain, true), (&by_alpn, true), (&fallback, false)] {
        let token = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                     \"client_secret\":\"sim-bank-secret\"}";
        let minted = gateway.post("/cybrid/identity/oauth/token", &[], token);
        assert_eq!(minted.status, 200, "{}", minted.text());
        let token = minted.json()["access_token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {token}");
        let answer = gateway.get(
            "/cybrid/bank/api/banks?page=0",
            &[("Authorization", &bearer)],
        );
        assert_eq!(answer.status, 200);
        let seen = sim.last().request;
        assert_eq!(seen.target(), "/api/banks?page=0");
        let named = if lower {
            "authorization"
        } else {
            "Authorization"
        };
        assert!(
            seen.headers
                .iter()
                .any(|(name, value)| name == named && *value == bearer)
        );
        let mint = gateway.row_of(&minted);
        let row = gateway.row_of(&answer);
        row.expect(&[
            ("outcome", "success"),
            ("token_type", "bank"),
            ("token_fingerprint", mint.text("minted_fingerprint")),
        ]);
        assert!(!row.lacks("token_fingerprint"));
    }
}

#[test]
fn answers_without_a_body_end_at_once() {
    let bank = Bank::start(|line| {
        while let Some(request) = line.request() {
            line.send(match request.line().split(' ').next() {
                Some("HEAD") => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                Some("DELETE") => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            });
        }
    });
    let gateway = Config::new().cybrid(&bank.url()).start();
    let mut client = Client::tcp(gateway.address());
    for (method, target, status) in [
        ("HEAD", BANKS, 200),
        ("DELETE", "/cybrid/bank/api/external_wallets/0b", 204),
        ("GET", BANKS, 304),
        ("HEAD", "/nowhere", 404),
    ] {
        let answer = client.call(method, target, &[], b"");
        assert_eq!(answer.status, status, "{method}");
        let row = gateway.row_of(&answer);
        row.expect(&[
            ("method", method),
            ("status", &status.to_string()),
            ("response_bytes", "0"),
        ]);
    }
}

#[test]
fn an_answer_that_ends_with_the_connection_is_whole() {
    let bank = Bank::start(|line| {
        line.request();
        line.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end");
    });
    let gateway = Config::new().cybrid(&bank.url()).start();
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(
        (answer.status, answer.text(), answer.complete),
        (200, "until the end", true)
    );
    gateway
        .row_of(&answer)
        .expect(&[("outcome", "success"), ("response_bytes", "13")]);
}

#[test]
fn many_http2_streams_share_a_connection_and_each_has_its_row() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let h2 = H2::plain(gateway.address());
    let ids = h2.call_at_once(50, "GET", BANKS);
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 50);
    let rows = gateway.rows(50, &["--outcome", "success"]);
    assert!(
        rows.iter()
            .all(|row| ids.iter().any(|id| id == row.text("call_id")))
    );
}

#[test]
fn bank_tokens_and_long_queries_fit() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let token = format!("Bearer {}", "t".repeat(9_000));
    let target = format!("{BANKS}?guid={}", vec!["0b".repeat(16); 100].join(","));
    let answer = gateway.get(&target, &[("Authorization", &token)]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bank.last().header("Authorization"), Some(&*token));
    assert!(!gateway.row_of(&answer).lacks("token_fingerprint"));
    let mut h2 = H2::plain(gateway.address());
    assert_eq!(
        h2.call("GET", &target, &[("authorization", &token)], b"")
            .status,
        200
    );
    let token = format!("Bearer {}", "t".repeat(20_000));
    let answer = gateway.get(BANKS, &[("Authorization", &token)]);
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (431, "field_too_large")
    );
    gateway
        .row_of(&answer)
        .expect(&[("decision", "refused"), ("reason", "field_too_large")]);
}
