//! The banks' servers: their addresses, kept fresh in the background, and how to connect to them.
//!
//! A call never waits for name resolution: it takes the addresses known now, or fails at once.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddr;
use pingora_core::upstreams::peer::{H1UpgradePolicy, HttpPeer, HttpUpstreamRequestPolicy};
use pingora_core::utils::tls::{WrappedX509, parse_x509};

use crate::domain::catalog::HttpVersion;
use crate::domain::config::{Timeouts, Upstream};
use crate::domain::policy::Permit;

/// How often names are resolved again. Shorter than the usual 60 s of a cloud load balancer's
/// record, so that a moved bank is followed within a minute.
const REFRESH: Duration = Duration::from_secs(30);

/// How soon a name that could not be resolved is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Addresses that one call tries: `localhost` has two, a load balancer's name one for each zone.
const MAX_TRIES: usize = 4;

/// Streams at the same time on one HTTP/2 connection; RFC 9113, section 6.5.2 recommends that
/// servers allow at least 100.
const H2_STREAMS: usize = 100;

/// The authorities of one server cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("ca {path}: holds no readable certificate; it must be a PEM file")]
pub struct CaError {
    path: PathBuf,
}

/// One server of a bank.
pub struct Server {
    config: Upstream,
    version: HttpVersion,
    timeouts: Timeouts,
    /// Tells one content of the file of authorities from another.
    authorities: u64,
    template: HttpPeer,
    addresses: ArcSwap<Vec<SocketAddr>>,
    next: AtomicUsize,
    /// Whether the last resolution succeeded; assumed before the first.
    resolved: AtomicBool,
    /// Value of `Host`.
    authority: Box<str>,
}

impl Server {
    /// Prepares a server; a literal address needs no resolution.
    ///
    /// # Errors
    /// [`CaError`] when its authorities cannot be read.
    pub fn new(
        config: &Upstream,
        version: HttpVersion,
        timeouts: &Timeouts,
    ) -> Result<Self, CaError> {
        let literal = parse_ip(&config.host);
        let sni = if literal.is_some() {
            String::new()
        } else {
            config.host.to_string()
        };
        let placeholder = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut template = HttpPeer::new(placeholder, config.tls, sni);
        let options = &mut template.options;
        options.connection_timeout = Some(timeouts.connect);
        options.total_connection_timeout = Some(timeouts.tls);
        options.idle_timeout = Some(timeouts.idle);
        options.verify_cert = config.verify;
        options.verify_hostname = config.verify;
        options.max_h2_streams = H2_STREAMS;
        options.alpn = match version {
            HttpVersion::Http11 => ALPN::H1,
            // Prior knowledge where there is no TLS to negotiate it.
            HttpVersion::Http2 if !config.tls => ALPN::H2,
            HttpVersion::Http2 => ALPN::H2H1,
        };
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy {
            h1_upgrade: H1UpgradePolicy::Deny,
            // Our own stage does it: Pingora would strip credentials, and refuse in words of its
            // own.
            strip_connection_nominated: false,
            ..HttpUpstreamRequestPolicy::standard()
        };
        let mut authorities = 0;
        if let Some(path) = &config.ca {
            let (read, mark) = read_authorities(path)?;
            options.ca = Some(read);
            authorities = mark;
        }
        // A connection that other authorities have vouched for is not used again.
        template.group_key = authorities;
        let default_port = if config.tls { 443 } else { 80 };
        let authority = if config.port == default_port {
            config.host.to_string()
        } else {
            format!("{}:{}", config.host, config.port)
        };
        let addresses = literal.map(|ip| SocketAddr::new(ip, config.port));
        Ok(Self {
            config: config.clone(),
            version,
            timeouts: *timeouts,
            authorities,
            template,
            addresses: ArcSwap::from_pointee(addresses.into_iter().collect()),
            next: AtomicUsize::new(0),
            resolved: AtomicBool::new(true),
            authority: authority.into(),
        })
    }

    /// What goes on when a configuration takes the place of another: `former` if nothing about the server
    /// has changed, else this one, with the addresses that are known.
    pub fn after(self, former: &Arc<Self>) -> Arc<Self> {
        let is_same = self.config == former.config
            && self.version == former.version
            && self.timeouts == former.timeouts
            && self.authorities == former.authorities;
        if is_same {
            return Arc::clone(former);
        }
        let place = |of: &Self| (Arc::clone(&of.config.host), of.config.port);
        if place(&self) == place(former) {
            self.addresses.store(former.addresses.load_full());
        }
        Arc::new(self)
    }

    /// Value of `Host` for this server.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Its host name or address, as configured.
    pub fn host(&self) -> &Arc<str> {
        &self.config.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.config.port
    }

    /// Path before every operation's path.
    pub fn base_path(&self) -> &str {
        &self.config.base_path
    }

    /// The turn of a call: which address it tries first.
    pub fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How many addresses a call may try.
    pub fn tries(&self) -> usize {
        self.addresses.load().len().min(MAX_TRIES)
    }

