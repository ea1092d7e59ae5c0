//! Ways in which a live database is damaged.

use crate::support::sandbox::Sandbox;

/// What happens to a live database.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    /// It does not begin as a database.
    Header,
    /// It begins as one, and its schema is noise.
    Schema,
    /// Its end is missing.
    Truncated,
    /// It has 0 bytes.
    Emptied,
}

impl Damage {
    /// Damages the live database and returns its bytes.
    pub(crate) fn inflict(self, sandbox: &Sandbox) -> Vec<u8> {
        sandbox.sql("PRAGMA journal_mode=DELETE");
        let mut bytes = fs_err::read(sandbox.live()).expect("the database");
        match self {
            Self::Header => bytes[..64].fill(b'x'),
            Self::Schema => bytes[100..4096].fill(0xee),
            Self::Truncated => bytes.truncate(5000),
            Self::Emptied => bytes.clear(),
        }
        fs_err::write(sandbox.live(), &bytes).expect("damaged");
        bytes
    }
}
