//! `[lockdown]`: where it is kept what nobody may call.

use std::ffi::OsString;
use std::path::Path;

use super::files::Files;
use crate::domain::config::model::Lockdown;
use crate::domain::config::reader::Table;

pub(super) fn read(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Lockdown {
    let table = top.table("lockdown");
    let file = files.in_data_dir(
        &table,
        "file",
        data_dir,
        "lockdown.toml",
        "What this node has locked down; kept by `egret lockdown`, followed while the gateway runs. \
         With a ledger in Postgres the locks of the fleet are in the ledger, and a copy of them is \
         kept beside this file.",
    );
    let sentinel = files.in_data_dir(
        &table,
        "sentinel",
        data_dir,
        "LOCKDOWN",
        "While a file of this name is there, whatever is in it, no call goes to any bank. The signal \
         SIGUSR1 makes it; whoever may remove it lifts the lockdown.",
    );
    let mut shared_copy = OsString::from(&file);
    shared_copy.push(".shared");
    Lockdown {
        shared_copy: shared_copy.into(),
        file,
        sentinel,
    }
}
