//! A command that changes the live database is killed in the middle: that is reported, and the way back
//! works.

use std::time::Duration;

use anyhow::Result;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::host::Plan;
use crate::run::{Act, Leaves, Run};
use crate::scenarios::{Ran, Stage};
use crate::state::State;
use crate::world::{Setting, World};

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let journal_mode = if dice.one_in(3) { "delete" } else { "wal" };
    let world = World::create(
        stage.programs,
        stage.folder,
        &Setting { journal_mode, ..Setting::default() },
    )?;
    let mut run = Run::new(&world, stage.tools);
    run.act(&Act::harmless(&["db-backup"]), Fault::None)?;
    let old = world.state();
    world.work(dice)?;
    let pause = Duration::from_millis(8 + dice.below(20) as u64);
    world.plan(Plan { version: 3, is_faulty: dice.one_in(2), pause })?;
    let act = match dice.below(5) {
        0..=2 => {
            let act = Act::harmless(&["db-migrate"]).leaving(Leaves::Something);
            run.kill_in_live_run(&act, dice.delay(pause * 6))?;
            return run.end();
        }
        3 => Act::harmless(&["db-reset", "--yes"]).leaving(Leaves::Something),
        _ => restore_over_something_unreadable(&world, dice, old)?,
    };
    run.act(&act, Fault::fatal(dice, stage.tools))?;
    run.end()
}

/// The database is gone, or its first page is trash.
fn restore_over_something_unreadable(world: &World, dice: &mut Dice, old: State) -> Result<Act> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let sidecar = world.path(&format!("app.db{suffix}"));
        if sidecar.exists() {
            fs_err::remove_file(sidecar)?;
        }
    }
    if dice.one_in(2) {
        fs_err::remove_file(world.live())?;
    } else {
        let mut bytes = fs_err::read(world.live())?;
        bytes[20..2000].fill(0x5a);
        fs_err::write(world.live(), bytes)?;
    }
    world.note(format!("the database is ruined: {}", world.state()));
    Ok(Act::harmless(&["db-restore", "latest", "--yes"]).leaving(Leaves::State(old)))
}
