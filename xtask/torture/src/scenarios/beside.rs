//! Beside an application that writes all the time: no commit that SQLite acknowledged may vanish.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::ledger;
use crate::outcome::Verdict;
use crate::run::{Act, Run};
use crate::scenarios::{Ran, Stage};
use crate::state;
use crate::world::{Setting, World};

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let journal_mode = if dice.one_in(3) { "delete" } else { "wal" };
    let setting = Setting { journal_mode, ..Setting::default() };
    let world = World::create(stage.programs, stage.folder, &setting)?;
    let mut run = Run::new(&world, stage.tools);
    run.act(&Act::harmless(&["db-backup"]), Fault::None)?;
    let first = run.ledger.any(dice).context("a first backup")?;
    world.work(dice)?;
    let mut writer = world.start_writer()?;
    for _ in 0..=dice.below(4) {
        std::thread::sleep(dice.delay(Duration::from_millis(80)));
        let fault = if dice.one_in(3) { Fault::fatal(dice, stage.tools) } else { Fault::None };
        let arguments: [&[&str]; 4] = [
            &["db-restore", &first, "--yes"],
            &["db-backup"],
            &["db-backup", "--kind", "branch"],
            &["db-restore", &first, "--yes"],
        ];
        let arguments: &[&str] = dice.pick(&arguments);
        let said = world.xtask_under(arguments, fault)?;
        run.n_commands += 1;
        if said.crashed() {
            run.find(
                Verdict::Broken,
                format!("a command beside a writer crashed: {}", said.err.trim()),
            );
        }
    }
    drop(writer.stdin.take());
    writer.wait()?;
    check(&mut run)?;
    Ok(run.ran())
}

/// Each acknowledged row is in the live database or in a backup.
fn check(run: &mut Run) -> Result<()> {
    let acknowledged = fs_err::read_to_string(run.world.acknowledged()).unwrap_or_default();
    let mut missing: HashSet<&str> = acknowledged.lines().collect();
    let n_acknowledged = missing.len();
    take_away(&run.world.live(), &mut missing)?;
    for name in ledger::names(&run.world.list()?) {
        let probe = ledger::Probe::of(run.world)?;
        match probe.restored(&name)? {
            Some(state) if state.has_content() => take_away(&run.world.scratch(), &mut missing)?,
            _ => run
                .find(Verdict::Lie, format!("`{name}`, taken beside a writer, cannot be restored")),
        }
    }
    run.world
        .note(format!("{n_acknowledged} acknowledged commits, {} of them nowhere", missing.len()));
    if !missing.is_empty() {
        let n = missing.len();
        run.find(
            Verdict::Lost,
            format!("{n} of {n_acknowledged} acknowledged commits are nowhere"),
        );
    }
    Ok(())
}

fn take_away(database: &std::path::Path, missing: &mut HashSet<&str>) -> Result<()> {
    let connection = state::open(database)?;
    let mut statement = connection.prepare("SELECT body FROM note")?;
    let bodies = statement.query_map([], |row| row.get::<_, String>(0))?;
    for body in bodies {
        missing.remove(body?.as_str());
    }
    Ok(())
}
