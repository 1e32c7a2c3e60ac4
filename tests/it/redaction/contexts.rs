//! Secrets in the contexts that people and programs write them in.

use egret::domain::redact::Surface;

use super::generate::{Maker, escape, percent};
use super::plans::PLANS;

/// Passwords, also of ordinary words.
const PASSWORDS: &[&str] = &[
    "hunter2xyz",
    "Tr0ub4dor&3",
    "correct horse battery staple",
    "qwertyuiop",
    "MyDogSpot",
    "open sesame now",
];

/// What stands around a quoted password.
const QUOTED: &[&str] = &[
    "the password is \"{}\"",
    "password: '{}'",
    "password -> \"{}\"",
    "password => '{}'",
    "user set password to \"{}\" yesterday",
    "Password was `{}`",
    "his password (\"{}\") leaked",
    "DB_PASSWORD='{}'",
    "--password \"{}\"",
    "api secret is \"{}\"",
    "passphrase is \u{201c}{}\u{201d}",
    "The client secret is \"{}\".",
    "with credentials admin / \"{}\"",
];

/// The same without quotation marks, for passwords of one word.
const BARE: &[&str] = &[
    "the password is {}",
    "password -> {}",
    "password\u{2192}{}",
    "--password {}",
    "--password={}",
    "mysql -u root -p{}",
    "postgres://app:{}@db.example:5432/main",
    "username/password: admin/{}",
    "new password is now {}",
];

/// A value, its kind, and sentences about it.
const SAID: &[(&str, &str, &[&str])] = &[
    (
        "dob",
        "21 March 1987",
        &["born on {}", "d.o.b. {}", "Birth date - {}"],
    ),
    ("dob", "21.03.1987", &["geboren am {}", "Geburtsdatum: {}"]),
    (
        "passport",
        "C01X00T47",
        &["Passport No. {}", "passport #{}"],
    ),
    (
        "licence",
        "D1234567",
        &["driver license number: {}", "DL# {}"],
    ),
    (
        "national",
        "046 454 286",
        &["SIN {}", "social insurance number {}"],
    ),
    (
        "national",
        "AB 12 34 56 C",
        &["NI number {}", "the number {} was sent"],
    ),
    ("national", "2341 2341 2346", &["Aadhaar {}"]),
    (
        "account",
        "87654321",
        &["a/c no {}", "acct: {}", "sort code 20-30-40 account {}"],
    ),
    ("phone", "0044 7700 900123", &["{}", "reached at {} today"]),
    ("phone", "07700 900123", &["mobile: {}", "call {}"]),
    ("username", "jdoe_1987", &["username {}", "user name is {}"]),
    (
        "pin",
        "482913",
        &["one-time code: {}", "your code is {}", "2FA code {}"],
    ),
    (
        "iban",
        "nl91 abna 0417 1643 00",
        &["iban: {}", "iban={} done"],
    ),
];

/// Names of members that make a pair.
const PAIRS: &[(&str, &str)] = &[
    ("name", "value"),
    ("key", "val"),
    ("type", "value"),
    ("label", "content"),
    ("fieldId", "value"),
];

