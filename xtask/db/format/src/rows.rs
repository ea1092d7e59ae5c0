//! The rows of one statement. Each value is passed to a format straight from SQLite's memory.

use anyhow::Result;
use rusqlite::Rows;
use rusqlite::types::ValueRef;

use crate::Format;
use crate::cell::Cell;
use crate::sink::Sink;

/// Reports of the bytes of a text in UTF-16 whether they are Unicode.
pub type IsUnicode = fn(&[u8]) -> bool;

/// Rows after which somebody looks whether to continue.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 12;

/// What a statement answers with.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// How many values a row has.
    pub n_values: usize,
    /// Where texts are in UTF-16, which may be half a surrogate pair, for which UTF-8 has no words:
    /// as many columns follow then, that hold the bytes of the texts.
    pub utf16: Option<IsUnicode>,
}

/// A format, and the sink that it writes into.
pub struct Writer<'w, 'o> {
    /// Turns values into bytes.
    pub format: &'w mut dyn Format,
    /// Takes the bytes.
    pub to: &'w mut Sink<'o>,
}

/// Writes every row; returns how many there were. `look` hears now and then how many bytes were
/// written, and may end it.
///
/// # Errors
///
/// If the rows cannot be read or written, or as `look`.
pub fn copy_rows(
    rows: &mut Rows<'_>,
    taken: Taken,
    writer: &mut Writer<'_, '_>,
    look: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<u64> {
    let Writer { format, to } = writer;
    let mut n_rows = 0_u64;
    while let Some(row) = rows.next()? {
        for at in 0..taken.n_values {
            let mut cell = Cell::of(row, at)?;
            if let (Cell::Text(_) | Cell::OddText(_), Some(is_unicode)) = (cell, taken.utf16)
                && let ValueRef::Blob(bytes) = row.get_ref(taken.n_values + at)?
                && !is_unicode(bytes)
            {
                cell = Cell::OddText(bytes);
            }
            format.value(at, cell, to)?;
        }
        format.end_row(to)?;
        n_rows += 1;
        if n_rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
            look(to.n_bytes())?;
        }
    }
    Ok(n_rows)
}
