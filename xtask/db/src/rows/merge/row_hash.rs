//! Hashes the content of rows inside SQLite: values are hashed by their class and every bit, so
//! that 1 is not 1.0 and `A` is not `a`, whatever the collation of a column.

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

/// The number of arguments that every build of SQLite allows for a function.
const MAX_ARGUMENTS: usize = 100;

/// How texts are handed to the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// As they are: the database is in UTF-8.
    AsTheyAre,
    /// By their bytes: in UTF-16 two texts that are not Unicode may be the same in UTF-8.
    ByBytes,
}

/// Makes the function known to a connection.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("merge_content", -1, flags, |context| {
        let mut hasher = blake3::Hasher::new();
        for at in 0..context.len() {
            update(&mut hasher, context.get_raw(at));
        }
        Ok(hasher.finalize().as_bytes().to_vec())
    })?;
    Ok(())
}

fn update(hasher: &mut blake3::Hasher, value: ValueRef<'_>) {
    let bytes = |hasher: &mut blake3::Hasher, class: u8, bytes: &[u8]| {
        hasher.update(&[class]);
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    match value {
        ValueRef::Null => drop(hasher.update(&[0])),
        ValueRef::Integer(integer) => bytes(hasher, 1, &integer.to_le_bytes()),
        ValueRef::Real(real) => bytes(hasher, 2, &real.to_bits().to_le_bytes()),
        ValueRef::Text(text) => bytes(hasher, 3, text),
        ValueRef::Blob(blob) => bytes(hasher, 4, blob),
    }
}

/// The expression that hashes some expressions.
#[must_use]
pub(super) fn hash(expressions: impl Iterator<Item = String>, texts: Texts) -> String {
    let mut arguments: Vec<String> = Vec::new();
    for expression in expressions {
        match texts {
            Texts::AsTheyAre => arguments.push(expression),
            Texts::ByBytes => {
                arguments.push(format!("typeof({expression})"));
                arguments.push(by_bytes(&expression));
            }
        }
    }
    while arguments.len() > MAX_ARGUMENTS {
        let parts = arguments.chunks(MAX_ARGUMENTS);
        arguments = parts.map(|part| format!("merge_content({})", part.join(", "))).collect();
    }
    format!("merge_content({})", arguments.join(", "))
}

/// A value, of a text its bytes.
#[must_use]
pub(super) fn by_bytes(expression: &str) -> String {
    format!("iif(typeof({expression}) = 'text', CAST({expression} AS BLOB), {expression})")
}
