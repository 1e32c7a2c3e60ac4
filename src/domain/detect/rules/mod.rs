//! The rules, one file per detector. Adding one touches this file and its own.

pub(super) mod authentication;
pub(super) mod configuration;
pub(super) mod denied;
pub(super) mod destination;
pub(super) mod enumeration;
pub(super) mod habit;
pub(super) mod hours;
pub(super) mod identity;
pub(super) mod intensity;
pub(super) mod lineage;
pub(super) mod mint_rate;
pub(super) mod moved;
pub(super) mod origin;
pub(super) mod privilege;
pub(super) mod reads;
pub(super) mod unused;
pub(super) mod volume;

use serde::{Deserialize, Serialize};

use super::alert::Severity::{self, High, Low, Medium};
use super::scene::{Call, Judged, Scene};

/// What sort of thing a rule looks at. Signs of one family on one caller are one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// Where calls and tokens come from.
    Origin,
    /// Who calls.
    Identity,
    /// What is asked for.
    Habit,
    /// How tokens are minted.
    Mint,
    /// Looking for things that are not there.
    Enumeration,
    /// Refused credentials.
    Authentication,
    /// Who is given access.
    Privilege,
    /// What is read.
    Reads,
    /// When.
    Hours,
    /// Where money goes.
    Money,
    /// How much.
    Volume,
    /// The gateway itself.
    Configuration,
}

/// A rule.
#[derive(Debug, PartialEq)]
pub struct Rule {
    /// Its name in alerts and settings.
    pub name: &'static str,
    /// Category of the alert format.
    pub category: &'static str,
    /// Its family.
    pub family: Family,
    /// How much it matters by itself; a detector may say more or less.
    pub severity: Severity,
    /// Nats from which a count is told; 0 for rules that do not count.
    pub nats: f64,
    /// Whether it may call somebody before the learning period is over.
    pub from_start: bool,
    /// What it looks for, in a sentence.
    pub about: &'static str,
}

macro_rules! rules {
    ($($constant:ident: $name:literal, $category:literal, $family:ident, $severity:ident, $nats:literal, $start:literal, $about:literal;)*) => {
        $(
            #[doc = $about]
            pub(super) const $constant: &Rule = &Rule {
                name: $name,
                category: $category,
                family: Family::$family,
                severity: $severity,
                nats: $nats,
                from_start: $start,
                about: $about,
            };
        )*

        /// Every rule.
        pub const RULES: &[&Rule] = &[$($constant,)*];
    };
}

