//! What a lock locks.

use std::fmt;
use std::sync::Arc;

use crate::domain::config::is_caller_name;
use crate::domain::record::Fingerprint;

/// Longest id of a provider or an operation in a lock, in bytes; ids of the catalog are far shorter.
const MAX_ID: usize = 128;

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LockTarget {
    /// Every call.
    All,
    /// Every call to a provider.
    Provider(Arc<str>),
    /// Every call of an operation.
    Operation {
        /// Id of the provider.
        provider: Arc<str>,
        /// Id of the operation.
        operation: Arc<str>,
    },
    /// Every call of a caller.
    Caller(Arc<str>),
    /// Every call with a token.
    Token(Fingerprint),
}

/// A text that names nothing that can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not something that can be locked: use all, provider:ID, operation:PROVIDER/ID, caller:NAME or \
     token:FINGERPRINT"
)]
pub struct TargetError;

impl LockTarget {
    /// Reads what [`LockTarget`] displays.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, value) = text.split_once(':').ok_or(TargetError)?;
        match kind {
            "provider" if is_id(value) => Some(Self::Provider(value.into())),
            "operation" => value
                .split_once('/')
                .filter(|(provider, operation)| is_id(provider) && is_id(operation))
                .map(|(provider, operation)| Self::Operation {
                    provider: provider.into(),
                    operation: operation.into(),
                }),
            "caller" if is_caller_name(value) => Some(Self::Caller(value.into())),
            "token" => Fingerprint::parse_hex(value).map(Self::Token),
            _ => None,
        }
        .ok_or(TargetError)
    }

    /// The word before the colon.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Provider(_) => "provider",
            Self::Operation { .. } => "operation",
            Self::Caller(_) => "caller",
            Self::Token(_) => "token",
        }
    }
}

impl fmt::Display for LockTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::All => Ok(()),
            Self::Provider(id) | Self::Caller(id) => write!(f, ":{id}"),
            Self::Operation {
                provider,
                operation,
            } => write!(f, ":{provider}/{operation}"),
            Self::Token(fingerprint) => write!(f, ":{fingerprint}"),
        }
    }
}

/// Whether a text can be the id of a provider or of an operation.
fn is_id(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn targets_are_read_as_they_are_shown() {
        for text in [
            "all",
            "provider:cybrid",
            "operation:cybrid/bank.create_trade",
            "caller:payments",
            "token:00112233445566778899aabbccddeeff",
        ] {
            assert_eq!(LockTarget::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "everything",
            "all:",
            "caller",
            "caller:",
            "caller:a b",
            "provider:a b",
            "operation:create_trade",
            "operation:/x",
            "operation:x/",
            "token:eyJhbGciOi",
            "token:",
        ] {
            assert_eq!(LockTarget::parse(text), Err(TargetError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_fits_on_a_line(
            text in "(all|provider|operation|caller|token)?:?.{0,80}"
        ) {
            if let Ok(target) = LockTarget::parse(&text) {
                prop_assert!(!text.chars().any(|c| c.is_control() || c == ' '));
                prop_assert_eq!(target.to_string(), text);
            }
        }
    }
}
