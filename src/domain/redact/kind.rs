//! What a mask stands for. One row for each kind: its name, where it is defined, how a value is
//! checked. The same rows make the table in `docs/redaction.md`.

/// The built-in groups of kinds that a configuration can name.
pub const RULE_SETS: &[(&str, &str)] = &[
    ("payment", "cards, bank accounts, routing numbers"),
    (
        "identity",
        "national numbers, passports, licences, names, dates of birth",
    ),
    (
        "contact",
        "e-mail, telephone, postal address, network address",
    ),
    ("chain", "blockchain addresses, keys and recovery phrases"),
    (
        "credential",
        "tokens, keys, signatures, passwords, cookies, certificates",
    ),
    (
        "structure",
        "what is not known: fields, keys, files, opaque values",
    ),
];

macro_rules! kinds {
    ($($(#[$meta:meta])* $variant:ident = $name:literal, $set:literal, $personal:literal, $source:literal, $check:literal;)+) => {
        /// The kind of a masked value. `User` counts the kinds of the configuration's own rules.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $check] $variant,)+
            /// A kind of the user's own rules, by position.
            User(u8),
        }

        /// Every built-in kind.
        pub const KINDS: &[Row] = &[
            $(Row { kind: Kind::$variant, name: $name, set: $set, personal: $personal, source: $source, check: $check },)+
        ];

        #[allow(clippy::upper_case_acronyms, reason = "the variants of Kind again, for their numbers")]
        enum Index { $($variant,)+ }

        impl Kind {
            /// Position in [`KINDS`]; the user's kinds follow.
            pub(crate) const fn index(self) -> usize {
                match self { $(Self::$variant => Index::$variant as usize,)+ Self::User(n) => KINDS.len() + n as usize }
            }

            /// The word inside the mask. User kinds are named by the redactor.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ Self::User(_) => "user" }
            }

            pub(crate) const fn is_personal(self) -> bool {
                match self { $(Self::$variant => $personal,)+ Self::User(_) => false }
            }
        }
    };
}

/// One row of the list of recognisers.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The kind itself.
    pub kind: Kind,
    /// The word inside the mask.
    pub name: &'static str,
    /// The rule set that it belongs to; see [`RULE_SETS`].
    pub set: &'static str,
    /// Whether it identifies a person, so that a pseudonym may stand for it.
    pub personal: bool,
    /// Where the format is defined.
    pub source: &'static str,
    /// How a value is validated.
    pub check: &'static str,
}

