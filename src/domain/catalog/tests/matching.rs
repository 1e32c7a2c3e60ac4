//! The matcher against traps, hostile input and a naive reference.

use proptest::prelude::*;

use super::super::template::{self, Segment};
use super::super::*;
use super::provider;

const API: ServiceIndex = ServiceIndex(0);

fn found<'m>(matcher: &'m Matcher, method: &str, path: &str) -> Option<&'m str> {
    matcher
        .find(API, method, path)
        .map(|found| &*found.route.operation.id)
}

#[test]
fn trailing_slashes_count() {
    let cybrid = provider("cybrid");
    let matcher = Matcher::new(&cybrid);
    let service = cybrid
        .operation("organization.create_subscription")
        .unwrap()
        .service;
    let id = |method, path| {
        matcher
            .find(service, method, path)
            .map(|m| m.route.operation.id.to_string())
    };
    assert_eq!(
        id("POST", "/api/subscriptions/").as_deref(),
        Some("organization.create_subscription")
    );
    assert_eq!(id("POST", "/api/subscriptions"), None);
    assert_eq!(
        id("GET", "/api/subscriptions").as_deref(),
        Some("organization.list_subscriptions")
    );
    assert_eq!(id("GET", "/api/subscriptions/"), None);
    assert_eq!(
        id("GET", "/api/subscriptions/2b2b").as_deref(),
        Some("organization.get_subscription")
    );
    assert_eq!(id("GET", "/api/subscriptions/2b2b/"), None);
}

#[test]
fn words_that_look_like_placeholders_are_literals() {
    let obp = provider("obp");
    let matcher = Matcher::new(&obp);
    let account = "/banks/b/accounts/a/owner/transaction-request-types";
    let path = format!("/obp/v4.0.0{account}/SEPA/transaction-requests");
    assert_eq!(
        found(&matcher, "POST", &path),
        Some("OBPv4.0.0-createTransactionRequestSepa")
    );
    let path = format!("/obp/v4.0.0{account}/sepa/transaction-requests");
    assert_eq!(found(&matcher, "POST", &path), None);
    for (kind, id) in [("EMAIL", "Email"), ("SMS", "Sms"), ("IMPLICIT", "Implicit")] {
        let path = format!("/obp/v5.0.0/banks/b/my/consents/{kind}");
        let expected = format!("OBPv3.1.0-createConsent{id}");
        assert_eq!(found(&matcher, "POST", &path), Some(expected.as_str()));
    }
}

