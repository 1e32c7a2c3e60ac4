//! The section `[ledger]`.

use std::path::{Path, PathBuf};

use super::files::Files;
use crate::domain::config::model::Ledger;
use crate::domain::config::reader::{FilePath, Found, Kind, Problem, Raw, Shape, Table, quoted};
use crate::domain::config::{BadUrl, LedgerPlace, PostgresPlace};
use crate::types::Secret;

/// The longest address; none has a reason to be longer, and it is kept in memory.
const MAX_URL: usize = 4_096;

/// The address of a database. No fault quotes it, since it may hold a password.
struct PostgresUrl;

impl Kind for PostgresUrl {
    type Value = Secret<String>;

    fn read(&self, raw: Raw<'_>) -> Result<Secret<String>, Problem> {
        let hint = "write postgres://USER@HOST:PORT/DATABASE, and the password in a file that \
                    password_file names; in an address, write other characters than letters and \
                    digits of a password in percent form";
        let wrong = |what: String| Problem::new(what, hint);
        let text = raw.text().ok_or_else(|| wrong("not text".to_owned()))?;
        if text.len() > MAX_URL {
            return Err(wrong(format!("longer than {MAX_URL} bytes")));
        }
        match PostgresPlace::parse(text) {
            Ok(_) => Ok(Secret::new(text.to_owned())),
            Err(fault @ (BadUrl::Scheme | BadUrl::Host | BadUrl::Character)) => {
                Err(wrong(fault.to_string()))
            }
        }
    }

    fn describe(&self) -> String {
        "address of a Postgres database".to_owned()
    }

    fn show(&self, value: &Secret<String>) -> String {
        let place = PostgresPlace::parse(value.expose()).map(LedgerPlace::Postgres);
        quoted(&place.map_or_else(|_| String::new(), |place| place.to_string()))
    }

    fn shape(&self) -> Shape {
        Shape::Pattern(vec!["^postgres(ql)?://"])
    }

    fn is_secret(&self) -> bool {
        true
    }
}

pub(super) fn read(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Ledger {
    let table = top.table("ledger");
    let path = table.optional(
        "path",
        &FilePath,
        "`ledger.db` in `data_dir`",
        "SQLite file with one row per call; its directory is made if it is missing.",
    );
    let url = table.optional(
        "url",
        &PostgresUrl,
        "none: the ledger is in SQLite",
        "Postgres database with one row per call, shared by many gateways. TLS as `sslmode`, \
         `sslrootcert`, `sslcert` and `sslkey` say in the address.",
    );
    let password_file = table.optional(
        "password_file",
        &FilePath,
        "none",
        "File with the password of the database, if it is not in the address or in `PGPASSWORD` or \
         `PGPASSFILE`.",
    );
    if let (Some(path), Some(_)) = (&path, &url) {
        let hint = "a ledger is in SQLite or in Postgres: remove path or url";
        table.fault(
            &path.place,
            Problem::new("path and url are both written", hint),
        );
    }
    if let (Some(file), None) = (&password_file, &url) {
        let problem = Problem::new("there is no url", "write the url of the database as well");
        table.fault(&file.place, problem);
    }
    Ledger {
        place: place(path, url, password_file, files, data_dir),
    }
}

fn place(
    path: Option<Found<PathBuf>>,
    url: Option<Found<Secret<String>>>,
    password_file: Option<Found<PathBuf>>,
    files: &Files<'_>,
    data_dir: &Path,
) -> LedgerPlace {
    let password_file = password_file.map(|file| files.resolve(&file.value));
    // A second parse of what was found good.
    let postgres = url.and_then(|url| PostgresPlace::parse(url.value.expose()).ok());
    match postgres {
        Some(place) => LedgerPlace::Postgres(place.with_password_file(password_file)),
        None => LedgerPlace::Sqlite(path.map_or_else(
            || data_dir.join("ledger.db"),
            |path| files.resolve(&path.value),
        )),
    }
}
