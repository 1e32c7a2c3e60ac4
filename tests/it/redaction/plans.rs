//! The kinds of the labelled set: how a value is made, which fields carry it, what people write
//! about it.

use super::values::{self as v, Rng};

/// A kind: how values are made, which fields carry it, and how people write about it.
pub struct Plan {
    pub kind: &'static str,
    pub make: fn(&mut Rng) -> String,
    pub fields: &'static [&'static str],
    pub phrases: &'static [&'static str],
    /// A header that carries it, with the text before the value.
    pub headers: &'static [(&'static str, &'static str)],
    /// Recognised in text without any label.
    pub bare: bool,
}

macro_rules! plan {
    ($kind:literal, $make:path, [$($field:literal),*], [$($phrase:literal),*], [$(($h:literal, $p:literal)),*], $bare:literal) => {
        Plan { kind: $kind, make: $make, fields: &[$($field),*], phrases: &[$($phrase),*], headers: &[$(($h, $p)),*], bare: $bare }
    };
}

pub const PLANS: &[Plan] = &[
    plan!(
        "card",
        v::card,
        ["card_number", "cardNumber", "pan", "bank_card_number"],
        ["card {} was declined", "charged {} twice", "PAN: {}"],
        [],
        true
    ),
    plan!(
        "iban",
        v::iban,
        ["iban", "creditorIban", "IBAN"],
        ["pay to IBAN {} now", "transfer to {} failed"],
        [],
        true
    ),
    plan!(
        "routing",
        v::aba,
        ["routing_number", "routingNumber", "aba"],
        ["routing number {} rejected", "ABA {} unknown"],
        [],
        false
    ),
    plan!(
        "account",
        v::account,
        [
            "account_number",
            "accountNumber",
            "beneficiaryAccountNumber"
        ],
        ["account number {} not found", "acct {} closed"],
        [],
        false
    ),
    plan!(
        "ssn",
        v::ssn,
        ["ssn", "social_security_number", "individualSsn", "SSN"],
        ["SSN {} on file", "her social security number is {}"],
        [],
        true
    ),
    plan!(
        "itin",
        v::itin,
        ["itin", "tax_id"],
        ["ITIN {} given", "taxpayer id {}"],
        [],
        true
    ),
    plan!(
        "ein",
        v::ein,
        ["ein", "employer_ein"],
        ["EIN {} of the company"],
        [],
        true
    ),
    plan!(
        "national",
        v::national,
        [
            "national_id",
            "identification_number",
            "nationalIdentifier",
            "tax_number"
        ],
        ["national id {} checked"],
        [],
        false
    ),
    plan!(
        "email",
        v::email,
        [
            "email",
            "email_address",
            "developerEmail",
            "individualEmail"
        ],
        ["mail sent to {}", "user {} not found", "<{}> bounced"],
        [("From", "")],
        true
    ),
    plan!(
        "phone",
        v::phone,
        [
            "phone",
            "phone_number",
            "mobilePhoneNumber",
            "individualCellphoneNumber"
        ],
        ["call {} back", "sms sent to phone {}"],
        [],
        true
    ),
    plan!(
        "dob",
        v::dob,
        [
            "date_of_birth",
            "dob",
            "dateOfBirth",
            "individualDateOfBirth"
        ],
        ["born {} in town", "date of birth: {}"],
        [],
        false
    ),
    plan!(
        "passport",
        v::passport,
        ["passport_number", "passportNo"],
        ["passport {} expired", "passport number: {}"],
        [],
        false
    ),
    plan!(
        "licence",
        v::licence,
        ["drivers_license", "driving_licence_number"],
        ["driver's license {} scanned"],
        [],
        false
    ),
    plan!(
        "name",
        v::name,
        [
            "full_name",
            "legalName",
            "holder",
            "beneficiaryName",
            "nameOnAccount"
        ],
        ["customer {} is frozen", "Dear {}, welcome"],
        [],
        true
    ),
    plan!(
        "address",
        v::address,
        [
            "address",
            "street_address",
            "residence_address",
            "addressLine1"
        ],
        ["lives at {} today", "ship to {} please"],
        [],
        true
    ),
    plan!(
        "btc",
        v::btc,
        ["btc_address", "deposit_address", "network_address"],
        ["sent to {} on chain", "wallet {} funded"],
        [],
        true
    ),
    plan!(
        "eth",
        v::eth,
        ["eth_address", "wallet_address", "smart_contract_address"],
        ["withdraw to {} queued"],
        [],
        true
    ),
    plan!(
        "mnemonic",
        v::mnemonic,
        ["mnemonic", "seed_phrase", "recovery_phrase"],
        ["recovery phrase: {}", "words were {} !"],
        [],
        true
    ),
    plan!(
        "jwt",
        v::jwt,
        ["access_token", "id_token", "jwt", "refreshToken"],
        ["token {} expired", "got {} back"],
        [
            ("Authorization", "Bearer "),
            ("DAuth", ""),
            ("GatewayLogin", ""),
            ("Consent-JWT", "")
        ],
        true
    ),
    plan!(
        "bearer",
        v::opaque,
        ["access_token", "bearer_token", "sessionToken"],
        ["Authorization: Bearer {}", "bearer {} refused"],
        [
            ("Authorization", "Bearer "),
            ("proxy-authorization", "Bearer "),
            ("X-Auth-Token", "")
        ],
        true
    ),
    plan!(
        "basic",
        v::basic,
        ["basic_auth", "authorization"],
        ["Authorization: Basic {}", "sent Basic {} to the server"],
        [("Authorization", "Basic "), ("AUTHORIZATION", "basic ")],
        true
    ),
    plan!(
        "oauth1",
        v::opaque,
        [
            "oauth_token",
            "oauth_signature",
            "oauth_verifier",
            "oauth_token_secret"
        ],
        [
            "oauth_token={}&oauth_version=1.0",
            "OAuth oauth_signature=\"{}\""
        ],
        [(
            "Authorization",
            "OAuth oauth_consumer_key=\"k\", oauth_signature="
        )],
        true
    ),
    plan!(
        "directlogin",
        v::opaque,
        ["directlogin_token", "DirectLogin"],
        ["DirectLogin token={} sent", "DirectLogin token=\"{}\""],
        [
            ("DirectLogin", "token="),
            ("Authorization", "DirectLogin token=")
        ],
        true
    ),
    plan!(
        "consent",
        v::uuid,
        ["consent_id", "consentId"],
        ["consent {} used as proof", "Consent-Id: {}"],
        [("Consent-Id", ""), ("Consent-ID", "")],
        true
    ),
    plan!(
        "api_key",
        v::api_key,
        ["api_key", "apiKey", "consumer_key", "x-api-key"],
        ["api key {} revoked", "apiKey={}"],
        [
            ("X-Api-Key", ""),
            ("Consumer-Key", ""),
            ("CB-ACCESS-KEY", "")
        ],
        true
    ),
    plan!(
        "signature",
        v::signature,
        ["signature", "x_signature", "X-Amz-Signature"],
        ["signature {} does not match", "sig={}"],
        [
            ("X-Api-Signature", ""),
            ("X-Cybrid-Signature", ""),
            ("KC-API-SIGN", "")
        ],
        true
    ),
    plan!(
        "cloud",
        v::cloud,
        ["aws_secret_access_key", "secret_key", "accessKeyId"],
        ["using {} for s3", "export KEY={}"],
        [("X-Amz-Security-Token", "")],
        true
    ),
    plan!(
        "saas",
        v::saas,
        ["stripe_key", "plaid_public_token", "processorToken"],
        ["key {} was rotated", "with {} again"],
        [("Stripe-Key", "")],
        true
    ),
    plan!(
        "pem",
        v::pem,
        ["private_key", "signing_key"],
        ["loaded {} from disk"],
        [],
        true
    ),
    plan!(
        "cookie",
        v::session,
        ["cookie", "JSESSIONID", "session_id"],
        ["Cookie: JSESSIONID={}", "session {} ended"],
        [("Cookie", "JSESSIONID="), ("Set-Cookie", "JSESSIONID=")],
        true
    ),
    plan!(
        "presigned",
        v::signature,
        ["upload_url", "download_url"],
        ["see https://bucket.s3.amazonaws.com/doc.pdf?X-Amz-Signature={}&X-Amz-Expires=300"],
        [(
            "Location",
            "https://bucket.s3.amazonaws.com/doc.pdf?X-Amz-Signature="
        )],
        true
    ),
    plan!(
        "password",
        v::password,
        ["password", "client_secret", "passphrase", "user_pwd"],
        [
            "password is {}",
            "password={} user=x",
            "login with password: {}",
            "pwd:{}"
        ],
        [("CB-ACCESS-PASSPHRASE", ""), ("X-Password", "")],
        false
    ),
    plan!(
        "uuid_token",
        v::uuid,
        ["token", "api_token", "invite_token"],
        ["use {} to log in", "token {} accepted"],
        [("X-Auth-Token", "")],
        true
    ),
];
