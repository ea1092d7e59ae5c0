//! A refusal: what this program will not do, and what to do instead.

use std::fmt;

/// What was refused, and the way on.
#[derive(Debug)]
pub(crate) struct Refusal {
    what: String,
    hint: String,
}

impl Refusal {
    /// A refusal, as the context of an error.
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// A refusal without another error.
    pub(crate) fn error(what: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self::new(what, hint))
    }

    /// What to do instead.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refusal {}
