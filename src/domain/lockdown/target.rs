//! What a lock locks.

use std::fmt;
use std::sync::Arc;

use crate::domain::config::is_caller_name;
use crate::domain::record::Fingerprint;

/// Longest id of a provider or an operation in a lock, in bytes; ids of the catalog are far shorter.
const MAX_ID: usize = 128;

/// Most calls a minute of a throttled caller; more are no throttle.
pub const MAX_PER_MINUTE: u32 = 100_000;

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
    /// The calls of a caller beyond so many a minute.
    Throttle {
        /// Its name.
        caller: Arc<str>,
        /// Calls that each node lets through in a minute.
        per_minute: u32,
    },
}

/// A text that names nothing that can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not something that can be locked: use all, provider:ID, operation:PROVIDER/ID, caller:NAME, \
     token:FINGERPRINT or throttle:CALLS_PER_MINUTE/CALLER"
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
            "throttle" => value.split_once('/').and_then(|(number, caller)| {
                let per_minute: u32 = number.parse().ok()?;
                // One spelling each: no sign, no zeros in front.
                let target = Self::throttle(caller, per_minute)?;
                (per_minute.to_string() == number).then_some(target)
            }),
            _ => None,
        }
        .ok_or(TargetError)
    }

    /// The calls of a caller beyond so many a minute; `None` if that is no caller, or no number that
    /// makes sense.
    pub fn throttle(caller: &str, per_minute: u32) -> Option<Self> {
        let is_good = is_caller_name(caller) && (1..=MAX_PER_MINUTE).contains(&per_minute);
        is_good.then(|| Self::Throttle {
            caller: caller.into(),
            per_minute,
        })
    }

    /// The word before the colon.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Provider(_) => "provider",
            Self::Operation { .. } => "operation",
            Self::Caller(_) => "caller",
            Self::Token(_) => "token",
            Self::Throttle { .. } => "throttle",
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
            Self::Throttle { caller, per_minute } => write!(f, ":{per_minute}/{caller}"),
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
            "throttle:10/payments",
            "throttle:1/spiffe://example.org/app",
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
            "throttle:payments",
            "throttle:0/payments",
            "throttle:010/payments",
            "throttle:5/",
        ] {
            assert_eq!(LockTarget::parse(text), Err(TargetError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_fits_on_a_line(
            text in "(all|provider|operation|caller|token|throttle)?:?([0-9]{1,3}/)?.{0,80}"
        ) {
            if let Ok(target) = LockTarget::parse(&text) {
                prop_assert!(!text.chars().any(|c| c.is_control() || c == ' '));
                prop_assert_eq!(target.to_string(), text);
            }
        }
    }
}
