//! A scratch file with the rows of some tables of one state.

use anyhow::{Context as _, Result};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::files::stage::{Scratch, Stage};
use crate::migrate::on_server::names::{Named, NamedColumn};
use crate::postgres::catalogue::Column;
use crate::postgres::copy_rows;
use crate::sqlite::connection::{self, quoted};

/// Which of the two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// The file.
pub(super) struct RowsFile {
    /// Where it is; it is removed with this.
    pub(super) stage: Stage,
    connection: Connection,
    side: Side,
}

/// What the lines of a table contain, and where they go.
pub(super) struct LinesOf {
    table: String,
    insert: String,
    forms: Vec<Form>,
}

/// How the values of a type are kept: those of most types as the text that the server prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Integer,
    Bytes,
    Text,
}

impl Side {
    /// The column of this state.
    pub(super) fn of<'c>(self, column: &NamedColumn<'c>) -> Option<&'c Column> {
        if self == Self::Before { column.before } else { column.after }
    }

    /// The size of a page differs between the two, so that nothing is taken for equal because it is on equal pages.
    fn page_size(self) -> u32 {
        if self == Self::Before { 4096 } else { 8192 }
    }

    fn file_name(self) -> &'static str {
        if self == Self::Before { "before" } else { "after" }
    }
}

impl Form {
    fn of(column: &Column) -> Self {
        match column.declared_type.as_str() {
            "smallint" | "integer" | "bigint" => Self::Integer,
            "bytea" => Self::Bytes,
            _ => Self::Text,
        }
    }

    fn value(self, text: Vec<u8>) -> Value {
        let as_text = |text: Vec<u8>| match String::from_utf8(text) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Blob(error.into_bytes()),
        };
        match self {
            Self::Integer => {
                match std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
                    Some(number) => Value::Integer(number),
                    None => as_text(text),
                }
            }
            Self::Bytes => text
                .strip_prefix(b"\\x")
                .and_then(bytes_of)
                .map_or_else(|| as_text(text.clone()), Value::Blob),
            Self::Text => as_text(text),
        }
    }
}

fn bytes_of(hex: &[u8]) -> Option<Vec<u8>> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.chunks(2).map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

impl RowsFile {
    /// Creates it in a private folder.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub(super) fn create(scratch: &Scratch, side: Side) -> Result<Self> {
        let stage = scratch.stage(side.file_name())?;
        let connection = connection::open_scratch(stage.path())?;
        let page_size = side.page_size();
        connection.execute_batch(&format!("PRAGMA page_size={page_size}; BEGIN"))?;
        Ok(Self { stage, connection, side })
    }

    /// Takes the first pages of the file, so that no table of it begins where one of the other file does: the order of
    /// rows without a key means nothing.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub(super) fn shift(&self, n_tables: usize) -> Result<()> {
        // A table takes two pages if it has a key.
        for n in 0..2 * n_tables + 2 {
            self.connection.execute_batch(&format!("CREATE TABLE \"~{n}\" (\"~\")"))?;
        }
        Ok(())
    }

    /// Begins a table.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub(super) fn table(&self, of: &Named<'_>) -> Result<()> {
        let key = &of.key;
        let columns = self.columns(of);
        let is_number = |name: &str| {
            let column = of.columns.iter().find(|column| column.name == name);
            let both = column.into_iter().flat_map(|column| [column.before, column.after]);
            both.flatten().all(|column| Form::of(column) == Form::Integer)
        };
        let definition = |column: &&NamedColumn<'_>| {
            let is_key = key.len() == 1 && key[0] == column.name && is_number(&column.name);
            let kind = if is_key { " INTEGER PRIMARY KEY" } else { "" };
            format!("{}{kind}", quoted(&column.name))
        };
        let mut parts: Vec<_> = columns.iter().map(definition).collect();
        if key.len() > 1 || key.first().is_some_and(|name| !is_number(name)) {
            let key: Vec<_> = key.iter().map(|name| quoted(name)).collect();
            parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        if parts.is_empty() {
            // SQLite has no table without a column.
            parts.push("\"~\"".to_owned());
        }
        let create = format!("CREATE TABLE {} ({})", quoted(&of.name), parts.join(", "));
        Ok(self.connection.execute_batch(&create)?)
    }

    /// The columns that this state has.
    pub(super) fn columns<'n, 'c>(&self, of: &'n Named<'c>) -> Vec<&'n NamedColumn<'c>> {
        of.columns.iter().filter(|column| self.side.of(column).is_some()).collect()
    }

    /// Prepares for the rows of a table, of which `columns` are the values in each line.
    pub(super) fn lines_of(&self, table: &Named<'_>, columns: &[&NamedColumn<'_>]) -> LinesOf {
        let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
        let table = &table.name;
        let insert = if names.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", quoted(table))
        } else {
            let marks = vec!["?"; names.len()].join(", ");
            format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(table), names.join(", "))
        };
        let form = |column: &&NamedColumn<'_>| self.side.of(column).map_or(Form::Text, Form::of);
        LinesOf { table: table.clone(), insert, forms: columns.iter().map(form).collect() }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// If there is no room, or the line has another number of values.
    pub(super) fn add(&self, of: &LinesOf, line: &[u8]) -> Result<()> {
        let LinesOf { table, insert, forms } = of;
        // A row without a column is an empty line, like one with an empty value.
        let texts = if forms.is_empty() { Vec::new() } else { copy_rows::values(line) };
        anyhow::ensure!(
            texts.len() == forms.len(),
            "a row of `{table}` has another number of values"
        );
        let values = texts.into_iter().zip(forms);
        let values = values.map(|(text, form)| text.map_or(Value::Null, |text| form.value(text)));
        self.connection.prepare_cached(insert)?.execute(params_from_iter(values))?;
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub(super) fn finish(self) -> Result<Stage> {
        self.connection.execute_batch("COMMIT")?;
        self.connection
            .close()
            .map_err(|(_, error)| error)
            .context("could not write a scratch file")?;
        Ok(self.stage)
    }
}
