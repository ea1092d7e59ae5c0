//! Who keeps checkpoints, and what each is asked to do.

use std::process::Command;

use anyhow::Result;

use crate::scratch::Scratch;

/// One way to keep many states of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keeper {
    /// Full copies by the shell's `.backup`: the measure of all others.
    Copies,
    /// Our checkpoints.
    Ours,
    /// restic, which reads a file that `.backup` made.
    Restic,
    /// borg, likewise.
    Borg,
}

/// What is asked of it, in the order of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// Keep the state of the database.
    Checkpoint,
    /// The same, if nothing changed since the one before.
    Unchanged,
    /// A full copy in the same turns as the restores, which are set against it.
    Beside,
    /// Put the newest one back.
    Restore,
    /// List all of them.
    List,
    /// Prove that all of them are whole.
    Verify,
    /// Remove all but the newest ones, and what only the others needed.
    Prune,
}

/// Its name in reports, and its command line in the scratch workspace: the first word of ours is
/// `xtask`; `{number}` is a checkpoint's, from 1, and `{kept}` how many stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(&'static str, &'static [&'static str]);

/// What stands for the numbers in a command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) number: usize,
    pub(super) kept: usize,
}

/// Where `.backup` puts its copy, from which restic and borg read.
pub(super) const COPY: &str = "copies/copy.db";
/// Where restic and borg restore to.
pub(super) const RESTORED: &str = "restored";

/// No key for borg, which so has less to do; restic always encrypts.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("RESTIC_REPOSITORY", "restic"),
    ("RESTIC_PASSWORD", "bench"),
    ("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes"),
    ("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes"),
];

impl Keeper {
    /// In the order of the reports.
    pub(super) const ALL: [Self; 4] = [Self::Copies, Self::Ours, Self::Restic, Self::Borg];

    /// The program that has to be installed.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Copies => "sqlite3",
            Self::Ours => "xtask",
            Self::Restic => "restic",
            Self::Borg => "borg",
        }
    }

    /// The version of its program; `None` if that is not installed.
    pub(super) fn version(self, scratch: &Scratch) -> Option<String> {
        let asks = match self {
            Self::Ours => return Some(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Restic => "version",
            Self::Copies | Self::Borg => "--version",
        };
        let said = scratch.output(&[self.program(), asks])?;
        let mut words = said.split_whitespace();
        words.find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
    }

    /// Whether it reads the copy that `.backup` makes, and so takes that time too.
    pub(super) fn needs_copy(self) -> bool {
        matches!(self, Self::Restic | Self::Borg)
    }

    /// Where it keeps what it keeps, in the scratch workspace.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Copies => "copies",
            Self::Ours => "backups",
            Self::Restic => "restic",
            Self::Borg => "borg",
        }
    }

    /// Prepares its folder, before anything is timed.
    pub(super) fn preparation(self) -> Option<Asked> {
        match self {
            Self::Copies | Self::Ours => None,
            Self::Restic => Some(Asked("restic init", &["restic", "init"])),
            Self::Borg => {
                Some(Asked("borg init", &["borg", "init", "--encryption", "none", "borg"]))
            }
        }
    }

    /// How it does what is asked; `None` if it cannot.
    pub(super) fn asked(self, deed: Deed) -> Option<Asked> {
        match self {
            Self::Copies => copies(deed),
            Self::Ours => ours(deed),
            Self::Restic => restic(deed),
            Self::Borg => borg(deed),
        }
    }
}

impl Asked {
    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        self.0
    }

    /// The words of the command line, with what stands for the numbers.
    pub(super) fn words(self) -> &'static [&'static str] {
        self.1
    }

    /// The command, in the scratch workspace.
    pub(super) fn command(self, scratch: &Scratch, numbers: Numbers) -> Result<Command> {
        let (number, kept) = (numbers.number.to_string(), numbers.kept.to_string());
        let words = self.1.iter().map(|word| word.replace("{number}", &number));
        let words: Vec<String> = words.map(|word| word.replace("{kept}", &kept)).collect();
        let mut command = scratch.command(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        command.envs(ENVIRONMENT);
        Ok(command)
    }
}

fn copies(deed: Deed) -> Option<Asked> {
    const BACKUP: &[&str] =
        &["sqlite3", "-batch", "-init", "/dev/null", "db/bench.db", ".backup copies/copy.db"];
    const RESTORE: &[&str] =
        &["sqlite3", "-batch", "-init", "/dev/null", "db/bench.db", ".restore copies/copy.db"];
    match deed {
        Deed::Checkpoint | Deed::Unchanged => Some(Asked("sqlite3 .backup", BACKUP)),
        Deed::Beside => Some(Asked("sqlite3 .backup, beside", BACKUP)),
        Deed::Restore => Some(Asked("sqlite3 .restore", RESTORE)),
        Deed::List | Deed::Verify | Deed::Prune => None,
    }
}

fn ours(deed: Deed) -> Option<Asked> {
    Some(match deed {
        Deed::Checkpoint | Deed::Unchanged => Asked(
            "db-backup --kind pre-commit",
            &["xtask", "db-backup", "--kind", "pre-commit", "--db", "bench"],
        ),
        Deed::Beside => return None,
        Deed::Restore => {
            Asked("db-restore", &["xtask", "db-restore", "latest", "--yes", "--db", "bench"])
        }
        Deed::List => Asked("db-list", &["xtask", "db-list", "--db", "bench"]),
        Deed::Verify => Asked("db-verify --all", &["xtask", "db-verify", "--all", "--db", "bench"]),
        Deed::Prune => Asked(
            "db-prune",
            &["xtask", "db-prune", "--keep-last", "{kept}", "--yes", "--db", "bench"],
        ),
    })
}

fn restic(deed: Deed) -> Option<Asked> {
    Some(match deed {
        Deed::Checkpoint | Deed::Unchanged => {
            Asked(".backup, then restic backup", &["restic", "backup", COPY])
        }
        Deed::Beside => return None,
        Deed::Restore => Asked(
            "restic restore, a file beside",
            &["restic", "restore", "latest", "--target", RESTORED],
        ),
        Deed::List => Asked("restic snapshots", &["restic", "snapshots"]),
        Deed::Verify => Asked("restic check --read-data", &["restic", "check", "--read-data"]),
        Deed::Prune => Asked(
            "restic forget --prune",
            &["restic", "forget", "--keep-last", "{kept}", "--prune"],
        ),
    })
}

fn borg(deed: Deed) -> Option<Asked> {
    Some(match deed {
        Deed::Checkpoint | Deed::Unchanged => {
            Asked(".backup, then borg create", &["borg", "create", "borg::n{number}", COPY])
        }
        Deed::Beside => return None,
        Deed::Restore => Asked(
            "borg extract, a file beside",
            &["sh", "-c", "cd restored && exec borg extract ../borg::n{number}"],
        ),
        Deed::List => Asked("borg list", &["borg", "list", "borg"]),
        Deed::Verify => {
            Asked("borg check --verify-data", &["borg", "check", "--verify-data", "borg"])
        }
        Deed::Prune => Asked(
            "borg prune, compact",
            &["sh", "-c", "borg prune --keep-last {kept} borg && exec borg compact borg"],
        ),
    })
}
