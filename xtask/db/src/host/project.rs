//! The host's settings: its root, its databases, its backups folder, its policies.
//!
//! It usually comes from `[workspace.metadata.db]` (read by `host/configuration.rs`); a host can
//! also build the value itself and pass it to the session.

pub(crate) mod backups_folder;
pub(crate) mod bundle;
pub(crate) mod defaults;
pub(crate) mod live_database;
mod migrate_variable;
pub(crate) mod policy;
pub(crate) mod schedule;
pub(crate) mod schema_files;

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::console::refusal::Refusal;
use crate::console::remarks::Remarks;
use crate::console::text::{self, Span};
use crate::git::repository;
use crate::host::command::supervisor::Itself;
use crate::host::project::bundle::Bundle;
use crate::host::project::policy::Policy;
use crate::host::project::schedule::Scheduled;
use crate::postgres::server::Server;
use crate::sqlite::declared_references::References;

/// The project in whose workspace the tasks live.
#[derive(Debug, Clone)]
pub struct Project {
    /// The workspace root; paths in messages are relative to it.
    pub root: PathBuf,
    /// Path of the backups folder, absolute.
    pub backups: PathBuf,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
    /// The databases, in the order of their names.
    pub databases: Vec<Database>,
    /// The configured retention.
    pub keep: Policy,
    /// How the bytes of each kind are kept, if that is configured.
    pub(crate) formats: HashMap<Kind, Format>,
    /// How long a reading of the pages of a stored backup counts: after that it is `unread`.
    pub read_within: Span,
    /// What a bundle contains beside the databases.
    pub(crate) bundle: Bundle,
    /// Whether there are backups by the clock, and when.
    pub(crate) schedule: Scheduled,
    /// How a failing checkpoint affects a commit.
    pub on_failure: OnFailure,
    /// Whether the database is switched together with the branch.
    pub follow_branches: FollowBranches,
    /// The repository around it.
    pub git: Option<repository::Place>,
    /// Variables of the environment that are kept from the host's commands, as those that git gives
    /// its hooks.
    pub hidden_variables: Vec<String>,
    /// The folders in which client programs are looked for, as `PATH` has them.
    pub(crate) search_path: OsString,
    /// How this program becomes the supervisor of a command of the host.
    pub(crate) itself: Option<Itself>,
    /// Things in the configuration that the user should know of.
    pub remarks: Vec<String>,
    /// Remarks for the user that were not printed yet.
    pub(crate) told: Remarks,
}

/// One database of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Database {
    /// Its name in the configuration and in records.
    pub name: String,
    /// Where it is: a file, or a server.
    pub location: Location,
    /// Source of that, if it is not `Cargo.toml`, e.g. `DATABASE_PATH in .env`.
    pub origin: Option<String>,
    /// Patterns of schema files, relative to the root.
    pub schema: Vec<String>,
    /// The host's command that applies migrations.
    pub migrate: Vec<String>,
    /// The variable from which it learns the path of the database, or a template with `{path}`.
    pub migrate_env: String,
    /// How long it may take.
    pub migrate_timeout: Duration,
    /// Tables that migrations may shrink.
    pub allow_loss: Vec<String>,
    /// Commands that rebuild derived data after a restore.
    pub after_restore: Vec<Vec<String>>,
    /// Columns that identify a row when data is merged, by table.
    pub merge_key: BTreeMap<String, Vec<String>>,
    /// Columns that refer to rows without a foreign key, by table.
    pub references: References,
    /// Tables whose primary key is just a number, though SQLite does not give it by itself.
    pub renumber: Vec<String>,
    /// Tables that exports may leave out, by group.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Whether destructive tasks demand the name typed out.
    pub protected: bool,
    /// Whether git may track the database: then nothing warns of it.
    pub tracked: bool,
}

/// Where a database is, which is also what its engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// An SQLite database: its file, absolute.
    File(PathBuf),
    /// A PostgreSQL database: its server, and how to connect to it.
    Server(Server),
}

/// How a failing checkpoint affects a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It stops the commit.
    Block,
    /// It warns.
    Warn,
}

/// Whether the database is switched together with the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowBranches {
    /// Never.
    Never,
    /// If the schema files differ.
    Schema,
    /// Always.
    Always,
}

