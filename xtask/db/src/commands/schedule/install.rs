//! `db-schedule install`: a copy of this program, a script, and the trigger that calls it.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use chrono::Local;
use serde::Serialize;

use super::setting::{configured, user};
use super::uninstall;
use crate::console::refusal::{Answer, Refusal};
use crate::health::schedule::time;
use crate::host::project::schedule::{Named, Schedule, Scheduled};
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::optional_feature::{self, BUNDLE};
use crate::schedule::home::Home;
use crate::schedule::installation::{self, Installation, PROGRAM, SCRIPT};
use crate::schedule::state::State;
use crate::schedule::trigger::contract::{self, Found};
use crate::schedule::trigger::{self, Trigger};
use crate::schedule::{call, slots};

/// Variables that configure backups: the timer has only those of `.env` and `.env.local`.
const SETTINGS: [&str; 5] = [
    "DATABASE_BACKUP_DIR",
    "BACKUP_RETENTION_DAYS",
    "BACKUP_MAX_COUNT",
    "AUTO_BACKUP_ENABLED",
    "AUTO_BACKUP_TIME",
];

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    id: &'a str,
    trigger: Trigger,
    when: String,
    next: Option<String>,
    /// The folder with the copy of the program, the state and the log.
    folder: String,
}

pub(super) fn install(
    session: &mut Session,
    project: &Project,
    home: &Home,
    with: Option<Trigger>,
) -> Result<Answer> {
    let schedule = configured(project)?;
    demand_programs(schedule)?;
    #[cfg(feature = "bundle")]
    optional_feature::note(session, &BUNDLE);
    // The copy must have what the runs need.
    #[cfg(not(feature = "bundle"))]
    if schedule.bundle {
        return optional_feature::rebuild::run_with(session, &BUNDLE);
    }
    let before = Installation::read(home)?;
    let trigger_before = uninstall::remove_moved(session, project)?;
    let trigger = match (with, &before) {
        (Some(with), _) => with,
        (None, Some(before)) => before.trigger,
        (None, None) => trigger_before.map_or_else(Trigger::usual, Ok)?,
    };
    let user = user(session)?;
    let script = home.file(SCRIPT);
    let call = installation::call(home, &script, schedule.when, &user);
    let traces = match &before {
        Some(before) if before.trigger == trigger => before.traces.clone(),
        _ => trigger.traces(&call)?,
    };
    let folders = contract::missing(home.folder());
    home.create()?;
    let program = session.binary().context("could not find this program's own file")?.to_owned();
    let program = match &before {
        // The copy itself may be told to install again.
        Some(before) if program.starts_with(home.folder()) => before.program.clone(),
        _ => installation::copy_program(home, &program)?,
    };
    let variables = variables(session);
    home.write(SCRIPT, &trigger::script(&project.root, &home.file(PROGRAM), &variables))?;
    let mut installation = Installation::new(session.now(), trigger, schedule.when, program);
    installation.folders = folders.into_iter().skip(1).collect();
    if let Some(before) = &before {
        installation.folders.clone_from(&before.folders);
        if before.trigger != trigger {
            before.trigger.remove(&call, &before.traces)?;
        }
    }
    installation.traces = traces;
    // Before the trigger: if this ends here, `uninstall` still removes everything.
    installation.write(home)?;
    trigger.install(&call)?;
    if State::read(home)?.is_none() {
        State::new(project.root.display().to_string(), session.now()).write(home)?;
    }
    let next = slots::next(schedule.when, session.now(), &Local);
    session.say(format!(
        "{} with {}: {}",
        if before.is_some() { "Installed again" } else { "Installed" },
        trigger.word(),
        described(schedule)
    ));
    session.say(format!("Copy of this program, state and log: {}", home.folder().display()));
    if let Some(next) = next {
        session.say(format!(
            "Next slot: {}; a first backup follows within the hour, or now: cargo xtask db-schedule run",
            time(next)
        ));
    }
    warn(session, project, trigger.find(&call));
    for silent in silent(schedule) {
        session.warn(silent);
    }
    session.document(&Document {
        version: VERSION,
        id: home.id(),
        trigger,
        when: schedule.when.to_string(),
        next: next.map(|next| next.to_rfc3339()),
        folder: home.folder().display().to_string(),
    });
    Ok(Answer::Yes)
}

/// The times, and what else a run does.
pub(super) fn described(schedule: &Schedule) -> String {
    let mut parts = vec!["backup", "verification"];
    parts.extend(schedule.bundle.then_some("bundle"));
    parts.extend(schedule.export.as_ref().map(|_| "export"));
    parts.push("retention");
    let origin = schedule.origin.as_ref().map_or(String::new(), |origin| format!(" ({origin})"));
    format!("{}{origin}: {}", schedule.when, parts.join(", "))
}

/// The addresses that are not known here, so that nobody is called.
pub(super) fn silent(schedule: &Schedule) -> Vec<String> {
    let unset = schedule.named.iter().filter(|named| !named.is_set);
    let said = unset.map(|Named { key, variable, .. }| {
        format!("{variable}, which `{key}` names, is not set here, so nobody is called: write it into .env.local")
    });
    said.collect()
}

fn demand_programs(schedule: &Schedule) -> Result<()> {
    let calls = schedule.ping.is_some() || schedule.webhook.is_some();
    if calls && !call::has_curl() {
        return Err(Refusal::could_not(
            "`ping` and `webhook` are called by `curl`, which is not installed",
            "install curl, e.g. `apt-get install curl`",
        ));
    }
    Ok(())
}

/// What the timer needs of this environment: programs such as git and `pg_dump`, and the folder of the state.
fn variables(session: &Session) -> Vec<(&'static str, OsString)> {
    ["PATH", "TZ", "XDG_STATE_HOME", "XTASK_DB_MACHINE"]
        .into_iter()
        .filter_map(|name| Some((name, session.variable(name)?.to_owned())))
        .collect()
}

fn warn(session: &mut Session, project: &Project, found: Found) {
    match found {
        Found::Active => {}
        Found::Inactive(what) => session.warn(what),
        Found::Sometimes { what, remedy } => session.warn(format!("{what}: `{remedy}`")),
    }
    let of_here = |database: &Database| {
        let origin = database.origin.as_deref()?;
        origin.strip_suffix(" in the environment").map(str::to_owned)
    };
    let mut names: Vec<String> = project.databases.iter().filter_map(of_here).collect();
    names.extend(SETTINGS.map(str::to_owned));
    if let Scheduled::Yes(schedule) = &project.schedule {
        names.extend(schedule.named.iter().map(|named| named.variable.clone()));
    }
    for name in names {
        if session.variable(&name).is_some_and(|value| !value.is_empty()) {
            session.warn(format!(
                "{name} is set in this environment, which the timer does not have: write it into .env.local"
            ));
        }
    }
}
