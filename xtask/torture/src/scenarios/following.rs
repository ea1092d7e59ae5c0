//! Retention × following: branches visited in turn, each with its own data, while old backups go.

use std::collections::HashMap;
use std::ffi::OsStr;

use anyhow::Result;
use chrono::TimeDelta;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::ledger::Expected;
use crate::outcome::Verdict;
use crate::program;
use crate::run::{Act, Run};
use crate::scenarios::{Ran, Stage};
use crate::state::State;
use crate::world::{Setting, World};

const BRANCHES: [&str; 4] = ["main", "feature/a", "feature/b", "c"];

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let keep = dice.pick(&[
        "keep = { last = 2 }",
        "keep = { last = 10, within = \"30d\" }",
        "keep = { last = 1, max-size = \"1KB\" }",
    ]);
    let setting = Setting {
        workspace: format!("{keep}\nhooks = {{ follow-branches = \"always\" }}"),
        database: "schema = [\"migrations/*.sql\"]".to_owned(),
        journal_mode: "wal",
    };
    let world = World::create(stage.programs, stage.folder, &setting)?;
    let mut run = Run::new(&world, stage.tools);
    prepare(&world)?;
    let mut states = HashMap::from([("main", world.state())]);
    let mut here = "main";
    for _ in 0..4 + dice.below(8) {
        world.pass(TimeDelta::hours(i64::try_from(dice.below(24 * 14))?));
        if dice.one_in(2) {
            world.work(dice)?;
            states.insert(here, world.state());
        }
        let there = dice.pick(&BRANCHES);
        if there == here {
            run.act(
                &Act::harmless(&["db-backup", "--kind", "pre-commit"]).pruning(true),
                Fault::None,
            )?;
            continue;
        }
        switch(&mut run, there, &states)?;
        here = there;
        states.insert(here, world.state());
        if !run.findings.is_empty() {
            break;
        }
    }
    run.end()
}

fn prepare(world: &World) -> Result<()> {
    fs_err::write(world.path(".gitignore"), "app.db*\nmigration.plan\n")?;
    fs_err::create_dir_all(world.path("migrations"))?;
    fs_err::write(world.path("migrations/1.sql"), "-- first\n")?;
    world.git(&["init", "--quiet", "--initial-branch=main"])?;
    world.git(&["add", "--all"])?;
    world.git(&["commit", "--quiet", "--message=first"])?;
    world.xtask(&["db-hooks", "install"])?;
    Ok(())
}

/// Switches, and demands the branch's own last state, or a word about why not.
fn switch(run: &mut Run, there: &'static str, states: &HashMap<&'static str, State>) -> Result<()> {
    let before = run.world.state();
    let exists = states.contains_key(there);
    let mut arguments = vec!["switch", "--quiet"];
    if !exists {
        arguments.push("--create");
    }
    arguments.push(there);
    let mut command = run.world.command(OsStr::new("git"), Fault::None);
    let said = program::finish(program::start(command.args(&arguments))?, Fault::None)?;
    let after = run.world.state();
    run.n_commands += 1;
    run.world.note(format!(
        "git {}: live {after}  {}",
        arguments.join(" "),
        said.err.trim().replace('\n', " | ")
    ));
    run.learn(&Expected { states: vec![before], may_remove: true, ..Expected::default() })?;
    let wanted = if exists { states[there] } else { before };
    if after != wanted && after != before {
        run.find(Verdict::Lie, format!("`{there}` was left with {wanted} and has {after} now"));
    } else if after != wanted && said.err.trim().is_empty() {
        run.find(Verdict::Lie, format!("`{there}` kept another branch's data without a word"));
    } else if after != wanted {
        run.find(
            Verdict::Lost,
            format!("the last state of `{there}` was not kept: {}", said.err.trim()),
        );
    }
    if after != before && !run.ledger.has(run.world, before)? {
        run.find(
            Verdict::Lost,
            format!("the state that the switch to `{there}` replaced is nowhere"),
        );
    }
    Ok(())
}
