//! Open Bank Project: many carriers, the first of which decides.
//!
//! The order is that of OBP-API early 2026 (`getUserAndSessionContextFuture`): `Consent-ID`,
//! `Consent-JWT` or `Consent-Id`, `Authorization` containing `OAuth`, then `Bearer`, the
//! `DirectLogin` header, `Authorization` containing `DirectLogin`, then `GatewayLogin`, the
//! `DAuth` header, any other `Authorization` (which OBP answers with 401 OBP-20080). Servers up
//! to early 2026 compare header names with exact case; late ones do not, and HTTP/2 loses it, so
//! here case decides only between `Consent-ID` and `Consent-Id`.

mod consent;
mod login;
#[cfg(test)]
mod tests;

use super::authorization::{basic, bearer, jwt, refuse, sole, split, unknown};
use crate::domain::credential::claims::{Claims, Dialect};
use crate::domain::credential::request::Values;
use crate::domain::credential::verdict::{Credential, Verdict};
use crate::domain::credential::{
    Classification, MAX_VALUE, Material, MaterialKind, RequestView, decode,
};
use crate::types::{CredentialFault, SubjectKind, TokenType};

/// The credential headers of a request.
#[derive(Default)]
struct Carriers<'a> {
    authorization: Values<'a>,
    direct_login: Values<'a>,
    dauth: Values<'a>,
    consent_jwt: Values<'a>,
    consent_id: Values<'a>,
    berlin_consent: Values<'a>,
    consumer_key: Values<'a>,
    certificate: Values<'a>,
    cookies: Values<'a>,
}

impl<'a> Carriers<'a> {
    fn collect(request: &RequestView<'a>) -> Self {
        let mut seen = Self::default();
        let is_berlin = request.path.starts_with("/berlin-group/");
        request.headers.visit(&mut |name, value| {
            let values = match name.len() {
                5 if name.eq_ignore_ascii_case(b"dauth") => &mut seen.dauth,
                6 if name.eq_ignore_ascii_case(b"cookie") => &mut seen.cookies,
                9 if name.eq_ignore_ascii_case(b"psd2-cert") => &mut seen.certificate,
                10 if name.eq_ignore_ascii_case(b"consent-id") => {
                    let berlin = match name {
                        b"Consent-ID" => true,
                        b"Consent-Id" => false,
                        _ => is_berlin,
                    };
                    if berlin {
                        &mut seen.berlin_consent
                    } else {
                        &mut seen.consent_id
                    }
                }
                11 if name.eq_ignore_ascii_case(b"directlogin") => &mut seen.direct_login,
                11 if name.eq_ignore_ascii_case(b"consent-jwt") => &mut seen.consent_jwt,
                12 if name.eq_ignore_ascii_case(b"consumer-key") => &mut seen.consumer_key,
                13 if name.eq_ignore_ascii_case(b"authorization") => &mut seen.authorization,
                _ => return,
            };
            values.push(value);
        });
        seen
    }

    fn note_faults(&self, verdict: &mut Verdict<'a>) {
        verdict.fault_if(
            self.authorization.is_repeated(),
            CredentialFault::TwoAuthorizationHeaders,
        );
        let single = [
            &self.direct_login,
            &self.dauth,
            &self.consent_jwt,
            &self.consent_id,
            &self.berlin_consent,
            &self.consumer_key,
            &self.certificate,
        ];
        verdict.fault_if(
            single.iter().any(|values| values.is_repeated()),
            CredentialFault::RepeatedHeader,
        );
        let consents = [&self.berlin_consent, &self.consent_jwt, &self.consent_id];
        verdict.fault_if(
            consents.iter().filter(|values| !values.is_empty()).count() > 1,
            CredentialFault::TwoConsentHeaders,
        );
    }
}

/// What OBP takes an `Authorization` value for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    OAuth1,
    Bearer,
    DirectLogin,
    GatewayLogin,
    Other,
}

/// The words OBP looks for, in its order.
const WORDS: [(Form, &[u8]); 4] = [
    (Form::OAuth1, b"OAuth"),
    (Form::Bearer, b"Bearer"),
    (Form::DirectLogin, b"DirectLogin"),
    (Form::GatewayLogin, b"GatewayLogin"),
];

/// An `Authorization` value, read twice: as OBP does, and as the sender meant it.
struct Authorization<'a> {
    value: &'a [u8],
    /// By the word it contains, anywhere: a password or a token can contain `OAuth`.
    used_as: Form,
    /// By the scheme in front, in any case.
    meant_as: Form,
}

