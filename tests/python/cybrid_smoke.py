"""Drives the three real Cybrid clients through one flow and prints one JSON line.

Needs cybrid-api-id-python, cybrid-api-bank-python and cybrid-api-organization-python 0.129.1425.

Environment:
  EGRET_IDENTITY_URL, EGRET_BANK_URL, EGRET_ORGANIZATION_URL  base URLs (required)
  EGRET_PROXY_AUTHORIZATION  sent as Proxy-Authorization on every call (optional)
  EGRET_WIDE=1               also calls nearly every other operation once (optional)
"""

import json
import os
import sys
import urllib.error
import urllib.request

import cybrid_api_bank
import cybrid_api_id
import cybrid_api_organization
from cybrid_api_bank.api import (
    accounts_bank_api,
    assets_bank_api,
    banks_bank_api,
    counterparties_bank_api,
    customers_bank_api,
    deposit_addresses_bank_api,
    deposit_bank_accounts_bank_api,
    executions_bank_api,
    external_bank_accounts_bank_api,
    external_wallets_bank_api,
    files_bank_api,
    identity_verifications_bank_api,
    invoices_bank_api,
    payment_instructions_bank_api,
    persona_sessions_bank_api,
    plans_bank_api,
    prices_bank_api,
    quotes_bank_api,
    sardine_sessions_bank_api,
    symbols_bank_api,
    trades_bank_api,
    transactions_bank_api,
    transfers_bank_api,
    workflows_bank_api,
)
from cybrid_api_bank import models as bank_models
from cybrid_api_id import models as id_models
from cybrid_api_id.api import (
    bank_applications_idp_api,
    customer_tokens_idp_api,
    organization_applications_idp_api,
    users_idp_api,
)
from cybrid_api_organization import models as organization_models
from cybrid_api_organization.api import (
    organizations_organization_api,
    subscription_deliveries_organization_api,
    subscription_events_organization_api,
    subscriptions_organization_api,
)

ORGANIZATION = "0a" * 16
BANK = "0b" * 16
PORTAL = (
    "users:read users:write users:execute subscriptions:read subscriptions:write "
    "subscriptions:execute bank_applications:read bank_applications:write "
    "bank_applications:execute organization_applications:read "
    "organization_applications:write organization_applications:execute"
)

steps = []


def step(name, value=None):
    steps.append(name)
    return value


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def extra_headers():
    value = os.environ.get("EGRET_PROXY_AUTHORIZATION")
    return {"Proxy-Authorization": value} if value else {}


