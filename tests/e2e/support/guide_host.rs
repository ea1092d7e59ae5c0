//! The project that the documents' commands run in: a small chat application with migrations, in a
//! repository, whose `cargo` knows only `cargo xtask`.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use crate::support::markdown::workspace;
use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::complain;
use crate::support::terminal::Terminal;

const MANIFEST: &str = r#"[workspace]
members = []

[workspace.metadata.db.databases.kalito]
path = "backend/db/kalito.db"
schema = ["backend/db/migrations/*.sql"]
migrate = ["sh", "migrate.sh"]
merge-key = { sessions = ["created_at", "title"], memory_entries = ["created_at", "topic"], messages = ["content"] }

[workspace.metadata.db.keep]
last = 10
within = "30d"
"#;

/// What the documents use besides git and the commands themselves.
const TOOLS: [&str; 2] = ["bash", "sqlite3"];

/// A migration runner that knows where the database is.
const RUNNER: &str = "DATABASE_PATH=${DATABASE_PATH:-backend/db/kalito.db} exec sh migrate.sh";

/// A project in which a document is run from its first command to its last.
pub(crate) struct Host {
    sandbox: Sandbox,
}

impl Host {
    /// The project as every document finds it; `None`, with a message, if a tool is missing.
    pub(crate) fn new() -> Option<Self> {
        let sandbox = Sandbox::empty();
        for tool in TOOLS {
            if sandbox.command(tool).arg("--version").output().is_err() {
                complain(&format!("SKIPPED: the documents' commands need `{tool}`"));
                return None;
            }
        }
        sandbox.write("Cargo.toml", MANIFEST);
        sandbox.write(".gitignore", "*.db\n*.db-*\n");
        let fixture = |name: &str| {
            fs_err::read(workspace().join("tests/fixtures/chat").join(name)).expect("a fixture")
        };
        sandbox.write("migrate.sh", fixture("migrate.sh"));
        let host = Self { sandbox };
        host.program("cargo", "[ \"$1\" = xtask ] || exit 0\nshift\nexec \"$XTASK\" \"$@\"\n");
        for runner in ["sqlx", "diesel"] {
            host.program(runner, &format!("{RUNNER}\n"));
        }
        host.migrate();
        host.sandbox.sql(&String::from_utf8(fixture("seed.sql")).expect("text"));
        host.sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
        host.quietly("git add --all && git commit --quiet --message=first");
        host.sandbox.set_clock("2025-09-13T14:25:30+02:00");
        Some(host)
    }

    /// Copies the sample host's migrations and applies them with the SQLite of this build, so the size of the
    /// database does not depend on the shell that is installed.
    fn migrate(&self) {
        let folder = workspace().join("backend/db/migrations");
        let entries = fs_err::read_dir(folder).expect("migrations");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        files.sort();
        let scripts = files.iter().map(|file| {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs_err::read_to_string(file).expect("a migration"))
        });
        let scripts: Vec<(String, String)> = scripts.collect();
        for (name, script) in &scripts {
            self.sandbox.write(&format!("backend/db/migrations/{name}"), script);
        }
        let version = format!("PRAGMA user_version = {};", scripts.len());
        self.sandbox.sql("PRAGMA journal_mode = WAL");
        for script in scripts.iter().map(|(_, script)| script).chain([&version]) {
            self.sandbox.sql(script);
        }
    }

    /// Sets the clock.
    pub(crate) fn set_clock(&self, time: &str) {
        self.sandbox.set_clock(time);
    }

    /// Runs lines in one shell and demands that they succeed.
    pub(crate) fn quietly(&self, lines: &str) {
        let said = self.sandbox.said(&self.output(&format!("set -eu\n{lines}")));
        assert_eq!(said.code, Some(0), "{lines}\n{said:#?}");
    }

    /// Runs a command whose output is read, what it reports among its results.
    pub(crate) fn transcript(&self, command: &str) -> Said {
        self.sandbox.said(&self.output(&format!("{{ {command}\n}} 2>&1")))
    }

    /// Types a command at a terminal, with the answers to what it may ask: its exit code and the screen.
    /// `None`, with a message, if there is no terminal.
    pub(crate) fn typed(&self, command: &str) -> Option<(Option<i32>, String)> {
        let script = format!("{}\nset -o pipefail\n{command}", self.prelude());
        let mut terminal = Terminal::run_under(&self.sandbox, &["bash", "-c", &script], &[])?;
        if command.split('#').next().is_some_and(|c| c.trim() == "cargo xtask db-restore") {
            terminal.press("1\r");
        }
        terminal.press("y\r");
        let ended = terminal.end();
        Some((ended.code, ended.screen))
    }

    /// Runs the commands' parser alone: their help is asked for with everything that is shown.
    pub(crate) fn parses(&self, arguments: &str) -> Said {
        let (own, others) = arguments.split_once(" -- ").unwrap_or((arguments, ""));
        let others = if others.is_empty() { String::new() } else { format!("-- {others}") };
        self.sandbox.said(&self.output(&format!("cargo xtask {own} --help {others}")))
    }

    fn output(&self, script: &str) -> Output {
        let script = format!("{}\nset -o pipefail\n{script}", self.prelude());
        let mut command = self.sandbox.xtask_under(&["bash", "-c", &script], &[]);
        command.output().expect("bash runs")
    }

    /// What every shell begins with. `$0` is the xtask.
    fn prelude(&self) -> String {
        format!(
            "export PATH='{}':$PATH XTASK=$0 USER=anna XTASK_DB_MACHINE=3f2a1b GIT_EDITOR=true
            export GIT_AUTHOR_DATE=$XTASK_DB_NOW GIT_COMMITTER_DATE=$XTASK_DB_NOW",
            self.sandbox.path("../bin").display()
        )
    }

    /// Puts a small program on the path.
    fn program(&self, name: &str, body: &str) {
        let relative = format!("../bin/{name}");
        self.sandbox.write(&relative, format!("#!/bin/sh\n{body}"));
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(self.sandbox.path(&relative), mode).expect("executable");
    }
}
