//! What people type into one field: ids, fingerprints, names, words of the record, a customer's
//! GUID. Each word becomes a filter that can stand in a link.

use super::{AdminDesk, Ready};
use crate::adapters::ledger::{CUSTOMER, Filter, IdPrefix, Question, RawSubject, StatusFilter};
use crate::domain::access::Person;
use crate::domain::own::{OWN_PROVIDER, OwnCall, OwnOperation};
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::edge::admin::desk::{Fault, Reply};
use crate::edge::admin::model::{Term, Terms};
use crate::types::{CallId, Decision, Effect, Environment, Outcome, PiiClass, Secret, TokenType};

/// Most words that are looked at.
const MAX_WORDS: usize = 8;

/// Hexadecimal digits from which on a word is taken for the beginning of a call id.
const MIN_PREFIX: usize = 6;

/// What a word may be, when its form alone does not say it.
enum Shape {
    /// The filter is known.
    Known(&'static str, String),
    /// 32 hexadecimal digits: a fingerprint, a pseudonym or a GUID without hyphens.
    Digits(String),
    /// A GUID that is no call id: of a customer.
    Guid(String),
    /// Anything else.
    Other,
}

fn vocabulary(word: &str) -> Option<(&'static str, &'static str)> {
    fn find<T: Copy + 'static>(
        word: &str,
        name: &'static str,
        all: &[T],
        spell: fn(T) -> &'static str,
    ) -> Option<(&'static str, &'static str)> {
        let mut all = all.iter().map(|one| spell(*one));
        all.find(|one| *one == word).map(|one| (name, one))
    }
    // The first that has the word: outcomes are looked for more often than kinds of tokens.
    find(word, "outcome", Outcome::ALL, Outcome::as_str)
        .or_else(|| find(word, "decision", Decision::ALL, Decision::as_str))
        .or_else(|| find(word, "effect", Effect::ALL, Effect::as_str))
        .or_else(|| find(word, "environment", Environment::ALL, Environment::as_str))
        .or_else(|| find(word, "pii", PiiClass::ALL, PiiClass::as_str))
        .or_else(|| find(word, "token_type", TokenType::ALL, TokenType::as_str))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is written as a UUID.
fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    lengths.iter().all(|length| {
        parts
            .next()
            .is_some_and(|part| part.len() == *length && is_hex(part))
    }) && parts.next().is_none()
}

fn shape(word: &str) -> Shape {
    let lower = word.to_ascii_lowercase();
    if is_uuid(&lower) {
        // Call ids are of version 7 (RFC 9562, section 5.7); banks' GUIDs are random.
        return match lower.as_bytes().get(14) {
            Some(b'7') => Shape::Known("call_id", lower),
            _ => Shape::Guid(lower),
        };
    }
    if lower.len() == 32 && is_hex(&lower) {
        return Shape::Digits(lower);
    }
    if let Some((name, value)) = vocabulary(&lower) {
        return Shape::Known(name, value.to_owned());
    }
    if lower.len() == 3 && lower.parse::<StatusFilter>().is_ok() {
        return Shape::Known("status", lower);
    }
    let looks_like_prefix = lower.len() >= MIN_PREFIX
        && lower
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && lower.starts_with("01");
    if looks_like_prefix && lower.parse::<IdPrefix>().is_ok() {
        return Shape::Known("call_id", lower);
    }
    Shape::Other
}

impl AdminDesk {
    /// Works out what the words mean. Nothing that may be personal is in what comes back.
    pub(super) async fn understand(
        &self,
        ready: &Ready,
        text: &Secret<String>,
    ) -> Result<Vec<Term>, Fault> {
        let mut terms = Vec::new();
        for word in text.expose().split_whitespace().take(MAX_WORDS) {
            terms.push(self.word(ready, word).await?);
        }
        Ok(terms)
    }

    async fn word(&self, ready: &Ready, word: &str) -> Result<Term, Fault> {
        let known = |name, value: String| Term {
            word: Some(value.clone()),
            name,
            value,
        };
        Ok(match shape(word) {
            Shape::Known(name, value) => known(name, value),
            Shape::Guid(guid) => self.customer(ready, &guid),
            Shape::Digits(digits) => match self.look_up(&digits).await? {
                Some(name) => known(name, digits),
                // Some banks' GUIDs have no hyphens.
                None => self.customer(ready, &digits),
            },
            Shape::Other if self.configured().served.has(word) || word == OWN_PROVIDER => {
                known("provider", word.to_owned())
            }
            Shape::Other if self.configured().served.has_operation(None, word) => {
                known("operation", word.to_owned())
            }
            Shape::Other if self.is_caller(ready, word) => known("caller", word.to_owned()),
            Shape::Other if word.starts_with("OBP-") && word.len() <= 16 => {
                known("error_code", word.to_owned())
            }
            Shape::Other => {
                // Callers come and go; the ledger keeps their names. What is no name of a caller may
                // be anybody's: it is looked for as an identifier, hashed.
                let question = Filter {
                    caller: Some(word.to_owned()),
                    ..Filter::default()
                };
                let question = &question;
                let found = self.readers.ask(|mut reader| async move {
                    let found = reader.has_any(question).await;
                    (reader, found)
                });
                match found.await? {
                    true => known("caller", word.to_owned()),
                    false => self.customer(ready, word),
                }
            }
        })
    }

    fn customer(&self, ready: &Ready, raw: &str) -> Term {
        let pseudonym = ready.parts.keyring.pseudonym(CUSTOMER, raw.as_bytes());
        Term {
            word: None,
            name: "pseudonym",
            value: pseudonym.to_string(),
        }
    }

