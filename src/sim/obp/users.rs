//! Users, passwords and the tokens that stand for them.

use std::collections::HashMap;

use crate::sim::entropy::Entropy;
use crate::types::Micros;

/// Of the account holder and of the other user.
pub const HOLDER_ID: &str = "5d1d0000-0000-4000-8000-000000000001";
const AUDITOR_ID: &str = "5d1d0000-0000-4000-8000-000000000002";
/// The one consumer that is always there: 40 characters, as OBP makes them.
pub const CONSUMER_KEY: &str = "simconsumerkey00000000000000000000000000";
/// More bad passwords than this lock the user.
const MAX_BAD_PASSWORDS: u32 = 5;
/// `token_expiration_weeks`.
const TOKEN_LIFETIME: std::time::Duration = std::time::Duration::from_secs(4 * 7 * 24 * 3_600);
/// All tokens are forgotten beyond this many.
const MAX_TOKENS: usize = 20_000;
/// DAuth makes users; none beyond this many.
const MAX_USERS: usize = 10_000;

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// A UUID.
    pub id: String,
    /// Unique within the provider.
    pub name: String,
    /// Who vouches for the user.
    pub provider: String,
    /// Roles held.
    pub roles: Vec<String>,
    password: Option<&'static str>,
    bad_passwords: u32,
}

/// Why a password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown user or wrong password.
    Wrong,
    /// Too many wrong ones before.
    Locked,
}

/// All users and their tokens.
#[derive(Debug)]
pub struct Users {
    users: Vec<User>,
    tokens: HashMap<String, (String, Micros)>,
}

impl Users {
    /// The two users that are always there.
    pub fn new() -> Self {
        let user = |id: &str, name: &str, password, roles: &[&str]| User {
            id: id.to_owned(),
            name: name.to_owned(),
            provider: "http://sim.local".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            password: Some(password),
            bad_passwords: 0,
        };
        Self {
            users: vec![
                user(
                    HOLDER_ID,
                    "sim-user",
                    "sim-password-1",
                    &["CanCreateEntitlementAtAnyBank"],
                ),
                user(AUDITOR_ID, "sim-auditor", "sim-password-2", &[]),
            ],
            tokens: HashMap::new(),
        }
    }

    /// By id.
    pub fn by_id(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// By id, to change.
    pub fn by_id_mut(&mut self, id: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.id == id)
    }

    /// Finds a user of a provider, or makes one; `None` if there are too many.
    pub fn find_or_make(
        &mut self,
        provider: &str,
        name: &str,
        entropy: &mut Entropy,
    ) -> Option<String> {
        let found = self
            .users
            .iter()
            .find(|user| user.provider == provider && user.name == name);
        if let Some(user) = found {
            return Some(user.id.clone());
        }
        if self.users.len() >= MAX_USERS {
            return None;
        }
        let id = entropy.uuid();
        self.users.push(User {
            id: id.clone(),
            name: name.to_owned(),
            provider: provider.to_owned(),
            roles: Vec::new(),
            password: None,
            bad_passwords: 0,
        });
        Some(id)
    }

    /// Checks a password and counts the wrong ones.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn log_in(&mut self, name: &str, password: &str) -> Result<String, Refusal> {
        let user = self
            .users
            .iter_mut()
            .find(|user| user.name == name && user.password.is_some())
            .ok_or(Refusal::Wrong)?;
        if user.bad_passwords > MAX_BAD_PASSWORDS {
            return Err(Refusal::Locked);
        }
        if user.password == Some(password) {
            user.bad_passwords = 0;
            return Ok(user.id.clone());
        }
        user.bad_passwords = user.bad_passwords.saturating_add(1);
        Err(Refusal::Wrong)
    }

    /// Remembers a token of a user.
    pub fn remember(&mut self, token: &str, user: &str, now: Micros) {
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.clear();
        }
        self.tokens.insert(
            token.to_owned(),
            (user.to_owned(), now.plus(TOKEN_LIFETIME)),
        );
    }

    /// Whose token it is, if it is still good.
    pub fn of_token(&self, token: &str, now: Micros) -> Option<String> {
        self.tokens
            .get(token)
            .filter(|(_, expires)| *expires > now)
            .map(|(user, _)| user.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_bad_password_locks() {
        let mut users = Users::new();
        for _ in 0..6 {
            assert_eq!(users.log_in("sim-user", "no"), Err(Refusal::Wrong));
        }
        assert_eq!(
            users.log_in("sim-user", "sim-password-1"),
            Err(Refusal::Locked)
        );
        assert!(users.log_in("sim-auditor", "sim-password-2").is_ok());
    }

    #[test]
    fn tokens_live_four_weeks() {
        let mut users = Users::new();
        users.remember("t", HOLDER_ID, Micros(0));
        let week = 7 * 24 * 3_600;
        assert!(
            users
                .of_token("t", Micros::from_secs(4 * week - 1))
                .is_some()
        );
        assert!(users.of_token("t", Micros::from_secs(4 * week)).is_none());
    }
}
