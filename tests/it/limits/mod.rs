//! Within the bank's limits: what callers are told, and what the bank sees in an overload.

mod coalesce;
mod fleet;
mod load;
mod overload;
mod told;
