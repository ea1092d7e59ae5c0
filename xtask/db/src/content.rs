//! The two hashes of a database file: of all its bytes, and of its content.
//!
//! They differ in the header's bookkeeping only, which changes with who copied the file and when,
//! and which the content hash takes as zeros: bytes 18–19 (journal mode), 24–27 (change counter),
//! 40–43 (schema cookie) and 92–99 (version-valid-for, library version), counted from 0
//! (<https://sqlite.org/fileformat2.html>).

use std::ops::Range;

use crate::standing::HEADER_LENGTH;

const BOOKKEEPING: [Range<usize>; 4] = [18..20, 24..28, 40..44, 92..100];

/// Hashes a database file that arrives in pieces.
pub(crate) struct Hashing {
    whole: blake3::Hasher,
    content: blake3::Hasher,
    begun: bool,
}

/// The beginning of a database with its bookkeeping masked.
#[must_use]
pub(crate) fn masked(beginning: &[u8]) -> Vec<u8> {
    let mut masked = beginning.to_vec();
    for range in BOOKKEEPING {
        if let Some(bytes) = masked.get_mut(range) {
            bytes.fill(0);
        }
    }
    masked
}

/// The finished hashes, 64 lowercase hex digits each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// Of all bytes.
    pub blake3: String,
    /// Of all bytes with the bookkeeping masked.
    pub content_blake3: String,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { whole: blake3::Hasher::new(), content: blake3::Hasher::new(), begun: false }
    }
}

impl Hashing {
    /// Takes the next piece; the first must hold the whole header, or be all there is.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.whole.update(piece);
        if self.begun {
            self.content.update(piece);
            return;
        }
        self.begun = true;
        let (header, rest) = piece.split_at(piece.len().min(HEADER_LENGTH));
        self.content.update(&masked(header));
        self.content.update(rest);
    }

    /// Ends the file.
    #[must_use]
    pub(crate) fn finish(&self) -> Hashes {
        Hashes {
            blake3: self.whole.finalize().to_hex().to_string(),
            content_blake3: self.content.finalize().to_hex().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bookkeeping_is_masked() {
        let file = vec![7_u8; 4096];
        let hashes = |change: Option<usize>| {
            let mut file = file.clone();
            if let Some(at) = change {
                file[at] = 8;
            }
            let mut hashing = Hashing::default();
            hashing.update(&file[..1024]);
            hashing.update(&file[1024..]);
            hashing.finish()
        };
        let before = hashes(None);
        for at in 0..200 {
            let after = hashes(Some(at));
            let masked = BOOKKEEPING.iter().any(|range| range.contains(&at));
            assert_ne!(after.blake3, before.blake3, "byte {at}");
            assert_eq!(after.content_blake3 == before.content_blake3, masked, "byte {at}");
        }
    }
}