rules! {
    NEW_ORIGIN: "new-origin", "new_origin", Origin, Medium, 0.0, true,
        "A caller calls from a country, network operator or network that it never called from.";
    TOKEN_MOVED: "token-moved", "token_replay", Origin, High, 0.0, true,
        "A live token is used from a network that its caller never used, or from two countries within half an hour.";
    FOREIGN_TOKEN: "foreign-token", "token_replay", Origin, High, 0.0, false,
        "A token is used by a caller that never uses tokens of the one that minted it.";
    UNMINTED_TOKEN: "unminted-token", "token_replay", Origin, Medium, 14.0, false,
        "Customer tokens are used that were never minted through this gateway.";
    NEW_CALLER: "new-caller", "new_identity", Identity, Medium, 0.0, true,
        "A caller that was never seen mints or writes.";
    NEW_ENVIRONMENT: "new-environment", "env_mix", Identity, High, 0.0, true,
        "A caller, or a token, turns up in an environment that is not its own.";
    NEW_OPERATION: "new-operation", "novelty", Habit, Medium, 0.0, false,
        "A caller uses an operation that it never used.";
    BROAD_TOKEN: "broad-token", "token_type", Habit, Medium, 0.0, false,
        "A caller uses a bank or organization token where it used a narrower one.";
    NEW_SCOPE: "new-scope", "scope", Habit, High, 0.0, false,
        "A caller asks for a scope that it never asked for, or for all of them.";
    LONG_LIFE: "long-life", "scope", Habit, Medium, 0.0, false,
        "A token is minted that lives longer than any this caller was given.";
    THIN_MINTS: "thin-mints", "mint_unused", Mint, Medium, 14.0, false,
        "Tokens are minted for customers who were not active, and then hardly used.";
    MINT_SWEEP: "mint-sweep", "mint_unused", Mint, High, 0.0, true,
        "Tokens are minted for a large part of all customers within minutes, and not used.";
    DORMANT_MINTS: "dormant-mints", "dormant", Mint, Medium, 6.0, false,
        "Tokens are minted, and hardly used, for customers who have been away for a week.";
    MINT_RATE: "mint-rate", "mint_volume", Mint, Medium, 14.0, false,
        "A caller mints many more tokens than at other times.";
    MINT_SHAPE: "mint-shape", "mint_unused", Mint, Medium, 28.0, false,
        "Tokens minted for customers who were not active are used in another way than ever before.";
    MINTS_FOR_ONE: "mints-for-one", "account_abuse", Mint, Medium, 0.0, false,
        "Many tokens are minted for one customer.";
    UNKNOWN_CUSTOMERS: "unknown-customers", "enumeration", Enumeration, Medium, 10.0, true,
        "A caller asks for customers who do not exist.";
    MISSING_THINGS: "missing-things", "enumeration", Enumeration, Medium, 14.0, false,
        "A caller asks for accounts, trades and the like that do not exist, far more often than usual.";
    FAILED_AUTHENTICATION: "failed-authentication", "auth_fail", Authentication, Medium, 14.0, false,
        "Credentials are refused far more often than usual.";
    GUESSED: "guessed", "auth_fail", Authentication, High, 0.0, true,
        "After failures from a strange network, a credential works there.";
    MINT_DENIED: "mint-denied", "mint_denied", Authentication, Medium, 14.0, true,
        "The token endpoint keeps refusing a caller with 403.";
    GRANT_BURST: "grant-burst", "privilege", Privilege, High, 17.0, false,
        "Access to accounts is granted far more often than usual.";
    NEW_GRANTEES: "new-grantees", "privilege", Privilege, High, 9.0, false,
        "Access is granted to users who never had any.";
    EAGER_GRANTS: "eager-grants", "privilege", Privilege, High, 4.0, false,
        "Access to several accounts is granted to one user who never had any.";
    GRANT_AND_REVOKE: "grant-and-revoke", "privilege", Privilege, High, 4.0, false,
        "Access is granted and taken back within minutes.";
    DAUTH_USERS: "dauth-users", "privilege", Privilege, High, 9.0, false,
        "Users of blockchain contracts are given access.";
    STRONG_VIEW: "strong-view", "privilege", Privilege, High, 0.0, false,
        "A view of the owner's rank is granted by a caller that never granted it.";
    PERSONAL_DATA: "personal-data", "pii", Reads, Medium, 14.0, false,
        "Personal data of many customers is read.";
    LIST_PAGES: "list-pages", "exfil", Reads, Medium, 14.0, false,
        "Lists are read page by page with a bank or organization token.";
    KEY_SUBJECTS: "key-subjects", "exfil", Reads, Medium, 14.0, false,
        "A key or a bank token reaches many more accounts than usual.";
    NEW_ACCOUNTS: "new-accounts", "account_abuse", Reads, Medium, 10.0, false,
        "A key acts for accounts that were never seen.";
    CROSSED_ACCOUNTS: "crossed-accounts", "account_abuse", Reads, Medium, 10.0, false,
        "A key acts for accounts that other keys act for.";
    UNUSUAL_HOURS: "unusual-hours", "off_hours", Hours, Medium, 0.0, false,
        "A caller with fixed hours is active outside of them.";
    NEW_DESTINATION: "new-destination", "money", Money, High, 8.0, false,
        "Money is sent to places that were made moments before.";
    ONE_SUBJECT: "one-subject", "account_abuse", Volume, Medium, 0.0, false,
        "One customer or account is called far more often than any before.";
    CALLS_PER_SUBJECT: "calls-per-subject", "account_abuse", Volume, Medium, 0.0, false,
        "A caller makes many more calls per customer than usual.";
    VOLUME: "volume", "volume", Volume, Low, 14.0, false,
        "A caller makes many more calls than at this hour of other days.";
    SILENCE: "silence", "volume", Volume, Medium, 0.0, false,
        "A caller that never pauses has fallen silent.";
    CONSENT_BURST: "consent-burst", "privilege", Privilege, Low, 9.0, false,
        "Consents are made far more often than usual.";
    CONFIGURATION: "configuration", "privilege", Configuration, Medium, 0.0, true,
        "A protection of the gateway or of the bank was loosened.";
}

macro_rules! detectors {
    ($($module:ident),* $(,)?) => {
        /// What all detectors keep of one caller.
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        pub(super) struct PerCaller {
            $($module: $module::PerCaller,)*
        }

        impl PerCaller {
            /// Shows a call to every detector.
            pub(super) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
                if configuration::is_own(call.event) {
                    return self.configuration.observe(scene, call);
                }
                $(self.$module.observe(scene, call);)*
            }
        }
    };
}

// In this order: the sets of usual places and habits are learned behind those that read them.
detectors!(
    configuration,
    identity,
    moved,
    lineage,
    authentication,
    origin,
    habit,
    denied,
    enumeration,
    mint_rate,
    unused,
    privilege,
    reads,
    hours,
    destination,
    intensity,
    volume,
);

impl PerCaller {
    /// Shows how a minted token was used in the first minutes of its life.
    pub(super) fn judge(&mut self, scene: &mut Scene<'_>, judged: &Judged) {
        self.unused.judge(scene, judged);
    }

    /// Lets a pause of five minutes be looked at.
    pub(super) fn pause(&mut self, scene: &mut Scene<'_>) {
        self.lineage.pause(scene);
        self.volume.pause(scene);
    }
}
