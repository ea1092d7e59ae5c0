//! Puts an extracted file or folder in its place, and back: whenever the program ends, what is in the place is the old or the
//! new one, and the other is kept.
//!
//! Two names are exchanged in one step, if the file system can do that. Otherwise the place is empty for a moment, which a
//! resumed restore mends. What happened is known from the inodes, never from the order of events.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle::journal::{Identity, Step};
use crate::files::publish;

/// Puts the new one in its place. It may be repeated after any interruption.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn forward(step: &Step) -> Result<()> {
    let Step { place, new, old, staged, .. } = step;
    if Identity::at(place) != *staged {
        if Identity::at(place).is_some() {
            exchange(new, place, old)?;
        } else {
            create_parent(place)?;
            publish::move_to(new, place)?;
        }
    }
    // The old one was exchanged with the new one.
    if Identity::at(new).is_some() {
        publish::move_to(new, old)?;
    }
    sync(&[place, new, old])
}

/// Puts the old one in its place again. It may be repeated after any interruption.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn back(step: &Step) -> Result<()> {
    let Step { place, new, old, original, created, .. } = step;
    if let Some(original) = original {
        // An exchange that was cut short left the old one under the name of the new one.
        if Identity::at(new) == Some(*original) {
            publish::move_to(new, old)?;
        }
        if Identity::at(place) != Some(*original) {
            if Identity::at(place).is_some() {
                exchange(old, place, new)?;
            } else {
                publish::move_to(old, place)?;
            }
        }
        if Identity::at(old).is_some() {
            publish::move_to(old, new)?;
        }
    } else {
        if Identity::at(place).is_some() && Identity::at(new).is_none() {
            publish::move_to(place, new)?;
        }
        // A folder that somebody has used since stays.
        let created: Vec<_> = created.iter().rev().cloned().collect();
        publish::remove_empty_folders(&created);
    }
    sync(&[place, new, old])
}

/// The folders that are missing above a place, the outermost first.
#[must_use]
pub(crate) fn missing_parents(place: &Path) -> Vec<PathBuf> {
    let missing = place.ancestors().skip(1).take_while(|folder| !folder.exists());
    let mut missing: Vec<_> = missing.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn create_parent(place: &Path) -> Result<()> {
    let parent = place.parent().context("the place of an item has no folder")?;
    if parent.is_dir() { Ok(()) } else { publish::create_folders(parent).map(drop) }
}

/// Exchanges what is at two paths. If that takes two steps, what is in the place goes aside first.
fn exchange(from: &Path, place: &Path, aside: &Path) -> Result<()> {
    if publish::exchange(from, place)? {
        return Ok(());
    }
    publish::move_to(place, aside)?;
    publish::move_to(from, place)
}

fn sync(paths: &[&PathBuf]) -> Result<()> {
    for folder in paths.iter().filter_map(|path| path.parent()).filter(|folder| folder.is_dir()) {
        publish::sync_folder(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::journal::State;
    use crate::bundle::manifest::Kind;

    fn step(folder: &Path) -> Step {
        Step {
            name: "env".to_owned(),
            kind: Kind::File,
            state: State::Waiting,
            place: folder.join("deep/place"),
            new: folder.join("new"),
            old: folder.join("old"),
            staged: None,
            original: None,
            created: Vec::new(),
            backup: None,
            safety: None,
            sequence_before: None,
            existed: None,
            stream: None,
        }
    }

    fn text(path: &Path) -> String {
        fs_err::read_to_string(path).unwrap_or_default()
    }

    fn world(has_old: bool) -> (tempfile::TempDir, Step) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut step = step(folder.path());
        fs_err::write(&step.new, "new").expect("written");
        if has_old {
            fs_err::create_dir(folder.path().join("deep")).expect("a folder");
            fs_err::write(&step.place, "old").expect("written");
        }
        step.staged = Identity::at(&step.new);
        step.original = Identity::at(&step.place);
        step.created = missing_parents(&step.place);
        (folder, step)
    }

    #[test]
    fn there_and_back_again_and_each_twice() {
        for has_old in [true, false] {
            let (folder, step) = world(has_old);
            let kept = if has_old { "old" } else { "" };
            for _ in 0..2 {
                forward(&step).expect("switched");
                assert_eq!((text(&step.place), text(&step.old)), ("new".into(), kept.into()));
            }
            for _ in 0..2 {
                back(&step).expect("back");
                assert_eq!((text(&step.place), text(&step.new)), (kept.into(), "new".into()));
            }
            assert_eq!(folder.path().join("deep").exists(), has_old);
        }
    }

    /// Each state that an interruption can leave.
    #[test]
    fn a_switch_that_was_cut_short_goes_on_or_back() {
        let exchanged =
            |step: &Step| exchange(&step.new, &step.place, &step.old).expect("exchanged");
        let aside = |step: &Step| publish::move_to(&step.place, &step.old).expect("renamed");
        let cuts: [&dyn Fn(&Step); 3] = [&|_| {}, &exchanged, &aside];
        for cut in cuts {
            let (_folder, step) = world(true);
            cut(&step);
            forward(&step).expect("switched");
            assert_eq!((text(&step.place), text(&step.old)), ("new".into(), "old".into()));
            let (_folder, step) = world(true);
            cut(&step);
            back(&step).expect("back");
            assert_eq!((text(&step.place), text(&step.new)), ("old".into(), "new".into()));
        }
    }

    #[test]
    fn what_was_changed_since_is_kept_when_it_is_undone() {
        let (_folder, step) = world(true);
        forward(&step).expect("switched");
        fs_err::remove_file(&step.place).expect("removed");
        fs_err::write(&step.place, "changed").expect("written");
        back(&step).expect("back");
        assert_eq!((text(&step.place), text(&step.new)), ("old".into(), "changed".into()));
    }
}