/// Presigned URLs: what follows `?`, and what of it is secret.
const PRESIGNED: &[(&str, &[&str])] = &[
    (
        "X-Amz-Credential=AKIAQ3EGRIZZ5WPLMN2X%2F20261122%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261122T000000Z&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0",
        &["AKIAQ3EGRIZZ5WPLMN2X", "fe5f80f77d5fa3beca038a248ff027d0"],
    ),
    (
        "AWSAccessKeyId=AKIAQ3EGRIZZ5WPLMN2X&Expires=1795305338&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D",
        &["AKIAQ3EGRIZZ5WPLMN2X", "NpgCjnDzrM%2BWFzoENXmpNDUsSn8"],
    ),
    (
        "GoogleAccessId=svc%40proj.iam.gserviceaccount.com&Signature=aBcDeFgHiJkLmNoPqRsTuVwXyZ0123%2F%3D",
        &["aBcDeFgHiJkLmNoPqRsTuVwXyZ0123"],
    ),
    (
        "sv=2022-11-02&se=2026-11-23T00%3A00%3A00Z&sr=b&sp=r&sig=Qz8x7vB2nM5kLpR9tYwE3aSdFgHjKlZxCvBnM%2B1234%3D",
        &["Qz8x7vB2nM5kLpR9tYwE3aSdFgHjKlZxCvBnM"],
    ),
    (
        "Policy=eyJTdGF0ZW1lbnQiOlt7fV19&Signature=abcDEF123~xyz-0987654321&Key-Pair-Id=APKAEIBAERJR2EXAMPLE",
        &["abcDEF123~xyz-0987654321", "eyJTdGF0ZW1lbnQiOlt7fV19"],
    ),
];

impl Maker {
    /// All of them.
    pub fn contexts(&mut self) {
        for password in PASSWORDS {
            let forms = QUOTED
                .iter()
                .chain(BARE.iter().filter(|_| !password.contains(' ')));
            for form in forms {
                self.planted(
                    "password",
                    Surface::Text,
                    format!("{}\n", form.replace("{}", password)),
                    &[password],
                );
            }
        }
        for (kind, value, forms) in SAID {
            for form in *forms {
                let said = form.replace("{}", value);
                self.planted(
                    kind,
                    Surface::Text,
                    format!("2026-11-22T02:31:07Z WARN {said}\n"),
                    &[value],
                );
                self.planted(
                    kind,
                    Surface::Json,
                    format!("{{\"message\":\"{said}\"}}"),
                    &[value],
                );
            }
        }
        for (query, secrets) in PRESIGNED {
            let url = format!("https://b.s3.amazonaws.com/d?{query}");
            self.planted("presigned", Surface::Query, (*query).to_owned(), secrets);
            self.planted("presigned", Surface::Path, format!("/d?{query}"), secrets);
            self.planted(
                "presigned",
                Surface::Json,
                format!("{{\"href\":\"{url}\"}}"),
                secrets,
            );
            self.planted(
                "presigned",
                Surface::Header,
                format!("Location: {url}\r\n"),
                secrets,
            );
            self.planted(
                "presigned",
                Surface::Text,
                format!("GET {url} 403\n"),
                secrets,
            );
        }
        for plan in PLANS {
            let value = (plan.make)(&mut self.rng);
            let (field, text) = (plan.fields[0], escape(&value));
            for (name, held) in PAIRS {
                for input in [
                    format!("{{\"items\":[{{\"{name}\":\"{field}\",\"{held}\":\"{text}\"}}]}}"),
                    format!("{{\"items\":[{{\"{held}\":\"{text}\",\"{name}\":\"{field}\"}}]}}"),
                ] {
                    self.planted(plan.kind, Surface::Json, input, &[&value]);
                }
                let input = format!("{name}={field}&{held}={}", percent(&value));
                self.planted(plan.kind, Surface::Form, input, &[&value]);
            }
            let nested = escape(&escape(&format!("{{\"{field}\":\"{text}\"}}")));
            let input = format!("{{\"a\":\"{{\\\"b\\\":\\\"{nested}\\\"}}\"}}");
            self.planted(plan.kind, Surface::Json, input, &[&value]);
        }
        for field in [
            "guid",
            "trace_id",
            "request_id",
            "version",
            "port",
            "timestamp",
        ] {
            let number = "482913570264";
            self.planted(
                "number",
                Surface::Json,
                format!("{{\"{field}\":\"{number}\"}}"),
                &[number],
            );
            self.planted(
                "number",
                Surface::Query,
                format!("{field}={number}"),
                &[number],
            );
            self.planted(
                "number",
                Surface::Text,
                format!("{field}={number} ok\n"),
                &[number],
            );
        }
    }
}
