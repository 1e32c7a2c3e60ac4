//! Plain data that every part of Egret shares: identifiers, time, secrets and the vocabulary of
//! the audit record. Nothing here decides anything or touches the outside world.

mod ids;
mod secret;
mod time;
mod vocabulary;

pub use ids::{CallId, TraceId};
pub use secret::Secret;
pub use time::Micros;
pub use vocabulary::{
    CredentialFault, CredentialScheme, Decision, Effect, Environment, Outcome, PiiClass, Priority,
    RetryClass, SubjectKind, TokenType, UnknownWord,
};
