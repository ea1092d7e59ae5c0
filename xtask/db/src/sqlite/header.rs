//! The header of an SQLite file: its first 100 bytes.

/// The first bytes of every SQLite database (<https://sqlite.org/fileformat2.html>).
pub(crate) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Length of the database header, bytes.
pub(crate) const HEADER_LENGTH: usize = 100;

/// The header of a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header(pub [u8; HEADER_LENGTH]);

impl Header {
    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// Page size, bytes.
    #[must_use]
    pub(crate) fn page_size_bytes(&self) -> u64 {
        match u16::from_be_bytes([self.0[16], self.0[17]]) {
            1 => 65_536,
            size => u64::from(size),
        }
    }

    /// Whether its journal is a WAL (<https://sqlite.org/fileformat2.html#file_format_version_numbers>).
    #[must_use]
    pub(crate) fn is_wal(&self) -> bool {
        self.0[18] == 2
    }

    /// The bytes of a file that are not pages of the database: its header counts fewer than it has. If
    /// the count is not valid, as after a write by a very old SQLite, the whole pages are counted.
    #[must_use]
    pub(crate) fn excess_bytes(&self, size_bytes: u64) -> u64 {
        let n_pages = u64::from(self.number(28));
        let page_size_bytes = self.page_size_bytes();
        if n_pages > 0 && self.number(24) == self.number(92) {
            size_bytes.saturating_sub(n_pages * page_size_bytes)
        } else {
            size_bytes.checked_rem(page_size_bytes).unwrap_or(0)
        }
    }

    /// `UTF-8`, `UTF-16le` or `UTF-16be`; an empty database has none yet and counts as UTF-8.
    #[must_use]
    pub(crate) fn encoding(&self) -> &'static str {
        match self.number(56) {
            2 => "UTF-16le",
            3 => "UTF-16be",
            _ => "UTF-8",
        }
    }

    /// `PRAGMA user_version`.
    #[must_use]
    pub(crate) fn user_version(&self) -> i64 {
        i64::from(self.number(60).cast_signed())
    }

    /// `PRAGMA application_id`.
    #[must_use]
    pub(crate) fn application_id(&self) -> i64 {
        i64::from(self.number(68).cast_signed())
    }
}
