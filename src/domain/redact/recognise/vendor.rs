//! Keys with a form of their own: vendor prefixes, JWT, PEM.

use super::super::kind::Kind;

/// What may follow a prefix.
#[derive(Clone, Copy)]
enum Tail {
    /// At least so many letters, digits, `_`, `-` or `.`.
    AtLeast(u8),
    /// Exactly so many upper-case letters or digits.
    Upper(u8),
}

use Tail::{AtLeast, Upper};

/// Prefix, what follows, kind. From the documents of the vendors.
const PREFIXES: &[(&str, Tail, Kind)] = &[
    ("AKIA", Upper(16), Kind::CloudKey),
    ("ASIA", Upper(16), Kind::CloudKey),
    ("ABIA", Upper(16), Kind::CloudKey),
    ("ACCA", Upper(16), Kind::CloudKey),
    ("AROA", Upper(16), Kind::CloudKey),
    ("AIDA", Upper(16), Kind::CloudKey),
    ("AGPA", Upper(16), Kind::CloudKey),
    ("ANPA", Upper(16), Kind::CloudKey),
    ("AIza", AtLeast(30), Kind::CloudKey),
    ("ya29.", AtLeast(10), Kind::CloudKey),
    ("GOCSPX-", AtLeast(20), Kind::CloudKey),
    ("1//0", AtLeast(20), Kind::CloudKey),
    ("dop_v1_", AtLeast(20), Kind::CloudKey),
    ("doo_v1_", AtLeast(20), Kind::CloudKey),
    ("hvs.", AtLeast(16), Kind::CloudKey),
    ("hvb.", AtLeast(16), Kind::CloudKey),
    ("s.", AtLeast(24), Kind::CloudKey),
    ("LTAI", AtLeast(12), Kind::CloudKey),
    ("sk_live_", AtLeast(8), Kind::SaasKey),
    ("sk_test_", AtLeast(8), Kind::SaasKey),
    ("rk_live_", AtLeast(8), Kind::SaasKey),
    ("rk_test_", AtLeast(8), Kind::SaasKey),
    ("pk_live_", AtLeast(8), Kind::SaasKey),
    ("pk_test_", AtLeast(8), Kind::SaasKey),
    ("whsec_", AtLeast(8), Kind::SaasKey),
    // Keys of the admin API.
    ("ega_", AtLeast(40), Kind::SaasKey),
    ("ghp_", AtLeast(16), Kind::SaasKey),
    ("gho_", AtLeast(16), Kind::SaasKey),
    ("ghu_", AtLeast(16), Kind::SaasKey),
    ("ghs_", AtLeast(16), Kind::SaasKey),
    ("ghr_", AtLeast(16), Kind::SaasKey),
    ("github_pat_", AtLeast(16), Kind::SaasKey),
    ("glpat-", AtLeast(16), Kind::SaasKey),
    ("gldt-", AtLeast(16), Kind::SaasKey),
    ("glrt-", AtLeast(16), Kind::SaasKey),
    ("xoxb-", AtLeast(8), Kind::SaasKey),
    ("xoxp-", AtLeast(8), Kind::SaasKey),
    ("xoxa-", AtLeast(8), Kind::SaasKey),
    ("xoxr-", AtLeast(8), Kind::SaasKey),
    ("xoxs-", AtLeast(8), Kind::SaasKey),
    ("xoxe-", AtLeast(8), Kind::SaasKey),
    ("xapp-", AtLeast(8), Kind::SaasKey),
    ("SG.", AtLeast(20), Kind::SaasKey),
    ("npm_", AtLeast(30), Kind::SaasKey),
    ("pypi-", AtLeast(16), Kind::SaasKey),
    ("shpat_", AtLeast(16), Kind::SaasKey),
    ("shpss_", AtLeast(16), Kind::SaasKey),
    ("sk-ant-", AtLeast(16), Kind::SaasKey),
    ("sk-proj-", AtLeast(16), Kind::SaasKey),
    ("sk-", AtLeast(20), Kind::SaasKey),
    ("access-sandbox-", AtLeast(8), Kind::SaasKey),
    ("access-production-", AtLeast(8), Kind::SaasKey),
    ("access-development-", AtLeast(8), Kind::SaasKey),
    ("public-sandbox-", AtLeast(8), Kind::SaasKey),
    ("public-production-", AtLeast(8), Kind::SaasKey),
    ("link-sandbox-", AtLeast(8), Kind::SaasKey),
    ("link-production-", AtLeast(8), Kind::SaasKey),
    ("processor-sandbox-", AtLeast(8), Kind::SaasKey),
    ("processor-production-", AtLeast(8), Kind::SaasKey),
    ("sq0atp-", AtLeast(16), Kind::SaasKey),
    ("sq0csp-", AtLeast(16), Kind::SaasKey),
    ("EAAA", AtLeast(40), Kind::SaasKey),
    ("key-", AtLeast(30), Kind::SaasKey),
    ("dckr_pat_", AtLeast(16), Kind::SaasKey),
    ("hf_", AtLeast(20), Kind::SaasKey),
    ("lin_api_", AtLeast(16), Kind::SaasKey),
    ("NRAK-", AtLeast(20), Kind::SaasKey),
    ("PMAK-", AtLeast(20), Kind::SaasKey),
    ("rubygems_", AtLeast(20), Kind::SaasKey),
    ("sbp_", AtLeast(20), Kind::SaasKey),
    ("figd_", AtLeast(16), Kind::SaasKey),
    ("dapi", AtLeast(32), Kind::SaasKey),
    ("ATATT3", AtLeast(20), Kind::SaasKey),
    ("AGE-SECRET-KEY-1", AtLeast(20), Kind::PrivateKey),
    ("tfp_", AtLeast(20), Kind::SaasKey),
    ("SK-", AtLeast(6), Kind::ApiKey),
    ("AK-", AtLeast(6), Kind::ApiKey),
    ("TEST-SK-", AtLeast(4), Kind::ApiKey),
    ("TEST-AK-", AtLeast(4), Kind::ApiKey),
    ("plaid-", AtLeast(20), Kind::SaasKey),
    ("persona_", AtLeast(16), Kind::SaasKey),
];

