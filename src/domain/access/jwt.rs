//! Tokens of an identity provider: JWTs (RFC 7519) with a signature (RFC 7515) by one of the
//! provider's published keys (RFC 7517), judged as OpenID Connect Core 1.0, section 3.1.3.7 asks.
//!
//! The signature is checked before a claim is looked at. The algorithm is the key's, never the
//! token's alone: `none` and HMAC are not known here at all (RFC 8725, section 3.1).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Person, Role, Roles, Way};
use crate::domain::config::is_caller_name;
use crate::types::Micros;

/// Longest token, in bytes: tokens with many groups reach 8 KiB, which is what a head may have.
pub const MAX_TOKEN: usize = 8 << 10;

/// Most keys of a provider that are looked at; a provider has one, and two while it rotates.
const MAX_KEYS: usize = 32;

/// Longest lists of roles and audiences in a token that are looked at.
const MAX_LIST: usize = 256;

/// How tokens of a provider are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// `iss`.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
    /// Where the roles are: names of members, with dots between.
    pub roles_claim: String,
    /// What stands there, and the roles that it means.
    pub roles: Vec<(String, Roles)>,
    /// Where the name is.
    pub name_claim: String,
    /// How far the clocks may be apart.
    pub skew: Duration,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is no JWT.
    #[error("it is no signed JWT")]
    Malformed,
    /// It is signed otherwise.
    #[error("it is signed by an algorithm other than RS256, ES256 and EdDSA")]
    Algorithm,
    /// The key that it names is not among those of the provider.
    #[error("its key is none of the identity provider's")]
    UnknownKey,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// It is of another issuer.
    #[error("its issuer is another")]
    Issuer,
    /// It is for others.
    #[error("its audience is another")]
    Audience,
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It does not hold yet, or was made in the future.
    #[error("it does not hold yet: is the clock right?")]
    Early,
    /// It belongs to another login.
    #[error("it belongs to another login")]
    Nonce,
    /// It names nobody.
    #[error("it has no name that can stand in a record")]
    Nameless,
    /// It has none of the mapped roles.
    #[error("it has none of the roles in [admin.oidc.roles]")]
    NoRole,
}

/// The published keys of a provider.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    id: Option<String>,
    key: KeyMaterial,
}

#[derive(Clone, Debug)]
enum KeyMaterial {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

impl KeySet {
    /// Reads a JWK set. Keys of other kinds and uses are passed over; `None` if it is no set.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let set: Jwks = serde_json::from_slice(text).ok()?;
        let keys = set.keys.into_iter().take(MAX_KEYS);
        let keys = keys.filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
                return None;
            }
            let key = match (&*jwk.kty, jwk.crv.as_deref()) {
                ("RSA", _) => KeyMaterial::Rsa {
                    n: bytes(jwk.n.as_ref())?,
                    e: bytes(jwk.e.as_ref())?,
                },
                ("EC", Some("P-256")) => {
                    let (x, y) = (bytes(jwk.x.as_ref())?, bytes(jwk.y.as_ref())?);
                    // An uncompressed point (SEC 1, section 2.3.3).
                    (x.len() == 32 && y.len() == 32)
                        .then(|| KeyMaterial::P256([&[4], &*x, &*y].concat()))?
                }
                ("OKP", Some("Ed25519")) => KeyMaterial::Ed25519(bytes(jwk.x.as_ref())?),
                _ => return None,
            };
            Some(PublicKey { id: jwk.kid, key })
        });
        Some(Self(keys.collect()))
    }

    /// Whether there is no usable key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl KeyMaterial {
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Checks the signature of a token and gives its claims, which are not judged yet.
///
/// # Errors
/// [`TokenFault`]; with [`TokenFault::UnknownKey`] it is worth asking the provider for its keys
/// again.
pub fn verify(token: &str, keys: &KeySet) -> Result<Value, TokenFault> {
    if token.len() > MAX_TOKEN {
        return Err(TokenFault::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (head, body) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    let decode = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| TokenFault::Malformed)
    };
    let header: Header =
        serde_json::from_slice(&decode(head)?).map_err(|_| TokenFault::Malformed)?;
    let signature = decode(signature)?;
    if !["RS256", "ES256", "EdDSA"].contains(&&*header.alg) {
        return Err(TokenFault::Algorithm);
    }
    // Extensions that must be understood are not (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(TokenFault::Algorithm);
    }
    let fits = |key: &&PublicKey| {
        key.key.algorithm() == header.alg
            && (header.kid.is_none() || key.id.is_none() || key.id == header.kid)
    };
    let mut is_known = false;
    for key in keys.0.iter().filter(fits) {
        is_known = true;
        if key.key.verify(signed.as_bytes(), &signature) {
            return serde_json::from_slice(&decode(body)?).map_err(|_| TokenFault::Malformed);
        }
    }
    Err(match is_known {
        true => TokenFault::Signature,
        false => TokenFault::UnknownKey,
    })
}

