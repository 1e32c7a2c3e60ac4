//! The schemes of OBP that carry named parameters: DirectLogin, OAuth 1.0a, GatewayLogin.

use crate::domain::credential::claims::{Claims, Dialect};
use crate::domain::credential::scheme::authorization::{jwt, refuse, token};
use crate::domain::credential::verdict::Credential;
use crate::domain::credential::{Material, MaterialKind, RequestView, decode, parameters};
use crate::types::{CredentialFault, SubjectKind, TokenType};

/// DirectLogin: a token on calls, user name, password and consumer key on the call that mints
/// one. If both are there, the mint takes the password and every other call the token.
///
/// The token is a JWT whose payload is always `{"":""}`: there are no claims and no expiry in
/// it, so it is taken as it is.
pub(super) fn direct<'a>(list: &'a [u8], request: &RequestView<'_>) -> [Option<Credential<'a>>; 2] {
    if let Some(fault) = refuse(list) {
        return [
            Some(Credential::faulty(TokenType::DirectLogin, fault)),
            None,
        ];
    }
    let (mut direct_token, mut user, mut key, mut has_password) = (None, None, None, false);
    parameters::read(list, &mut |name, value| match name {
        b"token" => direct_token = Some(value),
        b"username" => user = Some(value),
        b"consumer_key" => key = Some(value),
        b"password" => has_password = !value.is_empty(),
        _ => {}
    });
    let by_token =
        direct_token.map(|value| token(TokenType::DirectLogin, MaterialKind::Token, value));
    let has_credentials = user.is_some() || key.is_some() || has_password;
    let by_password = has_credentials.then(|| credentials(user, key, has_password));
    match (by_token, by_password) {
        (None, None) => [
            Some(Credential::faulty(
                TokenType::DirectLogin,
                CredentialFault::MissingParameters,
            )),
            None,
        ],
        (by_token, by_password) if request.path_ends_with("/my/logins/direct") => {
            [by_password, by_token]
        }
        (by_token, by_password) => [by_token, by_password],
    }
}

/// User name, password and consumer key; the consumer key, an identifier, stands for them.
fn credentials<'a>(
    user: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    has_password: bool,
) -> Credential<'a> {
    let kind = TokenType::DirectLoginCredentials;
    let text = |bytes: Option<&'a [u8]>| bytes.and_then(|it| std::str::from_utf8(it).ok());
    let (user, key) = (
        user.filter(|it| !it.is_empty()),
        key.filter(|it| !it.is_empty()),
    );
    let material = key.and_then(|key| Material::new(MaterialKind::ApiKey, key));
    let mut credential = Credential::new(kind, material);
    let mut claims = Claims::naming(SubjectKind::User, text(user).unwrap_or_default());
    claims.name(SubjectKind::Consumer, text(key).unwrap_or_default());
    if !claims.subjects.is_empty() {
        credential.claims = Some(claims);
    }
    if user.is_some() && key.is_some() && has_password {
        credential
    } else {
        credential.with_fault(CredentialFault::MissingParameters)
    }
}

/// OAuth 1.0a (RFC 5849, section 3.5.1). The token stands for it; on the call that asks for the
/// first token, the consumer key does.
pub(super) fn oauth1(list: &[u8]) -> Credential<'_> {
    let kind = TokenType::OAuth1;
    if let Some(fault) = refuse(list) {
        return Credential::faulty(kind, fault);
    }
    /// The parameters without which OBP cannot check a signature.
    const REQUIRED: [&[u8]; 5] = [
        b"oauth_consumer_key",
        b"oauth_signature_method",
        b"oauth_timestamp",
        b"oauth_nonce",
        b"oauth_signature",
    ];
    let mut seen = [false; REQUIRED.len()];
    let (mut oauth_token, mut key) = (None, None);
    parameters::read(list, &mut |name, value| {
        if value.is_empty() {
            return;
        }
        for (required, seen) in REQUIRED.iter().zip(&mut seen) {
            *seen |= *required == name;
        }
        match name {
            b"oauth_token" => oauth_token = Some(decode::percent(value)),
            b"oauth_consumer_key" => key = Some(decode::percent(value)),
            _ => {}
        }
    });
    let claims = key.as_deref().and_then(|key| {
        std::str::from_utf8(key)
            .ok()
            .map(|key| Claims::naming(SubjectKind::Consumer, key))
    });
    let material = match (oauth_token, key) {
        (Some(value), _) => Material::new(MaterialKind::Token, value),
        (None, Some(key)) => Material::new(MaterialKind::ApiKey, key),
        (None, None) => None,
    };
    let mut credential = Credential::new(kind, material);
    credential.claims = claims;
    if seen.contains(&false) {
        return credential.with_fault(CredentialFault::MissingParameters);
    }
    credential
}

/// GatewayLogin: one parameter, a JWT. It holds a core-banking token, which is never read.
pub(super) fn gateway(list: &[u8]) -> Credential<'_> {
    let kind = TokenType::GatewayLogin;
    if let Some(fault) = refuse(list) {
        return Credential::faulty(kind, fault);
    }
    let mut gateway_token = None;
    parameters::read(list, &mut |name, value| {
        if name == b"token" {
            gateway_token = Some(value);
        }
    });
    match gateway_token {
        Some(value) => jwt(kind, Dialect::GatewayLogin, value),
        None => Credential::faulty(kind, CredentialFault::MissingParameters),
    }
}
