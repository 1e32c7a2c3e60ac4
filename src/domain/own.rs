//! What Egret's own commands do is recorded like a call, to the provider `egret`. Here is what such
//! a call is named, what it can do, and what its record says.
//!
//! A record of a reading never says what was found, and of what was asked only which conditions
//! were set: the values could be personal. Whom it was about it says as pseudonyms, so that the
//! question who has looked at a customer also finds those who looked here.

use std::sync::Arc;

use crate::domain::config::{self, Topic};
use crate::domain::record::{
    CallRecord, CallerVia, Fact, Gateway, Pseudonym, Subject, SubjectRole,
};
use crate::domain::resilience::{BreakerState, Change};
use crate::types::{CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType};

/// What follows the name of the node in records of commands, which have a journal of their own.
pub const NODE_SUFFIX: &str = "/cli";

/// Provider under which Egret records what is done to itself.
pub const OWN_PROVIDER: &str = "egret";

/// Reason of a command that ended without saying how.
pub const COMMAND_STOPPED: &str = "command_stopped";

/// Fact: a condition that the question had; once for each.
pub const FILTER: &str = "filter";
/// Fact: how many rows were shown.
pub const ROWS: &str = "rows";
/// Fact: the key of the configuration whose value was changed.
pub const CHANGED_KEY: &str = "key";
/// Fact: how it was changed.
pub const CHANGED_HOW: &str = "how";
/// Fact: the name of the caller whose keys were changed.
pub const OF_CALLER: &str = "of_caller";
/// Fact: who has logged in, where that is not the user who ran the command.
pub const LOGIN: &str = "login";

/// Longest reason that a person may give for a command, in bytes: a sentence and a reference.
pub const MAX_REASON: usize = 200;

/// Longest kind of a subject that is recorded as typed.
const MAX_KIND: usize = 32;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnOperation {
    /// Lists calls.
    AuditQuery,
    /// Shows one call.
    AuditShow,
    /// Shows the last calls and those to come.
    AuditTail,
    /// Counts calls.
    AuditStats,
    /// Makes a report.
    AuditReport,
    /// Copies calls into a file.
    AuditExport,
    /// Gathers everything about a token, a caller or a customer.
    AuditInvestigate,
    /// Checks the evidence.
    AuditVerify,
    /// Writes the proof of a record.
    AuditProve,
    /// Makes the ledger anew.
    AuditRebuild,
    /// Removes records whose time is over.
    AuditPrune,
    /// Erases what leads to a person.
    AuditErase,
    /// Protects records from being removed, or ends that.
    AuditHold,
    /// Lists captures.
    CaptureList,
    /// Shows a capture.
    CaptureRead,
    /// Lists what is locked down.
    LockdownList,
    /// Locks something down.
    LockdownPlace,
    /// Ends a lock.
    LockdownLift,
    /// Leaves an endpoint group alone: the gateway's own doing, as are the next two.
    BreakerOpen,
    /// Lets a few calls through to see whether it is well again.
    BreakerProbe,
    /// Lets all calls through again.
    BreakerClose,
    /// Lists incidents.
    AlertList,
    /// Shows an incident.
    AlertShow,
    /// Takes an incident.
    AlertAck,
    /// Closes an incident.
    AlertClose,
    /// Begins, lists or ends silences.
    AlertSilence,
    /// Tries the channels.
    AlertTest,
    /// Begins a session of the admin API, or fails to.
    AdminLogin,
    /// Ends one.
    AdminLogout,
    /// Looks at figures for a while.
    AdminWatch,
    /// Looks at what is set up.
    AdminSetup,
    /// Asks for what the roles do not allow.
    AdminDenied,
    /// Changes what is logged.
    AdminLog,
    /// Closes a breaker.
    BreakerReset,
    /// Makes a caller and its key.
    CallerAdd,
    /// Makes a caller's next key.
    CallerRotate,
    /// Takes keys back.
    CallerRevoke,
    /// Somebody else may call: the gateway has seen it, as the next three.
    ConfigCallerAdded,
    /// More is let through, shown or forgotten than before.
    ConfigPolicyLoosened,
    /// Other certificates of a bank are trusted than before.
    ConfigPinsChanged,
    /// Calls could not be recorded.
    AuditGap,
    /// Runs the detectors over the ledger.
    DetectReplay,
    /// Explains an incident.
    DetectExplain,
    /// Goes on with another configuration.
    ConfigReload,
    /// Another process takes the place of the gateway's.
    GatewayUpgrade,
}

