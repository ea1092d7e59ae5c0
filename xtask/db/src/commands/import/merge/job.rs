//! One merge as the user requested it: the files, the database, and the limits.

use crate::commands::import::args::Args;
use crate::console::progress::Progress;
use crate::host::project::{Database, Project};
use crate::rows::import::cost_limits::Bounds;
use crate::rows::merge::request::Source;

/// One merge.
pub(crate) struct Job<'a> {
    /// Its flags.
    pub(crate) args: &'a Args,
    /// The host.
    pub(crate) project: &'a Project,
    /// Its database, which gets the rows.
    pub(crate) database: &'a Database,
    /// The rows, loaded.
    pub(crate) sources: &'a [Source],
    /// Limits on what it may consume.
    pub(crate) allowance: Allowance,
}

/// Limits on what merging files may consume.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    /// Whether nothing is bounded.
    pub(crate) is_lifted: bool,
    /// Size of all files and the live database together.
    pub(crate) all_bytes: u64,
}

impl Allowance {
    /// The limits for work on this many bytes.
    pub(super) fn bounds(self, input_bytes: u64, progress: &Progress) -> Bounds {
        if self.is_lifted {
            return Bounds::lifted(progress.interrupt(), progress.pulse());
        }
        let beside_bytes = self.all_bytes.saturating_sub(input_bytes);
        let bounds = Bounds::of(input_bytes, progress.interrupt(), progress.pulse());
        bounds.with_memory(beside_bytes)
    }
}
