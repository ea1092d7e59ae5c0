//! The document of `db-diff --json`, streamed if it contains rows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::host::session::Session;
use crate::host::session::json_stream::{Streamed, VERSION};
use crate::operations::state_document::StateDocument;
use crate::rows::diff::{Difference, Row};
use crate::sqlite::value;

/// The end of the document; the whole document if it has no rows.
#[derive(Serialize)]
struct Document {
    version: u32,
    /// One [`Compared`] each, unless they were written one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Value>>,
}

/// The differences between two states.
#[derive(Serialize)]
pub(super) struct Compared<'a> {
    #[serde(flatten)]
    difference: &'a Difference,
    a: StateDocument,
    b: StateDocument,
    /// The lines that messages print about them.
    summary: Vec<String>,
    different: bool,
    complete: bool,
    /// With `--rows`, each a [`DifferingRow`]: written one by one, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Nothing>,
    /// The same of the lines of a script, with `--sql`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<Nothing>,
}

/// An empty list.
type Nothing = [(); 0];

impl<'a> Compared<'a> {
    /// The difference of `b` from `a`.
    pub(super) fn of(difference: &'a Difference, a: StateDocument, b: StateDocument) -> Self {
        Self {
            difference,
            a,
            b,
            summary: difference.summary_lines(),
            different: difference.is_different(),
            complete: difference.is_complete(),
            rows: None,
            sql: None,
        }
    }
}

/// A row that differs; `before` or `after` is null if it is new or gone.
#[derive(Serialize)]
pub(super) struct DifferingRow<'a> {
    table: &'a str,
    key: BTreeMap<&'a str, Value>,
    before: Option<BTreeMap<&'a str, Value>>,
    after: Option<BTreeMap<&'a str, Value>>,
}

impl<'a> DifferingRow<'a> {
    /// The same by the names of its columns.
    pub(super) fn of(row: &Row<'a>) -> Self {
        let named = |columns: &'a [String], values: &[value::Value]| {
            let values = values.iter().map(value::Value::to_json);
            columns.iter().map(String::as_str).zip(values).collect()
        };
        Self {
            table: row.table,
            key: named(row.key_columns, row.key),
            before: row.before.map(|values| named(row.columns, values)),
            after: row.after.map(|values| named(row.columns, values)),
        }
    }
}

/// A list in each difference that is written as it is found.
#[derive(Clone, Copy)]
pub(super) enum List {
    /// The rows that differ.
    Rows,
    /// The lines of a script.
    Sql,
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Sql => "sql",
        }
    }
}

/// The state of the document: the part that is written, and the part that waits.
pub(super) struct Written {
    /// The list that is wanted, if any is.
    list: Option<List>,
    /// The differences before the first row of all.
    waiting: Vec<Value>,
}

/// The document, its list of differences, one difference, and its list of rows.
const IN_ROWS: usize = 4;

impl Written {
    pub(super) fn new(list: Option<List>) -> Self {
        Self { list, waiting: Vec::new() }
    }

    /// Writes a row, or a line of a script, of the difference that is being found.
    pub(super) fn row(&mut self, session: &mut Session, row: &impl Serialize) {
        let list = self.list.unwrap_or(List::Rows);
        let waiting = &mut self.waiting;
        session.stream(|streamed| {
            let begun = if streamed.depth() < IN_ROWS {
                begin(streamed, waiting, list)
            } else {
                String::new()
            };
            begun + &streamed.element(row)
        });
    }

    /// Writes the rest of a difference.
    pub(super) fn difference(&mut self, session: &mut Session, mut difference: Compared<'_>) {
        let (list, waiting) = (self.list, &mut self.waiting);
        session.stream(|streamed| {
            if streamed.depth() == IN_ROWS {
                return streamed.end() + &streamed.members(&difference) + &streamed.end();
            }
            match list {
                Some(List::Rows) => difference.rows = Some([]),
                Some(List::Sql) => difference.sql = Some([]),
                None => {}
            }
            if streamed.depth() > 0 {
                return streamed.element(&difference);
            }
            waiting.push(json!(difference));
            String::new()
        });
    }

    /// Writes the end.
    pub(super) fn finish(self, session: &mut Session) {
        let differences = (!session.is_streaming()).then_some(self.waiting);
        session.document(&Document { version: VERSION, differences });
    }
}

/// The beginning of the document, with the differences that had no rows, and of the next one.
fn begin(streamed: &mut Streamed, waiting: &mut Vec<Value>, list: List) -> String {
    let mut text = String::new();
    if streamed.depth() == 0 {
        text += &streamed.begin_object();
        text += &streamed.begin_array("differences");
    }
    for difference in waiting.drain(..) {
        text += &streamed.element(&difference);
    }
    text + &streamed.begin_object() + &streamed.begin_array(list.key())
}
