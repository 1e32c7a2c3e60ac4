//! Every route.

mod act;
mod calls;
mod export;
mod filter;
mod inspect;
mod watch;

use super::route::{Answer, By, Itself, Method, Route, Shape, json};
use crate::edge::admin::model;

/// All of them.
pub(super) fn all() -> Vec<Route> {
    let mut routes = door();
    routes.extend(watch::routes());
    routes.extend(inspect::routes());
    routes.extend(calls::routes());
    routes.extend(export::routes());
    routes.extend(act::routes());
    routes
}

/// Those at the door, which the router answers itself.
fn door() -> Vec<Route> {
    let route = |method, path, id, summary, answer, itself| Route {
        method,
        path,
        permission: None,
        id,
        summary,
        params: Vec::new(),
        body: None,
        answer,
        also: &[],
        by: By::Itself(itself),
    };
    vec![
        route(
            Method::Get,
            "/session/ways",
            "sessionWays",
            "How a session can be begun",
            json::<model::Ways>(),
            Itself::Ways,
        ),
        Route {
            body: Some(Shape::of::<model::KeyBody>()),
            also: &[401, 429],
            ..route(
                Method::Post,
                "/session",
                "login",
                "Begin a session with an admin key",
                Answer::Json(201, Shape::of::<model::Me>()),
                Itself::Login,
            )
        },
        route(
            Method::Delete,
            "/session",
            "logout",
            "End the session",
            Answer::Done,
            Itself::Logout,
        ),
        Route {
            permission: Some(crate::domain::access::Permission::Watch),
            ..route(
                Method::Get,
                "/me",
                "me",
                "Who asks, and what they may",
                json::<model::Me>(),
                Itself::Me,
            )
        },
        route(
            Method::Get,
            "/openapi.json",
            "openapi",
            "This document",
            json::<model::Document>(),
            Itself::Document,
        ),
    ]
}
