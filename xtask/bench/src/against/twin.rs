//! A repository with a database and the hooks of one build of xtask, and what is timed in it.

use anyhow::{Result, ensure};
use fs_err as fs;

use crate::chat;
use crate::measurement::Run;
use crate::repository::Repository;
use crate::scratch::Scratch;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Deed {
    /// A commit of a file that is not a schema: the hooks ask git, and that is all
    Commit,
    /// A commit of a migration, after the database changed
    Checkpoint,
    /// A commit of a migration, the database being as before
    Unchanged,
    /// The creation of a branch, after the database changed
    Branch,
    /// `db-pre-migrate`, after the database changed
    PreMigrate,
}

/// Retention is this project's own, so that it is timed too.
const MANIFEST: &str = r#"[workspace]
members = []

[workspace.metadata.db.databases.chat]
path = "db/chat.db"
schema = ["migrations/*.sql"]
migrate = ["sh", "-c", "exec sqlite3 \"$DATABASE_PATH\" < next.sql"]
migrate-env = "DATABASE_PATH"

[workspace.metadata.db.keep]
last = 10
within = "30d"
max-size = "2GB"
"#;

/// What is rehearsed and never applied.
const MIGRATION: &str = "\
PRAGMA foreign_keys = ON;
BEGIN;
ALTER TABLE messages ADD COLUMN note TEXT;
CREATE TABLE tags (id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions (id), word TEXT);
COMMIT;
";

/// One repository.
pub(super) struct Twin<'a> {
    scratch: &'a Scratch,
    repository: Repository<'a>,
    /// What starts the build that works in it.
    program: &'a str,
}

impl Deed {
    pub(super) const ALL: [Self; 5] =
        [Self::Commit, Self::Checkpoint, Self::Unchanged, Self::Branch, Self::PreMigrate];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit without a schema file",
            Self::Checkpoint => "commit of a migration",
            Self::Unchanged => "the same, database unchanged",
            Self::Branch => "new branch",
            Self::PreMigrate => "db-pre-migrate",
        }
    }

    /// The beginning of the kind of backup that it takes; `None` if it takes none.
    fn kind(self) -> Option<&'static str> {
        match self {
            Self::Commit => None,
            Self::Checkpoint | Self::Unchanged => Some("pre-commit"),
            Self::Branch => Some("branch"),
            Self::PreMigrate => Some("pre-migrate"),
        }
    }

    fn changes_the_database(self) -> bool {
        matches!(self, Self::Checkpoint | Self::Branch | Self::PreMigrate)
    }
}

impl<'a> Twin<'a> {
    /// Creates the repository in a folder of the scratch, and puts the hooks of the build in.
    pub(super) fn create(
        scratch: &'a Scratch,
        name: &str,
        program: &'a str,
        size_bytes: u64,
    ) -> Result<Self> {
        let repository = Repository::create(scratch, name, MANIFEST, size_bytes)?;
        let twin = Self { scratch, repository, program };
        fs::write(twin.repository.folder().join("next.sql"), MIGRATION)?;
        twin.xtask(&["db-hooks", "install"])?;
        Ok(twin)
    }

    /// Prepares one turn and times the deed alone.
    pub(super) fn time(&self, deed: Deed, n: u32) -> Result<Run> {
        if deed.changes_the_database() {
            chat::use_for_a_day(&self.repository.database())?;
        }
        let staged = match deed {
            Deed::Commit => Some("src/file7.rs".to_owned()),
            Deed::Checkpoint => Some(format!("migrations/{n:04}_changed.sql")),
            Deed::Unchanged => Some(format!("migrations/{n:04}_unchanged.sql")),
            Deed::Branch | Deed::PreMigrate => None,
        };
        if let Some(file) = &staged {
            let sql = format!("-- {n}\nCREATE TABLE t{n} (id INTEGER);\n");
            self.repository.stage(file, &sql)?;
        }
        self.scratch.settle_everything()?;
        let branch = format!("branch{n}");
        match deed {
            Deed::PreMigrate => self.xtask(&["db-pre-migrate"]),
            Deed::Branch => self.repository.run(&["git", "switch", "--quiet", "--create", &branch]),
            _ => self.repository.run(&["git", "commit", "--quiet", "--message=more"]),
        }
    }

    /// Hooks that did nothing would be fast.
    pub(super) fn ensure_done(&self, deed: Deed, n_expected: u32) -> Result<()> {
        let Some(kind) = deed.kind() else { return Ok(()) };
        let sought = format!("\"kind\": \"{kind}\"");
        let mut n_taken = 0;
        for entry in fs::read_dir(self.repository.folder().join("backups"))? {
            let path = entry?.path();
            let is_record = path.to_string_lossy().ends_with(".pages.json");
            n_taken += usize::from(is_record && fs::read_to_string(path)?.contains(&sought));
        }
        ensure!(
            n_taken >= n_expected as usize,
            "{n_expected} times `{}` took {n_taken} backups",
            deed.name()
        );
        Ok(())
    }

    /// Runs a task of the build.
    pub(super) fn xtask(&self, words: &[&str]) -> Result<Run> {
        self.repository.run(&[&[self.program], words].concat())
    }
}
