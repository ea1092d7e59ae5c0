//! Problems of the page store that are visible without reading a page.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::page_lists;
use crate::backups::store::cut;
use crate::backups::store::file_header::Newer;
use crate::backups::store::pack_folder;
use crate::backups::store::pack_index::{Opened, Shelf};
use crate::backups::vault::Vault;
use crate::console::text;
use crate::health::problem::Problem;
use crate::host::project::Project;
use crate::retention::repack_plan::Left;

/// The page store, as it was found.
#[derive(Default)]
pub(crate) struct Store {
    /// How many backups are in it.
    pub(crate) n_backups: u64,
    /// Their size as plain backups.
    pub(crate) logical_bytes: u64,
    /// How many packs there are.
    pub(crate) n_packs: u64,
    /// Their size.
    pub(crate) packs_bytes: u64,
    /// The size of the page lists.
    pub(crate) lists_bytes: u64,
    /// Size of the pages in the packs before compression.
    pages_bytes: u64,
    /// Lists that cannot be read: where, why, and whether a newer build wrote them.
    unreadable: Vec<(PathBuf, String, bool)>,
    /// Lists that name a pack which does not exist, with a description of what is missing.
    incomplete: Vec<(PathBuf, String)>,
    /// Packs that cannot be read.
    packs: Vec<(Left, bool)>,
}

/// The same in `--json`.
#[derive(Serialize)]
pub(crate) struct Document {
    backups: u64,
    logical_bytes: u64,
    packs: u64,
    packs_bytes: u64,
    lists_bytes: u64,
    dedupe_ratio: Option<f64>,
    compression_ratio: Option<f64>,
}

impl Store {
    /// Examines the page store; `None` if no backup was ever stored.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn of(vault: &Vault, backups: &[Backup]) -> Result<Option<Self>> {
        let mut shelf = Shelf::of(vault.folder());
        let mut store = Self::default();
        let stored = backups.iter().filter(|backup| backup.name.format.is_stored());
        store.logical_bytes = stored.clone().map(|backup| backup.size_bytes).sum();
        store.n_backups = stored.count() as u64;
        for Opened { name, pack } in shelf.packs()? {
            store.n_packs += 1;
            match pack {
                Ok(pack) => {
                    store.packs_bytes += pack.size_bytes;
                    store.pages_bytes += pack.plain_bytes();
                }
                Err(error) => {
                    let is_newer = error.downcast_ref::<Newer>().is_some();
                    let why = format!("cannot be read: {}", error.root_cause());
                    store.packs.push((Left { pack: name, why }, is_newer));
                }
            }
        }
        store.see_lists(vault, &mut shelf)?;
        Ok((store.n_backups > 0 || store.n_packs > 0).then_some(store))
    }

    fn see_lists(&mut self, vault: &Vault, packs: &mut Shelf) -> Result<()> {
        let mut seen = BTreeSet::new();
        for reference in page_lists::find(vault.folder())? {
            if !seen.insert(reference.identity) {
                continue;
            }
            self.lists_bytes += reference.size_bytes;
            match reference.read() {
                Ok(Some(list)) => {
                    let places = packs.places(&list)?;
                    if let Some((at, trouble)) = places.missing().next() {
                        let pack = pack_folder::said(&list.packs[at]);
                        let what = format!("the pack `{pack}` {trouble}");
                        self.incomplete.push((reference.path, what));
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let is_newer = error.downcast_ref::<Newer>().is_some();
                    let why = error.root_cause().to_string();
                    self.unreadable.push((reference.path, why, is_newer));
                }
            }
        }
        Ok(())
    }

    /// How many times larger the backups are than the pages that they share.
    #[must_use]
    pub(crate) fn dedupe_ratio(&self) -> Option<f64> {
        ratio(self.logical_bytes, self.pages_bytes)
    }

    /// How many times larger the pages are than the packs.
    #[must_use]
    pub(crate) fn compression_ratio(&self) -> Option<f64> {
        ratio(self.pages_bytes, self.packs_bytes)
    }

    /// Everything that needs attention.
    #[must_use]
    pub(crate) fn problems(&self, project: &Project) -> Vec<Problem> {
        const ALL: &str = "cargo xtask db-verify --all   # shows which backups are affected";
        const UPDATE: &str = "cargo update --package xtask-db";
        let remedy = |is_newer: bool| if is_newer { UPDATE } else { ALL };
        let mut problems = Vec::new();
        if let Some((path, why, is_newer)) = self.unreadable.first() {
            let n = text::count(self.unreadable.len() as u64, cut::noun(path));
            let what =
                format!("{n} cannot be read, e.g. `{}`: {}", project.path(path), text::plain(why));
            problems.push(Problem::new("page-list", what, remedy(*is_newer)));
        }
        if let Some((left, is_newer)) = self.packs.first() {
            problems.push(Problem::new("pack", left.to_string(), remedy(*is_newer)));
        } else if let Some((path, what)) = self.incomplete.first() {
            let n = text::count(self.incomplete.len() as u64, "stored backup");
            let what =
                format!("page data of {n} is missing, e.g. of `{}`: {what}", project.path(path));
            problems.push(Problem::new("pages-missing", what, ALL));
        }
        problems
    }

    /// The document for `--json`.
    #[must_use]
    pub(crate) fn document(&self) -> Document {
        Document {
            backups: self.n_backups,
            logical_bytes: self.logical_bytes,
            packs: self.n_packs,
            packs_bytes: self.packs_bytes,
            lists_bytes: self.lists_bytes,
            dedupe_ratio: self.dedupe_ratio(),
            compression_ratio: self.compression_ratio(),
        }
    }
}

fn ratio(whole_bytes: u64, part_bytes: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "two digits of it are shown")]
    (part_bytes > 0).then(|| whole_bytes as f64 / part_bytes as f64)
}