/// The prefixes by their first byte: where those of byte `b` begin in the second list, which holds
/// their places in [`PREFIXES`].
const BY_FIRST: ([u8; 257], [u8; PREFIXES.len()]) = {
    let mut starts = [0_u8; 257];
    let mut order = [0_u8; PREFIXES.len()];
    let (mut byte, mut used) = (0, 0);
    while byte < 256 {
        starts[byte] = used as u8;
        let mut at = 0;
        while at < PREFIXES.len() {
            if PREFIXES[at].0.as_bytes()[0] as usize == byte {
                order[used] = at as u8;
                used += 1;
            }
            at += 1;
        }
        byte += 1;
    }
    starts[256] = used as u8;
    (starts, order)
};

/// A key with the prefix of its vendor. Also when it has been cut short, down to half its length.
pub(crate) fn key(token: &[u8]) -> Option<Kind> {
    if is_jwt(token) {
        return Some(Kind::Jwt);
    }
    let first = usize::from(*token.first()?);
    let (starts, order) = &BY_FIRST;
    for at in &order[usize::from(starts[first])..usize::from(starts[first + 1])] {
        let (prefix, tail, kind) = &PREFIXES[usize::from(*at)];
        let Some(rest) = token.strip_prefix(prefix.as_bytes()) else {
            continue;
        };
        let hit = match tail {
            AtLeast(n) => {
                rest.len() >= usize::from(*n) / 2
                    && rest.iter().any(u8::is_ascii_alphanumeric)
                    && (rest.len() >= 16 || rest.iter().any(u8::is_ascii_digit))
            }
            Upper(n) => {
                rest.len() >= usize::from(*n) / 2
                    && rest
                        .iter()
                        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            }
        };
        if hit {
            return Some(*kind);
        }
    }
    None
}

/// Starts like a JWT or JWE: base64url of `{"`. Cut ones too; the header alone tells nothing, but
/// what follows may.
pub(crate) fn is_jwt(token: &[u8]) -> bool {
    (token.starts_with(b"eyJ")
        || token.starts_with(b"ewog")
        || token.starts_with(b"eyAi")
        || token.starts_with(b"ew0K"))
        && token.len() >= 10
        && token.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'+' | b'/')
        })
}

/// Starts a PEM block (RFC 7468), or an SSH public or PGP one.
pub(crate) fn starts_pem(text: &[u8]) -> bool {
    text.starts_with(b"-----BEGIN ") || text.starts_with(b"---- BEGIN ")
}

/// What the label of a PEM block says.
pub(crate) fn pem_kind(text: &[u8]) -> Kind {
    let label = &text[..text.len().min(64)];
    if memchr::memmem::find(label, b"PRIVATE").is_some() {
        Kind::PrivateKey
    } else {
        Kind::Certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_prefix() {
        for (token, kind) in [
            ("AKIAIOSFODNN7EXAMPLE", Kind::CloudKey),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", Kind::SaasKey),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", Kind::SaasKey),
            ("xoxb-123456789012-abcdef", Kind::SaasKey),
            ("SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf", Kind::SaasKey),
            ("AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe", Kind::CloudKey),
            ("eyJhbGciOiJIUzI1NiJ9.eyIiOiIifQ.Zm9y", Kind::Jwt),
            (
                "access-sandbox-7c69d345-fd46-461f-93a9-fe9dea1d8e8b",
                Kind::SaasKey,
            ),
        ] {
            assert_eq!(key(token.as_bytes()), Some(kind), "{token}");
        }
        for token in [
            "AKIA",
            "sk-learn",
            "key-value-store",
            "skill",
            "s.length",
            "npm_config",
            "pypi-packages",
        ] {
            assert_eq!(key(token.as_bytes()), None, "{token}");
        }
    }
}
