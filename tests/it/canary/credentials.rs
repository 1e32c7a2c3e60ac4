//! Every form of credential that the providers and the gateway itself know.

use super::values::{Garden, Kind, percent};
use super::wire::Shot;

/// Every form of credential that the providers know, for each provider.
pub fn credentials(garden: &mut Garden) -> Vec<Shot> {
    let mut shots = Vec::new();
    for (provider, target) in [
        ("cybrid", "/cybrid/bank/api/customers"),
        ("obp", "/obp/obp/v5.1.0/users/current"),
        ("wyre", "/wyre/v3/accounts/x"),
        ("unknown", "/nothing/here"),
    ] {
        let place = |what: &str| format!("{provider}, {what}");
        let mut headers: Vec<(String, String)> = Vec::new();
        for (sub_type, kind) in [
            ("organization", "\"organization\""),
            ("bank", "\"bank\""),
            ("other", "\"robot\""),
        ] {
            let jwt = garden.jwt(&place(&format!("{sub_type} token")), &[("sub_type", kind)]);
            headers.push((place(sub_type), format!("Authorization: Bearer {jwt}")));
        }
        let secret_type = garden.any(place("sub_type"));
        let jwt = garden.jwt(
            &place("token of an odd kind"),
            &[
                ("sub_type", &format!("\"{secret_type}\"")),
                ("scope", "[1, {\"a\": \"customers:read\"}]"),
                ("iss", "7"),
            ],
        );
        headers.push((place("odd"), format!("Authorization: bEARER   {jwt}")));
        let broken = garden.jwt(&place("broken JWT"), &[]);
        headers.push((
            place("broken"),
            format!("Authorization: Bearer {}x", &broken[20..]),
        ));
        let basic = garden.basic(&place("basic"));
        headers.push((place("basic"), format!("Authorization: Basic {basic}")));
        let token = garden.plant(Kind::Token, place("DirectLogin"));
        headers.push((place("dl"), format!("DirectLogin: token={token}")));
        let token = garden.plant(Kind::Token, place("DirectLogin, old form"));
        headers.push((
            place("dl old"),
            format!("Authorization: DirectLogin token=\"{token}\""),
        ));
        let (user, password, key) = (
            garden.plant(Kind::Email, place("DirectLogin user")),
            garden.plant(Kind::Password, place("DirectLogin password")),
            garden.plant(Kind::Token, place("DirectLogin key")),
        );
        headers.push((
            place("dl mint"),
            format!(
                "DirectLogin: username=\"{user}\", password=\"{password}\", consumer_key=\"{key}\""
            ),
        ));
        let (key, token, signature, nonce) = (
            garden.plant(Kind::Token, place("OAuth 1 key")),
            garden.plant(Kind::Token, place("OAuth 1 token")),
            garden.plant(Kind::Signature, place("OAuth 1 signature")),
            garden.plant(Kind::Guid, place("OAuth 1 nonce")),
        );
        headers.push((
            place("oauth1"),
            format!(
                "Authorization: OAuth oauth_consumer_key=\"{key}\", oauth_token=\"{token}\", \
                 oauth_signature_method=\"HMAC-SHA1\", oauth_signature=\"{}\", oauth_nonce=\"{nonce}\"",
                percent(&signature)
            ),
        ));
        let jwt = garden.jwt(&place("GatewayLogin"), &[("is_first", "true")]);
        headers.push((
            place("gl"),
            format!("Authorization: GatewayLogin token=\"{jwt}\""),
        ));
        let jwt = garden.jwt(&place("DAuth"), &[]);
        headers.push((place("dauth"), format!("DAuth: {jwt}")));
        let jwt = garden.jwt(&place("consent"), &[]);
        headers.push((place("consent"), format!("Consent-JWT: {jwt}")));
        let consent = garden.plant(Kind::Uuid, place("consent id"));
        headers.push((place("consent id"), format!("Consent-Id: {consent}")));
        let (key, signature) = (
            garden.plant(Kind::Token, place("API key")),
            garden.plant(Kind::HexKey, place("API signature")),
        );
        headers.push((
            place("signature"),
            format!("X-Api-Key: {key}\r\nX-Api-Signature: {signature}"),
        ));
        let scheme = garden.plant(Kind::Token, place("unknown scheme"));
        let value = garden.plant(Kind::Token, place("unknown scheme's value"));
        headers.push((place("scheme"), format!("Authorization: {scheme} {value}")));
        let alone = garden.plant(Kind::HexKey, place("credential without scheme"));
        headers.push((place("alone"), format!("Authorization: {alone}")));
        let (one, two) = (
            garden.plant(Kind::Token, place("two credentials")),
            garden.plant(Kind::Token, place("two credentials")),
        );
        headers.push((
            place("two"),
            format!("Authorization: Bearer {one}\r\nAuthorization: Basic {two}"),
        ));
        // Credentials for the gateway that do not hold.
        let egret = garden.plant(Kind::Token, place("Egret key"));
        headers.push((
            place("key"),
            format!("Proxy-Authorization: Bearer egk_{egret}"),
        ));
        let wrong = garden.plant(Kind::Token, place("no Egret key"));
        headers.push((
            place("no key"),
            format!("Proxy-Authorization: Egret {wrong}"),
        ));
        let basic = garden.basic(&place("proxy basic"));
        headers.push((
            place("proxy basic"),
            format!("Proxy-Authorization: Basic {basic}"),
        ));
        let scheme = garden.plant(Kind::Token, place("proxy scheme"));
        headers.push((
            place("proxy scheme"),
            format!("Proxy-Authorization: {scheme} {scheme}"),
        ));
        let connection = garden.plant(Kind::Token, place("Connection option"));
        headers.push((
            place("connection"),
            format!("Connection: close, {connection}\r\n{connection}: 1"),
        ));
        let agent = garden.plant(Kind::Token, place("TE"));
        headers.push((place("te"), format!("TE: {agent}\r\nExpect: {agent}")));
        for (name, header) in headers {
            let head = format!(
                "GET {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\n\r\n"
            );
            shots.push(Shot::new(name, head));
        }
    }
    shots
}
