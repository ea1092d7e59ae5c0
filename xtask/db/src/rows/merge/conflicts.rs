//! Rows of a file that conflict with rows here, in words: why they cannot be merged, and what to do.

use crate::console::text;
use crate::rows::merge::layout::Layout;
use crate::rows::merge::report::{Problem, TableReport};
use crate::rows::merge::request::{OnConflict, Policy, Source};
use crate::rows::merge::verdict;

/// The objection to merging a table that has conflicting rows.
#[must_use]
pub(super) fn problem(
    layout: &Layout,
    table: &TableReport,
    policy: &Policy,
    source: &Source,
) -> Problem {
    let shown = text::plain(&table.name);
    let newer = policy.newer.as_deref();
    let newer = newer.filter(|newer| verdict::lacks(layout, newer)).map(text::plain);
    let hint = match (policy.on_conflict, newer) {
        (OnConflict::Fail, _) => {
            "choose what happens to them with `--on-conflict skip` or `--on-conflict replace`"
                .to_owned()
        }
        (_, Some(newer)) => format!(
            "`{shown}` has no column `{newer}` here or in the file: merge with `--on-conflict skip`, \
             or without `--newer`"
        ),
        _ => "change the row here or the one in the file".to_owned(),
    };
    Problem {
        file: source.shown.clone(),
        table: table.name.clone(),
        what: format!("{} of `{shown}` cannot be merged", text::count(table.conflicting.n, "row")),
        rows: table.conflicting.clone(),
        hint: format!("{hint}; the database is untouched"),
    }
}
