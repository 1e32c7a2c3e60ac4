//! One gateway with two threads before a bank that counts.

use super::load::{
    LIMIT, SPAN, WINDOWS, bank, expect_no_refusal, expect_order, gateway, press, used,
};

#[test]
fn an_overload_uses_what_the_bank_allows_and_no_more() {
    let bank = bank();
    let gateways = [gateway(&bank, "")];
    let time = SPAN * WINDOWS;
    let calls = press(&gateways, time);
    expect_no_refusal(&bank, &calls);
    expect_order(&calls);
    let used = used(&bank, time);
    eprintln!("used {used:.3}");
    assert!(used >= 0.97, "only {used:.3} of the allowance was used");
    let (gateway, _) = &gateways[0];
    let figure =
        |name: &str| gateway.figure(&format!("egret_budget_{name}{{budget=\"cybrid.general\"}}"));
    assert_eq!(figure("limit"), f64::from(LIMIT));
    assert_eq!(figure("throttled_total"), 0.0);
    assert_eq!(figure("admitted_total"), bank.count() as f64);
    let spent = calls.iter().filter(|call| call.is_spent).count();
    assert_eq!(figure("refused_total"), spent as f64);
}
