//! From other machines: TLS, client certificates, and an identity provider.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::on_record;
use crate::harness::{Authority, Client, Config, client_tls, read_request};

fn get(gateway: &str, path: &str, headers: &[(&str, &str)]) -> crate::harness::Answer {
    Client::tcp(gateway).call("GET", path, headers, b"")
}

#[test]
fn certificates_have_the_roles_that_are_written() {
    let authority = Authority::new("people");
    let config = Config::new().cybrid("http://127.0.0.1:1").admin(
        "address = \"127.0.0.1:0\"\nopen_metrics = false\n\
         tls = { certificate = \"admin.pem\", key = \"admin.key\", client_ca = \"people.pem\" }\n\
         [admin.certificates]\n\"spiffe://bank.example/ann\" = [\"auditor\"]",
    );
    authority
        .issue("egret", &["localhost"])
        .write(config.directory(), "admin");
    config.file("people.pem", &authority.pem());
    let gateway = config.start();
    let ann = authority.issue("ann", &["spiffe://bank.example/ann"]);
    let bob = authority.issue("bob", &["spiffe://bank.example/bob"]);
    let ask = |own, path: &str| {
        let tls = client_tls(&authority, own, &["http/1.1"]);
        Client::tls(gateway.admin(), "localhost", tls).call("GET", path, &[], b"")
    };
    let me = ask(Some(&ann), "/api/v1/me");
    assert_eq!(me.status, 200, "{}", me.text());
    assert_eq!(me.json()["way"], "certificate");
    assert_eq!(me.json()["name"], "spiffe://bank.example/ann");
    assert!(me.header("Strict-Transport-Security").is_some());
    assert_eq!(ask(Some(&bob), "/api/v1/me").status, 401);
    assert_eq!(ask(None, "/api/v1/me").status, 401);
    assert_eq!(ask(None, "/readyz").status, 200);
    assert_eq!(ask(None, "/metrics").status, 401);
    assert_eq!(ask(Some(&ann), "/metrics").status, 200);
}

#[test]
fn beyond_loopback_somebody_must_be_able_to_say_who_they_are() {
    for (admin, said) in [
        ("address = \"0.0.0.0:0\"", "cannot tell who asks"),
        (
            "address = \"127.0.0.1:0\"\n[admin.certificates]\n\"a b\" = [\"viewer\"]",
            "not a name",
        ),
        (
            "address = \"127.0.0.1:0\"\n[admin.certificates]\n\"a\" = [\"root\"]",
            "admin.certificates.a",
        ),
        (
            "address = \"127.0.0.1:0\"\n[admin.oidc]\nissuer = \"http://login.example\"\naudience = \"a\"",
            "use https",
        ),
    ] {
        let config = Config::new().cybrid("http://127.0.0.1:1").admin(admin);
        let ran = config.egret(&["check"]);
        let error = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            !ran.status.success() && error.contains(said),
            "{admin}\n{error}"
        );
    }
}

