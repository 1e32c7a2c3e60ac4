//! What holds for every scheme.

use proptest::prelude::*;

use super::testing::{Request, basic, jwt};
use super::{Scheme, sole_bearer};
use crate::types::TokenType;

#[test]
fn every_token_type_can_be_reached() {
    let sub_type = |kind: &str| format!("Bearer {}", jwt(&format!(r#"{{"sub_type":"{kind}"}}"#)));
    let get = || Request::get("/x");
    let auth = |value: String| get().with("Authorization", value);
    let dauth = jwt(r#"{"smart_contract_address":"a","network_name":"b","consumer_key":"c"}"#);
    let id = "11111111-2222-4333-8444-555555555555";
    let request = |kind: TokenType| match kind {
        TokenType::Anonymous => (Scheme::Cybrid, get()),
        TokenType::Malformed => (Scheme::Cybrid, auth("Bearer a.b.c".into())),
        TokenType::Unknown => (Scheme::Cybrid, auth("Bearer abc".into())),
        TokenType::Organization => (Scheme::Cybrid, auth(sub_type("organization"))),
        TokenType::Bank => (Scheme::Cybrid, auth(sub_type("bank"))),
        TokenType::Customer => (Scheme::Cybrid, auth(sub_type("customer"))),
        TokenType::ClientCredentials => (Scheme::Cybrid, Request::post("/oauth/token")),
        TokenType::DirectLogin => (Scheme::Obp, get().with("DirectLogin", "token=x")),
        TokenType::DirectLoginCredentials => (
            Scheme::Obp,
            get().with("DirectLogin", "username=u,password=p,consumer_key=k"),
        ),
        TokenType::OAuth1 => (
            Scheme::Obp,
            auth(
                "OAuth oauth_consumer_key=a,oauth_signature_method=b,oauth_timestamp=1,\
                 oauth_nonce=c,oauth_signature=d"
                    .into(),
            ),
        ),
        TokenType::OAuth2Bearer => (Scheme::Bearer, auth("Bearer abc".into())),
        TokenType::GatewayLogin => (
            Scheme::Obp,
            auth(format!("GatewayLogin token=\"{}\"", jwt("{}"))),
        ),
        TokenType::DAuth => (Scheme::Obp, get().with("DAuth", &dauth)),
        TokenType::ConsentJwt => (Scheme::Obp, get().with("Consent-JWT", jwt("{}"))),
        TokenType::ConsentId => (Scheme::Obp, get().with("Consent-Id", id)),
        TokenType::BerlinGroupConsent => (Scheme::Obp, get().with("Consent-ID", id)),
        TokenType::MtlsCert => (Scheme::Obp, get().with("PSD2-CERT", "pem")),
        TokenType::Basic => (Scheme::Bearer, auth(basic("u:p"))),
        TokenType::BasicClient => (
            Scheme::Obp,
            Request::post("/obp-oidc/token").with("Authorization", basic("u:p")),
        ),
        TokenType::SharedSecretQuery => (
            Scheme::Obp,
            Request::post("/obp_transactions_saver/api/transactions").query("secret=x"),
        ),
        TokenType::BrowserSession => (Scheme::Obp, get().with("Cookie", "JSESSIONID=x")),
        TokenType::WyreSignature => (
            Scheme::Wyre,
            get()
                .with("X-Api-Key", "k")
                .with("X-Api-Signature", "0".repeat(64)),
        ),
        TokenType::WyreSessionToken => (Scheme::Wyre, auth("Bearer x".into())),
        TokenType::WyreSessionMint => (Scheme::Wyre, Request::post("/v2/sessions/auth/key")),
    };
    for kind in TokenType::ALL {
        let (scheme, request) = request(*kind);
        assert_eq!(request.classify(scheme).token_type, *kind);
    }
}

#[test]
fn a_usual_request_has_a_sole_bearer_token() {
    for (scheme, expected) in [
        (Scheme::Cybrid, Some(&b"abc"[..])),
        (Scheme::Obp, Some(&b"abc"[..])),
        (Scheme::Bearer, Some(&b"abc"[..])),
        (Scheme::Wyre, None),
    ] {
        let request = || Request::get("/x").with("Authorization", "Bearer abc");
        assert_eq!(sole_bearer(scheme, &request().view()), expected);
        let two = request().with("authorization", "Bearer def");
        assert_eq!(sole_bearer(scheme, &two.view()), None);
        let basic = Request::get("/x").with("Authorization", basic("u:p"));
        assert_eq!(sole_bearer(scheme, &basic.view()), None);
    }
}

#[test]
fn no_headers_at_all_is_anonymous_everywhere() {
    for scheme in Scheme::ALL {
        let mut request = Request::get("");
        request.headers.clear();
        let found = request.classify(*scheme);
        assert_eq!(found.token_type, TokenType::Anonymous);
        assert!(found.present.is_empty() && found.fault.is_none());
    }
}

/// Paths at which some scheme reads more than elsewhere.
const PATHS: [&str; 7] = [
    "/api/customers",
    "/oauth/token",
    "/berlin-group/v1.3/accounts",
    "/my/logins/direct",
    "/obp-oidc/token",
    "/obp_transactions_saver/api/transactions",
    "/v2/sessions/auth/key",
];

/// A secret in every form that a credential can take.
fn dressed(secret: &str, form: usize) -> String {
    let list = format!(
        r#"username="{secret}", password="{secret}", consumer_key="{secret}", token="{secret}""#
    );
    match form % 9 {
        0 => format!("Bearer {secret}"),
        1 => basic(&format!("{secret}:{secret}")),
        2 => list,
        3 => format!("DirectLogin {list}"),
        4 => format!(
            "OAuth oauth_consumer_key=\"{secret}\", oauth_token=\"{secret}\", \
             oauth_signature=\"{secret}\""
        ),
        5 => format!("GatewayLogin token=\"{}\"", planted_jwt(secret)),
        6 => format!("Bearer {}", planted_jwt(secret)),
        7 => planted_jwt(secret),
        _ => secret.to_owned(),
    }
}

/// A JWT with the secret in every claim that is read, and in some that are not.
fn planted_jwt(secret: &str) -> String {
    let names = [
        "sub",
        "iss",
        "aud",
        "jti",
        "scope",
        "scp",
        "azp",
        "client_id",
        "consumer_key",
        "smart_contract_address",
        "network_name",
        "msg_sender",
        "login_user_name",
        "app_id",
        "cbs_id",
        "cbs_token",
        "createdByUserId",
        "email",
        "is_first",
        "exp",
        "sub_type",
    ];
    let claims = names
        .map(|name| format!("\"{name}\":\"{secret}\""))
        .join(",");
    jwt(&format!(
        "{{{claims},\"properties\":{{\"bank_guid\":\"{secret}\"}}}}"
    ))
}

/// Whether `text` has six characters in a row of `secret`.
fn shows(text: &str, secret: &str) -> bool {
    secret
        .as_bytes()
        .windows(6)
        .any(|part| text.as_bytes().windows(6).any(|it| it == part))
}

/// Headers in which providers send or expect credentials.
const HEADERS: &[&str] = &[
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "X-Api-Signature",
];

/// What OBP adds.
const OBP_HEADERS: &[&str] = &[
    "DirectLogin",
    "GatewayLogin",
    "DAuth",
    "Consent-JWT",
    "Consent-Id",
    "Consent-ID",
    "Consumer-Key",
    "PSD2-CERT",
    "TPP-Signature-Certificate",
    "Signature",
    "x-jws-signature",
    "Correlation-Id",
];

fn scheme_and_header() -> impl Strategy<Value = (Scheme, String)> {
    let pairs: Vec<(Scheme, String)> = Scheme::ALL
        .iter()
        .flat_map(|scheme| {
            let more = if *scheme == Scheme::Obp {
                OBP_HEADERS
            } else {
                &[]
            };
            let names = HEADERS.iter().chain(more);
            names.map(|name| (*scheme, (*name).to_owned()))
        })
        .collect();
    prop::sample::select(pairs)
}

proptest! {
    #[test]
    fn nothing_planted_shows(
        (scheme, name) in scheme_and_header(),
        secret in "[A-Z0-9]{12,40}",
        form in 0_usize..9,
        path in prop::sample::select(PATHS.to_vec()),
        twice in any::<bool>(),
    ) {
        let value = dressed(&secret, form);
        let mut request = Request::post(path)
            .query(&format!("secret={secret}&secretKey={secret}&access_token={secret}"))
            .with("Cookie", format!("JSESSIONID={secret}"))
            .with(&name, &value);
        if twice {
            request = request.with(&name.to_ascii_lowercase(), &value);
        }
        let found = request.classify(scheme);
        let printed = format!("{found:?}{found:#?}{:?}", found.fault.map(|it| it.to_string()));
        prop_assert!(!shows(&printed, &secret), "{}", printed);
        let basic = basic(&format!("{secret}:{secret}"));
        for encoded in [planted_jwt(&secret).as_str(), basic.trim_start_matches("Basic ")] {
            prop_assert!(!shows(&printed, encoded), "{}", printed);
        }
    }

    #[test]
    fn no_bytes_panic(
        (scheme, name) in scheme_and_header(),
        prefix in prop::sample::select(vec![
            "", "Bearer ", "Basic ", "OAuth ", "DirectLogin ", "GatewayLogin token=", "token=",
            "Bearer eyJ", "eyJhbGciOiJub25lIn0.", "JSESSIONID=",
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        query in "[a-zA-Z%&=0-9]{0,40}",
        path in prop::sample::select(PATHS.to_vec()),
        client_certificate in any::<bool>(),
    ) {
        let value = [prefix.as_bytes(), &noise].concat();
        let mut request = Request::post(path).query(&query).with(&name, value);
        request.client_certificate = client_certificate;
        let found = request.classify(scheme);
        let first_is_listed =
            found.present.first().is_none_or(|kind| {
                *kind == found.token_type || found.token_type == TokenType::Malformed
            });
        prop_assert!(first_is_listed);
        prop_assert_eq!(found.present.is_empty(), found.token_type == TokenType::Anonymous);
        prop_assert!(found.token_type != TokenType::Malformed || found.fault.is_some());
    }

    /// What [`sole_bearer`] promises: a request with that token and nothing else is the same.
    #[test]
    fn a_sole_bearer_token_decides_alone(
        (scheme, name) in scheme_and_header(),
        other_scheme in prop::sample::select(vec!["Bearer", "bearer", "Basic", "OAuth"]),
        token in prop::sample::select(vec![
            jwt(r#"{"sub_type":"bank","sub":"b"}"#),
            jwt(r#"{"sub":"OAuth"}"#),
            "abc".to_owned(), "abcOAuth".to_owned(), "a b".to_owned(), String::new(),
            "not.a.jwt".to_owned(), "eyJ".to_owned(), "x".repeat(17_000),
        ]),
        more in prop::option::of("[ -~]{0,20}"),
        query in prop::option::of(prop::sample::select(vec!["a=b", "access_token=x", "secret=x"])),
        path in prop::sample::select(PATHS.to_vec()),
        client_certificate in any::<bool>(),
    ) {
        let value = format!("{other_scheme} {token}");
        let mut request = Request::post(path).with("Authorization", &value);
        if let Some(more) = &more {
            request = request.with(&name, more);
        }
        request.query = query.map(str::to_owned);
        request.client_certificate = client_certificate;
        if let Some(sole) = sole_bearer(scheme, &request.view()) {
            let alone = Request::get("/x")
                .with("Authorization", [b"Bearer ", sole].concat());
            let (found, expected) = (request.classify(scheme), alone.classify(scheme));
            prop_assert_eq!(found.token_type, expected.token_type);
            prop_assert_eq!(&found.present, &expected.present);
            prop_assert_eq!(&found.claims, &expected.claims);
            prop_assert_eq!(found.fault, expected.fault);
            let bytes = found.material.as_ref().map(|it| it.expose());
            prop_assert_eq!(bytes, expected.material.as_ref().map(|it| it.expose()));
            prop_assert!(bytes.is_none_or(|bytes| bytes == sole));
        }
    }

    #[test]
    fn any_payload_is_read_or_refused(payload in "[ -~]{0,80}", scheme_index in 0_usize..4) {
        let scheme = Scheme::ALL[scheme_index];
        let token = jwt(&format!("{{{payload}}}"));
        let request = Request::get("/x").with("Authorization", format!("Bearer {token}"));
        let found = request.classify(scheme);
        let material = found.material.unwrap();
        prop_assert_eq!(material.expose(), token.as_bytes());
    }
}
