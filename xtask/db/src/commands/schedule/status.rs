//! `db-schedule status`: what is scheduled here, and its state.

use std::borrow::Cow;

use anyhow::Result;
use chrono::Local;
use serde::Serialize;

use super::install;
use super::setting::{configured, user};
use crate::console::refusal::Answer;
use crate::console::text;
use crate::health;
use crate::health::problem::Problem;
use crate::health::schedule::time;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::late_schedule;
use crate::operations::status_lines::{say_fact as say, say_problem};
use crate::schedule::home::Home;
use crate::schedule::installation::{self, Installation, SCRIPT};
use crate::schedule::state::{LastRun, State};
use crate::schedule::trigger::Trigger;
use crate::schedule::trigger::contract::Found;
use crate::schedule::{log, slots};

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    healthy: bool,
    problems: &'a [Problem],
    id: &'a str,
    when: String,
    trigger: Option<Trigger>,
    next: Option<String>,
    /// The last slot of which everything was done.
    complete: Option<String>,
    last_run: Option<&'a LastRun>,
    running: Option<Cow<'a, str>>,
    folder: String,
}

pub(super) fn status(session: &mut Session, project: &Project, home: &Home) -> Result<Answer> {
    let schedule = configured(project)?;
    let installation = Installation::read(home)?;
    let state = State::read(home)?;
    let moment = late_schedule::moment(session);
    let mut problems = Vec::new();
    if let Some(folder) = session.state_folder() {
        problems.extend(health::schedule::problems(project, &folder, session.binary(), moment));
    }
    let found = match &installation {
        None => {
            let what = "the schedule is not installed on this machine";
            problems.push(Problem::new(
                "schedule-not-installed",
                what,
                "cargo xtask db-schedule install",
            ));
            None
        }
        Some(installation) => {
            let (user, script) = (user(session)?, home.file(SCRIPT));
            let call = installation::call(home, &script, schedule.when, &user);
            let found = installation.trigger.find(&call);
            problems.extend(problem_of(&found));
            Some(found)
        }
    };
    let next = slots::next(schedule.when, session.now(), &Local);
    session.say(format!("schedule: {}", install::described(schedule)));
    let trigger = installation.as_ref().map(|installation| installation.trigger);
    say(
        session,
        "trigger",
        &match (trigger, &found) {
            (Some(trigger), Some(Found::Active | Found::Sometimes { .. })) => {
                format!("{}, active", trigger.word())
            }
            (Some(trigger), _) => format!("{}, not active", trigger.word()),
            (None, _) => "none".to_owned(),
        },
    );
    say(session, "next slot", &next.map_or("none".to_owned(), time));
    let running = home.holder();
    if let Some(words) = &running {
        say(session, "running", words.trim());
    }
    if let Some(state) = &state {
        say(session, "complete", &state.complete.map_or("no slot yet".to_owned(), time));
        if let Some(last) = &state.last_run {
            let end = match last.failed {
                None => "succeeded".to_owned(),
                Some(step) => format!("failed at {}", step.word()),
            };
            say(session, "last run", &format!("{}, {end}", time(last.began_at)));
        }
        for (database, seen) in &state.databases {
            let unchanged = if seen.unchanged { ", unchanged since then" } else { "" };
            say(session, database, &format!("{}{unchanged}", seen.backup));
        }
        if !state.outbox.is_empty() {
            let n = text::count(state.outbox.len() as u64, "message");
            say(session, "undelivered", &n);
        }
    }
    for silent in install::silent(schedule) {
        say(session, "note", &silent);
    }
    if home.file(log::FILE).exists() {
        say(session, "log", &home.file(log::FILE).display().to_string());
    }
    session.say("");
    if problems.is_empty() {
        session.say("All is well.");
    }
    for problem in &problems {
        say_problem(session, problem);
    }
    let complete = state.as_ref().and_then(|state| state.complete);
    session.document(&Document {
        version: VERSION,
        healthy: problems.is_empty(),
        problems: &problems,
        id: home.id(),
        when: schedule.when.to_string(),
        trigger,
        next: next.map(|next| next.to_rfc3339()),
        complete: complete.map(|slot| slot.to_rfc3339()),
        last_run: state.as_ref().and_then(|state| state.last_run.as_ref()),
        running: running.as_deref().map(|words| words.trim().into()),
        folder: home.folder().display().to_string(),
    });
    Ok(if problems.is_empty() { Answer::Yes } else { Answer::No })
}

fn problem_of(found: &Found) -> Option<Problem> {
    match found {
        Found::Active => None,
        Found::Inactive(what) => {
            Some(Problem::new("schedule-inactive", what.clone(), "cargo xtask db-schedule install"))
        }
        Found::Sometimes { what, remedy } => {
            Some(Problem::new("schedule-sometimes", what.clone(), remedy.clone()))
        }
    }
}
