//! A configuration that a run cannot read: nothing in it is known, so the log and the state have to remember the failure.
//! Every command that can read it reports it then.

use anyhow::Result;

use crate::host::session::{Session, failure, fit};
use crate::schedule::home::Home;
use crate::schedule::installation::Installation;
use crate::schedule::log;
use crate::schedule::state::{Failing, State, Step};

/// The cause of all these failures.
const CAUSE: &str = "configuration";
/// The newest program may read what its copy cannot.
const HINT: &str = "if `cargo xtask db-status` reads it, the copy of this program that runs by the clock is too old: run \
                    `cargo xtask db-schedule install`";

/// Remembers the failure of a run that the timer began; others have somebody who reads it.
pub(super) fn remember(session: &Session, error: &anyhow::Error) {
    let Some(home) = session.binary().and_then(Home::of_copy) else { return };
    if !Installation::read(&home).is_ok_and(|installation| installation.is_some()) {
        return;
    }
    // If even this fails, the schedule is late after 90 minutes, and that is reported.
    let _ = remember_in(&home, session, error);
}

fn remember_in(home: &Home, session: &Session, error: &anyhow::Error) -> Result<()> {
    let Ok(_lock) = home.lock("")? else { return Ok(()) };
    let now = session.now();
    let shown = failure::layout(error).0;
    let shown: Vec<_> = shown.lines().map(fit).collect();
    if let Ok(file) = log::open(home) {
        log::append(&file, &now.to_rfc3339(), &shown.join("\n"));
    }
    let Some(mut state) = State::read(home)? else { return Ok(()) };
    let before = state.failing.take();
    let same = before.as_ref().filter(|before| before.cause == CAUSE);
    state.failing = Some(Failing {
        step: Step::Backup,
        cause: CAUSE.to_owned(),
        what: fit(&error.to_string()),
        hint: Some(HINT.to_owned()),
        since: same.map_or(now, |before| before.since),
        n_runs: same.map_or(1, |before| before.n_runs.saturating_add(1)),
        is_told: before.as_ref().is_some_and(|before| before.is_told),
    });
    state.write(home)
}
