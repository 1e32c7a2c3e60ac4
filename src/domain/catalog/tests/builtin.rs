//! The provider files that are part of the program.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::super::*;
use super::provider;
use crate::types::{Effect, Environment, PiiClass, RetryClass, TokenType};

fn operation(provider: &Provider, id: &str) -> Operation {
    let found = provider
        .operation(id)
        .unwrap_or_else(|| panic!("no operation {id}"));
    (**found).clone()
}

fn fact(facts: &[FactRule], name: &str) -> FactRule {
    facts
        .iter()
        .find(|fact| &*fact.name == name)
        .unwrap_or_else(|| panic!("no fact {name}"))
        .clone()
}

#[test]
fn the_files_are_complete() {
    assert_eq!(provider("cybrid").operations.len(), 100);
    assert_eq!(provider("obp").operations.len(), 1247);
    assert_eq!(provider("wyre").operations.len(), 46);
}

#[test]
fn every_operation_matches_its_own_template() {
    // Dummy values of parameters of these operations collide with literals on purpose nowhere:
    // a value such as `x1` is no literal of any template.
    for id in ["cybrid", "obp", "wyre"] {
        let provider = provider(id);
        let matcher = Matcher::new(&provider);
        for operation in &provider.operations {
            let expected = operation.recorded_as.as_ref().unwrap_or(&operation.id);
            for template in operation.templates() {
                let path = dummy(&template);
                let method = match operation.method {
                    Method::Any => "POST",
                    method => method.as_str(),
                };
                let found = matcher
                    .find(operation.service, method, &path)
                    .unwrap_or_else(|| panic!("{id}: {method} {path} matches nothing"));
                assert_eq!(&found.route.operation.id, expected, "{id}: {method} {path}");
                if operation.recorded_as.is_none() {
                    assert_eq!(found.route.template, template);
                }
                let values: Vec<&str> = found.values(&path).map(|(_, value)| value).collect();
                assert_eq!(values.len(), found.route.operation.params.len(), "{path}");
                assert!(
                    values.iter().all(|value| value.starts_with("x1")),
                    "{path}: {values:?}"
                );
            }
        }
    }
}

fn dummy(template: &str) -> String {
    let steps: Vec<&str> = template
        .split('/')
        .map(|step| match step {
            tail if tail.ends_with("+}") => "x1/y2/z3",
            param if param.starts_with('{') => "x1",
            literal => literal,
        })
        .collect();
    steps.join("/")
}

#[test]
fn operations_that_share_a_route_are_known() {
    // The Berlin Group ones differ in the body only; the other three are declared twice in the
    // sources, once in each tree or under two names.
    let obp = provider("obp");
    let shared: Vec<_> = obp
        .operations
        .iter()
        .filter(|operation| operation.recorded_as.is_some())
        .collect();
    assert_eq!(shared.len(), 18);
    let other: BTreeSet<&str> = shared
        .iter()
        .map(|operation| &*operation.id)
        .filter(|id| !id.contains("Authorisation") && !id.contains("PsuData"))
        .collect();
    let expected = [
        "BGv1.3-readAccountDetails",
        "OBPv1.4.0-getResourceDocsObpV400",
        "OBPv5.1.0-updateConsumerRedirectUrl",
    ];
    assert_eq!(other, BTreeSet::from(expected));
    for id in ["cybrid", "wyre"] {
        assert!(
            provider(id)
                .operations
                .iter()
                .all(|operation| operation.recorded_as.is_none())
        );
    }
}

#[test]
fn hosts_are_the_documented_ones() {
    let cybrid = provider("cybrid");
    let urls: Vec<String> = cybrid
        .services
        .iter()
        .flat_map(|service| &service.base_urls)
        .map(|(_, url)| url.to_string())
        .collect();
    assert_eq!(urls.len(), 6);
    assert!(urls.contains(&"https://bank.production.cybrid.app".to_owned()));
    let bank = cybrid
        .services
        .iter()
        .find(|service| &*service.id == "bank")
        .unwrap();
    assert_eq!(
        bank.base_url(Environment::Sandbox).unwrap().host(),
        "bank.sandbox.cybrid.app"
    );
    for id in ["obp", "wyre"] {
        assert!(
            provider(id)
                .services
                .iter()
                .all(|service| service.base_urls.is_empty()),
            "{id}"
        );
    }
    let (_, wyre) = builtin()[2];
    assert!(!wyre.contains("sendwyre") && !wyre.contains("testwyre"));
}

