//! Cybrid: `Authorization: Bearer` with a JWT whose `sub_type` is the kind of token.

use super::authorization::{add_all, basic, sole, split, token, unknown};
use crate::domain::credential::claims::Dialect;
use crate::domain::credential::jwt::{self, Token};
use crate::domain::credential::request::Values;
use crate::domain::credential::verdict::{Credential, Verdict};
use crate::domain::credential::{Classification, MaterialKind, RequestView};
use crate::types::{CredentialFault, TokenType};

pub(super) fn classify<'a>(request: &RequestView<'a>) -> Classification<'a> {
    let mut authorization = Values::default();
    request.headers.visit(&mut |name, value| {
        if name.eq_ignore_ascii_case(b"authorization") {
            authorization.push(value);
        }
    });
    let mints = mints(request);
    let mut verdict = Verdict::default();
    add_all(&mut verdict, &authorization, |value| {
        let (scheme, rest) = split(value);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            bearer(rest)
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            basic(
                if mints {
                    TokenType::ClientCredentials
                } else {
                    TokenType::Basic
                },
                rest,
            )
        } else {
            unknown(value)
        }
    });
    if verdict.is_empty() && mints {
        // The client id and secret are in the body, which is not ours to read.
        verdict.add(Credential::new(TokenType::ClientCredentials, None));
    }
    verdict.finish()
}

/// The bearer token of a request with one `Authorization`: nothing else is looked at then.
pub(super) fn sole_bearer<'a>(request: &RequestView<'a>) -> Option<&'a [u8]> {
    let mut authorization = Values::default();
    request.headers.visit(&mut |name, value| {
        if name.eq_ignore_ascii_case(b"authorization") {
            authorization.push(value);
        }
    });
    sole(&authorization)
}

/// Whether this is a token endpoint; the second one is named by the security guide only.
fn mints(request: &RequestView<'_>) -> bool {
    request.method == "POST"
        && (request.path_is("/oauth/token") || request.path_is("/oauth/customer_token"))
}

