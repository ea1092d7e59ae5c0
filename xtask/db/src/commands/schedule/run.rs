//! `db-schedule run`: asks whether a slot is due, does its steps in their order, and ends at the first that fails; the
//! next run goes on there.

use anyhow::{Context as _, Result};
use chrono::{DateTime, FixedOffset, Local, TimeDelta};
use serde::Serialize;

use super::outcome::Told;
use super::setting::configured;
use super::steps;
use super::work::Work;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::console::refusal::{Answer, Exit};
use crate::console::text;
use crate::health::schedule::time;
use crate::host::project::schedule::{Schedule, Scheduled};
use crate::host::project::{Database, Project};
use crate::host::session::json_stream::VERSION;
use crate::host::session::{Session, failure};
use crate::schedule::home::Home;
use crate::schedule::state::{LastRun, State, Step};
use crate::schedule::{log, outbox, slots};

/// After a longer time without any call, the clock may be wrong.
const JUMP: TimeDelta = TimeDelta::days(30);

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    /// Whether anything was due.
    due: bool,
    slot: Option<String>,
    next: Option<String>,
    /// The steps that are done for the slot.
    done: Vec<Step>,
    /// The run that has not ended yet, in words.
    running: Option<String>,
}

/// A step, and why it failed.
struct Failed {
    step: Step,
    error: anyhow::Error,
}

pub(super) fn run(session: &mut Session, project: &Project, home: &Home) -> Result<Answer> {
    if let Scheduled::Off(origin) = &project.schedule {
        session.say(format!("Nothing to do: backups by the clock are switched off ({origin})"));
        session.document(&Document::idle(None));
        return Ok(Answer::Yes);
    }
    let schedule = configured(project)?;
    home.create()?;
    let now = session.now();
    let words = format!("running since {} (process {})\n", time(now), std::process::id());
    let _lock = match home.lock(&words)? {
        Ok(lock) => lock,
        Err(words) => {
            let words = words.trim().to_owned();
            session.say(format!("Nothing to do: another run is at work, {words}"));
            session.document(&Document::idle(Some(words)));
            return Ok(Answer::Yes);
        }
    };
    let mut state =
        State::read(home)?.unwrap_or_else(|| State::new(project.root.display().to_string(), now));
    state.forget_the_future(now);
    outbox::drop_stale(&mut state.outbox, now);
    if state.asked_at.is_some_and(|asked| now - asked > JUMP) {
        state.jumped_at = Some(now);
    }
    state.asked_at = Some(now);
    let slot = slots::last(schedule.when, now, &Local).context("no slot was found")?;
    let work = Work { project, schedule, home, slot };
    let due = match due(session, &work, &state) {
        Ok(due) if due.is_empty() && state.complete.is_some_and(|complete| complete >= slot) => {
            return nothing_due(session, &work, &mut state);
        }
        due => due,
    };
    if let Ok(file) = log::open(home) {
        session.transcribe(move |time, line| log::append(&file, time, line));
    }
    // What fails before the first step is a failure of the backup as well.
    let ended = due.map_err(|error| (Step::Backup, error)).and_then(|due| {
        begin(session, &work, &mut state, &due);
        Told { project, schedule, home }.start(session);
        steps::all(session, &work, &mut state, &due)
    });
    let failed = ended.as_ref().err().map(|(step, _)| *step);
    state.last_run = Some(LastRun { began_at: now, slot, failed });
    match ended {
        Ok(()) => success(session, &work, &mut state),
        Err((step, error)) => failure(session, &work, &mut state, Failed { step, error }),
    }
}

fn success(session: &mut Session, work: &Work<'_>, state: &mut State) -> Result<Answer> {
    let Work { project, schedule, home, slot, .. } = *work;
    let told = Told { project, schedule, home };
    state.complete = Some(slot);
    told.success(session, state);
    state.write(home)?;
    told.deliver(session, state);
    state.write(home)?;
    let next = slots::next(schedule.when, session.now(), &Local);
    session.say(format!(
        "Done for the slot of {}; the next one is {}",
        time(slot),
        next.map_or("unknown".to_owned(), time)
    ));
    session.document(&Document::of(work, state, next, true));
    Ok(Answer::Yes)
}