impl Database {
    /// The file name that begins every backup's name: that of the file, or the name on the server.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.owner().file_name().into_owned()
    }

    /// The file of an SQLite database.
    ///
    /// # Errors
    ///
    /// A refusal if it is a PostgreSQL database: what asks for a file has no meaning there.
    pub fn file(&self) -> Result<&Path> {
        match &self.location {
            Location::File(path) => Ok(path),
            Location::Server(server) => Err(Refusal::could_not(
                format!(
                    "`{}` is a PostgreSQL database ({}): this works on SQLite files only",
                    text::plain(&self.name),
                    server.place()
                ),
                "`cargo xtask db-backup`, `db-verify` and `db-restore` work with it; the PostgreSQL guide \
                 lists what else does",
            )),
        }
    }

    /// The file of an SQLite database; `None` for a PostgreSQL database.
    #[must_use]
    pub(crate) fn file_if_any(&self) -> Option<&Path> {
        match &self.location {
            Location::File(path) => Some(path),
            Location::Server(_) => None,
        }
    }

    /// Where it is, as records and `--json` have it: the path, or the server's URL without secrets.
    #[must_use]
    pub(crate) fn home(&self) -> &Path {
        match &self.location {
            Location::File(path) => path,
            Location::Server(server) => server.home(),
        }
    }

    /// The server of a PostgreSQL database.
    #[must_use]
    pub(crate) fn server(&self) -> Option<&Server> {
        match &self.location {
            Location::File(_) => None,
            Location::Server(server) => Some(server),
        }
    }

    /// The header of its table in `Cargo.toml`.
    pub(crate) fn header(&self) -> String {
        format!("[workspace.metadata.db.databases.{}]", self.name)
    }

    /// The variable and its value that point the host's migration at a file. A path need not be UTF-8.
    #[must_use]
    pub fn migrate_variable(&self, path: &Path) -> (String, OsString) {
        let path = path.as_os_str().as_bytes();
        let Some((variable, template)) = self.migrate_env.split_once('=') else {
            return (self.migrate_env.clone(), OsStr::from_bytes(path).to_owned());
        };
        // In a URL these three would end the path or begin an escape; a space stays, since not every
        // reader of such a URL decodes it.
        let is_url = template.split("{path}").next().is_some_and(|t| t.contains(':'));
        let escaped = |byte: &u8| match byte {
            b'%' if is_url => b"%25".to_vec(),
            b'?' if is_url => b"%3f".to_vec(),
            b'#' if is_url => b"%23".to_vec(),
            byte => vec![*byte],
        };
        let path: Vec<u8> = path.iter().flat_map(escaped).collect();
        let parts: Vec<&[u8]> = template.split("{path}").map(str::as_bytes).collect();
        (variable.to_owned(), OsString::from_vec(parts.join(&path[..])))
    }
}

impl Project {
    /// How backups of a kind are kept: as configured, else the automatic ones in the page store.
    #[must_use]
    pub(crate) fn format(&self, kind: Kind) -> Format {
        let usual = if kind.is_automatic() { Format::Pages } else { Format::Plain };
        self.formats.get(&kind).copied().unwrap_or(usual)
    }

    /// The databases that a command means: the named one, or all.
    ///
    /// # Errors
    ///
    /// A refusal if no database has that name.
    pub fn chosen(&self, name: Option<&str>) -> Result<Vec<Database>> {
        let Some(name) = name else {
            return Ok(self.databases.clone());
        };
        let found = self.databases.iter().find(|database| database.name == name);
        match found {
            Some(database) => Ok(vec![database.clone()]),
            None => Err(Refusal::could_not(
                format!("no database is named `{name}`"),
                match self.databases.len() {
                    1 => format!("the configured one is {}", self.names()),
                    _ => format!("the configured ones are {}", self.names()),
                },
            )),
        }
    }

    /// The one database that a command means.
    ///
    /// # Errors
    ///
    /// A refusal if there are several and none was named, or no database has that name.
    pub fn one(&self, name: Option<&str>) -> Result<Database> {
        let mut chosen = self.chosen(name)?;
        match (chosen.pop(), chosen.is_empty()) {
            (Some(database), true) => Ok(database),
            _ => Err(Refusal::could_not(
                "there are several databases",
                format!("choose one with `--db`: {}", self.names()),
            )),
        }
    }

    /// The database as a sentence names it: by its name, if there are several.
    #[must_use]
    pub(crate) fn called(&self, database: &Database) -> String {
        if self.databases.len() > 1 {
            format!("database `{}`", text::plain(&database.name))
        } else {
            "the database".to_owned()
        }
    }

    /// The flag that our commands need to mean a database; none if there is only one.
    #[must_use]
    pub(crate) fn db_flag(&self, database: &Database) -> String {
        if self.databases.len() > 1 {
            format!(" --db {}", text::shell(&database.name))
        } else {
            String::new()
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.databases.iter().map(|d| format!("`{}`", d.name)).collect();
        names.join(", ")
    }

    /// ` --db NAME` if a command needs it to know which database is meant.
    #[must_use]
    pub(crate) fn database_flag(&self, database: &Database) -> String {
        if self.databases.len() < 2 {
            return String::new();
        }
        format!(" --db {}", text::shell(&database.name))
    }

    /// The linked worktree this is; `.` in the main one and without git.
    #[must_use]
    pub fn worktree(&self) -> &str {
        self.git.as_ref().map_or(".", |place| place.worktree.as_str())
    }

    /// A path as messages show it.
    #[must_use]
    pub fn path(&self, path: &Path) -> String {
        text::path(path, &self.root)
    }

    /// A path as results show it, with `./` in front.
    #[must_use]
    pub fn dotted(&self, path: &Path) -> String {
        text::dotted(path, &self.root)
    }

    /// Where a database is, as errors name it: the path relative to the root, or the server and the name there.
    #[must_use]
    pub(crate) fn plain_place(&self, database: &Database) -> String {
        match &database.location {
            Location::File(path) => self.path(path),
            Location::Server(server) => server.place(),
        }
    }

    /// Like [`Project::plain_place`], the path with `./` in front: for results.
    #[must_use]
    pub(crate) fn dotted_place(&self, database: &Database) -> String {
        match &database.location {
            Location::File(path) => self.dotted(path),
            Location::Server(server) => server.place(),
        }
    }

    /// Like [`Project::place`], with the path in backticks: for errors.
    #[must_use]
    pub fn quoted_place(&self, database: &Database) -> String {
        let path = self.plain_place(database);
        match &database.origin {
            Some(origin) => format!("`{path}` (from {origin})"),
            None => format!("`{path}`"),
        }
    }

    /// The database's path and, if that is not from `Cargo.toml`, its origin.
    #[must_use]
    pub fn place(&self, database: &Database) -> String {
        let path = self.dotted_place(database);
        match &database.origin {
            Some(origin) => format!("{path} (from {origin})"),
            None => path,
        }
    }
}
