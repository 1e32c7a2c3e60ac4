//! The words of the audit record. Each has one spelling, used in the code, the configuration,
//! the provider files, the ledger and the documents.

use std::fmt;
use std::str::FromStr;

/// A word that is not part of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} {found:?}; use one of: {allowed}")]
pub struct UnknownWord {
    /// Which vocabulary, for the message.
    pub kind: &'static str,
    /// What was found.
    pub found: String,
    /// What is allowed, comma separated.
    pub allowed: String,
}

/// Defines an enum whose variants have exactly one spelling.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $kind:literal { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
        }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord {
                        kind: $kind,
                        found: text.to_owned(),
                        allowed: [$($word),+].join(", "),
                    }),
                }
            }
        }
    };
}

words! {
    /// What a call can do to the world at the bank.
    Effect, "effect" {
        /// Changes nothing.
        Read = "read",
        /// Creates or changes a resource.
        Write = "write",
        /// Moves money, or commits to moving it.
        Money = "money",
        /// Creates a token, a key or another secret.
        Mint = "mint",
        /// Changes who may do or see what.
        AccessChange = "access-change",
    }
}

words! {
    /// How urgent a call is, the most urgent first: the order of precedence where the bank's
    /// allowance is not enough for all.
    Priority, "priority" {
        /// Moves money, or mints the token that is needed for it.
        Money = "money",
        /// Changes something.
        Write = "write",
        /// Reads something that somebody waits for.
        Read = "read",
        /// Can wait: reconciliation, exports, polling.
        Batch = "batch",
    }
}

words! {
    /// Which installation of the provider is called.
    Environment, "environment" {
        /// The provider's test installation.
        Sandbox = "sandbox",
        /// The live installation.
        Production = "production",
    }
}

words! {
    /// What the gateway did with a request.
    Decision, "decision" {
        /// Passed on to the bank.
        Forwarded = "forwarded",
        /// The caller is not known, or may not do this.
        Denied = "denied",
        /// Refused to keep within a limit.
        Limited = "limited",
        /// Not a request that the gateway understands or dares to pass on.
        Refused = "refused",
        /// Could not be served: no record could be kept, or no connection made.
        Unavailable = "unavailable",
    }
}

words! {
    /// How the call ended, as far as the caller's interest at the bank is concerned.
    Outcome, "outcome" {
        /// The bank answered 2xx or 3xx.
        Success = "success",
        /// The bank answered an error, or the call certainly never reached it.
        Failure = "failure",
        /// The bank may have seen the call, but its answer never came.
        Unknown = "unknown",
        /// The caller went away before the answer was complete.
        Cancelled = "cancelled",
    }
}

words! {
    /// How requests to a provider carry credentials.
    CredentialScheme, "credential scheme" {
        /// Cybrid: bearer JWTs with a `sub_type` claim, client credentials at `/oauth/token`.
        Cybrid = "cybrid",
        /// Open Bank Project: DirectLogin, OAuth 1.0a, OAuth 2.0, GatewayLogin, DAuth, consents.
        Obp = "obp",
        /// Wyre: API key and signature, or a session token.
        Wyre = "wyre",
        /// OAuth 2.0 bearer tokens (RFC 6750), for APIs that users add.
        Bearer = "bearer",
    }
}

words! {
    /// When the gateway may send a call again.
    RetryClass, "retry class" {
        /// After any failure: the call changes nothing.
        Read = "read",
        /// Only if the bank has not acted on it: nothing was sent, or the bank refused it before it
        /// looked at it.
        Unsent = "unsent",
        /// Only if nothing reached the bank: even a refused call may use something up.
        Never = "never",
    }
}

words! {
    /// The kind of credential that a request carries, as the provider would see it.
    TokenType, "token type" {
        /// No credential.
        Anonymous = "anonymous",
        /// Something that claims to be a credential but is not well formed.
        Malformed = "malformed",
        /// A well formed credential of no known kind, or one that was not looked at because the
        /// request was refused before.
        Unknown = "unknown",
        /// Cybrid organization token.
        Organization = "organization",
        /// Cybrid bank token.
        Bank = "bank",
        /// Cybrid customer token.
        Customer = "customer",
        /// OAuth 2.0 client credentials in the body or by HTTP Basic, at a token endpoint.
        ClientCredentials = "client_credentials",
        /// OBP DirectLogin token.
        DirectLogin = "direct_login",
        /// OBP DirectLogin user name, password and consumer key.
        DirectLoginCredentials = "direct_login_credentials",
        /// OAuth 1.0a signed request.
        OAuth1 = "oauth1",
        /// OAuth 2.0 bearer token.
        OAuth2Bearer = "oauth2_bearer",
        /// OBP GatewayLogin token.
        GatewayLogin = "gateway_login",
        /// OBP DAuth token.
        DAuth = "dauth",
        /// OBP consent as a JWT.
        ConsentJwt = "consent_jwt",
        /// OBP consent by id.
        ConsentId = "consent_id",
        /// Berlin Group consent id.
        BerlinGroupConsent = "berlin_group_consent",
        /// A client certificate, or its PEM in `PSD2-CERT`.
        MtlsCert = "mtls_cert",
        /// HTTP Basic.
        Basic = "basic",
        /// HTTP Basic client authentication at an OIDC token endpoint.
        BasicClient = "basic_client",
        /// A shared secret in the query.
        SharedSecretQuery = "shared_secret_query",
        /// A browser session cookie.
        BrowserSession = "browser_session",
        /// Wyre API key with signature.
        WyreSignature = "wyre_signature",
        /// Wyre bearer session token.
        WyreSessionToken = "wyre_session_token",
        /// Wyre secret key sent to obtain an API key.
        WyreSessionMint = "wyre_session_mint",
    }
}

