//! The pages of one state, and the numbers in them.
//!
//! Pages come through `sqlite_dbpage`, so they belong to the connection's read transaction, WAL
//! included. Pages of a finished file are read from it directly, many at once if they are
//! consecutive. Everything read here is untrusted: what does not fit is an error, never a panic.

use std::os::unix::fs::FileExt as _;

use anyhow::{Context, Result};
use rusqlite::Statement;

use crate::console::interrupt::Interrupt;
use crate::rows::diff::State;
use crate::sqlite::connection;
use crate::sqlite::header::HEADER_LENGTH;

/// Pages read at once if those before were read last.
const READ_AHEAD: usize = 32;

/// The pages of one state.
pub(super) struct Pages<'c> {
    reading: Reading<'c>,
    header: [u8; HEADER_LENGTH],
    count: u64,
    usable: usize,
}

/// A tree in the pages of one state.
pub(super) struct Tree<'p, 'c> {
    /// The state's pages.
    pub pages: &'p mut Pages<'c>,
    /// The one that the tree begins at.
    pub root: u32,
}

impl<'c> Pages<'c> {
    /// The pages of a state; `None` if there are none, or the build has no `sqlite_dbpage`.
    ///
    /// # Errors
    ///
    /// If the first page cannot be read.
    pub(super) fn of(state: State<'c>) -> Result<Option<Self>> {
        let count = connection::pragma::<i64>(state.connection, "page_count")?.try_into()?;
        let question = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
        let reading = match (state.file, state.connection.prepare(question)) {
            (Some((path, interrupt)), _) => Reading::File(Ahead {
                interrupt,
                file: fs_err::File::open(path)?,
                page_bytes: connection::pragma::<i64>(state.connection, "page_size")?.try_into()?,
                from: 0,
                n_read: 0,
                bytes: Vec::new(),
            }),
            (None, Ok(statement)) => Reading::Sqlite(statement),
            (None, Err(_)) => return Ok(None),
        };
        if count == 0 {
            return Ok(None);
        }
        let mut pages = Self { reading, header: [0; HEADER_LENGTH], count, usable: 0 };
        let mut first = Vec::new();
        pages.read(1, &mut first)?;
        let header = first.first_chunk().context("the first page has no header")?;
        (pages.header, pages.usable) = (*header, usable_bytes(header));
        Ok(Some(pages))
    }

    /// Reads one page.
    ///
    /// # Errors
    ///
    /// If there is none of that number, or it cannot be read.
    pub(super) fn read(&mut self, number: u32, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let statement = match &mut self.reading {
            Reading::Sqlite(statement) => statement,
            Reading::File(ahead) => {
                into.extend_from_slice(ahead.page(number)?);
                return Ok(());
            }
        };
        let mut rows = statement.query([number])?;
        let row = rows.next()?.with_context(|| no_page(number))?;
        into.extend_from_slice(row.get_ref(0)?.as_blob().context("a page has no content")?);
        Ok(())
    }

    /// Everything that decides how a record is laid out: the bytes of a page that are used, the
    /// schema format and the encoding. If these are equal, records of two states can be compared
    /// byte by byte.
    pub(super) fn layout(&self) -> (usize, [u8; 4], u8) {
        let format = [self.header[44], self.header[45], self.header[46], self.header[47]];
        // An empty database has no encoding yet, and becomes UTF-8.
        (self.usable, format, self.header[59].max(1))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The bytes of a page that contain content.
    pub(super) fn usable_bytes(&self) -> usize {
        self.usable
    }
}

fn usable_bytes(header: &[u8; HEADER_LENGTH]) -> usize {
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => usize::from(bytes),
    };
    page_bytes.saturating_sub(usize::from(header[20]))
}

/// The source from which pages are read.
enum Reading<'c> {
    Sqlite(Statement<'c>),
    File(Ahead<'c>),
}

/// A finished file that is read ahead.
struct Ahead<'c> {
    interrupt: &'c Interrupt,
    file: fs_err::File,
    page_bytes: usize,
    /// The last reading: its offset, its length, and the bytes, with room for more behind them.
    from: u64,
    n_read: usize,
    bytes: Vec<u8>,
}

impl Ahead<'_> {
    fn page(&mut self, number: u32) -> Result<&[u8]> {
        let index = u64::from(number).checked_sub(1).with_context(|| no_page(number))?;
        let at = index * self.page_bytes as u64;
        let until = self.from + self.n_read as u64;
        if at < self.from || at + self.page_bytes as u64 > until {
            let ahead_bytes = READ_AHEAD * self.page_bytes;
            let is_near = (until..until + ahead_bytes as u64).contains(&at);
            self.fill(at, if is_near { ahead_bytes } else { self.page_bytes })?;
        }
        let start = usize::try_from(at - self.from)?;
        let read = self.bytes.get(..self.n_read).unwrap_or_default();
        read.get(start..start + self.page_bytes).with_context(|| no_page(number))
    }

    /// Reads this many bytes, or up to the end of the file.
    fn fill(&mut self, at: u64, n_bytes: usize) -> Result<()> {
        self.interrupt.check()?;
        if self.bytes.len() < n_bytes {
            self.bytes = vec![0; n_bytes];
        }
        (self.from, self.n_read) = (at, 0);
        while self.n_read < n_bytes {
            let room = &mut self.bytes[self.n_read..n_bytes];
            match self.file.file().read_at(room, at + self.n_read as u64)? {
                0 => break,
                n => self.n_read += n,
            }
        }
        Ok(())
    }
}

fn no_page(number: u32) -> String {
    format!("there is no page {number}")
}

/// How much of a record is in its page, where `most` is how much of a short one does.
pub(super) fn n_local(n_bytes: usize, usable: usize, most: usize) -> usize {
    if n_bytes <= most {
        return n_bytes;
    }
    let least = (usable.saturating_sub(12) * 32 / 255).saturating_sub(23);
    let surplus = least + (n_bytes - least) % usable.saturating_sub(4).max(1);
    if surplus <= most { surplus } else { least }
}

/// A number of one to nine bytes, and how many it takes.
///
/// # Errors
///
/// If the bytes end before it does.
pub(super) fn varint(bytes: &[u8]) -> Result<(u64, usize)> {
    let mut value = 0;
    for at in 0..8 {
        let byte = *bytes.get(at).context("a number is cut off")?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Ok((value, at + 1));
        }
    }
    let last = *bytes.get(8).context("a number is cut off")?;
    Ok((value << 8 | u64::from(last), 9))
}

/// Two bytes as a number.
///
/// # Errors
///
/// If the bytes end before it does.
pub(super) fn two_bytes(page: &[u8], at: usize) -> Result<u16> {
    let bytes = page.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map(|bytes| u16::from_be_bytes(*bytes)).context("a page is cut off")
}

/// Four bytes as a page number.
///
/// # Errors
///
/// If the bytes end before it does.
pub(super) fn four_bytes(page: &[u8], at: usize) -> Result<u32> {
    let bytes = page.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map(|bytes| u32::from_be_bytes(*bytes)).context("a page is cut off")
}
