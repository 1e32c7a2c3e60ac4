//! Payloads back into events.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;
use std::sync::Arc;

use super::encode::{Commitments, role_code, tag};
use super::event::{CallEvent, Event, Gap, Start};
use super::fields::{Reader, Unreadable, number, signed};
use super::form::Form;
use super::frame::{Kind, OPENING, PAYLOAD_PREFIX, VERSION, read_opening};
use super::texts::Texts;
use crate::domain::evidence::Commitment;
use crate::domain::record::{
    CallRecord, CallerVia, Fact, Fingerprint, Gateway, Mint, Step, Subject, SubjectRole, Times,
};
use crate::types::{CallId, Micros, TraceId};

/// A payload cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Made by a newer Egret.
    #[error(
        "journal record of format {0}, this egret reads up to {VERSION}: use the newer egret that wrote it"
    )]
    Newer(u8),
    /// Too short or cut off.
    #[error("journal record that is cut off")]
    Short,
    /// A kind that this format does not have.
    #[error("journal record of unknown kind {0}")]
    Kind(u8),
    /// A field that this format does not have, or a value that the field cannot have.
    #[error("journal record with an unreadable field {0}")]
    Field(u8),
    /// Readable, but not as this program writes it.
    #[error("journal record that is not in canonical form")]
    NotCanonical,
    /// The record commits to more or fewer subjects than there are openings beside it.
    #[error("journal record with {openings} openings for {subjects} subjects: it was changed")]
    OpeningCount {
        /// Commitments in the record.
        subjects: usize,
        /// Openings beside it.
        openings: usize,
    },
    /// An opening is neither erased nor the one that the record commits to.
    #[error("journal record whose opening {0} is not what it commits to: it was changed")]
    Opening(usize),
}

/// Reads payloads. Remembers what most have in common, to share it.
#[derive(Debug, Default)]
pub struct Decoder {
    gateway: Option<Arc<Gateway>>,
    texts: Texts,
    commitments: Commitments,
}

impl Decoder {
    /// Reads one payload with the openings beside it: its number and its event. Subjects that were
    /// erased have no pseudonym.
    ///
    /// # Errors
    /// [`DecodeError`]; also when the payload is not in canonical form, or an opening is neither
    /// erased nor the one that the payload commits to.
    pub fn decode(&mut self, payload: &[u8], openings: &[u8]) -> Result<(u64, Event), DecodeError> {
        self.decode_with(payload, Some(openings))
    }

    /// Reads a payload of which the openings are not at hand, as in a proof: subjects have no
    /// pseudonym.
    ///
    /// # Errors
    /// [`DecodeError`]; also when the payload is not in canonical form.
    pub fn decode_sealed(&mut self, payload: &[u8]) -> Result<(u64, Event), DecodeError> {
        self.decode_with(payload, None)
    }

    fn decode_with(
        &mut self,
        payload: &[u8],
        openings: Option<&[u8]>,
    ) -> Result<(u64, Event), DecodeError> {
        let (prefix, fields) = payload
            .split_first_chunk::<PAYLOAD_PREFIX>()
            .ok_or(DecodeError::Short)?;
        let [version, kind, seq @ ..] = *prefix;
        if version != VERSION {
            return Err(DecodeError::Newer(version));
        }
        let seq = u64::from_be_bytes(seq);
        self.commitments.clear();
        let mut event = match Kind::from_code(kind).ok_or(DecodeError::Kind(kind))? {
            Kind::Start => Event::Start(decode_start(fields)?),
            Kind::Gap => Event::Gap(decode_gap(fields)?),
            Kind::Rotation => Event::Rotation(decode_rotation(fields)?),
            Kind::Call(step) => Event::Call(self.decode_call(step, fields)?),
        };
        if let Some(openings) = openings {
            if self.commitments.len() * OPENING != openings.len() {
                return Err(DecodeError::OpeningCount {
                    subjects: self.commitments.len(),
                    openings: openings.len() / OPENING,
                });
            }
            if let Event::Call(event) = &mut event {
                self.open(&mut event.record, openings)?;
            }
        }
        Ok((seq, event))
    }

    /// Puts pseudonyms in their places.
    fn open(&self, record: &mut CallRecord, openings: &[u8]) -> Result<(), DecodeError> {
        let openings = openings.chunks_exact(OPENING);
        let subjects = record.subjects.iter_mut().zip(&self.commitments);
        for (index, ((subject, commitment), bytes)) in subjects.zip(openings).enumerate() {
            let stored = read_opening(bytes).ok_or(DecodeError::Opening(index))?;
            subject.pseudonym = commitment
                .check(stored.as_ref())
                .map_err(|_| DecodeError::Opening(index))?;
        }
        Ok(())
    }

