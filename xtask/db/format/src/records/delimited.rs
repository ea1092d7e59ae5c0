//! CSV of any tool (RFC 4180): the first line names the columns, and the separator is the comma,
//! semicolon or tab, whichever that line has most of.
//!
//! This reader is stricter than most, because a truncated file must not pass: unclosed quotes and
//! lines with a different number of fields are errors. It remembers whether a field was in quotes,
//! since `,,` and `,"",` differ for most programs that write them.

use std::io::Read;

use anyhow::{Result, bail, ensure};

use crate::records::record::{Bare, Content, Record};
use crate::records::text::Text;
use crate::records::{Each, Summary, Wanted, astray};

/// Reads the rows.
///
/// # Errors
///
/// As [`super::read`].
pub(super) fn read<R: Read>(
    text: Text<R>,
    wanted: &Wanted<'_>,
    each: &mut Each<'_>,
) -> Result<Summary> {
    let position = text.position();
    let mut lines = Lines { text, delimiter: b',' };
    lines.delimiter = lines.likely_delimiter()?;
    let mut row = Vec::new();
    lines.next(&mut row)?;
    let names = names(std::mem::take(&mut row))?;
    let mut summary = Summary::default();
    while let Some(line) = lines.next(&mut row)? {
        ensure!(
            row.len() == names.len(),
            "line {line} has {} fields, and the first line names {}",
            row.len(),
            names.len()
        );
        summary.n_records += 1;
        let content = Content::Row(&names, &row);
        let (number, elsewhere) = (summary.n_records, None);
        let known = if number == 1 { names.clone() } else { Vec::new() };
        let record = Record { number, line, names: known, elsewhere, content };
        each(&record, position.n_bytes())?;
    }
    for name in names.iter().filter(|name| !(wanted.takes)(name)) {
        summary.not_taken.insert(name.clone(), summary.n_records);
    }
    Ok(summary)
}

/// The names of the columns; a column that has none can be nobody's field.
fn names(row: Vec<Bare>) -> Result<Vec<String>> {
    let names = row
        .into_iter()
        .map(|field| if field.is_quoted { field.text } else { field.text.trim().to_owned() });
    let names: Vec<String> = names.collect();
    for (at, name) in names.iter().enumerate() {
        if !name.is_empty() && names[..at].contains(name) {
            return Err(astray(
                format!("the first line names the column `{name}` twice"),
                "CSV has the names of its columns in its first line",
            ));
        }
    }
    Ok(names)
}

struct Lines<R> {
    text: Text<R>,
    delimiter: u8,
}

impl<R: Read> Lines<R> {
    /// The mark that the first line has most of outside its quotes; a comma in doubt.
    fn likely_delimiter(&mut self) -> Result<u8> {
        use std::io::BufRead as _;
        let (mut n_each, mut is_quoted) = ([0; 3], false);
        for byte in self.text.fill_buf()? {
            match byte {
                b'"' => is_quoted = !is_quoted,
                b'\n' | b'\r' if !is_quoted => break,
                b',' if !is_quoted => n_each[2] += 1,
                b';' if !is_quoted => n_each[1] += 1,
                b'\t' if !is_quoted => n_each[0] += 1,
                _ => {}
            }
        }
        // Of several equal ones the last is the greatest.
        let most = n_each.iter().zip(b"\t;,").max_by_key(|(n, _)| **n);
        Ok(most.map_or(b',', |(_, mark)| *mark))
    }

    /// Takes the next row that is not empty and says in which line it begins; `None` at the end.
    fn next(&mut self, row: &mut Vec<Bare>) -> Result<Option<u64>> {
        while let Some(b'\n' | b'\r') = self.text.peek()? {
            self.text.advance();
        }
        if self.text.peek()?.is_none() {
            return Ok(None);
        }
        let line = self.text.position().line.get();
        let mut n_fields = 0;
        loop {
            if row.len() == n_fields {
                row.push(Bare::default());
            }
            self.field(&mut row[n_fields])?;
            n_fields += 1;
            match self.text.peek()? {
                Some(mark) if mark == self.delimiter => self.text.advance(),
                // The other half of `\r\n` is skipped before the next row.
                _ => break,
            }
        }
        row.truncate(n_fields);
        Ok(Some(line))
    }

    /// Takes a field; the mark after it stays.
    fn field(&mut self, field: &mut Bare) -> Result<()> {
        let mut bytes = std::mem::take(&mut field.text).into_bytes();
        bytes.clear();
        field.is_quoted = self.text.peek()? == Some(b'"');
        if field.is_quoted {
            self.quoted(&mut bytes)?;
        } else {
            while let Some(byte) = self.text.peek()? {
                if byte == self.delimiter || byte == b'\n' || byte == b'\r' {
                    break;
                }
                bytes.push(byte);
                self.text.advance();
            }
        }
        field.text = String::from_utf8(bytes)?;
        Ok(())
    }

    fn quoted(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let begin = self.text.position().line.get();
        self.text.advance();
        loop {
            let Some(byte) = self.text.peek()? else {
                bail!("it was cut short: the quotes that open in line {begin} never close");
            };
            self.text.advance();
            if byte == b'"' {
                if self.text.peek()? != Some(b'"') {
                    break;
                }
                self.text.advance();
            }
            bytes.push(byte);
        }
        let after = self.text.peek()?;
        let is_end = after.is_none_or(|b| b == self.delimiter || b == b'\n' || b == b'\r');
        let line = self.text.position().line.get();
        ensure!(is_end, "line {line}: more follows the quotes that close a field");
        Ok(())
    }
}
