//! What an answer, or its absence, says of the bank's health.

use std::time::Duration;

use super::{Failure, Verdict};

/// An attempt that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered<'a> {
    /// Status of the bank's answer.
    pub status: u16,
    /// The bank's error code as recorded, if its body had one.
    pub error_code: Option<&'a str>,
    /// From the first byte sent to the header of the answer.
    pub took: Duration,
    /// The bank broke the answer off.
    pub is_broken: bool,
}

/// What tells a bad answer from a good one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symptoms {
    /// Answers that take longer are slow.
    pub slow_call: Duration,
    /// Error codes that begin with one of these say that the bank fails, whatever the status.
    pub error_codes: Vec<Box<str>>,
}

impl Default for Symptoms {
    /// 10 s, and the codes by which OBP says that it, or the core bank behind it, has failed: it
    /// sends them with 400 as well.
    fn default() -> Self {
        Self {
            slow_call: Duration::from_secs(10),
            error_codes: vec!["OBP-50".into()],
        }
    }
}

impl Symptoms {
    /// Judges an answer. One that blames the request, or the credential, says that the bank works.
    pub fn judge(&self, answer: &Answered<'_>) -> Verdict {
        let says_so = answer.error_code.is_some_and(|code| {
            self.error_codes
                .iter()
                .any(|start| code.starts_with(&**start))
        });
        match answer.status {
            _ if says_so || answer.is_broken => Verdict::Failed,
            429 => Verdict::Throttled,
            // 408: the bank's own backend was late (OBP answers it with OBP-01000). 501 and 505 say
            // that the request asks for what the bank does not have.
            408 | 500 | 502..=504 | 506.. => Verdict::Failed,
            _ if answer.took > self.slow_call => Verdict::Slow,
            _ => Verdict::Well,
        }
    }
}

/// Judges an attempt that has no answer. `has_more` says that another address of the bank is left:
/// the bank has failed when none could be connected to.
pub const fn judge_failure(failure: Failure, has_more: bool) -> Verdict {
    match failure {
        Failure::NotConnected if has_more => Verdict::Unknown,
        Failure::NotConnected | Failure::Broken | Failure::Late | Failure::ServerError(_) => {
            Verdict::Failed
        }
        // The bank closes connections and sheds load as it pleases.
        Failure::ReusedClosed => Verdict::Unknown,
        Failure::NotProcessed | Failure::Throttled(_) => Verdict::Throttled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blames_the_request_does_not_blame_the_bank() {
        let symptoms = Symptoms::default();
        let judge = |status, error_code| {
            symptoms.judge(&Answered {
                status,
                error_code,
                took: Duration::from_secs(1),
                is_broken: false,
            })
        };
        for status in [200, 201, 302, 400, 401, 403, 404, 409, 422, 501, 505] {
            assert_eq!(judge(status, None), Verdict::Well, "{status}");
        }
        for status in [408, 500, 502, 503, 504, 520, 599] {
            assert_eq!(judge(status, None), Verdict::Failed, "{status}");
        }
        assert_eq!(judge(429, None), Verdict::Throttled);
        assert_eq!(judge(400, Some("OBP-50001")), Verdict::Failed);
        assert_eq!(judge(400, Some("OBP-50200")), Verdict::Failed);
        assert_eq!(judge(400, Some("OBP-20001")), Verdict::Well);
        assert_eq!(judge(422, Some("unlisted")), Verdict::Well);
    }

    #[test]
    fn slow_and_broken_answers() {
        let answer = Answered {
            status: 200,
            error_code: None,
            took: Duration::from_millis(10_001),
            is_broken: false,
        };
        let symptoms = Symptoms::default();
        assert_eq!(symptoms.judge(&answer), Verdict::Slow);
        let broken = Answered {
            is_broken: true,
            ..answer
        };
        assert_eq!(symptoms.judge(&broken), Verdict::Failed);
    }

    #[test]
    fn one_address_of_several_is_not_the_bank() {
        assert_eq!(judge_failure(Failure::NotConnected, true), Verdict::Unknown);
        assert_eq!(judge_failure(Failure::NotConnected, false), Verdict::Failed);
        assert_eq!(
            judge_failure(Failure::ReusedClosed, false),
            Verdict::Unknown
        );
        assert_eq!(
            judge_failure(Failure::NotProcessed, false),
            Verdict::Throttled
        );
        assert_eq!(judge_failure(Failure::Late, false), Verdict::Failed);
    }
}