    fn decode_call(&mut self, step: Step, bytes: &[u8]) -> Result<CallEvent, DecodeError> {
        let (id, fields) = bytes.split_first_chunk::<16>().ok_or(DecodeError::Short)?;
        let mut node = None;
        let mut version = "";
        let mut config_hash = "";
        let mut told = 0;
        let mut form = Form::default();
        let texts = &mut self.texts;
        let gateway = self.gateway.get_or_insert_with(no_gateway);
        let record = CallRecord::new(CallId::from_bytes(*id), Micros(0), Arc::clone(gateway));
        let mut record = Box::new(record);
        let mut reader = Reader(fields);
        while let Some((tag, value)) = reader.next()? {
            let unreadable = DecodeError::Field(tag);
            match tag {
                tag::NODE => node = Some(text(value).ok_or(unreadable)?),
                tag::VERSION => version = text(value).ok_or(unreadable)?,
                tag::CONFIG_HASH => config_hash = text(value).ok_or(unreadable)?,
                tag if tag < tag::FORWARDED_AT => {
                    read_request(&mut record, texts, tag, value).ok_or(unreadable)?;
                }
                tag::SUBJECT => {
                    let (subject, commitment) = subject(texts, value).ok_or(unreadable)?;
                    record.subjects.push(subject);
                    self.commitments.push(commitment);
                }
                tag::SUBJECTS_TOLD => {
                    let count = number(value).and_then(|count| usize::try_from(count).ok());
                    told = count.ok_or(unreadable)?;
                }
                _ => read_state(&mut record, texts, tag, value).ok_or(unreadable)?,
            }
            form.take(tag, value)?;
        }
        form.end_call(node.is_some())?;
        let event = |whole, record| CallEvent {
            step,
            whole,
            told,
            record,
        };
        let Some(node) = node else {
            return Ok(event(false, record));
        };
        if *gateway.node != *node
            || gateway.version != version
            || *gateway.config_hash != *config_hash
        {
            *gateway = Arc::new(Gateway {
                node: node.into(),
                version: Cow::Owned(version.to_owned()),
                config_hash: config_hash.into(),
            });
        }
        record.gateway = Arc::clone(gateway);
        Ok(event(true, record))
    }

    /// The fields of an event that was just read, written again.
    #[cfg(test)]
    pub(super) fn encode_again(&self, event: &Event) -> Vec<u8> {
        use super::encode::{encode_gap, encode_rotation, encode_start, encode_step};

        let mut again = Vec::new();
        match event {
            Event::Start(start) => encode_start(&mut again, start),
            Event::Gap(gap) => encode_gap(&mut again, gap),
            Event::Rotation(note) => encode_rotation(&mut again, note),
            Event::Call(event) => {
                let subjects = event.record.subjects.iter().zip(&self.commitments);
                let told = (!event.whole).then_some(event.told);
                encode_step(&mut again, told, &event.record, subjects);
            }
        }
        again
    }
}

fn no_gateway() -> Arc<Gateway> {
    Arc::new(Gateway {
        node: Box::default(),
        version: Cow::Borrowed(""),
        config_hash: Box::default(),
    })
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn owned(value: &[u8]) -> Option<Option<Box<str>>> {
    Some(Some(text(value)?.into()))
}

fn code(value: &[u8]) -> Option<Option<Cow<'static, str>>> {
    Some(Some(Cow::Owned(text(value)?.to_owned())))
}

fn word<T: FromStr>(value: &[u8]) -> Option<T> {
    text(value)?.parse().ok()
}

fn time(value: &[u8]) -> Option<Micros> {
    signed(value).map(Micros)
}

