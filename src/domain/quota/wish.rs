//! What a caller asks for in its request: how urgent the call is and how long it may wait.

use std::time::Duration;

use crate::domain::problem::{self, Problem};
use crate::types::Priority;

/// Names the priority: `money`, `write`, `read` or `batch`.
pub const PRIORITY_FIELD: &str = "egret-priority";
/// Names the patience in whole seconds.
pub const PATIENCE_FIELD: &str = "egret-patience";

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// How urgent the call is.
    pub priority: Option<Priority>,
    /// How long it may wait.
    pub patience: Option<Duration>,
}

impl Wish {
    /// Reads the two fields.
    ///
    /// # Errors
    /// [`problem::BAD_WISH`]: a wish that is not understood and not granted would be noticed when it
    /// matters, in an overload.
    pub fn read(priority: Option<&[u8]>, patience: Option<&[u8]>) -> Result<Self, Problem> {
        let text = |value: &[u8]| {
            let text = std::str::from_utf8(value).map_err(|_| problem::BAD_WISH)?;
            Ok::<_, Problem>(text.trim().to_ascii_lowercase())
        };
        let priority = priority.map(text).transpose()?;
        let priority = priority.map(|word| word.parse().map_err(|_| problem::BAD_WISH));
        let patience = patience.map(text).transpose()?;
        let patience = patience.map(|seconds| {
            let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
            let seconds = seconds.parse::<u32>().ok().filter(|_| digits);
            seconds.ok_or(problem::BAD_WISH)
        });
        Ok(Self {
            priority: priority.transpose()?,
            patience: patience
                .transpose()?
                .map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_or_refused() {
        let read = |priority: Option<&'static str>, patience: Option<&'static str>| {
            Wish::read(
                priority.map(|text| text.as_bytes()),
                patience.map(|text| text.as_bytes()),
            )
        };
        assert_eq!(read(None, None), Ok(Wish::default()));
        let wish = read(Some("Batch"), Some(" 90 ")).unwrap();
        assert_eq!(wish.priority, Some(Priority::Batch));
        assert_eq!(wish.patience, Some(Duration::from_secs(90)));
        for (priority, patience) in [
            (Some("urgent"), None),
            (Some("money,batch"), None),
            (None, Some("-1")),
            (None, Some("+1")),
            (None, Some("1.5")),
            (None, Some("")),
            (None, Some("99999999999")),
        ] {
            assert_eq!(read(priority, patience), Err(problem::BAD_WISH));
        }
    }
}
