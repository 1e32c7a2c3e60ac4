//! Where a ledger is.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::types::Secret;

/// Where a ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerPlace {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A database that many gateways share.
    Postgres(PostgresPlace),
}

impl LedgerPlace {
    /// The file, if the ledger is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl From<&Path> for LedgerPlace {
    fn from(path: &Path) -> Self {
        Self::Sqlite(path.into())
    }
}

impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(place) => f.write_str(&place.0.shown),
        }
    }
}

/// The address of a database, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
// In a box because errors name their place, and every call that may fail carries that much.
pub struct PostgresPlace(Box<Address>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    url: Secret<String>,
    shown: Box<str>,
    password_file: Option<PathBuf>,
}

/// Text that is no address of a database. It does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Another scheme, or none.
    #[error("not an address of Postgres")]
    Scheme,
    /// There is no host, and none in the options.
    #[error("the address names no host")]
    Host,
    /// A character that has to be written in percent form, as one in a password.
    #[error("the address holds a character that must be written in percent form")]
    Character,
}

/// Parameters of an address that name files, as libpq knows them.
const SSL_FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

impl PostgresPlace {
    /// Reads an address as `postgres://user:password@host:port/database?option=value`.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or(BadUrl::Scheme)?;
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(BadUrl::Character);
        }
        let (address, options) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        let (authority, database) = address.split_once('/').unwrap_or((address, ""));
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            // A slash or a question mark in the password has cut it off from what follows.
            None if rest.contains('@') => return Err(BadUrl::Character),
            None => (None, authority),
        };
        let mut pairs = options.split('&').filter_map(|pair| pair.split_once('='));
        let socket = pairs.find_map(|(key, value)| (key == "host").then_some(value));
        if host.is_empty() && socket.is_none() {
            return Err(BadUrl::Host);
        }
        let user = login.and_then(|login| login.split(':').next());
        let mut shown = "postgres://".to_owned();
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            shown.push_str(user);
            shown.push('@');
        }
        shown.push_str(if host.is_empty() {
            socket.unwrap_or_default()
        } else {
            host
        });
        shown.push('/');
        shown.push_str(database);
        Ok(Self(Box::new(Address {
            url: Secret::new(url.to_owned()),
            shown: shown.into(),
            password_file: None,
        })))
    }

    /// With the password in a file of its own.
    pub fn with_password_file(mut self, file: Option<PathBuf>) -> Self {
        self.0.password_file = file;
        self
    }

    /// The whole address.
    pub fn url(&self) -> &Secret<String> {
        &self.0.url
    }

    /// The files that the address names, by the names of their parameters: certificates and keys.
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let url = self.0.url.expose();
        let options = url.split_once('?').map_or("", |(_, options)| options);
        let pairs = options.split('&').filter_map(|pair| pair.split_once('='));
        let files = pairs.filter_map(|(key, value)| {
            let name = SSL_FILES.into_iter().find(|name| *name == key)?;
            let value = percent_encoding::percent_decode_str(value)
                .decode_utf8()
                .ok()?;
            Some((name, PathBuf::from(value.as_ref())))
        });
        files.collect()
    }

    /// The file with the password, if it is not in the address.
    pub fn password_file(&self) -> Option<&Path> {
        self.0.password_file.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        LedgerPlace::Postgres(PostgresPlace::parse(url).unwrap()).to_string()
    }

    #[test]
    fn an_address_is_shown_without_what_is_secret() {
        for (url, expected) in [
            ("postgres://db/egret", "postgres://db/egret"),
            (
                "postgresql://egret:hunter2@db:5433/egret?sslmode=verify-full",
                "postgres://egret@db:5433/egret",
            ),
            (
                "postgres://egret:hun@ter2@db/egret",
                "postgres://egret@db/egret",
            ),
            (
                "postgres://db/egret?user=egret&password=hunter2",
                "postgres://db/egret",
            ),
            (
                "postgres:///egret?host=/run/postgresql&password=hunter2",
                "postgres:///run/postgresql/egret",
            ),
            ("postgres://[::1]:5432/egret", "postgres://[::1]:5432/egret"),
        ] {
            assert_eq!(shown(url), expected);
        }
        let place = PostgresPlace::parse("postgres://egret:hunter2@db/egret").unwrap();
        assert!(!format!("{place:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (url, expected) in [
            ("mysql://db/egret", BadUrl::Scheme),
            ("db/egret", BadUrl::Scheme),
            ("postgres:///egret", BadUrl::Host),
            ("postgres://egret:my password@db/egret", BadUrl::Character),
            ("postgres://egret:hun/ter2@db/egret", BadUrl::Character),
            ("postgres://egret:hun?ter2@db/egret", BadUrl::Character),
        ] {
            assert_eq!(PostgresPlace::parse(url), Err(expected));
        }
    }
}
