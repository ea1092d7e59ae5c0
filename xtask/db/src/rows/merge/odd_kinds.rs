//! Declared references that no merge could follow.

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::merge::live_tables::{Here, Tables};

/// Refuses a reference to several tables that cannot be merged. The column that names the table
/// must mean the same in every database, so it cannot contain ids; and a column whose ids belong to
/// different tables cannot be a key to which others refer.
///
/// # Errors
///
/// A refusal if there is one.
pub(super) fn refuse_odd_kinds(tables: &Tables) -> Result<()> {
    for (name, here) in &tables.0 {
        for (reference, only) in here.references.iter().filter_map(|r| Some((r, r.only.as_ref()?)))
        {
            let from = &reference.from[0];
            let what = if !tables.numbers_in(name, &only.column).is_empty() {
                format!("`{}`, which contains numbers of another table", text::plain(&only.column))
            } else if tables.0.values().any(|other| refers_to(other, name, from)) {
                format!("`{}`, but other tables refer to it", text::plain(&only.column))
            } else {
                continue;
            };
            return Err(Refusal::could_not(
                format!(
                    "`references` declares that `{}.{}` refers to several tables by {what}",
                    text::plain(&here.table.name),
                    text::plain(from)
                ),
                "such rows cannot be merged; the database is untouched",
            ));
        }
    }
    Ok(())
}

fn refers_to(here: &Here, table: &str, column: &str) -> bool {
    here.references.iter().any(|reference| {
        reference.parent == table && reference.to.iter().any(|to| to.eq_ignore_ascii_case(column))
    })
}
