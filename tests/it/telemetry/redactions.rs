//! How many values were redacted is told, and none of them.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use super::CANARY;
use crate::harness::{Bank, Collector, Config, attribute, reply, until};

const CUSTOMERS: &str = "/cybrid/bank/api/customers";
const CARD: &str = "4111111111111111";
const CAPTURE: &str = "[[capture]]\nprovider = \"cybrid\"\nbodies = \"excerpt\"\n";

#[test]
fn redactions_are_counted_by_what_they_were_kept_from() {
    let collector = Collector::start();
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&collector.section(""))
        .section(CAPTURE)
        .start();
    let bearer = format!("Bearer {CANARY}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = format!("{{\"type\":\"individual\",\"card_number\":\"{CARD}\"}}");
    let target = format!("{CUSTOMERS}?{CANARY}={CARD}");
    assert_eq!(gateway.post(&target, &headers, &body).status, 200);
    let record = |kind: &str| {
        format!(
            "egret_redactions_total{{provider=\"cybrid\",environment=\"sandbox\",service=\"bank\",\
             kept_from=\"record\",kind=\"{kind}\"}}"
        )
    };
    let capture =
        |kind: &str| format!("egret_redactions_total{{kept_from=\"capture\",kind=\"{kind}\"}}");
    // Captures are made after the call.
    until("the capture is counted", || {
        let answer = gateway.admin_get("/metrics");
        let text = answer.text();
        text.contains(&capture("card")) && text.contains(&capture("bearer"))
    });
    assert_eq!(gateway.figure(&record("credential")), 1.0);
    assert_eq!(gateway.figure(&record("parameter")), 1.0);
    let answer = gateway.admin_get("/metrics");
    let text = answer.text();
    assert!(!text.contains(CANARY) && !text.contains(CARD), "{text}");
    // The collector is told the same.
    until("the collector is told", || {
        let Some(metric) = collector.metric("egret.redactions") else {
            return false;
        };
        let Some(Data::Sum(sum)) = metric.data else {
            panic!("no counter");
        };
        assert!(sum.is_monotonic);
        sum.data_points.iter().any(|point| {
            let of = |name: &str| attribute(&point.attributes, name);
            of("kept_from").as_deref() == Some("capture")
                && of("kind").as_deref() == Some("card")
                && matches!(point.value, Some(Value::AsInt(count)) if count >= 1)
        })
    });
    let told = collector.everything();
    for value in [CANARY, CARD] {
        assert!(memchr::memmem::find(&told, value.as_bytes()).is_none());
    }
}
