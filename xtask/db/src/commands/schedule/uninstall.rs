//! `db-schedule uninstall`: nothing of the schedule is left on this machine. Backups stay.

use anyhow::Result;
use chrono::NaiveTime;
use serde::Serialize;

use super::setting::{state_folder, user};
use crate::console::refusal::{Answer, Refusal};
use crate::files::publish;
use crate::host::project::Project;
use crate::host::project::schedule::When;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::schedule::home::Home;
use crate::schedule::installation::{self, Installation, SCRIPT};
use crate::schedule::moved::{self, Moved};
use crate::schedule::trigger::Trigger;

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    id: &'a str,
    removed: Option<Trigger>,
}

pub(super) fn uninstall(session: &mut Session, project: &Project, home: &Home) -> Result<Answer> {
    let moved = moved::find(project, &state_folder(session)?);
    if let Some(moved) = moved.as_ref().filter(|_| !home.is_there()) {
        let removed = remove(session, &moved.home)?;
        say_moved(session, moved);
        session.document(&Document { version: VERSION, id: moved.home.id(), removed });
        return Ok(Answer::Yes);
    }
    if !home.is_there() {
        session.say(format!("No schedule of {} is installed", project.root.display()));
        session.document(&Document { version: VERSION, id: home.id(), removed: None });
        return Ok(Answer::Yes);
    }
    let trigger = remove(session, home)?;
    session.say(match trigger {
        Some(Trigger::Cron) => {
            "Removed the lines in the crontab, the copy of this program, the state and the log"
                .to_owned()
        }
        Some(trigger) => {
            format!("Removed {}, the copy of this program, the state and the log", trigger.word())
        }
        None => "Removed the state and the log".to_owned(),
    });
    session.document(&Document { version: VERSION, id: home.id(), removed: trigger });
    Ok(Answer::Yes)
}

/// Removes the schedule of the folder from which the workspace was moved; returns what called there.
///
/// # Errors
///
/// As [`remove`].
pub(super) fn remove_moved(session: &mut Session, project: &Project) -> Result<Option<Trigger>> {
    let Some(moved) = moved::find(project, &state_folder(session)?) else { return Ok(None) };
    let removed = remove(session, &moved.home)?;
    say_moved(session, &moved);
    Ok(removed)
}

fn say_moved(session: &mut Session, moved: &Moved) {
    session.say(format!(
        "Removed the schedule of `{}`, where this workspace was before",
        moved.root.display()
    ));
}

/// Removes the trigger and the folder of a schedule.
///
/// # Errors
///
/// If a run is under way, or the program that manages the trigger refuses.
fn remove(session: &Session, home: &Home) -> Result<Option<Trigger>> {
    let installation = Installation::read(home)?;
    let lock = match home.lock("the schedule is being uninstalled\n")? {
        Ok(lock) => lock,
        Err(words) => {
            return Err(Refusal::locked(
                format!("a scheduled run is under way: {}", words.trim()),
                "wait for its end, then try again",
            ));
        }
    };
    if let Some(installation) = &installation {
        let (user, script) = (user(session)?, home.file(SCRIPT));
        let call = installation::call(home, &script, When::Daily(NaiveTime::MIN), &user);
        installation.trigger.remove(&call, &installation.traces)?;
    }
    home.remove()?;
    drop(lock);
    if let Some(installation) = &installation {
        publish::remove_empty_folders(&installation.folders);
    }
    Ok(installation.map(|installation| installation.trigger))
}
