//! What the gateway talks to: banks, the ledger, the store of shared limits, witnesses, receivers of
//! alerts, and the running gateway itself. Nothing is asked that counts.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Finding, machine};
use crate::adapters::journal::list;
use crate::adapters::ledger::postgres::schema::may_change;
use crate::adapters::ledger::{Filter, LedgerError, LedgerPlace, Order, Page, Reader};
use crate::adapters::reach::{Proof, Reached, Unreachable, reach};
use crate::app::alerts;
use crate::cli::ask::{AskArgs, Listener};
use crate::domain::catalog::BaseUrl;
use crate::domain::config::{ChannelKind, Config, MailTls, OtlpProtocol};
use crate::types::{CallId, Micros};

/// Time before the end of a bank's certificate at which somebody should know: they renew late.
const NOTICE: Duration = Duration::from_secs(3 * 24 * 3600);

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Whether the ledger answers, and what it lets the gateway do.
pub fn ledger(config: &Config, now: Micros) -> io::Result<Vec<Finding>> {
    let place = &config.ledger.place;
    runtime()?.block_on(async {
        let mut found = vec![match place {
            LedgerPlace::Postgres(at) => judge_database(place, may_change(at).await),
            LedgerPlace::Sqlite(_) => match Reader::open(place).await {
                Ok(_) => Finding::good(format!("ledger: {place} can be read")),
                Err(LedgerError::Missing { .. }) => {
                    Finding::good(format!("ledger: not there yet ({place})"))
                }
                Err(error) => Finding::failed(
                    format!("ledger: {error}"),
                    "the gateway does not start with it: restore it, or move it away and make it \
                     anew with `egret audit rebuild`",
                ),
            },
        }];
        if let Ok(mut reader) = Reader::open(place).await {
            found.extend(machine::clock_against(now, newest(&mut reader).await));
        }
        Ok(found)
    })
}

/// When the newest record was made, as its id tells.
async fn newest(reader: &mut Reader) -> Option<Micros> {
    let page = Page {
        order: Order::NewestFirst,
        limit: 1,
        after: None,
    };
    let found = reader.query(&Filter::default(), page).await.ok()?;
    let id: CallId = found.rows.first()?.text("call_id").parse().ok()?;
    Some(Micros(id.unix_millis().saturating_mul(1_000)))
}

fn judge_database(place: &LedgerPlace, answered: Result<bool, LedgerError>) -> Finding {
    match answered {
        Ok(false) => Finding::good(format!(
            "ledger: {place} answers; its rows cannot be changed"
        )),
        Ok(true) => Finding::warning(
            format!("ledger: {place} answers, to a user who could change its rows"),
            "use a login of its own for the gateway, with the role egret_writer and no other",
        ),
        Err(error @ LedgerError::Missing { .. }) => Finding::warning(
            format!("ledger: {error}"),
            "if the gateway may not make it, let the database's owner say `egret audit migrate`",
        ),
        Err(error) => Finding::failed(
            format!("ledger: {error}"),
            "calls go on while the journal has room; correct the address, the password or the server",
        ),
    }
}

/// Whether the journal is there to be written.
pub fn journal(config: &Config) -> Vec<Finding> {
    let directory = &config.journal.directory;
    let shown = directory.display();
    vec![match list(directory) {
        Ok(found) => Finding::good(format!("journal: {} segments in {shown}", found.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::good(format!("journal: not there yet ({shown})"))
        }
        Err(error) => Finding::failed(
            format!("journal: cannot read {shown}: {error}"),
            "run this as the user that runs the gateway",
        ),
    }]
}

/// What the running gateway says of itself, if one runs.
pub fn running(config: &Config) -> Vec<Finding> {
    let listener = match Listener::of_config(&config.admin, &AskArgs::default()) {
        Ok(Some(listener)) => listener,
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![Finding::warning(
                format!("gateway: the admin listener cannot be asked: {error}"),
                "run this as the user that runs the gateway",
            )];
        }
    };
    let address = listener.to_string();
    let (status, body) = match listener.ask("/readyz") {
        Ok(answer) => answer,
        Err(error) if error.is_away => {
            return vec![Finding::good(format!(
                "gateway: none answers at {address}; it need not run for this"
            ))];
        }
        Err(error) => {
            return vec![Finding::warning(
                format!("gateway: no answer from {address}: {error}"),
                "ask it with what it wants: `egret health --help`",
            )];
        }
    };
    if status == 200 {
        return vec![Finding::good(format!("gateway: ready, at {address}"))];
    }
    let report: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let checks = report["checks"].as_object().into_iter().flatten();
    let red: Vec<Finding> = checks
        .filter(|(_, check)| check["ok"] == false)
        .map(|(name, check)| {
            let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
            let what = format!("gateway: {name}: {}", text("why"));
            Finding::failed(what, text("advice"))
        })
        .collect();
    if red.is_empty() {
        let what = format!("gateway: {address} says {status}");
        return vec![Finding::failed(what, "ask it: `egret health`")];
    }
    red
}

