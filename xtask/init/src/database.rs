//! Where the project's database is: asked for, in an env file, or the only one on the disk.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::host::Host;
use crate::refusal::Refusal;
use crate::walk;

const ENV_FILES: [&str; 5] = [".env.local", ".env", ".env.example", ".env.sample", ".env.template"];
/// What a URL of an SQLite database begins with.
const SCHEMES: [&str; 3] = ["sqlite", "sqlite3", "file"];
const HINT: &str =
    "name it with `--database PATH`, relative to the project's root; it need not exist yet";

/// A database of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    /// Its path, relative to the root if it is inside.
    pub(crate) path: String,
    /// How this program came to know it.
    pub(crate) origin: String,
}

impl Database {
    /// The name that it gets in the configuration.
    pub(crate) fn name(&self) -> String {
        let stem = Path::new(&self.path).file_stem().map(|stem| stem.to_string_lossy());
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let name: String = stem.unwrap_or_default().chars().map(plain).collect();
        let name = name.trim_matches('-').to_ascii_lowercase();
        if name.is_empty() { "app".to_owned() } else { name }
    }
}

/// Finds the database.
///
/// # Errors
///
/// A refusal if there is none, several, or one of another engine.
pub(crate) fn find(host: &Host, asked: Option<&str>) -> Result<Database> {
    if let Some(asked) = asked {
        let path = asked_for(host, asked)?;
        return Ok(Database { path, origin: "`--database`".to_owned() });
    }
    let mut folders = vec![host.root.as_path()];
    folders.extend(host.packages.iter().map(crate::host::Package::folder));
    folders.dedup();
    for folder in folders {
        for file in ENV_FILES {
            if let Some(database) = in_env_file(host, &folder.join(file))? {
                return Ok(database);
            }
        }
    }
    let found = walk::files(&host.root, is_database);
    match &found[..] {
        [path] => Ok(Database {
            path: host.relative(path),
            origin: "the only SQLite file in the project".to_owned(),
        }),
        [] => Err(Refusal::error(
            "could not find the project's database: no DATABASE_PATH or DATABASE_URL in an env file, and \
             no SQLite file",
            HINT,
        )),
        several => {
            let names: Vec<_> = several.iter().map(|p| format!("`{}`", host.relative(p))).collect();
            let what = format!("there are several databases: {}", names.join(", "));
            Err(Refusal::error(what, HINT))
        }
    }
}

/// The path that was named, or that of the URL; the database need not exist.
fn asked_for(host: &Host, asked: &str) -> Result<String> {
    const HINT: &str = "name the file, e.g. `--database data/app.db`, relative to the project's root; it need \
                        not exist yet";
    let scheme = asked.split_once(':').map(|(scheme, rest)| (scheme, rest.starts_with("//")));
    let is_url = scheme.is_some_and(|(s, is_url)| is_url || SCHEMES.contains(&s));
    let path = match if is_url { place(asked) } else { Place::File(asked.to_owned()) } {
        Place::File(path) if !path.is_empty() => path,
        // The value may be a secret, and is not repeated.
        _ => return Err(Refusal::error("`--database` does not name a file of SQLite", HINT)),
    };
    let file = host.root.join(&path);
    if file.is_dir() {
        return Err(Refusal::error(format!("`{path}` of `--database` is a folder"), HINT));
    }
    let is_empty = fs_err::metadata(&file).is_ok_and(|metadata| metadata.len() == 0);
    if file.exists() && !is_empty && !begins_as_sqlite(&file) {
        return Err(Refusal::error(
            format!("`{path}` of `--database` is not an SQLite database"),
            HINT,
        ));
    }
    Ok(path)
}

