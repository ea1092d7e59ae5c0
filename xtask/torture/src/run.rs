//! One run: a world, some steps in it, and what is checked after each.

use std::path::PathBuf;

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use crate::dice::Dice;
use crate::fault::{Fault, Tools};
use crate::host;
use crate::ledger::{Expected, Ledger, Partial};
use crate::outcome::{Finding, Verdict};
use crate::program::{self, Said};
use crate::scenarios::Ran;
use crate::state::State;
use crate::world::World;

/// No migration of a world begins later than this.
const LONGEST: Duration = Duration::from_mins(1);

/// A command, and what it may do to the live database.
#[derive(Debug)]
pub(crate) struct Act {
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// The state that it leaves when it succeeds; `None`: the one before.
    pub(crate) leaves: Leaves,
    /// Whether it may remove backups.
    pub(crate) may_remove: bool,
}

/// What a command leaves when it reports success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// The live database as it was.
    Unchanged,
    /// This state.
    State(State),
    /// Another state, which is not known beforehand.
    Something,
    /// It must not succeed.
    Failure,
}

impl Act {
    /// A command that leaves the live database alone.
    pub(crate) fn harmless(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            leaves: Leaves::Unchanged,
            may_remove: false,
        }
    }

    /// The same with another outcome.
    pub(crate) fn leaving(self, leaves: Leaves) -> Self {
        Self { leaves, ..self }
    }

    /// The same, where retention may follow.
    pub(crate) fn pruning(self, may_remove: bool) -> Self {
        Self { may_remove, ..self }
    }
}

/// A world and what is known of it.
pub(crate) struct Run<'a> {
    /// The world.
    pub(crate) world: &'a World,
    /// Its backups.
    pub(crate) ledger: Ledger,
    /// What this machine can do.
    pub(crate) tools: Tools,
    /// What was found.
    pub(crate) findings: Vec<Finding>,
    /// Commands run so far.
    pub(crate) n_commands: usize,
}

impl<'a> Run<'a> {
    /// A run in a world that has no backups yet.
    pub(crate) fn new(world: &'a World, tools: Tools) -> Self {
        Self { world, ledger: Ledger::default(), tools, findings: Vec::new(), n_commands: 0 }
    }

    /// Runs a command under a fault, and checks all that must hold afterwards.
    pub(crate) fn act(&mut self, act: &Act, fault: Fault) -> Result<Said> {
        let before = self.world.state();
        let arguments: Vec<&str> = act.arguments.iter().map(String::as_str).collect();
        let said = self.world.xtask_under(&arguments, fault)?;
        self.n_commands += 1;
        self.check(act, fault, before, &said)?;
        Ok(said)
    }

