//! What callers are told, may ask for, and what is learnt from the bank.

use crate::harness::{Bank, Config, Gateway, reply};

const BANKS: &str = "/cybrid/bank/api/banks";

fn start(bank: &Bank, rules: &str) -> Gateway {
    Config::new()
        .within_limits()
        .section(rules)
        .cybrid(&bank.url())
        .start()
}

#[test]
fn a_spent_budget_is_told_with_the_time_to_come_again() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = start(
        &bank,
        "[providers.cybrid.budgets]\ngeneral = { limit = 1, window = \"10m\" }",
    );
    assert_eq!(gateway.get(BANKS, &[]).status, 200);
    let answer = gateway.get(BANKS, &[("Egret-Patience", "0")]);
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (429, "budget_spent")
    );
    let after: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=600).contains(&after), "{after}");
    assert_eq!(
        answer.header("RateLimit-Policy"),
        Some("\"cybrid.general\";q=1;w=600")
    );
    let limit = answer.header("RateLimit").unwrap();
    assert!(limit.starts_with("\"cybrid.general\";r=0;t="), "{limit}");
    let body: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(body["budget"], "cybrid.general");
    assert_eq!(body["retry_after"], after);
    gateway.row_of(&answer).expect(&[
        ("decision", "limited"),
        ("reason", "budget_spent"),
        ("outcome", "failure"),
        ("attempts", "0"),
        ("forwarded_at", ""),
        ("status", "429"),
    ]);
    // Its own limit is another.
    let mint = gateway.post("/cybrid/identity/oauth/token", &[], "{}");
    assert_eq!(mint.status, 200);
    assert_eq!(bank.received().len(), 2);
}

#[test]
fn a_wish_that_means_nothing_is_refused_and_no_wish_reaches_the_bank() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = start(&bank, "");
    for header in [("Egret-Priority", "urgent"), ("Egret-Patience", "soon")] {
        let answer = gateway.get(BANKS, &[header]);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "bad_wish")
        );
    }
    let wishes = [("Egret-Priority", "batch"), ("Egret-Patience", "3")];
    assert_eq!(gateway.get(BANKS, &wishes).status, 200);
    let received = bank.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("Egret-Priority"), None);
    assert_eq!(received[0].header("Egret-Patience"), None);
}

#[test]
fn a_call_that_waits_does_not_lose_the_banks_time_to_answer() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = start(
        &bank,
        "[timeouts]\nrequest = \"500ms\"\n\
         [providers.cybrid.budgets]\ngeneral = { limit = 1, window = \"1s\" }",
    );
    // The second has to wait for twice as long as a call may take.
    for _ in 0..2 {
        assert_eq!(gateway.get(BANKS, &[]).status, 200);
    }
    let waited = gateway.figure("egret_budget_waited_total{budget=\"cybrid.general\"}");
    assert_eq!(waited, 1.0);
}

#[test]
fn a_shadow_lets_everything_pass_and_counts() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = start(
        &bank,
        "[providers.cybrid.budgets]\ngeneral = { limit = 1, window = \"10m\", shadow = true }",
    );
    for _ in 0..3 {
        assert_eq!(gateway.get(BANKS, &[]).status, 200);
    }
    let over = gateway.figure("egret_budget_over_total{budget=\"cybrid.general\"}");
    assert_eq!(over, 2.0);
}

#[test]
fn a_refusal_of_the_bank_stops_the_next_call() {
    let refusal = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n";
    let bank = Bank::answering(refusal);
    let gateway = start(&bank, "");
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(answer.status, 429);
    assert!(answer.header("Content-Type").is_none(), "the bank's own");
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (429, "budget_spent")
    );
    let after: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((200..=300).contains(&after), "{after}");
    assert_eq!(bank.received().len(), 1);
    let throttled = gateway.figure("egret_budget_throttled_total{budget=\"cybrid.general\"}");
    assert_eq!(throttled, 1.0);
}

#[test]
fn a_403_is_a_limit_only_where_the_bank_says_nothing_else() {
    const TOKEN: &str = "/cybrid/identity/oauth/token";
    let permission = r#"{"status":403,"message_code":"forbidden","error_message":"no"}"#;
    let bank = Bank::answering(reply(403, permission));
    let gateway = start(&bank, "");
    for _ in 0..2 {
        assert_eq!(gateway.post(TOKEN, &[], "{}").status, 403);
    }
    let throttled = "egret_budget_throttled_total{budget=\"cybrid.oauth_token\"}";
    assert_eq!(gateway.figure(throttled), 0.0);
    let bank = Bank::answering(reply(403, "<html>Forbidden</html>"));
    let gateway = start(&bank, "");
    assert_eq!(gateway.post(TOKEN, &[], "{}").status, 403);
    let answer = gateway.post(TOKEN, &[("Egret-Patience", "0")], "{}");
    assert_eq!(answer.problem(), "budget_spent");
    assert_eq!(gateway.figure(throttled), 1.0);
    assert_eq!(bank.received().len(), 1);
}