impl OwnOperation {
    /// Every operation, in the order of `docs/audit-schema.md`.
    pub const ALL: &'static [Self] = &[
        Self::AuditQuery,
        Self::AuditShow,
        Self::AuditTail,
        Self::AuditStats,
        Self::AuditReport,
        Self::AuditExport,
        Self::AuditInvestigate,
        Self::AuditVerify,
        Self::AuditProve,
        Self::AuditRebuild,
        Self::AuditPrune,
        Self::AuditErase,
        Self::AuditHold,
        Self::CaptureList,
        Self::CaptureRead,
        Self::LockdownList,
        Self::LockdownPlace,
        Self::LockdownLift,
        Self::BreakerOpen,
        Self::BreakerProbe,
        Self::BreakerClose,
        Self::AlertList,
        Self::AlertShow,
        Self::AlertAck,
        Self::AlertClose,
        Self::AlertSilence,
        Self::AlertTest,
        Self::AdminLogin,
        Self::AdminLogout,
        Self::AdminWatch,
        Self::AdminSetup,
        Self::AdminDenied,
        Self::AdminLog,
        Self::BreakerReset,
        Self::CallerAdd,
        Self::CallerRotate,
        Self::CallerRevoke,
        Self::ConfigCallerAdded,
        Self::ConfigPolicyLoosened,
        Self::ConfigPinsChanged,
        Self::AuditGap,
        Self::DetectReplay,
        Self::DetectExplain,
        Self::ConfigReload,
        Self::GatewayUpgrade,
    ];

    /// Its id, as in the column `operation`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuditQuery => "audit.query",
            Self::AuditShow => "audit.show",
            Self::AuditTail => "audit.tail",
            Self::AuditStats => "audit.stats",
            Self::AuditReport => "audit.report",
            Self::AuditExport => "audit.export",
            Self::AuditInvestigate => "audit.investigate",
            Self::AuditVerify => "audit.verify",
            Self::AuditProve => "audit.prove",
            Self::AuditRebuild => "audit.rebuild",
            Self::AuditPrune => "audit.prune",
            Self::AuditErase => "audit.erase",
            Self::AuditHold => "audit.hold",
            Self::CaptureList => "capture.list",
            Self::CaptureRead => "capture.read",
            Self::LockdownList => "lockdown.list",
            Self::LockdownPlace => "lockdown.place",
            Self::LockdownLift => "lockdown.lift",
            Self::BreakerOpen => "breaker.open",
            Self::BreakerProbe => "breaker.probe",
            Self::BreakerClose => "breaker.close",
            Self::AlertList => "alert.list",
            Self::AlertShow => "alert.show",
            Self::AlertAck => "alert.ack",
            Self::AlertClose => "alert.close",
            Self::AlertSilence => "alert.silence",
            Self::AlertTest => "alert.test",
            Self::AdminLogin => "admin.login",
            Self::AdminLogout => "admin.logout",
            Self::AdminWatch => "admin.watch",
            Self::AdminSetup => "admin.setup",
            Self::AdminDenied => "admin.denied",
            Self::AdminLog => "admin.log",
            Self::BreakerReset => "breaker.reset",
            Self::CallerAdd => "caller.add",
            Self::CallerRotate => "caller.rotate",
            Self::CallerRevoke => "caller.revoke",
            Self::ConfigCallerAdded => "config.caller_added",
            Self::ConfigPolicyLoosened => "config.policy_loosened",
            Self::ConfigPinsChanged => "config.pins_changed",
            Self::AuditGap => "audit.gap",
            Self::DetectReplay => "detect.replay",
            Self::DetectExplain => "detect.explain",
            Self::ConfigReload => "config.reload",
            Self::GatewayUpgrade => "gateway.upgrade",
        }
    }

    /// What it can do.
    pub const fn effect(self) -> Effect {
        match self {
            Self::AuditQuery
            | Self::AuditShow
            | Self::AuditTail
            | Self::AuditStats
            | Self::AuditReport
            | Self::AuditExport
            | Self::AuditInvestigate
            | Self::AuditVerify
            | Self::AuditProve
            | Self::CaptureList
            | Self::CaptureRead
            | Self::LockdownList
            | Self::AlertList
            | Self::AlertShow
            | Self::AdminWatch
            | Self::AdminSetup
            | Self::AdminDenied
            | Self::DetectReplay
            | Self::DetectExplain => Effect::Read,
            Self::AlertAck
            | Self::AlertClose
            | Self::AlertSilence
            | Self::AlertTest
            | Self::GatewayUpgrade
            | Self::AuditRebuild
            | Self::AuditPrune
            | Self::AuditErase
            | Self::AuditHold
            | Self::BreakerOpen
            | Self::BreakerProbe
            | Self::BreakerClose
            | Self::BreakerReset
            | Self::AdminLogin
            | Self::AdminLogout
            | Self::AdminLog
            | Self::AuditGap => Effect::Write,
            Self::LockdownPlace
            | Self::LockdownLift
            | Self::CallerAdd
            | Self::CallerRotate
            | Self::CallerRevoke
            | Self::ConfigCallerAdded
            | Self::ConfigPolicyLoosened
            | Self::ConfigPinsChanged
            // A configuration says who may do what.
            | Self::ConfigReload => Effect::AccessChange,
        }
    }
}

