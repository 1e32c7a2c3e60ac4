//! Events as bytes. `docs/design/journal.md` has the table of tags; a tag keeps its meaning for
//! ever.

use std::net::SocketAddr;

use smallvec::SmallVec;

use super::event::{Gap, Start};
use super::fields::{Writer, push_length};
use super::frame::push_opening;
use crate::domain::evidence::{Commitment, Opening, Salt};
use crate::domain::record::{CallRecord, CallerVia, Subject, SubjectRole};

pub(super) mod tag {
    pub(in super::super) const NODE: u8 = 1;
    pub(in super::super) const VERSION: u8 = 2;
    pub(in super::super) const CONFIG_HASH: u8 = 3;
    pub(in super::super) const RECEIVED_AT: u8 = 4;
    pub(in super::super) const CALLER: u8 = 5;
    pub(in super::super) const CALLER_VIA: u8 = 6;
    pub(in super::super) const CALLER_KEY: u8 = 7;
    pub(in super::super) const CALLER_ADDRESS: u8 = 8;
    pub(in super::super) const PROVIDER: u8 = 9;
    pub(in super::super) const SERVICE: u8 = 10;
    pub(in super::super) const ENVIRONMENT: u8 = 11;
    pub(in super::super) const OPERATION: u8 = 12;
    pub(in super::super) const EFFECT: u8 = 13;
    pub(in super::super) const METHOD: u8 = 14;
    pub(in super::super) const PATH_TEMPLATE: u8 = 15;
    pub(in super::super) const QUERY: u8 = 16;
    pub(in super::super) const ACCEPT_VERSION: u8 = 17;
    pub(in super::super) const TOKEN_TYPE: u8 = 18;
    pub(in super::super) const TOKEN_PRESENT: u8 = 19;
    pub(in super::super) const TOKEN_SCOPE: u8 = 20;
    pub(in super::super) const TOKEN_SCOPES_UNLISTED: u8 = 21;
    pub(in super::super) const TOKEN_JTI: u8 = 22;
    pub(in super::super) const TOKEN_EXPIRES_AT: u8 = 23;
    pub(in super::super) const TOKEN_ISSUER: u8 = 24;
    pub(in super::super) const TOKEN_FAULT: u8 = 25;

    pub(in super::super) const FORWARDED_AT: u8 = 32;
    pub(in super::super) const FIRST_BYTE_AT: u8 = 33;
    pub(in super::super) const COMPLETED_AT: u8 = 34;
    pub(in super::super) const TOKEN_FINGERPRINT: u8 = 35;
    pub(in super::super) const SUBJECT: u8 = 36;
    pub(in super::super) const FACT: u8 = 37;
    pub(in super::super) const PII: u8 = 38;
    pub(in super::super) const MINT_KIND: u8 = 39;
    pub(in super::super) const MINT_FINGERPRINT: u8 = 40;
    pub(in super::super) const MINT_EXPIRES_AT: u8 = 41;
    pub(in super::super) const DECISION: u8 = 42;
    pub(in super::super) const REASON: u8 = 43;
    pub(in super::super) const OUTCOME: u8 = 44;
    pub(in super::super) const STATUS: u8 = 45;
    pub(in super::super) const ERROR_CODE: u8 = 46;
    pub(in super::super) const ATTEMPTS: u8 = 47;
    pub(in super::super) const REQUEST_BYTES: u8 = 48;
    pub(in super::super) const RESPONSE_BYTES: u8 = 49;
    pub(in super::super) const UPSTREAM: u8 = 50;
    pub(in super::super) const TLS_VERSION: u8 = 51;
    pub(in super::super) const TRACE_ID: u8 = 52;
    pub(in super::super) const SUBJECTS_TOLD: u8 = 53;

    pub(in super::super) const AT: u8 = 64;
    pub(in super::super) const CUT_BYTES: u8 = 65;
    pub(in super::super) const TO: u8 = 66;
    pub(in super::super) const REFUSED: u8 = 67;
    pub(in super::super) const SHED: u8 = 68;
    pub(in super::super) const DROPPED: u8 = 69;
    pub(in super::super) const NOTE: u8 = 70;
}

/// The commitments of one step: a call has a handful of subjects.
pub(super) type Commitments = SmallVec<[Commitment; 4]>;

/// An event's bytes but for the payload's prefix.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The fields of the payload.
    pub fields: Vec<u8>,
    /// What lies behind it: [`super::OPENING`] bytes for each subject that the fields commit to.
    pub openings: Vec<u8>,
}

impl Encoded {
    /// Makes it empty, keeping its room.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.openings.clear();
    }
}

