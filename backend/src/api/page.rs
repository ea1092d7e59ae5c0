//! A part of a list: `?after=ID&limit=N`, in order of the ids.

use serde::Deserialize;

/// Which rows to list; all of them unless told otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<i64>,
    limit: Option<u32>,
}

impl Page {
    /// Only rows with a greater id than this are listed.
    pub(crate) fn after(self) -> i64 {
        self.after.unwrap_or(0)
    }

    /// At most this many rows are listed; -1 in a `LIMIT` clause means no limit.
    pub(crate) fn limit(self) -> i64 {
        self.limit.map_or(-1, i64::from)
    }
}
