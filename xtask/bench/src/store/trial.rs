//! The series itself: everybody keeps the same states of one database, by turns.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use crate::scratch::Scratch;
use crate::store::findings::{Change, Findings};
use crate::store::keeper::{COPY, Deed, Keeper, Numbers};
use crate::store::pages::Pages;
use crate::store::sample::Sample;
use crate::store::workload::Workload;
use crate::{measurement, note};

/// Where the series is.
pub(super) struct Trial<'a> {
    pub(super) scratch: &'a Scratch,
    /// Those who are installed and wanted; ours always.
    pub(super) keepers: Vec<Keeper>,
    pub(super) workload: Workload,
    /// The state that the newest checkpoint of everybody holds.
    pub(super) pages: Pages,
    pub(super) findings: Findings,
    numbers: Numbers,
}

impl<'a> Trial<'a> {
    /// Lets everybody get ready to keep states of a database, of which so many stay at the end.
    pub(super) fn prepare(
        scratch: &'a Scratch,
        keepers: Vec<Keeper>,
        workload: Workload,
        n_kept: usize,
    ) -> Result<Self> {
        let numbers = Numbers { number: 0, kept: n_kept };
        for asked in keepers.iter().filter_map(|keeper| keeper.preparation()) {
            let mut command = asked.command(scratch, numbers)?;
            measurement::run(&mut command, None, &scratch.path("said"))
                .with_context(|| format!("`{}` failed", asked.name()))?;
        }
        let pages = Pages::read(&scratch.live())?;
        let n_rows = workload.n_rows();
        let findings = Findings { n_pages: pages.len(), n_rows, ..Findings::default() };
        Ok(Self { scratch, keepers, workload, pages, findings, numbers })
    }

    /// Takes so many checkpoints, after a change each but the first.
    pub(super) fn take_series(&mut self, n_checkpoints: usize) -> Result<()> {
        for n in 1..=n_checkpoints {
            if n < 10 || n % 10 == 0 {
                note(&format!("checkpoint {n} of {n_checkpoints} ..."))?;
            }
            if n > 1 {
                self.change()?;
            }
            self.keep(Deed::Checkpoint)?;
        }
        self.ensure_number(n_checkpoints)
    }

    /// Takes so many checkpoints between which nothing changes.
    pub(super) fn take_unchanged(&mut self, n_runs: usize) -> Result<()> {
        note("checkpoints of the unchanged database ...")?;
        for _ in 0..n_runs {
            self.keep(Deed::Unchanged)?;
        }
        Ok(())
    }

    /// Has everybody list what there is, so many times.
    pub(super) fn list(&mut self, n_runs: usize) -> Result<()> {
        note("lists ...")?;
        for _ in 0..n_runs {
            self.each(Deed::List)?;
        }
        Ok(())
    }

    /// Has everybody verify everything, once.
    pub(super) fn verify(&mut self) -> Result<()> {
        note("everything verified ...")?;
        self.each(Deed::Verify)
    }

    /// Has everybody remove all but the newest; what is left of ours has to be whole.
    pub(super) fn prune(&mut self) -> Result<()> {
        note("all but the newest removed ...")?;
        // What was taken in the second of the pruning would stay.
        std::thread::sleep(Duration::from_secs(1));
        self.each(Deed::Prune)?;
        self.ensure_number(self.numbers.kept)?;
        let verified = self.scratch.output(&["xtask", "db-verify", "--all", "--db", "bench"]);
        ensure!(verified.is_some(), "the store is damaged after `db-prune`");
        Ok(())
    }

    /// Does it, times it and notes it down; nothing if the keeper cannot.
    pub(super) fn time(&mut self, keeper: Keeper, deed: Deed) -> Result<()> {
        if let Some(sample) = self.sample(keeper, deed)? {
            self.findings.add(deed, keeper, sample);
        }
        Ok(())
    }

    /// A full copy into a fresh file, timed; `None` where `sqlite3` is not installed.
    pub(super) fn copy(&mut self, deed: Deed) -> Result<Option<Duration>> {
        if !self.keepers.contains(&Keeper::Copies) {
            return Ok(None);
        }
        let copy = self.scratch.path(COPY);
        if copy.exists() {
            fs::remove_file(copy)?;
        }
        let sample = self.sample(Keeper::Copies, deed)?;
        if let Some(sample) = sample {
            self.findings.add(deed, Keeper::Copies, sample);
        }
        Ok(sample.map(|sample| sample.wall()))
    }

    /// Everybody keeps the current state: the copy before restic and borg, which read it; every other
    /// time ours before the copy.
    fn keep(&mut self, deed: Deed) -> Result<()> {
        self.numbers.number += 1;
        let ours_first = self.numbers.number.is_multiple_of(2);
        if ours_first {
            self.time(Keeper::Ours, deed)?;
        }
        let copying = self.copy(deed)?;
        if !ours_first {
            self.time(Keeper::Ours, deed)?;
        }
        for keeper in self.keepers.clone() {
            if keeper.needs_copy()
                && let Some(sample) = self.sample(keeper, deed)?
            {
                self.findings.add(deed, keeper, Sample { copying, ..sample });
            }
        }
        Ok(())
    }

    fn each(&mut self, deed: Deed) -> Result<()> {
        for keeper in self.keepers.clone() {
            self.time(keeper, deed)?;
        }
        Ok(())
    }

    fn sample(&self, keeper: Keeper, deed: Deed) -> Result<Option<Sample>> {
        let Some(asked) = keeper.asked(deed) else { return Ok(None) };
        self.scratch.settle()?;
        let mut command = asked.command(self.scratch, self.numbers)?;
        let folder = self.scratch.path(keeper.folder());
        let sample = Sample::take(&mut command, &folder, &self.scratch.path("said"));
        sample.map(Some).with_context(|| format!("could not time `{}`", asked.name()))
    }

    fn change(&mut self) -> Result<()> {
        let changed_rows = self.workload.change()?;
        let pages = Pages::read(&self.scratch.live())?;
        let changed_pages = pages.n_unlike(&self.pages);
        self.findings.changes.push(Change { changed_rows, changed_pages, pages: pages.len() });
        self.pages = pages;
        Ok(())
    }

    /// A checkpoint that was not taken, or pruned by itself, would be fast.
    fn ensure_number(&self, n_expected: usize) -> Result<()> {
        let said = self.scratch.output(&["xtask", "db-list", "--json", "--db", "bench"]);
        let list: serde_json::Value = serde_json::from_str(&said.context("`db-list` failed")?)?;
        let backups = list["backups"].as_array().context("`db-list` lists nothing")?;
        let n_found = backups.iter().filter(|record| record["kind"] == "pre-commit").count();
        ensure!(n_found == n_expected, "there are {n_found} checkpoints instead of {n_expected}");
        Ok(())
    }
}
