//! The operations and what each asks for, read from `operations.txt`.

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An organization.
    Organization,
    /// A bank.
    Bank,
    /// A customer.
    Customer,
}

impl Subject {
    /// As in the claim `sub_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Bank => "bank",
            Self::Customer => "customer",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Organization => 'O',
            Self::Bank => 'B',
            Self::Customer => 'C',
        }
    }
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    method: &'static str,
    path: &'static str,
    /// The status of success.
    pub success: u16,
    /// Letters of the subjects that may call it; `-` if no key may, or anybody may.
    subjects: &'static str,
    scopes: &'static str,
    required: &'static str,
    /// What a body without a required field is answered.
    pub bad_body: u16,
}

impl Operation {
    /// The collection: the segment after `/api/`.
    pub fn resource(&self) -> &'static str {
        self.path.split('/').nth(2).unwrap_or_default()
    }

    /// All must be held.
    pub fn scopes(&self) -> impl Iterator<Item = &'static str> {
        words(self.scopes)
    }

    /// True if the operation is open to everybody.
    pub fn is_public(&self) -> bool {
        self.scopes == "-"
    }

    /// Fields that the body must have.
    pub fn required(&self) -> impl Iterator<Item = &'static str> {
        words(self.required)
    }

    /// `None` if the subject may call it, else the text of the kinds that may. Portal-only
    /// operations name no kinds: no key can hold their scopes, which is checked next.
    pub fn refuses(&self, subject: Subject) -> Option<String> {
        if self.subjects == "-" || self.subjects.contains(subject.letter()) {
            return None;
        }
        let allowed: Vec<&str> = [Subject::Organization, Subject::Bank, Subject::Customer]
            .into_iter()
            .filter(|kind| self.subjects.contains(kind.letter()))
            .map(Subject::as_str)
            .collect();
        Some(allowed.join(", "))
    }
}

fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(',')
        .filter(|word| !word.is_empty() && *word != "-")
}

/// Reads the table; lines that do not parse are left out, which a test forbids.
pub fn load() -> Vec<Operation> {
    include_str!("operations.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some(Operation {
                method: fields.next()?,
                path: fields.next()?,
                success: fields.next()?.parse().ok()?,
                subjects: fields.next()?,
                scopes: fields.next()?,
                required: fields.next()?,
                bad_body: fields.next()?.parse().ok()?,
            })
        })
        .collect()
}

/// The operation of a request and the identifier in its path. Trailing slashes count: two
/// POST paths have one and their GETs do not.
pub fn find<'p>(
    table: &[Operation],
    method: &str,
    path: &'p str,
) -> Option<(Operation, Option<&'p str>)> {
    table
        .iter()
        .filter(|row| row.method == method)
        .find_map(|row| {
            if row.path == path {
                return Some((*row, None));
            }
            let id = path.strip_prefix(row.path.strip_suffix("{}")?)?;
            (!id.is_empty() && !id.contains('/')).then_some((*row, Some(id)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let table = load();
        // The catalogue has 100 operations; the two below /oauth/ are written out in code.
        assert_eq!(table.len(), 98);
    }

    #[test]
    fn slashes_and_identifiers_tell_operations_apart() {
        let table = load();
        let found = |method, path| {
            find(&table, method, path).map(|(row, id)| (row.path, id.map(str::to_owned)))
        };
        assert_eq!(
            found("POST", "/api/subscriptions/"),
            Some(("/api/subscriptions/", None))
        );
        assert_eq!(found("POST", "/api/subscriptions"), None);
        assert_eq!(found("GET", "/api/subscriptions/"), None);
        assert_eq!(
            found("GET", "/api/customers/ab"),
            Some(("/api/customers/{}", Some("ab".to_owned())))
        );
        assert_eq!(found("GET", "/api/customers/ab/cd"), None);
    }

    #[test]
    fn subjects_are_named_when_refused() {
        let table = load();
        let (row, _) = find(&table, "POST", "/api/customer_tokens").unwrap();
        assert_eq!(row.refuses(Subject::Bank), None);
        assert_eq!(row.refuses(Subject::Organization).as_deref(), Some("bank"));
    }
}
