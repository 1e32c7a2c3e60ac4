use std::io::Read as _;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::sim::testing::{Hands, call, send, start};
use crate::sim::{Faults, SimError, SimOptions, Simulator, Vendor};

async fn switch(simulator: &Simulator, faults: Value) {
    let answer = call(simulator, "POST", "/__sim/faults", &[], &faults.to_string()).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[tokio::test]
async fn only_loopback_is_served() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let options = SimOptions::new(Vendor::Wyre, Hands::new().clock());
    let Err(error) = Simulator::start(listener, options) else {
        panic!("served 0.0.0.0");
    };
    assert!(matches!(error, SimError::NotLoopback { .. }));
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn every_switch_can_be_turned_at_run_time() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let get = || {
        send(
            &simulator,
            "GET",
            "/api/assets",
            &[("Accept-Encoding", "gzip")],
            "",
        )
    };
    let plain = get().await.unwrap();
    assert_eq!(
        (plain.status, plain.header("content-encoding")),
        (200, None)
    );

    switch(&simulator, json!({"error_rate": 1.0})).await;
    assert!((500..=503).contains(&get().await.unwrap().status));

    switch(&simulator, json!({"drop_rate": 1.0, "times": 1})).await;
    assert!(get().await.is_none());
    assert_eq!(get().await.unwrap().status, 200);

    switch(&simulator, json!({"truncate_rate": 1.0})).await;
    let cut = get().await.unwrap();
    let announced: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert_eq!(
        (announced, cut.body.len()),
        (plain.body.len(), plain.body.len() / 2)
    );

    switch(&simulator, json!({"gzip": true})).await;
    let packed = get().await.unwrap();
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice())
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);

    switch(&simulator, json!({"echo_headers": true})).await;
    let echoed = call(
        &simulator,
        "GET",
        "/api/assets",
        &[("X-Secret", "s3cr3t")],
        "",
    )
    .await;
    assert_eq!(echoed.header("echo_x-secret"), Some("s3cr3t"));

    switch(&simulator, json!({"limits": true})).await;
    for _ in 0..100 {
        get().await;
    }
    assert_eq!(get().await.unwrap().status, 429);

    let wrong = call(&simulator, "POST", "/__sim/faults", &[], r#"{"eror":1}"#).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn expired_tokens_and_latency() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let body = r#"{"grant_type":"client_credentials","client_id":"sim-bank-id","client_secret":"sim-bank-secret"}"#;
    simulator.set_faults(Faults {
        expired_tokens: true,
        latency_ms: Some((1, 2)),
        ..Faults::default()
    });
    let minted = call(&simulator, "POST", "/oauth/token", &[], body).await;
    assert_eq!(minted.status, 200);
    let bearer = format!("Bearer {}", minted.json()["access_token"].as_str().unwrap());
    let refused = call(
        &simulator,
        "GET",
        "/api/customers",
        &[("Authorization", &bearer)],
        "",
    )
    .await;
    assert_eq!(refused.json()["error_message"], "Signature has expired");
}

#[tokio::test]
async fn requests_are_listed_with_names_as_received_and_values_on_demand() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    call(
        &simulator,
        "POST",
        "/x?secret=hunter2",
        &[("DAuth", "planted-token")],
        "planted-body",
    )
    .await;
    let list = call(&simulator, "GET", "/__sim/requests", &[], "").await;
    let seen = &list.json()["requests"][0];
    assert_eq!(seen["path"], "/x?secret=[7]");
    assert_eq!(seen["body_length"], 12);
    let header = seen["headers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "DAuth");
    assert_eq!(header.unwrap()["length"], 13);
    for secret in ["hunter2", "planted-token", "planted-body"] {
        assert!(!list.text().contains(secret), "{secret}");
    }
    let full = call(&simulator, "GET", "/__sim/requests?full=1", &[], "")
        .await
        .text();
    for secret in ["hunter2", "planted-token", "planted-body"] {
        assert!(full.contains(secret), "{secret}");
    }
    let stats = call(&simulator, "GET", "/__sim/stats", &[], "")
        .await
        .json();
    assert_eq!(stats["requests"], 1);
    assert_eq!(
        call(&simulator, "POST", "/__sim/reset", &[], "")
            .await
            .status,
        204
    );
    assert_eq!(simulator.count(), 0);
    simulator.shutdown().await;
}

#[tokio::test]
async fn the_same_seed_repeats_itself() {
    let mut tokens = Vec::new();
    for seed in [5, 5, 6] {
        let (simulator, _hands) = start(Vendor::Cybrid, |options| options.seed = seed).await;
        let body = r#"{"grant_type":"client_credentials","client_id":"sim-org-id","client_secret":"sim-org-secret"}"#;
        let minted = call(&simulator, "POST", "/oauth/token", &[], body)
            .await
            .json();
        tokens.push(minted["access_token"].clone());
    }
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[0], tokens[2]);
}

#[tokio::test]
async fn http_2_is_served_too() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let stream = tokio::net::TcpStream::connect(simulator.address())
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("{}/api/assets", simulator.base_url()))
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    let headers = simulator.requests()[0].request.headers.clone();
    assert!(
        headers
            .iter()
            .all(|(name, _)| name.chars().all(|c| !c.is_uppercase()))
    );
}
