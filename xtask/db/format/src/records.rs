//! Records of other tools, read one by one from JSON, JSONL or CSV: memory does not grow with their
//! number.
//!
//! The first character shows the format: `{` and `[` begin JSON, one document or several; anything
//! else is CSV, whose first line names the columns. In JSON, the records are the elements of the
//! array that a [`Pointer`] leads to, in each document; an object there is a single record.

mod delimited;
mod document;
mod pointer;
mod record;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use anyhow::Result;

pub use pointer::Pointer;
pub use record::{Field, Found, Record};

use crate::NAME;
use text::Text;

/// So many names of fields that nobody takes are remembered: a tool may use ids as names.
const MAX_NAMES: usize = 1000;

/// What is wanted of a text.
pub struct Wanted<'w> {
    /// Where the records are.
    pub pointer: &'w Pointer,
    /// Which of their members are taken; the others are skipped and counted.
    pub takes: &'w dyn Fn(&str) -> bool,
}

/// What hears of each record, and of how many bytes were read so far.
pub type Each<'e> = dyn FnMut(&Record<'_>, u64) -> Result<()> + 'e;

/// What was read.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many records.
    pub n_records: u64,
    /// How many documents; 0 for CSV.
    pub n_documents: u64,
    /// In how many of them nothing is at the pointer.
    pub n_without: u64,
    /// Where arrays are, if one object was all that was at the pointer.
    pub elsewhere: Option<String>,
    /// Fields that nobody took, and in how many records they have one.
    pub not_taken: BTreeMap<String, u64>,
}

/// Why a text does not have what is wanted of it, and the way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Astray {
    /// What was found.
    pub what: String,
    /// The way on.
    pub hint: String,
}

impl fmt::Display for Astray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Astray {}

/// Reads all records.
///
/// # Errors
///
/// [`Astray`] if the text is none of the kinds or no records are at the pointer; if it was cut
/// short, is malformed, no UTF-8, or `each` fails.
pub fn read(input: &mut dyn Read, wanted: &Wanted<'_>, each: &mut Each<'_>) -> Result<Summary> {
    let mut text = Text::open(input)?;
    match text.skip_space()? {
        None => Err(astray("there is nothing in it", "an empty list is written `[]`")),
        Some(b'{') if text.begins_with(&format!("{{\"format\":\"{NAME}\"")) => Err(astray(
            "it is an export of this tool, which already contains rows",
            "merge it with `cargo xtask db-import --merge FILE`",
        )),
        Some(b'{' | b'[') => document::read(text, wanted, each),
        Some(b'S') if text.begins_with("SQLite format 3\0") => Err(astray(
            "it is a database",
            "export it with `cargo xtask db-export`, and merge that",
        )),
        Some(0..0x20) => Err(astray("it is not text", "JSON, JSONL and CSV can be read")),
        Some(_) if wanted.pointer.steps.is_empty() => delimited::read(text, wanted, each),
        Some(_) => Err(astray(
            "it begins neither with `{` nor with `[`, so it is CSV, which has no pointers",
            "for the rows of CSV pass `--records ''`",
        )),
    }
}

impl Summary {
    fn leave(&mut self, name: &str) {
        if let Some(n) = self.not_taken.get_mut(name) {
            *n += 1;
        } else if self.not_taken.len() < MAX_NAMES {
            self.not_taken.insert(name.to_owned(), 1);
        }
    }
}

fn astray(what: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Astray { what: what.into(), hint: hint.into() }.into()
}

/// Which of two values is meant would be a guess.
fn stands_twice<E: serde::de::Error>(name: &str) -> E {
    E::custom(format_args!("the member `{name}` appears twice"))
}

#[cfg(test)]
mod tests;
