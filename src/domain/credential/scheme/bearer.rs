//! Any other API: OAuth 2.0 bearer tokens (RFC 6750), Basic, key headers, cookies.
//!
//! There is no provider to ask for its order; this is the usual one of gateways: the
//! `Authorization` header, then keys in headers, then the query, the TLS certificate, the cookie.

use super::authorization::{add_all, basic, bearer, refuse, sole, split, token, unknown};
use crate::domain::credential::claims::Dialect;
use crate::domain::credential::request::Values;
use crate::domain::credential::sensitive::{Part, part_of_name};
use crate::domain::credential::verdict::{Credential, Verdict};
use crate::domain::credential::{
    Classification, MAX_VALUE, Material, MaterialKind, RequestView, decode,
};
use crate::types::{CredentialFault, TokenType};

/// Query parameters that carry a credential, with what they carry.
const PARAMETERS: [(&str, TokenType, MaterialKind); 3] = [
    ("access_token", TokenType::OAuth2Bearer, MaterialKind::Token),
    ("api_key", TokenType::Unknown, MaterialKind::ApiKey),
    ("apikey", TokenType::Unknown, MaterialKind::ApiKey),
];

pub(super) fn classify<'a>(request: &RequestView<'a>) -> Classification<'a> {
    let (mut authorization, mut keys, mut cookies) =
        (Values::default(), Values::default(), Values::default());
    let mut has_proof = false;
    request.headers.visit(&mut |name, value| {
        if name.eq_ignore_ascii_case(b"authorization") {
            authorization.push(value);
        } else if name.eq_ignore_ascii_case(b"cookie") {
            cookies.push(value);
        } else {
            match part_of_name(name) {
                Some(Part::Key) => keys.push(value),
                Some(Part::Proof) => has_proof = true,
                None => {}
            }
        }
    });
    let mut verdict = Verdict::default();
    add_all(&mut verdict, &authorization, |value| {
        let (scheme, rest) = split(value);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            bearer(TokenType::OAuth2Bearer, Dialect::OAuth2, rest)
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            basic(TokenType::Basic, rest)
        } else {
            unknown(value)
        }
    });
    for key in keys.iter() {
        verdict.add(token(TokenType::Unknown, MaterialKind::ApiKey, key));
    }
    if has_proof && keys.is_empty() {
        // A signature or passphrase whose key travels elsewhere; it changes with every call and
        // stands for nothing.
        verdict.add(Credential::new(TokenType::Unknown, None));
    }
    if let Some(query) = request.query.filter(|query| query.len() <= MAX_VALUE) {
        PARAMETERS
            .iter()
            .filter_map(|it| parameter(query, it))
            .for_each(|it| verdict.add(it));
    }
    if request.client_certificate {
        verdict.add(Credential::new(TokenType::MtlsCert, None));
    }
    if let Some(value) = cookies.first() {
        verdict.add(session(value));
    }
    verdict.finish()
}

/// The bearer token of a request with one `Authorization` and no other place for a credential.
pub(super) fn sole_bearer<'a>(request: &RequestView<'a>) -> Option<&'a [u8]> {
    // Parameters can carry one, and a query that has none is rare enough to be read each time.
    if request.client_certificate || request.query.is_some() {
        return None;
    }
    let mut authorization = Values::default();
    let mut others = false;
    request.headers.visit(&mut |name, value| {
        if name.eq_ignore_ascii_case(b"authorization") {
            authorization.push(value);
        } else {
            others |= name.eq_ignore_ascii_case(b"cookie") || part_of_name(name).is_some();
        }
    });
    sole(&authorization).filter(|_| !others)
}

fn parameter<'a>(
    query: &'a str,
    (name, kind, material): &(&str, TokenType, MaterialKind),
) -> Option<Credential<'a>> {
    let (value, repeated) = decode::query_parameter(query, name)?;
    if value.is_empty() {
        return Some(Credential::faulty(*kind, CredentialFault::Empty));
    }
    let credential = Credential::new(*kind, Material::new(*material, value));
    Some(if repeated {
        credential.with_fault(CredentialFault::RepeatedParameter)
    } else {
        credential
    })
}

