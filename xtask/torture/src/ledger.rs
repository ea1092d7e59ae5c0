//! What must be restorable: which backups a world has, and which state each of them holds.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::outcome::{Finding, Verdict};
use crate::program;
use crate::state::{self, State};
use crate::world::World;

/// One backup that was seen whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The state that it holds.
    pub(crate) state: State,
    /// Whether a flipped bit has made it unusable since.
    pub(crate) is_damaged: bool,
    /// Whether it is pinned.
    pub(crate) is_pinned: bool,
}

/// What a command may have done to the backups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// The states that a new backup may hold.
    pub(crate) states: Vec<State>,
    /// Whether backups may have been removed.
    pub(crate) may_remove: bool,
    /// Which new backups may contain what a migration left half done.
    pub(crate) partial: Partial,
}

/// Which new backups may hold a state that is half of a migration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Partial {
    /// None.
    #[default]
    None,
    /// Safety backups, which are taken before such a state is replaced.
    Safety,
    /// Any: several commands worked at once.
    Any,
}

impl Expected {
    /// New backups of these states, and nothing else.
    pub(crate) fn states(states: &[State]) -> Self {
        Self { states: states.to_vec(), ..Self::default() }
    }
}

/// The backups of a world.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    known: BTreeMap<String, Known>,
}

impl Ledger {
    /// Every backup, by name.
    pub(crate) fn known(&self) -> &BTreeMap<String, Known> {
        &self.known
    }

    /// One of the backups' names.
    pub(crate) fn any(&self, dice: &mut Dice) -> Option<String> {
        let names: Vec<&String> = self.known.keys().collect();
        (!names.is_empty()).then(|| dice.pick(&names).clone())
    }

    /// Compares with what is listed now: new backups must contain one of these states, and be
    /// whole; none may have disappeared unless something was allowed to remove it.
    pub(crate) fn learn(&mut self, world: &World, expected: &Expected) -> Result<Vec<Finding>> {
        let listed = names(&world.list()?);
        let mut findings = Vec::new();
        for name in &listed {
            if !self.known.contains_key(name) {
                findings.extend(self.learn_one(world, name, expected)?);
            }
        }
        let gone: Vec<String> =
            self.known.keys().filter(|name| !listed.contains(name)).cloned().collect();
        for name in gone {
            let known = self.known.remove(&name).context("a backup that is known")?;
            if !expected.may_remove || known.is_pinned {
                let why = if known.is_pinned { "pinned backup" } else { "backup" };
                findings.push(Finding::new(Verdict::Lost, format!("the {why} `{name}` vanished")));
            }
        }
        Ok(findings)
    }

    fn learn_one(
        &mut self,
        world: &World,
        name: &str,
        expected: &Expected,
    ) -> Result<Option<Finding>> {
        let probe = Probe::of(world)?;
        let state = probe.restored(name)?;
        let known = Known {
            state: state.unwrap_or(State::Unreadable),
            is_damaged: state.is_none(),
            is_pinned: false,
        };
        self.known.insert(name.to_owned(), known);
        let may_be_partial = match expected.partial {
            Partial::None => false,
            Partial::Safety => name.contains(".SAFETY."),
            Partial::Any => true,
        };
        Ok(match state {
            None => Some(Finding::new(
                Verdict::Lie,
                format!("the new backup `{name}` cannot be restored"),
            )),
            Some(state) if !expected.states.contains(&state) && !may_be_partial => {
                Some(Finding::new(
                    Verdict::Lie,
                    format!(
                        "the new backup `{name}` contains {state}, which the database never had"
                    ),
                ))
            }
            Some(_) => None,
        })
    }

    /// Finds out which backups are unusable now, without letting the world know: a flipped bit makes them
    /// so, and a block that is stored again heals them.
    pub(crate) fn mark_damaged(&mut self, world: &World) -> Result<Vec<Finding>> {
        let probe = Probe::of(world)?;
        let mut findings = Vec::new();
        for (name, known) in &mut self.known {
            match probe.restored(name)? {
                None => known.is_damaged = true,
                Some(state) if state == known.state => known.is_damaged = false,
                Some(state) if state != known.state && known.state.has_content() => {
                    findings.push(Finding::new(
                        Verdict::Lie,
                        format!("`{name}` was restored as {state}, but contains {}", known.state),
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(findings)
    }

    /// Whether a state can be restored from a backup right now.
    pub(crate) fn has(&self, world: &World, state: State) -> Result<bool> {
        let holding =
            self.known.iter().filter(|(_, known)| known.state == state && !known.is_damaged);
        let probe = Probe::of(world)?;
        for (name, _) in holding {
            if probe.restored(name)? == Some(state) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The names in a listing.
pub(crate) fn names(backups: &[Value]) -> Vec<String> {
    backups.iter().filter_map(|backup| backup["name"].as_str().map(str::to_owned)).collect()
}

/// A copy of a world, in which restores are tried: what they notice does not reach the world itself.
pub(crate) struct Probe<'w> {
    world: &'w World,
    root: PathBuf,
}

impl<'w> Probe<'w> {
    /// A copy of the world as it is now.
    pub(crate) fn of(world: &'w World) -> Result<Self> {
        let root = world.root().with_file_name("probe");
        if root.exists() {
            fs_err::remove_dir_all(&root)?;
        }
        let mut copy = world.command(OsStr::new("cp"), Fault::None);
        copy.arg("-a").arg(world.root()).arg(&root);
        let said = program::finish(program::start(&mut copy)?, Fault::None)?;
        ensure!(said.is_ok(), "could not copy a world: {said:?}");
        Ok(Self { world, root })
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What a backup restores to; `None` if that is refused or fails.
    pub(crate) fn restored(&self, name: &str) -> Result<Option<State>> {
        let into = self.world.scratch();
        remove_database(&into)?;
        let mut command = self.world.command(self.world.xtask_program(), Fault::None);
        command.current_dir(&self.root).args(["db-restore", name, "--quiet", "--into"]).arg(&into);
        let said = program::finish(program::start(&mut command)?, Fault::None)?;
        if said.is_ok() {
            return Ok(Some(state::of(&into)));
        }
        self.world
            .note(format!("  {name} cannot be restored: {}", said.err.trim().replace('\n', " | ")));
        Ok(None)
    }
}

fn remove_database(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        if file.exists() {
            fs_err::remove_file(file)?;
        }
    }
    Ok(())
}
