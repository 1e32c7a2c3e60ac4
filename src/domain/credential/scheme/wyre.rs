//! Wyre: API key with signature, or a bearer session token that is also the signing secret.
//!
//! Keys and secrets have no dependable prefix, so the carrier alone decides.

use super::authorization::{add_all, basic, refuse, split, token, unknown};
use crate::domain::credential::request::Values;
use crate::domain::credential::verdict::{Credential, Verdict};
use crate::domain::credential::{
    Classification, MAX_VALUE, Material, MaterialKind, RequestView, decode,
};
use crate::types::{CredentialFault, TokenType};

/// Hexadecimal digits of HMAC-SHA256.
const SIGNATURE_LENGTH: usize = 64;

pub(super) fn classify<'a>(request: &RequestView<'a>) -> Classification<'a> {
    let (mut authorization, mut keys, mut signatures) =
        (Values::default(), Values::default(), Values::default());
    request.headers.visit(&mut |name, value| {
        if name.eq_ignore_ascii_case(b"authorization") {
            authorization.push(value);
        } else if name.eq_ignore_ascii_case(b"x-api-key") {
            keys.push(value);
        } else if name.eq_ignore_ascii_case(b"x-api-signature") {
            signatures.push(value);
        }
    });
    let mut verdict = Verdict::default();
    if request.path_ends_with("/sessions/auth/key") {
        verdict.add(mint(request.query));
    }
    if let Some(credential) = signature(keys.first(), signatures.first()) {
        verdict.add(credential);
    }
    add_all(&mut verdict, &authorization, |value| {
        let (scheme, rest) = split(value);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            // A client-made random string: never a JWT, so nothing in it is read.
            token(TokenType::WyreSessionToken, MaterialKind::Token, rest)
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            basic(TokenType::Basic, rest)
        } else {
            unknown(value)
        }
    });
    verdict.fault_if(
        keys.is_repeated() || signatures.is_repeated(),
        CredentialFault::RepeatedHeader,
    );
    verdict.finish()
}

/// The call that hands in the secret key, in the query or (unseen) in the body. The key is taken
/// as a token because later calls send the same string as their bearer token.
fn mint(query: Option<&str>) -> Credential<'_> {
    let kind = TokenType::WyreSessionMint;
    let Some(query) = query else {
        return Credential::new(kind, None);
    };
    if query.len() > MAX_VALUE {
        return Credential::faulty(kind, CredentialFault::TooLong);
    }
    let Some((secret, repeated)) = decode::query_parameter(query, "secretKey") else {
        return Credential::new(kind, None);
    };
    if secret.is_empty() {
        return Credential::faulty(kind, CredentialFault::Empty);
    }
    let credential = Credential::new(kind, Material::new(MaterialKind::Token, secret));
    if repeated {
        credential.with_fault(CredentialFault::RepeatedParameter)
    } else {
        credential
    }
}

