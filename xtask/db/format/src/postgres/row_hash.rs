//! Compares the rows of a table in two states by hashes, whatever their order.
//!
//! The first state's rows are kept as two halves of a hash each, sorted; the second's come one by one, and
//! only those without a counterpart are kept.

use std::ops::Range;

use anyhow::{Result, ensure};
use memchr::memchr_iter;

/// What a row is known by: 16 bytes of the BLAKE3 of its key, and of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashed {
    /// Of its key; without a key, of all its values.
    pub key: u128,
    /// Of the values that both states have.
    pub row: u128,
}

/// Which values of a row count.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// How many values it has.
    pub n_columns: usize,
    /// The places of those that both states have, in the same order for both; empty if they have the same
    /// columns in the same order.
    pub shared: Vec<usize>,
    /// The places of its key; empty if it has none.
    pub key: Vec<usize>,
}

impl Layout {
    /// Hashes a line of `COPY`; `room` is used again and again.
    ///
    /// # Errors
    ///
    /// If it is not a row of the table.
    pub fn hash(&self, line: &[u8], room: &mut Vec<Range<usize>>) -> Result<Hashed> {
        let is_whole = self.shared.is_empty();
        if !is_whole || !self.key.is_empty() {
            self.split(line, room)?;
        }
        let row =
            if is_whole { half(&blake3::hash(line)) } else { of_cells(line, &self.shared, room) };
        if self.key.is_empty() {
            return Ok(Hashed { key: row, row });
        }
        Ok(Hashed { key: of_cells(line, &self.key, room), row })
    }

    /// Finds the values of a line, as they are in it.
    fn split(&self, line: &[u8], room: &mut Vec<Range<usize>>) -> Result<()> {
        room.clear();
        let mut start = 0;
        for end in memchr_iter(b'\t', line).chain([line.len()]) {
            room.push(start..end);
            start = end + 1;
        }
        ensure!(
            room.len() == self.n_columns,
            "a row has more or fewer values than its table has columns"
        );
        Ok(())
    }
}

fn of_cells(line: &[u8], places: &[usize], cells: &[Range<usize>]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for place in places {
        // No value contains a tab.
        hasher.update(&line[cells[*place].clone()]);
        hasher.update(b"\t");
    }
    half(&hasher.finalize())
}

fn half(hash: &blake3::Hash) -> u128 {
    let bytes: &[u8; 32] = hash.as_bytes();
    bytes[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// The rows of a table, while two states are read one after the other.
#[derive(Debug, Default)]
pub struct Tally {
    first: Vec<Hashed>,
    /// How many equal rows the first state has, for each that differs from those before it.
    n_equal: Vec<u32>,
    second: Vec<Hashed>,
}

/// A row that differs, or several equal ones: how many only the first and only the second state has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Differing {
    /// The key.
    pub key: u128,
    /// How many of the first state have no counterpart.
    pub before: u32,
    /// How many of the second have none.
    pub after: u32,
}

impl Tally {
    /// How many bytes are kept for a row of either state.
    pub const ROW_BYTES: u64 = 36;

    /// Takes a row of the first state.
    pub fn first(&mut self, row: Hashed) {
        self.first.push(row);
    }

    /// Ends the first state.
    pub fn turn(&mut self) {
        self.first.sort_unstable();
        let mut n_equal: Vec<u32> = self.first.first().map(|_| 1).into_iter().collect();
        self.first.dedup_by(|row, kept| {
            let is_equal = row == kept;
            match n_equal.last_mut() {
                Some(n) if is_equal => *n = n.saturating_add(1),
                _ => n_equal.push(1),
            }
            is_equal
        });
        self.n_equal = n_equal;
    }

    /// Takes a row of the second state.
    pub fn second(&mut self, row: Hashed) {
        match self.first.binary_search(&row) {
            Ok(at) if self.n_equal[at] > 0 => self.n_equal[at] -= 1,
            _ => self.second.push(row),
        }
    }

    /// The rows that differ, by key.
    #[must_use]
    pub fn finish(self) -> Vec<Differing> {
        let Self { first, n_equal, mut second } = self;
        second.sort_unstable();
        let first = first.iter().zip(&n_equal).filter(|(_, n)| **n > 0);
        let mut first = first.map(|(row, n)| (row.key, *n)).peekable();
        let mut second = second.iter().map(|row| row.key).peekable();
        let mut differing: Vec<Differing> = Vec::new();
        loop {
            let key = match (first.peek(), second.peek()) {
                (None, None) => return differing,
                (Some((key, _)), None) | (None, Some(key)) => *key,
                (Some((a, _)), Some(b)) => *a.min(b),
            };
            let (mut before, mut after) = (0_u32, 0_u32);
            while let Some((_, n)) = first.next_if(|(one, _)| *one == key) {
                before = before.saturating_add(n);
            }
            while second.next_if_eq(&key).is_some() {
                after = after.saturating_add(1);
            }
            differing.push(Differing { key, before, after });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_that_moved_are_compared_by_name() {
        let a = Layout { n_columns: 3, shared: vec![0, 2], key: vec![0] };
        let b = Layout { n_columns: 2, shared: vec![1, 0], key: vec![1] };
        let mut room = Vec::new();
        let a = a.hash(b"1\tgone\tx", &mut room).expect("a row");
        assert_eq!(a, b.hash(b"x\t1", &mut room).expect("a row"));
        assert_ne!(a, b.hash(b"y\t1", &mut room).expect("a row"));
        assert!(b.hash(b"y", &mut room).is_err());
    }

    proptest! {
        #[test]
        fn what_differs_is_what_one_state_has_more_of(
            a in proptest::collection::vec((0_u8..5, 0_u8..3), 0..30),
            b in proptest::collection::vec((0_u8..5, 0_u8..3), 0..30)
        ) {
            let hashed = |(key, row): (u8, u8)| Hashed { key: key.into(), row: row.into() };
            let mut tally = Tally::default();
            for row in &a {
                tally.first(hashed(*row));
            }
            tally.turn();
            for row in &b {
                tally.second(hashed(*row));
            }
            let mut expected: BTreeMap<u128, (u32, u32)> = BTreeMap::new();
            for key in 0..5 {
                for row in 0..3 {
                    let n = |rows: &[(u8, u8)]| rows.iter().filter(|one| **one == (key, row)).count();
                    let (n_a, n_b) = (n(&a), n(&b));
                    let counts = expected.entry(key.into()).or_default();
                    counts.0 += u32::try_from(n_a.saturating_sub(n_b)).expect("few");
                    counts.1 += u32::try_from(n_b.saturating_sub(n_a)).expect("few");
                }
            }
            expected.retain(|_, counts| *counts != (0, 0));
            let found = tally.finish().into_iter().map(|d| (d.key, (d.before, d.after))).collect();
            prop_assert_eq!(expected, found);
        }
    }
}
