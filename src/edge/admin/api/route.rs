//! What a route is: one value says where it is, who may use it, what it takes and gives, and what
//! is asked of the desk. The router and the document are both made of these.

use std::borrow::Cow;

use regex::Regex;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::asked::Asked;
use crate::domain::access::Permission;
use crate::edge::admin::desk::{Ask, Fault};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    /// Whether it changes something.
    pub(super) const fn changes(self) -> bool {
        !matches!(self, Self::Get)
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
}

/// What a parameter is, for the document. Values are read by the route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of at most so many bytes.
    Text(usize),
    /// Text of a form.
    Form(&'static str),
    /// A number within bounds.
    Number(u64, u64),
    /// `true` or `false`.
    Flag,
    /// One of these.
    Words(Vec<&'static str>),
}

/// A parameter.
#[derive(Clone, Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    /// How often it may be there.
    pub(super) most: usize,
    pub(super) about: &'static str,
    /// The form of a value, where there is one.
    form: Option<Regex>,
}

/// A parameter after the question mark.
pub(super) fn query(name: &'static str, kind: Kind, about: &'static str) -> Param {
    // A test compiles every form.
    let form = match &kind {
        Kind::Form(form) => Regex::new(form).ok(),
        _ => None,
    };
    Param {
        name,
        place: Place::Query,
        kind,
        is_required: false,
        most: 1,
        about,
        form,
    }
}

/// A piece of the path.
pub(super) fn path(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param {
        place: Place::Path,
        is_required: true,
        ..query(name, kind, about)
    }
}

impl Param {
    /// Why a value cannot be one of this parameter, as the document says it and without the value: it may
    /// have been pasted into the wrong field. What numbers are meant, routes say as they read them.
    pub(super) fn refuses(&self, value: &str) -> Option<String> {
        match &self.kind {
            Kind::Text(max) if value.chars().count() > *max => {
                Some(format!("use at most {max} characters"))
            }
            Kind::Form(form) if !self.form.as_ref().is_some_and(|form| form.is_match(value)) => {
                Some(format!("it must have the form {form}"))
            }
            Kind::Words(words) if !words.contains(&value) => {
                Some(format!("use one of {}", words.join(", ")))
            }
            _ => None,
        }
    }

    pub(super) fn many(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    pub(super) fn required(mut self) -> Self {
        self.is_required = true;
        self
    }
}

/// A type of the document: its name, its schema and those that it refers to.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) name: fn() -> Cow<'static, str>,
    pub(super) schema: fn() -> RefOr<Schema>,
    pub(super) others: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    pub(super) fn of<T: ToSchema + PartialSchema>() -> Self {
        Self {
            name: T::name,
            schema: T::schema,
            others: T::schemas,
        }
    }
}

/// What comes back if all goes well.
#[derive(Clone)]
pub(super) enum Answer {
    /// JSON with this status.
    Json(u16, Shape),
    /// 204.
    Done,
    /// A document: JSON, or one of these media types.
    Document(Shape, &'static [&'static str]),
    /// A file of one of these media types.
    File(&'static [&'static str]),
    /// Events.
    Events,
}

/// JSON with status 200.
pub(super) fn json<T: ToSchema + PartialSchema>() -> Answer {
    Answer::Json(200, Shape::of::<T>())
}

/// Who answers a route.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// The desk, once the request is understood.
    Desk(fn(&Asked) -> Result<Ask, Fault>),
    /// The router itself.
    Itself(Itself),
}

/// What the router answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Itself {
    Ways,
    Login,
    Logout,
    Me,
    Document,
}

/// A route.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it needs; `None` if anybody may ask.
    pub(super) permission: Option<Permission>,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) params: Vec<Param>,
    pub(super) body: Option<Shape>,
    pub(super) answer: Answer,
    /// Statuses other than those that every route of its sort can have.
    pub(super) also: &'static [u16],
    pub(super) by: By,
}

impl Route {
    /// A route that the desk answers to those who may.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        permission: Permission,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
        ask: fn(&Asked) -> Result<Ask, Fault>,
    ) -> Self {
        Self {
            method,
            path,
            permission: Some(permission),
            id,
            summary,
            params: Vec::new(),
            body: None,
            answer,
            also: &[],
            by: By::Desk(ask),
        }
    }

    pub(super) fn params(mut self, params: Vec<Param>) -> Self {
        self.params = params;
        self
    }

    pub(super) fn body<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.body = Some(Shape::of::<T>());
        self
    }

    pub(super) fn also(mut self, statuses: &'static [u16]) -> Self {
        self.also = statuses;
        self
    }
}
