//! Channels against servers of this process; the spool and the desk on disk.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::adapters::http_client::Client;
use crate::domain::catalog::BaseUrl;
use crate::domain::config::{AlertChannel, ChannelKind, MailTls};
use crate::domain::detect::Mark;
use crate::domain::incident::{Act, Category, Notice, NoticeKind, Settings, Severity, Sign};
use crate::domain::notify::Sender;
use crate::domain::notify::mail::Address;
use crate::domain::notify::syslog::Content;
use crate::types::Micros;

fn at(minutes: i64) -> Micros {
    Micros::from_secs(1_795_305_600 + minutes * 60)
}

fn sign(minutes: i64) -> Sign {
    Sign {
        at: at(minutes),
        since: at(minutes),
        rule: "cold-mints".into(),
        category: Category::MintUnused,
        severity: Severity::Medium,
        cause: None,
        environment: "production".into(),
        caller: "kite-web".into(),
        ip: "240.0.0.1".into(),
        subject: String::new(),
        token: String::new(),
        target: String::new(),
        baseline: None,
        calls: Vec::new(),
        sentence: "kite-web mints.\n.It does.".into(),
    }
}

fn route(name: &str) -> Route {
    Route {
        channel: name.into(),
        tell_from: Severity::Medium,
        tells_acknowledged: true,
    }
}

fn desk(directory: &Path) -> Desk {
    Desk::open(directory, Settings::default(), vec![route("soc")]).unwrap()
}

fn sender() -> Sender {
    Sender {
        installation: "egret.example.com".into(),
        version: "0.1.0".into(),
        link: None,
    }
}

fn channel(kind: ChannelKind, secret_file: Option<&Path>) -> Channel {
    let config = AlertChannel {
        name: "soc".into(),
        tell_from: Severity::Medium,
        per_minute: 3,
        secret_file: secret_file.map(Path::to_owned),
        kind,
    };
    Channel::open(&config, &Arc::new(Client::new(false))).unwrap()
}

fn now_or_never<T>(doing: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(doing)
}

/// A receiver that answers each request with the next status, and gives what it got.
fn receiver(statuses: &[u16]) -> (BaseUrl, JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = BaseUrl::parse(&format!("http://{}/hook", listener.local_addr().unwrap())).unwrap();
    let statuses = statuses.to_vec();
    let thread = std::thread::spawn(move || {
        statuses
            .into_iter()
            .map(|status| answer(&listener, status))
            .collect()
    });
    (url, thread)
}

fn answer(listener: &TcpListener, status: u16) -> (String, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn notice() -> Notice {
    crate::domain::incident::Book::new(Settings::default())
        .take(&sign(0))
        .remove(0)
}

#[test]
fn a_notice_waits_on_disk_until_it_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = desk(directory.path());
    desk.take(&sign(0), at(0)).unwrap();
    // Another process, as after a restart.
    let waiting = Spool::open(&directory.path().join("outbox"))
        .unwrap()
        .list()
        .unwrap();
    assert_eq!(
        (
            waiting.len(),
            waiting[0].channel.as_str(),
            waiting[0].number
        ),
        (1, "soc", 1)
    );

    let (url, thread) = receiver(&[500, 429, 204]);
    let mut deliverer = Deliverer::new(vec![channel(ChannelKind::Webhook { url }, None)], sender());
    for (minute, ok) in [(0, false), (1, false), (2, true)] {
        let done = now_or_never(deliverer.pass(desk.spool(), at(minute))).unwrap();
        assert_eq!((done.len(), done[0].fault.is_none()), (1, ok), "{done:?}");
    }
    let got = thread.join().unwrap();
    assert!(
        got.iter()
            .all(|(head, _)| head.starts_with("POST /hook HTTP/1.1"))
    );
    let ids: Vec<_> = got
        .iter()
        .map(|(head, _)| {
            head.lines()
                .find(|line| line.starts_with("webhook-id"))
                .unwrap()
        })
        .collect();
    assert!(
        ids.iter()
            .all(|id| *id == "webhook-id: egret-example-com_inc-20261122-0001_1"),
        "{ids:?}"
    );
    assert!(got[2].1.contains("incident.opened"));
    assert!(desk.spool().list().unwrap().is_empty());
}

