//! What a credential says about itself: the claims that are worth a place in the record.
//!
//! All of it is unverified. Whatever names a party is a [`Secret`] for the record layer to
//! replace by a keyed pseudonym. The texts (scopes, issuer, audiences, network) come from the
//! caller too: they are recorded only where an allow-list knows them. Claims not named here, such
//! as `email`, `name`, `cbs_token` or `request_headers`, are never read.

use std::fmt;

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::json;
use crate::types::{Micros, Secret, SubjectKind};

/// The longest word of a list, in bytes. The longest Cybrid scope has 36; URLs in `aud` fit.
const MAX_WORD: usize = 256;

/// The most parties one credential names. GatewayLogin has three; the rest is hostile.
const MAX_SUBJECTS: usize = 6;

/// Which names a token's claims go by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `sub_type` says whom `sub` names; `properties.bank_guid`.
    Cybrid,
    /// OAuth 2.0 and OpenID Connect: RFC 9068 and the usual `azp`.
    OAuth2,
    /// OBP GatewayLogin.
    GatewayLogin,
    /// OBP DAuth.
    DAuth,
    /// OBP consent.
    Consent,
}

/// A party that a credential names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its identifier, as sent.
    pub id: Secret<String>,
}

/// `jti`, the id of a token.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenId {
    /// A UUID that opens nothing: it may be recorded.
    Uuid(uuid::Uuid),
    /// Another text, or the id of a consent, which acts as a credential: only for a pseudonym.
    Hidden(Secret<String>),
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uuid(_) => "[uuid]",
            Self::Hidden(_) => "[secret]",
        })
    }
}

/// A list of words without spaces, in the order received. `Debug` shows their number only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Words(String);

impl Words {
    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, word: &str) {
        if word.len() > MAX_WORD {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
    }

    fn set(&mut self, value: &RawValue) {
        self.0.clear();
        self.0.reserve(value.get().len());
        json::words(value, &mut |word| self.push(word));
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} words]", self.iter().count())
    }
}

/// What a credential claims. `Debug` shows which claims there are, and no text of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Cybrid `sub_type`: `organization`, `bank`, `customer`, `internal`, or `other` for any
    /// other text.
    pub sub_type: Option<&'static str>,
    /// `scope` or `scp`, for an allow-list.
    pub scopes: Words,
    /// `iss`, for an allow-list.
    pub issuer: Option<String>,
    /// `aud`, for an allow-list. An OBP consent's audience is a consumer and stands in
    /// `subjects`.
    pub audiences: Words,
    /// `jti`.
    pub token_id: Option<TokenId>,
    /// `exp`.
    pub expires_at: Option<Micros>,
    /// `iat`.
    pub issued_at: Option<Micros>,
    /// DAuth `network_name`, for an allow-list. With it the contract becomes an OBP user.
    pub network: Option<String>,
    /// GatewayLogin `is_first`: OBP then refreshes the user's access to accounts.
    pub is_first: Option<bool>,
    /// Every party named; the first is whom the credential stands for.
    pub subjects: SmallVec<[Subject; 2]>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.subjects.iter().map(|subject| subject.kind);
        f.debug_struct("Claims")
            .field("sub_type", &self.sub_type)
            .field("scopes", &self.scopes)
            .field("issuer", &self.issuer.is_some())
            .field("audiences", &self.audiences)
            .field("token_id", &self.token_id)
            .field("expires_at", &self.expires_at.is_some())
            .field("issued_at", &self.issued_at.is_some())
            .field("network", &self.network.is_some())
            .field("is_first", &self.is_first)
            .field("subjects", &kinds.collect::<SmallVec<[_; MAX_SUBJECTS]>>())
            .finish()
    }
}

impl Claims {
    /// Claims that name one party.
    pub(super) fn naming(kind: SubjectKind, id: &str) -> Self {
        let mut claims = Self::default();
        claims.name(kind, id);
        claims
    }

    /// Whether a party of this kind is named.
    pub(super) fn names(&self, kind: SubjectKind) -> bool {
        self.subjects.iter().any(|subject| subject.kind == kind)
    }

    /// Adds a party, once.
    pub(super) fn name(&mut self, kind: SubjectKind, id: &str) {
        let known = self
            .subjects
            .iter()
            .any(|it| it.kind == kind && it.id.expose() == id);
        if !known && !id.is_empty() && self.subjects.len() < MAX_SUBJECTS {
            self.subjects.push(Subject {
                kind,
                id: Secret::new(id.to_owned()),
            });
        }
    }