/// Key and signature; the key, an identifier, stands for both.
fn signature<'a>(key: Option<&'a [u8]>, signature: Option<&'a [u8]>) -> Option<Credential<'a>> {
    let kind = TokenType::WyreSignature;
    let (key, signature) = match (key, signature) {
        (None, None) => return None,
        (Some(key), None) => {
            let mut credential = token(kind, MaterialKind::ApiKey, key);
            credential.fault = Some(CredentialFault::KeyWithoutSignature);
            return Some(credential);
        }
        (None, Some(_)) => {
            return Some(Credential::faulty(
                kind,
                CredentialFault::SignatureWithoutKey,
            ));
        }
        (Some(key), Some(signature)) => (key, signature),
    };
    let credential = token(kind, MaterialKind::ApiKey, key);
    let well_formed =
        signature.len() == SIGNATURE_LENGTH && signature.iter().all(u8::is_ascii_hexdigit);
    Some(match refuse(signature) {
        Some(fault) => credential.with_fault(fault),
        None if !well_formed => credential.with_fault(CredentialFault::BadSignature),
        None => credential,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credential::Scheme;
    use crate::domain::credential::testing::{Request, bad, basic, check, good};

    const MINT: &str = "/v2/sessions/auth/key";
    const KEY: &str = "AK-DEMO-DEMO-0001";

    fn signed() -> Request {
        Request::get("/v3/accounts/AC_TESTTEST01")
            .query("timestamp=1700000000000")
            .with("X-Api-Key", KEY)
            .with("x-api-signature", "df".repeat(32))
    }

    #[test]
    fn the_carrier_decides() {
        let get = || Request::get("/v3/rates");
        check(
            Scheme::Wyre,
            &[
                good("nothing", get(), TokenType::Anonymous, ""),
                good("signature", signed(), TokenType::WyreSignature, KEY),
                good(
                    "session",
                    get().with("Authorization", "Bearer q7m2v9d4k1x8"),
                    TokenType::WyreSessionToken,
                    "q7m2v9d4k1x8",
                ),
                good(
                    "mint, key in the body",
                    Request::post(MINT),
                    TokenType::WyreSessionMint,
                    "",
                ),
                good(
                    "mint, key in the query",
                    Request::post(MINT).query("a=1&secretKey=q7m2%76"),
                    TokenType::WyreSessionMint,
                    "q7m2v",
                ),
                good(
                    "Basic",
                    get().with("Authorization", basic("u:p")),
                    TokenType::Basic,
                    "u",
                ),
                good(
                    "other",
                    get().with("Authorization", "MAC x"),
                    TokenType::Unknown,
                    "x",
                ),
            ],
        );
    }

    #[test]
    fn faults_are_named() {
        let get = || Request::get("/v3/rates");
        let kind = TokenType::WyreSignature;
        let signature = "df".repeat(32);
        let key_only = CredentialFault::KeyWithoutSignature;
        let mint = TokenType::WyreSessionMint;
        check(
            Scheme::Wyre,
            &[
                bad(
                    "no signature",
                    get().with("X-Api-Key", KEY),
                    kind,
                    KEY,
                    key_only,
                ),
                bad(
                    "no key",
                    get().with("X-Api-Signature", &signature),
                    kind,
                    "",
                    CredentialFault::SignatureWithoutKey,
                ),
                bad(
                    "short signature",
                    get().with("X-Api-Key", KEY).with("X-Api-Signature", "df"),
                    kind,
                    KEY,
                    CredentialFault::BadSignature,
                ),
                bad(
                    "empty key",
                    get()
                        .with("X-Api-Key", "")
                        .with("X-Api-Signature", &signature),
                    kind,
                    "",
                    CredentialFault::Empty,
                ),
                bad(
                    "two keys",
                    signed().with("X-Api-Key", "other"),
                    kind,
                    KEY,
                    CredentialFault::RepeatedHeader,
                ),
                bad(
                    "empty session token",
                    get().with("Authorization", "Bearer "),
                    TokenType::WyreSessionToken,
                    "",
                    CredentialFault::Empty,
                ),
                bad(
                    "two secrets",
                    Request::post(MINT).query("secretKey=a&secretKey=b"),
                    mint,
                    "a",
                    CredentialFault::RepeatedParameter,
                ),
                bad(
                    "empty secret",
                    Request::post(MINT).query("secretKey="),
                    mint,
                    "",
                    CredentialFault::Empty,
                ),
            ],
        );
    }

    #[test]
    fn mixed_calls_list_everything_in_order() {
        let all = |mut request: Request| {
            request.path = MINT.to_owned();
            request.with("Authorization", "Bearer session-secret")
        };
        let request = all(signed());
        let found = request.classify(Scheme::Wyre);
        let expected = [
            TokenType::WyreSessionMint,
            TokenType::WyreSignature,
            TokenType::WyreSessionToken,
        ];
        assert_eq!(found.present.as_slice(), expected);
        assert_eq!(found.token_type, TokenType::WyreSessionMint);

        let request = signed().with("Authorization", "Bearer session-secret");
        let found = request.classify(Scheme::Wyre);
        assert_eq!(found.token_type, TokenType::WyreSignature);
        assert_eq!(found.present.as_slice(), expected.get(1..).unwrap());
    }

    #[test]
    fn a_secret_key_has_the_fingerprint_of_the_session_token_it_becomes() {
        let mint = Request::post(MINT).query("secretKey=q7m2v9d4k1x8");
        let call = Request::get("/v2/account").with("Authorization", "Bearer q7m2v9d4k1x8");
        assert_eq!(
            mint.classify(Scheme::Wyre).material,
            call.classify(Scheme::Wyre).material
        );
    }
}
