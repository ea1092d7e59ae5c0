//! Who is timed, in the order of their turns.

/// One way to copy, prove or restore a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    /// A plain copy of the file, then a sync: what the disk can do. Wrong beside a writer.
    Cp,
    /// The shell's `.backup`, which syncs by itself: the measure of all others.
    SqliteBackup,
    /// The shell's `VACUUM INTO`.
    VacuumInto,
    /// Our `db-backup`: copied, synced, hashed, checked and published.
    Backup,
    /// Our `db-verify` of that backup.
    Verify,
    /// Our `db-diff` of that backup against a database of which one row in 1000 changed since.
    Diff,
    /// The SQLite project's own `sqldiff` of the same pair.
    Sqldiff,
    /// Our `db-restore` of that backup after a day's changes, with its safety backup.
    Restore,
    /// Our `db-backup` of a small database: what every call costs.
    SmallBackup,
}

impl Contender {
    /// In the order of their turns: a backup is verified and restored after it was taken.
    pub(super) const ALL: [Self; 9] = [
        Self::Cp,
        Self::SqliteBackup,
        Self::VacuumInto,
        Self::Backup,
        Self::Verify,
        Self::Diff,
        Self::Sqldiff,
        Self::Restore,
        Self::SmallBackup,
    ];

    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cp => "cp --reflink=auto, fsync",
            Self::SqliteBackup => "sqlite3 .backup",
            Self::VacuumInto => "sqlite3 VACUUM INTO",
            Self::Backup => "db-backup",
            Self::Verify => "db-verify",
            Self::Diff => "db-diff",
            Self::Sqldiff => "sqldiff --summary",
            Self::Restore => "db-restore",
            Self::SmallBackup => "db-backup of 160 KB",
        }
    }

    /// The command line, in the scratch workspace. The first word of ours is `xtask`.
    pub(super) fn command(self) -> &'static [&'static str] {
        match self {
            Self::Cp => &["cp", "--reflink=auto", "db/bench.db", "copies/copy.db"],
            Self::SqliteBackup => &[
                "sqlite3",
                "-batch",
                "-init",
                "/dev/null",
                "db/bench.db",
                ".backup copies/copy.db",
            ],
            Self::VacuumInto => &[
                "sqlite3",
                "-batch",
                "-init",
                "/dev/null",
                "db/bench.db",
                "VACUUM INTO 'copies/copy.db'",
            ],
            Self::Backup => &["xtask", "db-backup", "--db", "bench"],
            Self::Verify => &["xtask", "db-verify", "--db", "bench"],
            Self::Diff => &["xtask", "db-diff", "--db", "bench"],
            // The name of the backup is the time it was taken; there is one.
            Self::Sqldiff => {
                &["sh", "-c", "exec sqldiff --summary backups/bench.db.*.bak db/bench.db"]
            }
            Self::Restore => &["xtask", "db-restore", "latest", "--yes", "--db", "bench"],
            Self::SmallBackup => &["xtask", "db-backup", "--db", "small"],
        }
    }

    /// Whose time its own is set against; `None` if a ratio says nothing.
    pub(super) fn reference(self) -> Option<Self> {
        match self {
            Self::SmallBackup => None,
            Self::Diff | Self::Sqldiff => Some(Self::Sqldiff),
            _ => Some(Self::SqliteBackup),
        }
    }
}
