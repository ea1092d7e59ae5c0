//! Two projects with their databases, worktrees and backups folders, and what each backup must hold.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::outcome::{Finding, Verdict};
use crate::program::{self, Said};
use crate::scenarios::Stage;
use crate::state::{self, State};
use crate::world::{Setting, World};

/// How the databases follow the branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// Wherever the schema files differ.
    Schema,
    /// With every switch.
    Always,
}

/// A working folder: the main worktree of a project, or a linked one.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Which project.
    pub(super) project: usize,
    /// Where it is.
    pub(super) folder: PathBuf,
    /// Its databases.
    pub(super) databases: &'static [&'static str],
    /// The state of each database when a branch was last left here.
    pub(super) left: BTreeMap<String, Vec<State>>,
}

impl Place {
    pub(super) fn live(&self, database: &str) -> PathBuf {
        self.folder.join(format!("{database}.db"))
    }

    pub(super) fn states(&self) -> Vec<State> {
        self.databases.iter().map(|database| state::of(&self.live(database))).collect()
    }
}

/// What a backup must contain, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) state: State,
    /// `None` for a file that was copied in without a record.
    pub(super) project: Option<usize>,
    pub(super) is_pinned: bool,
}

/// What a step may have removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Removes {
    Nothing,
    One(String),
    ByPolicy,
}

/// All of it.
pub(super) struct Realm {
    pub(super) worlds: [World; 2],
    pub(super) places: Vec<Place>,
    /// The backups folder that both projects share, if they do.
    pub(super) shared: Option<PathBuf>,
    pub(super) follow: Follow,
    pub(super) has_retention: bool,
    /// By backups folder and name.
    pub(super) held: BTreeMap<(PathBuf, String), Held>,
    pub(super) findings: Vec<Finding>,
    pub(super) n_commands: usize,
}

impl Realm {
    /// Makes both projects, each with a repository.
    pub(super) fn create(stage: &Stage, dice: &mut Dice) -> Result<Self> {
        let follow = dice.pick(&[Follow::Schema, Follow::Always]);
        let keep = dice.pick(&["", "keep = { last = 2 }", "keep = { last = 6, within = \"30d\" }"]);
        let word = if follow == Follow::Always { "always" } else { "schema" };
        let workspace = format!("{keep}\nhooks = {{ follow-branches = \"{word}\" }}");
        let make = |name: &str, more: &str| {
            let folder = stage.folder.join(name);
            fs_err::create_dir_all(&folder)?;
            let database = format!("schema = [\"migrations/*.sql\"]\n{more}");
            let setting = Setting { workspace: workspace.clone(), database, journal_mode: "wal" };
            World::create(stage.programs, &folder, &setting)
        };
        let two = "[workspace.metadata.db.databases.other]\npath = \"other.db\"\nschema = [\"migrations/*.sql\"]";
        let worlds = [make("a", two)?, make("b", "")?];
        let place = |project: usize, databases| Place {
            project,
            folder: worlds[project].root(),
            databases,
            left: BTreeMap::new(),
        };
        let places = vec![place(0, &["app", "other"][..]), place(1, &["app"][..])];
        let shared = dice.one_in(2).then(|| stage.folder.join("shared"));
        let mut realm = Self {
            worlds,
            places,
            shared,
            follow,
            has_retention: !keep.is_empty(),
            held: BTreeMap::new(),
            findings: Vec::new(),
            n_commands: 0,
        };
        realm.prepare()?;
        Ok(realm)
    }

    fn prepare(&mut self) -> Result<()> {
        copy_database(&self.places[0].live("app"), &self.places[0].live("other"))?;
        for at in 0..2 {
            let root = self.places[at].folder.clone();
            fs_err::write(root.join(".gitignore"), "*.db*\n")?;
            fs_err::create_dir_all(root.join("migrations"))?;
            fs_err::write(root.join("migrations/1.sql"), "-- first\n")?;
            self.git(at, &["init", "--quiet", "--initial-branch=main"])?;
            self.git(at, &["add", "--all"])?;
            self.git(at, &["commit", "--quiet", "--message=first"])?;
            self.xtask(at, &["db-hooks", "install"])?;
        }
        let linked = self.places[0].folder.with_file_name("linked");
        self.git(0, &["worktree", "add", "--quiet", "-b", "linked", &linked.to_string_lossy()])?;
        let mut place = self.places[0].clone();
        place.folder = linked;
        for database in place.databases {
            copy_database(&self.places[0].live(database), &place.live(database))?;
        }
        self.places.push(place);
        Ok(())
    }

