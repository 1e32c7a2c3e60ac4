//! Whether a file with a secret keeps it from others.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// The mode of a file that others than its reader can use; `None` if it is private enough.
///
/// Nobody but the owner may read or change it. One exception: a file of root that this process can
/// read by its group only, since that is how Kubernetes hands over secrets to a process that is not
/// root (a volume with `fsGroup`).
pub fn too_open(file: &Metadata) -> Option<u32> {
    judge(file, rustix::process::geteuid().as_raw())
}

fn judge(file: &Metadata, user: u32) -> Option<u32> {
    let mode = file.permissions().mode() & 0o777;
    let is_handed_over = file.uid() == 0 && user != 0;
    let forbidden = if is_handed_over { 0o037 } else { 0o077 };
    (mode & forbidden != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn only_what_root_hands_over_may_be_read_by_a_group() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let look = |mode, user| {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            judge(&fs::metadata(file.path()).unwrap(), user)
        };
        let owner = fs::metadata(file.path()).unwrap().uid();
        assert_eq!(look(0o600, owner), None);
        assert_eq!(look(0o400, owner), None);
        for mode in [0o640, 0o604, 0o620, 0o660] {
            assert_eq!(look(mode, owner), Some(mode), "{mode:o}");
        }
        // Another user: it must be root's for its group to count.
        let other = owner + 1;
        let handed_over = if owner == 0 { None } else { Some(0o440) };
        assert_eq!(look(0o440, other), handed_over);
        for mode in [0o444, 0o460, 0o404] {
            assert_eq!(look(mode, other), Some(mode), "{mode:o}");
        }
    }
}
