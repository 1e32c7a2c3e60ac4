//! Table tests of OBP's carriers and their order.

mod claims;

use crate::domain::credential::testing::{Case, Request, bad, basic, check, good, jwt};
use crate::domain::credential::{MAX_VALUE, Scheme};
use crate::types::{CredentialFault, TokenType};

const ID: &str = "11111111-2222-4333-8444-555555555555";
/// What every DirectLogin token looks like.
const DIRECT: &str = "eyJhbGciOiJIUzI1NiJ9.eyIiOiIifQ.Zm9yLWRvY3VtZW50YXRpb24";
const OAUTH: &str = r#"OAuth oauth_consumer_key="ck-1", oauth_token="ab%63", oauth_signature_method="HMAC-SHA256", oauth_timestamp="1700000000", oauth_nonce="n1", oauth_version="1.0", oauth_signature="c2ln%3D""#;

fn get() -> Request {
    Request::get("/obp/v5.1.0/users/current")
}

fn authorization(value: impl AsRef<[u8]>) -> Request {
    get().with("Authorization", value)
}

fn dauth() -> String {
    jwt(
        r#"{"smart_contract_address":"0xcontract","network_name":"ETHEREUM",
        "consumer_key":"ck-1","msg_sender":"0xsender","request_id":"r"}"#,
    )
}

fn gateway() -> String {
    jwt(
        r#"{"login_user_name":"dora.demo","is_first":"true","app_id":"app-1","app_name":"n",
        "time_stamp":"t","cbs_token":"core-bank-secret","cbs_id":"cbs-1","session_id":"s"}"#,
    )
}

fn consent() -> String {
    jwt(&format!(
        r#"{{"createdByUserId":"u-1","sub":"cu-1","iss":"https://obp.test","aud":"c-1","jti":"{ID}",
        "iat":1,"exp":2,"name":"Dora","email":"dora@example.invalid","views":[{{"bank_id":"b"}}]}}"#
    ))
}

