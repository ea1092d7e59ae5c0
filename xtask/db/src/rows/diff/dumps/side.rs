//! One side of a comparison: a dump, and its definitions.

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::postgres::dump::pieces::Piece;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::read_back::{self, each_piece};
use crate::rows::diff::dumps::catalogue::Catalogue;
use crate::sqlite::examination::finding::Damage;

/// A dump, and what proves it.
#[derive(Clone, Copy)]
pub(crate) struct Dump<'d> {
    /// Its SQL.
    pub sql: read_back::Dump<'d>,
    /// The BLAKE3 that it must have, if that is recorded.
    pub blake3: Option<&'d str>,
    /// What it contains.
    pub proof: &'d DumpProof,
}

/// A dump whose definitions were read.
pub(super) struct Side<'d> {
    pub(super) dump: Dump<'d>,
    pub(super) catalogue: Catalogue,
}

impl<'d> Side<'d> {
    /// Reads the definitions of a dump.
    ///
    /// # Errors
    ///
    /// [`Damage`] if it is not what was recorded; if it cannot be read, or at the user's interrupt.
    pub(super) fn read(dump: Dump<'d>, interrupt: &Interrupt) -> Result<Self> {
        let mut catalogue = Catalogue::default();
        let read = each_piece(dump.sql, interrupt, &mut |piece| {
            match &piece {
                Piece::Definition(text) => catalogue.define(text),
                Piece::Copy(_, target) => catalogue.has_rows(target),
                _ => {}
            }
            Ok(())
        })?;
        if dump.blake3.is_some_and(|blake3| blake3 != read.blake3) {
            return Err(Damage::new("the dump is not the one that was recorded").into());
        }
        catalogue.finish();
        Ok(Self { dump, catalogue })
    }

    /// Hands on the pieces of the dump.
    ///
    /// # Errors
    ///
    /// If it cannot be read, at the user's interrupt, or as `receive`.
    pub(super) fn each_piece(
        &self,
        interrupt: &Interrupt,
        receive: &mut dyn FnMut(Piece<'_>) -> Result<()>,
    ) -> Result<()> {
        each_piece(self.dump.sql, interrupt, receive).map(drop)
    }
}
