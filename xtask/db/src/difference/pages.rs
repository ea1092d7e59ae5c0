//! The pages of one state, and the leaves of one table's tree in the order of their rowids
//! (<https://sqlite.org/fileformat2.html#b_tree_pages>).
//!
//! Pages come through `sqlite_dbpage`, so that they are those of the connection's read transaction,
//! WAL included. Everything read here is untrusted: what does not fit is an error, never a panic.

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, Statement};

use crate::database;
use crate::standing::HEADER_LENGTH;

/// SQLite's own limit of a record, bytes.
const MOST_RECORD_BYTES: u64 = 1 << 31;

/// The pages of one state.
pub(super) struct Pages<'c> {
    statement: Statement<'c>,
    header: [u8; HEADER_LENGTH],
    n_pages: u64,
    usable: usize,
}

impl<'c> Pages<'c> {
    /// The pages that a connection sees; `None` where there are none, or its build has no
    /// `sqlite_dbpage`.
    ///
    /// # Errors
    ///
    /// Where the first page cannot be read.
    pub(super) fn of(connection: &'c Connection) -> Result<Option<Self>> {
        let question = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
        let Ok(statement) = connection.prepare(question) else {
            return Ok(None);
        };
        let n_pages = database::pragma::<i64>(connection, "page_count")?.try_into()?;
        if n_pages == 0 {
            return Ok(None);
        }
        let mut pages = Self { statement, header: [0; HEADER_LENGTH], n_pages, usable: 0 };
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
    /// Where there is none of that number, or it cannot be read.
    pub(super) fn read(&mut self, number: u32, into: &mut Vec<u8>) -> Result<()> {
        let mut rows = self.statement.query([number])?;
        let row = rows.next()?.with_context(|| format!("there is no page {number}"))?;
        into.clear();
        into.extend_from_slice(row.get_ref(0)?.as_blob().context("a page has no content")?);
        Ok(())
    }

    /// What decides how a record is laid out: the bytes of a page that are used, the schema format
    /// and the encoding. Records of two states can be compared byte by byte where these are equal.
    pub(super) fn layout(&self) -> (usize, [u8; 4], u8) {
        let format = [self.header[44], self.header[45], self.header[46], self.header[47]];
        // An empty database has no encoding yet, and becomes UTF-8.
        (self.usable, format, self.header[59].max(1))
    }

    /// How many there are.
    pub(super) fn n_pages(&self) -> u64 {
        self.n_pages
    }

    /// The bytes of a page that hold content.
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

/// A tree's leaves, one after the other, and the cells of the present one.
pub(super) struct Leaves<'p, 'c> {
    pages: &'p mut Pages<'c>,
    /// For each level above the leaf, the children that are still to come, the last one first.
    above: Vec<Vec<u32>>,
    page: Vec<u8>,
    /// Where the page's own header begins: behind the database's on page 1.
    start: usize,
    n_cells: usize,
    /// The present cell.
    at: usize,
    ended: bool,
    /// How many pages more there can be: a circle of them ends here.
    n_left: u64,
}

/// A row as a leaf holds it.
#[derive(Clone, Copy)]
pub(super) struct Cell<'l> {
    /// Its rowid.
    pub rowid: i64,
    /// Bytes of the whole record.
    pub n_bytes: usize,
    /// The beginning of the record: all of it, where it has no overflow.
    pub local: &'l [u8],
    /// The first page of the rest; 0 for none.
    pub overflow: u32,
}

impl<'p, 'c> Leaves<'p, 'c> {
    /// Goes to the first leaf of the tree that begins at a page.
    ///
    /// # Errors
    ///
    /// Where a page cannot be read or is none of a table's tree.
    pub(super) fn of(pages: &'p mut Pages<'c>, root: u32) -> Result<Self> {
        let mut leaves = Self {
            n_left: pages.n_pages,
            pages,
            above: vec![vec![root]],
            page: Vec::new(),
            start: 0,
            n_cells: 0,
            at: 0,
            ended: false,
        };
        leaves.next_leaf()?;
        Ok(leaves)
    }

    /// The pages it reads from.
    pub(super) fn pages(&mut self) -> &mut Pages<'c> {
        self.pages
    }

    /// The bytes of the present leaf, where it is new: none of its cells was passed yet.
    pub(super) fn fresh_page(&self) -> Option<&[u8]> {
        (self.at == 0 && self.start == 0 && !self.ended).then_some(&self.page)
    }

