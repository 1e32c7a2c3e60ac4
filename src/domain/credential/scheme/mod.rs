//! One file per provider's way of carrying credentials.

mod authorization;
mod bearer;
mod cybrid;
mod obp;
mod wyre;

use std::fmt;
use std::str::FromStr;

use super::{Classification, RequestView};
use crate::types::UnknownWord;

/// How a provider carries its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cybrid: JWT with `sub_type`.
    Cybrid,
    /// Open Bank Project.
    Obp,
    /// Wyre: key and signature, or session token.
    Wyre,
    /// Any other API: bearer token, Basic, key header or cookie.
    Bearer,
}

impl Scheme {
    /// Every scheme, in the order of declaration.
    pub const ALL: &'static [Self] = &[Self::Cybrid, Self::Obp, Self::Wyre, Self::Bearer];

    /// The one spelling, as in the provider files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cybrid => "cybrid",
            Self::Obp => "obp",
            Self::Wyre => "wyre",
            Self::Bearer => "bearer",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|scheme| scheme.as_str() == text)
            .ok_or_else(|| UnknownWord {
                kind: "credential scheme",
                found: text.to_owned(),
                allowed: Self::ALL
                    .iter()
                    .map(|scheme| scheme.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

/// Says which credential `request` carries, the way a provider of this scheme would see it.
pub fn classify<'a>(scheme: Scheme, request: &RequestView<'a>) -> Classification<'a> {
    match scheme {
        Scheme::Cybrid => cybrid::classify(request),
        Scheme::Obp => obp::classify(request),
        Scheme::Wyre => wyre::classify(request),
        Scheme::Bearer => bearer::classify(request),
    }
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
