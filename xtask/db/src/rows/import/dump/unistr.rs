//! `unistr()`, with which newer sqlite3 shells write control characters into their dumps
//! (<https://sqlite.org/lang_corefunc.html#unistr>), for a SQLite before 3.50 that lacks it.

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// Defines the function if SQLite does not have it.
///
/// # Errors
///
/// If SQLite refuses that.
pub(super) fn offer(connection: &Connection) -> Result<()> {
    if connection.prepare("SELECT unistr('')").is_err() {
        let flags = FunctionFlags::SQLITE_UTF8
            | FunctionFlags::SQLITE_DETERMINISTIC
            | FunctionFlags::SQLITE_DIRECTONLY;
        connection.create_scalar_function("unistr", 1, flags, |context| {
            let text: Option<String> = context.get(0)?;
            match text.as_deref().map(unescaped) {
                None => Ok(None),
                Some(Some(text)) => Ok(Some(text)),
                Some(None) => {
                    let what = "invalid Unicode escape".into();
                    Err(rusqlite::Error::UserFunctionError(what))
                }
            }
        })?;
    }
    Ok(())
}

/// A text with its escapes replaced; none if one is not understood.
fn unescaped(text: &str) -> Option<String> {
    let mut found = String::with_capacity(text.len());
    let mut pieces = text.split('\\');
    found.push_str(pieces.next().unwrap_or_default());
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            // Two backslashes are one.
            found.push('\\');
            found.push_str(pieces.next()?);
            continue;
        }
        let (skip, n_digits) = match piece.as_bytes()[0] {
            b'u' => (1, 4),
            b'+' => (1, 6),
            b'U' => (1, 8),
            _ => (0, 4),
        };
        let digits = piece.get(skip..skip + n_digits)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        found.push(char::from_u32(number)?);
        found.push_str(&piece[skip + n_digits..]);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_replaced_as_sqlite_does() {
        for (text, expected) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("a\\u000ab", Some("a\nb")),
            ("\\000A\\0009", Some("\n\t")),
            ("\\+01F600 \\U0001f600", Some("\u{1f600} \u{1f600}")),
            ("\\\\u000a\\\\", Some("\\u000a\\")),
            ("\\\\\\u000a", Some("\\\n")),
            ("\\", None),
            ("\\u00", None),
            ("\\ud800", None),
            ("\\u+00a", None),
        ] {
            assert_eq!(unescaped(text).as_deref(), expected, "{text}");
        }
    }
}