fn read_request(record: &mut CallRecord, texts: &mut Texts, tag: u8, value: &[u8]) -> Option<()> {
    let CallRecord {
        times,
        caller,
        target,
        credential,
        ..
    } = record;
    match tag {
        tag::RECEIVED_AT => times.received_at = time(value)?,
        tag::CALLER => caller.name = Some(texts.get(value)?),
        tag::CALLER_VIA => caller.via = via(text(value)?)?,
        tag::CALLER_KEY => caller.key_id = Some(texts.get(value)?),
        tag::CALLER_ADDRESS => caller.address = Some(address(value)?),
        tag::PROVIDER => target.provider = Some(texts.get(value)?),
        tag::SERVICE => target.service = Some(texts.get(value)?),
        tag::ENVIRONMENT => target.environment = Some(word(value)?),
        tag::OPERATION => target.operation = Some(texts.get(value)?),
        tag::EFFECT => target.effect = Some(word(value)?),
        tag::METHOD => target.method = method(text(value)?)?,
        tag::PATH_TEMPLATE => target.path_template = Some(texts.get(value)?),
        tag::QUERY => target.query = owned(value)?,
        tag::ACCEPT_VERSION => target.accept_version = owned(value)?,
        tag::TOKEN_TYPE => credential.token_type = word(value)?,
        tag::TOKEN_PRESENT => credential.present.push(word(value)?),
        tag::TOKEN_SCOPE => credential.scopes.push(texts.get(value)?),
        tag::TOKEN_SCOPES_UNLISTED => {
            credential.unlisted_scopes = number(value)?.try_into().ok()?
        }
        tag::TOKEN_JTI => credential.jti = owned(value)?,
        tag::TOKEN_EXPIRES_AT => credential.expires_at = Some(time(value)?),
        tag::TOKEN_ISSUER => credential.issuer = Some(texts.get(value)?),
        tag::TOKEN_FAULT => credential.fault = code(value)?,
        _ => return None,
    }
    Some(())
}

fn read_state(record: &mut CallRecord, texts: &mut Texts, tag: u8, value: &[u8]) -> Option<()> {
    let traffic = &mut record.traffic;
    match tag {
        tag::FORWARDED_AT => record.times.forwarded_at = Some(time(value)?),
        tag::FIRST_BYTE_AT => record.times.first_byte_at = Some(time(value)?),
        tag::COMPLETED_AT => record.times.completed_at = Some(time(value)?),
        tag::TOKEN_FINGERPRINT => {
            record.credential.fingerprint = Some(Fingerprint::from_bytes(value.try_into().ok()?));
        }
        tag::FACT => record.facts.push(fact(texts, value)?),
        tag::PII => record.pii.insert(word(value)?),
        tag::MINT_KIND => {
            record.mint = Some(Mint {
                kind: texts.get(value)?,
                fingerprint: None,
                expires_at: None,
            });
        }
        tag::MINT_FINGERPRINT => {
            let fingerprint = Fingerprint::from_bytes(value.try_into().ok()?);
            record.mint.as_mut()?.fingerprint = Some(fingerprint);
        }
        tag::MINT_EXPIRES_AT => record.mint.as_mut()?.expires_at = Some(time(value)?),
        tag::DECISION => record.decision = word(value)?,
        tag::REASON => record.reason = code(value)?,
        tag::OUTCOME => record.outcome = word(value)?,
        tag::STATUS => record.status = Some(number(value)?.try_into().ok()?),
        tag::ERROR_CODE => record.error_code = owned(value)?,
        tag::ATTEMPTS => traffic.attempts = number(value)?.try_into().ok()?,
        tag::REQUEST_BYTES => traffic.request_bytes = number(value)?,
        tag::RESPONSE_BYTES => traffic.response_bytes = number(value)?,
        tag::UPSTREAM => traffic.upstream = Some(address(value)?),
        tag::TLS_VERSION => traffic.tls_version = code(value)?,
        tag::TRACE_ID => record.trace_id = Some(TraceId::from_bytes(value.try_into().ok()?)?),
        _ => return None,
    }
    Some(())
}

fn via(text: &str) -> Option<CallerVia> {
    const ALL: [CallerVia; 4] = [
        CallerVia::Mtls,
        CallerVia::Key,
        CallerVia::Address,
        CallerVia::User,
    ];
    ALL.into_iter().find(|via| via.as_str() == text)
}

fn method(text: &str) -> Option<&'static str> {
    const METHODS: [&str; 10] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "other",
    ];
    METHODS.into_iter().find(|method| *method == text)
}

fn subject(texts: &mut Texts, value: &[u8]) -> Option<(Subject, Commitment)> {
    let (commitment, rest) = value.split_first_chunk::<32>()?;
    let (code, kind) = rest.split_first()?;
    let role = [
        SubjectRole::Token,
        SubjectRole::Request,
        SubjectRole::Response,
        SubjectRole::OnBehalfOf,
    ]
    .into_iter()
    .find(|role| role_code(*role) == *code)?;
    let subject = Subject {
        kind: texts.get(kind)?,
        role,
        pseudonym: None,
    };
    Some((subject, Commitment::from_bytes(*commitment)))
}