    /// Which filter finds something by 32 hexadecimal digits.
    async fn look_up(&self, digits: &str) -> Result<Option<&'static str>, Fault> {
        let (fingerprint, pseudonym) =
            (Fingerprint::parse_hex(digits), Pseudonym::parse_hex(digits));
        let questions = [
            (
                "fingerprint",
                Filter {
                    fingerprint,
                    ..Filter::default()
                },
            ),
            (
                "minted",
                Filter {
                    minted: fingerprint,
                    ..Filter::default()
                },
            ),
            (
                "pseudonym",
                Filter {
                    subjects: pseudonym.into_iter().collect(),
                    ..Filter::default()
                },
            ),
        ];
        for (name, filter) in &questions {
            let found = self.readers.ask(|mut reader| async move {
                let found = reader.has_any(filter).await;
                (reader, found)
            });
            if found.await? {
                return Ok(Some(*name));
            }
        }
        Ok(None)
    }

    pub(super) async fn terms(
        &self,
        text: &Secret<String>,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        // Whether somebody is known here is itself an answer.
        let ready = self.parts()?;
        let understood = self.understand(ready, text).await?;
        let mut call = OwnCall::new(OwnOperation::AuditQuery).fact("terms", understood.len());
        for term in understood.iter().filter(|term| term.name == "pseudonym") {
            if let Some(pseudonym) = Pseudonym::parse_hex(&term.value) {
                call = call.subject(CUSTOMER, pseudonym);
            }
        }
        let work = async { Ok((Reply::json(&Terms { understood }), None)) };
        self.recorded(call, who, id, work).await
    }
}

/// Adds what words mean to a question. A condition that is set already stays: both must hold, and
/// where that cannot be, the later word is at fault.
pub(super) fn add(question: &mut Question, terms: &[Term]) -> Result<(), Fault> {
    for term in terms {
        let value = &term.value;
        let text = || Some(value.clone());
        match term.name {
            "pseudonym" => question.pseudonym.extend(Pseudonym::parse_hex(value)),
            "pii" => question.pii.extend(value.parse::<PiiClass>().ok()),
            "provider" => set(&mut question.provider, text(), term.name)?,
            "operation" => set(&mut question.operation, text(), term.name)?,
            "caller" => set(&mut question.caller, text(), term.name)?,
            "error_code" => set(&mut question.error_code, text(), term.name)?,
            "call_id" => set(&mut question.call_id, value.parse().ok(), term.name)?,
            "status" => set(&mut question.status, value.parse().ok(), term.name)?,
            "outcome" => set(&mut question.outcome, value.parse().ok(), term.name)?,
            "decision" => set(&mut question.decision, value.parse().ok(), term.name)?,
            "effect" => set(&mut question.effect, value.parse().ok(), term.name)?,
            "environment" => set(&mut question.environment, value.parse().ok(), term.name)?,
            "token_type" => set(&mut question.token_type, value.parse().ok(), term.name)?,
            "fingerprint" => {
                set(
                    &mut question.fingerprint,
                    Fingerprint::parse_hex(value),
                    term.name,
                )?;
            }
            "minted" => set(
                &mut question.minted,
                Fingerprint::parse_hex(value),
                term.name,
            )?,
            _ => {}
        }
    }
    Ok(())
}

fn set<T: PartialEq>(place: &mut Option<T>, value: Option<T>, name: &str) -> Result<(), Fault> {
    match place {
        Some(known) if Some(&*known) != value.as_ref() => {
            let why = format!("no call can have two different values of {name}");
            Err(Fault::BadParameter("q".to_owned(), why))
        }
        _ => {
            *place = value;
            Ok(())
        }
    }
}

/// A raw identifier never goes further than this.
pub(super) fn is_about_people(question: &Question) -> bool {
    let raw: &[RawSubject] = &question.subject;
    question.customer.is_some() || !raw.is_empty() || !question.pseudonym.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: &str) -> String {
        match shape(word) {
            Shape::Known(name, value) => format!("{name}={value}"),
            Shape::Digits(_) => "digits".to_owned(),
            Shape::Guid(_) => "guid".to_owned(),
            Shape::Other => "other".to_owned(),
        }
    }

    #[test]
    fn the_form_of_a_word_says_what_it_is() {
        for (word, wanted) in [
            (
                "019A2B3C-4d5e-7f60-8123-456789abcdef",
                "call_id=019a2b3c-4d5e-7f60-8123-456789abcdef",
            ),
            ("3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11", "guid"),
            ("5bd1e3c0a1f24c6d8e9f00112233aabb", "digits"),
            ("019a2b3c", "call_id=019a2b3c"),
            ("failure", "outcome=failure"),
            ("denied", "decision=denied"),
            ("money", "effect=money"),
            ("404", "status=404"),
            ("5xx", "status=5xx"),
            ("payouts", "other"),
            ("Ann", "other"),
            ("", "other"),
        ] {
            let found = said(word);
            // `denied` is an outcome or a decision, whichever the record knows.
            assert!(
                found == wanted || word == "denied" && found.ends_with("=denied"),
                "{word}: {found}"
            );
        }
    }

    #[test]
    fn two_values_of_one_condition_cannot_be() {
        let term = |name, value: &str| Term {
            word: None,
            name,
            value: value.to_owned(),
        };
        let mut question = Question::default();
        add(
            &mut question,
            &[
                term("caller", "a"),
                term("caller", "a"),
                term("status", "4xx"),
            ],
        )
        .unwrap();
        assert_eq!(question.caller.as_deref(), Some("a"));
        assert!(add(&mut question, &[term("caller", "b")]).is_err());
    }
}