def mint(base, key, scope=None):
    """The clients have no call for the token endpoint, so this is plain HTTP."""
    asked = {
        "grant_type": "client_credentials",
        "client_id": f"sim-{key}-id",
        "client_secret": f"sim-{key}-secret",
    }
    if scope:
        asked["scope"] = scope
    request = urllib.request.Request(
        base + "/oauth/token",
        data=json.dumps(asked).encode(),
        headers={"Content-Type": "application/json", **extra_headers()},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["access_token"]


def client(package, base, token):
    made = package.ApiClient(package.Configuration(host=base, access_token=token))
    for name, value in extra_headers().items():
        made.set_default_header(name, value)
    return made


def refused(call, status, code, exception):
    try:
        call()
    except exception as error:
        body = json.loads(error.body)
        expect(error.status == status, f"status {error.status}, not {status}")
        expect(body["message_code"] == code, f"code {body['message_code']}, not {code}")
        return
    raise AssertionError(f"{status} {code} was expected and did not come")


def core(identity, bank, organization):
    bank_token = step("mint_bank", mint(identity, "bank"))
    org_token = step("mint_organization", mint(identity, "org"))
    with_bank = client(cybrid_api_bank, bank, bank_token)

    customers = customers_bank_api.CustomersBankApi(with_bank)
    customer = step(
        "create_customer",
        customers.create_customer(
            bank_models.PostCustomer(
                type="individual",
                name=bank_models.PostCustomerName(first="Zyxanthe", last="Quillfeather"),
                address=bank_models.PostCustomerAddress(
                    street="417 Nonesuch Lane", city="Brackenford", country_code="CA"
                ),
                email_address="zyxanthe.q@example.invalid",
                phone_number="+15550137742",
                identification_numbers=[
                    bank_models.PostIdentificationNumber(
                        type="social_security_number",
                        issuing_country_code="US",
                        identification_number="989-41-7730",
                    )
                ],
            )
        ),
    )
    expect(customer.state == "storing", "a new customer is storing")
    shown = step("get_customer_pii", customers.get_customer(customer.guid, include_pii=True))
    expect(shown.name.full == "Zyxanthe Quillfeather", "the name is shown with include_pii")
    hidden = step("get_customer", customers.get_customer(customer.guid))
    expect("name" not in hidden, "the name is hidden without include_pii")
    listed = step("list_customers", customers.list_customers(page=0, per_page=5))
    expect(listed.objects[0].guid == customer.guid, "the newest customer is first")

    tokens = customer_tokens_idp_api.CustomerTokensIdpApi(client(cybrid_api_id, identity, bank_token))
    minted = step(
        "create_customer_token",
        tokens.create_customer_token(
            id_models.PostCustomerToken(
                customer_guid=customer.guid, scopes=["customers:read", "prices:read"]
            )
        ),
    )
    own = customers_bank_api.CustomersBankApi(client(cybrid_api_bank, bank, minted.access_token))
    step("customer_reads_itself", own.get_customer(customer.guid))
    refused(
        lambda: trades_bank_api.TradesBankApi(
            client(cybrid_api_bank, bank, minted.access_token)
        ).list_trades(),
        403,
        "invalid_scopes",
        cybrid_api_bank.ApiException,
    )
    step("customer_lacks_scope")

    prices = step("list_prices", prices_bank_api.PricesBankApi(with_bank).list_prices(symbol="BTC-USD"))
    prices = getattr(prices, "value", prices)
    expect(prices[0].symbol == "BTC-USD", "the price of BTC-USD")

    quotes = quotes_bank_api.QuotesBankApi(with_bank)
    quote = step(
        "create_quote",
        quotes.create_quote(
            bank_models.PostQuote(
                product_type="trading",
                customer_guid=customer.guid,
                symbol="BTC-USD",
                side="buy",
                deliver_amount=10_000,
            )
        ),
    )
    trades = trades_bank_api.TradesBankApi(with_bank)
    order = bank_models.PostTrade(quote_guid=quote.guid)
    trade = step("create_trade", trades.create_trade(order))
    refused(lambda: trades.create_trade(order), 409, "data_exists", cybrid_api_bank.ApiException)
    step("create_trade_again")
    for _ in range(3):
        trade = trades.get_trade(trade.guid)
    expect(trade.state == "completed", "the trade completes")
    step("get_trade")

    funding = quotes.create_quote(
        bank_models.PostQuote(
            product_type="funding",
            customer_guid=customer.guid,
            asset="USD",
            side="deposit",
            receive_amount=5_000,
        )
    )
    transfers = transfers_bank_api.TransfersBankApi(with_bank)
    transfer = step(
        "create_transfer",
        transfers.create_transfer(
            bank_models.PostTransfer(quote_guid=funding.guid, transfer_type="funding")
        ),
    )
    step("get_transfer", transfers.get_transfer(transfer.guid))

    users = users_idp_api.UsersIdpApi(client(cybrid_api_id, identity, org_token))
    expect(step("list_users", users.list_user()).total >= 2, "there are users")
    with_org = client(cybrid_api_organization, organization, org_token)
    organizations = organizations_organization_api.OrganizationsOrganizationApi(with_org)
    found = step("get_organization", organizations.get_organization(ORGANIZATION))
    expect(found.guid == ORGANIZATION, "the organization")
    subscriptions = subscriptions_organization_api.SubscriptionsOrganizationApi(with_org)
    # Since 0.129 no API key reaches subscriptions; the Partner Portal does.
    refused(
        subscriptions.list_subscriptions,
        403,
        "invalid_scopes",
        cybrid_api_organization.ApiException,
    )
    step("list_subscriptions_refused")
    portal = subscriptions_organization_api.SubscriptionsOrganizationApi(
        client(cybrid_api_organization, organization, mint(identity, "portal", PORTAL))
    )
    step("list_subscriptions", portal.list_subscriptions())
    return with_bank, customer


def wide(identity, bank, organization, with_bank, customer):
    models = bank_models
    transfers = transfers_bank_api.TransfersBankApi(with_bank)
    with_org = client(cybrid_api_bank, bank, mint(identity, "org"))

    assets_bank_api.AssetsBankApi(with_bank).list_assets()
    symbols_bank_api.SymbolsBankApi(with_bank).list_symbols()
    banks = banks_bank_api.BanksBankApi(with_bank)
    banks.list_banks()
    banks.get_bank(BANK)
    banks.update_bank(BANK, models.PatchBank(cors_allowed_origins=["https://app.example"]))
    banks_bank_api.BanksBankApi(with_org).create_bank(
        models.PostBank(
            name="Second",
            supported_trading_symbols=["BTC-USD"],
            supported_fiat_account_assets=["USD"],
            supported_country_codes=["US"],
            features=["individual_customers"],
        )
    )
    customers_bank_api.CustomersBankApi(with_bank).update_customer(
        customer.guid, models.PatchCustomer(state="unverified")
    )

    accounts = accounts_bank_api.AccountsBankApi(with_bank)
    account = accounts.create_account(
        models.PostAccount(type="trading", asset="BTC", name="btc", customer_guid=customer.guid)
    )
    accounts.get_account(account.guid, include_balances=True)
    accounts.list_accounts(customer_guid=customer.guid)
    accounts.update_account(account.guid, models.PatchAccount(name="btc2"))

    counterparties = counterparties_bank_api.CounterpartiesBankApi(with_bank)
    other = counterparties.create_counterparty(
        models.PostCounterparty(
            type="individual",
            address=models.PostCounterpartyAddress(country_code="US", street="1 A"),
            name=models.PostCounterpartyName(full="Otto Other"),
        )
    )
    counterparties.get_counterparty(other.guid, include_pii=True)
    counterparties.list_counterparties(include_pii=True)

    addresses = deposit_addresses_bank_api.DepositAddressesBankApi(with_bank)
    address = addresses.create_deposit_address(models.PostDepositAddress(account_guid=account.guid))
    addresses.get_deposit_address(address.guid)
    addresses.list_deposit_addresses()
    addresses.update_deposit_address(address.guid, models.PatchDepositAddress(name="a"))

    deposits = deposit_bank_accounts_bank_api.DepositBankAccountsBankApi(with_bank)
    deposit = deposits.create_deposit_bank_account(
        models.PostDepositBankAccount(type="main", account_guid=account.guid)
    )
    deposits.get_deposit_bank_account(deposit.guid)
    deposits.list_deposit_bank_accounts()
    deposits.update_deposit_bank_account(deposit.guid, models.PatchDepositBankAccount(name="d"))
    deposits.delete_deposit_bank_account(deposit.guid)

    external = external_bank_accounts_bank_api.ExternalBankAccountsBankApi(with_bank)
    linked = external.create_external_bank_account(
        models.PostExternalBankAccount(
            name="checking",
            account_kind="raw_routing_details",
            customer_guid=customer.guid,
            asset="USD",
            counterparty_name=models.PostExternalBankAccountCounterpartyName(full="Zyx Q"),
            counterparty_bank_account_details=[
                models.PostBankAccountDetails(
                    account_identifier="4453987612", payment_rail="ACH", bank_code="021000021"
                )
            ],
        )
    )
    external.get_external_bank_account(linked.guid, include_pii=True, include_balances=True)
    external.list_external_bank_accounts()
    external.patch_external_bank_account(
        linked.guid, models.PatchExternalBankAccount(state="completed")
    )

    wallets = external_wallets_bank_api.ExternalWalletsBankApi(with_bank)
    wallet = wallets.create_external_wallet(
        models.PostExternalWallet(
            name="w", asset="BTC", address="tb1qexample", customer_guid=customer.guid
        )
    )
    wallets.get_external_wallet(wallet.guid)
    wallets.list_external_wallets()
    wallets.update_external_wallet(wallet.guid, models.PatchExternalWallet(name="w2"))
    wallets.delete_external_wallet(wallet.guid)

    files = files_bank_api.FilesBankApi(with_bank)
    stored = files.create_file(
        models.PostFile(
            type="passport",
            customer_guid=customer.guid,
            filename="p.png",
            content_type="image/png",
            data="aGVsbG8=",
        )
    )
    files.get_file(stored.guid, include_download_url="true")
    files.list_files()

    checks = identity_verifications_bank_api.IdentityVerificationsBankApi(with_bank)
    check = checks.create_identity_verification(
        models.PostIdentityVerification(
            type="kyc",
            method="attested",
            customer_guid=customer.guid,
            name=models.PostIdentityVerificationName(first="Zyx", last="Q"),
        )
    )
    for _ in range(2):
        done = checks.get_identity_verification(check.guid, include_pii=True)
    expect(done.outcome == "passed", "the verification passes")
    checks.list_identity_verifications()
    verified = customers_bank_api.CustomersBankApi(with_bank).get_customer(customer.guid)
    expect(verified.state == "verified", "the customer is verified")
    persona_sessions_bank_api.PersonaSessionsBankApi(with_bank).create_persona_session(
        models.PostPersonaSession(persona_inquiry_id="inq_1", identity_verification_guid=check.guid)
    )
    sardine_sessions_bank_api.SardineSessionsBankApi(with_bank).create_sardine_session(
        models.PostSardineSession(customer_guid=customer.guid)
    )

    invoices = invoices_bank_api.InvoicesBankApi(with_bank)
    invoices.get_invoice(invoices.list_invoices().objects[0].guid)
    instructions = payment_instructions_bank_api.PaymentInstructionsBankApi(with_bank)
    instructions.get_payment_instruction(instructions.list_payment_instructions().objects[0].guid)

    plans = plans_bank_api.PlansBankApi(with_bank)
    plan = plans.create_plan(
        models.PostPlan(
            type="withdrawal",
            customer_guid=customer.guid,
            source_account=models.PostPlanSourceAccount(guid=account.guid, amount=100),
            destination_account=models.PostPlanDestinationAccount(guid=linked.guid),
        )
    )
    plans.get_plan(plan.guid)
    plans.list_plans()
    executions = executions_bank_api.ExecutionsBankApi(with_bank)
    execution = executions.create_execution(models.PostExecution(plan_guid=plan.guid))
    executions.get_execution(execution.guid)
    executions.list_executions()
    external.delete_external_bank_account(linked.guid)

    quotes = quotes_bank_api.QuotesBankApi(with_bank)
    quotes.get_quote(quotes.list_quotes(per_page=1).objects[0].guid)
    trades_bank_api.TradesBankApi(with_bank).list_trades(side="buy")
    transactions_bank_api.TransactionsBankApi(with_bank).list_transactions(account.guid)
    newest = transfers.list_transfers().objects[0]
    transfers.update_transfer(newest.guid, models.PatchTransfer())
    book = quotes.create_quote(
        models.PostQuote(product_type="book_transfer", asset="USD", side="withdrawal", deliver_amount=7)
    )
    moved = transfers.create_transfer(
        models.PostTransfer(quote_guid=book.guid, transfer_type="book")
    )
    transfers.cancel_transfer(moved.guid, "2026-04-01")

    workflows = workflows_bank_api.WorkflowsBankApi(with_bank)
    flow = workflows.create_workflow(
        models.PostWorkflow(type="plaid", kind="link_token_create", customer_guid=customer.guid)
    )
    expect(workflows.get_workflow(flow.guid).plaid_link_token, "a link token")
    workflows.list_workflows()

    portal = mint(identity, "portal", PORTAL + " subscription_events:read "
                  "subscription_events:execute organizations:read organizations:write banks:read")
    at_identity = client(cybrid_api_id, identity, portal)
    users = users_idp_api.UsersIdpApi(at_identity)
    user = users.create_user(id_models.PostUser(email="new.sim@example.invalid"))
    users.get_user(user.guid)
    users.update_user(user.guid, id_models.PatchUser(allowed_scopes=["users:read"]))
    users.disable_user(user.guid)
    from datetime import datetime, timezone

    later = datetime(2030, 1, 1, tzinfo=timezone.utc)
    keys = organization_applications_idp_api.OrganizationApplicationsIdpApi(at_identity)
    key = keys.create_organization_application(
        id_models.PostOrganizationApplication(name="k", expires_at=later)
    )
    keys.get_organization_application(key.client_id)
    keys.list_organization_applications()
    keys.update_organization_application(key.client_id, id_models.PatchApplication(name="k2"))
    keys.delete_organization_application(key.client_id)
    keys = bank_applications_idp_api.BankApplicationsIdpApi(at_identity)
    key = keys.create_bank_application(id_models.PostBankApplication(name="k", expires_at=later))
    keys.get_bank_application(key.client_id)
    keys.list_bank_applications()
    keys.update_bank_application(key.client_id, id_models.PatchApplication(name="k2"))
    keys.delete_bank_application(key.client_id)

    at_organization = client(cybrid_api_organization, organization, portal)
    organizations_organization_api.OrganizationsOrganizationApi(
        at_organization
    ).update_organization(ORGANIZATION, organization_models.PatchOrganization(name="Renamed"))
    subscriptions = subscriptions_organization_api.SubscriptionsOrganizationApi(at_organization)
    hook = subscriptions.create_subscription(
        organization_models.PostSubscription(
            environment="sandbox", type="webhook", name="hook", url="https://hook.example/x"
        )
    )
    subscriptions.get_subscription(hook.guid)
    subscriptions.update_subscription(hook.guid, organization_models.PatchSubscription(name="h2"))
    events = subscription_events_organization_api.SubscriptionEventsOrganizationApi(at_organization)
    event = events.list_subscription_events().objects[0]
    events.get_subscription_event(event.guid)
    deliveries = subscription_deliveries_organization_api.SubscriptionDeliveriesOrganizationApi(
        at_organization
    )
    delivery = deliveries.create_subscription_delivery(
        organization_models.PostSubscriptionDelivery(
            subscription_event_guid=event.guid, subscription_guid=hook.guid
        )
    )
    deliveries.get_subscription_delivery(delivery.guid)
    deliveries.list_subscription_deliveries()
    subscriptions.delete_subscription(hook.guid)
    step("wide")


def main():
    identity = os.environ["EGRET_IDENTITY_URL"].rstrip("/")
    bank = os.environ["EGRET_BANK_URL"].rstrip("/")
    organization = os.environ["EGRET_ORGANIZATION_URL"].rstrip("/")
    with_bank, customer = core(identity, bank, organization)
    if os.environ.get("EGRET_WIDE") == "1":
        wide(identity, bank, organization, with_bank, customer)
    print(json.dumps({"ok": True, "client": "cybrid", "steps": steps, "customer": customer.guid}))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # one line, whatever went wrong
        if os.environ.get("EGRET_TRACE"):
            raise
        print(json.dumps({"ok": False, "client": "cybrid", "steps": steps, "error": repr(error)}))
        sys.exit(1)