/// Judges the claims of a token whose signature is right. `nonce` is that of the login it must
/// belong to, if any.
///
/// # Errors
/// [`TokenFault`].
pub fn judge(
    claims: &Value,
    rules: &TokenRules,
    nonce: Option<&str>,
    now: Micros,
) -> Result<Person, TokenFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&*rules.issuer) {
        return Err(TokenFault::Issuer);
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => *one == rules.audience,
        Some(Value::Array(several)) => several
            .iter()
            .take(MAX_LIST)
            .any(|one| one.as_str() == Some(&*rules.audience)),
        _ => false,
    };
    if !is_for_us {
        return Err(TokenFault::Audience);
    }
    let ends = moment(claims, "exp")?.ok_or(TokenFault::Expired)?;
    if ends.plus(rules.skew) <= now {
        return Err(TokenFault::Expired);
    }
    for name in ["nbf", "iat"] {
        if moment(claims, name)?.is_some_and(|at| at > now.plus(rules.skew)) {
            return Err(TokenFault::Early);
        }
    }
    if let Some(nonce) = nonce
        && text("nonce") != Some(nonce)
    {
        return Err(TokenFault::Nonce);
    }
    let name = text(&rules.name_claim).or_else(|| text("sub"));
    let name = name.filter(|name| is_caller_name(name));
    let name: Arc<str> = name.ok_or(TokenFault::Nameless)?.into();
    let roles = roles_in(claims, rules);
    if roles.is_empty() {
        return Err(TokenFault::NoRole);
    }
    Ok(Person {
        name,
        way: Way::Token,
        roles,
        expires_at: Some(ends),
        key_id: None,
    })
}

/// A NumericDate (RFC 7519, section 2): seconds, perhaps with a fraction.
fn moment(claims: &Value, name: &str) -> Result<Option<Micros>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if seconds.is_finite() => {
                // Beyond what a moment can be, it saturates.
                Ok(Some(Micros::from_secs(seconds as i64)))
            }
            _ => Err(TokenFault::Malformed),
        },
    }
}

