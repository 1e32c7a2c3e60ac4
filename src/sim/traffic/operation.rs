//! The operations that simulated callers use, under two names each: the short one of the event
//! format, and the one of Egret's provider files, so that a detector cannot lean on a spelling.

/// Whose API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Cybrid,
    Obp,
    Wyre,
}

impl Provider {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Cybrid => "cybrid",
            Self::Obp => "obp",
            Self::Wyre => "wyre",
        }
    }
}

/// What an operation does to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Mint,
    Get,
    List,
    Create,
    Change,
    Delete,
}

macro_rules! operations {
    ($($name:ident $provider:ident $deed:ident $short:literal $catalog:literal;)*) => {
        /// An operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Op { $($name,)* }

        impl Op {
            /// Every operation.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the event format.
            pub(super) const fn short(self) -> &'static str {
                match self { $(Self::$name => $short,)* }
            }

            /// The name in Egret's provider files.
            pub(super) const fn catalog(self) -> &'static str {
                match self { $(Self::$name => $catalog,)* }
            }

            pub(super) const fn provider(self) -> Provider {
                match self { $(Self::$name => Provider::$provider,)* }
            }

            pub(super) const fn deed(self) -> Deed {
                match self { $(Self::$name => Deed::$deed,)* }
            }
        }
    };
}

