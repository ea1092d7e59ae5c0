//! Where backups go: a folder of ours is kept private, any other one is left as it was.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::museum::names;
use crate::support::sandbox::{Said, Sandbox};

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn make(path: &Path, mode: u32) {
    fs_err::create_dir_all(path).expect("folder");
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

/// Runs a command with its backups in a folder.
fn into(sandbox: &Sandbox, folder: &Path, arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    let output = command.env("DATABASE_BACKUP_DIR", folder).output();
    sandbox.said(&output.expect("the binary runs"))
}

fn backup_into(sandbox: &Sandbox, folder: &Path) -> Said {
    let said = into(sandbox, folder, &["db-backup"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    said
}

/// What is in a folder, but backups, records and our lock.
fn others(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).expect("folder");
    let names = entries.map(|entry| entry.expect("entry").file_name().into_string());
    let mut names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
    names.retain(|name| !name.starts_with("kalito.db.") && !name.starts_with(".lock"));
    names.sort();
    names
}

#[test]
fn a_folder_outside_that_was_there_before_keeps_its_mode_and_its_content() {
    for (name, content) in [("empty", None), ("full", Some("notes.txt"))] {
        let sandbox = Sandbox::new();
        let folder = sandbox.path(&format!("../{name}"));
        make(&folder, 0o755);
        let mut expected = Vec::new();
        if let Some(file) = content {
            fs_err::write(folder.join(file), "theirs").expect("written");
            expected.push(file.to_owned());
        }
        let said = backup_into(&sandbox, &folder);
        assert_eq!(mode(&folder), 0o755, "{name}");
        assert_eq!(others(&folder), expected, "{name}");
        assert!(said.err.contains("other users can enter the backups folder"), "{said:#?}");
        assert!(said.err.contains("chmod go= "), "{said:#?}");
        // Health is not asked to close what belongs to others, and reports what it saw.
        let said = into(&sandbox, &folder, &["db-status"]);
        assert!(!said.out.contains("chmod -R"), "{said:#?}");
        assert!(said.out.contains("Worth knowing: other users can enter the backups"), "{said:#?}");
        make(&folder, 0o700);
        assert_eq!(backup_into(&sandbox, &folder).err, "");
        assert_eq!(mode(&folder), 0o700);
    }
}

#[test]
fn a_folder_that_we_make_is_private_and_stays_what_somebody_makes_of_it_outside() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("../made");
    backup_into(&sandbox, &folder);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(others(&folder), [".gitignore"]);
    make(&folder, 0o755);
    let said = backup_into(&sandbox, &folder);
    assert_eq!(mode(&folder), 0o755, "a colleague may have reasons");
    assert!(said.err.contains("other users can enter"), "{said:#?}");
}

#[test]
fn the_folder_inside_the_workspace_is_ours_while_nothing_else_is_in_it() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("backups");
    make(&folder, 0o755);
    assert_eq!(backup_into(&sandbox, &folder).err, "");
    assert_eq!((mode(&folder), others(&folder)), (0o700, vec![".gitignore".to_owned()]));
    // Every kind of file that commands leave there: pages, packs, safety backups, what is set aside.
    sandbox.ok(&["db-backup", "--format", "pages"]);
    sandbox.sql("PRAGMA journal_mode=DELETE");
    sandbox.write("backend/db/kalito.db", "no database any more");
    sandbox.ok(&["db-restore", "latest", "--yes", "--force"]);
    make(&folder, 0o755);
    sandbox.ok(&["db-backup"]);
    assert_eq!(mode(&folder), 0o700, "{:?}", others(&folder));
    sandbox.write("backups/notes.txt", "of a colleague");
    make(&folder, 0o755);
    let said = sandbox.ok(&["db-backup"]);
    assert_eq!(mode(&folder), 0o755);
    assert!(said.err.contains("other users can enter the backups folder ./backups"), "{said:#?}");
}

#[test]
fn inside_a_repository_the_first_backup_waits_until_git_ignores_the_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("my data/[x]/readme.txt", "theirs");
    sandbox.git_init();
    let folder = sandbox.path("my data/[x]");
    make(&folder, 0o755);
    for arguments in [&["db-backup"][..], &["db-setup"]] {
        let said = into(&sandbox, &folder, arguments);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains("git does not ignore `my data/[x]`"), "{said:#?}");
        assert!(said.err.contains("add the line `/my data/\\[x]/` to `.gitignore`"), "{said:#?}");
        assert_eq!(others(&folder), ["readme.txt"]);
        assert!(!folder.join(".lock").exists(), "nothing was written there");
    }
    let ignore = fs_err::read_to_string(sandbox.path(".gitignore")).expect("a file");
    sandbox.write(".gitignore", format!("{ignore}/my data/\\[x]/\n"));
    backup_into(&sandbox, &folder);
    assert_eq!((mode(&folder), others(&folder)), (0o755, vec!["readme.txt".to_owned()]));
    let status = sandbox.git(&["status", "--porcelain", "--untracked-files=all"]);
    assert!(!status.contains(".bak"), "{status}");
}

