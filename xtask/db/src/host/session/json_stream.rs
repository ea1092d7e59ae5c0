//! A JSON document that is written as it is produced: memory does not grow with it. Whatever ends
//! it early, it can be closed to a valid document.

use serde::Serialize;
use serde_json::{Value, json};

/// The version of every document of `--json`.
pub(crate) const VERSION: u32 = 1;

/// A document that is being written; each method returns the text that comes next.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    open: Vec<Level>,
}

/// An object or an array that is not closed yet.
#[derive(Debug)]
struct Level {
    end: char,
    has_any: bool,
}

impl Streamed {
    /// How many objects and arrays are open; 0 before the beginning and after the end.
    #[must_use]
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Begins an object, as the document itself or in an array.
    pub(crate) fn begin_object(&mut self) -> String {
        let text = format!("{}{{", self.next());
        self.open.push(Level { end: '}', has_any: false });
        text
    }

    /// Begins an array in an object.
    pub(crate) fn begin_array(&mut self, key: &str) -> String {
        let text = format!("{}{}: [", self.next(), Value::from(key));
        self.open.push(Level { end: ']', has_any: false });
        text
    }

    /// Writes a value into an array.
    pub(crate) fn element(&mut self, value: &impl Serialize) -> String {
        format!("{}{}", self.next(), self.laid_out(&json!(value)))
    }

    /// Writes the members of an object into the one that is open.
    pub(crate) fn members(&mut self, object: &impl Serialize) -> String {
        self.members_of(&json!(object))
    }

    fn members_of(&mut self, object: &Value) -> String {
        let mut text = String::new();
        for (key, value) in object.as_object().into_iter().flatten() {
            text.push_str(&self.next());
            text += &Value::from(key.as_str()).to_string();
            text += ": ";
            text += &self.laid_out(value);
        }
        text
    }

    /// Ends the array or object that was begun last.
    pub(crate) fn end(&mut self) -> String {
        let Some(level) = self.open.pop() else { return String::new() };
        let line = if level.has_any { self.line() } else { String::new() };
        let last = if self.open.is_empty() { "\n" } else { "" };
        format!("{line}{}{last}", level.end)
    }

    /// Ends the whole document, with these members at its end.
    pub(crate) fn finish(&mut self, members: &Value) -> String {
        let mut text = String::new();
        while self.open.len() > 1 {
            text.push_str(&self.end());
        }
        text + &self.members_of(members) + &self.end()
    }

    /// The separator before the next value.
    fn next(&mut self) -> String {
        let line = self.line();
        let Some(level) = self.open.last_mut() else { return String::new() };
        let comma = if std::mem::replace(&mut level.has_any, true) { "," } else { "" };
        format!("{comma}{line}")
    }

    fn line(&self) -> String {
        format!("\n{}", "  ".repeat(self.open.len()))
    }

    /// A value at its depth. No text in JSON contains a line break of its own.
    fn laid_out(&self, value: &Value) -> String {
        format!("{value:#}").replace('\n', &self.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_document_written_at_once() {
        let whole = json!({ "a": [{ "b": [{ "c": "x\ny", "d": [] }, 2], "e": {} }], "f": null });
        let mut streamed = Streamed::default();
        let text = [
            streamed.begin_object(),
            streamed.begin_array("a"),
            streamed.begin_object(),
            streamed.begin_array("b"),
            streamed.element(&json!({ "c": "x\ny", "d": [] })),
            streamed.element(&json!(2)),
            streamed.end(),
            streamed.members(&json!({ "e": {} })),
            streamed.end(),
            streamed.end(),
            streamed.members(&json!({ "f": null })),
            streamed.end(),
        ];
        assert_eq!(text.concat(), format!("{whole:#}\n"));
        assert_eq!(streamed.depth(), 0);
    }

    #[test]
    fn it_is_a_document_wherever_it_ends() {
        for n_steps in 1..=5 {
            let mut streamed = Streamed::default();
            let mut text = streamed.begin_object();
            for step in 1..n_steps {
                text += &match step {
                    1 => streamed.begin_array("a"),
                    2 => streamed.begin_object(),
                    3 => streamed.begin_array("b"),
                    _ => streamed.element(&json!({ "c": 1 })),
                };
            }
            text += &streamed.finish(&json!({ "error": "it ended" }));
            let document: Value = serde_json::from_str(&text).expect("a document");
            assert_eq!(document["error"], "it ended", "{text}");
        }
    }
}
