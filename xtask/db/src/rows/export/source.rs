//! How the rows of one table are read, and in which order: by primary key, else by rowid.

use anyhow::Result;
use rusqlite::Connection;
use xtask_db_format::{IsUnicode, TableHead, Taken, Writer, copy_rows};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::subset::Member;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{COUNTERS, Storage, Table};
use crate::sqlite::utf16::Utf16;

/// The query, and the encoding of its texts.
pub(super) struct Reading<'c> {
    /// One state of a database.
    pub connection: &'c Connection,
    /// Its encoding, if that is not UTF-8.
    pub utf16: Option<Utf16>,
}

/// A statement that reads the rows of a table.
pub(super) struct Source {
    /// The statement; every column is named with its table, so that none can be taken for a text.
    sql: String,
    /// How to read the rows that it returns.
    taken: Taken,
    /// The statement that counts the rows in another way, if they are read through an index: one
    /// that is damaged may lack some. In a subset, how many were chosen.
    count: Option<String>,
}

impl Source {
    /// Reads a table, or the chosen rows of it.
    ///
    /// # Errors
    ///
    /// If its indexes cannot be read.
    pub(super) fn of(
        &Reading { connection, utf16 }: &Reading<'_>,
        table: &Table,
        head: &TableHead,
        chosen: Option<&Member>,
    ) -> Result<Self> {
        let mut list: Vec<String> = head.rowid.iter().map(|name| format!("r.{name}")).collect();
        list.extend(head.columns.iter().map(|column| format!("r.{}", quoted(column))));
        let n_values = list.len();
        if utf16.is_some() {
            let raw = |value: &String| {
                format!("iif(typeof({value})='text', CAST({value} AS BLOB), NULL)")
            };
            list.extend(list.iter().map(raw).collect::<Vec<_>>());
        }
        let (list, name) = (list.join(", "), quoted(&table.name));
        let order = Order::of(connection, table)?;
        let (sql, count) = match chosen {
            None => (
                format!("SELECT {list} FROM main.{name} AS r {}", order.sql()),
                matches!(order, Order::Key(_))
                    .then(|| format!("SELECT count(*) FROM main.{name} NOT INDEXED")),
            ),
            Some(member) => (
                format!(
                    "SELECT {list} FROM {} AS f NOT INDEXED CROSS JOIN main.{name} AS r ON {} {}",
                    member.rows(),
                    member.is_row("r", "f.k"),
                    order.sql_of_chosen()
                ),
                Some(format!("SELECT count(*) FROM {}", member.rows())),
            ),
        };
        let utf16 = utf16.map(|utf16| -> IsUnicode {
            match utf16 {
                Utf16::Little => |bytes: &[u8]| Utf16::Little.is_unicode(bytes),
                Utf16::Big => |bytes: &[u8]| Utf16::Big.is_unicode(bytes),
            }
        });
        Ok(Self { sql, taken: Taken { n_values, utf16 }, count })
    }

    /// Writes every row; returns how many there were. `look` hears now and then how many bytes were
    /// written, and may end it.
    ///
    /// # Errors
    ///
    /// If the table cannot be read, or what an index has of it is not all; if the rows cannot be
    /// written; as `look`.
    pub(super) fn write(
        &self,
        connection: &Connection,
        writer: &mut Writer<'_, '_>,
        look: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<u64> {
        let mut statement = connection.prepare(&self.sql)?;
        let mut rows = statement.query([])?;
        let n_rows = copy_rows(&mut rows, self.taken, writer, look)?;
        drop(rows);
        self.compare(connection, n_rows)?;
        Ok(n_rows)
    }

    fn compare(&self, connection: &Connection, n_read: u64) -> Result<()> {
        let Some(count) = &self.count else { return Ok(()) };
        let n_rows: i64 = connection.query_row(count, [], |row| row.get(0))?;
        let n_rows = n_rows.cast_unsigned();
        if n_rows == n_read {
            return Ok(());
        }
        Err(Refusal::no(
            format!(
                "the index of its primary key leads to {}, but there are {}: it is damaged",
                text::count(n_read, "row"),
                text::count(n_rows, "row")
            ),
            "nothing was exported; `REINDEX` repairs an index, and `cargo xtask db-export latest` \
             exports the newest backup",
        ))
    }
}

/// In which order rows come.
enum Order {
    /// Sorted by these expressions, through an index or by sorting.
    Key(Vec<String>),
    /// In the order of the tree of a table WITHOUT ROWID, or of a module.
    Tree(Vec<String>),
    /// Sorted by rowid.
    Rowid(Option<String>),
}

impl Order {
    fn of(connection: &Connection, table: &Table) -> Result<Self> {
        if table.name == COUNTERS {
            return Ok(Self::Tree(vec!["r.name".to_owned(), "r.rowid".to_owned()]));
        }
        let rowid = || table.rowid_name().map(|name| format!("r.{}", quoted(&name)));
        if let Storage::Virtual(module) = &table.storage {
            let by = if module.starts_with("rtree") {
                table.columns.first().map(|id| format!("r.{}", quoted(&id.name)))
            } else {
                rowid()
            };
            return Ok(Self::Tree(by.into_iter().collect()));
        }
        let mut key = key(connection, &table.name)?;
        if table.storage == Storage::WithoutRowid {
            return Ok(Self::Tree(key));
        }
        if key.is_empty() || table.rowid_column().is_some() {
            return Ok(Self::Rowid(rowid()));
        }
        // Several rows may have NULL in their key.
        key.extend(rowid());
        Ok(Self::Key(key))
    }

    /// Does the same if rows are looked up one by one, those of a rowid table in its order.
    fn sql_of_chosen(&self) -> String {
        match self {
            Self::Rowid(_) => "ORDER BY f.k0".to_owned(),
            Self::Key(_) | Self::Tree(_) => self.sql(),
        }
    }

    fn sql(&self) -> String {
        match self {
            Self::Key(by) | Self::Tree(by) if by.is_empty() => String::new(),
            Self::Key(by) | Self::Tree(by) => format!("ORDER BY {}", by.join(", ")),
            // An index that contains all columns would be read in its own order.
            Self::Rowid(None) => "NOT INDEXED".to_owned(),
            Self::Rowid(Some(rowid)) => format!("NOT INDEXED ORDER BY {rowid}"),
        }
    }
}

/// The primary key in the form of its index; empty if there is none. A collation that the
/// application defines is replaced by the order of bytes.
fn key(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name, upper(coll), \"desc\" FROM pragma_index_xinfo(
             (SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk')) WHERE key",
    )?;
    let mut rows = statement.query([table])?;
    let mut key = Vec::new();
    while let Some(row) = rows.next()? {
        let (column, collation): (String, String) = (row.get(0)?, row.get(1)?);
        let is_known = ["BINARY", "NOCASE", "RTRIM"].contains(&collation.as_str());
        let collation = if is_known { collation.as_str() } else { "BINARY" };
        let direction = if row.get(2)? { " DESC" } else { "" };
        key.push(format!("r.{} COLLATE {collation}{direction}", quoted(&column)));
    }
    Ok(key)
}
