//! Problems of one database, and whether its backups are enough.

use std::os::unix::fs::MetadataExt as _;

use crate::backups::kind::Kind;
use crate::backups::record::Record;
use crate::branches::first_state;
use crate::console::text::{self, Span};
use crate::files::{free_space, holders};
use crate::health::checkup::Checkup;
use crate::health::glance::Sight;
use crate::health::problem::Problem;
use crate::recovery::interrupted_step::Left;

impl Checkup<'_> {
    /// Everything that needs attention, the gravest first.
    #[must_use]
    pub(crate) fn problems(&self, max_age: Option<Span>) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.left.iter().map(|left| self.interrupted(left)));
        problems.extend(self.live_problem());
        problems.extend(self.sidecars_alone());
        problems.extend(self.network());
        problems.extend(self.no_backup());
        problems.extend(max_age.and_then(|span| self.too_old(span)));
        problems.extend(self.bad_backups());
        problems.extend(self.drift());
        problems.extend(self.pending());
        problems.extend(self.ahead());
        problems.extend(self.future());
        problems.into_iter().map(|problem| problem.of(self.database)).collect()
    }

    pub(super) fn command(&self, command: &str) -> String {
        format!("cargo xtask {command}{}", self.project.database_flag(self.database))
    }

    fn interrupted(&self, left: &Left) -> Problem {
        let what = left.sentence(self.project, self.database);
        Problem::new("interrupted", what, self.command("db-recover"))
    }

    /// The command that restores a database from the newest backup, else the command that creates
    /// one.
    fn restore(&self) -> String {
        self.restore_with("db-restore latest")
    }

    fn restore_with(&self, command: &str) -> String {
        let is_empty = matches!(self.live.sight, Sight::Empty);
        if self.backups.is_empty() && is_empty && !self.database.migrate.is_empty() {
            return self.command("db-setup");
        }
        if self.backups.is_empty() {
            return self.correct_path();
        }
        self.command(command)
    }

    /// What to do about a path that cannot be the database's.
    fn correct_path(&self) -> String {
        match &self.database.origin {
            Some(origin) => format!("correct {origin}"),
            None => format!("correct `path` in {} in Cargo.toml", self.database.header()),
        }
    }

    fn live_problem(&self) -> Option<Problem> {
        let place = self.project.quoted_place(self.database);
        let (code, what, remedy) = match &self.live.sight {
            Sight::Schema { .. } | Sight::Server(_) | Sight::Busy(_) => return None,
            Sight::Unreached { what, hint } => ("unreachable", what.clone(), hint.clone()),
            Sight::Missing => return Some(self.missing(&place)),
            Sight::Empty => {
                ("empty", format!("{place} is an empty file (0 bytes)"), self.restore())
            }
            Sight::Foreign(what) => ("foreign", format!("{place} is {what}"), self.restore()),
            Sight::Folder => ("foreign", format!("{place} is a folder"), self.correct_path()),
            Sight::Other(engine) => {
                ("other-engine", format!("{place} is {}", engine.what), engine.hint.to_owned())
            }
            Sight::MayBeEncrypted => (
                "encrypted",
                format!(
                    "{place} is not an SQLite database; it may be encrypted, which xtask-db cannot \
                     read"
                ),
                self.restore_with("db-restore latest --force"),
            ),
            Sight::Forbidden(why) => {
                ("forbidden", format!("could not read {place}: {why}"), self.permit())
            }
            Sight::Damaged(why) => (
                "damaged",
                format!("{place} is damaged: {}", text::plain(why)),
                if self.backups.is_empty() {
                    self.command("db-backup --damaged")
                } else {
                    self.restore()
                },
            ),
        };
        Some(Problem::new(code, what, remedy))
    }

    fn missing(&self, place: &str) -> Problem {
        let what = format!("there is no database at {place}");
        let holders = holders::of_deleted(self.database.home());
        if let Some(holder) = holders.first() {
            let who = holders::sentence_of(&holders);
            let remedy =
                format!("ls -l /proc/{}/fd   # its data can be copied from there", holder.pid);
            return Problem::new("deleted", format!("{what}: it was deleted{who}"), remedy);
        }
        if self.backups.is_empty() {
            return Problem::new("missing", what, self.command("db-setup"));
        }
        let own = self.backups.iter().copied().any(|b| b.worktree() == self.project.worktree());
        let backups = self.backups.iter().copied();
        let first = first_state::branch(backups, self.project.git.as_ref());
        let remedy = match first.filter(|_| !own) {
            Some(branch) => {
                self.command(&format!("db-restore {}", text::shell(&format!("@{branch}"))))
            }
            None => self.restore(),
        };
        Problem::new("missing", what, remedy)
    }

    fn sidecars_alone(&self) -> Option<Problem> {
        let alone = matches!(self.live.sight, Sight::Missing | Sight::Empty) && self.live.sidecars;
        let what = format!(
            "there is a WAL or journal at `{}` without its database; a restore sets it aside",
            self.project.plain_place(self.database)
        );
        alone.then(|| Problem::new("sidecars-alone", what, self.restore()))
    }

    fn network(&self) -> Option<Problem> {
        let kind = free_space::network(self.database.file_if_any()?)?;
        let place = self.project.quoted_place(self.database);
        Some(Problem::new(
            "network",
            format!("{place} is on {kind}, where SQLite's locks are not reliable"),
            format!(
                "move the database to a local disk and correct `path` in {} in Cargo.toml",
                self.database.header()
            ),
        ))
    }

    fn no_backup(&self) -> Option<Problem> {
        let readable =
            matches!(self.live.sight, Sight::Schema { .. } | Sight::Server(_) | Sight::Busy(_));
        if !readable || self.last().is_some() {
            return None;
        }
        let what = format!("there is no backup of {}", self.project.quoted_place(self.database));
        Some(Problem::new("no-backup", what, self.command("db-backup")))
    }

    fn drift(&self) -> Option<Problem> {
        // Right after a migration the newest is the checkpoint from before it.
        let last = self.expected()?;
        if self.has_drifted() != Some(true) || last.kind() == Some(Kind::PreMigrate) {
            return None;
        }
        let before = last.record().map_or(0, Record::user_version);
        let versions = match self.version() {
            Some(now) if before > 0 && now != before => format!(" (version {before}, now {now})"),
            _ => String::new(),
        };
        let since = match self.last() {
            Some(newest) if newest.name != last.name => format!("`{}` was restored", last.name),
            _ => format!("the last backup, `{}`", last.name),
        };
        let what = format!("the schema changed since {since}{versions}");
        Some(Problem::new("schema-drift", what, self.command("db-backup")))
    }

    fn pending(&self) -> Option<Problem> {
        let n = self.n_pending().filter(|n| *n > 0)?;
        let (version, newest) = (self.version()?, self.newest_migration()?);
        let what = format!(
            "{} not applied: the database has schema version {version}, the code {newest}",
            text::count(n as u64, "migration")
        );
        let remedy = if self.database.migrate.is_empty() {
            format!(
                "{}   # first set `migrate` in {} in Cargo.toml",
                self.command("db-migrate"),
                self.database.header()
            )
        } else {
            self.command("db-migrate")
        };
        Some(Problem::new("pending-migrations", what, remedy))
    }

    /// The database is newer than the code: another branch or a newer version migrated it.
    fn ahead(&self) -> Option<Problem> {
        let (version, newest) = (self.version()?, self.newest_migration()?);
        let what = format!(
            "the database has schema version {version}, newer than the code's {newest}: another branch or a \
             newer version of the code migrated it"
        );
        let remedy = format!(
            "{}   # to an older state; or check out the code that migrated it",
            self.command("db-restore")
        );
        (version > newest).then(|| Problem::new("ahead-of-code", what, remedy))
    }

    /// How this user can be allowed to read the database: its owner can allow it, others cannot.
    fn permit(&self) -> String {
        let metadata = fs_err::metadata(self.database.home());
        let me = rustix::process::geteuid().as_raw();
        if metadata.is_ok_and(|metadata| metadata.uid() == me) {
            return format!("chmod u+rw {}", self.shell_path());
        }
        format!("ls -l {}   # shows the owner: run this as that user", self.shell_path())
    }

    fn shell_path(&self) -> String {
        text::shell(&self.project.dotted_place(self.database))
    }
}
