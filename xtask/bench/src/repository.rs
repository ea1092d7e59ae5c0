//! A repository with a database and the chat's migrations, as both benches of hooks use it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::chat;
use crate::measurement::{self, Run};
use crate::scratch::Scratch;

/// A repository of some size: git looks at its index in every commit.
const N_FILES: u32 = 500;

/// One repository, without hooks.
pub(super) struct Repository<'a> {
    scratch: &'a Scratch,
    folder: PathBuf,
}

impl<'a> Repository<'a> {
    /// Creates it in a folder of the scratch, with one commit.
    pub(super) fn create(
        scratch: &'a Scratch,
        name: &str,
        manifest: &str,
        size_bytes: u64,
    ) -> Result<Self> {
        let repository = Self { scratch, folder: scratch.root().join(name) };
        let folder = &repository.folder;
        for name in ["db", "migrations", "src"] {
            fs::create_dir_all(folder.join(name))?;
        }
        chat::create(&repository.database(), size_bytes)?;
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::write(folder.join(".gitignore"), "/db\n/backups\n")?;
        for n in 0..N_FILES {
            fs::write(folder.join(format!("src/file{n}.rs")), format!("// {n}\n"))?;
        }
        for words in [
            &["git", "init", "--quiet"][..],
            &["git", "config", "user.name", "bench"],
            &["git", "config", "user.email", "bench@localhost"],
            &["git", "config", "gc.auto", "0"],
            &["git", "add", "--all"],
            &["git", "commit", "--quiet", "--message=first"],
        ] {
            repository.run(words)?;
        }
        Ok(repository)
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of its database.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.join("db/chat.db")
    }

    /// Writes and stages a file.
    pub(super) fn stage(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join(file), text)?;
        self.run(&["git", "add", file]).map(drop)
    }

    /// Runs a command in it.
    pub(super) fn run(&self, words: &[&str]) -> Result<Run> {
        let mut command = self.scratch.command(words)?;
        command.current_dir(&self.folder);
        measurement::run(&mut command, None, &self.scratch.root().join("said"))
            .with_context(|| format!("`{}` failed", words.join(" ")))
    }
}
