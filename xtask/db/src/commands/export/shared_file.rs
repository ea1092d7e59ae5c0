//! The file in which this machine shares its rows: its name, the folder that git tracks, and who
//! gets it from there.
//!
//! The name consists of the user and six digits of the machine. No two machines write the same
//! file, so no rows are lost when git merges. The file contains nothing else about either.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::commands::export::destination::{Destination, Target};
use crate::commands::export::output::{How, Written};
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::files::publish;
use crate::git::repository;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::host::session::machine_id::{self, Machine};

/// The file in which this machine shares its rows.
pub(super) struct Share {
    /// Its file.
    path: PathBuf,
}

impl Share {
    /// Finds out which file is this machine's, and creates the folder if it is missing.
    ///
    /// # Errors
    ///
    /// A refusal if it is unknown which machine this is, or the folder is not a place for it.
    pub(super) fn prepare(
        session: &mut Session,
        project: &Project,
        database: &Database,
        folder: &Path,
    ) -> Result<Self> {
        let machine = machine(session, project)?;
        let login = ["USER", "LOGNAME"].iter().find_map(|name| session.text_variable(name));
        let name = format!("{}_{}.jsonl", machine_id::user(login.as_deref()), machine.0);
        let mut folder = session.folder().join(folder);
        if project.databases.len() > 1 {
            folder.push(folder_name(&database.name));
        }
        if !folder.is_dir() {
            create(session, project, &folder)?;
        }
        let path = fs_err::canonicalize(folder)?.join(name);
        warn_of_others(session, project, &machine, &path);
        Ok(Self { path })
    }

    /// The destination of the rows; an earlier file with the same content stays.
    ///
    /// # Errors
    ///
    /// A refusal if something else has the file's name.
    pub(super) fn destination(&self, session: &Session, project: &Project) -> Result<Destination> {
        let target = Target {
            output: Some(&self.path),
            default_name: String::new(),
            is_folder: false,
            is_marked: true,
        };
        Ok(Destination::of(session, project, &target)?.renewing())
    }

    /// After a failure: nobody is to take the earlier file for the new one.
    pub(super) fn say_what_is_left(&self, session: &mut Session, project: &Project) {
        if self.path.exists() {
            let path = project.path(&self.path);
            session.warn(format!("`{path}` is unchanged: it is what was shared before"));
        }
    }

    /// Reports how others get it, and warns if they do not.
    pub(super) fn say_who_gets_it(
        &self,
        session: &mut Session,
        project: &Project,
        written: &Written,
    ) {
        let path = project.path(&self.path);
        let folder = self.path.parent().unwrap_or(&self.path);
        match repository::Place::of(folder) {
            None => session
                .warn(format!("`{path}` is not in a git repository: nobody else will get it")),
            Some(place) if place.is_ignored(&self.path) => session.warn(format!(
                "git ignores `{path}`: nobody else will get it; `git check-ignore --verbose {}` \
                 shows why",
                text::shell(&path)
            )),
            Some(_) if written.how == How::New => session.say(format!(
                "Commit it, and others can merge it: cargo xtask db-import --merge {}",
                text::shell(&project.path(folder))
            )),
            Some(_) => {}
        }
    }
}

/// A file of this machine under another user's name grows old, and its rows are merged for ever.
fn warn_of_others(session: &mut Session, project: &Project, machine: &Machine, path: &Path) {
    let entries = path.parent().and_then(|folder| fs_err::read_dir(folder).ok());
    let others = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    for other in others.filter(|other| other != path && machine.shares(other)) {
        let (other, path) = (project.path(&other), project.path(path));
        session.warn(format!(
            "`{other}` is also from this machine, under another user's name; if it is older than \
             `{path}`, remove it: `git rm {}`",
            text::shell(&other)
        ));
    }
}

/// Identifies this machine: by the environment, else by the user's state folder.
fn machine(session: &Session, project: &Project) -> Result<Machine> {
    let way = format!(
        "set {} to six hexadecimal digits that no other machine uses",
        machine_id::VARIABLE
    );
    if let Some(said) = session.text_variable(machine_id::VARIABLE).filter(|said| !said.is_empty())
    {
        return Machine::parse(&said).ok_or_else(|| {
            Refusal::could_not(
                format!(
                    "`{}` is `{}`, which is not the number of a machine",
                    machine_id::VARIABLE,
                    text::plain(&said)
                ),
                "use six digits from 0 to 9 and a to f, or unset it",
            )
        });
    }
    let Some(place) = machine_id::place(session) else {
        return Err(Refusal::could_not(
            "this machine has no number yet, and there is no home folder to keep one in",
            way,
        ));
    };
    let top = project.git.as_ref().map_or(&project.root, |git| &git.top);
    let really = followed(&place);
    if [top, &project.root].iter().any(|folder| really.starts_with(followed(folder))) {
        return Err(Refusal::could_not(
            format!(
                "`{}` is inside the project: everybody would have the same number",
                project.path(&place)
            ),
            way,
        ));
    }
    Machine::of(&place)
}

/// A path without symbolic links and `..`, as far as it exists.
fn followed(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, fs_err::canonicalize(above).ok()?)));
    match found {
        Some((above, real)) => {
            path.strip_prefix(above).map_or(real.clone(), |rest| real.join(rest))
        }
        None => path.to_owned(),
    }
}

/// Creates the folder if it is inside the project; elsewhere the user has to create it.
fn create(session: &mut Session, project: &Project, folder: &Path) -> Result<()> {
    let shown = project.path(folder);
    let climbs = folder.components().any(|part| part == std::path::Component::ParentDir);
    if climbs || !folder.starts_with(&project.root) || fs_err::symlink_metadata(folder).is_ok() {
        return Err(Refusal::could_not(
            format!("there is no folder `{shown}`"),
            "create it in a git work tree that you share with others, or choose another",
        ));
    }
    publish::create_folders(folder)?;
    session.note(format!("Created the folder `{shown}`"));
    Ok(())
}

/// A database's name as one of a folder.
fn folder_name(name: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(letter).collect();
    if name.starts_with('.') { format!("-{name}") } else { name }
}