fn in_env_file(host: &Host, path: &Path) -> Result<Option<Database>> {
    let Ok(text) = fs_err::read_to_string(path) else { return Ok(None) };
    let shown = host.relative(path);
    for variable in ["DATABASE_PATH", "DATABASE_URL"] {
        let Some(value) = value_of(&text, variable) else { continue };
        // The value may be a secret, and is not repeated.
        let place = match place(&value) {
            Place::File(place) => place,
            Place::Memory => continue,
            Place::Elsewhere => {
                return Err(Refusal::error(
                    format!(
                        "`{variable}` in `{shown}` is not a path or a URL of an SQLite database"
                    ),
                    "`init` sets up SQLite databases only: name one with `--database PATH`, or add a \
                     PostgreSQL database by hand (docs/adoption.md and docs/postgresql.md)",
                ));
            }
        };
        let folder = path.parent().unwrap_or(&host.root);
        let path = host.relative(&folder.join(place.strip_prefix("./").unwrap_or(&place)));
        return Ok(Some(Database { path, origin: format!("`{variable}` in `{shown}`") }));
    }
    Ok(None)
}

/// The last value that an env file gives a variable.
fn value_of(text: &str, variable: &str) -> Option<String> {
    let value = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let quoted = |quote: char| value.strip_prefix(quote)?.split(quote).next();
        let bare = || value.split(" #").next().unwrap_or_default().trim_end();
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or_else(bare);
        (name.trim() == variable && !value.is_empty()).then(|| value.to_owned())
    };
    text.lines().filter_map(value).next_back()
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    File(String),
    Memory,
    Elsewhere,
}

/// What a value of `DATABASE_URL` or `DATABASE_PATH` means.
fn place(value: &str) -> Place {
    let rest = match value.split_once(':') {
        None => value,
        Some((scheme, rest)) if SCHEMES.contains(&scheme) => {
            rest.strip_prefix("//").unwrap_or(rest)
        }
        Some(("", _)) => return Place::Memory,
        Some(_) => return Place::Elsewhere,
    };
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() || path == ":memory:" || parameters.contains("mode=memory") {
        return Place::Memory;
    }
    // An escape or a variable would have to be read as the application does.
    if path.contains(['%', '$']) { Place::Elsewhere } else { Place::File(path.to_owned()) }
}

fn is_database(path: &Path) -> bool {
    let is_named = path.extension().is_some_and(|e| e == "db" || e == "sqlite" || e == "sqlite3");
    is_named && begins_as_sqlite(path)
}

fn begins_as_sqlite(path: &Path) -> bool {
    let mut start = [0; 16];
    let read = fs_err::File::open(PathBuf::from(path)).and_then(|mut f| f.read_exact(&mut start));
    read.is_ok() && &start == b"SQLite format 3\0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_are_told_apart() {
        let file = |path: &str| Place::File(path.to_owned());
        for (value, expected) in [
            ("sqlite://data/app.db", file("data/app.db")),
            ("sqlite:data/app.db?mode=rwc", file("data/app.db")),
            ("sqlite:///srv/app.db", file("/srv/app.db")),
            ("file:app.db", file("app.db")),
            ("data/app.db", file("data/app.db")),
            ("sqlite::memory:", Place::Memory),
            (":memory:", Place::Memory),
            ("postgres://app:hunter2@localhost/app", Place::Elsewhere),
            ("sqlite://${HOME}/app.db", Place::Elsewhere),
        ] {
            assert_eq!(place(value), expected, "{value}");
        }
    }

    #[test]
    fn env_files_are_read_by_their_ordinary_rules() {
        let text =
            "# DATABASE_URL=a\nexport DATABASE_URL=\"b c\" # d\nDATABASE_PATH = e # f\nX='g'\n";
        for (name, expected) in [
            ("DATABASE_URL", Some("b c")),
            ("DATABASE_PATH", Some("e")),
            ("X", Some("g")),
            ("Y", None),
        ] {
            assert_eq!(value_of(text, name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_database_is_named_after_its_file() {
        for (path, name) in [
            ("data/App.db", "app"),
            ("/srv/my data.sqlite3", "my-data"),
            (".db", "db"),
            ("é", "app"),
        ] {
            let database = Database { path: path.to_owned(), origin: String::new() };
            assert_eq!(database.name(), name, "{path}");
        }
    }
}
