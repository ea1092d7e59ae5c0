//! The steps that git takes, and what follows the branches.

use anyhow::Result;

use super::realm::{Follow, Realm, Removes};
use crate::dice::Dice;
use crate::outcome::Verdict;

const BRANCHES: [&str; 5] = ["main", "linked", "feature/a", "b", "c"];

impl Realm {
    /// One step of git in a place.
    pub(super) fn branch_step(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let branch = dice.pick(&BRANCHES);
        match dice.below(9) {
            0 => {
                let text = format!("-- {}\n", self.n_commands);
                fs_err::write(self.places[at].folder.join("migrations/2.sql"), text)?;
                self.git(at, &["add", "--all"])?;
                self.unmoved(at, &["commit", "--quiet", "--message=next"])?;
            }
            1 => {
                if !self.unmoved(at, &["merge", "--quiet", "-Xours", "--no-edit", branch])? {
                    self.git(at, &["merge", "--abort"])?;
                }
            }
            2 => {
                if self.unmoved(at, &["branch", "-D", branch])? {
                    self.forget(at, branch);
                }
            }
            3 => {
                let to = dice.pick(&BRANCHES);
                if self.unmoved(at, &["branch", "-m", branch, to])? && branch != to {
                    self.rename(at, branch, to);
                }
            }
            _ => self.switch(at, branch)?,
        }
        Ok(())
    }

    /// Runs git if no database may change; whether it succeeded.
    fn unmoved(&mut self, at: usize, arguments: &[&str]) -> Result<bool> {
        let before = self.places[at].states();
        let said = self.git(at, arguments)?;
        if self.places[at].states() != before {
            self.find(Verdict::Lie, format!("git {arguments:?} changed a database"));
        }
        self.learn(at, &before, &Removes::ByPolicy)?;
        Ok(said.is_ok())
    }

    fn forget(&mut self, at: usize, branch: &str) {
        let project = self.places[at].project;
        for place in self.places.iter_mut().filter(|place| place.project == project) {
            place.left.remove(branch);
        }
    }

    fn rename(&mut self, at: usize, from: &str, to: &str) {
        let project = self.places[at].project;
        for place in self.places.iter_mut().filter(|place| place.project == project) {
            if let Some(states) = place.left.remove(from) {
                place.left.insert(to.to_owned(), states);
            }
        }
    }

    fn output(&mut self, at: usize, arguments: &[&str]) -> Result<String> {
        Ok(self.git(at, arguments)?.out.trim().to_owned())
    }

    fn switch(&mut self, at: usize, there: &str) -> Result<()> {
        let here = self.output(at, &["branch", "--show-current"])?;
        if here == there {
            return Ok(());
        }
        let old = self.output(at, &["rev-parse", "HEAD"])?;
        let exists =
            self.git(at, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{there}")])?;
        let before = self.places[at].states();
        let create: &[&str] = if exists.is_ok() { &[] } else { &["--create"] };
        let said = self.git(at, &[&["switch", "--quiet"], create, &[there]].concat())?;
        self.learn(at, &before, &Removes::ByPolicy)?;
        if !said.is_ok() {
            return Ok(());
        }
        self.places[at].left.insert(here, before.clone());
        let differs =
            !self.git(at, &["diff", "--quiet", &old, "HEAD", "--", "migrations"])?.is_ok();
        let follows = exists.is_ok() && (self.follow == Follow::Always || differs);
        let own = self.places[at].left.get(there).filter(|_| follows).cloned();
        for (n, after) in self.places[at].states().into_iter().enumerate() {
            let wanted = own.as_ref().map_or(before[n], |own| own[n]);
            let what = format!("place {at}: the switch to `{there}`");
            if after != wanted && after != before[n] {
                self.find(Verdict::Lie, format!("{what} left {after}, not {wanted}"));
            } else if after != wanted && said.err.trim().is_empty() {
                self.find(
                    Verdict::Lie,
                    format!("{what} kept {after}, not {wanted}, without a word"),
                );
            }
            self.demand_way_back(at, before[n], after, &what);
        }
        Ok(())
    }
}