    /// Starts a command and kills it some time after its migration began on the live database.
    pub(crate) fn kill_in_live_run(&mut self, act: &Act, after: Duration) -> Result<Said> {
        let before = self.world.state();
        let arguments: Vec<&str> = act.arguments.iter().map(String::as_str).collect();
        let mut child = self.world.start(&arguments, Fault::None)?;
        let began = Instant::now();
        let marker = self.world.path(host::LIVE_RUN);
        while !marker.exists() && child.try_wait()?.is_none() && began.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_micros(500));
        }
        std::thread::sleep(after);
        child.kill()?;
        let said = program::finish(child, Fault::None)?;
        self.n_commands += 1;
        let fault = Fault::Signal { signal: Signal::KILL, after };
        let (code, state) = (said.code, self.world.state());
        self.world.note(format!(
            "{}, killed {after:?} into its live run: {code:?}; live {state}",
            arguments.join(" ")
        ));
        self.check(act, fault, before, &said)?;
        Ok(said)
    }

    fn check(&mut self, act: &Act, fault: Fault, before: State, said: &Said) -> Result<()> {
        let what = act.arguments.join(" ");
        if said.crashed() {
            self.find(Verdict::Broken, format!("`{what}` crashed: {}", said.err.trim()));
        }
        let mut after = self.world.state();
        let target = match act.leaves {
            Leaves::State(state) => state,
            // Killed after the end of it, a command is done as well.
            Leaves::Something if said.is_done() || self.world.is_migrated() => after,
            _ => before,
        };
        if said.is_done() && act.leaves == Leaves::Failure {
            self.find(Verdict::Lie, format!("`{what}` reports success"));
        }
        if said.is_done() && after != target {
            self.find(
                Verdict::Lie,
                format!("`{what}` succeeded and left {after} instead of {target}"),
            );
        }
        let mut states = vec![before, target];
        if !said.is_done() && after != before && after != target {
            states.push(after);
            after = self.recover(&what, before, fault)?;
        }
        let runs_host =
            what.contains("migrate") || what.contains("reset") || what.contains("deploy");
        let partial = if runs_host { Partial::Safety } else { Partial::None };
        self.learn(&Expected { states, may_remove: act.may_remove, partial })?;
        if after != before && before.has_content() && !self.ledger.has(self.world, before)? {
            self.find(Verdict::Lost, format!("`{what}`: the state {before} before it is nowhere"));
        }
        Ok(())
    }

    /// The live database has neither the old nor the new state: that must be reported, and settled.
    fn recover(&mut self, what: &str, before: State, fault: Fault) -> Result<State> {
        let status = self.world.xtask(&["db-status"])?;
        if status.code != Some(1) || !status.out.contains("db-recover") {
            let state = self.world.state();
            self.find(
                Verdict::Lie,
                format!(
                    "`{what}` ({fault}) left {state}, and `db-status` does not name it (exit {:?})",
                    status.code
                ),
            );
        }
        let said = self.world.xtask(&["db-recover", "--yes"])?;
        self.n_commands += 2;
        let after = self.world.state();
        if after != before {
            let why = said.err.trim().replace('\n', " | ");
            self.find(
                Verdict::Broken,
                format!(
                    "`db-recover` after `{what}` ({fault}) left {after} instead of {before}: {why}"
                ),
            );
        }
        Ok(after)
    }

    /// Takes in which backups there are now.
    pub(crate) fn learn(&mut self, expected: &Expected) -> Result<()> {
        let found = self.ledger.learn(self.world, expected)?;
        self.findings.extend(found);
        self.n_commands += 1;
        Ok(())
    }

    /// Records a finding.
    pub(crate) fn find(&mut self, verdict: Verdict, what: String) {
        self.findings.push(Finding::new(verdict, what));
    }

    /// Flips one bit of one file in the backups folder, as a disk does: without a new time.
    pub(crate) fn flip(&mut self, dice: &mut Dice) -> Result<()> {
        let files = files(&self.world.path("backups"))?;
        if files.is_empty() {
            return Ok(());
        }
        let file = &files[dice.below(files.len())];
        let mut bytes = fs_err::read(file)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let metadata = fs_err::metadata(file)?;
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        let opened = fs_err::OpenOptions::new().write(true).open(file)?;
        std::os::unix::fs::FileExt::write_all_at(opened.file(), &bytes[at..=at], at as u64)?;
        opened.file().set_modified(metadata.modified()?)?;
        drop(opened);
        self.world.note(format!("a bit flipped at {at} of {}", file.display()));
        let found = self.ledger.mark_damaged(self.world)?;
        self.findings.extend(found);
        Ok(())
    }

    /// Ends the run: unless something was found already, the next commands must work.
    pub(crate) fn end(mut self) -> Result<Ran> {
        if self.findings.is_empty() {
            self.conclude()?;
        }
        Ok(self.ran())
    }

    /// What came of it.
    pub(crate) fn ran(self) -> Ran {
        let history = self.world.history();
        Ran { n_commands: self.n_commands, findings: self.findings, history, control: None }
    }

    /// Checks the end of every run: the next commands work, and what they report is true.
    pub(crate) fn conclude(&mut self) -> Result<()> {
        let state = self.world.state();
        let status = self.world.xtask(&["db-status"])?;
        if status.crashed() || !matches!(status.code, Some(0 | 1)) {
            self.find(Verdict::Broken, format!("`db-status` does not work: {}", status.err.trim()));
        }
        if state.has_content() {
            let backup = self.world.xtask(&["db-backup", "--label", "the next command"])?;
            if !backup.is_ok() {
                self.find(
                    Verdict::Broken,
                    format!("`db-backup` does not work: {}", backup.err.trim()),
                );
            }
        }
        let verified = self.world.xtask(&["db-verify", "--all"])?;
        self.n_commands += 3;
        self.learn(&Expected::states(&[state]))?;
        let found = self.ledger.mark_damaged(self.world)?;
        self.findings.extend(found);
        let damaged: Vec<String> = {
            let known = self.ledger.known().iter();
            known.filter(|(_, known)| known.is_damaged).map(|(name, _)| name.clone()).collect()
        };
        if verified.is_ok() && !damaged.is_empty() {
            self.find(
                Verdict::Lie,
                format!("`db-verify --all` exits with 0, but {damaged:?} are damaged"),
            );
        }
        Ok(())
    }
}

/// The files of backups: not the lock, nor what keeps git out.
fn files(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if !is_hidden {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
