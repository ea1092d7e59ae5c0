//! The reason why SQLite refuses: locked, damaged, full, unreadable.

use rusqlite::ErrorCode;

/// The meaning of an SQLite error for the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It stayed locked longer than the timeout.
    Busy,
    /// Its bytes are damaged, or are not a database.
    Damaged,
    /// The disk or a quota is full.
    Full,
    /// It cannot be written.
    ReadOnly,
    /// It cannot be opened.
    CannotOpen,
    /// The user interrupted.
    Interrupted,
    /// Anything else.
    Other,
}

/// SQLite's own words of a failure, else the last cause's.
#[must_use]
pub(crate) fn message(error: &anyhow::Error) -> String {
    match sqlite_error(error) {
        Some(error) => error.to_string(),
        None => error.root_cause().to_string(),
    }
}

fn sqlite_error(error: &anyhow::Error) -> Option<&rusqlite::Error> {
    error.chain().find_map(|cause| cause.downcast_ref::<rusqlite::Error>())
}

/// Determines what a failure means for the database.
#[must_use]
pub(crate) fn trouble(error: &anyhow::Error) -> Trouble {
    let cause = sqlite_error(error);
    // A schema format that no SQLite has: the one damage that is reported as a plain error.
    if cause.is_some_and(|cause| cause.to_string().contains("unsupported file format")) {
        return Trouble::Damaged;
    }
    match cause.and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged,
        Some(ErrorCode::DiskFull) => Trouble::Full,
        Some(ErrorCode::ReadOnly) => Trouble::ReadOnly,
        Some(ErrorCode::CannotOpen) => Trouble::CannotOpen,
        Some(ErrorCode::OperationInterrupted) => Trouble::Interrupted,
        _ if is_storage_full(error) => Trouble::Full,
        _ => Trouble::Other,
    }
}

/// Whether a statement failed because this build cannot follow the schema: it names a collation, a
/// function, a tokenizer, a module or an option of one that is not there. SQLite reports all of these
/// as a plain error, and what the disk, the memory or a lock does with other codes
/// (<https://sqlite.org/rescode.html#error>). A failure to open a file is never one.
#[must_use]
pub(crate) fn lacks_what_schema_names(error: &anyhow::Error) -> bool {
    match sqlite_error(error) {
        _ if trouble(error) != Trouble::Other => false,
        Some(rusqlite::Error::SqlInputError { .. }) => true,
        Some(rusqlite::Error::SqliteFailure(error, _)) => {
            error.extended_code & 0xff == rusqlite::ffi::SQLITE_ERROR
        }
        _ => false,
    }
}

fn is_storage_full(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| matches!(cause.kind(), StorageFull | QuotaExceeded))
}
