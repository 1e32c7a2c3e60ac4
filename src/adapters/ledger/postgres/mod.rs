//! The ledger in Postgres: what a fleet of gateways shares.

mod checkpoints;
mod dictionary;
pub mod readings;
pub mod schema;
pub mod store;
mod text;

pub use readings::ReadingsStore;
pub use store::PostgresStore;

#[cfg(test)]
#[path = "../../../../tests/it/harness/postgres.rs"]
pub(crate) mod server;
#[cfg(test)]
mod tests;
