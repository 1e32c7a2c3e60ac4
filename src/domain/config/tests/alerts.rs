//! Channels of alerts: what is read, and what is refused where it stands.

use super::machine::Machine;
use super::{CYBRID, faults, read};
use crate::domain::config::{ChannelKind, MailTls};
use crate::domain::incident::{Settings, Severity};
use crate::domain::notify::syslog::Content;

fn channel(keys: &str) -> String {
    format!("{CYBRID}[[alerts.channel]]\nname = \"soc\"\n{keys}")
}

#[test]
fn nobody_is_told_unless_it_is_written() {
    let alerts = read(CYBRID, &Machine::default()).unwrap().alerts;
    assert!(alerts.channels.is_empty());
    assert_eq!(alerts.settings, Settings::default());
    assert!(alerts.directory.ends_with("egret-data/alerts"));
}

#[test]
fn every_kind_of_channel_is_read() {
    let kind = |keys: &str| {
        let config = read(&channel(keys), &Machine::default())
            .unwrap_or_else(|faults| panic!("{keys}\n{faults}"));
        config.alerts.channels[0].clone()
    };
    let webhook = kind(
        "kind = \"webhook\"\nurl = \"https://soc.example/in\"\nsecret_file = \"k\"\ntell_from = \"high\"\n",
    );
    assert_eq!(
        (webhook.tell_from, webhook.per_minute),
        (Severity::High, 20)
    );
    assert!(webhook.secret_file.unwrap().ends_with("egret/k"));
    assert_eq!(
        kind("kind = \"slack\"\nsecret_file = \"k\"\n").kind,
        ChannelKind::Slack
    );
    let pager = kind("kind = \"pagerduty\"\nsecret_file = \"k\"\n").kind;
    assert!(
        matches!(pager, ChannelKind::PagerDuty { url } if url.host() == "events.pagerduty.com")
    );
    let alerts = kind("kind = \"alertmanager\"\nurl = \"http://127.0.0.1:9093\"\n").kind;
    assert!(matches!(alerts, ChannelKind::Alertmanager { .. }));
    let syslog = |url: &str| {
        kind(&format!(
            "kind = \"syslog\"\nurl = \"{url}\"\ncontent = \"ocsf\"\n"
        ))
        .kind
    };
    let expected = ChannelKind::Syslog {
        host: "siem.example".into(),
        port: 6_514,
        tls: true,
        content: Content::Ocsf,
    };
    assert_eq!(syslog("tls://siem.example"), expected);
    assert!(
        matches!(syslog("tcp://[::1]:514"), ChannelKind::Syslog { host, port: 514, tls: false, .. } if host == "::1")
    );
    let command = kind("kind = \"command\"\ncommand = [\"/bin/page\", \"-u\"]\n").kind;
    assert!(matches!(command, ChannelKind::Command { arguments, .. } if arguments == ["-u"]));
    for (url, wanted_port, wanted) in [
        ("smtps://mail.example", 465, MailTls::Implicit),
        ("smtp://mail.example", 587, MailTls::StartTls),
        ("smtp://mail.example:25", 25, MailTls::StartTls),
        ("smtp://127.0.0.1:1025", 1_025, MailTls::None),
    ] {
        let keys = format!(
            "kind = \"mail\"\nurl = \"{url}\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n"
        );
        let mail = kind(&keys).kind;
        assert!(
            matches!(mail, ChannelKind::Mail { port, tls, .. } if port == wanted_port && tls == wanted),
            "{url}"
        );
    }
}

#[test]
fn what_a_channel_cannot_use_is_reported_at_its_key() {
    for (keys, says) in [
        ("kind = \"pager\"\n", "pagerduty"),
        ("kind = \"webhook\"\n", "url"),
        (
            "kind = \"webhook\"\nurl = \"http://soc.example\"\n",
            "use https",
        ),
        ("kind = \"slack\"\n", "secret_file"),
        (
            "kind = \"slack\"\nurl = \"https://hooks.example/s3cret\"\nsecret_file = \"k\"\n",
            "is a secret",
        ),
        (
            "kind = \"mail\"\nurl = \"https://mail.example\"\nfrom = \"a@b\"\nto = [\"c@d\"]\n",
            "smtps://host",
        ),
        (
            "kind = \"mail\"\nurl = \"smtps://mail.example\"\nto = [\"c@d\"]\n",
            "from",
        ),
        (
            "kind = \"mail\"\nurl = \"smtps://mail.example\"\nfrom = \"a b\"\nto = [\"c@d\"]\n",
            "not an address",
        ),
        (
            "kind = \"mail\"\nurl = \"smtps://mail.example\"\nfrom = \"a@b\"\nto = []\n",
            "name somebody",
        ),
        (
            "kind = \"syslog\"\nurl = \"udp://siem.example\"\n",
            "tls://host",
        ),
        ("kind = \"command\"\ncommand = [\"page\"]\n", "whole path"),
        (
            "kind = \"command\"\ncommand = [\"/bin/page\"]\nto = [\"a@b\"]\n",
            "has no to",
        ),
        (
            "kind = \"alertmanager\"\nurl = \"https://a.example\"\nper_minute = 0\n",
            "per_minute",
        ),
    ] {
        let found = faults(&channel(keys), &Machine::default());
        assert!(
            found.iter().any(|fault| fault.contains(says)),
            "{keys}\n{found:#?}"
        );
        assert!(
            !found.iter().any(|fault| fault.contains("s3cret")),
            "{found:#?}"
        );
    }
    let twice = format!(
        "{0}{1}",
        channel("kind = \"slack\"\nsecret_file = \"k\"\n"),
        "[[alerts.channel]]\nname = \"soc\"\nkind = \"slack\"\nsecret_file = \"k\"\n"
    );
    assert!(faults(&twice, &Machine::default())[0].contains("there already"));
    let named = channel("kind = \"slack\"\nsecret_file = \"k\"\n").replace("\"soc\"", "\"So~c\"");
    assert!(faults(&named, &Machine::default())[0].contains("not a name for a channel"));
}