    /// The backups folder of a place.
    pub(super) fn backups(&self, at: usize) -> PathBuf {
        let project = self.places[at].project;
        self.shared.clone().unwrap_or_else(|| self.worlds[project].path("backups"))
    }

    /// Runs a program in a place; both projects see the same clock.
    fn run(&mut self, at: usize, program: &OsStr, arguments: &[&str]) -> Result<Said> {
        let [first, second] = &self.worlds;
        second.pass(first.now() - second.now());
        let place = &self.places[at];
        let mut command = self.worlds[place.project].command(program, Fault::None);
        command.current_dir(&place.folder).args(arguments);
        if let Some(shared) = &self.shared {
            command.env("DATABASE_BACKUP_DIR", shared);
        }
        let said = program::finish(program::start(&mut command)?, Fault::None)?;
        self.n_commands += 1;
        if said.crashed() {
            self.find(Verdict::Broken, format!("{arguments:?} crashed: {}", said.err.trim()));
        }
        Ok(said)
    }

    /// Runs the xtask, and notes it.
    pub(super) fn xtask(&mut self, at: usize, arguments: &[&str]) -> Result<Said> {
        let said = self.look(at, arguments)?;
        self.note_said(at, arguments, &said);
        Ok(said)
    }

    /// Runs the xtask without a note: what only looks.
    pub(super) fn look(&mut self, at: usize, arguments: &[&str]) -> Result<Said> {
        let program = self.worlds[0].xtask_program().to_owned();
        self.run(at, &program, arguments)
    }

    /// Runs git, and notes it.
    pub(super) fn git(&mut self, at: usize, arguments: &[&str]) -> Result<Said> {
        let said = self.run(at, OsStr::new("git"), arguments)?;
        self.note_said(at, arguments, &said);
        Ok(said)
    }

    fn note_said(&self, at: usize, arguments: &[&str], said: &Said) {
        let states: Vec<String> =
            self.places[at].states().iter().map(ToString::to_string).collect();
        let err = said.err.trim().replace('\n', " | ");
        let (words, code, now) = (arguments.join(" "), said.code, self.worlds[0].now());
        self.note(format!("{now} place {at}: {words}: {code:?}; live {}  {err}", states.join(" ")));
    }

    pub(super) fn note(&self, line: String) {
        self.worlds[0].note(line);
    }

    pub(super) fn find(&mut self, verdict: Verdict, what: String) {
        self.findings.push(Finding::new(verdict, what));
    }

    /// The rows of `db-list --json`.
    pub(super) fn rows(&mut self, at: usize, flags: &[&str]) -> Result<Vec<Value>> {
        let said = self.look(at, &[&["db-list", "--json"], flags].concat())?;
        if !said.is_ok() {
            self.find(Verdict::Broken, format!("`db-list` failed: {}", said.err.trim()));
            return Ok(Vec::new());
        }
        let document: Value = serde_json::from_str(&said.out).context("db-list --json")?;
        Ok(document["backups"].as_array().cloned().unwrap_or_default())
    }

    /// The state that a reference restores, and the output.
    pub(super) fn restored(
        &mut self,
        at: usize,
        arguments: &[&str],
    ) -> Result<(Option<State>, Said)> {
        let into = self.worlds[0].scratch();
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let file = into.with_file_name(format!("scratch.db{suffix}"));
            if file.exists() {
                fs_err::remove_file(file)?;
            }
        }
        let target = into.to_string_lossy().into_owned();
        let said = self.look(at, &[&["db-restore", "--into", &target], arguments].concat())?;
        Ok((said.is_ok().then(|| state::of(&into)), said))
    }
}

/// Copies a database as it is now to a path that is free.
#[expect(clippy::disallowed_methods, reason = "SQLite writes the copy that a world begins with")]
pub(super) fn copy_database(from: &Path, to: &Path) -> Result<()> {
    let connection = rusqlite::Connection::open(from)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(())
}