fn failure(
    session: &mut Session,
    work: &Work<'_>,
    state: &mut State,
    failed: Failed,
) -> Result<Answer> {
    let Failed { step, error } = failed;
    let Work { project, schedule, home, .. } = *work;
    if failure::exit_of(&error) == Exit::Interrupted {
        state.write(home)?;
        return Err(error);
    }
    let told = Told { project, schedule, home };
    told.failure(session, state, step, &error);
    // Its own failure must not hide the one that matters.
    let written = state.write(home);
    told.deliver(session, state);
    if let Err(error) = written.and_then(|()| state.write(home)) {
        session.warn(format!("could not remember this failure: {error:#}"));
    }
    Err(error)
}

/// The databases whose newest sound scheduled backup is older than the slot, and that were not found unchanged since.
fn due(session: &Session, work: &Work<'_>, state: &State) -> Result<Vec<Database>> {
    let Work { project, slot, .. } = *work;
    let vault = Vault::of(project, session.now());
    let mut all = None;
    let mut due = Vec::new();
    for database in &project.databases {
        let seen = state.databases.get(&database.name).filter(|seen| seen.slot >= slot);
        let seen = seen.and_then(|seen| crate::backups::name::Name::parse(&seen.backup));
        if let Some(name) = seen
            && vault.read(name)?.is_some_and(|backup| backup.state().is_sound())
        {
            continue;
        }
        let all = match &mut all {
            Some(all) => all,
            none => none.insert(vault.backups()?),
        };
        let serves = all.iter().any(|backup| {
            backup.is_of(database)
                && backup.worktree() == project.worktree()
                && backup.kind() == Some(Kind::Scheduled)
                && backup.created_at >= slot
                && !backup.is_from_the_future(session.now())
                && backup.state().is_sound()
        });
        if !serves {
            due.push(database.clone());
        }
    }
    Ok(due)
}

/// Delivers what still waits, and ends.
fn nothing_due(session: &mut Session, work: &Work<'_>, state: &mut State) -> Result<Answer> {
    let Work { project, schedule, home, .. } = *work;
    if !state.outbox.is_empty() {
        Told { project, schedule, home }.deliver(session, state);
    }
    state.write(home)?;
    let next = slots::next(schedule.when, session.now(), &Local);
    session.say(format!(
        "Nothing is due: the slot of {} is done; the next one is {}",
        time(work.slot),
        next.map_or("unknown".to_owned(), time)
    ));
    session.document(&Document::of(work, state, next, false));
    Ok(Answer::Yes)
}

/// Begins a slot, or goes on with it: reports the slots that passed without a run, once.
fn begin(session: &mut Session, work: &Work<'_>, state: &mut State, due: &[Database]) {
    let Work { schedule, slot, home, .. } = *work;
    if state.slot != Some(slot) {
        if let Some(before) = state.complete.max(state.slot) {
            say_missed(session, schedule, before, slot);
        }
        state.slot = Some(slot);
        state.done.clear();
    }
    if !due.is_empty() {
        // What was verified stays so until there is a new backup.
        state.done.retain(|step| *step == Step::Verify);
    }
    if state.done.is_empty() {
        session.note(format!("Backup by the clock for the slot of {}", time(slot)));
    } else {
        let done: Vec<_> = state.done.iter().map(|step| step.word()).collect();
        session.note(format!(
            "Going on with the slot of {}; done: {}",
            time(slot),
            done.join(", ")
        ));
    }
    // A run that is killed must not report the gap again. If it cannot be written, there is a backup at least: the first
    // step reports it.
    let _ = state.write(home);
}

fn say_missed(
    session: &mut Session,
    schedule: &Schedule,
    before: DateTime<FixedOffset>,
    slot: DateTime<FixedOffset>,
) {
    let n = slots::n_between(schedule.when, before, slot, &Local);
    if n > 0 {
        session.warn(format!(
            "no run came for {} after {}: this machine was off, or nothing called; one backup makes up for all",
            text::count(n as u64, "slot"),
            time(before)
        ));
    }
}

impl Document {
    fn idle(running: Option<String>) -> Self {
        Self { version: VERSION, due: false, slot: None, next: None, done: Vec::new(), running }
    }

    fn of(work: &Work<'_>, state: &State, next: Option<DateTime<FixedOffset>>, due: bool) -> Self {
        Self {
            version: VERSION,
            due,
            slot: Some(work.slot.to_rfc3339()),
            next: next.map(|next| next.to_rfc3339()),
            done: state.done.clone(),
            running: None,
        }
    }
}
