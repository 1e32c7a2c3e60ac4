//! One file per provider's way of carrying credentials.

mod authorization;
mod bearer;
mod cybrid;
mod obp;
mod wyre;

use super::claims::{Claims, Dialect};
use super::jwt;
use super::{Classification, RequestView};
pub use crate::types::CredentialScheme as Scheme;

/// Says which credential `request` carries, the way a provider of this scheme would see it.
pub fn classify<'a>(scheme: Scheme, request: &RequestView<'a>) -> Classification<'a> {
    match scheme {
        Scheme::Cybrid => cybrid::classify(request),
        Scheme::Obp => obp::classify(request),
        Scheme::Wyre => wyre::classify(request),
        Scheme::Bearer => bearer::classify(request),
    }
}

/// The token of a request whose classification depends on nothing but that token, so that what was
/// found out about it once holds whenever it comes so again. `None` does not say that there is none.
pub fn sole_bearer<'a>(scheme: Scheme, request: &RequestView<'a>) -> Option<&'a [u8]> {
    match scheme {
        Scheme::Cybrid => cybrid::sole_bearer(request),
        Scheme::Obp => obp::sole_bearer(request),
        // Its bearer tokens are random strings: there is nothing to find out.
        Scheme::Wyre => None,
        Scheme::Bearer => bearer::sole_bearer(request),
    }
}

/// What a token of this scheme claims, outside any request: for a token that a mint answered.
/// `None` if it is no JWT with readable claims.
pub fn token_claims(scheme: Scheme, token: &[u8]) -> Option<Claims> {
    let dialect = match scheme {
        Scheme::Cybrid => Dialect::Cybrid,
        Scheme::Obp | Scheme::Wyre | Scheme::Bearer => Dialect::OAuth2,
    };
    jwt::read(token, dialect).into_parts().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_names_parse_back() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.as_str().parse::<Scheme>().unwrap(), *scheme);
        }
        assert_eq!(
            "wire".parse::<Scheme>().unwrap_err().to_string(),
            "unknown credential scheme \"wire\"; use one of: cybrid, obp, wyre, bearer"
        );
    }
}
