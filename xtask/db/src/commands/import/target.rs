//! The destination of a new database, checked before anything is built: nothing is replaced
//! unintentionally, and no leftover becomes a part of it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backups::set_aside;
use crate::commands::import::args::Args;
use crate::commands::import::on_server;
use crate::console::refusal::Refusal;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::restore::candidate;
use crate::restore::plan::{self, Live};

/// The destination of a new database.
pub(super) struct Target {
    /// The configured database, or one of that path only.
    pub(super) database: Database,
    /// The file, behind symbolic links.
    pub(super) path: PathBuf,
    /// Current state of the target.
    pub(super) live: Live,
    /// Whether commands are to run after the import: it is a configured database.
    pub(super) is_configured: bool,
}

impl Target {
    /// Determines the destination, and refuses one that would do harm.
    ///
    /// # Errors
    ///
    /// A refusal if something is there and `--force` is not given, or if nothing may be there.
    pub(super) fn of(args: &Args, session: &Session, project: &Project) -> Result<Self> {
        let (database, is_configured) = match &args.fresh.into {
            None => (project.one(args.common.db.as_deref())?, true),
            Some(into) => named(project, session.folder().join(into))?,
        };
        on_server::refuse(&database)?;
        let shown = project.quoted_place(&database);
        if !database.file()?.parent().is_some_and(Path::is_dir) {
            return Err(Refusal::could_not(
                format!("there is no folder for {shown}"),
                "create it, or choose another path",
            ));
        }
        if database.file()?.is_dir() {
            return Err(Refusal::could_not(
                format!("{shown} is a folder"),
                "name the file to create in it; nothing was changed",
            ));
        }
        if database.file()?.exists() && !args.fresh.force {
            return Err(Refusal::could_not(
                format!("{shown} already exists"),
                if is_configured {
                    "`--merge` adds the rows to it, `--force` replaces it after a safety backup, \
                     and `--into PATH` creates another one; nothing was changed"
                } else {
                    "choose another path, or pass `--force` to replace it after a safety backup; \
                     nothing was changed"
                },
            ));
        }
        let (path, live) = plan::present(database.file()?, args.fresh.force, project.busy_timeout)
            .map_err(|error| live_database::explain(error, project, &database))?;
        let target = Self { database, path, live, is_configured };
        if !args.fresh.force {
            target.refuse_sidecars(project)?;
        }
        Ok(target)
    }

    /// Whether there is no file yet, so that the finished file just gets the name.
    pub(super) fn is_free(&self) -> bool {
        self.live == Live::Absent { sidecars: false } && !self.path.exists()
    }

    /// Refuses leftover sidecars: a journal of a database that is gone would be rolled back into
    /// the new one.
    ///
    /// # Errors
    ///
    /// A refusal if one is there.
    pub(super) fn refuse_sidecars(&self, project: &Project) -> Result<()> {
        let files = set_aside::raw_files(&self.path);
        let Some(sidecar) = files.iter().find(|file| **file != self.path) else { return Ok(()) };
        Err(Refusal::could_not(
            format!("`{}` is there and would be mistaken for part of it", project.path(sidecar)),
            "move it away, or pass `--force` to have it set aside; nothing was changed",
        ))
    }
}

/// The database of a path: a configured one keeps its configuration, e.g. its protection, however
/// it is named.
fn named(project: &Project, path: PathBuf) -> Result<(Database, bool)> {
    candidate::refuse_names_of_others(project, &path)?;
    let place = |path: &Path| {
        fs_err::canonicalize(path).ok().or_else(|| {
            let folder = fs_err::canonicalize(path.parent()?).ok()?;
            Some(folder.join(path.file_name()?))
        })
    };
    let here = place(&path);
    let is_it =
        |database: &&Database| here.is_some() && database.file_if_any().and_then(place) == here;
    let origin = Some("--into".to_owned());
    if let Some(configured) = project.databases.iter().find(is_it) {
        return Ok((Database { origin, ..configured.clone() }, true));
    }
    // No configured database can have this name, whatever the file is called.
    let name = format!("into:{}", here.as_deref().unwrap_or(&path).display());
    Ok((Database { origin, ..Database::new(name, path) }, false))
}
