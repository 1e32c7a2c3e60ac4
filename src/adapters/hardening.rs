//! What the process gives up before it does anything: the rights of root, files that others can read,
//! and memory images with secrets in them.

use std::io;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit, umask,
};

/// Whether it runs as root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Files that it makes are for its own user, whatever the shell that started it says.
pub fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// No core dump is written, and no other process of the same user reads its memory or attaches a
/// debugger: tokens and keys are in it.
///
/// # Errors
/// What the system said; it goes on without.
pub fn keep_memory_private() -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
