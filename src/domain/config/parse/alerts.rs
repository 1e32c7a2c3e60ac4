//! `[alerts]`: who is told about incidents, and how.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Files;
use crate::domain::catalog::BaseUrl;
use crate::domain::config::alerts::{AlertChannel, Alerts, ChannelKind, MailTls};
use crate::domain::config::reader::{
    DurationIn, Found, Hidden, IntegerIn, Kind as _, OneOf, Place, Problem, Table, Text, Texts,
    quoted,
};
use crate::domain::incident::{Settings, Severity};
use crate::domain::notify::mail::Address;
use crate::domain::notify::pagerduty;
use crate::domain::notify::syslog::Content;

/// Where incidents are, in the data directory.
const DIRECTORY: &str = "alerts";
/// Most channels: each notice may go to all of them.
const MAX_CHANNELS: usize = 32;
/// Most receivers of a mail.
const MAX_RECEIVERS: usize = 50;
/// Longest quiet before an incident ends, and before people are reminded.
const MAX_QUIET: Duration = Duration::from_secs(7 * 86_400);
const MIN_QUIET: Duration = Duration::from_secs(60);

const SEVERITY: OneOf<Severity> = OneOf(&[
    ("info", Severity::Info),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Webhook,
    Slack,
    PagerDuty,
    Alertmanager,
    Mail,
    Syslog,
    Command,
}

const KINDS: OneOf<Word> = OneOf(&[
    ("webhook", Word::Webhook),
    ("slack", Word::Slack),
    ("pagerduty", Word::PagerDuty),
    ("alertmanager", Word::Alertmanager),
    ("mail", Word::Mail),
    ("syslog", Word::Syslog),
    ("command", Word::Command),
]);

const CONTENT: OneOf<Content> = OneOf(&[("sentence", Content::Sentence), ("ocsf", Content::Ocsf)]);

/// Reads `[alerts]`.
pub(super) fn read(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Alerts {
    let table = top.table("alerts");
    let defaults = Settings::default();
    let directory = files.in_data_dir(
        &table,
        "directory",
        data_dir,
        DIRECTORY,
        "Directory of the incidents and of what waits to be told.",
    );
    let tell_from = table.value(
        "tell_from",
        &SEVERITY,
        defaults.tell_from,
        "From which severity on people are told. Milder incidents are kept all the same.",
    );
    let span = |key, default, meaning| {
        table
            .value(key, &DurationIn(MIN_QUIET..=MAX_QUIET), default, meaning)
            .value
    };
    let quiet = span(
        "quiet",
        defaults.quiet,
        "An incident is over after so long without a sign of it.",
    );
    let quiet_minting = span(
        "quiet_minting",
        defaults.quiet_minting,
        "The same for incidents about minting, where a thief may wait before he uses what he has.",
    );
    let remind = span(
        "remind",
        defaults.remind,
        "After so long people are told once more about what goes on and nobody has taken.",
    );
    let link = table.optional(
        "link",
        &Text {
            max: 2_048,
            what: "URL",
        },
        "none",
        "Where people find an incident; its id is put behind it.",
    );
    let link = link.and_then(|link| match BaseUrl::parse(&link.value) {
        Ok(url) => Some(url.to_string()),
        Err(hint) => {
            table.fault(&link.place, Problem::new("not a URL", hint));
            None
        }
    });
    Alerts {
        directory,
        settings: Settings {
            tell_from: tell_from.value,
            quiet,
            quiet_minting,
            remind,
            ..defaults
        },
        link,
        channels: read_channels(&table, files),
    }
}

fn read_channels(table: &Table<'_>, files: &Files<'_>) -> Vec<AlertChannel> {
    let tables = table.tables("channel");
    if tables.len() > MAX_CHANNELS {
        let problem = Problem::new("too many channels", format!("use at most {MAX_CHANNELS}"));
        table.fault(&table.place_of("channel"), problem);
    }
    let mut names = HashSet::new();
    let mut channels = Vec::new();
    for table in tables.iter().take(MAX_CHANNELS) {
        let keys = Keys::read(table, files);
        if let Some(name) = &keys.name {
            let is_good =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if name.value.len() > 32 || !name.value.bytes().all(is_good) {
                let problem = Problem::new(
                    "not a name for a channel",
                    "use 1 to 32 lower-case letters, digits and hyphens",
                );
                table.fault(&name.place, problem);
                continue;
            }
            if !names.insert(name.value.clone()) {
                let problem = Problem::new(
                    "a channel of this name is there already",
                    "give each another name",
                );
                table.fault(&name.place, problem);
                continue;
            }
        }
        channels.extend(keys.channel(table));
    }
    channels
}

/// Scheme and host of an address: what follows can be a secret, as in webhooks of chats.
#[expect(clippy::ptr_arg, reason = "a kind shows what it reads")]
fn show_endpoint(url: &String) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    let rest = if rest.is_empty() { "" } else { "/(not shown)" };
    quoted(&format!("{scheme}://{host}{rest}"))
}

/// The program: an argument can be a secret.
#[expect(clippy::ptr_arg, reason = "a kind shows what it reads")]
fn show_command(command: &Vec<String>) -> String {
    let program = command.first().map_or("", String::as_str);
    match command.len() {
        0 | 1 => format!("[{}]", quoted(program)),
        many => format!(
            "[{}, \"({} arguments, not shown)\"]",
            quoted(program),
            many - 1
        ),
    }
}

/// Every key of a channel, whatever its kind.
struct Keys {
    name: Option<Found<String>>,
    kind: Option<Found<Word>>,
    url: Option<Found<String>>,
    secret_file: Option<Found<PathBuf>>,
    username: Option<Found<String>>,
    from: Option<Found<String>>,
    to: Option<Found<Vec<String>>>,
    command: Option<Found<Vec<String>>>,
    content: Option<Found<Content>>,
    tell_from: Severity,
    per_minute: usize,
}

impl Keys {
    fn read(table: &Table<'_>, files: &Files<'_>) -> Self {
        let text = |max, what| Text { max, what };
        let name = table.required(
            "name",
            &text(64, "name"),
            "Name of the channel, for `egret alert test` and the log.",
        );
        let kind = table.required("kind", &KINDS, "What it is.");
        let url = table.optional(
            "url",
            &Hidden {
                kind: text(2_048, "URL"),
                show: show_endpoint,
            },
            "required, but for `slack`, `pagerduty` and `command`",
            "Where to: `https://` for `webhook`, `alertmanager` and `pagerduty`; `smtps://host` or `smtp://host` \
             (with STARTTLS) for `mail`; `tls://host` or `tcp://host:port` for `syslog`.",
        );
        let secret_file = table
            .optional(
                "secret_file",
                &crate::domain::config::reader::FilePath,
                "none",
                "File with the channel's secret, readable by its owner only: signing keys for `webhook` \
                 (`whsec_…`, one a line), the URL for `slack`, the routing key for `pagerduty`, the password \
                 for `mail`. It is read when the gateway starts.",
            )
            .map(|found| Found { value: files.resolve(&found.value), place: found.place });
        let username = table.optional(
            "username",
            &text(255, "name"),
            "none",
            "`mail`: name to log in with.",
        );
        let from = table.optional(
            "from",
            &text(254, "address"),
            "required for `mail`",
            "`mail`: whom it comes from.",
        );
        let to = table.optional(
            "to",
            &Texts {
                max: MAX_RECEIVERS,
                max_bytes: 254,
            },
            "required for `mail`",
            "`mail`: whom it goes to.",
        );
        let command = table.optional(
            "command",
            &Hidden {
                kind: Texts { max: 64, max_bytes: 4_096 },
                show: show_command,
            },
            "required for `command`",
            "`command`: path of a program and its arguments. It reads JSON from its standard input, has 30 \
             seconds, and gets no environment but `PATH`.",
        );
        let content = table.optional(
            "content",
            &CONTENT,
            "`\"sentence\"`",
            "`syslog`: a sentence, or an OCSF Detection Finding.",
        );
        let tell_from = table.value(
            "tell_from",
            &SEVERITY,
            Severity::Medium,
            "From which severity on it is told.",
        );
        let per_minute = table.value(
            "per_minute",
            &IntegerIn(1..=600),
            20,
            "Most notices a minute; what is more waits.",
        );
        Self {
            name,
            kind,
            url,
            secret_file,
            username,
            from,
            to,
            command,
            content,
            tell_from: tell_from.value,
            per_minute: per_minute.value,
        }
    }

    fn channel(self, table: &Table<'_>) -> Option<AlertChannel> {
        let word = self.kind.as_ref()?.value;
        self.refuse_what_does_not_belong(table, word);
        let kind = match word {
            Word::Webhook => ChannelKind::Webhook {
                url: self.base_url(table, None)?,
            },
            Word::Slack => {
                self.need_secret(table, "the URL of the incoming webhook")?;
                ChannelKind::Slack
            }
            Word::PagerDuty => {
                self.need_secret(table, "the routing key of the integration")?;
                ChannelKind::PagerDuty {
                    url: self.base_url(table, Some(pagerduty::URL))?,
                }
            }
            Word::Alertmanager => ChannelKind::Alertmanager {
                url: self.base_url(table, None)?,
            },
            Word::Mail => self.mail(table)?,
            Word::Syslog => {
                let (url, scheme) = self.endpoint(table, &[("tls", 6_514), ("tcp", 601)])?;
                ChannelKind::Syslog {
                    host: bare(url.host()),
                    port: url.port(),
                    tls: scheme == "tls",
                    content: self
                        .content
                        .as_ref()
                        .map_or(Content::Sentence, |found| found.value),
                }
            }
            Word::Command => {
                let command = need(
                    table,
                    self.command,
                    "command",
                    "[\"/usr/local/bin/page\", \"--json\"]",
                )?;
                let (program, arguments) = command.value.split_first()?;
                if !program.starts_with('/') {
                    table.fault(
                        &command.place,
                        Problem::new("not a path", "write the whole path of the program"),
                    );
                    return None;
                }
                ChannelKind::Command {
                    program: program.into(),
                    arguments: arguments.to_vec(),
                }
            }
        };
        Some(AlertChannel {
            name: self.name?.value,
            tell_from: self.tell_from,
            per_minute: self.per_minute,
            secret_file: self.secret_file.map(|found| found.value),
            kind,
        })
    }

    fn refuse_what_does_not_belong(&self, table: &Table<'_>, word: Word) {
        let is_mail = word == Word::Mail;
        let has_secret = matches!(
            word,
            Word::Webhook | Word::Slack | Word::PagerDuty | Word::Mail
        );
        let has_url = !matches!(word, Word::Slack | Word::Command);
        let given: [(&str, Option<&Place>, bool); 7] = [
            ("url", self.url.as_ref().map(|found| &found.place), has_url),
            (
                "secret_file",
                self.secret_file.as_ref().map(|found| &found.place),
                has_secret,
            ),
            (
                "username",
                self.username.as_ref().map(|found| &found.place),
                is_mail,
            ),
            (
                "from",
                self.from.as_ref().map(|found| &found.place),
                is_mail,
            ),
            ("to", self.to.as_ref().map(|found| &found.place), is_mail),
            (
                "command",
                self.command.as_ref().map(|found| &found.place),
                word == Word::Command,
            ),
            (
                "content",
                self.content.as_ref().map(|found| &found.place),
                word == Word::Syslog,
            ),
        ];
        for (name, place, belongs) in given {
            if let (Some(place), false) = (place, belongs) {
                let kind = KINDS.show(&word);
                let hint = match (name, word) {
                    ("url", Word::Slack) => {
                        "the URL of Slack is a secret: put it into a file and write `secret_file`"
                            .to_owned()
                    }
                    _ => "remove it".to_owned(),
                };
                table.fault(
                    place,
                    Problem::new(format!("a channel of kind {kind} has no {name}"), hint),
                );
            }
        }
    }

    fn need_secret(&self, table: &Table<'_>, what: &str) -> Option<()> {
        if self.secret_file.is_none() {
            let hint = format!("put {what} into a file and write its path");
            table.fault(
                &table.place_of("secret_file"),
                Problem::new("missing", hint),
            );
            return None;
        }
        Some(())
    }

    fn base_url(&self, table: &Table<'_>, default: Option<&str>) -> Option<BaseUrl> {
        let (text, place) = match (&self.url, default) {
            (Some(found), _) => (found.value.as_str(), found.place.clone()),
            (None, Some(default)) => (default, table.place_of("url")),
            (None, None) => {
                table.fault(
                    &table.place_of("url"),
                    Problem::new("missing", "write url = \"https://…\""),
                );
                return None;
            }
        };
        BaseUrl::parse(text)
            .map_err(|hint| table.fault(&place, Problem::new("not a URL for this channel", hint)))
            .ok()
    }

    /// A host and a port behind one of several schemes; the first is the one to recommend.
    fn endpoint(
        &self,
        table: &Table<'_>,
        schemes: &[(&'static str, u16)],
    ) -> Option<(BaseUrl, &'static str)> {
        let words: Vec<String> = schemes
            .iter()
            .map(|(scheme, _)| format!("{scheme}://host"))
            .collect();
        let hint = format!("write {}", words.join(" or "));
        let Some(found) = &self.url else {
            table.fault(&table.place_of("url"), Problem::new("missing", hint));
            return None;
        };
        let fault = |hint: String| {
            table.fault(
                &found.place,
                Problem::new("not a server for this channel", hint),
            )
        };
        let matched = schemes.iter().find_map(|(scheme, port)| {
            let rest = found.value.strip_prefix(scheme)?.strip_prefix("://")?;
            Some((*scheme, *port, rest))
        });
        let Some((scheme, port, rest)) = matched else {
            fault(hint);
            return None;
        };
        // The rules of a host are those of any URL; a port that is not written is the scheme's.
        let has_port = rest
            .rfind(':')
            .is_some_and(|colon| rest.rfind(']').is_none_or(|bracket| bracket < colon));
        let whole = if has_port {
            format!("https://{rest}")
        } else {
            format!("https://{rest}:{port}")
        };
        match BaseUrl::parse(&whole) {
            Ok(url) if url.path().is_empty() => Some((url, scheme)),
            Ok(_) => {
                fault(hint);
                None
            }
            Err(hint) => {
                fault(hint);
                None
            }
        }
    }

    fn mail(&self, table: &Table<'_>) -> Option<ChannelKind> {
        let (url, scheme) = self.endpoint(table, &[("smtps", 465), ("smtp", 587)])?;
        let tls = match scheme {
            "smtps" => MailTls::Implicit,
            _ if url.is_loopback() => MailTls::None,
            _ => MailTls::StartTls,
        };
        let address = |text: &str, place: &Place| {
            Address::parse(text)
                .map_err(|fault| {
                    table.fault(place, Problem::new("not an address", fault.to_string()))
                })
                .ok()
        };
        let from = need(table, self.from.clone(), "from", "\"egret@example.com\"")?;
        let to = need(table, self.to.clone(), "to", "[\"soc@example.com\"]")?;
        if to.value.is_empty() {
            table.fault(&to.place, Problem::new("empty", "name somebody"));
            return None;
        }
        if self.username.is_some() {
            self.need_secret(table, "the password")?;
        }
        Some(ChannelKind::Mail {
            host: bare(url.host()),
            port: url.port(),
            tls,
            username: self.username.as_ref().map(|found| found.value.clone()),
            from: address(&from.value, &from.place)?,
            to: to
                .value
                .iter()
                .map(|text| address(text, &to.place))
                .collect::<Option<_>>()?,
        })
    }
}

fn need<T>(
    table: &Table<'_>,
    found: Option<Found<T>>,
    key: &str,
    example: &str,
) -> Option<Found<T>> {
    if found.is_none() {
        let problem = Problem::new("missing", format!("write {key} = {example}"));
        table.fault(&table.place_of(key), problem);
    }
    found
}

/// A host as sockets want it: an IPv6 address without its brackets.
fn bare(host: &str) -> String {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}
