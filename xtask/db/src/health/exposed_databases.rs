//! Databases that git would commit, with everything that their users wrote.

use crate::console::text;
use crate::git::repository::Exposure;
use crate::health::problem::Problem;
use crate::host::project::{Database, Project};

/// Remarks on the project's databases.
pub(super) fn remarks(project: &Project) -> Vec<Problem> {
    project.databases.iter().filter_map(|database| exposed(project, database)).collect()
}

/// The command that adds a database and what SQLite writes beside it to the root's `.gitignore`; the
/// last line there may have no end. `None` outside of the root, and if git would read the path as
/// something else.
fn ignoring(path: &str) -> Option<String> {
    let is_plain = !path.starts_with(['/', '.']) && !path.contains(['*', '?', '[', '\\', ' ']);
    let pattern = text::shell(&format!("/{path}*"));
    is_plain.then(|| format!("printf '\\n%s\\n' {pattern} >> .gitignore"))
}

fn exposed(project: &Project, database: &Database) -> Option<Problem> {
    let place = project.git.as_ref().filter(|_| !database.tracked)?;
    if database.home().is_dir() {
        // Not a database: `path` is wrong, which is reported.
        return None;
    }
    let path = text::shell(&project.dotted_place(database));
    let shown = project.quoted_place(database);
    let meant = format!(
        "or, if it is intended, set `tracked = true` in {} in Cargo.toml",
        database.header()
    );
    let problem = match place.exposes(database.file_if_any()?)? {
        Exposure::Tracked => Problem::new(
            "tracked-database",
            format!(
                "git tracks {shown}: each commit has a copy of it, and switching branches replaces it \
                 while applications use it"
            ),
            format!("git rm --cached {path}   # then add a line to .gitignore, {meant}"),
        ),
        Exposure::NotIgnored => Problem::new(
            "unignored-database",
            format!("git does not ignore {shown}: `git add --all` would commit it"),
            match ignoring(&project.plain_place(database)) {
                Some(command) => format!("{command}   # {meant}"),
                None => format!("add a line to .gitignore, {meant}"),
            },
        ),
    };
    Some(problem.of(database))
}
