//! One project: any command that writes, under any fault, with flipped bits and edits in between.

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
    let has_retention = dice.one_in(3);
    let setting = Setting {
        workspace: if has_retention { "keep = { last = 3 }".to_owned() } else { String::new() },
        database: String::new(),
        journal_mode: if dice.one_in(3) { "delete" } else { "wal" },
    };
    let world = World::create(stage.programs, stage.folder, &setting)?;
    let mut run = Run::new(&world, stage.tools);
    let mut version = 1;
    for _ in 0..3 + dice.below(5) {
        world.pass_some_time(dice);
        if dice.one_in(2) && world.state().has_content() {
            world.work(dice)?;
        }
        if dice.one_in(5) {
            run.flip(dice)?;
        }
        let act = choose(&mut run, dice, &mut version)?.pruning(has_retention);
        let fault = Fault::random(dice, run.tools);
        run.act(&act, fault)?;
        if !run.findings.is_empty() {
            break;
        }
    }
    run.end()
}

/// A command that writes, or proves.
fn choose(run: &mut Run, dice: &mut Dice, version: &mut u32) -> Result<Act> {
    let pause = Duration::from_millis(dice.below(12) as u64);
    Ok(match dice.below(14) {
        0 => Act::harmless(&["db-backup"]),
        1 => Act::harmless(&["db-backup", "--format", "pages"]),
        2..=4 => {
            let kind = dice.pick(&["pre-commit", "branch", "scheduled"]);
            Act::harmless(&["db-backup", "--kind", kind])
        }
        5 | 6 => restore(run, dice),
        7 | 8 => {
            *version += 1;
            run.world.plan(Plan { version: *version, is_faulty: true, pause })?;
            Act::harmless(&["db-migrate"]).leaving(Leaves::Failure)
        }
        9 => {
            *version += 1;
            run.world.plan(Plan { version: *version, is_faulty: false, pause })?;
            Act::harmless(&["db-migrate"]).leaving(Leaves::Something)
        }
        10 => {
            *version += 1;
            run.world.plan(Plan { version: *version, is_faulty: false, pause })?;
            Act::harmless(&["db-pre-migrate"])
        }
        11 => {
            run.world.plan(Plan { version: *version, is_faulty: false, pause })?;
            Act::harmless(&["db-reset", "--yes"]).leaving(Leaves::Something)
        }
        12 => Act::harmless(&["db-verify", "--all"]),
        _ => Act::harmless(&["db-pre-deploy"]),
    })
}

fn restore(run: &Run, dice: &mut Dice) -> Act {
    let Some(name) = run.ledger.any(dice) else { return Act::harmless(&["db-backup"]) };
    let state = run.ledger.known()[&name].state;
    let leaves = if state.has_content() { Leaves::State(state) } else { Leaves::Failure };
    Act::harmless(&["db-restore", &name, "--yes"]).leaving(leaves)
}
