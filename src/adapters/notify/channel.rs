//! One way to tell people.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::smtp::{self, MailServer};
use crate::adapters::http_client::{Client, HttpPost};
use crate::adapters::private_file;
use crate::domain::catalog::BaseUrl;
use crate::domain::config::{AlertChannel, ChannelKind};
use crate::domain::incident::Notice;
use crate::domain::notify::webhook::SigningKey;
use crate::domain::notify::{Sender, alertmanager, mail, pagerduty, slack, syslog, webhook};
use crate::types::{Micros, Secret};

/// Most bytes of an answer that are read; nothing in them is used.
const MAX_ANSWER: usize = 64 << 10;
/// Longest time for a program or a connection.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest file with a secret.
const MAX_SECRET: u64 = 4_096;

/// Why a notice was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendFault {
    /// What went wrong, without anything secret.
    pub reason: String,
    /// Whether another try would end the same way.
    pub is_final: bool,
}

impl SendFault {
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_final: true,
        }
    }

    fn later(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_final: false,
        }
    }
}

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// The file with its secret cannot be read.
    #[error("channel {channel}: cannot read {path}: {cause}")]
    Unreadable {
        /// Which channel.
        channel: String,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others could read the secret.
    #[error(
        "channel {channel}: {path} has mode {mode:o}; others could read it: run `chmod 600 {path}`"
    )]
    TooOpen {
        /// Which channel.
        channel: String,
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The secret has not the form that the channel needs.
    #[error("channel {channel}: {path}: {what}")]
    Malformed {
        /// Which channel.
        channel: String,
        /// Which file.
        path: PathBuf,
        /// What is needed.
        what: String,
    },
}

enum Way {
    Webhook {
        url: BaseUrl,
        keys: Vec<SigningKey>,
    },
    Slack {
        url: BaseUrl,
    },
    PagerDuty {
        url: BaseUrl,
        key: Secret<String>,
    },
    Alertmanager {
        url: BaseUrl,
    },
    Mail {
        server: MailServer,
        from: mail::Address,
        to: Vec<mail::Address>,
    },
    Syslog {
        host: String,
        port: u16,
        tls: bool,
        content: syslog::Content,
    },
    Command {
        program: PathBuf,
        arguments: Vec<String>,
    },
}

/// A way to tell people, ready for use. What is secret about it cannot be printed.
pub struct Channel {
    name: String,
    per_minute: usize,
    way: Way,
    client: Arc<Client>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({})", self.name)
    }
}

