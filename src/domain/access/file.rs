//! Admin keys as TOML.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::book::{AdminBook, AdminKey, MAX_ADMIN_KEYS};
use super::{Role, Roles};
use crate::domain::config::Faults;
use crate::domain::config::reader::{Document, IntegerIn, Names, Problem, Table, no_variables};
use crate::domain::identity::{KeyedName, read_key, write_key};

/// The format that this program writes and reads.
const VERSION: usize = 1;

const HEADER: &str = "\
# Keys of the admin API. Kept by `egret admin key`; a running gateway follows the file.
";

/// A list of roles.
pub(in crate::domain) const ROLES: Names = Names {
    max: Role::ALL.len(),
    valid: |name| name.parse::<Role>().is_ok(),
    what: "use viewer, auditor or operator",
};

/// The roles that [`ROLES`] has read.
pub(in crate::domain) fn roles_of(names: &[Arc<str>]) -> Roles {
    Roles::of(names.iter().filter_map(|name| name.parse().ok()))
}

/// Reads a file of admin keys.
///
/// # Errors
/// Every fault of it, with its place.
pub fn parse_admins(file: &str, text: &str) -> Result<AdminBook, Faults> {
    let document = Document::new(file, text, &no_variables);
    let book = document.read(|top| read(&top));
    document.finish(book)
}

fn read(top: &Table<'_>) -> AdminBook {
    top.value("version", &IntegerIn(VERSION..=VERSION), VERSION, "");
    let tables = top.tables("key");
    if tables.len() > MAX_ADMIN_KEYS {
        let problem = Problem::new("too many keys", format!("use at most {MAX_ADMIN_KEYS}"));
        top.fault(&top.place_of("key"), problem);
    }
    let mut ids = HashSet::new();
    let keys = tables.iter().take(MAX_ADMIN_KEYS);
    AdminBook::new(
        keys.filter_map(|table| read_admin(table, &mut ids))
            .collect(),
    )
}

fn read_admin(table: &Table<'_>, ids: &mut HashSet<Arc<str>>) -> Option<AdminKey> {
    let name = table.required("name", &KeyedName("not a name"), "");
    let roles = table.required("roles", &ROLES, "");
    let key = read_key(table, ids);
    if let Some(roles) = roles.as_ref().filter(|roles| roles.value.is_empty()) {
        table.fault(&roles.place, Problem::new("no role", ROLES.what));
    }
    Some(AdminKey {
        name: name?.value,
        roles: roles_of(&roles?.value),
        key: key?,
    })
}

/// Writes a file of admin keys. Nothing needs quoting: names, ids, hashes and dates have no marks
/// that TOML gives a meaning.
pub fn write_admins(book: &AdminBook) -> String {
    let mut text = format!("{HEADER}version = {VERSION}\n");
    for AdminKey { name, roles, key } in book.keys() {
        let roles: Vec<_> = roles
            .iter()
            .map(|r| format!("\"{}\"", r.as_str()))
            .collect();
        let roles = roles.join(", ");
        let _ = write!(text, "\n[[key]]\nname = \"{name}\"\nroles = [{roles}]\n");
        write_key(&mut text, key);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::RANDOM_BYTES;
    use crate::types::Micros;

    #[test]
    fn what_is_written_is_read() {
        let roles = [Role::Auditor, Role::Operator];
        let life = Some(std::time::Duration::from_secs(90));
        let at = Micros(1_795_305_338_000_001);
        let random = &[3; RANDOM_BYTES];
        let (book, new) = AdminBook::default()
            .add("ann", roles, life, at, random)
            .unwrap();
        let (book, _) = book.revoke(&new.id, at).unwrap();
        let text = write_admins(&book);
        assert_eq!(parse_admins("admins.toml", &text), Ok(book));
        assert!(!text.contains(new.key.expose().as_str()));
        assert_eq!(parse_admins("a", ""), Ok(AdminBook::default()));
    }

    #[test]
    fn faults_have_their_place() {
        let text =
            "[[key]]\nname = \"a b\"\nroles = [\"root\"]\nid = \"ega_hunter2\"\nsha256 = 1\n";
        let faults = parse_admins("admins.toml", text).unwrap_err();
        let said: Vec<_> = faults.list().iter().map(ToString::to_string).collect();
        for wanted in [
            "key.name: not a name",
            "key.roles:",
            "key.id:",
            "key.sha256:",
            "key.created_at: missing",
        ] {
            assert!(
                said.iter().any(|line| line.contains(wanted)),
                "{wanted}: {said:#?}"
            );
        }
        assert!(!said.concat().contains("hunter2"));
    }
}