operations! {
    MintOrg Cybrid Mint "token.org" "identity.oauth_token";
    MintBank Cybrid Mint "token.bank" "identity.oauth_token";
    MintCustomer Cybrid Mint "token.customer" "identity.create_customer_token";
    CustomersGet Cybrid Get "customers.get" "bank.get_customer";
    CustomersList Cybrid List "customers.list" "bank.list_customers";
    CustomersCreate Cybrid Create "customers.create" "bank.create_customer";
    CustomersUpdate Cybrid Change "customers.update" "bank.update_customer";
    AccountsGet Cybrid Get "accounts.get" "bank.get_account";
    AccountsList Cybrid List "accounts.list" "bank.list_accounts";
    AccountsCreate Cybrid Create "accounts.create" "bank.create_account";
    QuotesCreate Cybrid Create "quotes.create" "bank.create_quote";
    QuotesGet Cybrid Get "quotes.get" "bank.get_quote";
    TradesCreate Cybrid Create "trades.create" "bank.create_trade";
    TradesGet Cybrid Get "trades.get" "bank.get_trade";
    TradesList Cybrid List "trades.list" "bank.list_trades";
    TransfersCreate Cybrid Create "transfers.create" "bank.create_transfer";
    TransfersGet Cybrid Get "transfers.get" "bank.get_transfer";
    TransfersList Cybrid List "transfers.list" "bank.list_transfers";
    TransfersCancel Cybrid Delete "transfers.cancel" "bank.cancel_transfer";
    DepositsCreate Cybrid Create "deposit_addresses.create" "bank.create_deposit_address";
    DepositsGet Cybrid Get "deposit_addresses.get" "bank.get_deposit_address";
    WalletsCreate Cybrid Create "external_wallets.create" "bank.create_external_wallet";
    WalletsGet Cybrid Get "external_wallets.get" "bank.get_external_wallet";
    WalletsList Cybrid List "external_wallets.list" "bank.list_external_wallets";
    WalletsDelete Cybrid Delete "external_wallets.delete" "bank.delete_external_wallet";
    BankAccountsCreate Cybrid Create "external_bank_accounts.create" "bank.create_external_bank_account";
    BankAccountsGet Cybrid Get "external_bank_accounts.get" "bank.get_external_bank_account";
    BankAccountsList Cybrid List "external_bank_accounts.list" "bank.list_external_bank_accounts";
    BankAccountsDelete Cybrid Delete "external_bank_accounts.delete" "bank.delete_external_bank_account";
    IdentityCreate Cybrid Create "identity_verifications.create" "bank.create_identity_verification";
    IdentityGet Cybrid Get "identity_verifications.get" "bank.get_identity_verification";
    IdentityList Cybrid List "identity_verifications.list" "bank.list_identity_verifications";
    CounterpartiesGet Cybrid Get "counterparties.get" "bank.get_counterparty";
    CounterpartiesList Cybrid List "counterparties.list" "bank.list_counterparties";
    PricesList Cybrid List "prices.list" "bank.list_prices";
    SymbolsList Cybrid List "symbols.list" "bank.list_symbols";
    BanksGet Cybrid Get "banks.get" "bank.get_bank";
    BanksUpdate Cybrid Change "banks.update" "bank.update_bank";
    WorkflowsCreate Cybrid Create "workflows.create" "bank.create_workflow";
    WorkflowsGet Cybrid Get "workflows.get" "bank.get_workflow";
    FilesGet Cybrid Get "files.get" "bank.get_file";
    FilesList Cybrid List "files.list" "bank.list_files";
    PlansCreate Cybrid Create "plans.create" "bank.create_plan";
    ExecutionsCreate Cybrid Create "executions.create" "bank.create_execution";
    OrganizationsGet Cybrid Get "organizations.get" "organization.get_organization";
    SubscriptionsCreate Cybrid Create "subscriptions.create" "organization.create_subscription";
    EventsList Cybrid List "subscription_events.list" "organization.list_subscription_events";
    KeysList Cybrid List "bank_applications.list" "identity.list_bank_applications";
    KeysCreate Cybrid Create "bank_applications.create" "identity.create_bank_application";
    UsersCreate Cybrid Create "users.create" "identity.create_user";
    ObpLogin Obp Mint "obp.login" "OBPv6.0.0-directLoginEndpoint";
    ObpMe Obp Get "obp.users.current" "OBPv6.0.0-getCurrentUser";
    ObpAccounts Obp List "obp.accounts.list" "OBPv4.0.0-getPrivateAccountsAtOneBank";
    ObpAccount Obp Get "obp.accounts.get" "OBPv5.1.0-getCoreAccountByIdThroughView";
    ObpTransactions Obp List "obp.transactions.list" "OBPv3.0.0-getTransactionsForBankAccount";
    ObpBalances Obp List "obp.balances.list" "OBPv5.1.0-getBankAccountsBalances";
    ObpViews Obp List "obp.views.list" "OBPv3.0.0-getViewsForBankAccount";
    ObpCustomers Obp List "obp.customers.list" "OBPv6.0.0-getCustomersAtOneBank";
    ObpPayment Obp Create "obp.transaction_requests.create" "OBPv4.0.0-createTransactionRequestAccount";
    ObpGrant Obp Change "obp.access.grant" "OBPv4.0.0-grantUserAccessToView";
    ObpRevoke Obp Change "obp.access.revoke" "OBPv4.0.0-revokeUserAccessToView";
    ObpUserWithAccess Obp Create "obp.access.create_user" "OBPv4.0.0-createUserWithAccountAccess";
    ObpConsentCreate Obp Create "obp.consents.create" "OBPv5.1.0-createConsentImplicit";
    ObpConsentsList Obp List "obp.consents.list" "OBPv5.1.0-getMyConsents";
    ObpConsentRevoke Obp Delete "obp.consents.revoke" "OBPv3.1.0-revokeConsent";
    ObpEntitlement Obp Create "obp.entitlements.add" "OBPv2.0.0-addEntitlement";
    WyreSession Wyre Mint "wyre.session" "initializeAuthToken";
    WyreAccountGet Wyre Get "wyre.accounts.get" "getAccount";
    WyreAccountCreate Wyre Create "wyre.accounts.create" "createAccount";
    WyreTransfersCreate Wyre Create "wyre.transfers.create" "createTransfer";
    WyreTransfersConfirm Wyre Change "wyre.transfers.confirm" "confirmTransfer";
    WyreTransfersGet Wyre Get "wyre.transfers.get" "getTransfer";
    WyreTransfersList Wyre List "wyre.transfers.list" "listTransfers";
    WyreRates Wyre Get "wyre.rates.get" "getRates";
    WyrePaymentMethods Wyre List "wyre.payment_methods.list" "listPaymentMethods";
    WyreWalletsCreate Wyre Create "wyre.wallets.create" "createWallet";
    WyreWalletsGet Wyre Get "wyre.wallets.get" "getWallet";
    WyreKeysCreate Wyre Create "wyre.api_keys.create" "createApiKey";
    WyreWebhookSet Wyre Create "wyre.subscriptions.create" "createSubscription";
    WyrePermit Wyre Change "wyre.firewall.permit" "permitAddress";
}

impl Op {
    /// The status of a success.
    pub(super) const fn success(self) -> u16 {
        match (self.provider(), self.deed()) {
            (Provider::Wyre, _) | (_, Deed::Get | Deed::List | Deed::Delete) => 200,
            (Provider::Cybrid, Deed::Change) => 200,
            (Provider::Cybrid, Deed::Mint) => match self {
                Self::MintCustomer => 201,
                _ => 200,
            },
            _ => 201,
        }
    }

    /// Half of the answers come faster, in milliseconds.
    pub(super) const fn median_latency(self) -> f64 {
        match self.deed() {
            Deed::Mint => 180.0,
            Deed::Get => 70.0,
            Deed::List => 140.0,
            Deed::Create | Deed::Change | Deed::Delete => 230.0,
        }
    }

