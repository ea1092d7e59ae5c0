//! Why retention keeps or removes a backup. A folder can have tens of thousands of verdicts, so a
//! reason is a few bytes that become text only when it is printed.

use std::fmt;

use serde::Serialize;

use crate::console::text::{self, Span};

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A reason that is the same text for every backup.
    Plain(&'static str),
    /// It was taken within this span before the newest.
    Within(Span),
    /// The kept backups would take up more than these bytes.
    OverSize(u64),
}

/// Reason to keep a backup to which an interrupted command goes back.
pub(crate) const UNDER_WAY: &str = "an interrupted command needs it";
/// Reason to keep all backups while it is unknown whether an interrupted command needs them.
pub(crate) const UNKNOWN_WAY: &str = "a note of something under way cannot be read";

/// For the newest backup that was examined and found whole.
pub(crate) const NEWEST_VERIFIED: &str = "newest verified";
/// For the newest one if none is verified.
pub(crate) const NEWEST_POSSIBLE: &str = "newest that is not known to be damaged";
/// For the newest one if all are damaged.
pub(crate) const NEWEST: &str = "newest";

/// Whether a reason no longer applies once there is a newer backup.
#[must_use]
pub(crate) fn is_newest(reason: &Reason) -> bool {
    [NEWEST_VERIFIED, NEWEST_POSSIBLE, NEWEST].map(Reason::Plain).contains(reason)
}

/// Whether a reason applies until `db-recover` has settled an interrupted command.
#[must_use]
pub(crate) fn is_way_back(reason: &Reason) -> bool {
    [UNDER_WAY, UNKNOWN_WAY].map(Reason::Plain).contains(reason)
}

/// The reasons for one verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reasons(Vec<Reason>);

impl Reasons {
    /// Exactly one.
    #[must_use]
    pub(crate) fn one(reason: Reason) -> Self {
        Self(vec![reason])
    }

    /// Adds one. Most backups have no other, so no room is reserved for more.
    pub(crate) fn add(&mut self, reason: Reason) {
        self.0.reserve_exact(1);
        self.0.push(reason);
    }

    /// Whether there is no reason.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.0.iter()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Within(span) => write!(f, "within {span}"),
            Self::OverSize(max_bytes) => write!(f, "over the size of {}", text::size(*max_bytes)),
        }
    }
}

impl fmt::Display for Reasons {
    /// Prints all reasons, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, reason) in self.0.iter().enumerate() {
            write!(f, "{}{reason}", if n > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Reasons {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_a_list() {
        let mut reasons = Reasons::one(Reason::Plain("newest"));
        reasons.add(Reason::Within(Span { n_days: 30, ..Span::default() }));
        reasons.add(Reason::OverSize(2 << 30));
        assert_eq!(reasons.to_string(), "newest, within 30d, over the size of 2.0 GB");
        let json = serde_json::to_value(&reasons).expect("json");
        assert_eq!(json, serde_json::json!(["newest", "within 30d", "over the size of 2.0 GB"]));
    }
}
