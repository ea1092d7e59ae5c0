//! The workspace in which a bench runs: a folder of its own, sealed from this project and this user.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use tempfile::TempDir;
use xshell::{Shell, cmd};

use crate::chat;
use crate::contender::Contender;
use crate::measurement::{self, Run};
use crate::report;

const MANIFEST: &str = r#"[workspace]
members = []

[workspace.metadata.db.databases.bench]
path = "db/bench.db"

[workspace.metadata.db.databases.small]
path = "db/small.db"
"#;

/// What git must not look through while a backup asks it where it is.
const IGNORED: &str = "/db\n/copies\n/home\n/said\n/restic\n/borg\n/restored\n";

const SMALL_BYTES: u64 = 160 << 10;

/// A workspace that removes itself.
pub(super) struct Scratch {
    folder: TempDir,
    xtask: PathBuf,
}

/// What was generated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generated {
    pub(super) size_bytes: u64,
    pub(super) n_messages: u64,
}

impl Scratch {
    /// Creates an empty workspace if there is room for it.
    pub(super) fn create(parent: &Path, needed_bytes: u64) -> Result<Self> {
        let xtask = std::env::var_os("XTASK").map(PathBuf::from);
        let xtask =
            xtask.context("`XTASK` does not name a program to time: use `cargo xtask bench`")?;
        Self::create_for(xtask, parent, needed_bytes)
    }

    fn create_for(xtask: PathBuf, parent: &Path, needed_bytes: u64) -> Result<Self> {
        ensure_room(parent, needed_bytes)?;
        let parent = fs::canonicalize(parent)?;
        let folder = tempfile::Builder::new()
            .prefix("xtask-bench-")
            .tempdir_in(&parent)
            .with_context(|| format!("could not create a folder in `{}`", parent.display()))?;
        let scratch = Self { folder, xtask };
        for name in ["home", "db", "copies"] {
            fs::create_dir(scratch.path(name))?;
        }
        fs::write(scratch.path("Cargo.toml"), MANIFEST)?;
        fs::write(scratch.path(".gitignore"), IGNORED)?;
        scratch.make_repository();
        Ok(scratch)
    }

    /// Generates both databases; tells of the large one.
    pub(super) fn fill(&self, size_bytes: u64) -> Result<Generated> {
        chat::create(&self.path("db/small.db"), SMALL_BYTES)?;
        let live = self.live();
        chat::create(&live, size_bytes).context("could not generate the database")?;
        self.settle()?;
        Ok(Generated {
            size_bytes: fs::metadata(&live)?.len(),
            n_messages: chat::n_messages(&live)?,
        })
    }

    /// Where everything is.
    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Whether the contender's program is installed, and can what is asked of it.
    pub(super) fn has(&self, contender: Contender) -> bool {
        match contender {
            Contender::Cp => {
                let probe = ["cp", "--reflink=auto", "Cargo.toml", "copies/probe"];
                self.output(&probe).is_some() && fs::remove_file(self.path("copies/probe")).is_ok()
            }
            Contender::SqliteBackup | Contender::VacuumInto => {
                self.output(&["sqlite3", "--version"]).is_some()
            }
            Contender::Sqldiff => self.output(&["sqldiff", "--help"]).is_some(),
            _ => true,
        }
    }

    /// Gives one contender its turn, and removes the copy it made; backups stay.
    pub(super) fn time(&self, contender: Contender) -> Result<Run> {
        match contender {
            Contender::Diff => chat::change_one_in_a_thousand(&self.live())?,
            Contender::Restore => chat::use_for_a_day(&self.live())?,
            _ => {}
        }
        self.settle()?;
        let copy = self.path("copies/copy.db");
        let sync = (contender == Contender::Cp).then_some(copy.as_path());
        let mut command = self.command(contender.command())?;
        let run = measurement::run(&mut command, sync, &self.path("said"))?;
        if copy.exists() {
            fs::remove_file(copy)?;
        }
        Ok(run)
    }