fn fact(texts: &mut Texts, value: &[u8]) -> Option<Fact> {
    let mut reader = Reader(value);
    let length = reader.length().ok()?;
    let name = reader.take(length).ok()?;
    Some(Fact {
        name: texts.get(name)?,
        value: text(reader.0)?.into(),
    })
}

fn address(value: &[u8]) -> Option<SocketAddr> {
    if let Some((ip, port)) = value.split_first_chunk::<4>()
        && let Ok(port) = port.try_into()
    {
        return Some((Ipv4Addr::from(*ip), u16::from_be_bytes(port)).into());
    }
    let (ip, rest) = value.split_first_chunk::<16>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (flow, scope) = match rest {
        [] => (0, 0),
        rest => {
            let (flow, scope) = rest.split_first_chunk::<4>()?;
            (
                u32::from_be_bytes(*flow),
                u32::from_be_bytes(scope.try_into().ok()?),
            )
        }
    };
    let port = u16::from_be_bytes(*port);
    Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, flow, scope).into())
}

fn decode_start(fields: &[u8]) -> Result<Start, DecodeError> {
    let mut start = Start {
        at: Micros(0),
        node: Box::default(),
        version: Box::default(),
        config_hash: Box::default(),
        cut_bytes: 0,
    };
    let form = each(fields, |tag, value| {
        match tag {
            tag::NODE => start.node = text(value)?.into(),
            tag::VERSION => start.version = text(value)?.into(),
            tag::CONFIG_HASH => start.config_hash = text(value)?.into(),
            tag::AT => start.at = time(value)?,
            tag::CUT_BYTES => start.cut_bytes = number(value)?,
            _ => return None,
        }
        Some(())
    })?;
    form.end(&[tag::NODE, tag::VERSION, tag::CONFIG_HASH, tag::AT])?;
    Ok(start)
}

fn decode_gap(fields: &[u8]) -> Result<Gap, DecodeError> {
    let mut gap = Gap::default();
    let form = each(fields, |tag, value| {
        match tag {
            tag::AT => gap.from = time(value)?,
            tag::TO => gap.to = time(value)?,
            tag::REFUSED => gap.refused = number(value)?,
            tag::SHED => gap.shed = number(value)?,
            tag::DROPPED => gap.dropped = number(value)?,
            _ => return None,
        }
        Some(())
    })?;
    form.end(&[tag::AT, tag::TO])?;
    Ok(gap)
}

fn decode_rotation(fields: &[u8]) -> Result<Box<[u8]>, DecodeError> {
    let mut note = Box::default();
    let form = each(fields, |tag, value| {
        note = (tag == tag::NOTE).then(|| Box::from(value))?;
        Some(())
    })?;
    form.end(&[tag::NOTE])?;
    Ok(note)
}

fn each(
    fields: &[u8],
    mut read: impl FnMut(u8, &[u8]) -> Option<()>,
) -> Result<Form<'_>, DecodeError> {
    let mut form = Form::default();
    let mut reader = Reader(fields);
    while let Some((tag, value)) = reader.next()? {
        read(tag, value).ok_or(DecodeError::Field(tag))?;
        form.take(tag, value)?;
    }
    Ok(form)
}

impl From<Unreadable> for DecodeError {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Short => Self::Short,
            Unreadable::Padded => Self::NotCanonical,
        }
    }
}

/// Puts a later step on top of what earlier ones have said: its subjects come after `told` of theirs.
pub(super) fn merge(record: &mut CallRecord, later: CallRecord, told: usize) {
    let CallRecord {
        times,
        credential,
        subjects,
        facts,
        pii,
        mint,
        decision,
        reason,
        outcome,
        status,
        error_code,
        traffic,
        trace_id,
        // What later steps do not say.
        call_id: _,
        gateway: _,
        caller: _,
        target: _,
    } = later;
    record.times = Times {
        received_at: record.times.received_at,
        ..times
    };
    record.credential.fingerprint = credential.fingerprint;
    if !subjects.is_empty() {
        record.subjects.truncate(told);
        record.subjects.extend(subjects);
    }
    record.facts = facts;
    record.pii = pii;
    record.mint = mint;
    record.decision = decision;
    record.reason = reason;
    record.outcome = outcome;
    record.status = status;
    record.error_code = error_code;
    record.traffic = traffic;
    record.trace_id = trace_id;
}

/// Which event a step is.
impl From<Step> for Kind {
    fn from(step: Step) -> Self {
        Self::Call(step)
    }
}
