//! A word about backups by the clock that do not come: once a day, whatever command runs. If a timer has stopped, nobody else
//! reports it.

use crate::health;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::schedule::lateness::Moment;

/// The file with the day on which it was last said.
const SAID: &str = "said-late";

/// The moment it is, as lateness is judged.
#[must_use]
pub(crate) fn moment(session: &Session) -> Moment {
    Moment { now: session.now(), booted_at: session.booted_at() }
}

/// Warns of a late or failing schedule, unless that was done today.
pub(crate) fn say_once_a_day(session: &mut Session, project: &Project) {
    let Some(folder) = session.state_folder() else { return };
    let Some(at_work) = health::schedule::at_work(project, &folder, moment(session)) else {
        return;
    };
    let Some(trouble) = at_work.trouble() else { return };
    let today = session.now().format("%Y-%m-%d").to_string();
    let said = fs_err::read_to_string(at_work.home.file(SAID)).unwrap_or_default();
    if said.trim() == today {
        return;
    }
    let is_command = trouble.remedy.starts_with("cargo ");
    let remedy = if is_command { format!("`{}`", trouble.remedy) } else { trouble.remedy };
    session.warn(format!("{}: {remedy}", trouble.what));
    // If it cannot be kept, it is reported again.
    let _ = at_work.home.write(SAID, format!("{today}\n").as_bytes());
}
