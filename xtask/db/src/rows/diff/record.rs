//! Whether two records have the same values, decided by their bytes if possible
//! (<https://sqlite.org/fileformat2.html#record_format>).

use anyhow::{Context, Result};

use crate::rows::diff::leaves::Record;
use crate::rows::diff::pages::{Pages, four_bytes, varint};

/// The result of comparing the bytes of two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same values.
    Equal,
    /// Other values.
    Different,
    /// Only SQLite can decide: one of them lacks columns that were added later and have defaults,
    /// or has a number in another form.
    Ask,
}

/// Compares two records of one table, whose columns are defined alike in both states.
///
/// # Errors
///
/// If a record does not fit its page.
pub(super) fn compare(one: Record<'_, '_>, other: Record<'_, '_>) -> Result<Verdict> {
    let (a, b) = (one.cell, other.cell);
    if a.n_bytes == b.n_bytes {
        let n_both = a.local.len().min(b.local.len());
        if a.local[..n_both] == b.local[..n_both] {
            let is_short = a.overflow == 0 && b.overflow == 0;
            if is_short || rest(one)?.equals(&mut rest(other)?)? {
                return Ok(Verdict::Equal);
            }
        }
    }
    let (Some(a), Some(b)) = (types(a.local)?, types(b.local)?) else {
        return Ok(Verdict::Ask);
    };
    by_types(a, b)
}

fn rest<'c, 'p>(record: Record<'p, 'c>) -> Result<Rest<'c, 'p>> {
    let Record { cell, pages } = record;
    Rest::of(cell.local, cell.overflow, cell.n_bytes, pages)
}

/// The types that begin a record; `None` if they continue in another page.
fn types(local: &[u8]) -> Result<Option<&[u8]>> {
    let (n_header, n_length) = varint(local)?;
    Ok(local.get(n_length..usize::try_from(n_header)?))
}

/// Two records whose bytes differ: equal types can only mean other values; so do most others,
/// because SQLite stores a value in one way only.
fn by_types(mut a: &[u8], mut b: &[u8]) -> Result<Verdict> {
    let mut verdict = Verdict::Different;
    while !a.is_empty() && !b.is_empty() {
        let ((one, n_one), (other, n_other)) = (varint(a)?, varint(b)?);
        if one != other {
            if !(is_number(one) && is_number(other)) {
                return Ok(Verdict::Different);
            }
            // An integer in a column of type REAL stands for a real, and may be written as one; before
            // schema format 4, 0 and 1 take a byte (<https://sqlite.org/fileformat2.html#schemaformat>).
            if one == REAL || other == REAL || is_constant(one) != is_constant(other) {
                verdict = Verdict::Ask;
            } else {
                return Ok(Verdict::Different);
            }
        }
        (a, b) = (&a[n_one..], &b[n_other..]);
    }
    Ok(if a.is_empty() && b.is_empty() { verdict } else { Verdict::Ask })
}

const REAL: u64 = 7;

/// Whether the type contains the whole value: 0 or 1.
fn is_constant(kind: u64) -> bool {
    kind == 8 || kind == 9
}

fn is_number(kind: u64) -> bool {
    (1..=9).contains(&kind)
}

/// A record's bytes in pieces: its local part, then its overflow pages.
pub(super) struct Rest<'c, 'p> {
    pages: &'p mut Pages<'c>,
    piece: Vec<u8>,
    from: usize,
    next: u32,
    n_left: usize,
}

impl<'c, 'p> Rest<'c, 'p> {
    fn of(local: &[u8], next: u32, n_bytes: usize, pages: &'p mut Pages<'c>) -> Result<Self> {
        let n_left = n_bytes.checked_sub(local.len()).context("a record is too short")?;
        Ok(Self { pages, piece: local.to_vec(), from: 0, next, n_left })
    }

    /// The overflow pages alone, from the first one.
    pub(super) fn behind(next: u32, n_left: usize, pages: &'p mut Pages<'c>) -> Self {
        Self { pages, piece: Vec::new(), from: 0, next, n_left }
    }

    /// Whether both have the same bytes; both have equally many.
    pub(super) fn equals(&mut self, other: &mut Rest<'_, '_>) -> Result<bool> {
        loop {
            self.fill()?;
            other.fill()?;
            let (mine, theirs) = (&self.piece[self.from..], &other.piece[other.from..]);
            let n_both = mine.len().min(theirs.len());
            if n_both == 0 {
                return Ok(mine.len() == theirs.len());
            }
            if mine[..n_both] != theirs[..n_both] {
                return Ok(false);
            }
            self.from += n_both;
            other.from += n_both;
        }
    }

    fn fill(&mut self) -> Result<()> {
        if self.from < self.piece.len() || self.n_left == 0 {
            return Ok(());
        }
        let usable = self.pages.usable_bytes();
        self.pages.read(self.next, &mut self.piece)?;
        self.next = four_bytes(&self.piece, 0)?;
        let n_bytes = usable.saturating_sub(4).min(self.n_left);
        self.piece.truncate(4 + n_bytes);
        anyhow::ensure!(n_bytes > 0 && self.piece.len() == 4 + n_bytes, "a page is cut off");
        self.from = 4;
        self.n_left -= n_bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_records_types_say() {
        for (a, b, verdict) in [
            // Same types, other bytes.
            (vec![1, 15], vec![1, 15], Verdict::Different),
            // Another width, a text for a number, NULL for a text.
            (vec![1], vec![2], Verdict::Different),
            (vec![1], vec![13], Verdict::Different),
            (vec![0], vec![13], Verdict::Different),
            // A number as a real or as an integer.
            (vec![9], vec![7], Verdict::Ask),
            (vec![9, 13], vec![7, 15], Verdict::Different),
            // 1 as a byte or as a type of its own.
            (vec![1], vec![9], Verdict::Ask),
            (vec![8], vec![1], Verdict::Ask),
            (vec![8], vec![9], Verdict::Different),
            // A column that was added later.
            (vec![9], vec![9, 0], Verdict::Ask),
        ] {
            assert_eq!(by_types(&a, &b).expect("types"), verdict, "{a:?} {b:?}");
        }
    }
}