#[test]
fn every_carrier_is_known() {
    let (dauth, gateway, consent, token) = (dauth(), gateway(), consent(), jwt(r#"{"sub":"u"}"#));
    let direct = TokenType::DirectLogin;
    let mint = || Request::post("/my/logins/direct");
    let saver = || Request::post("/obp_transactions_saver/api/transactions");
    let cases: Vec<Case> = vec![
        good("nothing", get(), TokenType::Anonymous, ""),
        good(
            "header",
            get().with("DirectLogin", format!("token={DIRECT}")),
            direct,
            DIRECT,
        ),
        good(
            "lower case",
            get().with("directlogin", format!("token=\"{DIRECT}\"")),
            direct,
            DIRECT,
        ),
        good(
            "old form",
            authorization(format!("DirectLogin token=\"{DIRECT}\"")),
            direct,
            DIRECT,
        ),
        good(
            "DirectLogin mint",
            mint().with(
                "DirectLogin",
                r#"username="dora", password="a,token=b", consumer_key="ck""#,
            ),
            TokenType::DirectLoginCredentials,
            "ck",
        ),
        good(
            "DirectLogin mint without quotes",
            mint().with(
                "Authorization",
                "DirectLogin username=dora,password=p,q,consumer_key=ck",
            ),
            TokenType::DirectLoginCredentials,
            "ck",
        ),
        good("OAuth 1.0a", authorization(OAUTH), TokenType::OAuth1, "abc"),
        good(
            "OAuth 1.0a mint",
            authorization(OAUTH.replace("oauth_token", "oauth_callback")),
            TokenType::OAuth1,
            "ck-1",
        ),
        good(
            "Hydra",
            authorization("Bearer ory_at_x.y"),
            TokenType::OAuth2Bearer,
            "ory_at_x.y",
        ),
        good(
            "OIDC",
            authorization(format!("Bearer {token}")),
            TokenType::OAuth2Bearer,
            &token,
        ),
        good(
            "GatewayLogin",
            authorization(format!("GatewayLogin token=\"{gateway}\"")),
            TokenType::GatewayLogin,
            &gateway,
        ),
        good(
            "DAuth",
            get().with("DAuth", &dauth),
            TokenType::DAuth,
            &dauth,
        ),
        good(
            "consent",
            get().with("Consent-JWT", &consent),
            TokenType::ConsentJwt,
            &consent,
        ),
        good(
            "JWT by id",
            get().with("Consent-Id", &consent),
            TokenType::ConsentJwt,
            &consent,
        ),
        good(
            "consent id",
            get().with("Consent-Id", ID),
            TokenType::ConsentId,
            ID,
        ),
        good(
            "certificate",
            get().with_certificate(),
            TokenType::MtlsCert,
            "",
        ),
        good(
            "PEM",
            get()
                .with_certificate()
                .with("PSD2-CERT", "-----BEGIN CERTIFICATE-----"),
            TokenType::MtlsCert,
            "-----BEGIN CERTIFICATE-----",
        ),
        good(
            "Basic",
            authorization(basic("dora:p")),
            TokenType::Basic,
            "dora",
        ),
        good(
            "other scheme",
            authorization("Digest x"),
            TokenType::Unknown,
            "x",
        ),
        good(
            "OIDC client by Basic",
            Request::post("/obp-oidc/token").with("Authorization", basic("client-1:secret")),
            TokenType::BasicClient,
            "client-1",
        ),
        good(
            "OIDC client by form",
            Request::post("/obp-oidc/token"),
            TokenType::ClientCredentials,
            "",
        ),
        good(
            "importer",
            saver().query("secret=s%31"),
            TokenType::SharedSecretQuery,
            "s1",
        ),
        good(
            "importer without",
            saver().query("a=1"),
            TokenType::Anonymous,
            "",
        ),
        good(
            "elsewhere",
            get().query("secret=s1"),
            TokenType::Anonymous,
            "",
        ),
        good(
            "session",
            get().with("Cookie", "a=1; JSESSIONID=node0abc; b=2"),
            TokenType::BrowserSession,
            "node0abc",
        ),
        good(
            "other cookie",
            get().with("Cookie", "XJSESSIONID=1"),
            TokenType::Anonymous,
            "",
        ),
    ];
    check(Scheme::Obp, &cases);
}

#[test]
fn the_two_consent_ids_differ_by_case_and_else_by_path() {
    let berlin = || Request::get("/berlin-group/v1.3/accounts");
    let (obp_kind, berlin_kind) = (TokenType::ConsentId, TokenType::BerlinGroupConsent);
    check(
        Scheme::Obp,
        &[
            good("ID", get().with("Consent-ID", ID), berlin_kind, ID),
            good("Id", berlin().with("Consent-Id", ID), obp_kind, ID),
            good(
                "lower, Berlin Group",
                berlin().with("consent-id", ID),
                berlin_kind,
                ID,
            ),
            good("lower, OBP", get().with("consent-id", ID), obp_kind, ID),
            good(
                "upper, Berlin Group",
                berlin().with("CONSENT-ID", "any"),
                berlin_kind,
                "any",
            ),
        ],
    );
}

#[test]
fn obp_takes_the_first_in_its_order() {
    let (dauth, gateway, consent) = (dauth(), gateway(), consent());
    let in_order: [(TokenType, &str, String); 8] = [
        (TokenType::BerlinGroupConsent, "Consent-ID", ID.to_owned()),
        (TokenType::ConsentJwt, "Consent-JWT", consent),
        (TokenType::OAuth1, "Authorization", OAUTH.to_owned()),
        (
            TokenType::OAuth2Bearer,
            "Authorization",
            "Bearer opaque".to_owned(),
        ),
        (
            TokenType::DirectLogin,
            "DirectLogin",
            format!("token={DIRECT}"),
        ),
        (
            TokenType::GatewayLogin,
            "Authorization",
            format!("GatewayLogin token={gateway}"),
        ),
        (TokenType::DAuth, "DAuth", dauth),
        (TokenType::Basic, "Authorization", basic("u:p")),
    ];
    for (index, (first, name, value)) in in_order.iter().enumerate() {
        for (second, other_name, other_value) in in_order.iter().skip(index + 1) {
            if name == other_name {
                continue;
            }
            // Sent in the opposite order, with a cookie and a certificate, which come last.
            let request = get()
                .with("Cookie", "JSESSIONID=x")
                .with(other_name, other_value)
                .with(name, value)
                .with_certificate();
            let found = request.classify(Scheme::Obp);
            assert_eq!(found.token_type, *first, "{first} before {second}");
            let all = [
                *first,
                *second,
                TokenType::MtlsCert,
                TokenType::BrowserSession,
            ];
            assert_eq!(found.present.as_slice(), all, "{first} before {second}");
        }
    }
}

#[test]
fn obp_looks_for_words_anywhere_in_authorization() {
    // A password that contains a word of another scheme.
    let value = r#"DirectLogin username="d", password="my Bearer", consumer_key="ck""#;
    let request = authorization(value);
    let found = request.classify(Scheme::Obp);
    assert_eq!(found.token_type, TokenType::Malformed);
    let expected = [TokenType::OAuth2Bearer, TokenType::DirectLoginCredentials];
    assert_eq!(found.present.as_slice(), expected);
    assert!(found.material.is_none());

    // The scheme in another case: older servers refuse it, late ones do not.
    let request = authorization("bearer opaque");
    let found = request.classify(Scheme::Obp);
    assert_eq!(found.token_type, TokenType::OAuth2Bearer);
    assert_eq!(found.fault, Some(CredentialFault::SchemeCase));
}

#[test]
fn token_and_password_together_are_read_by_path() {
    let value = format!("token={DIRECT}, username=d, password=p, consumer_key=ck");
    let (by_token, by_password) = (TokenType::DirectLogin, TokenType::DirectLoginCredentials);
    for (path, expected) in [
        ("/obp/v5.1.0/banks", [by_token, by_password]),
        ("/my/logins/direct", [by_password, by_token]),
        ("/obp/v6.0.0/my/logins/direct", [by_password, by_token]),
    ] {
        let request = Request::post(path).with("DirectLogin", &value);
        let found = request.classify(Scheme::Obp);
        assert_eq!(found.present.as_slice(), expected, "{path}");
        assert_eq!(found.token_type, expected[0], "{path}");
    }
}

#[test]
fn faults_are_named() {
    use CredentialFault as Fault;
    let long = "x".repeat(MAX_VALUE + 1);
    let incomplete = jwt(r#"{"smart_contract_address":"0x","network_name":"E"}"#);
    let (direct, dauth) = (TokenType::DirectLogin, TokenType::DAuth);
    let mint = TokenType::DirectLoginCredentials;
    let no_signature = OAUTH.replace("oauth_signature=", "x=");
    let missing = Fault::MissingParameters;
    let cases = [
        bad(
            "empty",
            authorization(""),
            TokenType::Malformed,
            "",
            Fault::Empty,
        ),
        bad(
            "empty DAuth",
            get().with("DAuth", ""),
            dauth,
            "",
            Fault::Empty,
        ),
        bad(
            "empty DirectLogin",
            get().with("DirectLogin", " "),
            direct,
            "",
            Fault::Empty,
        ),
        bad(
            "empty token",
            get().with("DirectLogin", "token="),
            direct,
            "",
            Fault::Empty,
        ),
        bad(
            "no parameters",
            get().with("DirectLogin", DIRECT),
            direct,
            "",
            missing,
        ),
        bad(
            "no password",
            get().with("DirectLogin", "username=d,consumer_key=k"),
            mint,
            "k",
            missing,
        ),
        bad(
            "long DirectLogin",
            get().with("DirectLogin", &long),
            direct,
            "",
            Fault::TooLong,
        ),
        bad(
            "long bearer",
            authorization(format!("Bearer {long}")),
            TokenType::OAuth2Bearer,
            "",
            Fault::TooLong,
        ),
        bad(
            "opaque DAuth",
            get().with("DAuth", "abc"),
            dauth,
            "abc",
            Fault::NotAJwt,
        ),
        bad(
            "claims",
            get().with("DAuth", &incomplete),
            dauth,
            &incomplete,
            Fault::MissingClaims,
        ),
        bad(
            "gateway",
            authorization("GatewayLogin token=x"),
            TokenType::GatewayLogin,
            "x",
            Fault::NotAJwt,
        ),
        bad(
            "bare gateway",
            authorization("GatewayLogin"),
            TokenType::GatewayLogin,
            "",
            Fault::Empty,
        ),
        bad(
            "OAuth",
            authorization(no_signature),
            TokenType::OAuth1,
            "abc",
            missing,
        ),
        bad(
            "consent id",
            get().with("Consent-Id", "7"),
            TokenType::ConsentId,
            "7",
            Fault::NotAConsentId,
        ),
        bad(
            "not UTF-8",
            get().with("DAuth", b"\xff.\xfe.x"),
            dauth,
            "",
            Fault::BadCharacters,
        ),
        bad(
            "Basic",
            authorization("Basic !"),
            TokenType::Basic,
            "",
            Fault::BadBasic,
        ),
        bad(
            "two DirectLogin",
            get()
                .with("DirectLogin", "token=a")
                .with("directlogin", "token=b"),
            direct,
            "a",
            Fault::RepeatedHeader,
        ),
        bad(
            "two secrets",
            Request::post("/obp_transactions_saver/api/transactions").query("secret=a&secret=b"),
            TokenType::SharedSecretQuery,
            "a",
            Fault::RepeatedParameter,
        ),
        bad(
            "empty session",
            get().with("Cookie", "JSESSIONID="),
            TokenType::BrowserSession,
            "",
            Fault::Empty,
        ),
    ];
    check(Scheme::Obp, &cases);
}

#[test]
fn two_authorization_headers_are_malformed_whatever_outranks_them() {
    let request = authorization("Bearer opaque")
        .with("authorization", basic("u:p"))
        .with("DirectLogin", format!("token={DIRECT}"));
    let found = request.classify(Scheme::Obp);
    assert_eq!(found.token_type, TokenType::Malformed);
    assert_eq!(
        found.present.as_slice(),
        [
            TokenType::OAuth2Bearer,
            TokenType::DirectLogin,
            TokenType::Basic
        ]
    );
    assert_eq!(found.fault, Some(CredentialFault::TwoAuthorizationHeaders));
}

#[test]
fn two_kinds_of_consent_are_noted_but_the_first_counts() {
    let request = get().with("Consent-Id", ID).with("Consent-JWT", consent());
    let found = request.classify(Scheme::Obp);
    assert_eq!(found.token_type, TokenType::ConsentJwt);
    assert_eq!(
        found.present.as_slice(),
        [TokenType::ConsentJwt, TokenType::ConsentId]
    );
    assert_eq!(found.fault, Some(CredentialFault::TwoConsentHeaders));
}

#[test]
fn a_later_fault_shows_without_making_the_first_malformed() {
    let request = get()
        .with("DirectLogin", format!("token={DIRECT}"))
        .with("DAuth", "x");
    let found = request.classify(Scheme::Obp);
    assert_eq!(found.token_type, TokenType::DirectLogin);
    assert_eq!(found.fault, Some(CredentialFault::NotAJwt));
}
