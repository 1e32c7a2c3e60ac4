//! Those who should not get through: no key, a wrong key, no proper HTTP.

use super::client::Call;
use super::visitor::Visitor;

const BANKS: &str = "/cybrid/bank/api/banks";

/// Calls of one telling.
pub const STEPS: u32 = 8;

/// Requests that are not what they should be, and what the gateway answers.
const MALFORMED: [(&str, &str, u16); 5] = [
    (
        "two lengths",
        "POST /cybrid/bank/api/trades HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\
         Content-Length: 20\r\n\r\n{}",
        400,
    ),
    (
        "a bare line feed",
        "GET /cybrid/bank/api/banks HTTP/1.1\nHost: x\n\n",
        400,
    ),
    (
        "a folded header",
        "GET /cybrid/bank/api/banks HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
        400,
    ),
    (
        "a tunnel",
        "CONNECT bank.sandbox.cybrid.app:443 HTTP/1.1\r\nHost: bank.sandbox.cybrid.app\r\n\r\n",
        405,
    ),
    (
        "a way out of the path",
        "GET /cybrid/bank/api/%2e%2e/secrets HTTP/1.1\r\nHost: x\r\n\r\n",
        400,
    ),
];

/// Tells the story. `key` is that of a caller, for those who have one.
pub async fn knock(mut visitor: Visitor<'_>, key: &str) {
    let mut is_first = true;
    while is_first || visitor.has_time() {
        visitor
            .call("an unidentified caller", Call::get(BANKS), 407)
            .await;
        let wrong = with_another_end(key);
        let call = Call::get(BANKS).with("Proxy-Authorization", format!("Bearer {wrong}"));
        visitor.call("a wrong key", call, 403).await;
        let call =
            Call::get("/stripe/v1/charges").with("Proxy-Authorization", format!("Bearer {key}"));
        visitor.call("no such provider", call, 404).await;
        for (step, bytes, expected) in MALFORMED {
            // The last needs a caller, or it is refused for want of one.
            let keyed = bytes.replacen(
                "Host: x\r\n",
                &format!("Host: x\r\nProxy-Authorization: Bearer {key}\r\n"),
                1,
            );
            visitor.send(step, keyed.as_bytes(), expected).await;
        }
        is_first = false;
    }
}

/// The key with its last character replaced.
fn with_another_end(key: &str) -> String {
    let mut wrong = key.to_owned();
    let last = wrong.pop();
    wrong.push(if last == Some('2') { '3' } else { '2' });
    wrong
}