    /// Reads a JWT's payload; `None` if it is not a JSON object. A claim of an unexpected type is
    /// left out.
    pub(super) fn read(payload: &str, dialect: Dialect) -> Option<Self> {
        let mut claims = Self::default();
        let mut subject = None;
        json::members(payload, &mut |name, value| match name {
            "sub" => subject = json::text(value),
            "iss" => claims.issuer = json::text(value).map(Into::into),
            "exp" => claims.expires_at = json::whole(value).map(Micros::from_secs),
            "iat" => claims.issued_at = json::whole(value).map(Micros::from_secs),
            "jti" => claims.token_id = token_id(value, dialect),
            "scope" | "scp" => claims.scopes.set(value),
            "aud" if dialect == Dialect::Consent => json::words(value, &mut |word| {
                claims.name(SubjectKind::Consumer, word);
            }),
            "aud" => claims.audiences.set(value),
            _ => claims.read_special(name, value, dialect),
        })?;
        if let Some(id) = subject {
            claims.name_subject(&id, dialect);
        }
        Some(claims)
    }

    fn read_special(&mut self, name: &str, value: &RawValue, dialect: Dialect) {
        let kind = match (dialect, name) {
            (Dialect::Cybrid, "sub_type") => {
                self.sub_type = json::text(value).as_deref().map(sub_type);
                return;
            }
            (Dialect::Cybrid, "properties") => {
                // Properties that are no object hold no bank.
                let _ = json::members(value.get(), &mut |name, value| {
                    if name == "bank_guid" {
                        self.name_text(SubjectKind::Bank, value);
                    }
                });
                return;
            }
            (Dialect::GatewayLogin, "is_first") => {
                self.is_first = json::flag(value);
                return;
            }
            (Dialect::DAuth, "network_name") => {
                self.network = json::text(value).map(Into::into);
                return;
            }
            (Dialect::OAuth2 | Dialect::Consent, "azp" | "client_id")
            | (Dialect::DAuth, "consumer_key")
            | (Dialect::GatewayLogin, "app_id") => SubjectKind::Consumer,
            (Dialect::GatewayLogin, "login_user_name")
            | (Dialect::DAuth, "msg_sender")
            | (Dialect::Consent, "createdByUserId") => SubjectKind::User,
            (Dialect::GatewayLogin, "cbs_id") => SubjectKind::Customer,
            (Dialect::DAuth, "smart_contract_address") => SubjectKind::Contract,
            _ => return,
        };
        self.name_text(kind, value);
    }

    fn name_text(&mut self, kind: SubjectKind, value: &RawValue) {
        if let Some(id) = json::text(value) {
            self.name(kind, &id);
        }
    }

    /// Adds `sub`, in front: it is whom the token stands for, except in a consent, which stands
    /// for the user who gave it.
    fn name_subject(&mut self, id: &str, dialect: Dialect) {
        let kind = match dialect {
            Dialect::Cybrid => match self.sub_type {
                Some("customer") => SubjectKind::Customer,
                Some("bank") => SubjectKind::Bank,
                Some("organization") => SubjectKind::Organization,
                _ => SubjectKind::Unknown,
            },
            // A client credentials token stands for the client itself.
            _ if self.subjects.iter().any(|it| it.id.expose() == id) => return,
            _ => SubjectKind::User,
        };
        let before = self.subjects.len();
        self.name(kind, id);
        if dialect != Dialect::Consent && self.subjects.len() > before {
            self.subjects.rotate_right(1);
        }
    }
}

fn sub_type(text: &str) -> &'static str {
    match text {
        "organization" => "organization",
        "bank" => "bank",
        "customer" => "customer",
        "internal" => "internal",
        _ => "other",
    }
}

fn token_id(value: &RawValue, dialect: Dialect) -> Option<TokenId> {
    let text = json::text(value)?;
    // The short form, 32 digits, is left out: it may as well be a key.
    let is_uuid = text.len() == uuid::fmt::Hyphenated::LENGTH && dialect != Dialect::Consent;
    match uuid::Uuid::try_parse(&text) {
        Ok(id) if is_uuid => Some(TokenId::Uuid(id)),
        _ => Some(TokenId::Hidden(Secret::new(text.into_owned()))),
    }
}
