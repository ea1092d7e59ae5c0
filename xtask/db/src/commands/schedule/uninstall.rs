//! `db-schedule uninstall`: nothing of the schedule is left on this machine. Backups stay.

use anyhow::Result;
use chrono::NaiveTime;
use serde::Serialize;

use super::setting::user;
use crate::console::refusal::{Answer, Refusal};
use crate::files::publish;
use crate::host::project::Project;
use crate::host::project::schedule::When;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::schedule::home::Home;
use crate::schedule::installation::{self, Installation, SCRIPT};
use crate::schedule::trigger::Trigger;

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    id: &'a str,
    removed: Option<Trigger>,
}

pub(super) fn uninstall(session: &mut Session, project: &Project, home: &Home) -> Result<Answer> {
    let installation = Installation::read(home)?;
    if !home.is_there() {
        session.say(format!("No schedule of {} is installed", project.root.display()));
        session.document(&Document { version: VERSION, id: home.id(), removed: None });
        return Ok(Answer::Yes);
    }
    let lock = match home.lock("")? {
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
    drop(lock);
    home.remove()?;
    if let Some(installation) = &installation {
        publish::remove_empty_folders(&installation.folders);
    }
    let trigger = installation.map(|installation| installation.trigger);
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
