//! What a run is about: one project under faults, or two features that meet.

mod beside;
mod crowd;
mod following;
mod killed;
mod merging;
mod model;
mod project;
mod store;

use anyhow::Result;

use crate::dice::Dice;
use crate::fault::Tools;
use crate::outcome::Finding;
use crate::world::Programs;

/// All that a run needs.
pub(crate) struct Stage<'a> {
    /// The programs under test.
    pub(crate) programs: &'a Programs,
    /// An empty folder.
    pub(crate) folder: &'a std::path::Path,
    /// What this machine can do.
    pub(crate) tools: Tools,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Commands run.
    pub(crate) n_commands: usize,
    /// What was found.
    pub(crate) findings: Vec<Finding>,
    /// What happened, a line each.
    pub(crate) history: String,
    /// What a power cut did to a commit of SQLite alone, if that was tried.
    pub(crate) control: Option<Control>,
}

/// What a power cut does to a commit without any command of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// It is there.
    Kept,
    /// It is gone, though SQLite had acknowledged it.
    Lost,
}

/// A kind of run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Its name, for `--only`.
    pub(crate) name: &'static str,
    /// How many of all runs it gets.
    pub(crate) weight: usize,
    /// Plays it.
    pub(crate) play: fn(&Stage, &mut Dice) -> Result<Ran>,
    /// Whether this machine can play it.
    pub(crate) is_possible: fn(Tools) -> bool,
}

/// Every scenario.
pub(crate) const ALL: [Scenario; 9] = [
    Scenario { name: "project", weight: 12, play: project::play, is_possible: |_| true },
    Scenario { name: "crowd", weight: 2, play: crowd::play, is_possible: |_| true },
    Scenario { name: "beside", weight: 1, play: beside::play, is_possible: |_| true },
    Scenario { name: "store", weight: 3, play: store::play, is_possible: |_| true },
    Scenario { name: "killed", weight: 3, play: killed::play, is_possible: |_| true },
    Scenario { name: "merging", weight: 2, play: merging::play, is_possible: |_| true },
    Scenario { name: "following", weight: 2, play: following::play, is_possible: |_| true },
    Scenario { name: "model", weight: 1, play: model::play, is_possible: |_| true },
    Scenario {
        name: "power",
        weight: 2,
        play: crate::power::play,
        is_possible: |tools| tools.can_cut_power,
    },
];