fn bearer(value: &[u8]) -> Credential<'_> {
    let mut credential = token(TokenType::Unknown, MaterialKind::Token, value);
    if credential.fault.is_some() {
        credential.kind = TokenType::Malformed;
        return credential;
    }
    match jwt::read(value, Dialect::Cybrid) {
        Token::Opaque | Token::Encrypted => {}
        Token::ThreeParts | Token::Broken => {
            credential.kind = TokenType::Malformed;
            credential.fault = Some(CredentialFault::NotAJwt);
        }
        token => {
            (credential.claims, credential.fault) = token.into_parts();
            credential.kind = match credential.claims.as_ref().and_then(|it| it.sub_type) {
                Some("organization") => TokenType::Organization,
                Some("bank") => TokenType::Bank,
                Some("customer") => TokenType::Customer,
                _ => TokenType::Unknown,
            };
        }
    }
    credential
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credential::testing::{Request, bad, basic, check, good, jwt, subjects};
    use crate::domain::credential::{MAX_CLAIMS, MAX_VALUE, Scheme, TokenId};
    use crate::types::{Micros, SubjectKind};

    const PATH: &str = "/api/customers";

    fn token(sub_type: &str) -> String {
        jwt(&format!(
            r#"{{"iss":"https://id.sandbox.cybrid.app","aud":["https://bank.sandbox.cybrid.app"],
            "sub":"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e","sub_type":{sub_type},
            "scope":["customers:read","customers:write"],"iat":1795305338,"exp":1795307138,
            "jti":"11111111-2222-4333-8444-555555555555","token_type":"access",
            "properties":{{"bank_guid":"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b","bank_type":"sandbox"}}}}"#
        ))
    }

    fn bearer(token: &str) -> Request {
        Request::get(PATH).with("Authorization", format!("Bearer {token}"))
    }

    #[test]
    fn the_sub_type_is_the_token_type() {
        let kinds = [
            ("\"organization\"", TokenType::Organization),
            ("\"bank\"", TokenType::Bank),
            ("\"customer\"", TokenType::Customer),
            ("\"internal\"", TokenType::Unknown),
            ("\"Bank\"", TokenType::Unknown),
            ("null", TokenType::Unknown),
            ("[\"bank\"]", TokenType::Unknown),
        ];
        for (sub_type, kind) in kinds {
            let token = token(sub_type);
            check(
                Scheme::Cybrid,
                &[good("sub_type", bearer(&token), kind, &token)],
            );
        }
    }

    #[test]
    fn credentials_are_told_by_carrier_and_path() {
        let customer = token("\"customer\"");
        // One blank more, and the payload's length is no multiple of three.
        let uneven = token("\"customer\" ");
        let payload = uneven.split('.').nth(1).unwrap();
        let padding = "=".repeat((4 - payload.len() % 4) % 4);
        let padded = uneven.replace(payload, &format!("{payload}{padding}"));
        assert_ne!(padding, "");
        check(
            Scheme::Cybrid,
            &[
                good("nothing", Request::get(PATH), TokenType::Anonymous, ""),
                good(
                    "opaque",
                    bearer("s3cr3t-opaque"),
                    TokenType::Unknown,
                    "s3cr3t-opaque",
                ),
                good(
                    "encrypted",
                    bearer("eyJh.b.c.d.e"),
                    TokenType::Unknown,
                    "eyJh.b.c.d.e",
                ),
                good("padding", bearer(&padded), TokenType::Customer, &padded),
                good(
                    "case and blanks",
                    Request::get(PATH).with("AUTHORIZATION", format!("  bearer   {customer} ")),
                    TokenType::Customer,
                    &customer,
                ),
                good(
                    "mint",
                    Request::post("/oauth/token"),
                    TokenType::ClientCredentials,
                    "",
                ),
                good(
                    "second mint",
                    Request::post("/oauth/customer_token"),
                    TokenType::ClientCredentials,
                    "",
                ),
                good(
                    "mint with a bank token",
                    Request::post("/oauth/customer_token")
                        .with("Authorization", format!("Bearer {}", token("\"bank\""))),
                    TokenType::Bank,
                    &token("\"bank\""),
                ),
                good(
                    "mint with Basic",
                    Request::post("/oauth/token").with("Authorization", basic("client-1:pw")),
                    TokenType::ClientCredentials,
                    "client-1",
                ),
                good(
                    "not a mint",
                    Request::get("/oauth/token"),
                    TokenType::Anonymous,
                    "",
                ),
                good(
                    "Basic",
                    Request::get(PATH).with("Authorization", basic("client-1:pw")),
                    TokenType::Basic,
                    "client-1",
                ),
                good(
                    "other scheme",
                    Request::get(PATH).with("Authorization", "Digest abc"),
                    TokenType::Unknown,
                    "abc",
                ),
            ],
        );
    }

    #[test]
    fn faults_are_named() {
        let long = "x".repeat(MAX_VALUE + 1);
        let cut = token("\"bank\"").get(..60).unwrap().to_owned();
        let odd = jwt("[1]");
        let unsigned = format!("{}.", token("\"bank\"").rsplit_once('.').unwrap().0);
        let malformed = TokenType::Malformed;
        let faulty = CredentialFault::NotAJwt;
        check(
            Scheme::Cybrid,
            &[
                bad(
                    "three parts",
                    bearer("not.a.jwt"),
                    malformed,
                    "not.a.jwt",
                    faulty,
                ),
                bad("cut off", bearer(&cut), malformed, &cut, faulty),
                bad("no object", bearer(&odd), malformed, &odd, faulty),
                bad(
                    "unsigned",
                    bearer(&unsigned),
                    TokenType::Bank,
                    &unsigned,
                    CredentialFault::UnsignedJwt,
                ),
                bad(
                    "empty token",
                    bearer(""),
                    malformed,
                    "",
                    CredentialFault::Empty,
                ),
                bad(
                    "empty header",
                    Request::get(PATH).with("Authorization", ""),
                    malformed,
                    "",
                    CredentialFault::Empty,
                ),
                bad(
                    "long",
                    bearer(&long),
                    malformed,
                    "",
                    CredentialFault::TooLong,
                ),
                bad(
                    "blank inside",
                    bearer("a b"),
                    malformed,
                    "",
                    CredentialFault::BadCharacters,
                ),
                bad(
                    "not UTF-8",
                    Request::get(PATH).with("Authorization", b"Bearer \xff\xfe"),
                    malformed,
                    "",
                    CredentialFault::BadCharacters,
                ),
                bad(
                    "bad Basic",
                    Request::get(PATH).with("Authorization", "Basic !"),
                    TokenType::Basic,
                    "",
                    CredentialFault::BadBasic,
                ),
            ],
        );
    }

    #[test]
    fn two_headers_are_malformed_and_both_listed() {
        let (bank, customer) = (token("\"bank\""), token("\"customer\""));
        let request = bearer(&bank).with("authorization", format!("Bearer {customer}"));
        let found = request.classify(Scheme::Cybrid);
        assert_eq!(found.token_type, TokenType::Malformed);
        assert_eq!(
            found.present.as_slice(),
            [TokenType::Bank, TokenType::Customer]
        );
        assert_eq!(found.fault, Some(CredentialFault::TwoAuthorizationHeaders));
        assert_eq!(found.material.unwrap().expose(), bank.as_bytes());
    }

    #[test]
    fn claims_of_a_customer_token() {
        let request = bearer(&token("\"customer\""));
        let found = request.classify(Scheme::Cybrid);
        assert_eq!(
            subjects(&found),
            [
                (SubjectKind::Customer, "0e".repeat(16)),
                (SubjectKind::Bank, "0b".repeat(16)),
            ]
        );
        let claims = found.claims.unwrap();
        let scopes: Vec<&str> = claims.scopes.iter().collect();
        assert_eq!(scopes, ["customers:read", "customers:write"]);
        assert_eq!(
            claims.issuer.as_deref(),
            Some("https://id.sandbox.cybrid.app")
        );
        assert_eq!(claims.issued_at, Some(Micros::from_secs(1_795_305_338)));
        assert_eq!(claims.expires_at, Some(Micros::from_secs(1_795_307_138)));
        assert!(matches!(claims.token_id, Some(TokenId::Uuid(_))));
        assert_eq!(claims.audiences.iter().count(), 1);
    }

    #[test]
    fn claims_of_odd_types_are_left_out_one_by_one() {
        let token = jwt(
            r#"{"sub":7,"sub_type":"bank","scope":{"a":1},"exp":"soon","iat":1e999,"iss":["x"],
            "jti":"0123456789abcdef0123456789abcdef","properties":"none","aud":[1,"a"]}"#,
        );
        let request = bearer(&token);
        let found = request.classify(Scheme::Cybrid);
        assert_eq!((found.token_type, found.fault), (TokenType::Bank, None));
        let claims = found.claims.unwrap();
        assert!(claims.scopes.is_empty() && claims.subjects.is_empty());
        assert_eq!(
            (claims.expires_at, claims.issued_at, claims.issuer),
            (None, None, None)
        );
        assert!(matches!(claims.token_id, Some(TokenId::Hidden(_))));
        assert_eq!(claims.audiences.iter().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn claims_too_long_to_read_leave_the_kind_unknown() {
        let token = jwt(&format!(
            r#"{{"sub_type":"bank","x":"{}"}}"#,
            "y".repeat(MAX_CLAIMS)
        ));
        let request = bearer(&token);
        let found = request.classify(Scheme::Cybrid);
        assert_eq!(found.token_type, TokenType::Unknown);
        assert_eq!(found.fault, Some(CredentialFault::ClaimsTooLong));
    }
}