/// What a command is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCall {
    operation: OwnOperation,
    facts: Vec<Fact>,
    subjects: Vec<Subject>,
}

impl OwnCall {
    /// Nothing but the operation.
    pub fn new(operation: OwnOperation) -> Self {
        Self {
            operation,
            facts: Vec::new(),
            subjects: Vec::new(),
        }
    }

    /// Adds a fact. The value must not be something that a person typed freely.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push(Fact {
            name: name.into(),
            value: value.to_string().into(),
        });
        self
    }

    /// Adds somebody whom it is about.
    #[must_use]
    pub fn subject(mut self, kind: &str, pseudonym: Pseudonym) -> Self {
        let is_word = (1..=MAX_KIND).contains(&kind.len())
            && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        self.subjects.push(Subject {
            // Who confuses kind and value must not put the value on record.
            kind: if is_word { kind } else { "unknown" }.into(),
            role: SubjectRole::Request,
            pseudonym: Some(pseudonym),
        });
        self
    }

    /// Its record before it is done.
    pub fn open(
        self,
        call_id: CallId,
        received_at: Micros,
        gateway: Arc<Gateway>,
        user: &str,
    ) -> CallRecord {
        self.open_for(call_id, received_at, gateway, Some(user))
    }

    /// As [`OwnCall::open`]; without a user for what the gateway does by itself.
    pub fn open_for(
        self,
        call_id: CallId,
        received_at: Micros,
        gateway: Arc<Gateway>,
        user: Option<&str>,
    ) -> CallRecord {
        let mut record = CallRecord::new(call_id, received_at, gateway);
        record.caller.name = user.map(Into::into);
        record.caller.via = match user {
            Some(_) => CallerVia::User,
            None => CallerVia::None,
        };
        record.target.provider = Some(OWN_PROVIDER.into());
        record.target.operation = Some(self.operation.as_str().into());
        record.target.effect = Some(self.operation.effect());
        record.credential.token_type = TokenType::Anonymous;
        record.decision = Decision::Forwarded;
        if !self.subjects.is_empty() {
            // Records of a person are personal data, also under a pseudonym.
            record.pii.insert(PiiClass::Other);
        }
        for subject in self.subjects {
            record.add_subject(subject);
        }
        for fact in self.facts {
            record.add_fact(fact);
        }
        record
    }
}

/// Whose breaker has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerOf {
    /// The provider.
    pub provider: Arc<str>,
    /// Which installation.
    pub environment: Environment,
    /// The endpoint group within the provider.
    pub group: Arc<str>,
}

/// The record of a change of a breaker: it happens at once and needs nobody's leave.
pub fn breaker_changed(
    call_id: CallId,
    now: Micros,
    gateway: Arc<Gateway>,
    of: &BreakerOf,
    change: &Change,
) -> CallRecord {
    let operation = match change.to {
        BreakerState::Open => OwnOperation::BreakerOpen,
        BreakerState::HalfOpen => OwnOperation::BreakerProbe,
        BreakerState::Closed => OwnOperation::BreakerClose,
    };
    let call = OwnCall::new(operation)
        .fact("of_provider", &of.provider)
        .fact("of_environment", of.environment)
        .fact("of_group", &of.group)
        .fact("calls", change.calls)
        .fact("failures", change.failures)
        .fact("slow", change.slow);
    let mut record = call.open_for(call_id, now, gateway, None);
    complete(&mut record, Outcome::Success, None, now);
    record
}

