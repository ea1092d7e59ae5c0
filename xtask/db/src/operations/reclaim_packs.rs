//! The effects of pruning on the page store, in words and in `--json`.

use anyhow::Result;
use serde::Serialize;

use crate::backups::store::cut;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::retention::plan::Verdict;
use crate::retention::prune;
use crate::retention::repack::{self, Reclaimed};
use crate::retention::repack_plan::{self, Extent, Left, Plan, Unreadable};

/// The result for the page store, or the plan for it.
pub(crate) enum Outcome {
    /// The plan of a dry run.
    Planned(Plan),
    /// The result.
    Reclaimed(Reclaimed),
    /// Nothing was done, because it is unknown what a page list needs.
    Refused(Unreadable),
}

/// The same in `--json`.
#[derive(Serialize)]
pub(crate) struct Document {
    removed_packs: u64,
    rewritten_packs: u64,
    freed_bytes: u64,
    /// Why nothing more was reclaimed.
    trouble: Option<String>,
}

/// Plans the packs to reclaim once the condemned backups are gone.
///
/// # Errors
///
/// If the folder cannot be read, or at the user's interrupt.
pub(crate) fn plan(vault: &Vault, plan: &[Verdict], interrupt: &Interrupt) -> Result<Outcome> {
    let lists = prune::lists_that_stay(vault, plan)?;
    let planned = repack_plan::plan(vault.folder(), &lists, Extent::All, interrupt);
    refused(planned.map(Outcome::Planned))
}

/// Reclaims the blocks to which no page list refers.
///
/// # Errors
///
/// If the disk is full or fails, or at the user's interrupt.
pub(crate) fn reclaim(session: &Session, locked: &Locked<'_>, extent: Extent) -> Result<Outcome> {
    let mut progress = session.progress("Reclaiming");
    let reclaimed = repack::reclaim(locked, extent, &mut progress);
    refused(reclaimed.map(Outcome::Reclaimed)).map_err(|error| {
        if error.downcast_ref::<Refusal>().is_some() {
            return error;
        }
        error.context(Refusal {
            what: "could not reclaim space in the page store".to_owned(),
            hint: "every backup is still whole; check the disk, then `cargo xtask db-prune` \
                   continues where this stopped"
                .to_owned(),
            exit: Exit::CouldNot,
        })
    })
}

fn refused(outcome: Result<Outcome>) -> Result<Outcome> {
    outcome.or_else(|error| error.downcast::<Unreadable>().map(Outcome::Refused))
}

impl Outcome {
    /// Whether there is something to do.
    pub(crate) fn is_due(&self) -> bool {
        match self {
            Self::Planned(plan) => !plan.is_empty(),
            Self::Reclaimed(_) => false,
            Self::Refused(_) => true,
        }
    }

    /// The number of packs that would be removed as a whole; `None` if there are none.
    pub(crate) fn packs_to_remove(&self) -> Option<String> {
        match self {
            Self::Planned(plan) if !plan.remove.is_empty() => {
                Some(text::count(plan.remove.len() as u64, "pack"))
            }
            _ => None,
        }
    }

    /// Reports it, if there is anything to report.
    pub(crate) fn say(&self, session: &mut Session, project: &Project) {
        match self {
            Self::Planned(plan) => {
                let packs = Packs {
                    n_removed: plan.remove.len() as u64,
                    n_rewritten: plan.rewrite.len() as u64,
                    freed_bytes: plan.freed_bytes(),
                };
                packs.say(session, ["would remove", "would rewrite", "rewrite", "frees"]);
                warn_of_left(session, &plan.left);
            }
            Self::Reclaimed(done) => {
                let packs = Packs {
                    n_removed: done.n_removed,
                    n_rewritten: done.n_rewritten,
                    freed_bytes: done.freed_bytes,
                };
                packs.say(session, ["removed", "rewrote", "rewrote", "freed"]);
                warn_of_left(session, &done.left);
                if done.is_read {
                    session.warn(
                        "another command reads a backup in the page store; the rest of its space \
                         is reclaimed by the next `cargo xtask db-prune`",
                    );
                }
            }
            Self::Refused(unreadable) => {
                let (path, why) = (project.path(&unreadable.path), text::plain(&unreadable.why));
                let noun = cut::noun(&unreadable.path);
                session.warn(format!("the {noun} `{path}` cannot be read: {why}"));
                let hint = if unreadable.is_newer {
                    "update xtask-db with `cargo update --package xtask-db`, then prune again"
                } else {
                    "restore a whole copy of it, or remove it if you no longer need it; then prune \
                     again"
                };
                session.note(format!("hint: nothing was reclaimed in the page store: {hint}"));
            }
        }
    }

    /// The document for `--json`.
    pub(crate) fn document(&self) -> Document {
        let (removed_packs, rewritten_packs, freed_bytes) = match self {
            Self::Planned(p) => (p.remove.len() as u64, p.rewrite.len() as u64, p.freed_bytes()),
            Self::Reclaimed(done) => (done.n_removed, done.n_rewritten, done.freed_bytes),
            Self::Refused(_) => (0, 0, 0),
        };
        let trouble = match self {
            Self::Reclaimed(done) if done.is_read => {
                Some("a backup in it is being read".to_owned())
            }
            Self::Refused(unreadable) => Some(unreadable.to_string()),
            _ => None,
        };
        Document { removed_packs, rewritten_packs, freed_bytes, trouble }
    }
}

/// What became of packs, or would.
struct Packs {
    n_removed: u64,
    n_rewritten: u64,
    freed_bytes: u64,
}

impl Packs {
    /// One line: `Page store: removed 2 packs and rewrote 1 pack, which freed 3.2 MB.` The verbs are
    /// those for packs that were removed, for others that were rewritten, for both, and for the bytes.
    fn say(&self, session: &mut Session, verbs: [&str; 4]) {
        let [removed, rewrote, and_rewrote, freed] = verbs;
        let packs = |n| text::count(n, "pack");
        let done = match (self.n_removed, self.n_rewritten) {
            (0, 0) => return,
            (0, n) => format!("{rewrote} {}", packs(n)),
            (n, 0) => format!("{removed} {}", packs(n)),
            (n, m) => format!("{removed} {} and {and_rewrote} {}", packs(n), packs(m)),
        };
        let size = text::size(self.freed_bytes);
        session.say(format!("Page store: {done}, which {freed} {size}."));
    }
}

fn warn_of_left(session: &mut Session, left: &[Left]) {
    for left in left {
        session.warn(format!("{left}; it was left as it is"));
    }
    if !left.is_empty() {
        session.note("hint: `cargo xtask db-verify --all` shows which backups need them");
    }
}

/// Reclaims the blocks that an automatic retention left unused; a failure is a warning.
///
/// # Errors
///
/// At the user's interrupt only.
pub(crate) fn reclaim_by_the_way(
    session: &mut Session,
    project: &Project,
    locked: &Locked<'_>,
) -> Result<()> {
    match reclaim(session, locked, Extent::ByTheWay) {
        Ok(Outcome::Refused(unreadable)) => {
            Outcome::Refused(unreadable).say(session, project);
        }
        // `db-prune` reports what is left for later.
        Ok(_) => {}
        Err(error) => {
            session.interrupt().check()?;
            session.warn(format!("{error:#}"));
        }
    }
    Ok(())
}
