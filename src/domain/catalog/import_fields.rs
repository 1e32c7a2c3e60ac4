//! Guesses from names: what a field holds and what a call does. Every guess errs towards more
//! protection; a person reviews the result.

use serde_json::Value;

use crate::types::{Effect, PiiClass};

/// How deep schemas are followed, and how many of their nodes are looked at for one operation:
/// schemas can refer to themselves and to everything else.
const MAX_DEPTH: usize = 8;
const MAX_NODES: usize = 4_000;
/// Most paths of one kind that are written for one operation.
const MAX_PATHS: usize = 60;

/// Names of personal fields in lower case without separators.
const PII_NAMES: &[(PiiClass, &[&str])] = &[
    (PiiClass::Email, &["email", "emailaddress", "mail"]),
    (
        PiiClass::PersonName,
        &[
            "firstname",
            "lastname",
            "middlename",
            "fullname",
            "legalname",
            "givenname",
            "familyname",
            "surname",
            "displayname",
            "cardholder",
            "cardholdername",
            "accountholder",
            "accountholdername",
            "holdername",
            "ownername",
            "beneficiaryname",
            "contactname",
            "customername",
            "nameoncard",
            "maidenname",
            "nickname",
            "name",
        ],
    ),
    (
        PiiClass::PostalAddress,
        &[
            "address",
            "addressline",
            "addressline1",
            "addressline2",
            "street",
            "street1",
            "street2",
            "city",
            "postalcode",
            "postcode",
            "zip",
            "zipcode",
            "billingaddress",
            "shippingaddress",
            "residenceaddress",
        ],
    ),
    (
        PiiClass::DateOfBirth,
        &["dateofbirth", "dob", "birthdate", "birthday"],
    ),
    (
        PiiClass::Phone,
        &[
            "phone",
            "phonenumber",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "telephone",
            "fax",
        ],
    ),
    (
        PiiClass::GovernmentId,
        &[
            "ssn",
            "ssnlast4",
            "taxid",
            "taxnumber",
            "tin",
            "itin",
            "nationalid",
            "passport",
            "passportnumber",
            "identificationnumber",
            "idnumber",
            "documentnumber",
            "driverslicense",
            "sin",
            "ein",
        ],
    ),
    (PiiClass::Citizenship, &["citizenship", "nationality"]),
    (
        PiiClass::Occupation,
        &["occupation", "employer", "jobtitle", "employmentstatus"],
    ),
    (
        PiiClass::BankAccount,
        &[
            "accountnumber",
            "iban",
            "bban",
            "routingnumber",
            "sortcode",
            "cardnumber",
            "pan",
            "last4",
            "swift",
            "bic",
            "bankaccount",
            "accountrouting",
        ],
    ),
    (
        PiiClass::ChainAddress,
        &[
            "walletaddress",
            "blockchainaddress",
            "destinationaddress",
            "depositaddress",
        ],
    ),
    (
        PiiClass::IpAddress,
        &["ip", "ipaddress", "clientip", "deviceid", "useragent"],
    ),
    (PiiClass::Username, &["username", "login", "userid"]),
    (PiiClass::Website, &["website"]),
    (
        PiiClass::FreeText,
        &[
            "memo",
            "note",
            "notes",
            "comment",
            "comments",
            "description",
            "message",
            "reference",
            "labels",
        ],
    ),
    (
        PiiClass::Document,
        &["document", "file", "image", "photo", "selfie"],
    ),
];

/// Ends of names of secret fields, in the same form.
const SECRET_ENDS: &[&str] = &[
    "password",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "signingkey",
    "cvv",
    "cvc",
    "pin",
    "otp",
    "credential",
    "credentials",
    "signature",
    "authorizationcode",
];

/// Words of a path that hint at an effect, the strongest first.
const HINTS: &[(Effect, &[&str])] = &[
    (
        Effect::Money,
        &[
            "transfer",
            "transfers",
            "payment",
            "payments",
            "payout",
            "payouts",
            "trade",
            "trades",
            "withdrawal",
            "withdrawals",
            "refund",
            "refunds",
            "orders",
            "execute",
            "executions",
        ],
    ),
    (
        Effect::Mint,
        &[
            "token", "tokens", "login", "session", "sessions", "oauth", "auth", "api-keys",
            "apikeys", "keys", "secrets",
        ],
    ),
    (
        Effect::AccessChange,
        &[
            "users",
            "roles",
            "permissions",
            "permission",
            "access",
            "grant",
            "revoke",
            "consent",
            "consents",
            "webhooks",
            "webhook",
            "subscriptions",
            "members",
            "invitations",
        ],
    ),
];

