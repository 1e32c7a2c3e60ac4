//! Eight clients that want three times of what the bank allows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use egret::sim::Vendor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Config, Gateway, Sim, runtime};

/// Cybrid's five minutes are this long here.
pub const SPAN: Duration = Duration::from_secs(10);
const SCALE: u32 = 30;
/// What Cybrid allows in them.
pub const LIMIT: u32 = 100;
/// Fifteen simulated minutes.
pub const WINDOWS: u32 = 3;
const CLIENTS: usize = 8;

/// How urgent a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Moves money.
    Money,
    /// Writes.
    Write,
    /// Reads.
    Read,
    /// Can wait.
    Batch,
}

impl Class {
    pub const ALL: [Self; 4] = [Self::Money, Self::Write, Self::Read, Self::Batch];
    /// A sixth is money, which is half of what is allowed.
    const MIX: [Self; 6] = [
        Self::Batch,
        Self::Read,
        Self::Write,
        Self::Batch,
        Self::Money,
        Self::Read,
    ];

    fn request(self) -> &'static str {
        match self {
            Self::Money => {
                "POST /cybrid/bank/api/trades HTTP/1.1\r\nContent-Length: 2\r\n\
                 Content-Type: application/json\r\n"
            }
            Self::Write => {
                "POST /cybrid/bank/api/customers HTTP/1.1\r\nContent-Length: 2\r\n\
                 Content-Type: application/json\r\n"
            }
            Self::Read => "GET /cybrid/bank/api/banks HTTP/1.1\r\n",
            Self::Batch => "GET /cybrid/bank/api/banks HTTP/1.1\r\nEgret-Priority: batch\r\n",
        }
    }

    fn body(self) -> &'static str {
        match self {
            Self::Money | Self::Write => "{}",
            Self::Read | Self::Batch => "",
        }
    }
}

/// What became of a call.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub class: Class,
    pub took: Duration,
    pub status: u16,
    /// The gateway refused it to keep within the limit.
    pub is_spent: bool,
}

/// Cybrid at its documented limits, with time sped up.
pub fn bank() -> Sim {
    Sim::start_with(Vendor::Cybrid, |options| {
        options.limits = true;
        options.limit_scale = SCALE;
    })
}

/// A gateway before that bank that speeds time up alike, and a key for each client.
pub fn gateway(bank: &Sim, limits: &str) -> (Gateway, Vec<String>) {
    let span = format!("\"{}ms\"", SPAN.as_millis());
    let config = Config::new().within_limits().callers("").section(&format!(
        "[limits]\n{limits}\n[limits.patience]\nmoney = \"4s\"\nwrite = \"4s\"\nread = \"4s\"\n\
         batch = \"6s\"\n[timeouts]\nrequest = \"10s\"\n\
         [providers.cybrid.budgets]\ngeneral = {{ window = {span} }}\n"
    ));
    let config = config.cybrid(&bank.url());
    let keys = (0..CLIENTS).map(|client| {
        let name = format!("client-{client}");
        let key = config.egret(&["caller", "add", &name, "--key-only"]).ok();
        key.trim().to_owned()
    });
    let keys = keys.collect();
    (config.start(), keys)
}

/// Lets every client call for so long, three times as often as is allowed in all, now by this
/// gateway, now by that.
pub fn press(gateways: &[(Gateway, Vec<String>)], time: Duration) -> Vec<Call> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let pause = SPAN * u32::try_from(CLIENTS).unwrap() / (3 * LIMIT);
    let doors: Vec<(String, Vec<String>)> = gateways
        .iter()
        .map(|(gateway, keys)| (gateway.address().to_owned(), keys.clone()))
        .collect();
    let began = Instant::now();
    runtime().block_on(async {
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let (doors, calls) = (doors.clone(), Arc::clone(&calls));
            clients.push(tokio::spawn(async move {
                let mut under_way = Vec::new();
                let mut turn = tokio::time::interval(pause);
                let mut number = client;
                while began.elapsed() < time {
                    turn.tick().await;
                    let (address, keys) =
                        doors[(number + number / Class::MIX.len()) % doors.len()].clone();
                    let (key, calls) = (keys[client].clone(), Arc::clone(&calls));
                    let class = Class::MIX[number % Class::MIX.len()];
                    number += 1;
                    under_way.push(tokio::spawn(async move {
                        let call = make(&address, &key, client, class).await;
                        calls.lock().unwrap().push(call);
                    }));
                }
                for call in under_way {
                    call.await.unwrap();
                }
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
    });
    Arc::into_inner(calls).unwrap().into_inner().unwrap()
}

async fn make(address: &str, key: &str, client: usize, class: Class) -> Call {
    let began = Instant::now();
    let request = format!(
        "{}Host: gateway\r\nProxy-Authorization: Bearer {key}\r\nConnection: close\r\n\r\n{}",
        class.request(),
        class.body()
    );
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    Call {
        client,
        class,
        took: began.elapsed(),
        status: answer
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap(),
        is_spent: answer.contains("urn:egret:problem:budget_spent"),
    }
}

/// The bank has refused nothing, and nothing failed that was let through.
pub fn expect_no_refusal(bank: &Sim, calls: &[Call]) {
    let refused: Vec<u16> = bank
        .requests()
        .iter()
        .map(|seen| seen.status)
        .filter(|status| matches!(status, 429 | 403))
        .collect();
    assert!(refused.is_empty(), "the bank refused: {refused:?}");
    for call in calls {
        let is_good = if call.is_spent {
            call.status == 429
        } else {
            // The bank does not know the clients; it counts their calls all the same.
            call.status == 401
        };
        assert!(is_good, "{call:?}");
    }
}

/// Share of what the bank allowed that was used, in the time in which calls were made.
pub fn used(bank: &Sim, time: Duration) -> f64 {
    let seen = bank.requests();
    let first = seen.first().expect("a request").request.now;
    let in_time = seen
        .iter()
        .filter(|seen| seen.request.now.since(first) < time)
        .count();
    in_time as f64 / (f64::from(LIMIT) * time.as_secs_f64() / SPAN.as_secs_f64())
}

/// How many calls of a class were made and let through, and how long those took on average.
pub fn of(calls: &[Call], class: Class) -> (usize, usize, Duration) {
    let made = calls.iter().filter(|call| call.class == class);
    let (mut all, mut served, mut took) = (0, 0_u32, Duration::ZERO);
    for call in made {
        all += 1;
        if !call.is_spent {
            served += 1;
            took += call.took;
        }
    }
    (all, served as usize, took / served.max(1))
}

/// Money goes before batch, and nobody goes without.
pub fn expect_order(calls: &[Call]) {
    for class in Class::ALL {
        let (all, served, took) = of(calls, class);
        eprintln!("{class:?}: {served} of {all}, {took:?} on average");
        assert!(served > 0, "{class:?} starved");
    }
    let (money, money_served, money_took) = of(calls, Class::Money);
    let (batch, batch_served, batch_took) = of(calls, Class::Batch);
    assert!(
        money_served * batch > batch_served * money,
        "money did not go before batch"
    );
    assert!(money_took < batch_took, "money waited longer than batch");
    for client in 0..CLIENTS {
        let of_client = calls.iter().filter(|call| call.client == client);
        let served = of_client.filter(|call| !call.is_spent).count();
        eprintln!("client {client}: {served}");
        assert!(served > 0, "client {client} starved");
    }
}
