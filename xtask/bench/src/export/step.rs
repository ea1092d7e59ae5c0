//! Who is timed, in the order of their turns.

/// One way out of a database or back into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The shell's `.dump`, then a sync.
    Dump,
    /// Our `db-export`, which syncs by itself.
    Export,
    /// The shell's `.read` of its dump, in one transaction that it syncs.
    Read,
    /// Our `db-import` of our export: hash, foreign keys and integrity checked.
    Import,
    /// Our `db-import` of the shell's dump, with the same checks.
    ImportDump,
}

impl Step {
    /// In the order of their turns: what is read was written before.
    pub(super) const ALL: [Self; 5] =
        [Self::Dump, Self::Export, Self::Read, Self::Import, Self::ImportDump];

    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dump => "sqlite3 .dump",
            Self::Export => "db-export",
            Self::Read => "sqlite3 .read",
            Self::Import => "db-import",
            Self::ImportDump => "db-import of the dump",
        }
    }

    /// The command line, in the scratch workspace. The first word of ours is `xtask`.
    pub(super) fn command(self) -> &'static [&'static str] {
        match self {
            Self::Dump => &[
                "sh",
                "-c",
                "exec sqlite3 -batch -init /dev/null db/bench.db .dump > copies/dump.sql",
            ],
            Self::Export => {
                &["xtask", "db-export", "--db", "bench", "--output", "copies/export.jsonl"]
            }
            Self::Read => &[
                "sqlite3",
                "-batch",
                "-init",
                "/dev/null",
                "copies/read.db",
                ".read copies/dump.sql",
            ],
            Self::Import => &[
                "xtask",
                "db-import",
                "copies/export.jsonl",
                "--db",
                "bench",
                "--into",
                "copies/imported.db",
            ],
            Self::ImportDump => &[
                "xtask",
                "db-import",
                "copies/dump.sql",
                "--db",
                "bench",
                "--into",
                "copies/from-dump.db",
            ],
        }
    }

    /// The file that it creates, in the scratch workspace.
    pub(super) fn output(self) -> &'static str {
        match self {
            Self::Dump => "copies/dump.sql",
            Self::Export => "copies/export.jsonl",
            Self::Read => "copies/read.db",
            Self::Import => "copies/imported.db",
            Self::ImportDump => "copies/from-dump.db",
        }
    }

    /// Whether it does nothing without the sqlite3 shell.
    pub(super) fn needs_shell(self) -> bool {
        matches!(self, Self::Dump | Self::Read | Self::ImportDump)
    }

    /// Whether its output is synced for it.
    pub(super) fn needs_sync(self) -> bool {
        self == Self::Dump
    }

    /// Whose time its own is set against.
    pub(super) fn reference(self) -> Self {
        match self {
            Self::Dump | Self::Export => Self::Dump,
            Self::Read | Self::Import | Self::ImportDump => Self::Read,
        }
    }

    /// How many times its reference's time it may take, for 1 GB.
    pub(super) fn limit(self) -> Option<f64> {
        match self {
            Self::Dump | Self::Read => None,
            Self::Export => Some(1.0),
            Self::Import | Self::ImportDump => Some(1.2),
        }
    }
}