/// A field name in lower case without separators.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The class that a field of this name would have.
pub fn pii_class(name: &str) -> Option<PiiClass> {
    let name = plain(name);
    PII_NAMES
        .iter()
        .find(|(_, names)| names.contains(&name.as_str()))
        .map(|(class, _)| *class)
}

/// Whether a field of this name would hold a secret.
pub fn is_secret(name: &str) -> bool {
    let name = plain(name);
    SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// The effect that a call seems to have, and the word of its path that hints at it.
pub fn guess_effect(method: &str, path: &str) -> (Effect, Option<String>) {
    if matches!(method, "GET" | "HEAD" | "OPTIONS") {
        return (Effect::Read, None);
    }
    let words: Vec<String> = path.split('/').map(str::to_ascii_lowercase).collect();
    for (effect, hints) in HINTS {
        if let Some(word) = words.iter().find(|word| hints.contains(&word.as_str())) {
            return (*effect, Some(word.clone()));
        }
    }
    (Effect::Write, None)
}

/// Personal and secret fields of a schema.
#[derive(Debug, Default)]
pub struct Fields {
    /// JSON paths by class.
    pub pii: Vec<(PiiClass, Vec<String>)>,
    /// JSON paths.
    pub secrets: Vec<String>,
    nodes: usize,
}

impl Fields {
    /// Walks a schema of a document.
    pub fn of(document: &Value, schema: &Value) -> Self {
        let mut fields = Self::default();
        fields.walk(document, schema, "", 0);
        fields.pii.sort_by_key(|(class, _)| *class);
        fields
    }

    fn walk(&mut self, document: &Value, schema: &Value, path: &str, depth: usize) {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return;
        }
        let schema = resolve(document, schema);
        for joined in ["allOf", "oneOf", "anyOf"] {
            for part in schema
                .get(joined)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.walk(document, part, path, depth + 1);
            }
        }
        if let Some(items) = schema.get("items") {
            self.walk(document, items, &format!("{path}[]"), depth + 1);
        }
        for (name, field) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let at = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let array = resolve(document, field).get("items").is_some();
            let leaf = if array { format!("{at}[]") } else { at.clone() };
            if is_secret(name) {
                add(&mut self.secrets, leaf);
            } else if let Some(class) = pii_class(name) {
                match self.pii.iter_mut().find(|(known, _)| *known == class) {
                    Some((_, paths)) => add(paths, leaf),
                    None => self.pii.push((class, vec![leaf])),
                }
            } else {
                self.walk(document, field, &at, depth + 1);
            }
        }
    }
}

fn add(paths: &mut Vec<String>, path: String) {
    if paths.len() < MAX_PATHS && !paths.contains(&path) {
        paths.push(path);
    }
}

/// What a local `$ref` points at, through a few steps; the value itself if it is no reference or
/// a bad one.
pub fn resolve<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    let mut value = value;
    for _ in 0..MAX_DEPTH {
        let target = value.get("$ref").and_then(Value::as_str);
        match target.and_then(|target| document.pointer(target.strip_prefix('#')?)) {
            Some(next) => value = next,
            None => break,
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_fields_hold() {
        assert_eq!(pii_class("dateOfBirth"), Some(PiiClass::DateOfBirth));
        assert_eq!(pii_class("account_number"), Some(PiiClass::BankAccount));
        assert_eq!(pii_class("quantity"), None);
        assert!(is_secret("access_token") && is_secret("clientSecret") && !is_secret("state"));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let document = serde_json::json!({"components": {"schemas": {"Node": {"properties": {
            "email": {"type": "string"}, "next": {"$ref": "#/components/schemas/Node"}
        }}}}});
        let fields = Fields::of(
            &document,
            &serde_json::json!({"$ref": "#/components/schemas/Node"}),
        );
        let (class, paths) = &fields.pii[0];
        assert_eq!(
            (*class, paths[0].as_str(), paths[1].as_str()),
            (PiiClass::Email, "email", "next.email")
        );
    }
}
