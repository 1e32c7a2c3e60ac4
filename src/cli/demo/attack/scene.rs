//! The service at work, and the thief who has its keys.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::SCOPES;
use crate::cli::Failure;
use crate::cli::demo::client::{Answer, Call, Client};

const IDENTITY: &str = "/cybrid/identity";
const BANK: &str = "/cybrid/bank/api";
/// Pause between two calls of the thief: as much as the bank takes for one.
const HASTE: Duration = Duration::from_millis(5);
/// Pause between two calls of the service.
const CALM: Duration = Duration::from_millis(60);

/// Where the thief calls from: another network of the loopback address.
pub const THIEF: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 66, 0, 66));

/// Somebody with the Egret key of the service.
pub struct Holder<'k> {
    client: Client,
    key: &'k str,
    /// Calls that he has made.
    pub calls: u64,
    /// Of these, those that the bank did not do.
    pub failed: u64,
}

impl<'k> Holder<'k> {
    /// One who calls from an address, or from the usual one.
    pub fn new(gateway: SocketAddr, from: Option<IpAddr>, key: &'k str) -> Self {
        let client = match from {
            Some(from) => Client::from(gateway, from),
            None => Client::new(gateway),
        };
        Self {
            client,
            key,
            calls: 0,
            failed: 0,
        }
    }

    async fn call(&mut self, call: Call, pause: Duration) -> Result<Answer, Failure> {
        tokio::time::sleep(pause).await;
        let key = format!("Bearer {}", self.key);
        let call = call.with("Proxy-Authorization", key);
        let answer = self.client.send(&call).await?;
        self.calls += 1;
        self.failed += u64::from(answer.status >= 400);
        Ok(answer)
    }

    async fn log_in(&mut self, pause: Duration) -> Result<String, Failure> {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": "sim-bank-id",
            "client_secret": "sim-bank-secret",
        });
        let call = Call::post(format!("{IDENTITY}/oauth/token"), &body);
        Ok(text(&self.call(call, pause).await?.json(), "access_token"))
    }

    async fn mint(
        &mut self,
        bank: &str,
        customer: &str,
        pause: Duration,
    ) -> Result<String, Failure> {
        let body = json!({ "customer_guid": customer, "scopes": SCOPES });
        let call = Call::post(format!("{IDENTITY}/api/customer_tokens"), &body).bearer(bank);
        Ok(text(&self.call(call, pause).await?.json(), "access_token"))
    }

    /// Ordinary visits of customers.
    ///
    /// # Errors
    /// The gateway does not answer.
    pub async fn serve(&mut self, customers: &[String], visits: usize) -> Result<(), Failure> {
        let bank = self.log_in(CALM).await?;
        for customer in customers.iter().take(visits) {
            let token = self.mint(&bank, customer, CALM).await?;
            for path in [
                format!("{BANK}/customers/{customer}"),
                format!("{BANK}/accounts"),
                format!("{BANK}/prices?symbol=BTC-USD"),
            ] {
                self.call(Call::get(path).bearer(&token), CALM).await?;
            }
        }
        Ok(())
    }

    /// The storm: a token for every customer, as fast as it goes, and none of them used. Gives when
    /// its first call began.
    ///
    /// # Errors
    /// The gateway does not answer.
    pub async fn storm(&mut self, customers: &[String]) -> Result<Instant, Failure> {
        let began = Instant::now();
        let bank = self.log_in(Duration::ZERO).await?;
        for customer in customers {
            self.mint(&bank, customer, HASTE).await?;
        }
        Ok(began)
    }
}

/// Customers at the bank, made there directly: they were there before the demo.
///
/// # Errors
/// The bank does not answer.
pub async fn customers(bank: SocketAddr, count: usize) -> Result<Vec<String>, Failure> {
    let mut client = Client::new(bank);
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": "sim-bank-id",
        "client_secret": "sim-bank-secret",
    });
    let token = client.send(&Call::post("/oauth/token", &body)).await?;
    let token = text(&token.json(), "access_token");
    let mut guids = Vec::with_capacity(count);
    for number in 0..count {
        let body = json!({
            "type": "individual",
            "name": {"first": "Made", "last": "Up"},
            "address": {"street": "1 Nowhere", "city": "Brackenford", "country_code": "US"},
            "email_address": format!("made.up.{number}@example.invalid"),
            "phone_number": format!("+1555{number:07}"),
            "date_of_birth": "1988-02-29",
        });
        let call = Call::post("/api/customers", &body).bearer(&token);
        let guid = text(&client.send(&call).await?.json(), "guid");
        if guid.is_empty() {
            return Err(Failure::new("the simulated bank takes no customers"));
        }
        guids.push(guid);
    }
    Ok(guids)
}

fn text(json: &Value, key: &str) -> String {
    let text = json.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