/// Whether everything outside can be reached that the configuration names.
pub fn outside(config: &Config, now: Micros) -> io::Result<Vec<Finding>> {
    let mut found = Vec::new();
    runtime()?.block_on(async {
        for place in places(config) {
            let reached = reach(&place.host, place.port, place.proof()).await;
            found.push(judge(&place, reached, now));
        }
    });
    Ok(found)
}

/// Whether the collector of telemetry can be reached; with `offline` that this was not tried.
pub fn telemetry(config: &Config, offline: bool, now: Micros) -> io::Result<Vec<Finding>> {
    let telemetry = &config.telemetry;
    let Some(endpoint) = &telemetry.endpoint else {
        return Ok(vec![Finding::good(
            "telemetry: no collector is named, so nothing is sent; figures are at /metrics",
        )]);
    };
    let advice = match telemetry.protocol {
        OtlpProtocol::Grpc => {
            "traces, figures and log lines are dropped until it can be reached, and calls go on: start \
             it, or correct [telemetry] endpoint and ca (collectors take gRPC at port 4317)"
        }
        OtlpProtocol::Http => {
            "traces, figures and log lines are dropped until it can be reached, and calls go on: start \
             it, or correct [telemetry] endpoint and ca (collectors take HTTP at port 4318)"
        }
    };
    let place = Place {
        authorities: telemetry.ca.clone(),
        ..by_url("telemetry", endpoint, advice)
    };
    if offline {
        return Ok(vec![Finding::good(format!(
            "telemetry: {}, port {}: not checked, since --offline connects to nothing",
            place.host, place.port
        ))]);
    }
    // The exporter trusts what `ca` names and not the system beside it.
    let proof = match (&telemetry.ca, place.tls) {
        (Some(authorities), true) => Proof::SignedBy { authorities },
        _ => place.proof(),
    };
    let reached = runtime()?.block_on(reach(&place.host, place.port, proof));
    Ok(vec![judge(&place, reached, now)])
}

/// Whether everybody can be told who should: channels with their secrets.
pub fn channels(config: &Config) -> Vec<Finding> {
    if config.alerts.channels.is_empty() {
        return Vec::new();
    }
    vec![match alerts::deliverer(config) {
        Ok(_) => Finding::good(format!(
            "alerts: {} channels have what they need; `egret alert test` tries them",
            config.alerts.channels.len()
        )),
        Err(error) => Finding::failed(
            format!("alerts: {error}"),
            "nobody is told until it is there",
        ),
    }]
}

/// Somewhere outside.
struct Place {
    what: &'static str,
    host: String,
    port: u16,
    tls: bool,
    authorities: Option<std::path::PathBuf>,
    /// What does not work without it.
    advice: &'static str,
    /// Whether calls need it.
    is_needed: bool,
}

impl Place {
    fn proof(&self) -> Proof<'_> {
        match self.tls {
            true => Proof::Certificate {
                authorities: self.authorities.as_deref(),
            },
            false => Proof::None,
        }
    }
}

