//! Reports what was exported, in words and as a document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use xtask_db_format::{Rows, TableHead};

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
use crate::rows::export::server;
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
    /// The tables whose rows are here, and how many there are.
    here: Vec<(String, u64)>,
    /// The tables whose rows were left out.
    left_out: Vec<String>,
    /// For a subset, how many rows of how many each table has.
    parts: Option<Vec<Part>>,
    /// Remarks for the user.
    pub remarks: Vec<String>,
    n_bytes: u64,
}

/// How many rows of a table are in a subset.
struct Part {
    table: String,
    n: u64,
    n_all: u64,
}

impl Exported {
    /// What was exported of an SQLite database.
    pub(super) fn of(selection: Selection, counts: &[u64], n_bytes: u64) -> Self {
        let tables = || selection.header.tables.iter().zip(counts);
        let here = tables().filter(|(table, _)| table.rows == Rows::Here);
        let here = here.filter(|(table, _)| table.name != COUNTERS);
        let left_out = tables().filter(|(table, _)| table.rows == Rows::LeftOut);
        let part = |((table, n), n_all): ((&TableHead, &u64), &Option<u64>)| {
            Some(Part { table: table.name.clone(), n: *n, n_all: (*n_all)? })
        };
        let is_part = selection.n_all.iter().any(Option::is_some);
        let parts = || tables().zip(&selection.n_all).filter_map(part).collect();
        Self {
            here: here.map(|(table, n)| (table.name.clone(), *n)).collect(),
            left_out: left_out.map(|(table, _)| table.name.clone()).collect(),
            parts: is_part.then(parts),
            remarks: selection.remarks,
            n_bytes,
        }
    }

    /// What was exported of a PostgreSQL database.
    pub(super) fn of_server(rows: &server::Rows<'_>, counts: &[u64], n_bytes: u64) -> Self {
        let tables = || rows.header.tables.iter().zip(counts);
        let here = tables().filter(|(table, _)| table.rows.is_none());
        let left_out = tables().filter(|(table, _)| table.rows.is_some());
        Self {
            here: here.map(|(table, n)| (table.name.clone(), *n)).collect(),
            left_out: left_out.map(|(table, _)| table.name.clone()).collect(),
            parts: None,
            remarks: rows.remarks.clone(),
            n_bytes,
        }
    }

    /// Refuses to pass on an export that contains no row.
    ///
    /// # Errors
    ///
    /// A refusal (exit 1) if no table has any.
    pub(super) fn refuse_nothing(&self) -> Result<()> {
        if self.here.iter().any(|(_, n)| *n > 0) {
            return Ok(());
        }
        Err(Refusal::no(
            "there is no row to share",
            "nothing was written: add rows first, or select others",
        ))
    }

    pub(super) fn say(
        &self,
        session: &mut Session,
        project: &Project,
        state: &State,
        written: &Written,
    ) {
        let Self { here, left_out, parts, .. } = self;
        let path = project.dotted(&written.path);
        let what = match written.how {
            How::New => format!("Exported {} → {path}", state.name(project)),
            How::Unchanged => format!("Unchanged since it was last shared: {path}"),
        };
        session.say(format!(
            "{what}: {} of {}, {}",
            text::count(here.iter().map(|(_, n)| n).sum(), "row"),
            text::count(
                here.iter().filter(|(_, n)| *n > 0 || parts.is_none()).count() as u64,
                "table"
            ),
            text::size(self.n_bytes)
        ));
        let row = |part: &Part| {
            let of = format!("{} of {}", text::digits(part.n), text::digits(part.n_all));
            vec![format!("  {}", text::plain(&part.table)), of]
        };
        let rows: Vec<_> = parts.iter().flatten().map(row).collect();
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
        let of_each = |parts: &'a Vec<Part>| {
            parts.iter().map(|part| (part.table.as_str(), part.n_all)).collect()
        };
        Document {
            version: VERSION,
            exported: match state {
                State::Backup(backup) => StateDocument::of_backup(backup),
                State::Live(database) => StateDocument::of_live(project, database),
            },
            format: format.word(),
            output: written.path.to_string_lossy(),
            size_bytes: self.n_bytes,
            tables: self.here.iter().map(|(table, n)| (table.as_str(), *n)).collect(),
            of: self.parts.as_ref().map(of_each),
            left_out: self.left_out.iter().map(String::as_str).collect(),
            remarks: &self.remarks,
            unchanged: written.how == How::Unchanged,
        }
    }
}
