//! Hashes the pieces of a dump on two threads: all of it, and its tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::Scope;

use anyhow::{Context, Result};

use crate::console::threads::{Lane, Step};
use crate::postgres::dump::pieces::Piece;
use crate::postgres::dump::proof::{DumpProof, TableProof};
use crate::postgres::dump::title::Title;
use crate::sqlite::examination::finding::Damage;

/// How many pieces may wait for a thread.
pub(crate) const N_WAITING: usize = 16;

/// Bytes that several threads read.
pub(crate) type Shared = Arc<Vec<u8>>;

/// The two threads.
pub(crate) struct Proving<'scope> {
    content: Lane<'scope, Shared, Content>,
    tables: Lane<'scope, Part, Tables>,
    /// Whether what passes are values: of sequences, or large objects.
    is_of_values: bool,
}

/// A piece as the thread of the tables needs it.
enum Part {
    Catalogue(Shared),
    /// Values outside tables, which are in the hash of everything.
    Values,
    Table(String),
    Rows(Shared, u64),
}

impl<'scope> Proving<'scope> {
    pub(crate) fn begin(scope: &'scope Scope<'scope, '_>) -> Self {
        let tables = Tables { catalogue: blake3::Hasher::new(), done: BTreeMap::new(), open: None };
        let content = Content { hasher: blake3::Hasher::new(), n_bytes: 0 };
        let content = Lane::begin(scope, N_WAITING, content);
        let tables = Lane::begin(scope, N_WAITING, tables);
        Self { content, tables, is_of_values: false }
    }

    /// Takes a piece, and returns its bytes for others.
    pub(crate) fn take(&mut self, piece: &Piece<'_>) -> Result<Shared> {
        let bytes = Arc::new(piece.bytes().to_vec());
        if matches!(piece, Piece::Version(_) | Piece::Command(_)) {
            return Ok(bytes);
        }
        self.content.send(Arc::clone(&bytes))?;
        if let Some(title) = Title::of(&bytes).filter(|_| matches!(piece, Piece::Definition(_))) {
            self.is_of_values = title.is_of_values();
        }
        match piece {
            Piece::Definition(_) | Piece::Transaction(_) if self.is_of_values => {
                self.tables.send(Part::Values)?;
            }
            Piece::Rows(_, n_rows) => self.tables.send(Part::Rows(Arc::clone(&bytes), *n_rows))?,
            Piece::Copy(_, target) => {
                self.tables.send(Part::Catalogue(Arc::clone(&bytes)))?;
                self.tables.send(Part::Table(target.name.clone()))?;
            }
            _ => self.tables.send(Part::Catalogue(Arc::clone(&bytes)))?,
        }
        Ok(bytes)
    }

    pub(crate) fn finish(self) -> Result<DumpProof> {
        let (content, n_bytes) = self.content.finish()?;
        let (catalogue, tables) = self.tables.finish()?;
        Ok(DumpProof {
            content_blake3: content,
            catalogue_blake3: catalogue,
            sql_bytes: n_bytes,
            tables,
        })
    }
}

/// Hashes everything.
struct Content {
    hasher: blake3::Hasher,
    n_bytes: u64,
}

impl Step<Shared> for Content {
    type Done = (String, u64);

    fn take(&mut self, bytes: Shared) -> Result<()> {
        self.hasher.update(&bytes);
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(self) -> Result<Self::Done> {
        Ok((self.hasher.finalize().to_hex().to_string(), self.n_bytes))
    }
}

/// Hashes the catalogue and each table.
struct Tables {
    catalogue: blake3::Hasher,
    done: BTreeMap<String, TableProof>,
    open: Option<Table>,
}

/// The table whose rows pass.
struct Table {
    name: String,
    hasher: blake3::Hasher,
    n_rows: u64,
}

impl Tables {
    fn close(&mut self) -> Result<()> {
        let Some(table) = self.open.take() else { return Ok(()) };
        let blake3 = table.hasher.finalize().to_hex().to_string();
        let proof = TableProof { rows: table.n_rows, blake3 };
        if self.done.insert(table.name.clone(), proof).is_some() {
            let what = format!("the dump is damaged: it has table `{}` twice", table.name);
            return Err(Damage::new(what).into());
        }
        Ok(())
    }
}

impl Step<Part> for Tables {
    type Done = (String, BTreeMap<String, TableProof>);

    fn take(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Catalogue(bytes) => {
                self.close()?;
                self.catalogue.update(&bytes);
            }
            Part::Values => self.close()?,
            Part::Table(name) => {
                self.open = Some(Table { name, hasher: blake3::Hasher::new(), n_rows: 0 });
            }
            Part::Rows(bytes, n_rows) => {
                let table = self.open.as_mut().context("rows without a table")?;
                table.hasher.update(&bytes);
                table.n_rows += n_rows;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Self::Done> {
        self.close()?;
        Ok((self.catalogue.finalize().to_hex().to_string(), self.done))
    }
}
