//! The parameters of a request, by the definitions of its route.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::route::{Place, Route};
use crate::edge::admin::desk::{Fault, Form};

/// Longest value of a parameter, in bytes.
const MAX_VALUE: usize = 600;

/// Longest name that is said again, in bytes; no parameter has a longer one.
const MAX_NAME: usize = 16;

/// Most parameters of a request.
const MAX_PARAMS: usize = 64;

/// What was given: every name is one of the route's, and no more often than it may be.
#[derive(Debug, Default)]
pub(super) struct Asked {
    values: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// The parameter is at fault.
pub(super) fn bad(name: &str, why: impl ToString) -> Fault {
    Fault::BadParameter(name.to_owned(), why.to_string())
}

impl Asked {
    /// Reads what stands in the path and after the question mark.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn read(
        route: &Route,
        path: impl IntoIterator<Item = (String, String)>,
        query: &str,
        body: Vec<u8>,
    ) -> Result<Self, Fault> {
        let mut asked = Self {
            values: Vec::new(),
            body,
        };
        for (name, value) in path {
            asked.take(route, Place::Path, &name, value)?;
        }
        for piece in query.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            asked.take(route, Place::Query, &name, value)?;
        }
        for param in route.params.iter().filter(|param| param.is_required) {
            if asked.text(param.name).is_none() {
                return Err(bad(param.name, "it is missing"));
            }
        }
        Ok(asked)
    }

    fn take(
        &mut self,
        route: &Route,
        place: Place,
        name: &str,
        value: String,
    ) -> Result<(), Fault> {
        let mut params = route.params.iter();
        let Some(param) = params.find(|param| param.place == place && param.name == name) else {
            let known = route
                .params
                .iter()
                .filter(|param| param.place == Place::Query);
            let known: Vec<_> = known.map(|param| param.name).collect();
            // A typing error is said; what has not the shape of a name may be a token in the wrong place.
            let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            let shown = match name.len() <= MAX_NAME && name.bytes().all(is_word) {
                true => name,
                false => "query",
            };
            let hint = match known.is_empty() {
                true => "there are no parameters here".to_owned(),
                false => format!("not a parameter; use {}", known.join(", ")),
            };
            return Err(bad(shown, hint));
        };
        if self.all(param.name).count() >= param.most {
            let why = format!("it may be there {} times at most", param.most);
            return Err(bad(param.name, why));
        }
        if self.values.len() >= MAX_PARAMS {
            return Err(bad(param.name, "too many parameters"));
        }
        if value.len() > MAX_VALUE || value.chars().any(char::is_control) {
            return Err(bad(param.name, "too long, or with control characters"));
        }
        // A value that is not there is no value: forms send empty fields.
        if value.is_empty() {
            return match param.is_required {
                true => Err(bad(param.name, "it is empty")),
                false => Err(bad(param.name, "it is empty; leave it out")),
            };
        }
        if let Some(why) = param.refuses(&value) {
            return Err(bad(param.name, why));
        }
        self.values.push((param.name, value));
        Ok(())
    }

    /// The value of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter that may be repeated.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        let values = self.values.iter();
        values
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| &**value)
    }

    /// A value that is read from text.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn parse<T>(&self, name: &str) -> Result<Option<T>, Fault>
    where
        T: FromStr<Err: ToString>,
    {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|why: T::Err| bad(name, why.to_string()))
            })
            .transpose()
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn need<T>(&self, name: &str) -> Result<T, Fault>
    where
        T: FromStr<Err: ToString>,
    {
        self.parse(name)?.ok_or_else(|| bad(name, "it is missing"))
    }

    /// A number within bounds.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn number(
        &self,
        name: &str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u64>().ok().filter(|_| is_plain);
        let number = number.filter(|number| bounds.contains(number));
        number.map(Some).ok_or_else(|| {
            bad(
                name,
                format!("use a number from {} to {}", bounds.start(), bounds.end()),
            )
        })
    }

    /// Whether something is wanted.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "use true or false")),
        }
    }

    /// One of some words.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn word<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| Some(*value)).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            bad(name, format!("use one of {}", words.join(", ")))
        })
    }

    /// How a document is to be written; JSON unless it is said.
    ///
    /// # Errors
    /// [`Fault::BadParameter`].
    pub(super) fn form(&self, forms: &[Form]) -> Result<Option<Form>, Fault> {
        let words: Vec<_> = forms.iter().map(|form| (form.as_str(), *form)).collect();
        self.word("format", &words)
    }

    /// Where a tail goes on, whatever the URL says.
    pub(super) fn go_on_after(&mut self, last: &str) {
        if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
            self.values.retain(|(name, _)| *name != "last");
            self.values.push(("last", last.to_owned()));
        }
    }

    /// The body.
    ///
    /// # Errors
    /// [`Fault::BadBody`].
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        // An object, and nothing else that the deserializer of a struct would take, such as a list.
        let is_object = self.body.trim_ascii_start().starts_with(b"{");
        if !is_object {
            return Err(Fault::BadBody("it is not a JSON object".to_owned()));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            // Where, and not what: the body may hold a key.
            let what = match error.classify() {
                serde_json::error::Category::Data => {
                    "a member is missing, unknown or of another type"
                }
                _ => "it is not JSON",
            };
            Fault::BadBody(format!(
                "{what} (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }
}

fn decode(text: &str) -> Result<String, Fault> {
    let plain = text.replace('+', " ");
    percent_encoding::percent_decode_str(&plain)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| bad("query", "it is not UTF-8"))
}
