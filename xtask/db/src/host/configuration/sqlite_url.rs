//! URLs that name a file, read as the library of each scheme reads them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

/// The schemes of [`path`].
const SCHEMES: [&[u8]; 3] = [b"sqlite", b"sqlite3", b"file"];

/// Whether a URL has one of the schemes that mean a file.
#[must_use]
pub(super) fn is_of_file(url: &OsStr) -> bool {
    scheme(url.as_bytes()).is_some()
}

/// The scheme of a file's URL, and the rest of the URL.
fn scheme(url: &[u8]) -> Option<(&'static [u8], &[u8])> {
    let at = url.iter().position(|byte| *byte == b':')?;
    let scheme = SCHEMES.into_iter().find(|scheme| url[..at].eq_ignore_ascii_case(scheme))?;
    Some((scheme, &url[at + 1..]))
}

/// The file that a `sqlite:` or `file:` URL means; `None` for another scheme and for a database in memory.
///
/// `sqlite:` is read as sqlx reads it, for which `#` is a part of the name
/// (<https://docs.rs/sqlx/latest/sqlx/sqlite/struct.SqliteConnectOptions.html>); `file:` as SQLite reads
/// it, which cuts a fragment off (<https://sqlite.org/uri.html>).
#[must_use]
pub(super) fn path(url: &OsStr) -> Option<PathBuf> {
    let (scheme, rest) = scheme(url.as_bytes())?;
    let is_uri = scheme == b"file";
    let rest = rest.strip_prefix(b"//").unwrap_or(rest);
    let rest = if is_uri {
        rest.strip_prefix(b"localhost").filter(|r| r.starts_with(b"/")).unwrap_or(rest)
    } else {
        rest
    };
    let ends = |byte: &u8| *byte == b'?' || (is_uri && *byte == b'#');
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let (path, parameters) = rest.split_at(end);
    let is_in_memory = |parameter: &[u8]| parameter == b"mode=memory";
    let parameters = parameters.split(|byte| *byte == b'#').next().unwrap_or_default();
    let mut parameters = parameters.split(|byte| b"?&".contains(byte));
    let path = unescape(path)?;
    let names_none = path.is_empty() || path == b":memory:" || parameters.any(is_in_memory);
    (!names_none).then(|| PathBuf::from(OsString::from_vec(path)))
}

/// The path that a value without any scheme is, as diesel reads its `DATABASE_URL`
/// (<https://docs.diesel.rs/2.2.x/diesel/sqlite/struct.SqliteConnection.html>).
#[must_use]
pub(super) fn bare_path(value: &OsStr) -> Option<PathBuf> {
    let bytes = value.as_bytes();
    (!bytes.is_empty() && !bytes.contains(&b':')).then(|| PathBuf::from(value))
}

/// The bytes that an escaped path stands for; `None` if an escape is cut short, or means the byte 0,
/// which no path contains.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok().filter(|value| *value != 0)?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_files_are_paths() {
        for (url, expected) in [
            (&b"sqlite:a.db"[..], Some(&b"a.db"[..])),
            (b"sqlite://a/b.db?mode=rwc", Some(b"a/b.db")),
            (b"sqlite:///srv/a%20b.db", Some(b"/srv/a b.db")),
            (b"SQLite:a.db", Some(b"a.db")),
            (b"file:/srv/a.db", Some(b"/srv/a.db")),
            (b"file:///srv/a.db", Some(b"/srv/a.db")),
            (b"file://localhost/srv/a.db", Some(b"/srv/a.db")),
            // A fragment is one to SQLite, and a part of the name to sqlx.
            (b"sqlite:data/a#b.db", Some(b"data/a#b.db")),
            (b"sqlite:data/a#b.db?mode=rwc", Some(b"data/a#b.db")),
            (b"sqlite:data/a%23b.db", Some(b"data/a#b.db")),
            (b"file:data/a#b.db", Some(b"data/a")),
            (b"file:data/a%23b.db", Some(b"data/a#b.db")),
            (b"sqlite:data/a%3fb.db", Some(b"data/a?b.db")),
            (b"sqlite:data/\xff.db", Some(b"data/\xff.db")),
            (b"sqlite:data/%ff.db", Some(b"data/\xff.db")),
            (b"sqlite:a%2", None),
            (b"sqlite:a%00.db", None),
            (b"sqlite::memory:", None),
            (b"sqlite:a.db?mode=memory", None),
            (b"file:a.db?cache=shared&mode=memory", None),
            (b"sqlite://", None),
            (b"postgres://user:secret@host/db", None),
            (b"mysql://x", None),
            (b"kalito.db", None),
        ] {
            let found = path(OsStr::from_bytes(url));
            let expected = expected.map(|path| PathBuf::from(OsStr::from_bytes(path)));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(url));
        }
    }
}