    /// Half of the answers are smaller, in bytes.
    pub(super) const fn median_bytes(self) -> f64 {
        match self.deed() {
            Deed::Mint => 1_600.0,
            Deed::Get => 900.0,
            Deed::List => 9_000.0,
            Deed::Create | Deed::Change | Deed::Delete => 800.0,
        }
    }
}

/// Sets of scopes that mints ask for; an event holds a place in this list, where 0 is none.
pub(super) const SCOPES: &[&[&str]] = &[
    &[],
    // 1: readers
    &["accounts:read", "customers:read"],
    // 2: trading
    &[
        "accounts:read",
        "customers:read",
        "prices:read",
        "quotes:execute",
        "trades:execute",
        "trades:read",
    ],
    // 3: everyday banking
    &[
        "accounts:read",
        "customers:read",
        "deposit_addresses:execute",
        "deposit_addresses:read",
        "external_bank_accounts:read",
        "external_wallets:execute",
        "external_wallets:read",
        "quotes:execute",
        "transfers:execute",
        "transfers:read",
    ],
    // 4: support, with personal data
    &[
        "accounts:read",
        "customers:pii:read",
        "customers:read",
        "identity_verifications:read",
        "transfers:read",
    ],
    // 5: pay day
    &["accounts:read", "quotes:execute", "transfers:execute"],
    // 6: onboarding
    &[
        "accounts:execute",
        "customers:read",
        "customers:write",
        "external_bank_accounts:execute",
        "identity_verifications:execute",
        "identity_verifications:read",
        "workflows:execute",
        "workflows:read",
    ],
    // 7: statements
    &["accounts:read", "trades:read", "transfers:read"],
    // 8: bank key, minting
    &["customers:read", "customers:write"],
    // 9: bank key, reading
    &[
        "accounts:read",
        "banks:read",
        "customers:read",
        "prices:read",
        "trades:read",
        "transfers:read",
    ],
    // 10: organization key
    &["banks:read", "customers:read", "organizations:read"],
    // 11: everything a customer token may hold that pays
    &[
        "accounts:execute",
        "accounts:read",
        "counterparties:execute",
        "counterparties:pii:read",
        "counterparties:read",
        "counterparties:write",
        "customers:pii:read",
        "customers:read",
        "customers:write",
        "deposit_addresses:execute",
        "deposit_addresses:read",
        "executions:execute",
        "external_bank_accounts:execute",
        "external_bank_accounts:pii:read",
        "external_bank_accounts:read",
        "external_bank_accounts:write",
        "external_wallets:execute",
        "external_wallets:read",
        "identity_verifications:pii:read",
        "plans:execute",
        "quotes:execute",
        "quotes:read",
        "trades:execute",
        "trades:read",
        "transfers:execute",
        "transfers:pii:read",
        "transfers:read",
        "transfers:write",
        "workflows:execute",
        "workflows:read",
    ],
    // 12: one write scope more than readers have
    &["accounts:read", "customers:read", "transfers:execute"],
    // 13: personal data where readers had none
    &["accounts:read", "customers:pii:read", "customers:read"],
    // 14: bank key, everything
    &[
        "accounts:execute",
        "accounts:read",
        "banks:read",
        "banks:write",
        "counterparties:pii:read",
        "customers:execute",
        "customers:pii:read",
        "customers:read",
        "customers:write",
        "external_bank_accounts:execute",
        "external_bank_accounts:pii:read",
        "external_wallets:execute",
        "files:pii:read",
        "files:read",
        "quotes:execute",
        "trades:execute",
        "transfers:execute",
        "transfers:pii:read",
        "transfers:read",
        "workflows:execute",
    ],
    // 15: a read scope that a release adds to 3
    &[
        "accounts:read",
        "customers:read",
        "deposit_addresses:execute",
        "deposit_addresses:read",
        "external_bank_accounts:read",
        "external_wallets:execute",
        "external_wallets:read",
        "prices:read",
        "quotes:execute",
        "transfers:execute",
        "transfers:read",
    ],
    // 16: a read scope that a release adds to 1
    &["accounts:read", "customers:read", "trades:read"],
    // 17: bank key of a reconciliation with personal data of counterparties
    &[
        "accounts:read",
        "counterparties:read",
        "customers:read",
        "external_bank_accounts:read",
        "trades:read",
        "transfers:read",
    ],
    // 18: bank key that moves money
    &[
        "accounts:read",
        "quotes:execute",
        "transfers:execute",
        "transfers:read",
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_but_for_client_credentials() {
        for names in [Op::short as fn(Op) -> &'static str, Op::catalog] {
            let mut all: Vec<_> = Op::ALL.iter().map(|op| names(*op)).collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert!(all.len() + 1 >= count);
        }
    }

    #[test]
    fn scopes_are_sorted_sets() {
        for set in SCOPES {
            assert!(set.is_sorted(), "{set:?}");
        }
    }
}
