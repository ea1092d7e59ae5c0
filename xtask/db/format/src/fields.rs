//! The values of one row that was read. They borrow from the bytes of its line, so that nothing is
//! copied; only escaped texts are stored separately.

use std::ops::Range;

use anyhow::{Context, Result};
use rusqlite::types::ValueRef;

use crate::cell::{Cell, Value};

/// Where a value's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In the bytes that were read.
    Read(Range<usize>),
    /// Among those that were unescaped.
    Unescaped(Range<usize>),
}

/// One value.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    Null,
    Integer(i64),
    Real(f64),
    /// UTF-8.
    Text(Place),
    OddText(Place),
    Blob(Place),
}

/// The values of one row.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    unescaped: Vec<u8>,
}

/// A row that was read, borrowed from who read it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// Which of the header's tables it belongs to.
    pub table: usize,
    pub(crate) fields: &'r Fields,
    /// The bytes that were read.
    pub(crate) bytes: &'r [u8],
}

impl Fields {
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.unescaped.clear();
    }

    pub(crate) fn push(&mut self, field: Field) {
        self.fields.push(field);
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Where unescaped bytes are gathered; [`Fields::since`] says afterwards where they are.
    pub(crate) fn unescaped(&mut self) -> &mut Vec<u8> {
        &mut self.unescaped
    }

    /// The unescaped bytes from a place on.
    pub(crate) fn since(&self, begin: usize) -> Place {
        Place::Unescaped(begin..self.unescaped.len())
    }

    /// The bytes at a place, those that were read being these.
    pub(crate) fn at<'r>(&'r self, place: &Place, bytes: &'r [u8]) -> &'r [u8] {
        match place {
            Place::Read(range) => &bytes[range.clone()],
            Place::Unescaped(range) => &self.unescaped[range.clone()],
        }
    }
}

impl<'r> Row<'r> {
    /// How many values it has.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.fields.len()
    }

    /// A value as SQLite takes it: a text by its bytes.
    pub(crate) fn raw(&self, at: usize) -> ValueRef<'r> {
        let bytes = |place| self.fields.at(place, self.bytes);
        match &self.fields.fields[at] {
            Field::Null => ValueRef::Null,
            Field::Integer(integer) => ValueRef::Integer(*integer),
            Field::Real(real) => ValueRef::Real(*real),
            Field::Text(place) | Field::OddText(place) => ValueRef::Text(bytes(place)),
            Field::Blob(place) => ValueRef::Blob(bytes(place)),
        }
    }

    /// Whether a value is a text that is given by its bytes.
    pub(crate) fn is_odd(&self, at: usize) -> bool {
        matches!(self.fields.fields[at], Field::OddText(_))
    }

    /// The value at a position, from 0.
    ///
    /// # Errors
    ///
    /// None: texts were examined when they were read.
    pub fn cell(&self, at: usize) -> Result<Cell<'r>> {
        Ok(match (self.raw(at), &self.fields.fields[at]) {
            (ValueRef::Text(bytes), Field::OddText(_)) => Cell::OddText(bytes),
            (ValueRef::Text(bytes), _) => {
                Cell::Text(std::str::from_utf8(bytes).context("a text is not UTF-8")?)
            }
            (ValueRef::Null, _) => Cell::Null,
            (ValueRef::Integer(integer), _) => Cell::Integer(integer),
            (ValueRef::Real(real), _) => Cell::Real(real),
            (ValueRef::Blob(bytes), _) => Cell::Blob(bytes),
        })
    }

    /// All its values, owned.
    ///
    /// # Errors
    ///
    /// As [`Row::cell`].
    pub fn values(&self) -> Result<Vec<Value>> {
        (0..self.n_values()).map(|at| Ok(self.cell(at)?.to_value())).collect()
    }
}
