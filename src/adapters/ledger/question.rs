//! Which calls are meant, as a person says it: with times before now and raw identifiers. The
//! command line and the admin API both make one of what they are given.

use super::filter::{Filter, IdPrefix, StatusFilter};
use crate::domain::moment::Moment;
use crate::domain::own::{self, OwnCall, OwnOperation};
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{Decision, Effect, Environment, Micros, Outcome, PiiClass, Secret, TokenType};

/// Kind of the identifiers of customers.
pub const CUSTOMER: &str = "customer";

/// An identifier as the person knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSubject {
    /// What it is of, such as `account`.
    pub kind: String,
    /// The identifier.
    pub value: Secret<String>,
}

/// Which calls; all conditions must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Received at or after.
    pub from: Option<Moment>,
    /// Received before.
    pub to: Option<Moment>,
    /// Provider id.
    pub provider: Option<String>,
    /// Service of the provider.
    pub service: Option<String>,
    /// Installation of the provider.
    pub environment: Option<Environment>,
    /// Operation id.
    pub operation: Option<String>,
    /// What the operation can do.
    pub effect: Option<Effect>,
    /// Kind of credential.
    pub token_type: Option<TokenType>,
    /// The token that was used.
    pub fingerprint: Option<Fingerprint>,
    /// The token that the answer handed out.
    pub minted: Option<Fingerprint>,
    /// Status that the caller got.
    pub status: Option<StatusFilter>,
    /// Error code of the vendor.
    pub error_code: Option<String>,
    /// Name of the caller.
    pub caller: Option<String>,
    /// What the gateway did.
    pub decision: Option<Decision>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Did not end well.
    pub failed: bool,
    /// Denied by the gateway, or answered 401 or 403.
    pub auth_failed: bool,
    /// Handed out a token or another secret.
    pub mints: bool,
    /// Carried, or may have carried, personal data.
    pub has_pii: bool,
    /// Of one of these classes.
    pub pii: Vec<PiiClass>,
    /// Concerns this customer.
    pub customer: Option<Secret<String>>,
    /// Concerns these identifiers.
    pub subject: Vec<RawSubject>,
    /// Concerns these, by pseudonym.
    pub pseudonym: Vec<Pseudonym>,
    /// Call id, or how it begins.
    pub call_id: Option<IdPrefix>,
    /// Only calls to banks.
    pub banks_only: bool,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionFault<E> {
    /// No moment is in the period.
    EmptyPeriod {
        /// Where it should begin.
        from: Micros,
        /// Where it should end.
        to: Micros,
    },
    /// Identifiers cannot be hashed.
    Key(E),
}

impl Question {
    /// The filter that it means now. `pseudonymise` turns the kind and the raw value of an
    /// identifier into its pseudonym.
    ///
    /// # Errors
    /// [`QuestionFault`].
    pub fn resolve<E>(
        &self,
        now: Micros,
        pseudonymise: impl Fn(&str, &str) -> Result<Pseudonym, E>,
    ) -> Result<Filter, QuestionFault<E>> {
        let from = self.from.map(|moment| moment.resolve(now));
        let to = self.to.map(|moment| moment.resolve(now));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(QuestionFault::EmptyPeriod { from, to });
        }
        let customer = self.customer.iter().map(|guid| (CUSTOMER, guid.expose()));
        let raw = self.subject.iter().map(|s| (&*s.kind, s.value.expose()));
        let mut subjects = self.pseudonym.clone();
        for (kind, value) in customer.chain(raw) {
            subjects.push(pseudonymise(kind, value).map_err(QuestionFault::Key)?);
        }
        Ok(Filter {
            from,
            to,
            call_id: self.call_id,
            caller: self.caller.clone(),
            provider: self.provider.clone(),
            service: self.service.clone(),
            environment: self.environment,
            operation: self.operation.clone(),
            effect: self.effect,
            token_type: self.token_type,
            fingerprint: self.fingerprint,
            minted: self.minted,
            decision: self.decision,
            outcome: self.outcome,
            status: self.status,
            error_code: self.error_code.clone(),
            pii: self.pii.clone(),
            has_pii: self.has_pii,
            mints: self.mints,
            failed: self.failed,
            auth_failed: self.auth_failed,
            subjects,
            banks_only: self.banks_only,
        })
    }

    /// What is put on record of it: which conditions it has, and whom it is about.
    pub fn on_record(&self, operation: OwnOperation, filter: &Filter) -> OwnCall {
        let conditions = [
            ("provider", self.provider.is_some()),
            ("service", self.service.is_some()),
            ("environment", self.environment.is_some()),
            ("operation", self.operation.is_some()),
            ("effect", self.effect.is_some()),
            ("token-type", self.token_type.is_some()),
            ("fingerprint", self.fingerprint.is_some()),
            ("minted", self.minted.is_some()),
            ("status", self.status.is_some()),
            ("error-code", self.error_code.is_some()),
            ("caller", self.caller.is_some()),
            ("decision", self.decision.is_some()),
            ("outcome", self.outcome.is_some()),
            ("customer", self.customer.is_some()),
            ("subject", !self.subject.is_empty()),
            ("pseudonym", !self.pseudonym.is_empty()),
            ("call-id", self.call_id.is_some()),
            ("pii", !self.pii.is_empty()),
            ("has-pii", self.has_pii),
            ("mints", self.mints),
            ("failed", self.failed),
            ("auth-failed", self.auth_failed),
            ("banks-only", self.banks_only),
        ];
        let mut call = OwnCall::new(operation);
        for (name, _) in conditions.iter().filter(|(_, is_set)| *is_set) {
            call = call.fact(own::FILTER, name);
        }
        for (name, moment) in [("from", filter.from), ("to", filter.to)] {
            if let Some(moment) = moment {
                call = call.fact(name, moment);
            }
        }
        // In the order of `resolve`.
        let kinds = std::iter::repeat_n("unknown", self.pseudonym.len())
            .chain(self.customer.iter().map(|_| CUSTOMER))
            .chain(self.subject.iter().map(|subject| &*subject.kind));
        for (kind, pseudonym) in kinds.zip(&filter.subjects) {
            call = call.subject(kind, *pseudonym);
        }
        call
    }
}