impl Channel {
    /// Makes a configured channel ready: reads its secret.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(config: &AlertChannel, client: &Arc<Client>) -> Result<Self, OpenFault> {
        let secret = match &config.secret_file {
            Some(path) => Some((read_secret(&config.name, path)?, path)),
            None => None,
        };
        let malformed = |what: String| OpenFault::Malformed {
            channel: config.name.clone(),
            path: config.secret_file.clone().unwrap_or_default(),
            what,
        };
        let needed = || {
            secret
                .as_ref()
                .map(|(text, _)| Secret::new(text.expose().trim().to_owned()))
                .ok_or_else(|| malformed("a secret is needed".to_owned()))
        };
        let way = match &config.kind {
            ChannelKind::Webhook { url } => Way::Webhook {
                url: url.clone(),
                keys: match &secret {
                    Some((text, _)) => text
                        .expose()
                        .lines()
                        .filter(|line| !line.trim().is_empty())
                        .map(|line| SigningKey::parse(&Secret::new(line.to_owned())))
                        .collect::<Result<_, _>>()
                        .map_err(|fault| malformed(fault.to_string()))?,
                    None => Vec::new(),
                },
            },
            ChannelKind::Slack => Way::Slack {
                url: BaseUrl::parse(needed()?.expose()).map_err(malformed)?,
            },
            ChannelKind::PagerDuty { url } => Way::PagerDuty {
                url: url.clone(),
                key: needed()?,
            },
            ChannelKind::Alertmanager { url } => Way::Alertmanager { url: url.clone() },
            ChannelKind::Mail {
                host,
                port,
                tls,
                username,
                from,
                to,
            } => Way::Mail {
                server: MailServer {
                    host: host.clone(),
                    port: *port,
                    tls: *tls,
                    login: match username {
                        Some(name) => Some((name.clone(), needed()?)),
                        None => None,
                    },
                },
                from: from.clone(),
                to: to.clone(),
            },
            ChannelKind::Syslog {
                host,
                port,
                tls,
                content,
            } => Way::Syslog {
                host: host.clone(),
                port: *port,
                tls: *tls,
                content: *content,
            },
            ChannelKind::Command { program, arguments } => Way::Command {
                program: program.clone(),
                arguments: arguments.clone(),
            },
        };
        Ok(Self {
            name: config.name.clone(),
            per_minute: config.per_minute,
            way,
            client: Arc::clone(client),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn per_minute(&self) -> usize {
        self.per_minute
    }

    /// Tells.
    ///
    /// # Errors
    /// [`SendFault`].
    pub async fn send(
        &self,
        notice: &Notice,
        sender: &Sender,
        now: Micros,
    ) -> Result<(), SendFault> {
        let json = || vec![("content-type", "application/json".to_owned())];
        match &self.way {
            Way::Webhook { url, keys } => {
                let body = webhook::body(notice, sender);
                let headers = webhook::headers(&webhook::id(notice, sender), now, &body, keys);
                self.post(url, "", &headers, body).await
            }
            Way::Slack { url } => {
                self.post(url, "", &json(), slack::body(notice, sender))
                    .await
            }
            Way::PagerDuty { url, key } => {
                let body = pagerduty::body(notice, sender, key);
                self.post(url, "", &json(), body.expose().clone()).await
            }
            Way::Alertmanager { url } => {
                self.post(
                    url,
                    "/api/v2/alerts",
                    &json(),
                    alertmanager::body(notice, sender),
                )
                .await
            }
            Way::Mail { server, from, to } => {
                let message = mail::message(notice, sender, from, to, now);
                let sent = smtp::send(
                    server,
                    &self.client,
                    &sender.installation,
                    from,
                    to,
                    &message,
                );
                within(sent).await
            }
            Way::Syslog {
                host,
                port,
                tls,
                content,
            } => {
                let message = syslog::framed(&syslog::message(notice, sender, *content, now));
                within(self.stream(host, *port, *tls, message)).await
            }
            Way::Command { program, arguments } => {
                let (program, arguments) = (program.clone(), arguments.clone());
                let body = webhook::body(notice, sender);
                tokio::task::spawn_blocking(move || run(&program, &arguments, &body))
                    .await
                    .unwrap_or_else(|_| Err(SendFault::later("the program could not be watched")))
            }
        }
    }

    async fn post(
        &self,
        url: &BaseUrl,
        path: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(), SendFault> {
        let post = HttpPost {
            url,
            path,
            headers,
            body,
            max_answer: MAX_ANSWER,
        };
        let answer = self.client.post(post).await.map_err(SendFault::later)?;
        match answer.status {
            200..=299 => Ok(()),
            // What is refused for its content is refused again.
            status @ (400 | 413 | 422) => {
                Err(SendFault::refused(format!("refused with status {status}")))
            }
            status => Err(SendFault::later(format!("answered with status {status}"))),
        }
    }

    async fn stream(
        &self,
        host: &str,
        port: u16,
        tls: bool,
        message: Vec<u8>,
    ) -> Result<(), SendFault> {
        let later = |error: io::Error| SendFault::later(format!("cannot write: {error}"));
        let mut stream = TcpStream::connect((host, port))
            .await
            .map_err(|error| SendFault::later(format!("cannot connect: {error}")))?;
        if tls {
            let mut stream = self
                .client
                .wrap(host, stream)
                .await
                .map_err(SendFault::later)?;
            stream.write_all(&message).await.map_err(later)?;
            stream.shutdown().await.map_err(later)
        } else {
            stream.write_all(&message).await.map_err(later)?;
            stream.shutdown().await.map_err(later)
        }
    }
}

async fn within(doing: impl Future<Output = Result<(), SendFault>>) -> Result<(), SendFault> {
    match tokio::time::timeout(TIMEOUT, doing).await {
        Ok(done) => done,
        Err(_) => Err(SendFault::later(format!(
            "not done within {} s",
            TIMEOUT.as_secs()
        ))),
    }
}

/// Runs a program with the body of a webhook on its standard input. It gets no environment but
/// the path: nothing of the gateway's leaks into it.
fn run(program: &Path, arguments: &[String], body: &[u8]) -> Result<(), SendFault> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| SendFault::later(format!("cannot start the program: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read is no fault; its status says what it made of it.
        let _ = input.write_all(body);
    }
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return Err(SendFault::later(format!("the program ended with {status}")));
            }
            Ok(None) if started.elapsed() < TIMEOUT => {
                std::thread::sleep(Duration::from_millis(20))
            }
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(SendFault::later(format!(
                    "the program took longer than {} s",
                    TIMEOUT.as_secs()
                )));
            }
            Err(error) => {
                return Err(SendFault::later(format!(
                    "cannot watch the program: {error}"
                )));
            }
        }
    }
}

fn read_secret(channel: &str, path: &Path) -> Result<Secret<String>, OpenFault> {
    let unreadable = |cause| OpenFault::Unreadable {
        channel: channel.to_owned(),
        path: path.to_owned(),
        cause,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if let Some(mode) = private_file::too_open(&file.metadata().map_err(unreadable)?) {
        return Err(OpenFault::TooOpen {
            channel: channel.to_owned(),
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(MAX_SECRET)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(Secret::new(text))
}
