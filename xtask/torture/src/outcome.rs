//! What a run found.

use std::io::Write as _;

/// Which promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A state that still had an undamaged copy cannot be restored.
    Lost,
    /// Something was called proved or done that is not so.
    Lie,
    /// Anything else that must not happen.
    Broken,
}

impl Verdict {
    /// Its name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Lie => "LIE",
            Self::Broken => "BROKEN",
        }
    }
}

/// One broken promise, and how it came about.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Which promise.
    pub(crate) verdict: Verdict,
    /// What happened.
    pub(crate) what: String,
}

impl Finding {
    /// A finding.
    pub(crate) fn new(verdict: Verdict, what: impl Into<String>) -> Self {
        Self { verdict, what: what.into() }
    }
}

/// Prints a line of the report.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints something on stderr.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
