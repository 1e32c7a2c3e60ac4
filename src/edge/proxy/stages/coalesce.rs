//! Identical reads at the same time are one call to the bank, where the configuration and the
//! catalog allow it. Each caller has its own record.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use pingora_timeout::timeout;

use super::super::{Exchange, Parts};
use super::equip::{CALL_ID, OWN_PREFIX};
use super::{gate, respond};
use crate::adapters::coalesce::{Joined, Lead, SharedAnswer};
use crate::domain::coalesce::{self, MAX_BODY};
use crate::domain::http::{FieldRole, field_role};

/// Why a call was not sent although it was answered: the reason in its record.
const REASON: &str = "coalesced";

/// An answer on its way that others wait for.
pub struct Gathering {
    lead: Lead,
    status: u16,
    fields: Vec<(http::HeaderName, http::HeaderValue)>,
    body: BytesMut,
}

/// Finds out whether the answer is on its way already, and waits for it then. `None` if the call
/// has to go to the bank.
pub async fn join(
    parts: &Parts,
    session: &Session,
    exchange: &mut Exchange,
) -> Option<Arc<SharedAnswer>> {
    let coalescer = parts.coalescer.as_ref()?;
    let route = exchange.route.as_ref()?;
    let request = session.req_header();
    let destination = &route.destination;
    let place: [&[u8]; 4] = [
        destination.provider.catalog.id.as_bytes(),
        destination.environment.as_str().as_bytes(),
        // An urgent call does not wait for one that waits its turn as batch.
        route.dues.priority().as_str().as_bytes(),
        &route.target,
    ];
    let fields = request.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let operation = route.operation.as_ref()?;
    let key = coalesce::key(operation, request.method.as_str(), &place, fields)?;
    match coalescer.join(key) {
        Joined::Alone => None,
        Joined::Leads(lead) => {
            exchange.lead = Some(lead);
            None
        }
        Joined::Follows(follow) => timeout(exchange.remaining(), follow.answer()).await.ok()?,
    }
}

/// Answers with what the bank has said to another.
pub async fn answer(
    parts: &Parts,
    session: &mut Session,
    exchange: &mut Exchange,
    answer: &SharedAnswer,
) -> Result<()> {
    exchange.bank_status = Some(answer.status);
    exchange.coalesced = true;
    exchange.note(|record| record.reason = Some(REASON.into()));
    if let Err(problem) = gate::outcome(parts, exchange, answer.status).await {
        return respond::refuse(parts, session, exchange, problem).await;
    }
    let mut header = ResponseHeader::build(answer.status, Some(answer.fields.len() + 2))?;
    for (name, value) in &answer.fields {
        header.append_header(name.clone(), value.clone())?;
    }
    header.insert_header(http::header::CONTENT_LENGTH, answer.body.len())?;
    header.insert_header(CALL_ID, exchange.call_id().to_string())?;
    session
        .write_response_header(Box::new(header), false)
        .await?;
    session
        .write_response_body(Some(answer.body.clone()), true)
        .await
}

/// The header of an answer that others may wait for, as its own caller gets it.
pub fn response_head(exchange: &mut Exchange, response: &ResponseHeader) {
    let status = response.status.as_u16();
    if status < 200 {
        return;
    }
    // Without an answer to share, those that wait go on their own.
    let Some(lead) = exchange.lead.take() else {
        return;
    };
    let fields = || response.headers.iter();
    let named = fields().map(|(name, value)| (name.as_str(), value.as_bytes()));
    if !coalesce::may_share(status, named) {
        return;
    }
    let is_of_the_answer = |name: &http::HeaderName| {
        field_role(name.as_str()) == FieldRole::EndToEnd
            && *name != http::header::CONTENT_LENGTH
            // What the gateway says of one call is not true of another.
            && !name.as_str().starts_with(OWN_PREFIX)
    };
    exchange.gathering = Some(Gathering {
        lead,
        status,
        fields: fields()
            .filter(|(name, _)| is_of_the_answer(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        body: BytesMut::new(),
    });
}

/// The next piece of its body.
pub fn response_body(exchange: &mut Exchange, piece: Option<&Bytes>, end: bool) {
    let Some(mut gathering) = exchange.gathering.take() else {
        return;
    };
    if let Some(piece) = piece {
        if gathering.body.len() + piece.len() > MAX_BODY {
            return;
        }
        gathering.body.extend_from_slice(piece);
    }
    if !end {
        exchange.gathering = Some(gathering);
        return;
    }
    gathering.lead.share(SharedAnswer {
        status: gathering.status,
        fields: gathering.fields,
        body: gathering.body.freeze(),
    });
}
