//! Reads an export that is a folder of CSV files: values in quotes are texts, the type of any other
//! value follows from its form. Memory is bounded by the longest row.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::csv::{DOCUMENT, file_name};
use crate::fields::{Field, Fields, Place, Row};
use crate::header::{Header, Rows, TableHead};
use crate::reader::pieces::{Ended, Piece, Pieces};
use crate::reader::{compare_counts, header_of_document};
use crate::{Reading, digits, parse};

/// Opens a file of the folder by its name.
pub type OpenFile = Box<dyn Fn(&str) -> Result<Box<dyn Read>>>;

/// An export in CSV that is being read.
pub struct CsvReader {
    open: OpenFile,
    header: Header,
    said: BTreeMap<String, u64>,
    fields: Fields,
    /// The table whose rows are being read, in its file.
    table: usize,
    file: Option<Pieces<Box<dyn Read>>>,
    counts: Vec<u64>,
    n_bytes_before: u64,
}

impl CsvReader {
    /// Reads the header, which is a file of its own.
    ///
    /// # Errors
    ///
    /// [`crate::Newer`] if a newer version wrote it; if it is not an export at all.
    pub fn open(open: OpenFile) -> Result<Self> {
        let mut bytes = Vec::new();
        open(DOCUMENT)?.read_to_end(&mut bytes).context("could not read the export")?;
        let parsed = || -> Result<(Header, BTreeMap<String, u64>)> {
            let general: Value = serde_json::from_slice(&bytes).context("it is not JSON")?;
            let said = general.get("counts").cloned().context("`counts` is missing")?;
            let said = serde_json::from_value(said).context("`counts`")?;
            Ok((header_of_document(general)?, said))
        };
        let (header, said) = parsed().with_context(|| format!("`{DOCUMENT}`"))?;
        Ok(Self {
            open,
            said,
            fields: Fields::default(),
            table: 0,
            file: None,
            counts: vec![0; header.tables.len()],
            n_bytes_before: bytes.len() as u64,
            header,
        })
    }

    /// Takes the next row, from the next file where one is done; whether there was one.
    fn step(&mut self) -> Result<bool> {
        while let Some(table) = self.header.tables.get(self.table) {
            let file = match &mut self.file {
                Some(file) => file,
                None if table.rows != Rows::Here => {
                    self.table += 1;
                    continue;
                }
                none => none.insert(Pieces::new(opened(&self.open, table)?)),
            };
            self.fields.clear();
            if file.n_records() == 0 {
                read_names(file, table)?;
            }
            if read_row(file, table, &mut self.fields)? {
                return Ok(true);
            }
            self.n_bytes_before += file.n_bytes();
            self.file = None;
            self.table += 1;
        }
        compare_counts(&self.header, &self.counts, &self.said, "`export.json`")?;
        Ok(false)
    }
}

fn opened(open: &OpenFile, table: &TableHead) -> Result<Box<dyn Read>> {
    open(&file_name(&table.name)).with_context(|| format!("the rows of `{}`", table.name))
}

/// The first line has the names of the columns.
fn read_names(file: &mut Pieces<Box<dyn Read>>, table: &TableHead) -> Result<()> {
    let mut names = table.members().peekable();
    ensure!(names.peek().is_some(), "the header has a table without columns");
    while let Some(name) = names.next() {
        let mut found = Vec::new();
        let (piece, ended) = file.next(&mut found)?.context("it has no column names")?;
        let found = if piece == Piece::Bare { file.bare() } else { &found };
        let found = String::from_utf8_lossy(found);
        ensure!(found == name, "expected column `{name}`, found `{found}`");
        let is_last = names.peek().is_none();
        ensure!((ended == Ended::Record) == is_last, "its columns differ from those in the header");
    }
    Ok(())
}

/// Reads a row; whether there was one.
fn read_row(
    file: &mut Pieces<Box<dyn Read>>,
    table: &TableHead,
    fields: &mut Fields,
) -> Result<bool> {
    let mut names = table.members().peekable();
    let mut is_first = true;
    while let Some(name) = names.next() {
        let begin = fields.unescaped().len();
        let Some((piece, ended)) = file.next(fields.unescaped())? else {
            ensure!(is_first, "a row ends too early: the file was cut short");
            return Ok(false);
        };
        is_first = false;
        let field = match piece {
            Piece::Quoted => text(fields.since(begin), fields),
            Piece::Bare => bare(file.bare(), fields),
        };
        fields.push(field.with_context(|| format!("column `{name}`"))?);
        let is_last = names.peek().is_none();
        ensure!((ended == Ended::Record) == is_last, "a row has the wrong number of values");
    }
    Ok(true)
}

fn text(place: Place, fields: &Fields) -> Result<Field> {
    ensure!(std::str::from_utf8(fields.at(&place, &[])).is_ok(), "a text is not UTF-8");
    Ok(Field::Text(place))
}

/// The form of an unquoted value shows its type.
fn bare(bytes: &[u8], fields: &mut Fields) -> Result<Field> {
    let cast = bytes.strip_prefix(b"CAST(").and_then(|rest| rest.strip_suffix(b" AS TEXT)"));
    Ok(match bytes {
        [] => Field::Null,
        b"9e999" => Field::Real(f64::INFINITY),
        b"-9e999" => Field::Real(f64::NEG_INFINITY),
        [b'-' | b'0'..=b'9', ..] => parse::number(bytes)?,
        _ => match cast {
            Some(bytes) => Field::OddText(hex(bytes, fields)?),
            None => Field::Blob(hex(bytes, fields)?),
        },
    })
}

/// The bytes of `X'00FF'`.
fn hex(bytes: &[u8], fields: &mut Fields) -> Result<Place> {
    let digits = bytes.strip_prefix(b"X'").and_then(|rest| rest.strip_suffix(b"'"));
    let digits = digits.context("a value of an unknown form: texts must be quoted")?;
    let begin = fields.unescaped().len();
    digits::from_hex(digits, fields.unescaped()).context("odd hexadecimal digits")?;
    Ok(fields.since(begin))
}

impl Reading for CsvReader {
    fn header(&self) -> &Header {
        &self.header
    }

    fn counts(&self) -> &[u64] {
        &self.counts
    }

    fn place(&self) -> String {
        match (&self.file, self.header.tables.get(self.table)) {
            (Some(file), Some(table)) => {
                format!("`{}`, line {}", file_name(&table.name), file.line())
            }
            _ => format!("`{DOCUMENT}`"),
        }
    }

    fn n_bytes(&self) -> u64 {
        self.n_bytes_before + self.file.as_ref().map_or(0, Pieces::n_bytes)
    }

    fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        if !self.step().with_context(|| self.place())? {
            return Ok(None);
        }
        self.counts[self.table] += 1;
        Ok(Some(Row { table: self.table, fields: &self.fields, bytes: &[] }))
    }
}