#[test]
fn later_notices_wait_for_earlier_ones_and_for_the_pace() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = desk(directory.path());
    desk.take(&sign(0), at(0)).unwrap();
    desk.take(
        &Sign {
            severity: Severity::High,
            ..sign(1)
        },
        at(1),
    )
    .unwrap();
    let (url, thread) = receiver(&[503]);
    let mut deliverer = Deliverer::new(vec![channel(ChannelKind::Webhook { url }, None)], sender());
    let done = now_or_never(deliverer.pass(desk.spool(), at(1))).unwrap();
    assert_eq!((done.len(), done[0].waiting.number), (1, 1));
    thread.join().unwrap();
    assert_eq!(desk.spool().list().unwrap().len(), 2);

    for n in 0..6 {
        let other = Sign {
            caller: format!("kite-{n}"),
            ip: String::new(),
            ..sign(2)
        };
        desk.take(&other, at(2)).unwrap();
    }
    let (url, thread) = receiver(&[200; 3]);
    let mut deliverer = Deliverer::new(vec![channel(ChannelKind::Webhook { url }, None)], sender());
    let done = now_or_never(deliverer.pass(desk.spool(), at(60))).unwrap();
    // Three a minute; the second about the first incident is among those that wait or came after.
    assert_eq!(
        done.iter()
            .filter(|delivery| delivery.fault.is_none())
            .count(),
        3
    );
    let about_first: Vec<u8> = done
        .iter()
        .filter(|delivery| delivery.waiting.incident.ends_with("0001"))
        .map(|delivery| delivery.waiting.number)
        .collect();
    assert!(about_first.is_sorted());
    thread.join().unwrap();
    assert_eq!(desk.spool().list().unwrap().len(), 5);
}

#[test]
fn what_is_refused_for_good_is_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = desk(directory.path());
    desk.take(&sign(0), at(0)).unwrap();
    let (url, thread) = receiver(&[422]);
    let mut deliverer = Deliverer::new(vec![channel(ChannelKind::Webhook { url }, None)], sender());
    let done = now_or_never(deliverer.pass(desk.spool(), at(0))).unwrap();
    assert!(done[0].buried);
    thread.join().unwrap();
    assert!(desk.spool().list().unwrap().is_empty());
    assert_eq!(desk.spool().buried().unwrap(), 1);
    // A channel that is configured no more.
    desk.take(
        &Sign {
            caller: "x".into(),
            ip: String::new(),
            ..sign(1)
        },
        at(1),
    )
    .unwrap();
    let done =
        now_or_never(Deliverer::new(Vec::new(), sender()).pass(desk.spool(), at(1))).unwrap();
    assert!(done[0].buried && done[0].fault.is_some());
}

#[test]
fn it_is_given_up_on_after_days() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = desk(directory.path());
    desk.take(&sign(0), at(0)).unwrap();
    // Nobody listens: the port was closed again.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = BaseUrl::parse(&format!("http://{closed}")).unwrap();
    let mut deliverer = Deliverer::new(vec![channel(ChannelKind::Webhook { url }, None)], sender());
    let (mut now, mut tries) = (at(0), 0);
    while let Some(waiting) = desk.spool().list().unwrap().first() {
        now = waiting.due.max(now);
        now_or_never(deliverer.pass(desk.spool(), now)).unwrap();
        tries += 1;
    }
    assert_eq!(tries, 11);
    let days = now.since(at(0)).as_secs() / 86_400;
    assert!((2..=5).contains(&days), "{days}");
    assert_eq!(desk.spool().buried().unwrap(), 1);
}

