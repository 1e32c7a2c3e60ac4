//! Questions and answers that do not care which database they go to.
//!
//! SQLite and Postgres both understand `$1` for the first bound value and nearly all else that the
//! reader says, so a question is built once. What differs is in the schema: the view `calls` has
//! the same columns in both.

use std::fmt::Display;

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::row::{Kind, Value};

/// A value that is bound to a question.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    NoInteger,
    NoText,
    NoBytes,
}

impl From<Option<i64>> for Bound {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::NoInteger, Self::Integer)
    }
}

impl From<Option<&str>> for Bound {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::NoText, Self::from)
    }
}

impl From<Option<Vec<u8>>> for Bound {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::NoBytes, Self::Bytes)
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Bound {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// The text of a question and the values bound to it. Texts are the program's own; what comes from
/// outside is bound.
#[derive(Debug)]
pub(super) struct Sql {
    text: String,
    values: Vec<Bound>,
}

impl From<&str> for Sql {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Sql {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, text: impl Display) -> &mut Self {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{text}");
        self
    }

    /// Puts the whole of another question, which must be the first with values, at the end.
    #[cfg(test)]
    pub(super) fn append(&mut self, other: Self) {
        assert!(self.values.is_empty());
        self.text.push_str(&other.text);
        self.values = other.values;
    }

    pub(super) fn push_bind(&mut self, value: impl Into<Bound>) -> &mut Self {
        self.values.push(value.into());
        let number = self.values.len();
        self.push('$').push(number)
    }
}

/// A connection to a ledger.
pub(super) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(Box<PgConnection>),
}

impl Connection {
    pub(super) const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    pub(super) async fn fetch_all(&mut self, sql: Sql) -> Result<Vec<Row>, sqlx::Error> {
        let Sql { text, values } = sql;
        match self {
            Self::Sqlite(conn) => {
                let query =
                    sqlx::query_with(AssertSqlSafe(text), bound::<SqliteArguments>(values)?);
                let rows = query.fetch_all(conn).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(conn) => {
                let query = sqlx::query_with(AssertSqlSafe(text), bound::<PgArguments>(values)?);
                let rows = query.fetch_all(&mut **conn).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }
}

impl Connection {
    /// Changes rows; gives how many.
    pub(super) async fn change(&mut self, sql: Sql) -> Result<u64, sqlx::Error> {
        let Sql { text, values } = sql;
        match self {
            Self::Sqlite(conn) => {
                let query =
                    sqlx::query_with(AssertSqlSafe(text), bound::<SqliteArguments>(values)?);
                Ok(query.execute(conn).await?.rows_affected())
            }
            Self::Postgres(conn) => {
                let query = sqlx::query_with(AssertSqlSafe(text), bound::<PgArguments>(values)?);
                Ok(query.execute(&mut **conn).await?.rows_affected())
            }
        }
    }

    /// Runs a statement as it is, several at once too.
    pub(super) async fn say(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(conn) => conn.execute(text).await.map(|_| ()),
            Self::Postgres(conn) => conn.execute(text).await.map(|_| ()),
        }
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(conn) => conn.close().await,
            Self::Postgres(conn) => conn.close().await,
        }
    }
}

fn bound<A: Arguments + Default>(values: impl IntoIterator<Item = Bound>) -> Result<A, sqlx::Error>
where
    for<'q> i64: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    for<'q> String: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    for<'q> Vec<u8>: sqlx::Encode<'q, A::Database> + sqlx::Type<A::Database>,
    for<'q> Option<i64>: sqlx::Encode<'q, A::Database>,
    for<'q> Option<String>: sqlx::Encode<'q, A::Database>,
    for<'q> Option<Vec<u8>>: sqlx::Encode<'q, A::Database>,
{
    let mut bound = A::default();
    for value in values {
        match value {
            Bound::Integer(number) => bound.add(number),
            Bound::Text(text) => bound.add(text),
            Bound::Bytes(bytes) => bound.add(bytes),
            Bound::NoInteger => bound.add(None::<i64>),
            Bound::NoText => bound.add(None::<String>),
            Bound::NoBytes => bound.add(None::<Vec<u8>>),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(bound)
}

/// One row of an answer; columns are named by their place.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(super) fn integer(&self, at: usize) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }

    pub(super) fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }

    pub(super) fn text(&self, at: usize) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }

    /// Whatever stands there: in SQLite a changed value may have another type than its column.
    pub(super) fn as_stored(&self, at: usize, kind: Kind) -> Result<Value, sqlx::Error> {
        let value = match (self, kind) {
            (Self::Sqlite(row), Kind::Integer) => row
                .try_get_unchecked::<Option<i64>, _>(at)?
                .map(Value::Integer),
            (Self::Sqlite(row), Kind::Text | Kind::Json) => row
                .try_get_unchecked::<Option<String>, _>(at)?
                .map(Value::Text),
            (Self::Postgres(_), Kind::Integer) => self.integer(at)?.map(Value::Integer),
            (Self::Postgres(_), Kind::Text | Kind::Json) => self.text(at)?.map(Value::Text),
        };
        Ok(value.unwrap_or(Value::Null))
    }
}
