//! Three gateways that share the bank's limit by way of a Redis.

use super::load::{SPAN, WINDOWS, bank, expect_no_refusal, expect_order, gateway, press, used};
use crate::harness::{Redis, until};

fn shared(redis: &Redis) -> String {
    format!("shared = \"{}\"\nreplicas = 3", redis.url())
}

#[test]
fn three_gateways_share_what_the_bank_allows() {
    let Some(redis) = Redis::start() else {
        return;
    };
    let bank = bank();
    let gateways = [(); 3].map(|()| gateway(&bank, &shared(&redis)));
    let time = SPAN * WINDOWS;
    let calls = press(&gateways, time);
    expect_no_refusal(&bank, &calls);
    expect_order(&calls);
    let used = used(&bank, time);
    eprintln!("used {used:.3}");
    assert!(used >= 0.97, "only {used:.3} of the allowance was used");
    for (gateway, _) in &gateways {
        assert_eq!(gateway.figure("egret_limits_shared"), 1.0);
    }
}

#[test]
fn without_their_redis_each_goes_on_with_its_part() {
    let Some(redis) = Redis::start() else {
        return;
    };
    let bank = bank();
    let gateways = [(); 3].map(|()| gateway(&bank, &shared(&redis)));
    let half = SPAN * WINDOWS / 2;
    let mut calls = press(&gateways, half);
    let port = redis.port();
    drop(redis);
    calls.extend(press(&gateways, half));
    for (gateway, _) in &gateways {
        gateway.wait_for_log(
            "the store of shared limits cannot be reached; this gateway uses its part of each \
             limit, and tries again",
        );
        assert_eq!(gateway.figure("egret_limits_shared"), 0.0);
    }
    // A new one that knows nothing.
    let Some(_redis) = Redis::start_on(port) else {
        return;
    };
    for (gateway, _) in &gateways {
        until("the gateways share again", || {
            gateway.figure("egret_limits_shared") == 1.0
        });
    }
    calls.extend(press(&gateways, half));
    expect_no_refusal(&bank, &calls);
    expect_order(&calls);
    let used = used(&bank, half * 2);
    eprintln!("used {used:.3}");
    assert!(used >= 0.8, "only {used:.3} of the allowance was used");
}
