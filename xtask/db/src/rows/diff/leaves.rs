//! The leaves of one table's tree in the order of their rowids, and the rows in them
//! (<https://sqlite.org/fileformat2.html#b_tree_pages>).

use anyhow::{Context, Result, ensure};

use crate::rows::diff::pages::{Pages, Tree, four_bytes, n_local, two_bytes, varint};
use crate::sqlite::header::HEADER_LENGTH;

/// SQLite's own limit of a record, bytes.
const MAX_RECORD_BYTES: u64 = 1 << 31;

/// A tree's leaves in order, and the cells of the current one.
pub(super) struct Leaves<'p, 'c> {
    pages: &'p mut Pages<'c>,
    /// For each level above the leaf, the children that are still to come, the last one first.
    above: Vec<Vec<u32>>,
    page: Vec<u8>,
    /// Offset of the page's own header: behind the database's header on page 1.
    start: usize,
    n_cells: usize,
    /// The present cell.
    at: usize,
    ended: bool,
    /// How many pages more there can be: a circle of them ends here.
    n_left: u64,
}

/// A row in the form in which a leaf contains it.
#[derive(Clone, Copy)]
pub(super) struct Cell<'l> {
    /// Its rowid.
    pub rowid: i64,
    /// Bytes of the whole record.
    pub n_bytes: usize,
    /// The beginning of the record: all of it, if it has no overflow.
    pub local: &'l [u8],
    /// The first page of the rest; 0 for none.
    pub overflow: u32,
}

/// The whole record of a cell.
pub(super) struct Record<'l, 'c> {
    /// The cell with its beginning.
    pub cell: Cell<'l>,
    /// The pages on which it may continue.
    pub pages: &'l mut Pages<'c>,
}

impl<'p, 'c> Leaves<'p, 'c> {
    /// Goes to the first leaf of a tree.
    ///
    /// # Errors
    ///
    /// If a page cannot be read or is none of a table's tree.
    pub(super) fn of(tree: Tree<'p, 'c>) -> Result<Self> {
        let Tree { pages, root } = tree;
        let mut leaves = Self {
            n_left: pages.count(),
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

    /// The bytes of the current leaf, if it is new: none of its cells was passed yet.
    pub(super) fn fresh_page(&self) -> Option<&[u8]> {
        (self.at == 0 && self.start == 0 && !self.ended).then_some(&self.page)
    }

    /// The present cell; `None` after the last.
    ///
    /// # Errors
    ///
    /// If the page contains none there.
    pub(super) fn cell(&self) -> Result<Option<Cell<'_>>> {
        if self.ended { Ok(None) } else { self.cell_at(self.at).map(Some) }
    }

    /// Continues to the next cell.
    ///
    /// # Errors
    ///
    /// If the next page cannot be read.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.at += 1;
        if self.at < self.n_cells { Ok(()) } else { self.next_leaf() }
    }

    /// Continues to the next leaf that has cells.
    ///
    /// # Errors
    ///
    /// If a page cannot be read or is none of a table's tree.
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
            _ => anyhow::bail!("page {number} does not belong to a table's tree"),
        }
        Ok(())
    }

    /// The rows of the current leaf that continue on overflow pages.
    ///
    /// # Errors
    ///
    /// If a cell does not fit its page.
    pub(super) fn long_rows(&self, into: &mut Vec<(u32, usize)>) -> Result<()> {
        into.clear();
        let most = self.pages.usable_bytes().saturating_sub(35);
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

    /// The present record.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) fn record(&mut self) -> Result<Record<'_, 'c>> {
        let cell = cell_at(&self.page, self.start, self.at, self.pages.usable_bytes())?;
        Ok(Record { cell, pages: self.pages })
    }

    fn cell_at(&self, index: usize) -> Result<Cell<'_>> {
        cell_at(&self.page, self.start, index, self.pages.usable_bytes())
    }
}

fn cell_at(page: &[u8], start: usize, index: usize, usable: usize) -> Result<Cell<'_>> {
    let at = usize::from(two_bytes(page, start + 8 + 2 * index)?);
    let bytes = page.get(at..).context("a cell is outside its page")?;
    let (n_bytes, n_length) = varint(bytes)?;
    let (rowid, n_rowid) = varint(&bytes[n_length..])?;
    ensure!(n_bytes < MAX_RECORD_BYTES, "a record is too long");
    let n_bytes = usize::try_from(n_bytes)?;
    let bytes = &bytes[n_length + n_rowid..];
    let n_local = n_local(n_bytes, usable, usable.saturating_sub(35));
    let local = bytes.get(..n_local).context("a record is outside its page")?;
    let overflow = if n_local < n_bytes { four_bytes(bytes, n_local)? } else { 0 };
    Ok(Cell { rowid: rowid.cast_signed(), n_bytes, local, overflow })
}
