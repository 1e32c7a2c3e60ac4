//! What an operation does, from its name alone.
//!
//! The neutral format names operations but does not describe them, and feeds name them in their
//! own ways (`customers.list`, `getAccounts`, `POST trades`), so the words of the name decide.

use serde::{Deserialize, Serialize};

/// What detection wants to know of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties of a name"
)]
pub(super) struct Operation {
    /// Hands out a token.
    pub mints: bool,
    /// Changes something.
    pub writes: bool,
    /// Returns many things at once.
    pub lists: bool,
    /// Moves money.
    pub moves_money: bool,
    /// Moves money or stops it.
    pub touches_money: bool,
    /// Makes a place that money can go to.
    pub makes_destination: bool,
    /// Takes access away.
    pub revokes: bool,
    /// Makes a consent: lets somebody else look into an account.
    pub consents: bool,
    /// Changes who may do what, or where the bank sends things.
    pub administers: bool,
    /// Of these, what opens doors: keys, roles, origins, addresses, callbacks.
    pub exposes: bool,
}

/// Verbs of which the first in a name settles what the operation does.
const READS: &[&str] = &[
    "get", "list", "read", "search", "find", "show", "fetch", "lookup", "query", "export",
    "download",
];
const WRITES: &[&str] = &[
    "create",
    "post",
    "add",
    "update",
    "patch",
    "put",
    "delete",
    "execute",
    "confirm",
    "cancel",
    "submit",
    "make",
    "initiate",
    "grant",
    "revoke",
    "set",
    "attach",
    "pay",
    "withdraw",
    "send",
    "write",
    "remove",
    "approve",
    "issue",
    "upload",
    "register",
    "masquerade",
    "permit",
];
const MONEY: &[&str] = &[
    "transfer",
    "transfers",
    "trade",
    "trades",
    "payment",
    "payments",
    "payout",
    "payouts",
    "withdraw",
    "withdrawal",
    "withdrawals",
    "execution",
    "executions",
    "pay",
    "send",
];
const DESTINATIONS: &[&str] = &[
    "wallet",
    "wallets",
    "counterparty",
    "counterparties",
    "payee",
    "payees",
    "beneficiary",
];
const ADMINISTRATION: &[&str] = &["user", "users", "grant", "access"];
const EXPOSURE: &[&str] = &[
    "application",
    "applications",
    "key",
    "keys",
    "apikey",
    "apikeys",
    "consumer",
    "consumers",
    "entitlement",
    "entitlements",
    "role",
    "roles",
    "subscription",
    "subscriptions",
    "webhook",
    "webhooks",
    "callback",
    "callbacks",
    "cors",
    "firewall",
    "permit",
    "bank",
    "banks",
];
const LISTS: &[&str] = &["list", "search", "all", "page", "export"];

/// Longest name that is looked at; operation names are short.
const MAX_NAME: usize = 256;

impl Operation {
    /// Reads a name.
    pub(super) fn of(name: &str) -> Self {
        let words = words(name);
        let has = |set: &[&str]| words.iter().any(|word| set.contains(&word.as_str()));
        let verb = words.iter().find_map(|word| {
            let word = word.as_str();
            (READS.contains(&word).then_some(true)).or(WRITES.contains(&word).then_some(false))
        });
        let reads = verb == Some(true);
        let mints = !reads
            && ((name.starts_with("token.") || name == "wyre.session" || has(&["login"]))
                || (has(&["token", "tokens"])
                    && has(&[
                        "create",
                        "post",
                        "mint",
                        "oauth",
                        "auth",
                        "initialize",
                        "customer",
                        "bank",
                        "organization",
                    ]))
                || (has(&["sessions", "session"]) && has(&["auth", "key", "create", "wyre"])));
        // A bare noun of money (`wyre.transfer`) is the deed itself.
        let writes = !mints && (verb == Some(false) || (verb.is_none() && has(MONEY)));
        let external = external_account(&words);
        // `bank.create_customer`: the first word can name the service.
        let after_service = words
            .get(usize::from(words.len() > 2)..)
            .unwrap_or_default();
        let about = |set: &[&str]| {
            after_service
                .iter()
                .any(|word| set.contains(&word.as_str()))
        };
        let plain = writes && !has(MONEY) && !has(DESTINATIONS) && !external_account(&words);
        let exposes = plain && about(EXPOSURE);
        let undoes = has(&["delete", "remove", "cancel"]);
        Self {
            mints,
            writes,
            lists: !writes && !mints && has(LISTS),
            moves_money: writes && !undoes && has(MONEY) && !has(DESTINATIONS),
            touches_money: writes && has(MONEY) && !has(DESTINATIONS),
            makes_destination: writes && !undoes && (has(DESTINATIONS) || external),
            administers: plain && (exposes || about(ADMINISTRATION)),
            exposes,
            consents: !reads
                && !undoes
                && has(&["consent", "consents"])
                && !has(&["revoke", "revoked", "answer"]),
            revokes: has(&["revoke", "revoked", "remove", "delete", "ungrant"]),
        }
    }
}

