//! Store × migration: a bit flips in what a checkpoint builds on, and then something relies on it.

use std::time::Duration;

use anyhow::Result;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::host::Plan;
use crate::run::{Act, Leaves, Run};
use crate::scenarios::{Ran, Stage};
use crate::world::{Setting, World};

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let journal_mode = if dice.one_in(4) { "delete" } else { "wal" };
    let world = World::create(
        stage.programs,
        stage.folder,
        &Setting { journal_mode, ..Setting::default() },
    )?;
    let mut run = Run::new(&world, stage.tools);
    for _ in 0..=dice.below(3) {
        let kind = dice.pick(&["pre-commit", "branch", "scheduled"]);
        run.act(&Act::harmless(&["db-backup", "--kind", kind]), Fault::None)?;
        world.pass_some_time(dice);
        if dice.one_in(2) {
            world.work(dice)?;
        }
    }
    for _ in 0..=dice.below(2) {
        run.flip(dice)?;
    }
    let pause = Duration::from_millis(1);
    let act = match dice.below(5) {
        0 => Act::harmless(&["db-backup", "--kind", "branch"]),
        1 => Act::harmless(&["db-backup", "--format", "pages"]),
        2 => {
            world.plan(Plan { version: 9, is_faulty: false, pause })?;
            Act::harmless(&["db-pre-deploy"])
        }
        _ => {
            world.plan(Plan { version: 9, is_faulty: true, pause })?;
            Act::harmless(&["db-migrate"]).leaving(Leaves::Failure)
        }
    };
    run.act(&act, Fault::None)?;
    run.end()
}
