//! The same command two or ten times at once.

use std::time::Duration;

use anyhow::Result;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::host::Plan;
use crate::ledger::{Expected, Partial};
use crate::outcome::Verdict;
use crate::program::{self, Said};
use crate::run::{Act, Run};
use crate::scenarios::{Ran, Stage};
use crate::state::State;
use crate::world::{Setting, World};

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let setting = Setting {
        journal_mode: if dice.one_in(3) { "delete" } else { "wal" },
        ..Setting::default()
    };
    let world = World::create(stage.programs, stage.folder, &setting)?;
    let mut run = Run::new(&world, stage.tools);
    run.act(&Act::harmless(&["db-backup"]), Fault::None)?;
    let first = run.ledger.any(dice);
    let old = world.state();
    world.work(dice)?;
    let before = world.state();
    let plan = Plan { version: 2, is_faulty: dice.one_in(4), pause: Duration::from_millis(20) };
    world.plan(plan)?;
    let restore = ["db-restore", first.as_deref().unwrap_or("latest"), "--yes"];
    let commands: [&[&str]; 6] = [
        &["db-migrate"],
        &["db-migrate"],
        &["db-backup"],
        &["db-backup", "--kind", "branch"],
        &restore,
        &["db-reset", "--yes"],
    ];
    let arguments = dice.pick(&commands);
    let n = if dice.one_in(3) { 10 } else { 2 };
    let said = together(&world, arguments, n)?;
    run.n_commands += n;
    judge(&mut run, &Crowd { arguments, old, before, plan }, &said)?;
    run.end()
}

/// What a crowd did, and from where.
struct Crowd<'a> {
    arguments: &'a [&'a str],
    old: State,
    before: State,
    plan: Plan,
}

fn together(world: &World, arguments: &[&str], n: usize) -> Result<Vec<Said>> {
    let mut children = Vec::new();
    for _ in 0..n {
        children.push(world.start(arguments, Fault::None)?);
    }
    let mut said = Vec::new();
    for child in children {
        said.push(program::finish(child, Fault::None)?);
    }
    let codes: Vec<_> = said.iter().map(|said| said.code).collect();
    world.note(format!(
        "{n} times at once {}: {codes:?}; live {}",
        arguments.join(" "),
        world.state()
    ));
    Ok(said)
}

fn judge(run: &mut Run, crowd: &Crowd, said: &[Said]) -> Result<()> {
    let what = crowd.arguments.join(" ");
    for one in said {
        if one.crashed() || !matches!(one.code, Some(0 | 1 | 3)) {
            run.find(
                Verdict::Broken,
                format!("`{what}` in a crowd: {:?} {}", one.code, one.err.trim()),
            );
        }
    }
    let after = run.world.state();
    let any_ok = said.iter().any(Said::is_ok);
    let states = vec![crowd.old, crowd.before, after];
    run.learn(&Expected { states, partial: Partial::Any, ..Expected::default() })?;
    let wrong = match crowd.arguments[0] {
        "db-migrate" if crowd.plan.is_faulty => after != crowd.before,
        "db-migrate" if any_ok => after == crowd.before,
        "db-migrate" | "db-backup" => after != crowd.before,
        "db-restore" => any_ok && after != crowd.old,
        _ => any_ok && (after == crowd.before || after == crowd.old),
    };
    if wrong {
        run.find(
            Verdict::Lie,
            format!("`{what}` in a crowd left {after}; before it was {}", crowd.before),
        );
    }
    if after != crowd.before && !run.ledger.has(run.world, crowd.before)? {
        run.find(Verdict::Lost, format!("`{what}` in a crowd: the state before is nowhere"));
    }
    Ok(())
}
