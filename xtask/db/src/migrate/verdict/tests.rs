//! Which changes are losses, and which are not.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::*;
use crate::console::interrupt::Interrupt;
use crate::migrate::verdict::allowance::{Allowance, Origin};
use crate::migrate::verdict::effects::Effects;
use crate::sqlite::connection;
use crate::sqlite::examination::finding::Finding;

/// Both states of a database, and the effects between them.
struct States {
    before: State,
    after: State,
    effects: Effects,
}

impl States {
    fn of(setup: &str, migration: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (old, new) = (folder.path().join("a.db"), folder.path().join("b.db"));
        run(&old, setup)?;
        fs_err::copy(&old, &new)?;
        run(&new, migration)?;
        let interrupt = Interrupt::default();
        let (before, after) = (State::read(&old, &interrupt)?, State::read(&new, &interrupt)?);
        let effects = effects::of(&old, &new, &interrupt)?;
        Ok(Self { before, after, effects })
    }

    fn comparison(&self) -> Comparison<'_> {
        Comparison { before: &self.before, after: &self.after, effects: &self.effects }
    }

    fn judge(&self, allowed: &[&str]) -> Verdict {
        let allowed: Vec<_> = allowed
            .iter()
            .map(|name| Allowance { name: (*name).to_owned(), origin: Origin::Flag })
            .collect();
        judge(&self.comparison(), &allowed)
    }
}

fn run(path: &Path, sql: &str) -> Result<()> {
    let connection = connection::open_or_create(path, Duration::ZERO)?;
    connection.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF")?;
    connection.execute_batch(sql)?;
    Ok(())
}

mod cases;
mod counts;
mod kept;
mod lost;
mod odd;
