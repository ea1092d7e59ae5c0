//! The document of `db-diff --json`, streamed if it contains rows.

use serde_json::{Value, json};

use crate::host::session::Session;
use crate::host::session::json_stream::Streamed;

/// The document so far: what is written, and what waits.
pub(super) struct Written {
    /// `rows` or `sql`, if either is wanted.
    list: Option<&'static str>,
    /// The differences before the first row of all.
    waiting: Vec<Value>,
}

/// The document, its list of differences, one difference, and its list of rows.
const IN_ROWS: usize = 4;

impl Written {
    pub(super) fn new(list: Option<&'static str>) -> Self {
        Self { list, waiting: Vec::new() }
    }

    /// Writes a row, or a line of a script, of the difference that is being found.
    pub(super) fn row(&mut self, session: &mut Session, row: &Value) {
        let list = self.list.unwrap_or("rows");
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
    pub(super) fn difference(&mut self, session: &mut Session, mut difference: Value) {
        let (list, waiting) = (self.list, &mut self.waiting);
        session.stream(|streamed| {
            if streamed.depth() == IN_ROWS {
                return streamed.end() + &streamed.members(&difference) + &streamed.end();
            }
            if let Some(list) = list {
                difference[list] = json!([]);
            }
            if streamed.depth() > 0 {
                return streamed.element(&difference);
            }
            waiting.push(difference);
            String::new()
        });
    }

    /// Writes the end.
    pub(super) fn finish(self, session: &mut Session) {
        let mut rest = json!({ "version": 1 });
        if !session.is_streaming() {
            rest["differences"] = self.waiting.into();
        }
        session.document(&rest);
    }
}

/// The beginning of the document, with the differences that had no rows, and of the next one.
fn begin(streamed: &mut Streamed, waiting: &mut Vec<Value>, list: &str) -> String {
    let mut text = String::new();
    if streamed.depth() == 0 {
        text += &streamed.begin_object();
        text += &streamed.begin_array("differences");
    }
    for difference in waiting.drain(..) {
        text += &streamed.element(&difference);
    }
    text + &streamed.begin_object() + &streamed.begin_array(list)
}
