//! What may be lost of a record, by what the call can do. The one rule behind the defaults: only
//! a plain read may ever be answered on the strength of a record that is not on disk yet.

use super::CallRecord;
use crate::types::Effect;

/// What a call can do, as far as its record is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationClass {
    /// Changes nothing and shows no personal data.
    Read,
    /// Changes nothing and shows personal data.
    PersonalRead,
    /// Creates or changes a resource.
    Write,
    /// Moves money, or commits to moving it.
    Money,
    /// Creates a token, a key or another secret.
    Mint,
    /// Changes who may do or see what.
    AccessChange,
    /// Not in the catalog: it could be anything.
    Unknown,
}

impl OperationClass {
    /// Every class, in the order of [`LossPolicies`].
    pub const ALL: &'static [Self] = &[
        Self::Read,
        Self::PersonalRead,
        Self::Write,
        Self::Money,
        Self::Mint,
        Self::AccessChange,
        Self::Unknown,
    ];

    /// The one spelling, as in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::PersonalRead => "personal-read",
            Self::Write => "write",
            Self::Money => "money",
            Self::Mint => "mint",
            Self::AccessChange => "access-change",
            Self::Unknown => "unknown",
        }
    }

    /// The class of a call, from what its record knows when the call is let through.
    pub fn of(record: &CallRecord) -> Self {
        match record.target.effect {
            Some(Effect::Read) if record.pii.is_empty() => Self::Read,
            Some(Effect::Read) => Self::PersonalRead,
            Some(Effect::Write) => Self::Write,
            Some(Effect::Money) => Self::Money,
            Some(Effect::Mint) => Self::Mint,
            Some(Effect::AccessChange) => Self::AccessChange,
            None => Self::Unknown,
        }
    }
}

/// What happens to a call whose record cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossPolicy {
    /// Refused. Its intent is on disk before the first byte goes to the bank, its outcome before
    /// the answer goes to the caller.
    Strict,
    /// Refused. Both are handed to the operating system before that and reach the disk within a
    /// stated interval: a crash of the process loses nothing, a power cut that interval.
    ProcessSafe,
    /// Goes on. It is recorded once, when it is over, and nobody waits for it; what is dropped is
    /// counted in the journal.
    Shed,
}

impl LossPolicy {
    /// How far an intent or an outcome must have come before the call goes on.
    pub const fn wait(self) -> Wait {
        match self {
            Self::Strict => Wait::Durable,
            Self::ProcessSafe => Wait::Written,
            Self::Shed => Wait::Nothing,
        }
    }
}

/// The policy of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossPolicies([LossPolicy; OperationClass::ALL.len()]);

impl Default for LossPolicies {
    fn default() -> Self {
        let mut policies = Self([LossPolicy::Strict; OperationClass::ALL.len()]);
        policies.set(OperationClass::Read, LossPolicy::ProcessSafe);
        policies
    }
}

impl LossPolicies {
    /// The policy of a class.
    pub fn get(&self, class: OperationClass) -> LossPolicy {
        self.0
            .get(class as usize)
            .copied()
            .unwrap_or(LossPolicy::Strict)
    }

    /// Changes the policy of a class.
    pub fn set(&mut self, class: OperationClass, policy: LossPolicy) {
        if let Some(slot) = self.0.get_mut(class as usize) {
            *slot = policy;
        }
    }
}

/// How far a record must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Nobody waits.
    Nothing,
    /// In the operating system's hands: survives the process.
    Written,
    /// On disk: survives a power cut.
    Durable,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Gateway;
    use crate::types::{CallId, Micros, PiiClass};
    use std::sync::Arc;

    #[test]
    fn classes_and_their_defaults() {
        let gateway = Arc::new(Gateway {
            node: "n".into(),
            version: "0".into(),
            config_hash: "h".into(),
        });
        let record = CallRecord::new(CallId::floor(1), Micros(1), gateway);
        let table = [
            (Some(Effect::Read), false, "read", LossPolicy::ProcessSafe),
            (
                Some(Effect::Read),
                true,
                "personal-read",
                LossPolicy::Strict,
            ),
            (Some(Effect::Write), false, "write", LossPolicy::Strict),
            (Some(Effect::Money), true, "money", LossPolicy::Strict),
            (Some(Effect::Mint), false, "mint", LossPolicy::Strict),
            (
                Some(Effect::AccessChange),
                false,
                "access-change",
                LossPolicy::Strict,
            ),
            (None, false, "unknown", LossPolicy::Strict),
        ];
        for (effect, personal, word, policy) in table {
            let mut record = record.clone();
            record.target.effect = effect;
            if personal {
                record.pii.insert(PiiClass::Email);
            }
            let class = OperationClass::of(&record);
            assert_eq!(class.as_str(), word);
            assert_eq!(LossPolicies::default().get(class), policy, "{word}");
        }
    }
}
