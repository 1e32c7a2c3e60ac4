//! What two processes of one gateway say to each other while one takes the place of the other. The
//! order of it is in `docs/design/upgrade.md`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Version of this conversation. Who speaks another one is refused before anything has changed.
pub const PROTOCOL: u32 = 1;

/// Longest message, in bytes: paths and addresses.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Most file descriptors that may be announced: some thousand sockets are a mistake or worse.
pub const MAX_DESCRIPTORS: usize = 4_096;

/// Who wants to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The conversation that it speaks.
    pub protocol: u32,
    /// Version of the program.
    pub version: String,
    /// The newest format of journal events that it reads.
    pub journal_format: u8,
    /// The journal that it wants to go on with.
    pub journal: PathBuf,
}

/// The sockets of one address. So many file descriptors follow the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// The address as the configuration has it.
    pub wanted: String,
    /// How many sockets.
    pub sockets: usize,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Successor: who it is.
    Hello(Hello),
    /// Predecessor: it does not work like this. Successor: it cannot start.
    Refused {
        /// Why, for people.
        why: String,
    },
    /// Predecessor: the sockets.
    Sockets {
        /// Those of callers.
        listeners: Vec<Listening>,
        /// That of probes and metrics.
        admin: Option<Listening>,
    },
    /// Successor: everything else is there, the journal please.
    WantJournal,
    /// Predecessor: its journal ends here. Two file descriptors follow: the lock, and the stream that
    /// it sends on what it still records.
    Journal {
        /// Number of the next event.
        next_seq: u64,
    },
    /// Successor: it accepts connections.
    Serving {
        /// Its process.
        pid: u32,
    },
}

/// What the predecessor holds against its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own<'a> {
    /// The format of journal events that it writes.
    pub journal_format: u8,
    /// Its journal.
    pub journal: &'a std::path::Path,
}

/// Whether a process may take over.
///
/// # Errors
/// Why not, for people.
pub fn judge(hello: &Hello, own: &Own<'_>) -> Result<(), String> {
    if hello.protocol != PROTOCOL {
        return Err(format!(
            "egret {} hands over by protocol {}, this one by {PROTOCOL}: stop the gateway and start \
             that one",
            hello.version, hello.protocol
        ));
    }
    if hello.journal_format < own.journal_format {
        return Err(format!(
            "egret {} reads journals up to format {}, this one writes format {}: it could not read \
             what is in the journal",
            hello.version, hello.journal_format, own.journal_format
        ));
    }
    if hello.journal != own.journal {
        return Err(format!(
            "the configuration names the journal {}, and this gateway writes {}: a gateway moves to \
             another journal by a restart only",
            hello.journal.display(),
            own.journal.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            protocol: PROTOCOL,
            version: "0.2.0".to_owned(),
            journal_format: 2,
            journal: "/j".into(),
        }
    }

    #[test]
    fn only_who_can_go_on_with_the_journal_may_take_over() {
        let own = Own {
            journal_format: 2,
            journal: std::path::Path::new("/j"),
        };
        assert_eq!(judge(&hello(), &own), Ok(()));
        let newer = Hello {
            journal_format: 3,
            ..hello()
        };
        assert_eq!(judge(&newer, &own), Ok(()));
        for (other, word) in [
            (
                Hello {
                    protocol: 2,
                    ..hello()
                },
                "protocol 2",
            ),
            (
                Hello {
                    journal_format: 1,
                    ..hello()
                },
                "up to format 1",
            ),
            (
                Hello {
                    journal: "/k".into(),
                    ..hello()
                },
                "/k",
            ),
        ] {
            let why = judge(&other, &own).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn messages_come_back_as_they_were() {
        for message in [
            Message::Hello(hello()),
            Message::WantJournal,
            Message::Journal { next_seq: u64::MAX },
            Message::Serving { pid: 7 },
        ] {
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
        }
    }
}
