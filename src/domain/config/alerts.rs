//! Where alerts go, as the configuration says.

use std::path::PathBuf;

use crate::domain::catalog::BaseUrl;
use crate::domain::incident::{Settings, Severity};
use crate::domain::notify::mail::Address;
use crate::domain::notify::syslog::Content;

/// Incidents and who is told about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerts {
    /// Directory of the incidents and of what waits to be told.
    pub directory: PathBuf,
    /// When incidents end and people are told.
    pub settings: Settings,
    /// Where people find an incident; its id is put behind it.
    pub link: Option<String>,
    /// Ways to tell people.
    pub channels: Vec<AlertChannel>,
}

/// A way to tell people.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertChannel {
    /// Its name.
    pub name: String,
    /// From which severity on it is told.
    pub tell_from: Severity,
    /// Most notices a minute; what is more waits.
    pub per_minute: usize,
    /// File with its secret.
    pub secret_file: Option<PathBuf>,
    /// What it is.
    pub kind: ChannelKind,
}

/// What a channel is.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelKind {
    /// JSON, signed as Standard Webhooks if there is a secret.
    Webhook {
        /// Where to.
        url: BaseUrl,
    },
    /// Slack and what speaks like it; the secret is the URL.
    Slack,
    /// PagerDuty Events v2; the secret is the routing key.
    PagerDuty {
        /// Where to.
        url: BaseUrl,
    },
    /// Prometheus Alertmanager.
    Alertmanager {
        /// Where it is.
        url: BaseUrl,
    },
    /// E-mail; the secret is the password.
    Mail {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: MailTls,
        /// The name to log in with.
        username: Option<String>,
        /// Whom it comes from.
        from: Address,
        /// Whom it goes to.
        to: Vec<Address>,
    },
    /// Syslog over a stream.
    Syslog {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// Whether the stream is inside TLS.
        tls: bool,
        /// What is said.
        content: Content,
    },
    /// A program that reads JSON from its standard input.
    Command {
        /// Which.
        program: PathBuf,
        /// With which arguments.
        arguments: Vec<String>,
    },
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Not at all; on this machine only.
    None,
    /// After STARTTLS, or not at all.
    StartTls,
    /// From the start.
    Implicit,
}
