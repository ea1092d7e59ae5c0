//! Whether backups by the clock are taken as configured.

use std::path::Path;

use chrono::{DateTime, FixedOffset, Local};

use crate::health::problem::Problem;
use crate::host::project::Project;
use crate::host::project::schedule::{Schedule, Scheduled};
use crate::schedule::home::Home;
use crate::schedule::installation::Installation;
use crate::schedule::lateness::{self, Moment, Standing};
use crate::schedule::moved;
use crate::schedule::state::State;

/// A schedule that is at work on this machine.
pub(crate) struct AtWork<'a> {
    pub(crate) schedule: &'a Schedule,
    pub(crate) home: Home,
    pub(crate) installation: Option<Installation>,
    pub(crate) standing: Standing,
}

/// The schedule of a project on this machine; `None` if nothing is configured, or nothing was ever installed or run here.
#[must_use]
pub(crate) fn at_work<'a>(
    project: &'a Project,
    folder: &Path,
    moment: Moment,
) -> Option<AtWork<'a>> {
    let Scheduled::Yes(schedule) = &project.schedule else { return None };
    let home = Home::of(project, folder);
    if !home.is_there() {
        return None;
    }
    let installation = Installation::read(&home).ok().flatten();
    // A state that is lost or cannot be read counts from the installation.
    let state = State::read(&home).ok().flatten();
    let since = || installation.as_ref().map(|installation| installation.at);
    let state = match state {
        Some(state) => state,
        None => State::new(String::new(), since()?),
    };
    let standing = lateness::of(&state, schedule.when, moment, &Local);
    Some(AtWork { schedule, home, installation, standing })
}

impl AtWork<'_> {
    /// A failing or late schedule, in one sentence with its remedy. A run that is under way may just be the remedy.
    #[must_use]
    pub(crate) fn trouble(&self) -> Option<Problem> {
        let look = "cargo xtask db-schedule status";
        match &self.standing {
            Standing::OnTime => None,
            _ if self.home.holder().is_some() => None,
            Standing::Failing(failing) => {
                let what = format!(
                    "the scheduled {} has failed since {}: {}",
                    failing.step.word(),
                    time(failing.since),
                    failing.what
                );
                let remedy = failing.hint.clone().unwrap_or_else(|| look.to_owned());
                Some(Problem::new("schedule-failing", what, remedy))
            }
            Standing::Late { slot, served } => {
                let last = match served {
                    Some(served) => format!("the last one was that of {}", time(*served)),
                    None => "none was ever taken".to_owned(),
                };
                let what =
                    format!("the scheduled backup of {} has not been taken; {last}", time(*slot));
                let remedy = match &self.installation {
                    Some(_) => "cargo xtask db-schedule run",
                    None => "cargo xtask db-schedule install",
                };
                Some(Problem::new("schedule-late", what, remedy))
            }
        }
    }
}

/// The problems of backups by the clock, for `db-status`. `program` is the one that runs.
#[must_use]
pub(crate) fn problems(
    project: &Project,
    folder: &Path,
    program: Option<&Path>,
    moment: Moment,
) -> Vec<Problem> {
    let home = Home::of(project, folder);
    if !home.is_there() {
        return moved_here(project, folder).into_iter().collect();
    }
    let mut problems = Vec::new();
    match &project.schedule {
        Scheduled::Yes(_) => {}
        Scheduled::Off(_) => return Vec::new(),
        Scheduled::No => {
            let what =
                "backups by the clock are installed here, but no schedule is configured any more";
            let problem =
                Problem::new("schedule-orphaned", what, "cargo xtask db-schedule uninstall");
            return vec![problem];
        }
    }
    if let Some(at_work) = at_work(project, folder, moment) {
        problems.extend(at_work.trouble());
        if let (Some(installation), Some(program)) = (&at_work.installation, program) {
            problems.extend(outdated(&at_work, installation, program));
        }
    }
    problems
}

/// A timer that still calls the folder from which this workspace was moved.
fn moved_here(project: &Project, folder: &Path) -> Option<Problem> {
    let Scheduled::Yes(_) = &project.schedule else { return None };
    let moved = moved::find(project, folder)?;
    let what = format!(
        "the timer of this workspace still calls `{}`, where it was before, so no scheduled backup is taken",
        moved.root.display()
    );
    Some(Problem::new("schedule-moved", what, "cargo xtask db-schedule install"))
}

/// An installation that does not follow the configuration or the program any more.
fn outdated(at_work: &AtWork<'_>, installation: &Installation, program: &Path) -> Option<Problem> {
    let remedy = "cargo xtask db-schedule install";
    if installation.when != at_work.schedule.when.to_string() {
        let (then, now) = (&installation.when, at_work.schedule.when);
        let what = format!(
            "{} was installed for `{then}`, and the schedule is `{now}` by now",
            installation.trigger.word()
        );
        return Some(Problem::new("schedule-changed", what, remedy));
    }
    installation.is_stale(&at_work.home, program).then(|| {
        let what = format!(
            "scheduled backups run an older build of this program, copied on {}",
            installation.at.format("%Y-%m-%d")
        );
        Problem::new("schedule-stale", what, remedy)
    })
}

/// A moment as a sentence has it, in the local time of now.
#[must_use]
pub(crate) fn time(moment: DateTime<FixedOffset>) -> String {
    moment.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}
