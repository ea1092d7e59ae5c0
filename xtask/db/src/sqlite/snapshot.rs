//! One consistent snapshot of a live database.

pub(crate) mod copy;
pub(crate) mod held_file;

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::sqlite::connection::pragma;
use crate::sqlite::snapshot::held_file::HeldFile;

/// How the pages of a snapshot are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Through the table `sqlite_dbpage`.
    Pages,
    /// Through the backup API, if the build lacks that table.
    BackupApi,
}

/// One consistent state of a database, held as a read transaction until it is dropped.
pub(crate) struct Snapshot<'c> {
    connection: &'c Connection,
    /// Number of pages.
    pub n_pages: u64,
    /// Page size.
    pub page_size_bytes: u64,
    /// The journal mode, e.g. `wal` or `delete`.
    pub journal_mode: String,
    /// How its pages are read.
    pub reading: Reading,
    /// The file of the database, if it has all the pages and keeps them meanwhile.
    pub(crate) file: Option<HeldFile>,
}

impl<'c> Snapshot<'c> {
    /// Begins a read transaction.
    ///
    /// # Errors
    ///
    /// If the database is locked longer than the connection's timeout, or cannot be read.
    pub(crate) fn begin(connection: &'c Connection) -> Result<Self> {
        let journal_mode = pragma(connection, "journal_mode")?;
        connection.execute_batch("BEGIN")?;
        let mut snapshot = Self {
            connection,
            n_pages: 0,
            page_size_bytes: 0,
            journal_mode,
            reading: Reading::BackupApi,
            file: None,
        };
        // The transaction begins with the first read, not with BEGIN.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        snapshot.n_pages = pragma::<i64>(connection, "page_count")?.try_into()?;
        snapshot.page_size_bytes = pragma::<i64>(connection, "page_size")?.try_into()?;
        if has_pages(connection) {
            snapshot.reading = Reading::Pages;
        }
        Ok(snapshot)
    }

    /// Size of the database in this state.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.n_pages * self.page_size_bytes
    }

    /// The connection with the read transaction.
    #[must_use]
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    /// Reads every page in order, through `sqlite_dbpage`.
    ///
    /// # Errors
    ///
    /// If a page cannot be read, there are more or fewer than announced, or `each` fails.
    pub(crate) fn each_page(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT data FROM sqlite_dbpage")?;
        let mut rows = statement.query([])?;
        let mut n_pages = 0;
        while let Some(row) = rows.next()? {
            let ValueRef::Blob(page) = row.get_ref(0)? else {
                anyhow::bail!("page {} has no content", n_pages + 1);
            };
            n_pages += 1;
            each(page)?;
        }
        anyhow::ensure!(
            n_pages == self.n_pages,
            "read {n_pages} pages of {} in one transaction",
            self.n_pages
        );
        Ok(())
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written: if even this fails, closing the connection ends it.
        let _ = self.connection.execute_batch("ROLLBACK");
    }
}

/// Whether this build can read pages through `sqlite_dbpage`.
#[must_use]
pub(crate) fn has_pages(connection: &Connection) -> bool {
    connection.prepare("SELECT data FROM sqlite_dbpage").is_ok()
}