fn places(config: &Config) -> Vec<Place> {
    // By server, since the services of a bank share some. Without those that a path prefix leads to
    // most calls fail; the other environment is reached by its host name only.
    let mut banks = BTreeMap::new();
    for provider in config.providers.values() {
        for ((_, environment), upstream) in &provider.base_urls {
            let server = (upstream.host.to_string(), upstream.port);
            let (_, is_needed) = banks.entry(server).or_insert((upstream, false));
            *is_needed |= *environment == provider.environment;
        }
    }
    let banks = banks.into_iter();
    let banks = banks.map(|((host, port), (upstream, is_needed))| Place {
        what: "bank",
        host,
        port,
        tls: upstream.tls && upstream.verify,
        authorities: upstream.ca.clone(),
        advice: "calls there fail until it can be reached: check the name, the network and the \
                 firewall, and `ca` of the service for a certificate that is not trusted",
        is_needed,
    });
    let mut all: Vec<Place> = banks.collect();
    if let Some(store) = &config.budgets.shared
        && let Some((host, port)) = host_and_port(&store.to_string())
    {
        all.push(Place {
            what: "shared limits",
            host,
            port,
            tls: false,
            authorities: None,
            advice: "each gateway uses its own part of the banks' limits until it is there",
            is_needed: false,
        });
    }
    let witnesses = config.evidence.witnesses.iter();
    all.extend(witnesses.map(|witness| {
        by_url(
            "witness",
            &witness.url,
            "checkpoints are not cosigned until it can be reached; they are kept",
        )
    }));
    for channel in &config.alerts.channels {
        const ADVICE: &str = "incidents wait, and nobody is told by it until it can be reached";
        let socket = |host: &String, port, tls| Place {
            what: "alerts",
            host: host.clone(),
            port,
            tls,
            authorities: None,
            advice: ADVICE,
            is_needed: false,
        };
        match &channel.kind {
            ChannelKind::Webhook { url }
            | ChannelKind::PagerDuty { url }
            | ChannelKind::Alertmanager { url } => all.push(by_url("alerts", url, ADVICE)),
            ChannelKind::Mail {
                host, port, tls, ..
            } => all.push(socket(host, *port, *tls == MailTls::Implicit)),
            ChannelKind::Syslog {
                host, port, tls, ..
            } => all.push(socket(host, *port, *tls)),
            // The address of one is its secret, the other is here.
            ChannelKind::Slack | ChannelKind::Command { .. } => {}
        }
    }
    all
}

fn by_url(what: &'static str, url: &BaseUrl, advice: &'static str) -> Place {
    Place {
        what,
        host: url.host().to_owned(),
        port: url.port(),
        tls: url.tls(),
        authorities: None,
        advice,
        is_needed: false,
    }
}

/// Of an address as `redis://host:port/0`.
fn host_and_port(shown: &str) -> Option<(String, u16)> {
    let (_, rest) = shown.split_once("://")?;
    let authority = rest.split('/').next()?;
    let bare = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.contains(']'));
    match bare {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((authority.to_owned(), 6379)),
    }
}

fn judge(place: &Place, reached: Result<Reached, Unreachable>, now: Micros) -> Finding {
    let who = format!("{}: {}, port {}", place.what, place.host, place.port);
    match reached {
        Err(error) if place.is_needed => Finding::failed(format!("{who}: {error}"), place.advice),
        Err(error) => Finding::warning(format!("{who}: {error}"), place.advice),
        Ok(reached) => match reached.certificate_ends {
            Some(end) if end <= now.plus(NOTICE) => Finding::warning(
                format!("{who}: reached, and its certificate ends at {end}"),
                match place.is_needed {
                    true => "calls fail from then on: ask those who run it",
                    false => "it is not reached from then on: ask those who run it",
                },
            ),
            Some(end) => Finding::good(format!(
                "{who}: reached, its certificate is trusted until {end}"
            )),
            None => Finding::good(format!("{who}: reached")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_found_by_host_and_port() {
        let found = |shown| host_and_port(shown);
        assert_eq!(
            found("redis://cache.internal:6380/2"),
            Some(("cache.internal".to_owned(), 6380))
        );
        assert_eq!(found("redis://cache"), Some(("cache".to_owned(), 6379)));
        assert_eq!(found("redis://[::1]"), Some(("[::1]".to_owned(), 6379)));
        assert_eq!(found("redis://[::1]:7/0"), Some(("[::1]".to_owned(), 7)));
    }
}