    /// The address of a turn; `None` while the name is not resolved. Nobody gets it without
    /// policy's permit. Nothing about the connection takes longer than `remaining`.
    pub fn peer(
        &self,
        _permit: &Permit,
        turn: usize,
        remaining: Duration,
    ) -> Option<Box<HttpPeer>> {
        let addresses = self.addresses.load();
        let address = *addresses.get(turn.checked_rem(addresses.len())?)?;
        let mut peer = Box::new(self.template.clone());
        peer._address = PeerAddr::Inet(address);
        let options = &mut peer.options;
        let at_most = |limit: Option<Duration>| limit.map(|limit| limit.min(remaining));
        options.connection_timeout = at_most(options.connection_timeout);
        options.total_connection_timeout = at_most(options.total_connection_timeout);
        options.read_timeout = Some(remaining);
        options.write_timeout = Some(remaining);
        Some(peer)
    }

    async fn resolve(&self) -> bool {
        if parse_ip(&self.config.host).is_some() {
            return true;
        }
        match tokio::net::lookup_host((&*self.config.host, self.config.port)).await {
            Ok(found) => {
                let mut found: Vec<SocketAddr> = found.collect();
                found.sort_unstable();
                found.dedup();
                if found.is_empty() {
                    return false;
                }
                if **self.addresses.load() != found {
                    self.addresses.store(Arc::new(found));
                }
                true
            }
            // Known addresses stay in use: an outage of the resolver is not one of the bank.
            Err(_) => false,
        }
    }
}

/// Resolves the names that are not resolved yet: before calls are sent there, since none waits for it.
/// What cannot be resolved by then is tried again by [`keep_resolved`].
pub async fn resolve_new(servers: &[Arc<Server>], patience: Duration) {
    let unknown = servers.iter().filter(|server| server.tries() == 0);
    let work = async {
        for server in unknown {
            server.resolve().await;
        }
    };
    let _ = tokio::time::timeout(patience, work).await;
}

/// Resolves names now and then, for as long as it is polled.
pub async fn keep_resolved(servers: Arc<ArcSwap<Vec<Arc<Server>>>>) {
    loop {
        let mut all = true;
        for server in servers.load_full().iter() {
            let resolved = server.resolve().await;
            all &= resolved;
            // Said once per change, not once per try.
            let was_resolved = server.resolved.swap(resolved, Ordering::Relaxed);
            match (was_resolved, resolved) {
                (true, false) => tracing::warn!(
                    host = &*server.config.host,
                    "cannot resolve the name of a bank's server; trying again"
                ),
                (false, true) => tracing::info!(
                    host = &*server.config.host,
                    "the name of a bank's server is resolved again"
                ),
                _ => {}
            }
        }
        tokio::time::sleep(if all { REFRESH } else { RETRY }).await;
    }
}

fn parse_ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// The certificates of a file, and what tells its content from another.
fn read_authorities(path: &Path) -> Result<(Arc<[WrappedX509]>, u64), CaError> {
    let unreadable = || CaError {
        path: path.to_owned(),
    };
    let text = std::fs::read(path).map_err(|_| unreadable())?;
    let mut authorities = Vec::new();
    for pem in x509_parser::pem::Pem::iter_from_buffer(&text) {
        let pem = pem.map_err(|_| unreadable())?;
        pem.parse_x509().map_err(|_| unreadable())?;
        authorities.push(WrappedX509::new(pem.contents, parse_x509));
    }
    if authorities.is_empty() {
        return Err(unreadable());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    let mark = digest.as_ref().first_chunk().copied();
    Ok((
        authorities.into(),
        u64::from_be_bytes(mark.unwrap_or_default()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_turn_and_nothing_outlasts_the_call() {
        let config = Upstream {
            tls: false,
            host: "bank.test".into(),
            port: 80,
            base_path: "".into(),
            ca: None,
            verify: true,
        };
        let minute = Duration::from_secs(60);
        let timeouts = Timeouts {
            connect: minute,
            tls: minute,
            request: minute,
            head: minute,
            idle: minute,
            drain_delay: Duration::ZERO,
            drain: minute,
        };
        let server = Server::new(&config, HttpVersion::Http11, &timeouts).unwrap();
        let rules = crate::domain::policy::Rules {
            unknown_operations: crate::domain::config::UnknownOperations::Forward,
            dauth_callers: Vec::new(),
            gateway_login_callers: Vec::new(),
        };
        let ask = crate::domain::policy::Ask {
            caller: "app",
            operation_known: true,
            present: &[],
        };
        let permit = crate::domain::policy::decide(&rules, &ask).unwrap();
        let second = Duration::from_secs(1);
        assert!(server.peer(&permit, server.turn(), second).is_none());
        assert_eq!(server.tries(), 0);

        let known: Vec<SocketAddr> = ["[::1]:80", "127.0.0.1:80"]
            .map(|a| a.parse().unwrap())
            .into();
        server.addresses.store(Arc::new(known.clone()));
        assert_eq!(server.tries(), 2);
        let turn = server.turn();
        let tried: Vec<SocketAddr> = (0..2)
            .map(|more| {
                let peer = server.peer(&permit, turn + more, second).unwrap();
                assert_eq!(peer.options.connection_timeout, Some(second));
                assert_eq!(peer.options.total_connection_timeout, Some(second));
                *peer._address.as_inet().unwrap()
            })
            .collect();
        assert!(
            known.iter().all(|address| tried.contains(address)),
            "{tried:?}"
        );
    }
}