/// An identity provider as far as the gateway sees it.
struct Provider {
    url: String,
    pair: Arc<Ed25519KeyPair>,
    /// The nonce of the login under way, which its token must carry.
    nonce: Arc<Mutex<String>>,
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn token(pair: &Ed25519KeyPair, claims: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = encode(json!({"alg": "EdDSA", "kid": "k"}).to_string());
    let text = format!("{head}.{}", encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pair = Arc::new(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap());
        let nonce = Arc::new(Mutex::new(String::new()));
        let provider = Self {
            url: url.clone(),
            pair: Arc::clone(&pair),
            nonce: Arc::clone(&nonce),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, form) = read_request(&stream);
                let form = String::from_utf8(form).unwrap();
                let body = match head.split(' ').nth(1).unwrap() {
                    "/.well-known/openid-configuration" => json!({
                        "issuer": url,
                        "authorization_endpoint": format!("{url}/authorize"),
                        "token_endpoint": format!("{url}/token"),
                        "jwks_uri": format!("{url}/keys"),
                    }),
                    "/keys" => json!({"keys": [{
                        "kty": "OKP", "crv": "Ed25519", "kid": "k",
                        "x": URL_SAFE_NO_PAD.encode(pair.public_key()),
                    }]}),
                    "/token" if form.contains("code=good") && form.contains("code_verifier=") => {
                        let claims = json!({
                            "iss": url, "aud": "egret-admin", "exp": seconds() + 300, "sub": "u-1",
                            "preferred_username": "ann", "roles": ["ops"], "nonce": *nonce.lock(),
                        });
                        json!({"id_token": token(&pair, &claims)})
                    }
                    _ => json!({"error": "invalid_grant"}),
                };
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        provider
    }

    fn gateway(&self) -> crate::harness::Gateway {
        Config::new()
            .cybrid("http://127.0.0.1:1")
            .admin(&format!(
                "address = \"127.0.0.1:0\"\n[admin.oidc]\nissuer = \"{}\"\naudience = \"egret-admin\"\n\
                 redirect = \"http://localhost/auth/oidc/return\"\n[admin.oidc.roles]\nops = [\"operator\"]",
                self.url
            ))
            .start()
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": ["egret-admin"], "exp": seconds() + 300, "sub": "u-1",
            "preferred_username": "ann", "roles": ["ops"],
        })
    }
}

#[test]
fn tokens_of_the_identity_provider_are_taken() {
    let provider = Provider::start();
    let gateway = provider.gateway();
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        get(gateway.admin(), "/api/v1/me", &[("Authorization", &bearer)])
    };
    let me = ask(&token(&provider.pair, &provider.claims()));
    assert_eq!(me.status, 200, "{}", me.text());
    assert_eq!(me.json()["way"], "token");
    assert_eq!(me.json()["roles"][0], "operator");
    let mut old = provider.claims();
    old["exp"] = json!(seconds() - 120);
    assert_eq!(ask(&token(&provider.pair, &old)).status, 401);
    let mut other = provider.claims();
    other["aud"] = json!("somebody");
    assert_eq!(ask(&token(&provider.pair, &other)).status, 401);
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    assert_eq!(ask(&token(&stranger, &provider.claims())).status, 401);
}

#[test]
fn a_browser_logs_in_at_the_identity_provider() {
    let provider = Provider::start();
    let gateway = provider.gateway();
    let ways = get(gateway.admin(), "/api/v1/session/ways", &[]).json();
    assert_eq!(ways["oidc"]["start"], "/auth/oidc/start");
    let start = get(gateway.admin(), "/auth/oidc/start", &[]);
    assert_eq!(start.status, 303, "{}", start.text());
    let location = start.header("Location").unwrap();
    assert!(
        location.contains("code_challenge_method=S256"),
        "{location}"
    );
    let value = |name: &str| {
        let (_, rest) = location.split_once(&format!("{name}=")).unwrap();
        let encoded = rest.split('&').next().unwrap();
        let decoded = percent_encoding::percent_decode_str(encoded)
            .decode_utf8()
            .unwrap();
        decoded.into_owned()
    };
    *provider.nonce.lock() = value("nonce");
    let cookie = start
        .header("Set-Cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let back = |state: &str, cookie: &str| {
        let path = format!("/auth/oidc/return?code=good&state={state}");
        get(gateway.admin(), &path, &[("Cookie", cookie)])
    };
    // A login that another browser began is not this one's.
    assert_eq!(back(&value("state"), "egret-login=x").status, 409);
    let done = back(&value("state"), &cookie);
    assert_eq!(done.status, 200, "{}", done.text());
    let session = done
        .header("Set-Cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let me = get(gateway.admin(), "/api/v1/me", &[("Cookie", &session)]);
    assert_eq!(me.json()["name"], "ann", "{}", me.text());
    assert_eq!(
        back(&value("state"), &cookie).status,
        409,
        "a code is used once"
    );
    let rows = || on_record(&gateway, &["--operation", "admin.login", "--caller", "ann"]);
    crate::harness::until("it is on record", || rows().len() == 1);
}