impl Operation {
    /// The same, corrected by what the catalog says of it.
    pub(super) fn with_effect(self, effect: &str) -> Self {
        let writes = matches!(effect, "write" | "money" | "access-change");
        match effect {
            "read" => Self {
                lists: self.lists,
                ..Self::default()
            },
            "mint" => Self {
                mints: true,
                ..Self::default()
            },
            "write" | "money" | "access-change" => Self {
                mints: false,
                writes,
                lists: false,
                moves_money: effect == "money" && !self.makes_destination,
                touches_money: effect == "money" || self.touches_money,
                administers: effect == "access-change" || self.administers,
                ..self
            },
            _ => self,
        }
    }
}

/// Whether it is about an account at another bank.
fn external_account(words: &[String]) -> bool {
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    has("external") && (has("account") || has("accounts"))
}

/// The lower-case words of a name, split at signs and at capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in name.chars().take(MAX_NAME) {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && was_lower) {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            was_lower = false;
        }
        if c.is_ascii_alphanumeric() {
            was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
            word.push(c.to_ascii_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(name: &str) -> String {
        let op = Operation::of(name);
        let all = [
            (op.mints, 'm'),
            (op.writes, 'w'),
            (op.lists, 'l'),
            (op.moves_money, '$'),
            (op.makes_destination, 'd'),
            (op.revokes, 'r'),
            (op.administers, 'a'),
        ];
        all.into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, letter)| letter)
            .collect()
    }

    #[test]
    fn names_of_several_kinds_are_understood() {
        for (name, expected) in [
            ("token.bank", "m"),
            ("token.customer", "m"),
            ("obp.login", "m"),
            ("wyre.session", "m"),
            ("createCustomerToken", "m"),
            ("customers.list", "l"),
            ("customers.get", ""),
            ("listTransfers", "l"),
            ("trades.create", "w$"),
            ("createTrade", "w$"),
            ("external_wallets.create", "wd"),
            ("external_wallets.list", "l"),
            ("transfers.create", "w$"),
            ("wyre.transfer", "w$"),
            ("obp.grant", "wa"),
            ("obp.revoke", "wr"),
            ("bank_applications.create", "wa"),
            ("identity.create_bank_application", "wa"),
            ("banks.update", "wa"),
            ("bank.update_bank", "wa"),
            ("bank.create_customer", "w"),
            ("customers.create", "w"),
            ("external_bank_accounts.create", "wd"),
            ("grantUserAccessToView", "wa"),
            ("revokeUserAccessToView", "wra"),
            ("createUserWithAccountAccess", "wa"),
            ("get_accounts", ""),
            ("OBPv4.0.0-grantUserAccessToView", "wa"),
            ("OBPv6.0.0-directLoginEndpoint", "m"),
            ("OBPv4.0.0-getCurrentUser", ""),
            ("identity.oauth_token", "m"),
            ("initializeAuthToken", "m"),
            ("permitAddress", "wa"),
            ("wyre.firewall.permit", "wa"),
            ("organization.create_subscription", "wa"),
            ("OBPv2.0.0-addEntitlement", "wa"),
            ("identity.create_customer_token", "m"),
            ("bank.list_transfers", "l"),
            ("bank.cancel_transfer", "w"),
            ("transfers.get", ""),
            ("", ""),
            ("prices", ""),
        ] {
            assert_eq!(letters(name), expected, "{name}");
        }
    }
}