/// Appends a call's step. `known` is how many of its subjects earlier steps have told; `None` for
/// the first step, which says everything. Later steps leave out what cannot change.
///
/// The salts must be random, and each is used once: `salt` is asked for one per subject. A subject
/// that was erased has nothing to show and is left out.
///
/// # Errors
/// What `salt` says. Nothing that was appended may be used then.
pub fn encode_call<E>(
    out: &mut Encoded,
    known: Option<usize>,
    record: &CallRecord,
    mut salt: impl FnMut() -> Result<Salt, E>,
) -> Result<(), E> {
    let told = known.unwrap_or(0).min(record.subjects.len());
    let (_, fresh) = record.subjects.split_at(told);
    let mut commitments = Commitments::new();
    let mut shown: SmallVec<[&Subject; 4]> = SmallVec::new();
    for subject in fresh {
        let Some(pseudonym) = subject.pseudonym else {
            continue;
        };
        let opening = Opening {
            salt: salt()?,
            pseudonym,
        };
        shown.push(subject);
        commitments.push(opening.commit());
        push_opening(&mut out.openings, &opening);
    }
    let subjects = shown.into_iter().zip(&commitments);
    encode_step(&mut out.fields, known.map(|_| told), record, subjects);
    Ok(())
}

/// Appends the fields of a call's step: with what cannot change if there is no step before it, and
/// with these subjects, the first of which comes after `told` others.
pub(super) fn encode_step<'a>(
    out: &mut Vec<u8>,
    told: Option<usize>,
    record: &CallRecord,
    subjects: impl ExactSizeIterator<Item = (&'a Subject, &'a Commitment)>,
) {
    out.extend_from_slice(record.call_id.as_bytes());
    let mut fields = Writer(out);
    if told.is_none() {
        encode_request(&mut fields, record);
    }
    let told = told.filter(|_| subjects.len() > 0).unwrap_or(0);
    encode_state(&mut fields, record, subjects);
    fields.count(tag::SUBJECTS_TOLD, told as u64);
}

/// What does not change once the record is open.
fn encode_request(fields: &mut Writer<'_>, record: &CallRecord) {
    let CallRecord {
        gateway,
        times,
        caller,
        target,
        credential,
        ..
    } = record;
    fields.text(tag::NODE, &gateway.node);
    fields.text(tag::VERSION, &gateway.version);
    fields.text(tag::CONFIG_HASH, &gateway.config_hash);
    fields.signed(tag::RECEIVED_AT, times.received_at.0);
    fields.some_text(tag::CALLER, caller.name.as_deref());
    if caller.via != CallerVia::None {
        fields.text(tag::CALLER_VIA, caller.via.as_str());
    }
    fields.some_text(tag::CALLER_KEY, caller.key_id.as_deref());
    if let Some(address) = caller.address {
        push_address(fields, tag::CALLER_ADDRESS, address);
    }
    fields.some_text(tag::PROVIDER, target.provider.as_deref());
    fields.some_text(tag::SERVICE, target.service.as_deref());
    fields.some_text(
        tag::ENVIRONMENT,
        target.environment.map(|word| word.as_str()),
    );
    fields.some_text(tag::OPERATION, target.operation.as_deref());
    fields.some_text(tag::EFFECT, target.effect.map(|word| word.as_str()));
    fields.text(tag::METHOD, target.method);
    fields.some_text(tag::PATH_TEMPLATE, target.path_template.as_deref());
    fields.some_text(tag::QUERY, target.query.as_deref());
    fields.some_text(tag::ACCEPT_VERSION, target.accept_version.as_deref());
    fields.text(tag::TOKEN_TYPE, credential.token_type.as_str());
    for kind in &credential.present {
        fields.text(tag::TOKEN_PRESENT, kind.as_str());
    }
    for scope in &credential.scopes {
        fields.text(tag::TOKEN_SCOPE, scope);
    }
    fields.count(
        tag::TOKEN_SCOPES_UNLISTED,
        u64::from(credential.unlisted_scopes),
    );
    fields.some_text(tag::TOKEN_JTI, credential.jti.as_deref());
    if let Some(at) = credential.expires_at {
        fields.signed(tag::TOKEN_EXPIRES_AT, at.0);
    }
    fields.some_text(tag::TOKEN_ISSUER, credential.issuer.as_deref());
    fields.some_text(tag::TOKEN_FAULT, credential.fault.as_deref());
}

