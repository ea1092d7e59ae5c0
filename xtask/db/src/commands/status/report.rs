//! The output of `db-status`: a few lines per database, a few for the folder, then what to do.

use crate::backups::kind::Kind;
use crate::console::text;
use crate::health::INSTALL_HOOKS;
use crate::health::backups_folder::Folder;
use crate::health::checkup::Checkup;
use crate::health::glance::Sight;
use crate::health::page_store::Store;
use crate::health::problem::Problem;
use crate::hooks::folder::Installed;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::status_lines::{say_fact, say_problem};

pub(super) fn n_safety(checkup: &Checkup<'_>) -> usize {
    checkup.backups.iter().copied().filter(|backup| backup.kind() == Some(Kind::Safety)).count()
}

pub(super) fn say_database(session: &mut Session, checkup: &Checkup<'_>) {
    let name = text::plain(&checkup.database.name);
    session.say(format!("{name}: {}", checkup.project.place(checkup.database)));
    say_fact(session, "database", &live(checkup));
    match checkup.last() {
        Some(last) => {
            say_fact(session, "last backup", &last.name.to_string());
            let age = text::age(last.age(checkup.now));
            let kind = last.kind().map_or("no record", Kind::word);
            let (size, state) = (text::size(last.size_bytes), last.state());
            say_fact(session, "", &format!("{age} old, {kind}, {state}, {size}"));
        }
        None => say_fact(session, "last backup", "none"),
    }
    say_fact(session, "backups", &backups(checkup));
}

fn live(checkup: &Checkup<'_>) -> String {
    let live = &checkup.live;
    let mut parts = vec![text::size(live.size_bytes)];
    parts.extend(live.wal.map(|wal| match (wal, live.wal_bytes) {
        (true, 0) => "WAL".to_owned(),
        (true, bytes) => format!("WAL ({} in it)", text::size(bytes)),
        (false, _) => "rollback journal".to_owned(),
    }));
    match &live.sight {
        Sight::Missing => return "missing".to_owned(),
        Sight::Empty => return "an empty file".to_owned(),
        Sight::Foreign(what) => return what.clone(),
        Sight::Folder => return "a folder".to_owned(),
        Sight::Other(engine) => return engine.what.to_owned(),
        Sight::MayBeEncrypted => parts.push("may be encrypted".to_owned()),
        Sight::Forbidden(_) => parts.push("cannot be read".to_owned()),
        Sight::Damaged(_) => parts.push("damaged".to_owned()),
        Sight::Server(version) => parts.push(format!("PostgreSQL {version}")),
        Sight::Unreached { .. } => return "cannot be read now".to_owned(),
        Sight::Busy(why) => parts.push(format!("schema unknown: {why}")),
        Sight::Schema { .. } => parts.extend(schema(checkup)),
    }
    parts.join(", ")
}

fn schema(checkup: &Checkup<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    let version = checkup.version();
    parts.extend(version.map(|version| format!("schema version {version}")));
    // The code of another branch; nothing to be done about it here.
    if let (Some(version), Some(newest)) = (version, checkup.newest_migration())
        && version > newest
    {
        parts.push(format!("newer than the code's {newest}"));
    }
    if checkup.has_drifted() == Some(false) {
        parts.push("schema as backed up".to_owned());
    }
    parts
}

fn backups(checkup: &Checkup<'_>) -> String {
    let words = ["verified", "unread", "unverified", "unrecorded", "damaged"];
    let counted = words.map(|word| (checkup.n_in(word), word));
    let mut parts: Vec<String> =
        counted.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let n_safety = n_safety(checkup);
    if n_safety > 0 {
        parts.push(format!("{n_safety} of them safety"));
    }
    match checkup.backups.len() {
        0 => "none".to_owned(),
        n => format!("{n}: {}", parts.join(", ")),
    }
}

pub(super) fn say_folder(session: &mut Session, project: &Project, folder: &Folder) {
    session.say(format!("backups folder: {}", project.dotted(&project.backups)));
    let free = folder.free_bytes.map_or("an unknown size".to_owned(), text::size);
    say_fact(session, "space", &format!("{} used, {free} free", text::size(folder.used_bytes)));
    if let Some(store) = &folder.store {
        say_store(session, store);
    }
    let retention = match project.keep.words() {
        words if words.is_empty() => "none configured: all backups are kept".to_owned(),
        words => words,
    };
    say_fact(session, "retention", &retention);
    for (path, size_bytes) in &folder.set_aside {
        let (path, size) = (project.dotted(path), text::size(*size_bytes));
        say_fact(
            session,
            "set aside",
            &format!("{path}, {size}; remove it when you no longer need it"),
        );
    }
    if let Some(holder) = &folder.holder {
        let who = format!("locked right now by `{}` (process {})", holder.name, holder.pid);
        say_fact(session, "lock", &who);
    }
}

fn say_store(session: &mut Session, store: &Store) {
    let backups = text::count(store.n_backups, "backup");
    let (packs, size) = (text::count(store.n_packs, "pack"), text::size(store.packs_bytes));
    let logical = text::size(store.logical_bytes);
    say_fact(session, "page store", &format!("{backups} of {logical} in {packs} of {size}"));
    if let (Some(dedupe), Some(compression)) = (store.dedupe_ratio(), store.compression_ratio())
        && store.n_backups > 0
    {
        let fact = format!("shared {dedupe:.1} times, compressed {compression:.1} times");
        say_fact(session, "", &fact);
    }
}

pub(super) fn say_hooks(session: &mut Session, installed: Option<Installed>) {
    let fact = match installed {
        Some(Installed::All) => "installed".to_owned(),
        Some(Installed::Partly) => format!("not all installed; `{INSTALL_HOOKS}` adds the rest"),
        Some(Installed::Nothing) => format!("not installed; `{INSTALL_HOOKS}` adds them"),
        None => return,
    };
    session.say(format!("git hooks: {fact}"));
}

/// Reports what needs attention; with `--quiet` as warnings, so that cron mails nothing else.
pub(super) fn say_problems(session: &mut Session, problems: &[Problem]) {
    session.say("");
    if problems.is_empty() {
        session.say("All is well.");
        return;
    }
    let (n, verb) = (problems.len() as u64, if problems.len() == 1 { "needs" } else { "need" });
    session.say(format!("{} {verb} attention:", text::count(n, "thing")));
    for problem in problems {
        say_problem(session, problem);
    }
}

/// Reports what is worth knowing but no reason for exit code 1.
pub(super) fn say_remarks(session: &mut Session, remarks: &[Problem]) {
    for remark in remarks {
        session.say_folded(&format!("Worth knowing: {}", remark.what), 2);
        session.say(format!("    {}", remark.remedy));
    }
}
