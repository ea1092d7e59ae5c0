//! Problems of one database and its backups.

use std::os::unix::fs::MetadataExt as _;

use crate::backups::backup::{Backup, State};
use crate::backups::kind::Kind;
use crate::backups::record::Record;
use crate::backups::record::proof::Proof;
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
            return format!("correct `path` of `{}` in Cargo.toml", self.database.name);
        }
        self.command(command)
    }

    fn live_problem(&self) -> Option<Problem> {
        let place = self.project.quoted_place(self.database);
        let (code, what, remedy) = match &self.live.sight {
            Sight::Schema { .. } | Sight::Busy(_) => return None,
            Sight::Missing => return Some(self.missing(&place)),
            Sight::Empty => {
                ("empty", format!("{place} is an empty file (0 bytes)"), self.restore())
            }
            Sight::Foreign(what) => ("foreign", format!("{place} is {what}"), self.restore()),
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
        let holders = holders::of_deleted(&self.database.path);
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
        let remedy = match self.main_branch().filter(|_| !own) {
            Some(branch) => {
                self.command(&format!("db-restore {}", text::shell(&format!("@{branch}"))))
            }
            None => self.restore(),
        };
        Problem::new("missing", what, remedy)
    }

    /// The branch whose database a new worktree may begin with: `main`, else the newest backup's.
    fn main_branch(&self) -> Option<String> {
        let branch = |backup: &Backup| backup.branch().map(str::to_owned);
        let branches: Vec<String> = self.backups.iter().copied().filter_map(branch).collect();
        branches.iter().find(|branch| *branch == "main").or(branches.first()).cloned()
    }

    fn sidecars_alone(&self) -> Option<Problem> {
        let alone = matches!(self.live.sight, Sight::Missing | Sight::Empty) && self.live.sidecars;
        let what = format!(
            "there is a WAL or journal at `{}` without its database; a restore sets it aside",
            self.project.path(&self.database.path)
        );
        alone.then(|| Problem::new("sidecars-alone", what, self.restore()))
    }

    fn network(&self) -> Option<Problem> {
        let kind = free_space::network(&self.database.path)?;
        let place = self.project.quoted_place(self.database);
        Some(Problem::new(
            "network",
            format!("{place} is on {kind}, where SQLite's locks are not reliable"),
            "move the database to a local disk and correct its `path` in Cargo.toml",
        ))
    }

    fn no_backup(&self) -> Option<Problem> {
        let readable = matches!(self.live.sight, Sight::Schema { .. } | Sight::Busy(_));
        if !readable || self.last().is_some() {
            return None;
        }
        let what = format!("there is no backup of {}", self.project.quoted_place(self.database));
        Some(Problem::new("no-backup", what, self.command("db-backup")))
    }

    fn bad_backups(&self) -> Vec<Problem> {
        let of = |state| self.backups.iter().copied().filter(move |backup| backup.state() == state);
        let mut problems = Vec::new();
        let (records, damaged): (Vec<_>, Vec<_>) =
            of(State::Damaged).partition(|backup| matches!(backup.proof, Proof::Damaged(_)));
        problems.extend(several(
            &damaged,
            "damaged-backups",
            ["is damaged", "backups are damaged"],
        ));
        problems.extend(records.first().map(|first| {
            let n = text::count(records.len() as u64, "record");
            let are = if records.len() == 1 { "is" } else { "are" };
            let what =
                format!("{n} {are} damaged, e.g. that of `{}`: its checksum is wrong", first.name);
            let name = text::shell(&first.name.to_string());
            let remedy = format!("cargo xtask db-verify {name}   # shows what is left of it");
            Problem::new("damaged-records", what, remedy)
        }));
        problems.extend(self.unread());
        let unreadable = |backup: &&Backup| matches!(backup.proof, Proof::Unreadable(_));
        problems.extend(several(
            &of(State::Unverified).filter(unreadable).collect::<Vec<_>>(),
            "unreadable-records",
            ["has a record that cannot be read", "backups have records that cannot be read"],
        ));
        let newer = of(State::Unverified).find(|backup| matches!(backup.proof, Proof::Newer(_)));
        problems.extend(newer.map(|backup| {
            let what = format!("the record of `{}` was written by a newer xtask-db", backup.name);
            Problem::new("newer-records", what, "cargo update --package xtask-db")
        }));
        problems
    }

    /// Stored backups whose pages nobody read lately: whether they are right is not known.
    fn unread(&self) -> Option<Problem> {
        let since = |backup: &Backup| match backup.state() {
            State::Unread(since) => Some(since),
            _ => None,
        };
        let mut unread = self.backups.iter().copied().filter_map(since);
        let first = unread.next()?;
        let (oldest, n) = unread.fold((first, 1), |(oldest, n), next| (oldest.min(next), n + 1));
        let backups = if n == 1 { "1 backup is".to_owned() } else { format!("{n} backups are") };
        let what = format!("{backups} unread since {}", oldest.format("%Y-%m-%d"));
        Some(Problem::new("unread", what, "cargo xtask db-verify --all"))
    }

    fn drift(&self) -> Option<Problem> {
        // Right after a migration the newest is the checkpoint from before it.
        let is_migrated = self.last().is_some_and(|last| last.kind() == Some(Kind::PreMigrate));
        if self.has_drifted() != Some(true) || is_migrated {
            return None;
        }
        let last = self.last()?;
        let before = last.record().map_or(0, |record: &Record| record.sqlite.user_version);
        let versions = match self.version() {
            Some(now) if before > 0 && now != before => format!(" (version {before}, now {now})"),
            _ => String::new(),
        };
        let what = format!("the schema changed since the last backup, `{}`{versions}", last.name);
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
            format!("set `migrate` of `{}` in Cargo.toml, then run db-migrate", self.database.name)
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

    fn future(&self) -> Option<Problem> {
        let ahead =
            self.backups.iter().copied().find(|backup| backup.is_from_the_future(self.now))?;
        Some(Problem::new(
            "future",
            format!("`{}` is dated in the future: a clock is or was wrong", ahead.name),
            "date   # if this is right: keep the backup until its date, or delete it",
        ))
    }

    /// How this user can be allowed to read the database: its owner can allow it, others cannot.
    fn permit(&self) -> String {
        let metadata = fs_err::metadata(&self.database.path);
        let me = rustix::process::geteuid().as_raw();
        if metadata.is_ok_and(|metadata| metadata.uid() == me) {
            return format!("chmod u+rw {}", self.shell_path());
        }
        format!("ls -l {}   # shows the owner: run this as that user", self.shell_path())
    }

    fn shell_path(&self) -> String {
        text::shell(&self.project.dotted(&self.database.path))
    }
}

/// One problem for one or several backups; the command names the newest of them.
fn several(backups: &[&Backup], code: &'static str, words: [&str; 2]) -> Option<Problem> {
    let first = backups.first()?;
    let name = text::shell(&first.name.to_string());
    Some(match backups.len() {
        1 => Problem::new(
            code,
            format!("`{}` {}", first.name, words[0]),
            format!("cargo xtask db-verify {name}   # shows how; then delete it"),
        ),
        n => Problem::new(
            code,
            format!("{n} {}, the newest is `{}`", words[1], first.name),
            "cargo xtask db-verify --all   # shows how; then delete them",
        ),
    })
}
