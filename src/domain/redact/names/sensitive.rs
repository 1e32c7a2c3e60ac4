//! Words that make a name sensitive, alone or with the word beside them.

use super::super::kind::Kind;
use super::super::words::{self, KNOWN};
use super::Split;

/// One sensitive word, or two words that are sensitive together.
pub(super) fn sensitive(split: &Split) -> Option<Kind> {
    let mut found: Option<(u8, Kind)> = None;
    for at in 0..split.count {
        let (word, next, before) = (
            split.word(at),
            split.word(at + 1),
            if at == 0 { "" } else { split.word(at - 1) },
        );
        let hit = match (word, next) {
            ("account" | "acct", "number" | "no" | "num" | "identifier" | "iban") => {
                Some((5, Kind::Account))
            }
            (
                "account" | "acct" | "wallet" | "call" | "cell" | "mail" | "login" | "mobile"
                | "tax" | "visa" | "bank" | "callback",
                _,
            ) if !matches!(
                (word, next),
                ("tax" | "mobile", _) | ("mail", "") | ("login", "")
            ) =>
            {
                None
            }
            ("card", "number" | "no" | "num") => Some((5, Kind::Card)),
            ("card" | "session" | "consent", "id" | "guid") if word == "card" => None,
            ("card", _) => None,
            ("key" | "keys", "id" | "name") => None,
            ("key" | "keys", _) if matches!(before, "public" | "idempotency" | "primary") => None,
            ("auth", "context" | "type" | "method") => None,
            ("sort", "code") | ("bank", "code") => Some((5, Kind::Routing)),
            ("email" | "mail", _) => Some((6, Kind::Email)),
            ("phone" | "telephone" | "mobile" | "msisdn" | "cellphone" | "fax", _) => {
                Some((6, Kind::Phone))
            }
            ("ip", _) => Some((6, Kind::Ip)),
            ("name" | "names", "") => (!matches!(
                before,
                "short"
                    | "operation"
                    | "event"
                    | "view"
                    | "role"
                    | "field"
                    | "network"
                    | "function"
                    | "service"
                    | "host"
                    | "file"
                    | "table"
                    | "method"
                    | "class"
                    | "app"
                    | "product"
                    | "scheme"
                    | "queue"
                    | "topic"
                    | "bucket"
                    | "region"
                    | "metric"
                    | "header"
                    | "permission"
                    | "provider"
                    | "job"
                    | "policy"
                    | "rule"
                    | "stage"
            ))
            .then_some((3, Kind::Name)),
            ("username", _) | ("user", "name") => Some((5, Kind::Username)),
            (
                "address" | "addresses" | "residence" | "street" | "postal" | "postcode" | "zip",
                _,
            ) => Some((4, Kind::Address)),
            (
                "national" | "government" | "govt" | "tax" | "personal" | "resident",
                "id" | "identifier" | "number" | "identity" | "identification" | "reference",
            ) => Some((5, Kind::NationalId)),
            ("identification", "number" | "numbers") => Some((5, Kind::NationalId)),
            ("tax" | "national" | "identification", _) => None,
            ("pin", _) if matches!(next, "" | "code" | "reset" | "number") => Some((4, Kind::Pin)),
            ("pin", _) => None,
            ("swift", "") | ("swift", "code" | "bic") => Some((4, Kind::Bic)),
            ("swift", _) => None,
            ("passport" | "licence" | "license", _) => Some((
                6,
                if word == "passport" {
                    Kind::Passport
                } else {
                    Kind::Licence
                },
            )),
            ("social", "security") => Some((6, Kind::Ssn)),
            ("social", _) => None,
            ("oauth", "token" | "signature" | "nonce" | "verifier" | "secret") => {
                Some((7, Kind::OAuth1))
            }
            ("signature" | "signed" | "sign" | "sig", _) => Some((4, Kind::Signature)),
            ("security", "answer" | "question" | "code") => Some((5, Kind::Pin)),
            (
                "gender" | "citizenship" | "nationality" | "occupation" | "employer" | "biometric"
                | "maiden" | "income",
                _,
            ) => Some((4, Kind::Personal)),
            ("birth" | "dob" | "birthday" | "birthdate", _) => Some((6, Kind::DateOfBirth)),
            _ => words::word(word.as_bytes())
                .label()
                .or_else(|| ends_sensitive(word))
                .map(|kind| {
                    let rank = match kind {
                        Kind::Authorization | Kind::Session | Kind::ApiKey | Kind::Consent => 2,
                        Kind::Address
                        | Kind::Username
                        | Kind::Bitcoin
                        | Kind::Ethereum
                        | Kind::Chain => 1,
                        _ => 3,
                    };
                    (rank, kind)
                }),
        };
        if let Some((rank, kind)) = hit
            && found.is_none_or(|(best, _)| rank > best)
        {
            found = Some((rank, kind));
        }
    }
    found.map(|(_, kind)| kind)
}

/// `storepass`, `dbpassword`, `clientsecret`: small letters only, and no word of the lexicon.
fn ends_sensitive(word: &str) -> Option<Kind> {
    const ENDS: [(&str, Kind); 8] = [
        ("password", Kind::Password),
        ("passwd", Kind::Password),
        ("passphrase", Kind::Password),
        ("pass", Kind::Password),
        ("pwd", Kind::Password),
        ("secret", Kind::Secret),
        ("apikey", Kind::ApiKey),
        ("token", Kind::Token),
    ];
    let known = words::word(word.as_bytes()).is(KNOWN) || word.ends_with("compass");
    ENDS.iter()
        .filter(|_| !known)
        .find(|(end, _)| word.len() > end.len() + 1 && word.ends_with(end))
        .map(|(_, kind)| *kind)
}