    /// Removes the backups of a round.
    pub(super) fn remove_backups(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.path("backups"))?)
    }

    /// Whether every restore took the day's changes back.
    pub(super) fn is_intact(&self) -> Result<bool> {
        Ok(chat::n_edited(&self.live())? == 0)
    }

    /// The floor of measurable peak memory: that of a program without any of its own.
    pub(super) fn measure_floor(&self) -> Result<u64> {
        let run = measurement::run(&mut self.command(&["true"])?, None, &self.path("said"))?;
        Ok(run.peak_bytes)
    }

    /// The output of a program, trimmed; `None` if it is missing or fails.
    pub(super) fn output(&self, words: &[&str]) -> Option<String> {
        let output = self.command(words).ok()?.output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// A command in the workspace that inherits nothing: a `DATABASE_PATH` or a `GIT_DIR` of the
    /// caller would lead it out of here.
    pub(super) fn command(&self, words: &[&str]) -> Result<Command> {
        let (program, arguments) = words.split_first().context("the command is empty")?;
        let program = match *program {
            "xtask" => self.xtask.as_path(),
            other => Path::new(other),
        };
        let shell = Shell::new()?;
        shell.change_dir(self.root());
        let mut command = Command::from(cmd!(shell, "{program} {arguments...}"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.root())
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        Ok(command)
    }

    /// Most projects live in git, and a backup asks it where it is. Without git that costs nothing,
    /// as it would in a project without.
    fn make_repository(&self) {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        let commit = ["commit", "--quiet", "--message=bench"];
        let _ = self.output(&["git", "init", "--quiet"]);
        let _ = self.output(&["git", "add", "--all"]);
        let _ = self.output(&[&["git"][..], &who, &commit].concat());
    }

    /// Lets the file system finish the removals, so that no program pays for an earlier one.
    pub(super) fn settle(&self) -> Result<()> {
        for folder in [self.root().to_owned(), self.path("copies")] {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// The same for all files, wherever in the workspace.
    pub(super) fn settle_everything(&self) -> Result<()> {
        Ok(rustix::fs::syncfs(fs::File::open(self.root())?)?)
    }

    /// The large database.
    pub(super) fn live(&self) -> PathBuf {
        self.path("db/bench.db")
    }

    /// A place in the workspace.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }
}

fn ensure_room(parent: &Path, needed: u64) -> Result<()> {
    let volume = rustix::fs::statvfs(parent)
        .with_context(|| format!("could not look at `{}`", parent.display()))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    ensure!(
        free >= needed,
        "`{}` has {} free, but the bench needs {}",
        parent.display(),
        report::size(free),
        report::size(needed)
    );
    Ok(())
}

/// Reads a size, e.g. `1GB` or `500 MB`; units of 1024.
pub(super) fn parse_size(text: &str) -> Result<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        _ => bail!("it is not a size, e.g. `1GB` or `500MB`"),
    };
    let number: u64 = number.parse().context("it is not a size, e.g. `1GB` or `500MB`")?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes <= 1 << 50).context("it is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [("1GB", 1 << 30), ("500 mb", 500 << 20), ("7", 7)] {
            assert_eq!(parse_size(text).expect(text), bytes);
        }
        for wrong in ["", "GB", "-1", "2XB", "1.5GB", "99999999GB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bench_without_room_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let error = ensure_room(folder.path(), 1 << 50).expect_err("no room");
        assert!(error.to_string().contains("free, but the bench needs"));
    }

    #[test]
    fn the_workspace_is_gone_when_the_bench_is() {
        let parent = tempfile::tempdir().expect("folder");
        let scratch = Scratch::create_for("true".into(), parent.path(), 1).expect("created");
        assert!(scratch.path("Cargo.toml").is_file());
        drop(scratch);
        let n_left = fs::read_dir(parent.path()).expect("read").count();
        assert_eq!(n_left, 0);
    }
}
