use super::*;
use crate::adapters::ledger::events::tests::{assert_same_as_exported, varied};

#[tokio::test]
async fn detection_reads_of_a_row_what_its_export_says() {
    let url = database!();
    let mut store = PostgresStore::open(&place(&url)).await.unwrap();
    store.write(&boxed(varied())).await.unwrap();
    assert_same_as_exported(&mut reader(&url).await).await;
}