#[test]
fn a_gitignore_of_its_own_that_leaves_backups_to_git_is_not_enough() {
    let sandbox = Sandbox::new();
    sandbox.write("backups/.gitignore", "*.bak\n");
    sandbox.git_init();
    let said = sandbox.fails(2, &["db-backup"]);
    assert!(said.err.contains("add the line `/backups/` to `.gitignore`"), "{said:#?}");
    sandbox.write("backups/.gitignore", "# keep\n*\n!.gitignore\n");
    sandbox.ok(&["db-backup"]);
    // Who has backups there already is not stopped.
    sandbox.write("backups/.gitignore", "*.bak\n");
    sandbox.ok(&["db-backup"]);
}

#[test]
fn the_root_and_the_database_s_own_folder_are_refused_and_stay_untouched() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let own = sandbox.path("backend/db");
    make(&own, 0o755);
    std::os::unix::fs::symlink(&own, sandbox.path("alias")).expect("a link");
    let before = others(&own);
    for folder in [own.clone(), sandbox.path("backend/db/."), sandbox.path("alias")] {
        let said = into(&sandbox, &folder, &["db-backup"]);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains("is the folder of the database itself"), "{said:#?}");
    }
    assert_eq!((mode(&own), others(&own)), (0o755, before));
    for root in ["/", "//", "/../"] {
        let said = into(&sandbox, Path::new(root), &["db-backup"]);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains("is the root of the file system"), "{said:#?}");
        assert!(!Path::new("/.lock").exists());
    }
    // The backups that are there already can still be restored.
    let name = sandbox.backups().remove(0);
    fs_err::copy(sandbox.backup_path(&name), own.join(&name)).expect("copied");
    sandbox.sql("DELETE FROM messages");
    sandbox.ok(&["db-restore", &format!("backend/db/{name}"), "--yes", "--db", "kalito"]);
    assert_eq!(crate::support::sandbox::messages(&sandbox.live()).len(), 3);
}

#[test]
fn a_symbolic_link_to_a_folder_outside_is_a_folder_outside() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    let elsewhere = sandbox.path("../elsewhere");
    make(&elsewhere, 0o750);
    std::os::unix::fs::symlink(&elsewhere, sandbox.path("backups")).expect("a link");
    sandbox.ok(&["db-backup"]);
    assert_eq!((mode(&elsewhere), others(&elsewhere)), (0o750, Vec::new()));
    // And what is there names its home, because others may use it too.
    assert!(sandbox.json(&["db-list"])["backups"][0]["home"]["path"].is_string());
}

#[test]
fn the_workspace_itself_as_backups_folder_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    let before = mode(&sandbox.root());
    let said = into(&sandbox, Path::new("."), &["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("to a folder that is used for nothing else"), "{said:#?}");
    assert_eq!(mode(&sandbox.root()), before);
    let ignore = fs_err::read_to_string(sandbox.path(".gitignore")).expect("a file");
    assert_eq!(ignore, "*.db*\n");
}

/// The kinds of things in the backups folder.
fn kinds(sandbox: &Sandbox) -> Vec<String> {
    let kind = |name: &String| {
        let ending = [".ASIDE.", ".bak.json", ".pages.json", ".bak", ".pages"];
        let known = ending.iter().find(|ending| name.contains(**ending));
        known.map_or_else(|| name.clone(), |ending| (*ending).to_owned())
    };
    let mut kinds: Vec<String> = names(&sandbox.path("backups")).iter().map(kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
fn what_the_commands_make_in_the_folder_never_makes_it_somebody_else_s() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("backups");
    let mut seen = std::collections::BTreeSet::new();
    let still_ours = |arguments: &[&str]| {
        if folder.exists() {
            let opened = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(&folder, opened).expect("permissions");
        }
        sandbox.ok(arguments);
        sandbox.ok(&["db-backup"]);
        assert_eq!(mode(&folder), 0o700, "{arguments:?}: {:?}", names(&folder));
    };
    let branch = ["db-backup", "--kind", "branch"];
    still_ours(&branch);
    still_ours(&["db-verify", "--all"]);
    // Damaged: its raw files are set aside.
    let live = fs_err::read(sandbox.live()).expect("read");
    fs_err::write(sandbox.live(), &live[..live.len() / 2]).expect("written");
    still_ours(&["db-restore", "latest", "--yes"]);
    // Missing: noted while it is under way.
    fs_err::remove_file(sandbox.live()).expect("removed");
    still_ours(&["db-restore", "latest", "--yes"]);
    still_ours(&["db-label", "latest", "a label"]);
    still_ours(&["db-pin", "latest"]);
    still_ours(&["db-prune", "--keep-last", "2", "--yes"]);
    seen.extend(kinds(&sandbox));
    // What a killed one leaves goes with the next.
    let stage = ".kalito.db.2025-09-13_142530.bak.stage-4194304-0123456789abcdef";
    for left in [stage, &format!("{stage}-journal")] {
        sandbox.write(&format!("backups/{left}"), "left");
    }
    still_ours(&branch);
    let all =
        [".ASIDE.", ".bak", ".bak.json", ".gitignore", ".lock", ".readings", "packs", "under-way"];
    assert!(all.iter().all(|kind| seen.contains(*kind)), "not all were made: {seen:?}");
}
