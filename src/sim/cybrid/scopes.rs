//! Which scopes each kind of key may hold (the client packages' published lists, 0.129).

/// What an organization key may ask for.
pub const ORGANIZATION: &str = "\
    accounts:read accounts:write bank_applications:read banks:execute banks:read \
    banks:write counterparties:pii:read counterparties:read customers:pii:read \
    customers:read deposit_addresses:read deposit_addresses:write \
    deposit_bank_accounts:execute deposit_bank_accounts:read deposit_bank_accounts:write \
    executions:execute executions:read external_bank_accounts:pii:read \
    external_bank_accounts:read external_bank_accounts:write external_wallets:read \
    external_wallets:write files:execute files:pii:read files:read \
    identity_verifications:execute identity_verifications:pii:read \
    identity_verifications:read invoices:read organization_applications:read \
    organizations:read organizations:write persona_sessions:execute plans:execute \
    plans:read prices:read quotes:execute quotes:read sardine_sessions:execute \
    subscription_events:execute subscription_events:read trades:execute trades:read \
    transactions:read transfers:execute transfers:pii:read transfers:read transfers:write \
    users:read workflows:read";

/// What a bank key may ask for.
pub const BANK: &str = "\
    accounts:execute accounts:read accounts:write bank_applications:read banks:read \
    banks:write counterparties:execute counterparties:pii:read counterparties:read \
    counterparties:write customers:execute customers:pii:read customers:read \
    customers:write deposit_addresses:execute deposit_addresses:read \
    deposit_addresses:write deposit_bank_accounts:execute deposit_bank_accounts:read \
    deposit_bank_accounts:write executions:execute executions:read \
    external_bank_accounts:execute external_bank_accounts:pii:read \
    external_bank_accounts:read external_bank_accounts:write external_wallets:execute \
    external_wallets:read external_wallets:write files:execute files:pii:read files:read \
    identity_verifications:execute identity_verifications:pii:read \
    identity_verifications:read identity_verifications:write invoices:execute invoices:read \
    invoices:write persona_sessions:execute plans:execute plans:read prices:read \
    quotes:execute quotes:read sardine_sessions:execute trades:execute trades:read \
    transactions:read transfers:execute transfers:pii:read transfers:read transfers:write \
    workflows:execute workflows:read";

/// What a customer token may hold.
pub const CUSTOMER: &str = "\
    accounts:execute accounts:read accounts:write counterparties:execute \
    counterparties:pii:read counterparties:read counterparties:write customers:pii:read \
    customers:read customers:write deposit_addresses:execute deposit_addresses:read \
    deposit_addresses:write deposit_bank_accounts:execute deposit_bank_accounts:read \
    deposit_bank_accounts:write executions:execute executions:read \
    external_bank_accounts:execute external_bank_accounts:pii:read \
    external_bank_accounts:read external_bank_accounts:write external_wallets:execute \
    external_wallets:read external_wallets:write identity_verifications:execute \
    identity_verifications:pii:read identity_verifications:read \
    identity_verifications:write invoices:execute invoices:read invoices:write \
    persona_sessions:execute plans:execute plans:read prices:read quotes:execute \
    quotes:read sardine_sessions:execute trades:execute trades:read transactions:read \
    transfers:execute transfers:pii:read transfers:read transfers:write workflows:execute \
    workflows:read";

/// Dropped silently from what an API key asks for, since 0.129.
pub const PORTAL_ONLY: &str = "\
    organization_applications:write organization_applications:execute \
    bank_applications:write bank_applications:execute users:write users:execute \
    subscriptions:read subscriptions:write subscriptions:execute";

/// True if the list, one of the constants here, names the scope.
pub fn holds(list: &str, scope: &str) -> bool {
    list.split(' ').any(|word| word == scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_whole_words() {
        assert!(holds(BANK, "customers:pii:read"));
        assert!(!holds(BANK, "customers"));
        assert!(!holds(BANK, "banks:execute"));
        assert!(holds(ORGANIZATION, "banks:execute"));
        assert!(!holds(CUSTOMER, "files:read"));
        for list in [ORGANIZATION, BANK, CUSTOMER, PORTAL_ONLY] {
            assert!(list.split(' ').all(|word| word.contains(':')), "{list}");
        }
    }
}