    /// The present cell; `None` after the last.
    ///
    /// # Errors
    ///
    /// Where the page holds none there.
    pub(super) fn cell(&self) -> Result<Option<Cell<'_>>> {
        if self.ended { Ok(None) } else { self.cell_at(self.at).map(Some) }
    }

    /// Goes on to the next cell.
    ///
    /// # Errors
    ///
    /// Where the next page cannot be read.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.at += 1;
        if self.at < self.n_cells { Ok(()) } else { self.next_leaf() }
    }

    /// Goes on to the next leaf that has cells.
    ///
    /// # Errors
    ///
    /// Where a page cannot be read or is none of a table's tree.
    pub(super) fn next_leaf(&mut self) -> Result<()> {
        loop {
            let Some(children) = self.above.last_mut() else {
                self.ended = true;
                return Ok(());
            };
            let Some(child) = children.pop() else {
                self.above.pop();
                continue;
            };
            self.go_to(child)?;
            if self.n_cells > 0 {
                return Ok(());
            }
        }
    }

    fn go_to(&mut self, number: u32) -> Result<()> {
        self.n_left = self.n_left.checked_sub(1).context("the pages of a tree run in a circle")?;
        self.pages.read(number, &mut self.page)?;
        self.start = if number == 1 { HEADER_LENGTH } else { 0 };
        self.at = 0;
        let n_cells = usize::from(two_bytes(&self.page, self.start + 3)?);
        match self.page.get(self.start) {
            Some(13) => self.n_cells = n_cells,
            Some(5) => {
                self.n_cells = 0;
                let mut children = vec![four_bytes(&self.page, self.start + 8)?];
                for cell in (0..n_cells).rev() {
                    let at = two_bytes(&self.page, self.start + 12 + 2 * cell)?;
                    children.push(four_bytes(&self.page, usize::from(at))?);
                }
                self.above.push(children);
            }
            _ => anyhow::bail!("page {number} is none of a table's tree"),
        }
        Ok(())
    }

    /// The rows of the present leaf that go on elsewhere.
    ///
    /// # Errors
    ///
    /// Where a cell does not fit its page.
    pub(super) fn long_rows(&self, into: &mut Vec<(u32, usize)>) -> Result<()> {
        into.clear();
        let most = self.pages.usable.saturating_sub(35);
        let pointers = self.start + 8..self.start + 8 + 2 * self.n_cells;
        let pointers = self.page.get(pointers).context("a page is cut off")?;
        // Every row of every table comes by here: a short one is known by its first two bytes.
        for (index, pointer) in pointers.chunks_exact(2).enumerate() {
            let at = usize::from(pointer[0]) << 8 | usize::from(pointer[1]);
            if at + 1 < self.page.len() {
                let (first, second) = (self.page[at], self.page[at + 1]);
                let n_bytes = usize::from(first & 0x7f) << 7 | usize::from(second & 0x7f);
                if first < 0x80 || (second < 0x80 && n_bytes <= most) {
                    continue;
                }
            }
            let cell = self.cell_at(index)?;
            if cell.overflow != 0 {
                into.push((cell.overflow, cell.n_bytes - cell.local.len()));
            }
        }
        Ok(())
    }

    /// The present cell, and the pages on which it may go on.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub(super) fn cell_and_pages(&mut self) -> Result<(Cell<'_>, &mut Pages<'c>)> {
        let cell = cell_at(&self.page, self.start, self.at, self.pages.usable)?;
        Ok((cell, self.pages))
    }

    fn cell_at(&self, index: usize) -> Result<Cell<'_>> {
        cell_at(&self.page, self.start, index, self.pages.usable)
    }
}

fn cell_at(page: &[u8], start: usize, index: usize, usable: usize) -> Result<Cell<'_>> {
    let at = usize::from(two_bytes(page, start + 8 + 2 * index)?);
    let bytes = page.get(at..).context("a cell lies outside its page")?;
    let (n_bytes, n_length) = varint(bytes)?;
    let (rowid, n_rowid) = varint(&bytes[n_length..])?;
    ensure!(n_bytes < MOST_RECORD_BYTES, "a record is too long");
    let n_bytes = usize::try_from(n_bytes)?;
    let bytes = &bytes[n_length + n_rowid..];
    let n_local = n_local(n_bytes, usable, usable.saturating_sub(35));
    let local = bytes.get(..n_local).context("a record lies outside its page")?;
    let overflow = if n_local < n_bytes { four_bytes(bytes, n_local)? } else { 0 };
    Ok(Cell { rowid: rowid.cast_signed(), n_bytes, local, overflow })
}

/// How much of a record lies in its page, where `most` is how much of a short one does.
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
/// Where the bytes end before it does.
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
/// Where the bytes end before it does.
pub(super) fn two_bytes(page: &[u8], at: usize) -> Result<u16> {
    let bytes = page.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map(|bytes| u16::from_be_bytes(*bytes)).context("a page is cut off")
}

/// Four bytes as a page number.
///
/// # Errors
///
/// Where the bytes end before it does.
pub(super) fn four_bytes(page: &[u8], at: usize) -> Result<u32> {
    let bytes = page.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map(|bytes| u32::from_be_bytes(*bytes)).context("a page is cut off")
}