#[test]
fn two_processes_share_one_book() {
    let directory = tempfile::tempdir().unwrap();
    let mut gateway = desk(directory.path());
    let mut person = desk(directory.path());
    gateway.take(&sign(0), at(0)).unwrap();
    let id = person.book().unwrap().cases().next().unwrap().id.clone();
    person
        .act(Act::Acknowledge { id: id.clone() }, "dora", at(1))
        .unwrap();
    gateway.take(&sign(2), at(2)).unwrap();
    let book = person.book().unwrap();
    let case = book.case(&id).unwrap();
    assert_eq!((case.signs, case.state.as_str()), (2, "acknowledged"));
    assert_eq!(gateway.spool().list().unwrap().len(), 2);
    gateway.tick(at(500)).unwrap();
    assert_eq!(person.book().unwrap().figures().open, 0);
    let kinds: Vec<NoticeKind> = gateway
        .spool()
        .list()
        .unwrap()
        .iter()
        .map(|waiting| gateway.spool().read(waiting).unwrap().unwrap().kind)
        .collect();
    assert!(kinds.contains(&NoticeKind::Closed), "{kinds:?}");
    let error = person
        .act(
            Act::Close {
                id,
                reason: String::new(),
            },
            "dora",
            at(501),
        )
        .unwrap_err();
    assert!(matches!(error, DeskError::Act(_)));
    // A damaged book is not begun anew in silence.
    std::fs::write(directory.path().join("incidents.json"), "{").unwrap();
    assert!(person.book().is_err());
}

#[test]
fn secrets_are_read_from_closed_files_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let open = |kind: &ChannelKind| {
        let config = AlertChannel {
            name: "soc".into(),
            tell_from: Severity::Medium,
            per_minute: 3,
            secret_file: Some(path.clone()),
            kind: kind.clone(),
        };
        Channel::open(&config, &Arc::new(Client::new(false)))
    };
    let webhook = ChannelKind::Webhook {
        url: BaseUrl::parse("https://soc.example").unwrap(),
    };
    assert!(matches!(open(&webhook), Err(OpenFault::Unreadable { .. })));
    std::fs::write(&path, "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(open(&webhook), Err(OpenFault::TooOpen { .. })));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(format!("{:?}", open(&webhook).unwrap()), "Channel(soc)");
    let error = open(&ChannelKind::Slack).unwrap_err().to_string();
    assert!(!error.contains("whsec"), "{error}");
}

#[test]
fn a_program_gets_json_and_no_environment() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let script = format!("cat > {0}; env >> {0}", out.display());
    let command = |script: &str| ChannelKind::Command {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.to_owned()],
    };
    now_or_never(channel(command(&script), None).send(&notice(), &sender(), at(0))).unwrap();
    let got = std::fs::read_to_string(&out).unwrap();
    assert!(
        got.starts_with("{\"type\":\"incident.opened\"")
            || got.contains("\"type\":\"incident.opened\""),
        "{got}"
    );
    assert!(!got.contains("HOME="), "{got}");
    let fault = now_or_never(channel(command("exit 3"), None).send(&notice(), &sender(), at(0)))
        .unwrap_err();
    assert!(
        fault.reason.contains("exit status: 3") && !fault.is_final,
        "{fault}"
    );
}

#[test]
fn syslog_is_framed_on_a_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut text = String::new();
        listener
            .accept()
            .unwrap()
            .0
            .read_to_string(&mut text)
            .unwrap();
        text
    });
    let kind = ChannelKind::Syslog {
        host: "127.0.0.1".into(),
        port,
        tls: false,
        content: Content::Sentence,
    };
    now_or_never(channel(kind, None).send(&notice(), &sender(), at(0))).unwrap();
    let got = thread.join().unwrap();
    let (length, message) = got.split_once(' ').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), message.len());
    assert!(message.starts_with("<84>1 "), "{message}");
}

