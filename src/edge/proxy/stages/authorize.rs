//! Whether the call may go on.

use crate::domain::policy::{self, Ask, Permit};
use crate::domain::problem::Problem;
use crate::edge::proxy::routes::Destination;
use crate::types::TokenType;

/// Asks policy.
pub fn decide(
    destination: &Destination,
    caller: &str,
    operation_known: bool,
    present: &[TokenType],
) -> Result<Permit, Problem> {
    policy::decide(
        &destination.provider.rules,
        &Ask {
            caller,
            operation_known,
            present,
        },
    )
}
