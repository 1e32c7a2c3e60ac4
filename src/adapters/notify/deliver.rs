//! Goes through the spool: sends what is due, in order, at a pace, with patience.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::time::Duration;

use super::channel::{Channel, SendFault};
use super::spool::{Spool, Waiting};
use crate::domain::notify::Sender;
use crate::types::Micros;

/// Pauses before the tries after the first: three days in all (Standard Webhooks recommends a
/// schedule over days). Then it is given up on.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(5 * 3_600),
    Duration::from_secs(10 * 3_600),
    Duration::from_secs(24 * 3_600),
    Duration::from_secs(30 * 3_600),
];

/// The pace of a channel is counted over so long.
const MINUTE: Duration = Duration::from_secs(60);

/// What came of one notice.
#[derive(Debug)]
pub struct Delivery {
    /// Which.
    pub waiting: Waiting,
    /// Nothing, or why it was not told.
    pub fault: Option<SendFault>,
    /// Whether it was given up on.
    pub buried: bool,
}

/// Sends what is due.
#[derive(Debug)]
pub struct Deliverer {
    channels: Vec<Channel>,
    sender: Sender,
    /// When each channel was last written to, within a minute.
    sent: HashMap<String, VecDeque<Micros>>,
}

impl Deliverer {
    /// With channels to send through.
    pub fn new(channels: Vec<Channel>, sender: Sender) -> Self {
        Self {
            channels,
            sender,
            sent: HashMap::new(),
        }
    }

    /// The channels.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Who tells.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Sends what is due now, and says what came of it; nothing, while another process sends.
    ///
    /// # Errors
    /// The spool cannot be used.
    pub async fn pass(&mut self, spool: &Spool, now: Micros) -> io::Result<Vec<Delivery>> {
        let mut done = Vec::new();
        let Some(_lock) = spool.lock()? else {
            return Ok(done);
        };
        // A later notice about an incident waits for the earlier one.
        let mut all = spool.list()?;
        all.sort_by(|a, b| {
            (&a.channel, &a.incident, a.number).cmp(&(&b.channel, &b.incident, b.number))
        });
        let mut held: HashSet<(String, String)> = HashSet::new();
        // A receiver who does not answer is waited for once.
        let mut sick: HashSet<String> = HashSet::new();
        for waiting in all {
            let line = (waiting.channel.clone(), waiting.incident.clone());
            if held.contains(&line) || sick.contains(&waiting.channel) {
                continue;
            }
            if waiting.due > now || !self.has_room(&waiting.channel, now) {
                held.insert(line);
                continue;
            }
            let Some(delivery) = self.try_one(spool, waiting, now).await? else {
                continue;
            };
            if delivery.fault.is_some() && !delivery.buried {
                sick.insert(delivery.waiting.channel.clone());
            }
            done.push(delivery);
        }
        Ok(done)
    }

    async fn try_one(
        &mut self,
        spool: &Spool,
        waiting: Waiting,
        now: Micros,
    ) -> io::Result<Option<Delivery>> {
        let Some(notice) = spool.read(&waiting)? else {
            spool.bury(&waiting)?;
            return Ok(None);
        };
        let Some(channel) = self
            .channels
            .iter()
            .find(|channel| channel.name() == waiting.channel)
        else {
            // The channel is configured no more.
            spool.bury(&waiting)?;
            let fault = Some(SendFault::refused("no channel of this name is configured"));
            return Ok(Some(Delivery {
                waiting,
                fault,
                buried: true,
            }));
        };
        self.sent
            .entry(waiting.channel.clone())
            .or_default()
            .push_back(now);
        let fault = channel.send(&notice, &self.sender, now).await.err();
        let buried = match &fault {
            None => {
                spool.done(&waiting)?;
                false
            }
            Some(fault) => match PAUSES.get(waiting.tries as usize) {
                Some(pause) if !fault.is_final => {
                    spool.postpone(&waiting, now.plus(spread(*pause, &waiting)))?;
                    false
                }
                _ => {
                    spool.bury(&waiting)?;
                    true
                }
            },
        };
        Ok(Some(Delivery {
            waiting,
            fault,
            buried,
        }))
    }

    /// Whether a channel may be written to once more within its minute.
    fn has_room(&mut self, name: &str, now: Micros) -> bool {
        let Some(channel) = self.channels.iter().find(|channel| channel.name() == name) else {
            return true;
        };
        let Some(sent) = self.sent.get_mut(name) else {
            return true;
        };
        while sent.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            sent.pop_front();
        }
        sent.len() < channel.per_minute()
    }
}

/// A pause and up to a quarter more, by the notice: what failed together is not tried together.
fn spread(pause: Duration, waiting: &Waiting) -> Duration {
    let mix = waiting
        .incident
        .bytes()
        .chain(waiting.channel.bytes())
        .fold(u64::from(waiting.number), |mix, byte| {
            mix.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
    let share = u32::try_from(mix % 256).unwrap_or_default();
    pause + pause / 4 * share / 256
}
