//! Takes the configured snapshots before anything is gathered, and removes old ones.

use anyhow::{Context, Result};

use crate::backups::vault::Vault;
use crate::bundle::chain::{Base, Bundles, Why};
use crate::bundle::record;
use crate::bundle::snapshots::name::Name;
use crate::bundle::snapshots::programs::Programs;
use crate::bundle::snapshots::volume::{self, Volume};
use crate::commands::bundle::volumes::{self, Configured};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::retention::by_time::{self, Dated};

/// A snapshot that was just taken.
pub(super) struct Taken<'p> {
    /// Its volume.
    pub(super) configured: Configured<'p>,
    /// Its name.
    pub(super) name: Name,
    /// What its stream builds on.
    pub(super) base: Base,
}

/// Takes all configured snapshots, and then removes old ones as configured. `earlier` are the bundles in the same folder: the
/// snapshot that a stream builds on, now or next time, stays.
///
/// # Errors
///
/// If one cannot be taken, or at the user's interrupt. One that cannot be removed is a warning.
pub(super) fn take<'p>(
    session: &mut Session,
    project: &'p Project,
    earlier: Bundles<'_>,
) -> Result<Vec<Taken<'p>>> {
    let all = volumes::configured(project);
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let interrupt = session.interrupt().clone();
    if all.iter().any(|one| matches!(one.volume, Volume::Commands { .. })) {
        let vault = Vault::of(project, session.now());
        vault.lock(project.busy_timeout, &interrupt)?.keep_private()?;
    }
    let programs = volumes::programs(project, &interrupt);
    let failed = |error: anyhow::Error| stop(error, &interrupt);
    let mut listed = Vec::new();
    for one in &all {
        listed.push(one.volume.list(&programs).map_err(failed)?);
    }
    let name = Name::new(session.now().naive_local(), &listed.concat());
    let volumes: Vec<_> = all.iter().map(|one| &one.volume).collect();
    if let Err(error) = volume::take_all(&volumes, name, &programs) {
        take_back(session, &all, name, &programs);
        return Err(failed(error));
    }
    let mut taken = Vec::new();
    for (configured, before) in all.into_iter().zip(listed) {
        session.note(format!("Took snapshot {name} of {}", configured.words()));
        let base = base(&configured, &before, earlier);
        let one = Taken { configured, name, base };
        retain(session, &one, before, &programs)?;
        taken.push(one);
    }
    Ok(taken)
}

/// What the stream of a snapshot builds on; `there` are the earlier ones.
fn base(one: &Configured<'_>, there: &[Name], earlier: Bundles<'_>) -> Base {
    if !one.volume.can_build_on_another() {
        return Base::Nothing(Why::Always);
    }
    let volume = record::volume(one.volume.sender(), &one.volume.place());
    earlier.base(&volume, there, one.snapshots.full_every)
}

/// Removes the snapshots that were taken before one failed: nothing else would, if the next run fails too.
fn take_back(session: &mut Session, all: &[Configured<'_>], name: Name, programs: &Programs<'_>) {
    for one in all {
        let removed = one.volume.list(programs).and_then(|names| {
            if names.contains(&name) { one.volume.remove(name, programs) } else { Ok(()) }
        });
        if let Err(error) = removed {
            session.warn(format!("snapshot {name} of {} may be left: {error:#}", one.words()));
        }
    }
}

/// The way on after a snapshot failed.
fn stop(error: anyhow::Error, interrupt: &Interrupt) -> anyhow::Error {
    if interrupt.check().is_err() {
        return error;
    }
    let hint = match error.downcast_ref::<Refusal>() {
        Some(refusal) => format!("{}, or pass `--no-snapshot`", refusal.hint),
        None => "correct what it complains about, or pass `--no-snapshot`".to_owned(),
    };
    let what = "a snapshot could not be taken, and no bundle was written".to_owned();
    error.context(Refusal { what, hint, exit: Exit::CouldNot })
}

/// Removes the old snapshots of a volume; `before` are those that were there before.
fn retain(
    session: &mut Session,
    taken: &Taken<'_>,
    before: Vec<Name>,
    programs: &Programs<'_>,
) -> Result<()> {
    let Taken { configured: one, name: new, base } = taken;
    if one.snapshots.keep.is_empty() {
        return Ok(());
    }
    let mut newest_first = [vec![*new], before].concat();
    newest_first.sort_by(|a, b| b.cmp(a));
    let guarded = |name: &Name| match base {
        _ if name == new => Some("taken just now"),
        Base::On(parent) if parent.snapshot == name.to_string() => {
            Some("the next stream builds on it")
        }
        Base::On(_) | Base::Nothing(_) => None,
    };
    let dated = |name: &Name| Dated {
        name: name.to_string(),
        time: name.time,
        size_bytes: 0,
        is_good: true,
        guarded: guarded(name),
    };
    let all: Vec<_> = newest_first.iter().map(dated).collect();
    for (name, why) in by_time::doomed(&by_time::plan(&all, &one.snapshots.keep, session.now())?) {
        programs.interrupt.check()?;
        let snapshot = Name::parse(&name).context("a snapshot has another name")?;
        match one.volume.remove(snapshot, programs) {
            Ok(()) => session.note(format!("Removed snapshot {name} of {}: {why}", one.words())),
            Err(error) => {
                programs.interrupt.check()?;
                session.warn(format!("snapshot {name} of {} stays: {error:#}", one.words()));
                if let Some(note) = one.volume.note(snapshot) {
                    session.note(format!("If it is gone, remove {}", text::shell(&note)));
                }
            }
        }
    }
    Ok(())
}
