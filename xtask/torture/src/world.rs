//! A world: one host's workspace in a folder of its own, sealed from this machine's user and project.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, FixedOffset, TimeDelta};
use rusqlite::Connection;
use serde_json::Value;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::host::{self, Plan};
use crate::program::{self, Said};
use crate::state::{self, State};

/// The programs that a world is made of.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The `xtask` under test.
    pub(crate) xtask: PathBuf,
    /// This program, as the host.
    pub(crate) host: PathBuf,
    /// A fault built into the `xtask` under test, if it has one.
    pub(crate) plant: Option<String>,
}

/// How a world's project is configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    /// Lines for `[workspace.metadata.db]` and the tables below it.
    pub(crate) workspace: String,
    /// Lines for the database's own table.
    pub(crate) database: String,
    /// The journal mode of the database, `wal` or `delete`.
    pub(crate) journal_mode: &'static str,
}

/// A workspace with one database, `app.db`.
pub(crate) struct World {
    programs: Programs,
    folder: PathBuf,
    clock: Cell<DateTime<FixedOffset>>,
    /// What the next migration migrates to.
    planned: Cell<Option<u32>>,
    /// What was done, for the report of a finding.
    history: RefCell<Vec<String>>,
}

impl World {
    /// Makes a world in an empty folder.
    pub(crate) fn create(programs: &Programs, folder: &Path, setting: &Setting) -> Result<Self> {
        let clock = DateTime::parse_from_rfc3339("2026-03-02T10:00:00+00:00")?;
        let world = Self {
            programs: programs.clone(),
            folder: folder.canonicalize()?,
            clock: Cell::new(clock),
            planned: Cell::new(None),
            history: RefCell::new(Vec::new()),
        };
        for name in ["home", "root"] {
            fs_err::create_dir_all(world.folder.join(name))?;
        }
        fs_err::write(world.path("Cargo.toml"), world.manifest(setting))?;
        world.create_database(setting.journal_mode)?;
        Ok(world)
    }

    fn manifest(&self, setting: &Setting) -> String {
        format!(
            "[workspace]\nmembers = []\nresolver = \"3\"\n\n[workspace.metadata.db]\n{}\n\n\
             [workspace.metadata.db.databases.app]\npath = \"app.db\"\n\
             migrate = [{:?}, \"host-migrate\"]\nmigrate-env = \"{}\"\n{}\n",
            setting.workspace,
            self.programs.host.display().to_string(),
            host::DATABASE,
            setting.database,
        )
    }

