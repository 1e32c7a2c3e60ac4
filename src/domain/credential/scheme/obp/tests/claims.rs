//! What OBP's tokens claim, and which of it is kept.

use super::*;
use crate::domain::credential::testing::subjects;
use crate::domain::credential::{MAX_CLAIMS, TokenId};
use crate::types::SubjectKind;

#[test]
fn claims_of_dauth_and_gateway_login() {
    let request = get().with("DAuth", dauth());
    let found = request.classify(Scheme::Obp);
    assert_eq!(
        subjects(&found),
        [
            (SubjectKind::Contract, "0xcontract".to_owned()),
            (SubjectKind::Consumer, "ck-1".to_owned()),
            (SubjectKind::User, "0xsender".to_owned()),
        ]
    );
    assert_eq!(found.claims.unwrap().network.as_deref(), Some("ETHEREUM"));

    let request = authorization(format!("GatewayLogin token={}", gateway()));
    let found = request.classify(Scheme::Obp);
    assert_eq!(
        subjects(&found),
        [
            (SubjectKind::User, "dora.demo".to_owned()),
            (SubjectKind::Consumer, "app-1".to_owned()),
            (SubjectKind::Customer, "cbs-1".to_owned()),
        ]
    );
    assert_eq!(found.claims.unwrap().is_first, Some(true));
}

#[test]
fn a_consent_names_its_giver_first_and_hides_its_id() {
    let request = get()
        .with("Consent-JWT", consent())
        .with("Consumer-Key", "ck-1");
    let found = request.classify(Scheme::Obp);
    assert_eq!(
        subjects(&found),
        [
            (SubjectKind::User, "u-1".to_owned()),
            (SubjectKind::Consumer, "c-1".to_owned()),
            (SubjectKind::User, "cu-1".to_owned()),
            (SubjectKind::Consumer, "ck-1".to_owned()),
        ]
    );
    let claims = found.claims.unwrap();
    // The id alone opens what the consent opens, so it is a secret although it is a UUID.
    let Some(TokenId::Hidden(id)) = claims.token_id else {
        panic!("the id shows")
    };
    assert_eq!(id.expose(), ID);
    assert!(claims.audiences.is_empty());
}

#[test]
fn a_direct_login_token_has_no_claims_and_its_mint_names_the_user() {
    let request = get().with("DirectLogin", format!("token={DIRECT}"));
    assert!(request.classify(Scheme::Obp).claims.is_none());

    let value = "username=\"dora\", password=\"p\", consumer_key=\"ck\"";
    let request = Request::post("/my/logins/direct").with("DirectLogin", value);
    assert_eq!(
        subjects(&request.classify(Scheme::Obp)),
        [
            (SubjectKind::User, "dora".to_owned()),
            (SubjectKind::Consumer, "ck".to_owned())
        ]
    );
}

#[test]
fn a_consent_with_very_many_views_is_still_a_consent() {
    let token = jwt(&format!(
        r#"{{"jti":"{ID}","views":"{}"}}"#,
        "v".repeat(MAX_CLAIMS)
    ));
    let request = get().with("Consent-JWT", &token);
    let found = request.classify(Scheme::Obp);
    assert_eq!(found.token_type, TokenType::ConsentJwt);
    assert_eq!(found.fault, Some(CredentialFault::ClaimsTooLong));
    assert!(found.claims.is_none());
}
