//! The conflict markers that git writes into a file that it could not merge.

use std::fmt;

/// A line that git put there: the file has rows of two sides, and nobody chose among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConflictMarker {
    /// Its line, from 1.
    pub line: u64,
    marker: &'static str,
}

/// How such lines begin (<https://git-scm.com/docs/git-merge#_how_conflicts_are_presented>).
const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

impl ConflictMarker {
    /// The marker that a line is, if it is one. No line of an export begins like that.
    #[must_use]
    pub fn of(bytes: &[u8], line: u64) -> Option<Self> {
        let marker = MARKERS.into_iter().find(|marker| bytes.starts_with(marker.as_bytes()))?;
        let next = bytes.get(marker.len());
        let ends = next.is_none_or(|byte| matches!(byte, b' ' | b'\n' | b'\r'));
        ends.then_some(Self { line, marker })
    }
}

impl fmt::Display for ConflictMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: git's conflict marker `{}`", self.line, self.marker)
    }
}

impl std::error::Error for ConflictMarker {}
