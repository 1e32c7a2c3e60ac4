//! The ledger's file, changed behind the gateway's back.

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{Config, runtime};

/// Changes a ledger as somebody with its file does, for whom the triggers are no more than a text.
pub fn tamper(config: &Config, statements: &str) {
    let path = config.directory().join("data/ledger.db");
    runtime().block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        let triggers: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        let dropped: String = triggers
            .iter()
            .map(|name| format!("DROP TRIGGER {name};"))
            .collect();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{dropped}{statements}")))
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
    });
}
