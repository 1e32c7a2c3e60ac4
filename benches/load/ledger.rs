//! Looks into the ledger that Egret has written meanwhile.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use crate::Failure;

/// What the ledger holds.
pub(crate) struct Ledger {
    pub(crate) rows: u64,
    /// Rows that say what was done here: a customer token, an operation of the catalog that was
    /// forwarded, success.
    pub(crate) complete: u64,
    /// Size of the file in bytes.
    pub(crate) bytes: u64,
}

/// Counts, after the gateway has ended.
///
/// # Errors
/// There is no ledger, or it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Ledger, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let row = runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
        let row = sqlx::query(
            "SELECT count(*), count(*) FILTER (WHERE operation <> 'unknown' \
             AND token_type = 'customer' AND caller = 'bench' AND decision = 'forwarded' \
             AND outcome = 'success' AND status = 200) FROM calls",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(row)
    });
    let row = row.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Ledger {
        rows: row.try_get::<i64, _>(0)?.try_into()?,
        complete: row.try_get::<i64, _>(1)?.try_into()?,
        bytes: std::fs::metadata(path)?.len(),
    })
}