/// The cookie that looks like a session, else all of them.
fn session(cookies: &[u8]) -> Credential<'_> {
    let kind = TokenType::BrowserSession;
    if let Some(fault) = refuse(cookies) {
        return Credential::faulty(kind, fault);
    }
    let session = cookies.split(|byte| *byte == b';').find_map(|pair| {
        let equals = memchr::memchr(b'=', pair)?;
        let (name, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
        let is_session = [&b"sess"[..], b"sid", b"auth", b"token"]
            .iter()
            .any(|word| {
                name.windows(word.len())
                    .any(|part| part.eq_ignore_ascii_case(word))
            });
        (is_session && !value.is_empty()).then_some(value)
    });
    Credential::new(
        kind,
        Material::new(MaterialKind::Session, session.unwrap_or(cookies)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credential::Scheme;
    use crate::domain::credential::testing::{self, Request, bad, check, good, jwt, subjects};
    use crate::types::SubjectKind;

    fn get() -> Request {
        Request::get("/v1/things")
    }

    #[test]
    fn the_carrier_decides() {
        let token = jwt(r#"{"sub":"u-1","scope":"a b"}"#);
        let bearer = TokenType::OAuth2Bearer;
        check(
            Scheme::Bearer,
            &[
                good("nothing", get(), TokenType::Anonymous, ""),
                good(
                    "opaque",
                    get().with("Authorization", "Bearer abc.d.e"),
                    bearer,
                    "abc.d.e",
                ),
                good(
                    "jwt",
                    get().with("Authorization", format!("Bearer {token}")),
                    bearer,
                    &token,
                ),
                good(
                    "query",
                    get().query("x=1&access_token=ab%63"),
                    bearer,
                    "abc",
                ),
                good(
                    "Basic",
                    get().with("Authorization", testing::basic("u:p:q")),
                    TokenType::Basic,
                    "u",
                ),
                good(
                    "key",
                    get().with("X-API-Key", "k1"),
                    TokenType::Unknown,
                    "k1",
                ),
                good(
                    "key in query",
                    get().query("api_key=k1"),
                    TokenType::Unknown,
                    "k1",
                ),
                good(
                    "signature",
                    get().with("API-Sign", "s"),
                    TokenType::Unknown,
                    "",
                ),
                good(
                    "key and signature",
                    get()
                        .with("CB-ACCESS-SIGN", "s")
                        .with("CB-ACCESS-KEY", "k1"),
                    TokenType::Unknown,
                    "k1",
                ),
                good(
                    "cookie",
                    get().with("Cookie", "theme=dark; PHPSESSID=abc"),
                    TokenType::BrowserSession,
                    "abc",
                ),
                good(
                    "cookies",
                    get().with("Cookie", "a=1"),
                    TokenType::BrowserSession,
                    "a=1",
                ),
                good("mTLS", get().with_certificate(), TokenType::MtlsCert, ""),
                bad(
                    "cut off",
                    get().with("Authorization", "Bearer eyJhbGciOiJSUzUxMiJ9.eyJ"),
                    bearer,
                    "eyJhbGciOiJSUzUxMiJ9.eyJ",
                    CredentialFault::NotAJwt,
                ),
                bad(
                    "empty",
                    get().with("Authorization", "Bearer"),
                    bearer,
                    "",
                    CredentialFault::Empty,
                ),
                bad(
                    "empty key",
                    get().with("X-Api-Key", ""),
                    TokenType::Unknown,
                    "",
                    CredentialFault::Empty,
                ),
            ],
        );
    }

    #[test]
    fn several_are_listed_in_order() {
        let request = get()
            .with("Cookie", "sid=1")
            .with("X-Api-Key", "k1")
            .with("Authorization", "Bearer abc")
            .with_certificate();
        let found = request.classify(Scheme::Bearer);
        assert_eq!(found.token_type, TokenType::OAuth2Bearer);
        assert_eq!(
            found.present.as_slice(),
            [
                TokenType::OAuth2Bearer,
                TokenType::Unknown,
                TokenType::MtlsCert,
                TokenType::BrowserSession
            ]
        );
    }

    #[test]
    fn a_client_credentials_token_names_its_client_only() {
        let names = |payload: &str| {
            let request = get().with("Authorization", format!("Bearer {}", jwt(payload)));
            subjects(&request.classify(Scheme::Bearer))
        };
        assert_eq!(
            names(r#"{"sub":"c-1","client_id":"c-1","azp":"c-1"}"#),
            [(SubjectKind::Consumer, "c-1".to_owned())]
        );
        assert_eq!(
            names(r#"{"azp":"c-1","sub":"u-1","email":"dora@example.invalid"}"#),
            [
                (SubjectKind::User, "u-1".to_owned()),
                (SubjectKind::Consumer, "c-1".to_owned())
            ]
        );
    }
}