/// Who has changed a configuration, as far as the gateway can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedBy {
    /// The user of the operating system as whom the gateway runs, or who has asked it to reload.
    pub user: String,
    /// When it was seen: `start`, `reload`.
    pub seen: &'static str,
}

/// The record of a change of the configuration that lets more through than before.
pub fn configuration_changed(
    call_id: CallId,
    now: Micros,
    gateway: Arc<Gateway>,
    by: &ChangedBy,
    change: &config::Change,
) -> CallRecord {
    let operation = match change.topic {
        Topic::Caller => OwnOperation::ConfigCallerAdded,
        Topic::Policy => OwnOperation::ConfigPolicyLoosened,
        Topic::Pins => OwnOperation::ConfigPinsChanged,
    };
    let call = OwnCall::new(operation)
        .fact(CHANGED_KEY, &change.key)
        .fact(CHANGED_HOW, &change.how)
        .fact("seen", by.seen);
    let mut record = call.open(call_id, now, gateway, &by.user);
    complete(&mut record, Outcome::Success, None, now);
    record
}

/// The record of calls that could not be recorded, once something can be recorded again.
pub fn gap(
    call_id: CallId,
    now: Micros,
    gateway: Arc<Gateway>,
    refused: u64,
    shed: u64,
) -> CallRecord {
    let call = OwnCall::new(OwnOperation::AuditGap)
        .fact("refused", refused)
        .fact("shed", shed);
    let mut record = call.open(call_id, now, gateway, "");
    record.caller.name = None;
    record.caller.via = CallerVia::None;
    complete(&mut record, Outcome::Success, None, now);
    record
}

/// Completes the record of a command: how it ended, and how many rows it has shown.
pub fn complete(record: &mut CallRecord, outcome: Outcome, rows: Option<u64>, now: Micros) {
    record.outcome = outcome;
    record.times.completed_at = Some(now);
    if let Some(rows) = rows {
        record.add_fact(Fact {
            name: ROWS.into(),
            value: rows.to_string().into(),
        });
    }
}

/// Completes the record of a command that is gone: what it has shown is not known.
pub fn give_up(record: &mut CallRecord) {
    record.outcome = Outcome::Unknown;
    record.reason = Some(COMMAND_STOPPED.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::OperationClass;

    fn gateway() -> Arc<Gateway> {
        Arc::new(Gateway {
            node: "node/cli".into(),
            version: "0".into(),
            config_hash: "h".into(),
        })
    }

    #[test]
    fn a_question_about_a_person_reads_personal_data() {
        let open = |call: OwnCall| call.open(CallId::floor(1), Micros(1), gateway(), "ann");
        let plain = open(OwnCall::new(OwnOperation::AuditQuery).fact(FILTER, "from"));
        assert_eq!(OperationClass::of(&plain), OperationClass::Read);
        assert_eq!(plain.caller.name.as_deref(), Some("ann"));
        assert_eq!(plain.outcome, Outcome::Unknown);
        let pseudonym = Pseudonym::from_bytes([7; 16]);
        let call = OwnCall::new(OwnOperation::AuditQuery).subject("customer", pseudonym);
        let about = open(call);
        assert_eq!(OperationClass::of(&about), OperationClass::PersonalRead);
        assert_eq!(about.subjects[0].pseudonym, Some(pseudonym));
        assert_eq!(&*about.subjects[0].kind, "customer");
    }

    #[test]
    fn what_is_typed_where_a_kind_belongs_is_not_recorded() {
        let pseudonym = Pseudonym::from_bytes([7; 16]);
        let long = "k".repeat(MAX_KIND + 1);
        for kind in ["1234-5678", "Ann Example", "", "a@b.example", &long] {
            let call = OwnCall::new(OwnOperation::AuditQuery).subject(kind, pseudonym);
            assert_eq!(&*call.subjects[0].kind, "unknown", "{kind:?}");
        }
    }

    #[test]
    fn every_operation_has_an_id_of_its_own_and_is_documented() {
        let doc = include_str!("../../docs/audit-schema.md");
        let mut seen = std::collections::HashSet::new();
        for operation in OwnOperation::ALL {
            assert!(seen.insert(operation.as_str()), "{operation:?}");
            let row = format!("| `{}` | {} |", operation.as_str(), operation.effect());
            assert!(doc.contains(&row), "{row}");
        }
    }
}
