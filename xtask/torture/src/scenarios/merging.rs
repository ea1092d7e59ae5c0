//! Merge × constraints: the rows of another machine in another order under unique positions, and a whole
//! database replaced by an import, both under faults. What a run without a fault leaves in a copy of the
//! world is what a run under one must leave, or nothing.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::ledger::Probe;
use crate::program;
use crate::run::{Act, Leaves, Run};
use crate::scenarios::{Ran, Stage};
use crate::state;
use crate::world::{Setting, World};

const ITEMS: &str = "
    CREATE TABLE list (name TEXT PRIMARY KEY);
    CREATE TABLE item (
        uuid TEXT PRIMARY KEY, list TEXT NOT NULL REFERENCES list, position INTEGER NOT NULL CHECK (position > 0),
        title TEXT, UNIQUE (list, position));
    CREATE UNIQUE INDEX item_title ON item (lower(title)) WHERE title IS NOT NULL;
    INSERT INTO list VALUES ('a'), ('b');";

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let journal_mode = if dice.one_in(3) { "delete" } else { "wal" };
    let world = World::create(
        stage.programs,
        stage.folder,
        &Setting { journal_mode, ..Setting::default() },
    )?;
    let here = state::open(&world.live())?;
    here.execute_batch(ITEMS)?;
    fill(&here, dice)?;
    drop(here);
    let other = world.path("other.db");
    fs_err::copy(world.live(), &other)?;
    reorder(&other, dice)?;
    let mut export = world.command(world.xtask_program(), Fault::None);
    export.env("DATABASE_PATH", "other.db").args([
        "db-export",
        "--output",
        "other.jsonl",
        "--quiet",
    ]);
    let said = program::finish(program::start(&mut export)?, Fault::None)?;
    ensure!(said.is_ok(), "db-export failed: {said:?}");
    let mut run = Run::new(&world, stage.tools);
    for _ in 0..=dice.below(3) {
        let arguments = import(dice);
        let leaves = expected(&world, &arguments)?;
        run.act(&Act::harmless(&arguments).leaving(leaves), Fault::random(dice, stage.tools))?;
        if !run.findings.is_empty() {
            break;
        }
    }
    run.end()
}

fn import(dice: &mut Dice) -> Vec<&'static str> {
    if dice.one_in(4) {
        return vec!["db-import", "other.jsonl", "--force", "--yes"];
    }
    let policy = dice.pick(&["fail", "skip", "replace", "replace"]);
    vec!["db-import", "--merge", "other.jsonl", "--on-conflict", policy, "--yes"]
}

/// Items in random lists and places.
fn fill(connection: &Connection, dice: &mut Dice) -> Result<()> {
    for n in 0..4 + dice.below(8) {
        let list = dice.pick(&["a", "b"]);
        connection.execute(
            "INSERT INTO item SELECT ?1, ?2, ifnull(max(position), 0) + 1, ?3 FROM item WHERE list = ?2",
            (format!("u{n}"), list, format!("item {n}")),
        )?;
    }
    Ok(())
}

/// The other machine puts its items into another order, adds some and renames some.
fn reorder(path: &Path, dice: &mut Dice) -> Result<()> {
    let other = state::open(path)?;
    other.execute_batch(
        "CREATE TEMP TABLE o AS SELECT uuid, row_number() OVER (PARTITION BY list ORDER BY random()) AS p FROM item;
         UPDATE item SET position = position + 1000;
         UPDATE item SET position = (SELECT p FROM o WHERE o.uuid = item.uuid);",
    )?;
    if dice.one_in(2) {
        other.execute_batch(
            "UPDATE item SET title = 'renamed ' || uuid WHERE abs(random()) % 3 = 0",
        )?;
    }
    if dice.one_in(2) {
        fill_in_front(&other)?;
    }
    Ok(())
}

fn fill_in_front(other: &Connection) -> Result<()> {
    Ok(other.execute_batch(
        "UPDATE item SET position = position + 2000 WHERE list = 'a';
         UPDATE item SET position = position - 1999 WHERE list = 'a';
         INSERT INTO item VALUES ('front', 'a', 1, 'in front');",
    )?)
}

/// What the command leaves if nothing disturbs it.
fn expected(world: &World, arguments: &[&str]) -> Result<Leaves> {
    let probe = Probe::of(world)?;
    let mut command = world.command(OsStr::new(world.xtask_program()), Fault::None);
    let said = program::finish(
        program::start(command.current_dir(probe.root()).args(arguments))?,
        Fault::None,
    )?;
    let state = state::of(&probe.root().join("app.db"));
    match said.code.context("a run without a fault was ended by a signal")? {
        0 => Ok(Leaves::State(state)),
        _ => Ok(Leaves::Failure),
    }
}
