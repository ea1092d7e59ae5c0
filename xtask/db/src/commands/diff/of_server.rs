//! The sides of a comparison of PostgreSQL databases: dumps. The live database is dumped into a private file for it.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::files::stage::Stage;
use crate::host::project::{Database, Project};
use crate::operations::dump_source::DumpSource;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::{self, Dumped, read_back};
use crate::postgres::programs::Programs;
use crate::postgres::standing;
use crate::rows::diff::dumps::side::Dump;
use crate::sqlite::examination::finding::Damage;

/// One side.
pub(super) enum Side {
    /// A backup.
    Backup { source: Box<DumpSource>, blake3: Option<String> },
    /// The live database, as it was dumped.
    Live { stage: Stage, dumped: Box<Dumped> },
}

/// Whether a backup is a dump.
pub(super) fn is_dump(backup: &Backup) -> bool {
    backup.name.format.is_dump()
}

impl Side {
    /// A backup.
    ///
    /// # Errors
    ///
    /// If it has no record of a dump.
    pub(super) fn of_backup(backup: &Backup) -> Result<Self> {
        let blake3 = backup.record().map(|record| record.blake3.clone());
        let source =
            DumpSource::of(backup).with_context(|| format!("could not read `{}`", backup.name))?;
        Ok(Self::Backup { source: Box::new(source), blake3 })
    }

    /// The live database.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or read, the disk is full, or at the user's interrupt.
    pub(super) fn of_live(
        project: &Project,
        database: &Database,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let server = database.server().context("it is not on a server")?;
        let programs = Programs::find(&project.search_path, interrupt)?;
        let stage = Stage::create_held(&project.backups, &database.file_name())?;
        let dumped = dump::dump(server, &programs, &stage, interrupt)
            .map_err(|error| standing::explain(error, server, &programs))?;
        Ok(Self::Live { stage, dumped: Box::new(dumped) })
    }

    /// What proves it.
    pub(super) fn proof(&self) -> &DumpProof {
        match self {
            Self::Backup { source, .. } => &source.proof,
            Self::Live { dumped, .. } => &dumped.proof,
        }
    }

    /// The version of `pg_dump` that wrote it.
    fn client_version(&self) -> &str {
        match self {
            Self::Backup { source, .. } => source.source().client_version,
            Self::Live { dumped, .. } => &dumped.client_version,
        }
    }

    /// The dump.
    pub(super) fn dump(&self) -> Dump<'_> {
        match self {
            Self::Backup { source, blake3 } => {
                Dump { sql: source.source().dump, blake3: blake3.as_deref(), proof: &source.proof }
            }
            Self::Live { stage, dumped } => Dump {
                sql: read_back::Dump::File(stage.path()),
                blake3: Some(&dumped.blake3),
                proof: &dumped.proof,
            },
        }
    }

    /// A warning if the definitions of two sides may be written differently.
    pub(super) fn warning(&self, other: &Self) -> Option<String> {
        let (a, b) = (self.client_version(), other.client_version());
        let differ = a != b && self.proof().catalogue_blake3 != other.proof().catalogue_blake3;
        differ.then(|| {
            format!("the definitions were written by pg_dump {a} and {b}, which may not use the same words")
        })
    }
}

/// Refuses a script.
pub(super) fn no_script() -> anyhow::Error {
    Refusal::could_not(
        "`--sql` writes scripts for SQLite databases only",
        "restore the other state with `cargo xtask db-restore`, or export it with `cargo xtask db-export --format \
         sql`",
    )
}

/// Refuses states of two engines.
pub(super) fn two_engines() -> anyhow::Error {
    Refusal::could_not(
        "a PostgreSQL database and an SQLite database have no common form to be compared in",
        "compare two states of one database",
    )
}

/// Adds what to do if a dump is damaged.
pub(super) fn explain(error: anyhow::Error) -> anyhow::Error {
    if !error.is::<Damage>() {
        return error;
    }
    let what = format!("{error:#}");
    let hint = "`cargo xtask db-verify --all` finds the backups that are whole".to_owned();
    error.context(Refusal { what, hint, exit: Exit::No })
}
