//! Whatever comes, the vendors answer; a test double that panics tests nothing.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use proptest::prelude::*;

use crate::sim::message::Request;
use crate::sim::testing::{Hands, START};
use crate::sim::{SimOptions, Vendor, cybrid, jwt, obp, wyre};
use crate::types::Micros;

/// Paths that reach into every part, with a place for something odd.
const PATHS: &[&str] = &[
    "/oauth/token",
    "/api/customers/{}",
    "/api/customers?include_pii={}",
    "/api/quotes",
    "/api/transactions?cursor={}",
    "/api/prices?symbol={}",
    "/my/logins/direct",
    "/oauth/initiate",
    "/oauth/authorize?oauth_token={}",
    "/obp-oidc/token",
    "/obp/v4.0.0/users/current",
    "/obp/v4.0.0/banks/{}",
    "/obp/v4.0.0/banks/sim.bank/accounts/acc-1/account-access/grant",
    "/berlin-group/v1.3/{}",
    "/v2/sessions/auth/key?secretKey={}",
    "/v3/accounts/{}",
    "/v3/transfers",
    "/v3/accounts?timestamp={}&masqueradeAs={}",
    "/{}",
];

fn requests() -> impl Strategy<Value = Request> {
    let header = prop_oneof![
        Just("Authorization"),
        Just("DirectLogin"),
        Just("DAuth"),
        Just("Consent-JWT"),
        Just("X-Api-Key"),
        Just("X-Api-Signature"),
        Just("Idempotency-Key"),
    ];
    let value = prop_oneof![
        "\\PC{0,40}",
        "(Bearer|Basic|OAuth|DirectLogin|GatewayLogin) (token=)?\"?[a-zA-Z0-9=._-]{0,40}\"?",
    ];
    let body = prop_oneof![
        "\\PC{0,60}",
        Just(
            r#"{"grant_type":"client_credentials","client_id":"sim-bank-id","scopes":[1]}"#
                .to_owned()
        ),
    ];
    (
        prop::sample::select(vec![
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X",
        ]),
        prop::sample::select(PATHS),
        "\\PC{0,20}",
        prop::collection::vec((header, value), 0..4),
        body,
    )
        .prop_map(|(method, path, odd, headers, body)| {
            let target = path.replace("{}", &odd);
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            Request {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                body: Bytes::from(body),
                host: "h".to_owned(),
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
                now: Micros::from_secs(START),
            }
        })
}

proptest! {
    #[test]
    fn every_vendor_answers_anything(requests in prop::collection::vec(requests(), 1..8)) {
        let options = |vendor| SimOptions::new(vendor, Hands::new().clock());
        let mut cybrid = cybrid::Cybrid::new(&options(Vendor::Cybrid));
        let mut obp = obp::Obp::new(&options(Vendor::Obp));
        let mut wyre = wyre::Wyre::new(&options(Vendor::Wyre));
        for request in &requests {
            for reply in [
                cybrid.handle(request, true, false),
                obp.handle(request, true, false),
                wyre.handle(request, true, false),
            ] {
                prop_assert!((200..500).contains(&reply.status), "{} {}", request.path, reply.status);
            }
        }
    }

    #[test]
    fn tokens_are_decoded_or_not_but_never_panic(text in "\\PC{0,80}") {
        let _ = jwt::decode(&text);
    }
}