#[test]
fn the_newest_declaration_that_is_not_newer_is_taken() {
    let obp = provider("obp");
    let matcher = Matcher::new(&obp);
    let accounts = |version| {
        found(&matcher, "GET", &format!("/obp/{version}/banks/b/accounts"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(accounts("v6.0.0"), "OBPv6.0.0-getAccountsAtBank");
    assert_eq!(accounts("v5.0.0"), "OBPv4.0.0-getPrivateAccountsAtOneBank");
    let found = matcher
        .find(API, "GET", "/obp/v5.0.0/banks/b/accounts")
        .unwrap();
    assert_eq!(
        &*found.route.template,
        "/obp/v5.0.0/banks/{BANK_ID}/accounts"
    );
    assert_eq!(
        &*found.route.operation.template,
        "/obp/{version}/banks/{BANK_ID}/accounts"
    );
    assert!(
        matcher
            .find(API, "GET", "/obp/v9.9.9/banks/b/accounts")
            .is_none()
    );
    // Clients of version 5.1.0 from before April 2024 use the grant path of 4.0.0.
    for version in ["v4.0.0", "v5.0.0", "v5.1.0"] {
        let path = format!("/obp/{version}/banks/b/accounts/a/account-access/grant");
        let found = matcher.find(API, "POST", &path).unwrap();
        assert_eq!(
            &*found.route.operation.id,
            "OBPv4.0.0-grantUserAccessToView"
        );
    }
}

#[test]
fn tails_take_the_rest_and_any_method() {
    let obp = provider("obp");
    let matcher = Matcher::new(&obp);
    for method in ["GET", "POST", "PROPFIND"] {
        assert_eq!(
            found(&matcher, method, "/obp/dynamic-entity/a/b/c"),
            Some("DynamicEntity-any")
        );
    }
    assert_eq!(found(&matcher, "GET", "/obp/dynamic-entity/"), None);
    assert_eq!(found(&matcher, "GET", "/obp/dynamic-entity"), None);
    let path = "/obp/dynamic-endpoint/a/b%2Fc";
    let found = matcher.find(API, "PUT", path).unwrap();
    let values: Vec<&str> = found.values(path).map(|(_, value)| value).collect();
    assert_eq!(values, ["a/b%2Fc"]);
    let deep = format!("/obp/dynamic-entity{}", "/a".repeat(500));
    let found = matcher.find(API, "GET", &deep).unwrap();
    assert_eq!(found.values(&deep).next().unwrap().1.len(), 999);
}

#[test]
fn head_matches_get_and_other_methods_do_not_match() {
    let cybrid = provider("cybrid");
    let matcher = Matcher::new(&cybrid);
    let bank = cybrid.operation("bank.get_trade").unwrap().service;
    let id = |method, path| {
        matcher
            .find(bank, method, path)
            .map(|m| m.route.operation.id.to_string())
    };
    assert_eq!(
        id("HEAD", "/api/trades/1").as_deref(),
        Some("bank.get_trade")
    );
    for method in ["DELETE", "PUT", "OPTIONS", "get", "*", "TRACE", ""] {
        assert_eq!(id(method, "/api/trades/1"), None, "{method}");
    }
    // A path of another service is none of this one.
    assert_eq!(id("POST", "/oauth/token"), None);
}

#[test]
fn parameters_are_given_as_they_came() {
    let wyre = provider("wyre");
    let matcher = Matcher::new(&wyre);
    let path = "/v3/accounts/AC%5fTEST/individualSsn";
    let found = matcher.find(API, "POST", path).unwrap();
    let values: Vec<(&str, &str)> = found
        .values(path)
        .map(|(param, value)| (&*param.name, value))
        .collect();
    assert_eq!(
        values,
        [("accountId", "AC%5fTEST"), ("fieldId", "individualSsn")]
    );
    // Encoded literals are other literals.
    assert!(matcher.find(API, "POST", "/v3/%61ccounts").is_none());
}

#[test]
fn strange_paths_match_nothing() {
    let obp = provider("obp");
    let matcher = Matcher::new(&obp);
    let long = format!("/obp/dynamic-entity/{}", "a".repeat(70_000));
    for path in [
        "",
        "obp",
        "/",
        "//",
        "/obp//banks",
        "/obp/v4.0.0//",
        "*",
        &long,
        &"/".repeat(60_000),
    ] {
        assert_eq!(found(&matcher, "GET", path), None, "{:.40}", path);
    }
    assert!(matcher.find(ServiceIndex(9), "GET", "/alive").is_none());
}

#[test]
fn the_more_literal_template_wins_then_the_one_that_is_literal_further_left() {
    let paths = [
        "/a/{p}/c",
        "/{p}/b/c",
        "/{p}/{q}/c",
        "/a/{t+}",
        "/a/{p}/{t+}",
        "/a/b/{p}",
    ];
    let mut file = String::from(
        "id = \"x\"\ntitle = \"x\"\ncredential_scheme = \"bearer\"\n[[service]]\nid = \"api\"\nprefix = \"/x\"\n",
    );
    for (i, path) in paths.iter().enumerate() {
        file += &format!(
            "[[operation]]\nid = \"{i}\"\nmethod = \"GET\"\npath = \"{path}\"\neffect = \"read\"\n"
        );
    }
    let matcher = Matcher::new(&Provider::parse("x.toml", &file).unwrap());
    let template = |path| {
        matcher
            .find(API, "GET", path)
            .map(|found| found.route.template.to_string())
    };
    for (path, expected) in [
        ("/a/b/c", "/a/b/{p}"),
        ("/a/x/c", "/a/{p}/c"),
        ("/x/b/c", "/{p}/b/c"),
        ("/x/y/c", "/{p}/{q}/c"),
        ("/a/x", "/a/{t+}"),
        ("/a/x/y", "/a/{p}/{t+}"),
        ("/a/b/c/d", "/a/{p}/{t+}"),
    ] {
        assert_eq!(template(path).as_deref(), Some(expected), "{path}");
    }
}

/// A catalog that branches at every segment.
fn branching(depth: u32) -> Provider {
    let mut file = String::from(
        "id = \"x\"\ntitle = \"x\"\ncredential_scheme = \"bearer\"\n[[service]]\nid = \"api\"\nprefix = \"/x\"\n",
    );
    for bits in 0..1_u32 << depth {
        let path: String = (0..depth)
            .map(|i| {
                if bits >> i & 1 == 1 {
                    "/a".to_owned()
                } else {
                    format!("/{{p{i}}}")
                }
            })
            .collect();
        file += &format!(
            "[[operation]]\nid = \"o{bits}\"\nmethod = \"GET\"\npath = \"{path}/end\"\neffect = \"read\"\n"
        );
    }
    Provider::parse("x.toml", &file).unwrap()
}

#[test]
fn a_catalog_made_to_branch_cannot_hold_a_search_up() {
    let matcher = Matcher::new(&branching(11));
    let path = format!("{}/end", "/a".repeat(11));
    assert_eq!(found(&matcher, "GET", &path), Some("o2047"));
    // Nothing fits, so every branch would have to be tried: the search gives up.
    assert_eq!(
        found(&matcher, "GET", &format!("{}/other", "/a".repeat(11))),
        None
    );
    assert_eq!(found(&matcher, "POST", &path), None);
}

/// Scores every template against a path.
fn reference(provider: &Provider, method: &str, path: &str) -> Option<String> {
    let steps: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let asked = Method::parse(method).filter(|method| *method != Method::Any);
    let mut best = None;
    for operation in provider
        .operations
        .iter()
        .filter(|operation| operation.recorded_as.is_none())
    {
        let fit = match (operation.method, asked) {
            (Method::Any, _) => 1,
            (Method::Get, Some(Method::Head)) => 2,
            (offered, Some(asked)) if offered == asked => 3,
            _ => continue,
        };
        for text in operation.templates() {
            let template = template::parse(&text).unwrap();
            let tail = matches!(template.last(), Some(Segment::Tail(_)));
            let fits = if tail {
                steps.len() >= template.len()
            } else {
                steps.len() == template.len()
            };
            let matches = fits
                && template
                    .iter()
                    .zip(&steps)
                    .all(|(segment, step)| match segment {
                        Segment::Literal(text) => text == step,
                        Segment::Param(_) | Segment::Tail(_) => !step.is_empty(),
                    });
            if !matches {
                continue;
            }
            let literal: Vec<bool> = template
                .iter()
                .map(|s| matches!(s, Segment::Literal(_)))
                .collect();
            let count = literal.iter().filter(|literal| **literal).count();
            let mut places = literal;
            places.resize(template::MAX_SEGMENTS, false);
            let depth = if tail { template.len() } else { usize::MAX };
            let rank = (count, places, depth, fit);
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, operation.id.to_string()));
            }
        }
    }
    best.map(|(_, id)| id)
}

