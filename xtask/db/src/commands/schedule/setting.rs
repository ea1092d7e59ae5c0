//! What the actions of `db-schedule` begin with: the configuration, and the folders of the user.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::console::refusal::Refusal;
use crate::host::project::Project;
use crate::host::project::schedule::{Schedule, Scheduled};
use crate::host::session::Session;
use crate::schedule::trigger::contract::User;

/// The schedule of the project.
///
/// # Errors
///
/// A refusal if none is configured, or it is switched off.
pub(super) fn configured(project: &Project) -> Result<&Schedule> {
    match &project.schedule {
        Scheduled::Yes(schedule) => Ok(schedule),
        Scheduled::Off(origin) => Err(Refusal::could_not(
            format!("backups by the clock are switched off: {origin}"),
            "set it to `true`, or take it out",
        )),
        Scheduled::No => Err(Refusal::could_not(
            "no schedule is configured",
            "add `[workspace.metadata.db.schedule]` with `at = \"02:00\"` to Cargo.toml, or \
             `AUTO_BACKUP_ENABLED=true` to .env",
        )),
    }
}

/// The folder for what is kept outside the project.
pub(super) fn state_folder(session: &Session) -> Result<PathBuf> {
    session.state_folder().ok_or_else(|| {
        Refusal::could_not(
            "there is no folder for what a schedule has to remember: HOME is not set",
            "set HOME, or XDG_STATE_HOME to an absolute path",
        )
    })
}

/// The user for whom a timer is installed.
pub(super) fn user(session: &Session) -> Result<User> {
    let absolute =
        |name| session.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("HOME").context("HOME is not set")?;
    let settings = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    Ok(User { home, settings })
}