/// A mail server that answers by the book and gives what it was told.
fn mail_server(refuse: Option<&'static str>) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut all = String::new();
        let say = |reader: &mut BufReader<TcpStream>, text: &str| {
            reader.get_mut().write_all(text.as_bytes()).unwrap()
        };
        say(&mut reader, "220 mail.example ESMTP\r\n");
        let mut in_data = false;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return all;
            }
            all.push_str(&line);
            let line = line.trim_end();
            if in_data {
                if line == "." {
                    in_data = false;
                    say(&mut reader, "250 queued\r\n");
                }
                continue;
            }
            match line {
                _ if refuse.is_some_and(|word| line.starts_with(word)) => {
                    say(&mut reader, "550 no such user here\r\n")
                }
                _ if line.starts_with("EHLO") => {
                    say(&mut reader, "250-mail.example\r\n250 AUTH PLAIN\r\n")
                }
                _ if line.starts_with("AUTH") => say(&mut reader, "235 welcome\r\n"),
                "DATA" => {
                    in_data = true;
                    say(&mut reader, "354 go on\r\n");
                }
                "QUIT" => {
                    say(&mut reader, "221 bye\r\n");
                    return all;
                }
                _ => say(&mut reader, "250 ok\r\n"),
            }
        }
    });
    (port, thread)
}

#[test]
fn mail_is_handed_over_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("password");
    std::fs::write(&secret, "hunter2\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let kind = |port| ChannelKind::Mail {
        host: "127.0.0.1".into(),
        port,
        tls: MailTls::None,
        username: Some("egret".into()),
        from: Address::parse("egret@example.com").unwrap(),
        to: vec![
            Address::parse("soc@example.com").unwrap(),
            Address::parse("dora@example.com").unwrap(),
        ],
    };
    let (port, thread) = mail_server(None);
    now_or_never(channel(kind(port), Some(&secret)).send(&notice(), &sender(), at(0))).unwrap();
    let got = thread.join().unwrap();
    // `\0egret\0hunter2`
    assert!(got.contains("AUTH PLAIN AGVncmV0AGh1bnRlcjI=\r\n"), "{got}");
    assert!(got.contains("MAIL FROM:<egret@example.com>\r\nRCPT TO:<soc@example.com>\r\nRCPT TO:<dora@example.com>\r\nDATA\r\n"), "{got}");
    assert!(
        got.contains("\r\nAuto-Submitted: auto-generated\r\n"),
        "{got}"
    );
    assert!(got.ends_with("\r\n.\r\nQUIT\r\n"), "{got}");

    let (port, thread) = mail_server(Some("RCPT TO:<dora"));
    let fault = now_or_never(channel(kind(port), Some(&secret)).send(&notice(), &sender(), at(0)))
        .unwrap_err();
    assert!(
        fault.is_final && fault.reason.contains("550") && !fault.reason.contains("user"),
        "{fault}"
    );
    drop(thread);
}

#[test]
fn a_notice_that_is_due_later_says_what_was_done_until_then() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = self::desk(directory.path());
    let mark = |number| Mark { run: 1, number };
    let taken = desk.hear(&sign(0), mark(1), at(1)).unwrap().unwrap();
    assert!(taken.is_new);
    desk.note(&taken.incident, "locked caller:app".into(), at(0))
        .unwrap();
    let waiting = desk.spool().list().unwrap();
    let notice = desk.spool().read(&waiting[0]).unwrap().unwrap();
    let steps = crate::domain::incident::steps(&notice.case);
    assert!(
        steps[0].starts_with("Egret locked caller:app: "),
        "{steps:?}"
    );
    assert_eq!(notice.kind, NoticeKind::Opened);
    // What is due already may be on its way: it stays as it is.
    desk.note(&taken.incident, "locked token:x".into(), at(2))
        .unwrap();
    assert_eq!(desk.spool().read(&waiting[0]).unwrap(), Some(notice));
    // Another process heard the same.
    let mut other = self::desk(directory.path());
    assert_eq!(other.hear(&sign(0), mark(1), at(1)).unwrap(), None);
    assert_eq!(other.book().unwrap().cases().next().unwrap().signs, 1);
}
