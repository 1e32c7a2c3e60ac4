//! What is set up, and what has been noticed.

use super::filter::words;
use crate::domain::access::Permission::Inspect;
use crate::domain::incident::{Category, Severity, State};
use crate::edge::admin::api::asked::bad;
use crate::edge::admin::api::route::Method::Get;
use crate::edge::admin::api::route::{Kind, Param, Route, json, path, query};
use crate::edge::admin::desk::{Ask, IncidentsAsked};
use crate::edge::admin::model;

/// Most incidents on a page, and how many there are unless it is said.
const MAX_INCIDENTS: u64 = 500;
const INCIDENTS: u64 = 100;

const STATES: [(&str, &[State]); 5] = [
    ("current", &[State::Open, State::Acknowledged]),
    ("open", &[State::Open]),
    ("acknowledged", &[State::Acknowledged]),
    ("closed", &[State::Closed]),
    ("all", &[State::Open, State::Acknowledged, State::Closed]),
];

pub(super) fn incident_id() -> Param {
    path(
        "id",
        Kind::Form("^inc-[0-9]{8}-[0-9]{4,9}$"),
        "Id of the incident",
    )
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Get,
            "/config",
            Inspect,
            "config",
            "The configuration that is in force, without secrets",
            json::<model::ConfigShown>(),
            |_| Ok(Ask::Config),
        ),
        Route::new(
            Get,
            "/callers",
            Inspect,
            "callers",
            "Who may call, and their keys' ids",
            json::<model::Callers>(),
            |_| Ok(Ask::Callers),
        ),
        Route::new(
            Get,
            "/policy",
            Inspect,
            "policy",
            "What is allowed, and what happens without a record",
            json::<model::Policy>(),
            |_| Ok(Ask::Policy),
        ),
        Route::new(
            Get,
            "/lockdown",
            Inspect,
            "locks",
            "What is locked down",
            json::<model::Locks>(),
            |_| Ok(Ask::Locks),
        ),
        Route::new(
            Get,
            "/incidents",
            Inspect,
            "incidents",
            "Incidents, newest first",
            json::<model::Incidents>(),
            |asked| {
                let severities: Vec<_> = Severity::ALL.iter().map(|s| (s.as_str(), *s)).collect();
                let states = asked.word("state", &STATES)?;
                let limit = asked
                    .number("limit", 1..=MAX_INCIDENTS)?
                    .unwrap_or(INCIDENTS);
                Ok(Ask::Incidents(IncidentsAsked {
                    states: states.unwrap_or(STATES[0].1).to_vec(),
                    severity: asked.word("severity", &severities)?,
                    category: asked.parse::<Category>("category")?,
                    caller: asked.text("caller").map(str::to_owned),
                    limit: usize::try_from(limit).unwrap_or(usize::MAX),
                    after: asked.text("after").map(str::to_owned),
                }))
            },
        )
        .params(vec![
            query(
                "state",
                Kind::Words(STATES.iter().map(|(word, _)| *word).collect()),
                "In which state; current, which is open and acknowledged, unless said",
            ),
            query(
                "severity",
                words(&Severity::ALL, Severity::as_str),
                "At least so bad",
            ),
            query(
                "category",
                words(Category::ALL, Category::as_str),
                "Of this sort",
            ),
            query("caller", Kind::Text(255), "Naming this caller"),
            query("limit", Kind::Number(1, MAX_INCIDENTS), "At most so many"),
            query(
                "after",
                incident_id().kind,
                "Go on after this one: `next` of the page before",
            ),
        ]),
        Route::new(
            Get,
            "/incidents/{id}",
            Inspect,
            "incident",
            "One incident, with what to do",
            json::<model::Incident>(),
            |asked| match asked.text("id") {
                Some(id) => Ok(Ask::Incident(id.to_owned())),
                None => Err(bad("id", "it is missing")),
            },
        )
        .params(vec![incident_id()])
        .also(&[404]),
        Route::new(
            Get,
            "/silences",
            Inspect,
            "silences",
            "What nobody is told about for a time",
            json::<model::Silences>(),
            |_| Ok(Ask::Silences),
        ),
        Route::new(
            Get,
            "/log",
            Inspect,
            "logFilter",
            "What is logged",
            json::<model::LogFilter>(),
            |_| Ok(Ask::LogFilter),
        ),
    ]
}