#[test]
fn cybrid_operations_say_what_they_do() {
    let cybrid = provider("cybrid");
    let effects = [
        ("identity.oauth_token", Effect::Mint),
        ("identity.create_customer_token", Effect::Mint),
        ("bank.create_trade", Effect::Money),
        ("bank.cancel_transfer", Effect::Money),
        ("bank.create_quote", Effect::Write),
        ("bank.update_bank", Effect::AccessChange),
        ("bank.get_customer", Effect::Read),
        ("identity.disable_user", Effect::AccessChange),
    ];
    for (id, effect) in effects {
        assert_eq!(operation(&cybrid, id).effect, effect, "{id}");
    }
    let unsafe_get = operation(&cybrid, "bank.get_external_bank_account");
    assert!(unsafe_get.has(OperationFlag::UnsafeGet));
    assert_eq!(unsafe_get.retry, RetryClass::Unsent);
    assert_eq!(
        operation(&cybrid, "bank.list_trades").retry,
        RetryClass::Read
    );
    assert_eq!(
        operation(&cybrid, "bank.create_trade").retry,
        RetryClass::Unsent
    );
    let guard = operation(&cybrid, "bank.create_trade")
        .replay_guard
        .unwrap();
    assert_eq!(
        (&*guard.key, guard.status, &*guard.code),
        ("quote_guid", 409, "data_exists")
    );
    let cancel = operation(&cybrid, "bank.cancel_transfer");
    assert_eq!(cancel.min_accept_version.as_deref(), Some("2026-04-01"));
    assert!(operation(&cybrid, "identity.create_user").has(OperationFlag::PortalOnly));
    let token = operation(&cybrid, "identity.create_customer_token");
    assert_eq!(token.token_types, [TokenType::Bank]);
    assert_eq!(token.mint.unwrap().response[0].as_str(), "access_token");
}

#[test]
fn cybrid_personal_data_depends_on_the_flag_where_it_is_documented() {
    let cybrid = provider("cybrid");
    let customer = operation(&cybrid, "bank.get_customer");
    assert_eq!(
        customer.response_pii_classes(|_| false),
        [PiiClass::FreeText]
    );
    let with = customer.response_pii_classes(|flag| flag == "include_pii");
    assert!(with.contains(&PiiClass::GovernmentId) && with.contains(&PiiClass::PersonName));
    let verification = operation(&cybrid, "bank.get_identity_verification");
    assert!(
        verification
            .response_pii_classes(|_| false)
            .contains(&PiiClass::Email)
    );
    // The answers of a list of deposit bank accounts have no such flag.
    let deposits = operation(&cybrid, "bank.list_deposit_bank_accounts");
    assert!(
        deposits
            .response_pii_classes(|_| false)
            .contains(&PiiClass::BankAccount)
    );
}

#[test]
fn query_parameters_are_recorded_only_where_it_is_safe() {
    let cybrid = provider("cybrid");
    let list = operation(&cybrid, "bank.list_customers").query;
    assert_eq!(list.get("page"), Some(&QueryKeep::Value(Shape::Int)));
    assert_eq!(
        list.get("include_pii"),
        Some(&QueryKeep::Value(Shape::Bool))
    );
    assert_eq!(
        list.get("bank_guid"),
        Some(&QueryKeep::Subject("bank".into()))
    );
    assert_eq!(list.get("label"), Some(&QueryKeep::Mask));
    assert_eq!(list.get("sk-live-abc"), None);
    let wyre = provider("wyre");
    let mint = operation(&wyre, "initializeAuthToken").query;
    assert_eq!(mint.get("secretKey"), Some(&QueryKeep::Mask));
    assert_eq!(
        mint.get("timestamp"),
        Some(&QueryKeep::Value(Shape::EpochMs))
    );
    assert_eq!(
        mint.get("masqueradeAs"),
        Some(&QueryKeep::Subject("account".into()))
    );
    for id in ["cybrid", "obp", "wyre"] {
        for operation in &provider(id).operations {
            for rule in operation.query.iter() {
                if let QueryKeep::Value(shape) = &rule.keep {
                    assert!(
                        shape.is_safe_in_query(),
                        "{id} {} {}",
                        operation.id,
                        rule.name
                    );
                }
            }
        }
    }
}

#[test]
fn a_grant_of_access_is_recorded_with_view_and_user() {
    let obp = provider("obp");
    let grant = operation(&obp, "OBPv4.0.0-grantUserAccessToView");
    assert_eq!(grant.effect, Effect::AccessChange);
    assert_eq!(grant.access.as_deref(), Some("view_grant"));
    assert_eq!(
        fact(&grant.request_facts, "user").keep,
        FactKeep::Subject("user".into())
    );
    assert_eq!(
        fact(&grant.request_facts, "view_id").keep,
        FactKeep::Value(Shape::View)
    );
    assert_eq!(
        fact(&grant.request_facts, "is_system").at.to_string(),
        "view.is_system"
    );
    let account = grant
        .params
        .iter()
        .find(|param| &*param.name == "ACCOUNT_ID")
        .unwrap();
    assert_eq!(account.keep, ParamKeep::Subject("account".into()));
}