impl<'a> Authorization<'a> {
    fn new(value: &'a [u8]) -> Self {
        let scheme = split(value).0;
        let contains = |word: &[u8]| memchr::memmem::find(value, word).is_some();
        let form = |is: &dyn Fn(&[u8]) -> bool| {
            WORDS
                .iter()
                .find(|(_, word)| is(word))
                .map_or(Form::Other, |(form, _)| *form)
        };
        // What is too long is not searched; it goes by its scheme.
        let meant_as = form(&|word| scheme.eq_ignore_ascii_case(word));
        let used_as = if value.len() > MAX_VALUE {
            meant_as
        } else {
            form(&contains)
        };
        Self {
            value,
            used_as,
            meant_as,
        }
    }
}

pub(super) fn classify<'a>(request: &RequestView<'a>) -> Classification<'a> {
    let carriers = Carriers::collect(request);
    let mut verdict = Verdict::default();
    carriers.note_faults(&mut verdict);
    if let Some(credential) = shared_secret(request) {
        verdict.add(credential);
    }
    let consumer = carriers.consumer_key.first();
    for value in carriers.berlin_consent.iter() {
        verdict.add(consent::berlin_group(value));
    }
    for value in carriers
        .consent_jwt
        .iter()
        .chain(carriers.consent_id.iter())
    {
        verdict.add(consent::obp(value, consumer));
    }
    let authorizations = carriers.authorization.iter().map(Authorization::new);
    let authorizations: smallvec::SmallVec<[_; 1]> = authorizations.collect();
    for form in [
        Form::OAuth1,
        Form::Bearer,
        Form::DirectLogin,
        Form::GatewayLogin,
    ] {
        if form == Form::DirectLogin {
            for value in carriers.direct_login.iter() {
                login::direct(value, request)
                    .into_iter()
                    .flatten()
                    .for_each(|it| verdict.add(it));
            }
        }
        for it in authorizations.iter().filter(|it| it.used_as == form) {
            add_authorization(&mut verdict, it, request);
        }
    }
    for value in carriers.dauth.iter() {
        verdict.add(dauth(value));
    }
    for it in authorizations.iter().filter(|it| it.used_as == Form::Other) {
        add_authorization(&mut verdict, it, request);
    }
    if verdict.is_empty() && is_oidc_token_endpoint(request) {
        verdict.add(Credential::new(TokenType::ClientCredentials, None));
    }
    if let Some(value) = carriers.certificate.first() {
        verdict.add(certificate(value));
    } else if request.client_certificate {
        verdict.add(Credential::new(TokenType::MtlsCert, None));
    }
    for value in carriers.cookies.iter() {
        session(value).into_iter().for_each(|it| verdict.add(it));
    }
    verdict.finish()
}

/// The bearer token of a request with one `Authorization` and no other place for a credential.
pub(super) fn sole_bearer<'a>(request: &RequestView<'a>) -> Option<&'a [u8]> {
    if request.client_certificate || shared_secret(request).is_some() {
        return None;
    }
    let carriers = Carriers::collect(request);
    let others = [
        &carriers.direct_login,
        &carriers.dauth,
        &carriers.consent_jwt,
        &carriers.consent_id,
        &carriers.berlin_consent,
        &carriers.consumer_key,
        &carriers.certificate,
        &carriers.cookies,
    ];
    if others.iter().any(|values| !values.is_empty()) {
        return None;
    }
    let token = sole(&carriers.authorization)?;
    // A token can contain the word of another scheme, and OBP goes by that.
    let used_as = Authorization::new(carriers.authorization.first()?).used_as;
    (used_as == Form::Bearer).then_some(token)
}

