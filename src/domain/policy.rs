//! Whether a recognised request may go on. The answer yes is a value: without a [`Permit`] the
//! proxy cannot open a connection.

use std::sync::Arc;

use crate::domain::config::UnknownOperations;
use crate::domain::problem::{self, Problem};
use crate::types::TokenType;

/// Proof that policy let a call pass. Only [`decide`] makes one.
#[derive(Debug)]
pub struct Permit(());

/// What policy looks at.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The caller's name.
    pub caller: &'a str,
    /// Whether the request matched an operation of the catalog.
    pub operation_known: bool,
    /// The kinds of credentials that are present; not only the one that counts, since the
    /// provider may read another first.
    pub present: &'a [TokenType],
}

/// The rules of one provider.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What to do with requests that match no operation.
    pub unknown_operations: UnknownOperations,
    /// Callers that may use DAuth.
    pub dauth_callers: Vec<Arc<str>>,
    /// Callers that may use GatewayLogin.
    pub gateway_login_callers: Vec<Arc<str>>,
}

/// Decides.
///
/// # Errors
/// The problem to answer with.
pub fn decide(rules: &Rules, ask: &Ask<'_>) -> Result<Permit, Problem> {
    if !ask.operation_known && rules.unknown_operations == UnknownOperations::Deny {
        return Err(problem::UNKNOWN_OPERATION);
    }
    for (scheme, callers) in [
        (TokenType::DAuth, &rules.dauth_callers),
        (TokenType::GatewayLogin, &rules.gateway_login_callers),
    ] {
        let listed = callers.iter().any(|caller| **caller == *ask.caller);
        if ask.present.contains(&scheme) && !listed {
            return Err(problem::SCHEME_NOT_ALLOWED);
        }
    }
    Ok(Permit(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(unknown_operations: UnknownOperations) -> Rules {
        Rules {
            unknown_operations,
            dauth_callers: vec!["chain".into()],
            gateway_login_callers: Vec::new(),
        }
    }

    #[test]
    fn decisions() {
        use TokenType::{Bank, DAuth, GatewayLogin};
        use UnknownOperations::{Deny, Forward};
        type Row = (
            UnknownOperations,
            &'static str,
            bool,
            &'static [TokenType],
            Option<Problem>,
        );
        let table: &[Row] = &[
            (Forward, "app", true, &[Bank], None),
            (Forward, "app", false, &[], None),
            (Deny, "app", true, &[], None),
            (Deny, "app", false, &[], Some(problem::UNKNOWN_OPERATION)),
            (
                Forward,
                "app",
                true,
                &[DAuth],
                Some(problem::SCHEME_NOT_ALLOWED),
            ),
            (
                Forward,
                "app",
                true,
                &[Bank, DAuth],
                Some(problem::SCHEME_NOT_ALLOWED),
            ),
            (Forward, "chain", true, &[DAuth], None),
            (
                Forward,
                "chain",
                true,
                &[GatewayLogin],
                Some(problem::SCHEME_NOT_ALLOWED),
            ),
        ];
        for (unknown, caller, operation_known, present, refused) in table {
            let ask = Ask {
                caller,
                operation_known: *operation_known,
                present,
            };
            let decided = decide(&rules(*unknown), &ask);
            assert_eq!(decided.err(), *refused, "{ask:?}");
        }
    }
}