#[test]
fn money_is_recorded_with_amount_and_currency() {
    let obp = provider("obp");
    let sepa = operation(&obp, "OBPv4.0.0-createTransactionRequestSepa");
    assert_eq!(sepa.effect, Effect::Money);
    assert_eq!(
        fact(&sepa.request_facts, "amount").keep,
        FactKeep::Value(Shape::Amount)
    );
    assert_eq!(
        fact(&sepa.request_facts, "currency").at.to_string(),
        "value.currency"
    );
    let wyre = provider("wyre");
    let transfer = operation(&wyre, "createTransfer");
    assert_eq!(
        fact(&transfer.request_facts, "auto_confirm").keep,
        FactKeep::Value(Shape::Bool)
    );
    assert_eq!(operation(&wyre, "confirmTransfer").retry, RetryClass::Never);
    let cybrid = provider("cybrid");
    let trade = operation(&cybrid, "bank.create_trade");
    assert_eq!(
        fact(&trade.request_facts, "quote_guid").keep,
        FactKeep::Value(Shape::Guid32)
    );
    assert_eq!(
        fact(&trade.response_facts, "trade_guid").at.to_string(),
        "guid"
    );
    // Creating a counterparty moves no money.
    assert_eq!(
        operation(&obp, "OBPv4.0.0-createCounterparty").effect,
        Effect::Write
    );
}

#[test]
fn obp_traps_are_marked() {
    let obp = provider("obp");
    let revoke = operation(&obp, "OBPv3.1.0-revokeConsent");
    assert_eq!(revoke.method, Method::Get);
    assert!(revoke.has(OperationFlag::UnsafeGet));
    assert_eq!(
        (revoke.effect, revoke.retry),
        (Effect::AccessChange, RetryClass::Never)
    );
    let mint = operation(&obp, "DirectLogin-createToken");
    assert_eq!((mint.effect, mint.retry), (Effect::Mint, RetryClass::Never));
    let oauth = operation(&obp, "OAuth1-token").mint.unwrap();
    assert_eq!(oauth.encoding, MintEncoding::Form);
    let reset = operation(&obp, "Portal-resetPassword");
    assert_eq!(reset.params[0].keep, ParamKeep::Secret);
    let by_email = operation(&obp, "OBPv4.0.0-getUsersByEmail");
    assert_eq!(by_email.params[0].keep, ParamKeep::Pii(PiiClass::Email));
    // Some POSTs only read.
    let reading = obp
        .operations
        .iter()
        .filter(|o| o.method == Method::Post && o.effect == Effect::Read)
        .count();
    assert!(reading > 10, "{reading}");
    assert_eq!(obp.services[0].http_version, HttpVersion::Http11);
    assert_eq!(obp.services[0].timeout, Some(Duration::from_secs(60)));
}

#[test]
fn error_codes_are_found_and_others_are_unlisted() {
    let cybrid = provider("cybrid");
    assert_eq!(
        cybrid.error_codes[0].code("invalid_scopes"),
        "invalid_scopes"
    );
    assert_eq!(cybrid.error_codes[0].code("Bearer abc"), UNLISTED);
    assert_eq!(
        cybrid.error_codes[1].code("invalid_client"),
        "invalid_client"
    );
    let obp = provider("obp");
    assert_eq!(
        obp.error_codes[0].code("OBP-20003: Invalid token: eyJhbGciOi"),
        "OBP-20003"
    );
    assert_eq!(obp.error_codes[0].code("eyJhbGciOi"), UNLISTED);
    let wyre = provider("wyre");
    assert_eq!(
        wyre.error_codes[0].code("accessDenied.invalidSession"),
        "accessDenied.invalidSession"
    );
    assert_eq!(
        fact(&wyre.error_facts, "exception_id").keep,
        FactKeep::Value(Shape::SupportRef)
    );
}

#[test]
fn every_secret_answer_of_a_mint_is_marked_secret() {
    for id in ["cybrid", "obp", "wyre"] {
        for operation in &provider(id).operations {
            let Some(mint) = &operation.mint else {
                continue;
            };
            let secrets: HashSet<&str> = operation
                .response_secrets
                .iter()
                .map(|path| path.as_str().trim_start_matches("**."))
                .collect();
            for path in &mint.response {
                let last = path.as_str().rsplit('.').next().unwrap();
                // Identifiers that act as credentials but are no secret fields.
                let identifier = ["ConsentId", "consentId", "apiKey"].contains(&last);
                assert!(
                    identifier || secrets.contains(last),
                    "{id} {}: {path}",
                    operation.id
                );
            }
        }
    }
}

#[test]
fn the_example_of_the_document_loads() {
    let document = include_str!("../../../../docs/catalog.md");
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let acme = Provider::parse("acme.toml", example).unwrap();
    assert_eq!(acme.operations.len(), 3);
    for key in ["`recorded_as`", "`support_ref`", "`encoded_slash`"] {
        assert!(document.contains(key), "{key}");
    }
    for (_, flag) in OperationFlag::ALL {
        assert!(document.contains(&format!("`{flag}`")), "{flag}");
    }
    for (shape, _) in Shape::PLAIN {
        assert!(document.contains(&format!("`{shape}`")), "{shape}");
    }
}