words! {
    /// Why a credential is not as its scheme says, or why it was not read.
    CredentialFault, "credential fault" {
        /// The header or parameter is there, but has no value.
        Empty = "empty",
        /// Longer than the gateway reads; nothing of it was looked at.
        TooLong = "too_long",
        /// Control, space or non-ASCII bytes where a token has none.
        BadCharacters = "bad_characters",
        /// A JWT was due, and this is none: wrong parts, base64url or JSON.
        NotAJwt = "not_a_jwt",
        /// A JWT with an empty signature.
        UnsignedJwt = "unsigned_jwt",
        /// A JWT whose claims are longer than the gateway reads.
        ClaimsTooLong = "claims_too_long",
        /// A JWT without the claims that its scheme demands.
        MissingClaims = "missing_claims",
        /// A header without the parameters that its scheme demands.
        MissingParameters = "missing_parameters",
        /// HTTP Basic that is not base64 of `user:password` (RFC 7617).
        BadBasic = "bad_basic",
        /// An OBP consent header that holds neither a UUID nor a JWT.
        NotAConsentId = "not_a_consent_id",
        /// More than one `Authorization` header.
        TwoAuthorizationHeaders = "two_authorization_headers",
        /// Another credential header sent more than once.
        RepeatedHeader = "repeated_header",
        /// A credential parameter of the query sent more than once.
        RepeatedParameter = "repeated_parameter",
        /// More than one kind of OBP consent header; late servers refuse it (OBP-20250).
        TwoConsentHeaders = "two_consent_headers",
        /// Wyre signature without the API key.
        SignatureWithoutKey = "signature_without_key",
        /// Wyre API key without the signature.
        KeyWithoutSignature = "key_without_signature",
        /// A signature that does not look like one.
        BadSignature = "bad_signature",
        /// The scheme's name is in a case that the provider may not know.
        SchemeCase = "scheme_case",
    }
}

words! {
    /// What kind of party an identifier names.
    SubjectKind, "subject kind" {
        /// A customer of the bank.
        Customer = "customer",
        /// A bank (Cybrid's word for a tenant).
        Bank = "bank",
        /// An organization that owns banks.
        Organization = "organization",
        /// A user of the provider.
        User = "user",
        /// A smart contract that acts as a user (OBP DAuth).
        Contract = "contract",
        /// A registered application: OBP consumer, OAuth client.
        Consumer = "consumer",
        /// A party whose kind the credential does not say.
        Unknown = "unknown",
    }
}

words! {
    /// What kind of personal data a field holds.
    PiiClass, "PII class" {
        /// Names of people.
        PersonName = "person_name",
        /// Postal address.
        PostalAddress = "postal_address",
        /// Date of birth.
        DateOfBirth = "date_of_birth",
        /// Telephone number.
        Phone = "phone",
        /// E-mail address.
        Email = "email",
        /// Passport, licence, social security, tax and similar numbers.
        GovernmentId = "government_id",
        /// Citizenship or nationality.
        Citizenship = "citizenship",
        /// Occupation or employer.
        Occupation = "occupation",
        /// Bank account, card or routing number.
        BankAccount = "bank_account",
        /// Address or tag on a blockchain.
        ChainAddress = "chain_address",
        /// Balance, amount or transaction tied to a person.
        Financial = "financial",
        /// Image or file of a document.
        Document = "document",
        /// Network address or device of a person.
        IpAddress = "ip_address",
        /// User name or user id.
        Username = "username",
        /// Answer to a security question.
        SecurityQuestion = "security_question",
        /// Web site of a person or company.
        Website = "website",
        /// Company data of a business customer.
        Business = "business",
        /// Text that can hold anything.
        FreeText = "free_text",
        /// Personal data of a kind that the catalog does not name.
        Other = "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_parses_back() {
        for word in TokenType::ALL {
            assert_eq!(word.as_str().parse::<TokenType>().unwrap(), *word);
        }
        for word in CredentialFault::ALL {
            assert_eq!(word.as_str().parse::<CredentialFault>().unwrap(), *word);
        }
        for word in SubjectKind::ALL {
            assert_eq!(word.as_str().parse::<SubjectKind>().unwrap(), *word);
        }
        for word in Effect::ALL {
            assert_eq!(word.as_str().parse::<Effect>().unwrap(), *word);
        }
    }

    #[test]
    fn an_unknown_word_says_what_is_allowed() {
        let error = "reed".parse::<Effect>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown effect \"reed\"; use one of: read, write, money, mint, access-change"
        );
    }
}