/// What the call has come to.
fn encode_state<'a>(
    fields: &mut Writer<'_>,
    record: &CallRecord,
    subjects: impl Iterator<Item = (&'a Subject, &'a Commitment)>,
) {
    let times = &record.times;
    for (tag, at) in [
        (tag::FORWARDED_AT, times.forwarded_at),
        (tag::FIRST_BYTE_AT, times.first_byte_at),
        (tag::COMPLETED_AT, times.completed_at),
    ] {
        if let Some(at) = at {
            fields.signed(tag, at.0);
        }
    }
    if let Some(fingerprint) = &record.credential.fingerprint {
        fields.bytes(tag::TOKEN_FINGERPRINT, fingerprint.as_bytes());
    }
    for (subject, commitment) in subjects {
        fields.0.push(tag::SUBJECT);
        push_length(fields.0, 33 + subject.kind.len());
        fields.0.extend_from_slice(commitment.as_bytes());
        fields.0.push(role_code(subject.role));
        fields.0.extend_from_slice(subject.kind.as_bytes());
    }
    for fact in &record.facts {
        let (name, value) = (fact.name.as_bytes(), fact.value.as_bytes());
        let mut inner: SmallVec<[u8; 128]> = SmallVec::new();
        let mut length = Vec::new();
        push_length(&mut length, name.len());
        inner.extend_from_slice(&length);
        inner.extend_from_slice(name);
        inner.extend_from_slice(value);
        fields.bytes(tag::FACT, &inner);
    }
    // By name: the order in which the program declares the classes is not part of the format.
    for class in record.pii.by_name() {
        fields.text(tag::PII, class.as_str());
    }
    if let Some(mint) = &record.mint {
        fields.text(tag::MINT_KIND, &mint.kind);
        if let Some(fingerprint) = &mint.fingerprint {
            fields.bytes(tag::MINT_FINGERPRINT, fingerprint.as_bytes());
        }
        if let Some(at) = mint.expires_at {
            fields.signed(tag::MINT_EXPIRES_AT, at.0);
        }
    }
    fields.text(tag::DECISION, record.decision.as_str());
    fields.some_text(tag::REASON, record.reason.as_deref());
    fields.text(tag::OUTCOME, record.outcome.as_str());
    if let Some(status) = record.status {
        fields.number(tag::STATUS, u64::from(status));
    }
    fields.some_text(tag::ERROR_CODE, record.error_code.as_deref());
    let traffic = &record.traffic;
    fields.count(tag::ATTEMPTS, u64::from(traffic.attempts));
    fields.count(tag::REQUEST_BYTES, traffic.request_bytes);
    fields.count(tag::RESPONSE_BYTES, traffic.response_bytes);
    if let Some(address) = traffic.upstream {
        push_address(fields, tag::UPSTREAM, address);
    }
    fields.some_text(tag::TLS_VERSION, traffic.tls_version.as_deref());
    if let Some(trace) = &record.trace_id {
        fields.bytes(tag::TRACE_ID, trace.as_bytes());
    }
}

/// Appends the fields of a start.
pub fn encode_start(out: &mut Vec<u8>, start: &Start) {
    let mut fields = Writer(out);
    fields.text(tag::NODE, &start.node);
    fields.text(tag::VERSION, &start.version);
    fields.text(tag::CONFIG_HASH, &start.config_hash);
    fields.signed(tag::AT, start.at.0);
    fields.count(tag::CUT_BYTES, start.cut_bytes);
}

/// Appends the fields of a gap.
pub fn encode_gap(out: &mut Vec<u8>, gap: &Gap) {
    let mut fields = Writer(out);
    fields.signed(tag::AT, gap.from.0);
    fields.signed(tag::TO, gap.to.0);
    fields.count(tag::REFUSED, gap.refused);
    fields.count(tag::SHED, gap.shed);
    fields.count(tag::DROPPED, gap.dropped);
}

/// Appends the fields of a key rotation: the signed note.
pub fn encode_rotation(out: &mut Vec<u8>, note: &[u8]) {
    Writer(out).bytes(tag::NOTE, note);
}

/// One byte in the format; 0 is not used.
pub(super) const fn role_code(role: SubjectRole) -> u8 {
    match role {
        SubjectRole::Token => 1,
        SubjectRole::Request => 2,
        SubjectRole::Response => 3,
        SubjectRole::OnBehalfOf => 4,
    }
}

/// IPv4: 4 bytes and the port. IPv6: 16 bytes and the port, and if they are not both zero, flow
/// and scope of 4 bytes each.
fn push_address(fields: &mut Writer<'_>, tag: u8, address: SocketAddr) {
    let mut bytes: SmallVec<[u8; 26]> = SmallVec::new();
    match address {
        SocketAddr::V4(address) => {
            bytes.extend_from_slice(&address.ip().octets());
            bytes.extend_from_slice(&address.port().to_be_bytes());
        }
        SocketAddr::V6(address) => {
            bytes.extend_from_slice(&address.ip().octets());
            bytes.extend_from_slice(&address.port().to_be_bytes());
            if (address.flowinfo(), address.scope_id()) != (0, 0) {
                bytes.extend_from_slice(&address.flowinfo().to_be_bytes());
                bytes.extend_from_slice(&address.scope_id().to_be_bytes());
            }
        }
    }
    fields.bytes(tag, &bytes);
}
