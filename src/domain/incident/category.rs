//! What sort of thing an incident is: the categories of the alert format, each with the words that
//! people read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::types::UnknownWord;

macro_rules! categories {
    ($($name:ident $word:literal $title:literal $phrase:literal;)*) => {
        /// Category of an alert.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Category {
            $(
                #[doc = $title]
                #[serde(rename = $word)]
                $name,
            )*
        }

        impl Category {
            /// Every category.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The one spelling.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// As a heading.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What a caller does, to follow its name in a sentence.
            pub(super) const fn phrase(self) -> &'static str {
                match self { $(Self::$name => $phrase,)* }
            }
        }
    };
}

categories! {
    Volume "volume" "Unusual number of calls" "makes an unusual number of calls";
    MintVolume "mint_volume" "Unusual number of tokens" "mints an unusual number of tokens";
    MintUnused "mint_unused" "Tokens minted and not used" "mints tokens that are not used as its tokens are";
    Enumeration "enumeration" "Identifiers tried out" "asks for customers or objects that do not exist";
    Scope "scope" "Wider scopes" "asks for scopes that it never asked for";
    TokenType "token_type" "Unusual kind of token" "uses or asks for a kind of token that it never used";
    OffHours "off_hours" "Unusual hours" "works at hours at which it never worked";
    AuthFail "auth_fail" "Failed authentication" "fails to authenticate unusually often";
    MintDenied "mint_denied" "Minting refused" "is refused tokens by the bank";
    TokenReplay "token_replay" "Token in other hands" "uses a token that came to it in no known way";
    NewOrigin "new_origin" "Unknown network" "calls from a network that it never called from";
    NewIdentity "new_identity" "Unknown caller" "does what it was never seen doing";
    Privilege "privilege" "Access given or settings changed" "gives access or changes a setting of security";
    Dormant "dormant" "Customers who were away" "acts for customers who had not been there for long";
    Pii "pii" "Personal data" "reads personal data of unusually many customers";
    Exfil "exfil" "Bulk reading" "reads far more than it usually does";
    Money "money" "Money leaving" "moves money in an unusual way";
    EnvMix "env_mix" "Production and sandbox mixed" "appears in an environment that is not its own";
    Novelty "novelty" "First of its kind" "uses an operation that it never used";
    AccountAbuse "account_abuse" "One account, or new ones" "acts on accounts in an unusual way";
    AuditGap "audit_gap" "Gap in the record" "was not recorded for a time";
}

impl Category {
    /// Whether it is about minting, where a thief may wait before he uses what he has.
    pub(super) const fn is_minting(self) -> bool {
        matches!(
            self,
            Self::MintVolume | Self::MintUnused | Self::Dormant | Self::MintDenied
        )
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Category {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|known| known.as_str() == text)
            .copied()
            .ok_or_else(|| UnknownWord {
                kind: "category",
                found: text.to_owned(),
                allowed: Self::ALL
                    .iter()
                    .map(|known| known.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}
