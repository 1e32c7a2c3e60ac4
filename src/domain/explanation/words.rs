//! The rules' formulas in words. `docs/design/detection.md` has their numbers.

use crate::domain::detect::Family;
use crate::domain::incident::Sign;

/// What is said of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// What it compares, and when it tells.
    pub tells: &'static str,
    /// What else than numbers would keep it quiet; empty if nothing.
    pub quiet: &'static str,
}

/// Where the expectation of a count comes from.
pub(super) const EXPECTED: &str = "the largest of: 1.5 times the caller's mean rate; the same hours of like days (weekdays, weekends); the same \
hour in the last two weeks; for short windows the largest burst that was learned; and the rule's own floor, such as the usual share of a busy day. \
What was told before is not learned";

/// Said of every rule that counts.
macro_rules! count {
    ($what:literal) => {
        concat!(
            $what,
            " n of them are told if there are enough, if they are enough times the expectation L, and if \
             n ln(n/L) - n + L reaches the threshold."
        )
    };
}

const ALL: &[(&str, Words)] = &[
    (
        "new-origin",
        Words {
            tells: "Compares country, network operator and network of the address with those that the caller was seen in. Told at once, \
                once the caller is known for some days.",
            quiet: "if the caller had called from there before and nobody had been told of it, or if the network were known as the operator's own",
        },
    ),
    (
        "token-moved",
        Words {
            tells: "Compares where a live token is used with where its caller is known, and with where the token was used before. Told at once.",
            quiet: "if the caller had been known in that network, operator and country",
        },
    ),
    (
        "foreign-token",
        Words {
            tells: "Compares who uses a token with who minted it. Told at once, if the two never shared tokens.",
            quiet: "if the caller had used tokens of the one that minted it while it was learned",
        },
    ),
    (
        "unminted-token",
        Words {
            tells: count!("Counts customer tokens that were never minted through the gateway."),
            quiet: "",
        },
    ),
    (
        "new-caller",
        Words {
            tells: "Told at once when a caller that was never seen mints or writes, once the first days are over.",
            quiet: "if the caller were among the known ones",
        },
    ),
    (
        "new-environment",
        Words {
            tells: "Told at once when a caller or a token of one environment turns up in the other.",
            quiet: "if it had been used in both while it was learned",
        },
    ),
    (
        "new-operation",
        Words {
            tells: "Compares operation and kind of token with those that the caller was seen to use. Told at once, once the caller is known.",
            quiet: "if the caller had used the operation while it was learned, or if callers like it did",
        },
    ),
    (
        "broad-token",
        Words {
            tells: "Told when a bank or organization token is used where the caller used a narrower one, or is minted for the first time.",
            quiet: "if the caller had used such a token there while it was learned",
        },
    ),
    (
        "new-scope",
        Words {
            tells: "Compares the scopes that are asked for with those that the caller ever asked for, and their number with the most so far.",
            quiet: "if the caller had asked for them while it was learned",
        },
    ),
    (
        "long-life",
        Words {
            tells: "Told when a token lives more than one and a half times as long as the longest that the caller was ever given.",
            quiet: "if the caller had been given tokens of such a life before",
        },
    ),
    (
        "thin-mints",
        Words {
            tells: count!(
                "A mint for a customer without a call for 45 minutes is looked at after 40 seconds and after 5 minutes. Counts those \
                       whose tokens were used no more than the fewest that is usual for the caller."
            ),
            quiet: "if the tokens had been used as the caller's tokens always are",
        },
    ),
    (
        "mint-sweep",
        Words {
            tells: "Counts mints for customers without a call for 45 minutes whose tokens were not used within 40 seconds. Told when they are a \
                large part of all customers of a day, or a hundred, and three times the expectation, within ten minutes.",
            quiet: "if the tokens had been used within 40 seconds",
        },
    ),
    (
        "dormant-mints",
        Words {
            tells: count!(
                "Counts mints for customers who were away for a week, and whose tokens were then hardly used."
            ),
            quiet: "if the tokens had been used as the caller's tokens always are",
        },
    ),
    (
        "mint-rate",
        Words {
            tells: count!(
                "Counts mints of a caller. Many more are needed where tokens are used as ever."
            ),
            quiet: "if the other callers had minted as much more than usual",
        },
    ),
    (
        "mint-shape",
        Words {
            tells: "Compares how often each of the last tokens was used in its first five minutes with the shape that was learned for the caller \
                (G test: the sum of n_i ln(n_i / (n p_i)) over the numbers of uses).",
            quiet: "if the tokens had been used as differently as the caller's tokens always are",
        },
    ),
    (
        "mints-for-one",
        Words {
            tells: "Told when more tokens are minted for one customer in an hour than twice the most that was learned, and than a fixed number.",
            quiet: "if as many had been minted for one customer before",
        },
    ),
    (
        "unknown-customers",
        Words {
            tells: count!("Counts answers 'no such customer' for customers who were never seen."),
            quiet: "if the customers had existed",
        },
    ),
    (
        "missing-things",
        Words {
            tells: count!(
                "Counts answers 'no such thing' on reads that concern known customers. The caller's own share of such answers is expected."
            ),
            quiet: "if what was asked for had existed",
        },
    ),
    (
        "failed-authentication",
        Words {
            tells: count!(
                "Counts refused credentials (401), but for tokens whose time was over. The caller's own share of failures is expected."
            ),
            quiet: "",
        },
    ),
    (
        "guessed",
        Words {
            tells: "Told at once when a credential works in a strange network after several were refused there.",
            quiet: "if the network had been known",
        },
    ),
    (
        "mint-denied",
        Words {
            tells: count!("Counts refusals (403) of the token endpoint that go on for minutes."),
            quiet: "if the caller had kept within the bank's limit",
        },
    ),
    (
        "grant-burst",
        Words {
            tells: count!("Counts grants of access."),
            quiet: "",
        },
    ),
    (
        "new-grantees",
        Words {
            tells: count!("Counts grants to users who never had access to anything."),
            quiet: "if the users had been given access before",
        },
    ),
    (
        "eager-grants",
        Words {
            tells: count!(
                "Counts the third and every later grant to a user within two hours of the first that the user ever got."
            ),
            quiet: "if the user had been given access before that day",
        },
    ),
    (
        "grant-and-revoke",
        Words {
            tells: count!("Counts grants that are taken back within ten minutes."),
            quiet: "",
        },
    ),
    (
        "dauth-users",
        Words {
            tells: count!("Counts users of blockchain contracts who are given access."),
            quiet: "if the network had been in use before",
        },
    ),
    (
        "strong-view",
        Words {
            tells: "Told at once when a view of the owner's rank is granted by a caller that never granted one.",
            quiet: "if the caller had granted such views while it was learned",
        },
    ),
    (
        "personal-data",
        Words {
            tells: count!(
                "Counts customers older than a day whose personal data is read and was not read for six hours."
            ),
            quiet: "",
        },
    ),
    (
        "list-pages",
        Words {
            tells: count!("Counts lists that are read with a bank or organization token."),
            quiet: "if the caller were known to read lists at this hour",
        },
    ),
    (
        "key-subjects",
        Words {
            tells: count!(
                "Counts accounts that one key or bank token reaches and did not reach for six hours."
            ),
            quiet: "",
        },
    ),
    (
        "new-accounts",
        Words {
            tells: count!("Counts accounts that a key acts for and that were never seen."),
            quiet: "if the accounts had been seen before",
        },
    ),
    (
        "unusual-hours",
        Words {
            tells: "Told of several calls in an hour, and the hours beside it, in which a caller with fixed hours never called on like days.",
            quiet: "if the caller had called at such hours before",
        },
    ),
    (
        "new-destination",
        Words {
            tells: count!(
                "Counts wallets, payees and accounts that are made and paid within a minute."
            ),
            quiet: "if the places had been older than a minute when they were paid",
        },
    ),
    (
        "one-subject",
        Words {
            tells: "Told when one customer or account is called more often in an hour than a fixed number and than 1.8 times the most so far.",
            quiet: "if one customer had been called as often before",
        },
    ),
    (
        "calls-per-subject",
        Words {
            tells: "Compares calls C of S customers in an hour with the mean m and spread s per customer: (C - S m) / (s sqrt S).",
            quiet: "if customers had usually been called as often",
        },
    ),
    (
        "volume",
        Words {
            tells: count!("Counts calls that name no customer."),
            quiet: "if the other callers had called as much more than usual",
        },
    ),
    (
        "silence",
        Words {
            tells: "Told when a caller that called in every hour of the last week has not called for so long that it is no chance.",
            quiet: "if the caller had made a call, or had paused before",
        },
    ),
    (
        "crossed-accounts",
        Words {
            tells: count!(
                "Counts calls with a key about accounts that were first reached with another key."
            ),
            quiet: "if each key had kept to its own accounts",
        },
    ),
    (
        "consent-burst",
        Words {
            tells: count!("Counts consents that are made."),
            quiet: "",
        },
    ),
    (
        "configuration",
        Words {
            tells: "Told at once when the gateway or the bank was told to let more through than before.",
            quiet: "if nothing had been loosened",
        },
    ),
];