fn roles_in(claims: &Value, rules: &TokenRules) -> Roles {
    let found = claims.get(&rules.roles_claim).or_else(|| {
        let mut names = rules.roles_claim.split('.');
        names.try_fold(claims, |value, name| value.get(name))
    });
    let words: Vec<&str> = match found {
        // One, or several with blanks between as in `scope`.
        Some(Value::String(words)) => words.split(' ').take(MAX_LIST).collect(),
        Some(Value::Array(words)) => words
            .iter()
            .take(MAX_LIST)
            .filter_map(Value::as_str)
            .collect(),
        _ => Vec::new(),
    };
    let mapped = rules
        .roles
        .iter()
        .filter(|(word, _)| words.contains(&&**word));
    Roles::of(mapped.flat_map(|(_, roles)| roles.iter().collect::<Vec<Role>>()))
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    };
    use serde_json::json;

    use super::*;
    use proptest::prelude::*;

    const NOW: Micros = Micros(1_795_348_800_000_000);

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn rules() -> TokenRules {
        TokenRules {
            issuer: "https://login.example".to_owned(),
            audience: "egret-admin".to_owned(),
            roles_claim: "realm_access.roles".to_owned(),
            roles: vec![("ops".to_owned(), Roles::of([Role::Operator]))],
            name_claim: "preferred_username".to_owned(),
            skew: Duration::from_secs(60),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": "https://login.example",
            "aud": ["x", "egret-admin"],
            "exp": NOW.as_secs() + 300,
            "iat": NOW.as_secs(),
            "sub": "u-1",
            "preferred_username": "ann",
            "nonce": "n",
            "realm_access": {"roles": ["other", "ops"]},
        })
    }

    fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let text = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = encode(sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    fn ed25519() -> (KeySet, Ed25519KeyPair) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = encode(pair.public_key());
        let set = json!({"keys": [
            {"kty": "oct", "k": "AAAA", "kid": "h"},
            {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "e", "use": "sig"},
        ]});
        (KeySet::parse(set.to_string().as_bytes()).unwrap(), pair)
    }

    #[test]
    fn a_good_token_names_a_person() {
        let (keys, pair) = ed25519();
        let token = signed(&json!({"alg": "EdDSA", "kid": "e"}), &claims(), |m| {
            pair.sign(m).as_ref().to_vec()
        });
        let found = verify(&token, &keys).unwrap();
        let ann = judge(&found, &rules(), Some("n"), NOW).unwrap();
        assert_eq!((&*ann.name, ann.way), ("ann", Way::Token));
        assert_eq!(ann.roles, Roles::of([Role::Operator]));
        assert_eq!(ann.expires_at, Some(NOW.plus(Duration::from_secs(300))));
    }

    #[test]
    fn ecdsa_keys_verify() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256",
            "x": encode(&point[1..33]), "y": encode(&point[33..])}]});
        let keys = KeySet::parse(set.to_string().as_bytes()).unwrap();
        let sign = |m: &[u8]| pair.sign(&random, m).unwrap().as_ref().to_vec();
        let token = signed(&json!({"alg": "ES256"}), &claims(), sign);
        assert!(verify(&token, &keys).is_ok());
        // A key is used with its own algorithm only.
        let token = signed(&json!({"alg": "RS256"}), &claims(), sign);
        assert_eq!(verify(&token, &keys), Err(TokenFault::UnknownKey));
    }

    #[test]
    fn what_is_wrong_with_a_signature() {
        let (keys, pair) = ed25519();
        let sign = |m: &[u8]| pair.sign(m).as_ref().to_vec();
        for (header, fault) in [
            (json!({"alg": "none"}), TokenFault::Algorithm),
            (json!({"alg": "HS256", "kid": "h"}), TokenFault::Algorithm),
            (
                json!({"alg": "EdDSA", "kid": "old"}),
                TokenFault::UnknownKey,
            ),
            (
                json!({"alg": "EdDSA", "crit": ["exp"]}),
                TokenFault::Algorithm,
            ),
            (json!({"kid": "e"}), TokenFault::Malformed),
        ] {
            let token = signed(&header, &claims(), sign);
            assert_eq!(verify(&token, &keys), Err(fault), "{header}");
        }
        let token = signed(&json!({"alg": "EdDSA"}), &claims(), |_| vec![0; 64]);
        assert_eq!(verify(&token, &keys), Err(TokenFault::Signature));
        let token = signed(&json!({"alg": "EdDSA"}), &claims(), sign);
        let (start, _) = token.rsplit_once('.').unwrap();
        assert_eq!(verify(start, &keys), Err(TokenFault::Malformed));
        assert_eq!(
            verify(&format!("{start}."), &keys),
            Err(TokenFault::Signature)
        );
        let long = "a".repeat(MAX_TOKEN + 1);
        assert_eq!(verify(&long, &keys), Err(TokenFault::Malformed));
    }

    #[test]
    fn what_is_wrong_with_the_claims() {
        let later = NOW.as_secs() + 61;
        let cases = [
            ("iss", json!("https://evil.example"), TokenFault::Issuer),
            ("iss", Value::Null, TokenFault::Issuer),
            ("aud", json!("egret"), TokenFault::Audience),
            ("aud", json!([]), TokenFault::Audience),
            ("exp", json!(NOW.as_secs() - 60), TokenFault::Expired),
            ("exp", json!("soon"), TokenFault::Malformed),
            ("nbf", json!(later), TokenFault::Early),
            ("iat", json!(later), TokenFault::Early),
            ("nonce", json!("m"), TokenFault::Nonce),
            (
                "preferred_username",
                json!("Ann Example"),
                TokenFault::Nameless,
            ),
            (
                "realm_access",
                json!({"roles": ["ops2"]}),
                TokenFault::NoRole,
            ),
            ("realm_access", json!("ops"), TokenFault::NoRole),
        ];
        for (name, value, fault) in cases {
            let mut claims = claims();
            claims[name] = value;
            let judged = judge(&claims, &rules(), Some("n"), NOW);
            assert_eq!(judged, Err(fault), "{name}");
        }
        let mut without = claims();
        without.as_object_mut().unwrap().remove("exp");
        assert_eq!(
            judge(&without, &rules(), None, NOW),
            Err(TokenFault::Expired)
        );
    }

    #[test]
    fn roles_can_be_words_in_one_text() {
        let rules = TokenRules {
            roles_claim: "scope".to_owned(),
            ..rules()
        };
        let mut claims = claims();
        claims["scope"] = json!("openid ops");
        assert!(judge(&claims, &rules, None, NOW).is_ok());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[a-zA-Z0-9_.-]{0,200}", body: Vec<u8>, seconds: f64) {
            let (keys, _) = ed25519();
            prop_assert!(verify(&text, &keys).is_err());
            let _ = KeySet::parse(&body);
            let mut odd = claims();
            odd["exp"] = json!(seconds);
            let _ = judge(&odd, &rules(), None, NOW);
        }
    }
}
