//! The hash of a dump's definitions alone, which a dump without rows has too.

use crate::postgres::dump::pieces::Piece;
use crate::postgres::dump::title::Title;

/// The comment at the end, which belongs to no object.
const END: &[u8] = b"--\n-- PostgreSQL database dump complete\n";

/// Hashes the definitions among the pieces of a dump.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    hasher: blake3::Hasher,
    /// Whether the object that came last consists of values, or the last one is over.
    is_of_values: bool,
}

impl Definitions {
    /// Takes the next piece.
    pub(crate) fn take(&mut self, piece: &Piece<'_>) {
        let Piece::Definition(bytes) = piece else { return };
        if let Some(title) = Title::of(bytes) {
            self.is_of_values = title.is_of_values() || title.kind == "TABLE DATA";
        }
        let end = memchr::memmem::rfind(bytes, END);
        if !self.is_of_values {
            self.hasher.update(&bytes[..end.unwrap_or(bytes.len())]);
        }
        self.is_of_values |= end.is_some();
    }

    /// BLAKE3 of all that came.
    #[must_use]
    pub(crate) fn finish(self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