const UNKNOWN: Words = Words {
    tells: "This version has no such rule.",
    quiet: "",
};

pub(super) fn of(rule: &str) -> Words {
    let found = ALL.iter().find(|(name, _)| *name == rule);
    found.map_or(UNKNOWN, |(_, words)| *words)
}

/// What the operator can say of himself, by which such a thing would not be strange.
pub(super) fn own_setting(family: Family, sign: &Sign) -> Option<(String, &'static str)> {
    match family {
        Family::Origin | Family::Authentication if !sign.ip.is_empty() => {
            let bits = if sign.ip.contains(':') { 128 } else { 32 };
            Some((
                format!("[detect] own_networks = [\"{}/{bits}\"]", sign.ip),
                "if the network is your own: it is never strange",
            ))
        }
        Family::Identity if !sign.caller.is_empty() => Some((
            format!("[detect] known_callers = [\"{}\"]", sign.caller),
            "for callers that may appear at any time",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detect::RULES;

    #[test]
    fn every_rule_has_words_and_no_words_are_left_over() {
        for rule in RULES {
            assert_ne!(of(rule.name), UNKNOWN, "{}", rule.name);
        }
        for (name, _) in ALL {
            assert!(RULES.iter().any(|rule| rule.name == *name), "{name}");
        }
    }
}
