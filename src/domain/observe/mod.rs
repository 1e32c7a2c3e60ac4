//! Observes bodies that pass by: the facts, subjects, error codes and minted tokens that the
//! catalog names, and nothing else. Bodies are not held: values are picked out as bytes stream.

mod observer;
mod plan;

pub use observer::{MintedToken, Observations, Observer};
pub use plan::{OperationPlans, Plan, ProviderPlans};
