//! Changes.

use std::time::Duration;

use super::inspect::incident_id;
use crate::domain::access::Permission::Act;
use crate::domain::config::parse_duration;
use crate::domain::incident::Category;
use crate::domain::own::MAX_REASON;
use crate::edge::admin::api::asked::{Asked, bad};
use crate::edge::admin::api::route::Method::{Delete, Post, Put};
use crate::edge::admin::api::route::{Answer, Kind, Route, Shape, json, path};
use crate::edge::admin::desk::{Ask, Fault, SilenceAsked};
use crate::edge::admin::model;

/// Longest log filter.
const MAX_FILTER: usize = 1024;

fn reason(text: String) -> Result<String, Fault> {
    let is_line = !text.trim().is_empty() && !text.chars().any(char::is_control);
    match is_line && text.len() <= MAX_REASON {
        true => Ok(text),
        false => {
            let why = format!("reason: use one line of 1 to {MAX_REASON} bytes");
            Err(Fault::BadBody(why))
        }
    }
}

fn length(text: &str) -> Result<Duration, Fault> {
    parse_duration(text)
        .ok()
        .filter(|length| !length.is_zero())
        .ok_or_else(|| Fault::BadBody("for: use a time such as 30m, 2h or 7d".to_owned()))
}

fn text(name: &str, value: Option<String>, max: usize) -> Result<Option<String>, Fault> {
    match value {
        Some(text) if text.is_empty() || text.len() > max || text.chars().any(char::is_control) => {
            Err(Fault::BadBody(format!(
                "{name}: use 1 to {max} bytes, or null"
            )))
        }
        value => Ok(value),
    }
}

fn id(asked: &Asked) -> Result<String, Fault> {
    asked
        .text("id")
        .map(str::to_owned)
        .ok_or_else(|| bad("id", "it is missing"))
}

fn silence(asked: &Asked) -> Result<Ask, Fault> {
    let body: model::SilenceBody = asked.body()?;
    let category = body.category.map(|word| {
        word.parse::<Category>()
            .map_err(|_| Fault::BadBody("category: not one of those of incidents".to_owned()))
    });
    Ok(Ask::Silence(SilenceAsked {
        rule: text("rule", body.rule, 100)?,
        category: category.transpose()?,
        caller: text("caller", body.caller, 255)?,
        environment: text("environment", body.environment, 32)?,
        length: length(&body.length)?,
        reason: reason(body.reason)?,
    }))
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Post,
            "/lockdown",
            Act,
            "lock",
            "Forbid calls: of a caller, with a token, of an operation, to a provider, or all",
            Answer::Json(201, Shape::of::<model::Lock>()),
            |asked| {
                let body: model::LockBody = asked.body()?;
                Ok(Ask::Lock {
                    target: text("target", Some(body.target), 300)?.unwrap_or_default(),
                    reason: reason(body.reason)?,
                    length: body.length.map(|text| length(&text)).transpose()?,
                    here: body.here,
                })
            },
        )
        .body::<model::LockBody>()
        .also(&[404, 409]),
        Route::new(
            Delete,
            "/lockdown/{id}",
            Act,
            "lift",
            "Lift a lock: such calls go on",
            json::<model::Lock>(),
            |asked| {
                let body: model::ReasonBody = asked.body()?;
                Ok(Ask::Lift {
                    id: asked.need("id")?,
                    reason: reason(body.reason)?,
                })
            },
        )
        .params(vec![path("id", super::filter::CALL_ID, "Its id")])
        .body::<model::ReasonBody>()
        .also(&[404, 409]),
        Route::new(
            Post,
            "/incidents/{id}/ack",
            Act,
            "acknowledge",
            "Take an incident: nobody is reminded any more",
            json::<model::Incident>(),
            |asked| {
                asked.body::<model::EmptyBody>()?;
                Ok(Ask::Acknowledge(id(asked)?))
            },
        )
        .params(vec![incident_id()])
        .body::<model::EmptyBody>()
        .also(&[404, 409]),
        Route::new(
            Post,
            "/incidents/{id}/close",
            Act,
            "close",
            "Close an incident",
            json::<model::Incident>(),
            |asked| {
                let body: model::ReasonBody = asked.body()?;
                Ok(Ask::Close {
                    id: id(asked)?,
                    reason: reason(body.reason)?,
                })
            },
        )
        .params(vec![incident_id()])
        .body::<model::ReasonBody>()
        .also(&[404, 409]),
        Route::new(
            Post,
            "/silences",
            Act,
            "silence",
            "Tell nobody about something for a time",
            Answer::Json(201, Shape::of::<model::Silences>()),
            silence,
        )
        .body::<model::SilenceBody>()
        .also(&[409]),
        Route::new(
            Delete,
            "/silences/{number}",
            Act,
            "unsilence",
            "End a silence",
            Answer::Done,
            |asked| {
                let number = asked.number("number", 1..=u64::from(u32::MAX))?;
                Ok(Ask::Unsilence(
                    number.ok_or_else(|| bad("number", "it is missing"))?,
                ))
            },
        )
        .params(vec![path(
            "number",
            Kind::Number(1, u32::MAX as u64),
            "Its number",
        )])
        .also(&[404]),
        Route::new(
            Put,
            "/log",
            Act,
            "setLogFilter",
            "Change what is logged, until the next start",
            json::<model::LogFilter>(),
            |asked| {
                let body: model::LogFilter = asked.body()?;
                let filter = text("filter", Some(body.filter), MAX_FILTER)?;
                Ok(Ask::SetLogFilter(filter.unwrap_or_default()))
            },
        )
        .body::<model::LogFilter>()
        .also(&[409]),
        Route::new(
            Post,
            "/breakers/{name}/reset",
            Act,
            "resetBreaker",
            "Close a breaker: calls go on at once",
            json::<model::Breaker>(),
            |asked| {
                asked.body::<model::EmptyBody>()?;
                let name = asked
                    .text("name")
                    .ok_or_else(|| bad("name", "it is missing"))?;
                Ok(Ask::ResetBreaker(name.to_owned()))
            },
        )
        .params(vec![path(
            "name",
            Kind::Form("^[!-.0-~]{1,255}$"),
            "Its name",
        )])
        .body::<model::EmptyBody>()
        .also(&[404]),
    ]
}