    #[expect(clippy::disallowed_methods, reason = "the database of a world is created here")]
    fn create_database(&self, journal_mode: &str) -> Result<()> {
        let connection = Connection::open(self.live())?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = {journal_mode};
             {}
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO note SELECT i, hex(randomblob(40)) FROM n;
             INSERT INTO tag SELECT id, 'tag' FROM note WHERE id % 5 = 0;
             PRAGMA user_version = 1;",
            host::FIRST
        ))?;
        Ok(())
    }

    /// The workspace's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// The live database.
    pub(crate) fn live(&self) -> PathBuf {
        self.path("app.db")
    }

    /// Its state.
    pub(crate) fn state(&self) -> State {
        state::of(&self.live())
    }

    /// Its schema version, which a migration sets last; `None` if it cannot be read.
    pub(crate) fn version(&self) -> Option<u32> {
        let connection = state::open(&self.live()).ok()?;
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).ok()
    }

    /// Whether the planned migration ended: it sets the version last, and a faulty one never does.
    pub(crate) fn is_migrated(&self) -> bool {
        self.planned.get().is_some() && self.version() == self.planned.get()
    }

    /// Notes what happens.
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.history.borrow_mut().push(line.into());
    }

    /// What happened so far, a line each.
    pub(crate) fn history(&self) -> String {
        self.history.borrow().join("\n")
    }

    /// The time that the next command sees.
    pub(crate) fn now(&self) -> DateTime<FixedOffset> {
        self.clock.get()
    }

    /// Moves the clock.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.clock.set(self.clock.get() + time);
    }

    /// Lets an ordinary stretch of time pass: none, seconds, hours, or days.
    pub(crate) fn pass_some_time(&self, dice: &mut Dice) {
        let time = match dice.below(6) {
            0 => TimeDelta::zero(),
            1 | 2 => TimeDelta::seconds(1 + i64::try_from(dice.below(90)).unwrap_or(0)),
            3 | 4 => TimeDelta::minutes(1 + i64::try_from(dice.below(600)).unwrap_or(0)),
            _ => TimeDelta::hours(i64::try_from(dice.below(120)).unwrap_or(0)),
        };
        self.pass(time);
    }

    /// A command with the world's environment and nothing of this machine's.
    pub(crate) fn command(&self, program: &OsStr, fault: Fault) -> Command {
        let mut command = program::command(program, fault, &self.folder.join("trace"));
        let date = format!("{} +0000", self.now().timestamp());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.join("home"))
            .env("TZ", "UTC")
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.invalid")
            .env("GIT_COMMITTER_NAME", "A")
            .env("GIT_COMMITTER_EMAIL", "a@example.invalid")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_EDITOR", "true")
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .env("XTASK_DB_NOW", self.now().to_rfc3339())
            .current_dir(self.root());
        if let Some(plant) = &self.programs.plant {
            command.env("XTASK_DB_PLANT", plant);
        }
        command
    }

    /// The `xtask` under test.
    pub(crate) fn xtask_program(&self) -> &OsStr {
        self.programs.xtask.as_os_str()
    }

    /// Starts the xtask.
    pub(crate) fn start(&self, arguments: &[&str], fault: Fault) -> Result<Child> {
        let mut command = self.command(self.programs.xtask.as_os_str(), fault);
        program::start(command.args(arguments))
    }

    /// Runs the xtask under a fault.
    pub(crate) fn xtask_under(&self, arguments: &[&str], fault: Fault) -> Result<Said> {
        let said = program::finish(self.start(arguments, fault)?, fault)?;
        let code = said.code.map_or("signal".to_owned(), |code| code.to_string());
        let last = said.err.trim().lines().last().unwrap_or_default().to_owned();
        self.note(format!(
            "{} ({fault}): {code}; live {}  {last}",
            arguments.join(" "),
            self.state()
        ));
        Ok(said)
    }

    /// Runs the xtask.
    pub(crate) fn xtask(&self, arguments: &[&str]) -> Result<Said> {
        self.xtask_under(arguments, Fault::None)
    }

    /// Runs git, and demands that it succeeds.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<Said> {
        let said = self.git_tried(arguments)?;
        ensure!(said.is_ok(), "git {arguments:?}: {said:?}");
        Ok(said)
    }

    /// Runs git.
    pub(crate) fn git_tried(&self, arguments: &[&str]) -> Result<Said> {
        let mut command = self.command(OsStr::new("git"), Fault::None);
        let said = program::finish(program::start(command.args(arguments))?, Fault::None)?;
        let last = said.err.trim().lines().last().unwrap_or_default().to_owned();
        self.note(format!("git {}: {:?}  {last}", arguments.join(" "), said.code));
        Ok(said)
    }

    /// Starts the application, which writes until its standard input is closed.
    pub(crate) fn start_writer(&self) -> Result<Child> {
        let mut command = self.command(self.programs.host.as_os_str(), Fault::None);
        command
            .arg("host-write")
            .env(host::DATABASE, self.live())
            .env(host::ACKNOWLEDGED, self.acknowledged());
        command.stdin(std::process::Stdio::piped());
        command.spawn().context("could not start the application")
    }

    /// Where the application notes what SQLite acknowledged.
    pub(crate) fn acknowledged(&self) -> PathBuf {
        self.folder.join("acknowledged")
    }

    /// A file for copies, outside of the workspace.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch.db")
    }

    /// What the next migration does.
    pub(crate) fn plan(&self, plan: Plan) -> Result<()> {
        self.note(format!("the next migration: {plan:?}"));
        self.planned.set(Some(plan.version));
        plan.save(&self.root())
    }

    /// The application works for a while: some rows come, some change, some go.
    pub(crate) fn work(&self, dice: &mut Dice) -> Result<()> {
        let connection = state::open(&self.live())?;
        for _ in 0..=dice.below(4) {
            let sql = match dice.below(4) {
                0 | 1 => "INSERT INTO note (body) SELECT hex(randomblob(30)) FROM note LIMIT 20",
                2 => "UPDATE note SET body = hex(randomblob(25)) WHERE abs(random()) % 9 = 0",
                _ => {
                    "DELETE FROM note WHERE abs(random()) % 20 = 0
                     AND id NOT IN (SELECT note_id FROM tag)"
                }
            };
            connection.execute(sql, [])?;
        }
        drop(connection);
        self.note(format!("the application worked: live {}", self.state()));
        Ok(())
    }

    /// The backups as `db-list --json` has them, newest first.
    pub(crate) fn list(&self) -> Result<Vec<Value>> {
        let said = self.xtask(&["db-list", "--json"])?;
        ensure!(said.is_ok(), "db-list failed: {said:?}");
        let document: Value = serde_json::from_str(&said.out).context("db-list --json")?;
        let backups = document["backups"].as_array().context("no backups in db-list --json")?;
        Ok(backups.clone())
    }
}
