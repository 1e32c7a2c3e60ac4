//! Budgets that several gateways share by way of a Redis or Valkey.
//!
//! One task speaks to the store for all budgets: what is due goes in one round trip, and no call
//! waits for it that finds a place in stock. What is decided there is in `share.lua`, what is
//! decided here in `domain::quota::Fleet`.

mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::Notify;

use super::gate::Gate;
use crate::adapters::clock::Steady;
use crate::domain::config::{Budgets, SharedStore};
use crate::domain::quota::Shares;
use crate::types::Micros;

/// A store that does not answer for so long is away.
const PATIENCE: Duration = Duration::from_millis(500);
/// The store is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);
/// Between two round trips.
const BREATH: Duration = Duration::from_millis(1);

/// The script that leases places.
const SCRIPT: &str = include_str!("share.lua");

/// The way to the store.
pub(super) struct Fleet {
    store: SharedStore,
    /// This process among those that share.
    node: String,
    egress: Arc<str>,
    replicas: u32,
    shares: Shares,
    clock: Steady,
    watched: Mutex<Vec<Arc<Gate>>>,
    changed: Notify,
    is_reachable: AtomicBool,
    /// Since when the store is away, if it is, in microseconds of the clock.
    lost_at: AtomicI64,
}

impl Fleet {
    /// The way to the store of a configuration, if it has one. `node` is unique.
    pub fn new(budgets: &Budgets, node: String, clock: Steady) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            store: budgets.shared.clone()?,
            node,
            egress: Arc::clone(&budgets.egress),
            replicas: budgets.replicas,
            shares: budgets.shares,
            clock,
            watched: Mutex::default(),
            changed: Notify::new(),
            is_reachable: AtomicBool::new(true),
            lost_at: AtomicI64::new(0),
        }))
    }

    /// How many share at least.
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// Whether the store answers, as far as is known.
    pub fn is_reachable(&self) -> bool {
        self.is_reachable.load(Ordering::Acquire)
    }

    /// Since when it does not.
    pub fn lost_at(&self) -> Option<Micros> {
        (!self.is_reachable()).then(|| Micros(self.lost_at.load(Ordering::Acquire)))
    }

    /// A budget has something to say that was not watched, or one that is cannot wait.
    pub fn watch(&self, gate: Option<Arc<Gate>>) {
        self.watched.lock().extend(gate);
        self.changed.notify_one();
    }

    /// Speaks to the store for as long as it is polled.
    pub async fn run(&self) {
        let mut said = false;
        loop {
            let error = match self.connect().await {
                Ok((mut connection, script)) => {
                    tracing::info!(
                        target: "egret::limits",
                        store = %self.store,
                        "the banks' limits are shared with other gateways"
                    );
                    said = false;
                    self.is_reachable.store(true, Ordering::Release);
                    self.serve(&mut connection, &script).await
                }
                Err(error) => error,
            };
            if self.is_reachable() {
                self.lost_at.store(self.clock.now().0, Ordering::Release);
                self.is_reachable.store(false, Ordering::Release);
            }
            if !std::mem::replace(&mut said, true) {
                tracing::error!(
                    target: "egret::limits",
                    store = %self.store,
                    error = %error.category(),
                    replicas = self.replicas,
                    "the store of shared limits cannot be reached; this gateway uses its part of \
                     each limit, and tries again"
                );
            }
            self.lose();
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, String), RedisError> {
        let client = Client::open(self.store.url().expose().as_str())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut load = redis::cmd("SCRIPT");
        let script = load.arg("LOAD").arg(SCRIPT);
        let script: String = script.query_async(&mut connection).await?;
        Ok((connection, script))
    }

    /// Goes on until the store fails.
    async fn serve(&self, connection: &mut MultiplexedConnection, script: &str) -> RedisError {
        loop {
            let (due, next) = self.due();
            if due.is_empty() {
                let time = async {
                    match next {
                        Some(at) => tokio::time::sleep_until(self.clock.instant(at).into()).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = time => {}
                }
                continue;
            }
            if let Err(error) = self.speak(connection, script, &due).await {
                return error;
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// The budgets that have something to say, and when the next one has.
    fn due(&self) -> (Vec<Arc<Gate>>, Option<Micros>) {
        let now = self.clock.now();
        let mut due = Vec::new();
        let mut next: Option<Micros> = None;
        // Taken out: who holds a budget may want to add it, so this lock comes last.
        let mut watched = std::mem::take(&mut *self.watched.lock());
        watched.retain(|gate| {
            let at = gate.sync_at(now);
            match at {
                Some(at) if at <= now => due.push(Arc::clone(gate)),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
            at.is_some()
        });
        self.watched.lock().extend(watched);
        (due, next)
    }

    async fn speak(
        &self,
        connection: &mut MultiplexedConnection,
        script: &str,
        due: &[Arc<Gate>],
    ) -> Result<(), RedisError> {
        let mut pipe = redis::Pipeline::with_capacity(due.len());
        let mut asked = Vec::with_capacity(due.len());
        for gate in due {
            if let Some(words) = gate.with_budget(wire::words) {
                pipe.cmd("EVALSHA")
                    .arg(script)
                    .arg(1)
                    .arg(format!("egret:{{{}@{}}}", gate.key(), self.egress))
                    .arg(&self.node);
                words.put(&mut pipe, self.replicas, &self.shares);
                asked.push(gate);
            }
        }
        let replies: Vec<wire::Said> = pipe.query_async(connection).await?;
        for (gate, said) in asked.into_iter().zip(replies) {
            let reply = said.reply();
            gate.with_budget(|budget, now| budget.heard(reply, now));
            gate.turn();
        }
        Ok(())
    }

    /// The store is away: every budget counts for itself.
    fn lose(&self) {
        let watched = self.watched.lock().clone();
        let since = Micros(self.lost_at.load(Ordering::Acquire));
        for gate in watched {
            gate.with_budget(|budget, now| budget.lost(since, now));
            gate.turn();
            gate.wake();
        }
    }
}