/// Adds what OBP takes the value for, and then what it was meant as, if that differs.
fn add_authorization<'a>(
    verdict: &mut Verdict<'a>,
    authorization: &Authorization<'a>,
    request: &RequestView<'a>,
) {
    let Authorization {
        value,
        used_as,
        meant_as,
    } = *authorization;
    if let Some(fault) = refuse(value) {
        let kind = match meant_as {
            Form::OAuth1 => TokenType::OAuth1,
            Form::Bearer => TokenType::OAuth2Bearer,
            Form::DirectLogin => TokenType::DirectLogin,
            Form::GatewayLogin => TokenType::GatewayLogin,
            Form::Other => TokenType::Malformed,
        };
        return verdict.add(Credential::faulty(kind, fault));
    }
    let rest = split(value).1;
    let meant = |verdict: &mut Verdict<'a>, fault: Option<CredentialFault>| {
        let mut add = |credential: Credential<'a>| {
            verdict.add(match fault {
                Some(fault) => credential.with_fault(fault),
                None => credential,
            });
        };
        match meant_as {
            Form::OAuth1 => add(login::oauth1(rest)),
            Form::Bearer => add(bearer(TokenType::OAuth2Bearer, Dialect::OAuth2, rest)),
            Form::DirectLogin => {
                login::direct(rest, request)
                    .into_iter()
                    .flatten()
                    .for_each(add);
            }
            Form::GatewayLogin => add(login::gateway(rest)),
            Form::Other => add(other(value, request)),
        }
    };
    if used_as == meant_as {
        return meant(verdict, None);
    }
    let kind = match used_as {
        Form::OAuth1 => TokenType::OAuth1,
        Form::Bearer => TokenType::OAuth2Bearer,
        Form::DirectLogin => TokenType::DirectLogin,
        Form::GatewayLogin => TokenType::GatewayLogin,
        // None of the words in exact case: late servers may still take it as it is meant.
        Form::Other => return meant(verdict, Some(CredentialFault::SchemeCase)),
    };
    // OBP stumbles over a word inside the value; what it then reads is no credential.
    verdict.add(Credential::faulty(kind, CredentialFault::MissingParameters));
    meant(verdict, None);
}

/// HTTP Basic or a scheme that OBP does not know: it answers 401 to both, except to Basic at the
/// token endpoint of its OpenID Connect server.
fn other<'a>(value: &'a [u8], request: &RequestView<'_>) -> Credential<'a> {
    let (scheme, rest) = split(value);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return unknown(value);
    }
    let is_client = is_oidc_token_endpoint(request);
    basic(
        if is_client {
            TokenType::BasicClient
        } else {
            TokenType::Basic
        },
        rest,
    )
}

fn is_oidc_token_endpoint(request: &RequestView<'_>) -> bool {
    request.method == "POST" && request.path_is("/obp-oidc/token")
}

/// `DAuth` carries a bare JWT with three claims that have to be there.
fn dauth(value: &[u8]) -> Credential<'_> {
    let credential = jwt(TokenType::DAuth, Dialect::DAuth, value);
    let is_complete = |claims: &Claims| {
        claims.names(SubjectKind::Contract)
            && claims.names(SubjectKind::Consumer)
            && claims.network.is_some()
    };
    match &credential.claims {
        Some(claims) if !is_complete(claims) => {
            credential.with_fault(CredentialFault::MissingClaims)
        }
        _ => credential,
    }
}

/// The old importer looks at its query only, whatever else is sent.
fn shared_secret<'a>(request: &RequestView<'a>) -> Option<Credential<'a>> {
    let query = request.query?;
    if !request.path_ends_with("/obp_transactions_saver/api/transactions") {
        return None;
    }
    let kind = TokenType::SharedSecretQuery;
    if query.len() > MAX_VALUE {
        return Some(Credential::faulty(kind, CredentialFault::TooLong));
    }
    let (secret, repeated) = decode::query_parameter(query, "secret")?;
    if secret.is_empty() {
        return Some(Credential::faulty(kind, CredentialFault::Empty));
    }
    let credential = Credential::new(kind, Material::new(MaterialKind::SharedSecret, secret));
    Some(if repeated {
        credential.with_fault(CredentialFault::RepeatedParameter)
    } else {
        credential
    })
}

/// A certificate in a header: PEM with blanks or percent-encoded, so its bytes are not judged.
fn certificate(value: &[u8]) -> Credential<'_> {
    match refuse(value) {
        Some(fault) => Credential::faulty(TokenType::MtlsCert, fault),
        None => Credential::new(
            TokenType::MtlsCert,
            Material::new(MaterialKind::Certificate, value),
        ),
    }
}

/// The servlet session among the cookies of one header.
fn session(cookies: &[u8]) -> Option<Credential<'_>> {
    let kind = TokenType::BrowserSession;
    if cookies.len() > MAX_VALUE {
        return Some(Credential::faulty(kind, CredentialFault::TooLong));
    }
    let session = cookies
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.trim_ascii().strip_prefix(b"JSESSIONID="))?;
    if session.is_empty() {
        return Some(Credential::faulty(kind, CredentialFault::Empty));
    }
    Some(Credential::new(
        kind,
        Material::new(MaterialKind::Session, session),
    ))
}