kinds! {
    Card = "card", "payment", true, "ISO/IEC 7812-1", "12 to 19 digits in groups, issuer prefix and length of a brand, Luhn; or a card field";
    CardCode = "card_code", "payment", false, "PCI DSS 4.0, 3.3.1.2", "field or label (cvv, cvc, 3-D Secure code)";
    Iban = "iban", "payment", true, "ISO 13616, SWIFT IBAN registry", "country, length of the country, mod 97; or an IBAN field or label";
    Routing = "routing", "payment", false, "ABA key to routing numbers; UK sort codes", "label or field (nine digits with the ABA checksum are named so)";
    Account = "account", "payment", true, "provider catalogs", "label or field (account number, BBAN, masked PAN)";
    Bic = "bic", "payment", false, "ISO 9362", "field or label";
    Ssn = "ssn", "identity", true, "SSA POMS RM 10201", "AAA-GG-SSSS with an area, group and serial that can be issued or stand for a test; or label or field";
    Itin = "itin", "identity", true, "IRS Publication 1915", "9AA-GG-SSSS with a group of the ITIN ranges; or label or field";
    Ein = "ein", "identity", true, "IRS list of campus prefixes", "PP-SSSSSSS; or label or field";
    NationalId = "national_id", "identity", true, "national authorities: CA SIN, UK NINO, BR CPF and CNPJ, IN Aadhaar and PAN, ES DNI and NIE, IT codice fiscale, FR NIR, DE Steuer-ID, PL PESEL, SE and FI numbers, SG NRIC, CN resident, MX CURP, CL RUT, AR CUIT, TR TCKN, KR RRN, ZA ID", "format and check digits of the country; label or field where the number has none";
    Passport = "passport", "identity", true, "ICAO Doc 9303", "label or field; the machine readable zone by its form";
    Licence = "licence", "identity", true, "issuing states", "label or field";
    DateOfBirth = "dob", "identity", true, "ISO 8601 and usual written forms", "a date with a label or field";
    Name = "name", "identity", true, "provider catalogs; first names; words not in the lexicon", "field or label; first name or unknown words written as a name";
    Username = "username", "identity", true, "provider catalogs", "field or label";
    Personal = "personal", "identity", true, "provider catalogs", "field (citizenship, occupation, gender, documents, security questions, income)";
    Email = "email", "contact", true, "RFC 5321, RFC 6531", "local part, @, domain with a top-level part, also %40-encoded; or field";
    Phone = "phone", "contact", true, "ITU-T E.164, NANP", "+ and 7 to 15 digits, or NANP form with separators; bare digits with a label or field";
    Address = "address", "contact", true, "provider catalogs", "field or label; house number, words, street suffix";
    Ip = "ip", "contact", true, "RFC 791, RFC 4291", "field or label";
    Bitcoin = "btc", "chain", true, "Base58Check, BIP-173, BIP-350", "checksum (Base58Check or Bech32/Bech32m) and version";
    Ethereum = "eth", "chain", true, "EIP-55", "0x and 40 hexadecimal digits, in mixed case with the checksum";
    Chain = "chain_address", "chain", true, "Base58Check versions; Bech32 prefixes; Stellar SEP-23; XRPL base58; CAIP", "checksum of the chain, or form and field";
    Mnemonic = "mnemonic", "chain", false, "BIP-39", "9 or more words of the English list in a row, or fewer after a label";
    ChainKey = "chain_key", "chain", false, "WIF, BIP-32, EIP-2335", "Base58Check with the version of a private key; 64 hexadecimal digits without a known key";
    Jwt = "jwt", "credential", false, "RFC 7519, RFC 7515, RFC 7516", "starts with an encoded JSON header; cut ones too";
    Bearer = "bearer", "credential", false, "RFC 6750", "what follows the scheme, unless it is an ordinary word";
    Basic = "basic", "credential", false, "RFC 7617", "what follows the scheme, unless it is an ordinary word";
    OAuth1 = "oauth1", "credential", false, "RFC 5849", "oauth_* parameters other than method, timestamp and version";
    DirectLogin = "directlogin", "credential", false, "Open Bank Project", "what follows the scheme, header or field";
    GatewayLogin = "gatewaylogin", "credential", false, "Open Bank Project", "what follows the scheme, header or field";
    DAuth = "dauth", "credential", false, "Open Bank Project", "header";
    Consent = "consent", "credential", false, "Open Bank Project, Berlin Group", "header or field (a consent id acts as the credential)";
    Authorization = "authorization", "credential", false, "RFC 9110, 11.6.2", "header or field, every scheme";
    ApiKey = "api_key", "credential", false, "provider catalogs", "header, field, label or vendor prefix";
    Signature = "signature", "credential", false, "Wyre and exchange APIs; AWS SigV4; SAS; GCS V4", "header, field or query parameter";
    CloudKey = "cloud_key", "credential", false, "AWS, Google Cloud, Azure, DigitalOcean, Cloudflare documents", "prefix and length of the vendor";
    SaasKey = "saas_key", "credential", false, "Stripe, GitHub, GitLab, Slack, Twilio, SendGrid, Plaid, npm, PyPI and others", "prefix and length of the vendor";
    PrivateKey = "private_key", "credential", false, "RFC 7468, RFC 4716", "PEM block, also without its end or with escaped line ends";
    Certificate = "certificate", "credential", false, "RFC 7468", "PEM block, header or field";
    Cookie = "cookie", "credential", false, "RFC 6265", "header or field";
    Password = "password", "credential", false, "provider catalogs", "field, label or key=value";
    Pin = "pin", "credential", false, "provider catalogs", "field or label (PIN, one-time code, challenge answer)";
    Secret = "secret", "credential", false, "provider catalogs", "field, label or key=value";
    Token = "token", "credential", false, "provider catalogs; RFC 6749", "field, label or key=value";
    Session = "session", "credential", false, "provider catalogs", "field, label or key=value";
    Userinfo = "userinfo", "credential", false, "RFC 3986, 3.2.1", "what stands before @ in the authority of a URL";
    Url = "url", "credential", false, "provider catalogs", "field of a one-time or presigned URL";
    Opaque = "opaque", "structure", false, "this engine", "long mixed letters and digits, base64 or hexadecimal of text, a UUID without a known key";
    Encoded = "encoded", "structure", false, "RFC 3986, RFC 8259, RFC 4648", "percent, JSON or base64 encoded text that hides another kind";
    Text = "text", "structure", false, "this engine", "words outside the lexicon where free text is not trusted";
    Key = "key", "structure", false, "this engine", "a field name outside the dictionary";
    File = "file", "structure", false, "RFC 7578", "content or name of an uploaded file";
    Unknown = "unknown", "structure", false, "this engine", "the value of a field that is not known, or of the wrong shape for its name";
    Oversize = "oversize", "structure", false, "this engine", "a single value beyond the limit";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_and_a_known_set() {
        for (at, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind.index(), at);
            assert_eq!(row.kind.name(), row.name);
            assert!(
                RULE_SETS.iter().any(|(set, _)| *set == row.set),
                "{}",
                row.set
            );
            assert!(
                !KINDS[..at].iter().any(|other| other.name == row.name),
                "{}",
                row.name
            );
        }
        assert!(KINDS.len() < 64, "the mask of enabled kinds has 64 bits");
    }
}
