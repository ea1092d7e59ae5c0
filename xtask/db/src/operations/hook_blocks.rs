//! The blocks in git's hooks: installed, updated and inspected, by whichever command.

use std::path::PathBuf;

use anyhow::Result;

use crate::console::refusal::Answer;
use crate::console::text;
use crate::git::repository::Place;
use crate::hooks::block::Settings;
use crate::hooks::folder::{self, Folder, Installed, Look};
use crate::hooks::hook::Hook;
use crate::hooks::seen_branch;
use crate::host::project::Project;
use crate::host::session::Session;

/// The settings for the hook blocks, which start this same program.
pub(crate) fn settings(session: &Session, project: &Project, place: &Place) -> Settings {
    let home = session.variable("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(session.variable("HOME")?).join(".cargo")));
    let own = session.variable("CARGO").map(PathBuf::from);
    let folders = [home.map(|home| home.join("bin")), own.and_then(|c| Some(c.parent()?.into()))];
    let cargo = folders.into_iter().flatten().find(|folder| folder.join("cargo").is_file());
    Settings::of(project, place, session.binary(), cargo)
}

/// Renews the blocks if the configuration is another by now: every command does.
pub(crate) fn refresh(session: &mut Session, project: &Project) {
    let Some(place) = &project.git else { return };
    let refreshed = folder::refresh(place, &project.root, || settings(session, project, place));
    match refreshed {
        Ok(true) => session.note("The git hooks now match the configuration"),
        Ok(false) => {}
        Err(error) => session.warn(format!("the git hooks could not be updated: {error:#}")),
    }
}

/// Inserts the blocks; answers no if a hook is left alone and has none.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn install(session: &mut Session, project: &Project, place: &Place) -> Result<Answer> {
    let folder = Folder::of(place, &project.root);
    let settings = settings(session, project, place);
    // If git keeps no reflog, the first switch is known by this alone.
    seen_branch::remember(place, place.branch().as_deref())?;
    let (mut n_new, mut alone) = (0, Vec::new());
    for hook in Hook::ALL {
        match folder.look(hook, &settings) {
            Look::Missing | Look::Stale if folder.foreign().is_none() => {
                folder.install(hook, &settings)?;
                n_new += 1;
            }
            Look::Installed => {}
            Look::Missing | Look::Stale => {
                alone.push((hook, "its block is outdated".to_owned()));
            }
            Look::NotExecutable => alone.push((hook, "it is not executable".to_owned())),
            Look::Foreign(why) => alone.push((hook, why)),
        }
    }
    let shown = project.dotted(folder.path());
    if n_new > 0 {
        let n = text::count(n_new, "git hook");
        session.say(format!("Installed {n} in {shown}"));
    } else if alone.is_empty() {
        session.say(format!("All {} git hooks are installed in {shown}", Hook::ALL.len()));
    }
    if settings.pathspecs.is_empty() {
        session.warn(
            "no database has `schema` patterns in `Cargo.toml`: commits create no checkpoint yet",
        );
    }
    if alone.is_empty() {
        return Ok(Answer::Yes);
    }
    for (hook, why) in &alone {
        session.warn(format!("{} is left alone: {why}", hook.word()));
    }
    session.note(
        "To add it there anyway: paste the output of `cargo xtask db-hooks print HOOK` into the \
         file that manages that hook, right after its first line",
    );
    Ok(Answer::No)
}

/// How many of the hooks are installed; `None` outside a repository.
pub(crate) fn installed(session: &Session, project: &Project) -> Option<Installed> {
    let place = project.git.as_ref()?;
    let folder = Folder::of(place, &project.root);
    Some(folder.installed(&settings(session, project, place)))
}