fn arbitrary_provider() -> impl Strategy<Value = Provider> {
    let step = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("{p}")];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("*")];
    let route = (
        method,
        prop::collection::vec(step, 1..5),
        prop_oneof![3 => Just(""), 1 => Just("/"), 1 => Just("/{t+}")],
    );
    prop::collection::vec(route, 1..40).prop_map(|routes| {
        let mut file = String::from(
            "id = \"x\"\ntitle = \"x\"\ncredential_scheme = \"bearer\"\n[[service]]\nid = \"api\"\nprefix = \"/x\"\n",
        );
        let mut seen = std::collections::HashSet::new();
        for (i, (method, steps, end)) in routes.into_iter().enumerate() {
            if !seen.insert((method, steps.clone(), end)) {
                continue;
            }
            let path: String = steps
                .iter()
                .enumerate()
                .map(|(n, step)| if *step == "{p}" { format!("/{{p{n}}}") } else { format!("/{step}") })
                .collect();
            file += &format!("[[operation]]\nid = \"o{i}\"\nmethod = \"{method}\"\npath = \"{path}{end}\"\neffect = \"read\"\n");
        }
        Provider::parse("x.toml", &file).unwrap()
    })
}

proptest! {
    #[test]
    fn the_trie_agrees_with_the_reference(
        provider in arbitrary_provider(),
        requests in prop::collection::vec(
            ("(GET|POST|HEAD|PUT)", "(/(a|b|ab|c|)){1,6}"),
            1..30,
        ),
    ) {
        let matcher = Matcher::new(&provider);
        for (method, path) in requests {
            prop_assert_eq!(
                found(&matcher, &method, &path).map(str::to_owned),
                reference(&provider, &method, &path),
                "{} {}", method, path
            );
        }
    }

    #[test]
    fn no_path_makes_the_matcher_panic(method in "[A-Z*]{0,8}", path in "\\PC{0,60}") {
        let provider = provider("wyre");
        let matcher = Matcher::new(&provider);
        if let Some(found) = matcher.find(API, &method, &path) {
            prop_assert_eq!(found.values(&path).count(), found.route.operation.params.len());
        }
    }
}
