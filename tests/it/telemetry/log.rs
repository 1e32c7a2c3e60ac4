//! The filter of the running log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use egret::adapters::log::{handle, start_into};
use egret::domain::redact::Redactor;

use crate::harness::until;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn has(&self, text: &str) -> bool {
        let bytes = self.0.lock().unwrap();
        memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    }
}

#[test]
fn which_lines_are_written_can_be_changed_while_the_log_runs() {
    let buffer = Buffer::default();
    let _guard = start_into("info", true, Arc::new(Redactor::default()), buffer.clone()).unwrap();
    let handle = handle().unwrap();
    assert_eq!(handle.filter(), "info");
    // One place in the source, so that what is remembered of it has to be forgotten.
    let say = |word| {
        tracing::debug!(target: "egret::life", "said {word}");
        log::debug!(target: "pingora_proxy", "x");
    };
    say("before");
    handle
        .set_filter("warn,egret::life=debug,pingora_proxy=debug")
        .unwrap();
    say("between");
    assert!(handle.set_filter("egret=loud").is_err());
    assert_eq!(
        handle.filter(),
        "warn,egret::life=debug,pingora_proxy=debug"
    );
    say("still");
    handle.set_filter("info").unwrap();
    say("after");
    tracing::info!(target: "egret::life", "the end");
    until("all is written", || buffer.has("the end"));
    assert!(buffer.has("said between") && buffer.has("said still"));
    assert!(buffer.has("pingora_proxy"));
    assert!(!buffer.has("said before") && !buffer.has("said after"));
    assert!(buffer.has("the log filter was changed"));
}
