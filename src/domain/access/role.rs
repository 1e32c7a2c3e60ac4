//! Roles, and what each may.

use std::fmt;
use std::str::FromStr;

/// What a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sees how the gateway is.
    Viewer,
    /// Reads everything and changes nothing.
    Auditor,
    /// Acts, and looks at what it acts on.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[Self::Viewer, Self::Auditor, Self::Operator];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }

    /// What it may. Nothing else is allowed by anything else.
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission::{Act, Calls, Export, Inspect, Watch};
        match self {
            Self::Viewer => &[Watch],
            Self::Auditor => &[Watch, Inspect, Calls, Export],
            Self::Operator => &[Watch, Inspect, Calls, Act],
        }
    }
}

/// A text that is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role: use viewer, auditor or operator")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        let mut roles = Self::ALL.iter().copied();
        roles.find(|role| role.as_str() == text).ok_or(NotARole)
    }
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Figures: how the gateway is, and what goes through it.
    Watch,
    /// The configuration without its secrets, callers, locks, incidents.
    Inspect,
    /// Records of calls, one by one.
    Calls,
    /// Records in bulk, reports and evidence.
    Export,
    /// Changes.
    Act,
}

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Self] = &[
        Self::Watch,
        Self::Inspect,
        Self::Calls,
        Self::Export,
        Self::Act,
    ];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Inspect => "inspect",
            Self::Calls => "calls",
            Self::Export => "export",
            Self::Act => "act",
        }
    }
}

/// The roles of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// These roles.
    pub fn of(roles: impl IntoIterator<Item = Role>) -> Self {
        Self(
            roles
                .into_iter()
                .fold(0, |bits, role| bits | 1 << role as u8),
        )
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles, in their order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        let roles = Role::ALL.iter().copied();
        roles.filter(move |role| self.0 & 1 << *role as u8 != 0)
    }

    /// Whether one of them allows it.
    pub fn allow(self, permission: Permission) -> bool {
        self.iter()
            .any(|role| role.permissions().contains(&permission))
    }

    /// All that they allow.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        let all = Permission::ALL.iter().copied();
        all.filter(move |permission| self.allow(*permission))
    }
}

impl fmt::Display for Roles {
    /// With commas between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, role) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            f.write_str(role.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_permissions() {
        let table = Permission::ALL.iter().map(|permission| {
            let marks = Role::ALL
                .iter()
                .map(|role| match Roles::of([*role]).allow(*permission) {
                    true => 'x',
                    false => '.',
                });
            (permission.as_str(), marks.collect::<String>())
        });
        let table: Vec<_> = table.collect();
        // In the order viewer, auditor, operator.
        let wanted = [
            ("watch", "xxx"),
            ("inspect", ".xx"),
            ("calls", ".xx"),
            ("export", ".x."),
            ("act", "..x"),
        ];
        assert_eq!(table, wanted.map(|(name, marks)| (name, marks.to_owned())));
        assert_eq!(Roles::default().permissions().count(), 0);
    }

    #[test]
    fn several_roles_allow_what_each_allows() {
        let both = Roles::of([Role::Auditor, Role::Operator, Role::Auditor]);
        assert_eq!(both.to_string(), "auditor,operator");
        assert_eq!(both.permissions().count(), Permission::ALL.len());
        assert_eq!("auditor".parse(), Ok(Role::Auditor));
        assert_eq!("Auditor".parse::<Role>(), Err(NotARole));
    }
}
