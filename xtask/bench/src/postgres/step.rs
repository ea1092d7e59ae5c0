//! Who is timed, in the order of their turns.

/// One way to keep or restore a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// `pg_dump -Fc`, then a sync: the measure of backups.
    Custom,
    /// `pg_dump -Fc -Z0`, then a sync: the measure of checkpoints.
    Uncompressed,
    /// A copy by `CREATE DATABASE … TEMPLATE`, which ends all sessions first.
    TemplateCopy,
    /// Our `db-backup`.
    Backup,
    /// Our `db-backup` of a kind that is stored, the first of a round.
    FirstCheckpoint,
    /// The same of the unchanged database.
    UnchangedCheckpoint,
    /// The same after one row in 1000 changed.
    NextCheckpoint,
    /// `pg_restore --single-transaction` into an empty database: the measure of restores.
    PgRestore,
    /// What tools around templates do: end all sessions, drop the database, copy the template.
    TemplateRestore,
    /// Our `db-restore --in-place`.
    InPlace,
    /// Our `db-restore --swap`.
    Swap,
}

/// What creates the output of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// A file in the scratch workspace, which is synced for it.
    File(&'static str),
    /// Whatever grows in the backups folder.
    Backups,
    /// No file: a database on the server.
    Database,
}

/// Ends all sessions of the database, as a copy of it needs.
const END_SESSIONS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bench'";

impl Step {
    /// In the order of their turns: what is restored was kept before.
    pub(super) const ALL: [Self; 11] = [
        Self::Custom,
        Self::Uncompressed,
        Self::TemplateCopy,
        Self::Backup,
        Self::FirstCheckpoint,
        Self::UnchangedCheckpoint,
        Self::NextCheckpoint,
        Self::PgRestore,
        Self::InPlace,
        Self::Swap,
        Self::TemplateRestore,
    ];

    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Custom => "pg_dump -Fc",
            Self::Uncompressed => "pg_dump -Fc -Z0",
            Self::TemplateCopy => "copy of the template",
            Self::Backup => "db-backup",
            Self::FirstCheckpoint => "first checkpoint",
            Self::UnchangedCheckpoint => "checkpoint, nothing changed",
            Self::NextCheckpoint => "checkpoint, 0.1 % of the rows changed",
            Self::PgRestore => "pg_restore --single-transaction",
            Self::TemplateRestore => "DROP, copy of the template",
            Self::InPlace => "db-restore --in-place",
            Self::Swap => "db-restore --swap",
        }
    }

    /// The command line. The first word of ours is `xtask`; clients find the database through the
    /// environment.
    pub(super) fn command(self) -> &'static [&'static str] {
        match self {
            Self::Custom => &["pg_dump", "-Fc", "-f", "copies/custom", "bench"],
            Self::Uncompressed => &["pg_dump", "-Fc", "-Z0", "-f", "copies/uncompressed", "bench"],
            Self::TemplateCopy => &[
                "psql",
                "--set=ON_ERROR_STOP=1",
                "--command",
                END_SESSIONS,
                "--command",
                "CREATE DATABASE template TEMPLATE bench",
            ],
            Self::Backup => &["xtask", "db-backup", "--label", "whole"],
            Self::FirstCheckpoint | Self::UnchangedCheckpoint | Self::NextCheckpoint => {
                &["xtask", "db-backup", "--format", "pages"]
            }
            Self::PgRestore => {
                &["pg_restore", "--single-transaction", "--dbname=empty", "copies/custom"]
            }
            Self::InPlace => &["xtask", "db-restore", "whole", "--yes", "--in-place"],
            Self::Swap => &["xtask", "db-restore", "whole", "--yes", "--swap"],
            Self::TemplateRestore => &[
                "psql",
                "--set=ON_ERROR_STOP=1",
                "--command",
                END_SESSIONS,
                "--command",
                "DROP DATABASE bench",
                "--command",
                "CREATE DATABASE bench TEMPLATE template",
            ],
        }
    }

    /// Whether the database is changed before its turn.
    pub(super) fn follows_a_change(self) -> bool {
        matches!(self, Self::NextCheckpoint | Self::InPlace | Self::Swap | Self::TemplateRestore)
    }

    /// Whether the database is as at the beginning of the round after its turn.
    pub(super) fn restores(self) -> bool {
        matches!(self, Self::InPlace | Self::Swap | Self::TemplateRestore)
    }

    /// What to look at for its size.
    pub(super) fn output(self) -> Output {
        match self {
            Self::Custom => Output::File("copies/custom"),
            Self::Uncompressed => Output::File("copies/uncompressed"),
            Self::Backup
            | Self::FirstCheckpoint
            | Self::UnchangedCheckpoint
            | Self::NextCheckpoint => Output::Backups,
            _ => Output::Database,
        }
    }

    /// Whose time its own is set against.
    pub(super) fn reference(self) -> Self {
        match self {
            Self::Custom | Self::Uncompressed | Self::TemplateCopy | Self::Backup => Self::Custom,
            Self::FirstCheckpoint | Self::UnchangedCheckpoint | Self::NextCheckpoint => {
                Self::Uncompressed
            }
            _ => Self::PgRestore,
        }
    }

    /// How many times its reference's time it may take, for 880 MB.
    pub(super) fn limit(self) -> Option<f64> {
        match self {
            Self::Backup => Some(0.25),
            Self::NextCheckpoint => Some(1.2),
            Self::Swap => Some(1.5),
            Self::InPlace => Some(2.0),
            _ => None,
        }
    }
}
