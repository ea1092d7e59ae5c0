//! Who is timed, in the order of their turns.

/// One way to copy, prove or put back a database.
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
    /// Our `db-restore` of that backup after a day's changes, with its safety backup.
    Restore,
    /// Our `db-backup` of a small database: what every call costs.
    SmallBackup,
}

impl Contender {
    /// In the order of their turns: a backup is verified and restored after it was taken.
    pub(super) const ALL: [Self; 7] = [
        Self::Cp,
        Self::SqliteBackup,
        Self::VacuumInto,
        Self::Backup,
        Self::Verify,
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
            Self::Restore => &["xtask", "db-restore", "latest", "--yes", "--db", "bench"],
            Self::SmallBackup => &["xtask", "db-backup", "--db", "small"],
        }
    }

    /// Whether a ratio against `.backup` says anything.
    pub(super) fn is_comparable(self) -> bool {
        self != Self::SmallBackup
    }
}
