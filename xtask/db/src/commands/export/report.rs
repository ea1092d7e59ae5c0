//! Reports what was exported, in words and as a document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use xtask_db_format::Rows;

use crate::commands::export::format::Format;
use crate::commands::export::output::{How, Written};
use crate::commands::export::source::State;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::state_document::StateDocument;
use crate::rows::export::selection::Selection;
use crate::sqlite::schema::COUNTERS;

/// Output of `--json`.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    version: u32,
    exported: StateDocument,
    format: &'static str,
    output: Cow<'a, str>,
    size_bytes: u64,
    /// The rows of each table.
    tables: BTreeMap<&'a str, u64>,
    /// For a subset, how many rows each table has in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<BTreeMap<&'a str, u64>>,
    /// The tables whose rows were left out.
    left_out: Vec<&'a str>,
    remarks: &'a [String],
    /// Whether the file already had this content.
    unchanged: bool,
}

/// Result of an export.
pub(super) struct Exported {
    pub selection: Selection,
    /// The rows of each table of the header.
    pub counts: Vec<u64>,
    pub n_bytes: u64,
}

impl Exported {
    /// Whether it is a subset.
    fn is_part(&self) -> bool {
        self.selection.n_all.iter().any(Option::is_some)
    }

    /// The tables whose rows are here, and those whose rows were left out.
    fn tables(&self) -> (Vec<(&str, u64)>, Vec<&str>) {
        let tables = self.selection.header.tables.iter().zip(&self.counts);
        let here = tables.filter(|(table, _)| table.rows == Rows::Here);
        let here = here.filter(|(table, _)| table.name != COUNTERS);
        let left_out = self.selection.header.tables.iter();
        let left_out = left_out.filter(|table| table.rows == Rows::LeftOut);
        (here.map(|(t, n)| (&*t.name, *n)).collect(), left_out.map(|t| &*t.name).collect())
    }

    /// Refuses to pass on an export that contains no row.
    ///
    /// # Errors
    ///
    /// A refusal (exit 1) if no table has any.
    pub(super) fn refuse_nothing(&self) -> Result<()> {
        if self.tables().0.iter().any(|(_, n)| *n > 0) {
            return Ok(());
        }
        Err(Refusal::no(
            "there is no row to share",
            "nothing was written: add rows first, or select others",
        ))
    }

    /// For a subset, how many rows of how many each table has.
    fn parts(&self) -> Vec<(&str, u64, u64)> {
        let tables = self.selection.header.tables.iter().zip(&self.counts);
        let tables = tables.zip(&self.selection.n_all);
        tables.filter_map(|((table, n), n_all)| Some((&*table.name, *n, (*n_all)?))).collect()
    }

    pub(super) fn say(
        &self,
        session: &mut Session,
        project: &Project,
        state: &State,
        written: &Written,
    ) {
        let (here, left_out) = self.tables();
        let path = project.dotted(&written.path);
        let what = match written.how {
            How::New => format!("Exported {} → {path}", state.name(project)),
            How::Unchanged => format!("Unchanged since it was last shared: {path}"),
        };
        session.say(format!(
            "{what}: {} of {}, {}",
            text::count(here.iter().map(|(_, n)| n).sum(), "row"),
            text::count(
                here.iter().filter(|(_, n)| *n > 0 || !self.is_part()).count() as u64,
                "table"
            ),
            text::size(self.n_bytes)
        ));
        let row = |(table, n, n_all): (&str, u64, u64)| {
            let of = format!("{} of {}", text::digits(n), text::digits(n_all));
            vec![format!("  {}", text::plain(table)), of]
        };
        let rows: Vec<_> = self.parts().into_iter().map(row).collect();
        for line in text::table(&rows, &[]).lines() {
            session.say(line);
        }
        if !left_out.is_empty() {
            session.say(format!("Left out: the rows of {}", left_out.join(", ")));
        }
    }

    pub(super) fn document<'a>(
        &'a self,
        project: &Project,
        state: &State,
        written: &'a Written,
        format: Format,
    ) -> Document<'a> {
        let (here, left_out) = self.tables();
        let parts = || self.parts().into_iter().map(|(table, _, n_all)| (table, n_all)).collect();
        Document {
            version: VERSION,
            exported: match state {
                State::Backup(backup) => StateDocument::of_backup(backup),
                State::Live(database) => StateDocument::of_live(project, database),
            },
            format: format.word(),
            output: written.path.to_string_lossy(),
            size_bytes: self.n_bytes,
            tables: here.into_iter().collect(),
            of: self.is_part().then(parts),
            left_out,
            remarks: &self.selection.remarks,
            unchanged: written.how == How::Unchanged,
        }
    }
}
