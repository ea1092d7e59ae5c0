//! `db-prune` and the page store: what no checkpoint needs goes, what any needs stays.

use std::path::PathBuf;

use crate::support::museum::names;
use crate::support::sandbox::{Said, Sandbox, messages};

/// A checkpoint and the messages that it must give back.
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) messages: Vec<String>,
}

/// A workspace whose database has pages that nothing compresses, and checkpoints of it, oldest first,
/// each with a part of the rows changed.
pub(crate) fn checkpoints(n: usize) -> (Sandbox, Vec<Kept>) {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         INSERT INTO messages (content) SELECT hex(randomblob(1900)) FROM n;",
    );
    let kept = (0..n).map(|nth| checkpoint(&sandbox, nth)).collect();
    (sandbox, kept)
}

/// Changes a part of the rows and takes a checkpoint.
pub(crate) fn checkpoint(sandbox: &Sandbox, nth: usize) -> Kept {
    sandbox.sql(&format!(
        "UPDATE messages SET content = hex(randomblob(1900)) WHERE id % 5 = {}",
        nth % 5
    ));
    let document = sandbox.json(&["db-backup", "--kind", "scheduled"]);
    let name = document["backups"][0]["name"].as_str();
    let name = name.unwrap_or_else(|| panic!("no checkpoint: {document:#}")).to_owned();
    assert!(name.strip_suffix(".pages").is_some(), "{name} is not in the store");
    Kept { name, messages: messages(&sandbox.live()) }
}

/// The packs, in the order of their names.
pub(crate) fn packs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = sandbox.path("backups/packs");
    names(&folder).into_iter().map(|name| folder.join(name)).collect()
}

pub(crate) fn packs_bytes(sandbox: &Sandbox) -> u64 {
    packs(sandbox).iter().map(|path| fs_err::metadata(path).expect("a file").len()).sum()
}

/// A pack as a newer build might write it: the version is at both ends.
pub(crate) fn newer_pack(mut pack: Vec<u8>) -> Vec<u8> {
    let last = pack.len() - 2;
    (pack[14], pack[last]) = (3, 3);
    pack
}

/// A page list as a newer build might write it: its checksum is right.
fn newer_list(mut list: Vec<u8>) -> Vec<u8> {
    list[14] = 2;
    let n_body = list.len() - 32;
    let checksum = blake3::hash(&list[..n_body]);
    list[n_body..].copy_from_slice(checksum.as_bytes());
    list
}

/// Demands that checkpoints give back what they were taken of.
pub(crate) fn give_back(sandbox: &Sandbox, kept: &[Kept], what: &str) {
    for kept in kept {
        let into = sandbox.path("../restored.db");
        let _ = fs_err::remove_file(&into);
        let said = sandbox.run(&["db-restore", &kept.name, "--into", "../restored.db"]);
        assert_eq!(said.code, Some(0), "{}: {said:#?} after {what}", kept.name);
        assert!(messages(&into) == kept.messages, "{} is not what it was after {what}", kept.name);
    }
}

#[test]
fn every_checkpoint_that_stays_gives_back_what_it_was_taken_of() {
    let (sandbox, kept) = checkpoints(7);
    let before = packs_bytes(&sandbox);
    sandbox.ok(&["db-pin", &kept[2].name]);
    let said = sandbox.ok(&["db-prune", "--keep-last", "2", "--yes"]);
    assert!(said.out.contains("\nRemoved 4 backups and freed "), "{}", said.out);
    assert!(said.out.contains("\nPage store: re"), "{}", said.out);
    assert!(packs_bytes(&sandbox) < before * 9 / 10, "{} of {before}", packs_bytes(&sandbox));
    for kept in [&kept[2..3], &kept[5..]] {
        give_back(&sandbox, kept, "the pruning");
    }
    sandbox.ok(&["db-verify", "--all"]);
    let again = sandbox.ok(&["db-prune", "--keep-last", "9", "--yes"]);
    assert!(again.out.ends_with("Nothing to prune: all 3 backups are kept.\n"), "{}", again.out);
}

#[test]
fn a_dry_run_says_what_the_pruning_then_does() {
    let (sandbox, kept) = checkpoints(5);
    let before = (names(&sandbox.path("backups")), packs(&sandbox));
    let prune = ["db-prune", "--keep-last", "1"];
    let said = sandbox.ok(&[&prune[..], &["--dry-run"]].concat());
    assert_eq!((names(&sandbox.path("backups")), packs(&sandbox)), before);
    let planned = sandbox.json(&[&prune[..], &["--dry-run"]].concat());
    let bytes = packs_bytes(&sandbox);
    let done = sandbox.json(&[&prune[..], &["--yes"]].concat());
    let plain = |said: &Said| said.out.lines().last().expect("a line").to_owned();
    assert!(plain(&said).starts_with("Page store: would re"), "{}", said.out);
    assert_eq!(planned["backups"], done["backups"]);
    for key in ["removed_packs", "rewritten_packs"] {
        assert_eq!(planned["store"][key], done["store"][key], "{key}");
    }
    let freed = done["store"]["freed_bytes"].as_u64().expect("a number");
    assert_eq!(bytes - packs_bytes(&sandbox), freed);
    let freed_planned = planned["store"]["freed_bytes"].as_u64().expect("a number");
    assert!(freed.abs_diff(freed_planned) < 4096, "{freed_planned} planned, {freed} freed");
    give_back(&sandbox, &kept[4..], "the pruning");
}

#[test]
fn what_only_a_condemned_backup_names_is_what_it_frees() {
    let (sandbox, kept) = checkpoints(3);
    let document = sandbox.json(&["db-prune", "--keep-last", "1", "--dry-run"]);
    let rows = document["backups"].as_array().expect("rows");
    let freed = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).expect(name);
        row["freed_bytes"].as_u64().expect("a number")
    };
    assert_eq!(freed(&kept[2].name), 0);
    // The second changed a fifth of the first, and the third another fifth.
    let all = packs_bytes(&sandbox);
    for kept in &kept[..2] {
        let freed = freed(&kept.name);
        assert!((all / 14..all / 4).contains(&freed), "{freed} of {all}");
    }
}

#[test]
fn while_a_checkpoint_is_read_its_pages_stay_and_the_next_pruning_takes_them() {
    let (sandbox, kept) = checkpoints(4);
    let before = packs(&sandbox);
    let reader = fs_err::File::open(sandbox.path("backups/packs")).expect("folder");
    reader.file().lock_shared().expect("held");
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    insta::assert_snapshot!(said.err, @"warning: another command reads a backup in the page store; the rest of its space is reclaimed by the next `cargo xtask db-prune`");
    assert!(before.iter().all(|path| path.exists()), "a pack went while it was read");
    drop(reader);
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(
        said.out.contains("Nothing to prune: the only backup is kept.\nPage store: "),
        "{said:#?}"
    );
    assert_eq!(said.err, "");
    give_back(&sandbox, &kept[3..], "the second pruning");
}

#[test]
fn a_page_list_that_cannot_be_read_keeps_everything_and_is_named() {
    let (sandbox, kept) = checkpoints(3);
    let list = sandbox.backup_path(&kept[0].name);
    let mut bytes = fs_err::read(&list).expect("a list");
    bytes[40] ^= 1;
    fs_err::write(sandbox.path("backups/kept for Ann.pages"), bytes).expect("written");
    let before = packs(&sandbox);
    let said = sandbox.fails(1, &["db-prune", "--keep-last", "1", "--yes"]);
    insta::assert_snapshot!(said.err, @r"
    warning: the page list `backups/kept for Ann.pages` cannot be read: its checksum is wrong: it is damaged
    hint: nothing was reclaimed in the page store: restore a whole copy of it, or remove it if you no longer need it; then prune again
    ");
    assert_eq!(packs(&sandbox), before);
    let status = sandbox.fails(1, &["db-status"]);
    assert!(
        status.out.contains("1 page list cannot be read, e.g. `backups/kept for Ann.pages`"),
        "{}",
        status.out
    );
    fs_err::remove_file(sandbox.path("backups/kept for Ann.pages")).expect("removed");
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(said.out.contains("Page store: "), "{said:#?}");
    give_back(&sandbox, &kept[2..], "the pruning");
}

#[test]
fn a_page_list_and_a_pack_of_a_newer_version_are_left_alone() {
    let (sandbox, kept) = checkpoints(3);
    let list = fs_err::read(sandbox.backup_path(&kept[0].name)).expect("a list");
    fs_err::write(sandbox.path("backups/newer.pages"), newer_list(list)).expect("written");
    let said = sandbox.fails(1, &["db-prune", "--keep-last", "1", "--yes"]);
    assert!(
        said.err.contains("page list has version 2: update xtask-db to read it"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("`cargo update --package xtask-db`, then prune again"),
        "{}",
        said.err
    );
    fs_err::remove_file(sandbox.path("backups/newer.pages")).expect("removed");
    let pack = sandbox.path(&format!("backups/packs/{}.pack", "a".repeat(64)));
    let bytes = newer_pack(fs_err::read(&packs(&sandbox)[0]).expect("a pack"));
    fs_err::write(&pack, bytes).expect("written");
    sandbox.write("backups/packs/notes.txt", "mine");
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(said.err.contains("the pack `packs/aaaaaaaaaaaaaaaa…` has version 3: update xtask-db to read it; it was left as it is"), "{}", said.err);
    assert!(pack.exists() && sandbox.path("backups/packs/notes.txt").exists());
    give_back(&sandbox, &kept[2..], "the pruning");
}

#[test]
fn a_checkpoint_that_somebody_renamed_keeps_its_pages() {
    let (sandbox, kept) = checkpoints(3);
    let renamed = sandbox.path("backups/before the great change.pages");
    move_file(&sandbox.backup_path(&kept[0].name), &renamed);
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    move_file(&renamed, &sandbox.backup_path(&kept[0].name));
    let into = ["db-restore", &kept[0].name, "--into", "../renamed.db"];
    sandbox.ok(&into);
    assert!(messages(&sandbox.path("../renamed.db")) == kept[0].messages);
}

#[test]
fn the_size_never_takes_the_checkpoint_just_taken() {
    let (sandbox, _) = checkpoints(1);
    sandbox.configure("[workspace.metadata.db.keep]\nmax-size = \"1KB\"");
    for nth in 1..4 {
        let kept = checkpoint(&sandbox, nth);
        let stored: Vec<String> = names(&sandbox.path("backups"));
        assert_eq!(
            stored.iter().filter(|name| name.strip_suffix(".pages").is_some()).count(),
            1,
            "{stored:?}"
        );
        give_back(&sandbox, &[kept], "its own retention");
    }
}

#[test]
fn the_size_counts_shared_pages_once() {
    let (sandbox, kept) = checkpoints(4);
    let all = packs_bytes(&sandbox);
    // Four copies would be four times the first one.
    let size = (all + all / 10).to_string();
    let said = sandbox.ok(&["db-prune", "--max-size", &size, "--yes"]);
    assert!(said.out.contains("all 4 backups are kept"), "{}", said.out);
    let size = (all - all / 20).to_string();
    let said = sandbox.ok(&["db-prune", "--max-size", &size, "--yes"]);
    assert!(said.out.contains("Removed 1 backup and freed "), "{}", said.out);
    give_back(&sandbox, &kept[1..], "the pruning");
}

#[test]
fn the_retention_that_runs_by_itself_gives_the_space_back() {
    let (sandbox, _) = checkpoints(1);
    let one = packs_bytes(&sandbox);
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 2");
    let mut kept = Vec::new();
    for nth in 1..12 {
        kept.push(checkpoint(&sandbox, nth));
    }
    // What two checkpoints need is 1.2 times the first; at most a third more may be dead.
    let bytes = packs_bytes(&sandbox);
    assert!(bytes < one * 17 / 10, "{bytes}, and the first took {one}");
    give_back(&sandbox, &kept[9..], "eleven checkpoints");
}

#[test]
fn a_pruning_and_a_checkpoint_at_once_both_succeed() {
    let (sandbox, mut kept) = checkpoints(4);
    for nth in 4..8 {
        sandbox.sql(&format!("UPDATE messages SET content = 'number {nth}' WHERE id % 7 = 0"));
        let mut prune = sandbox.xtask(&["db-prune", "--keep-last", "2", "--yes"]);
        let mut backup = sandbox.xtask(&["db-backup", "--kind", "scheduled"]);
        let prune = prune.stdout(std::process::Stdio::null()).spawn().expect("runs");
        let backup = backup.output().expect("runs");
        let mut prune = crate::support::sandbox::Running(prune);
        assert!(prune.0.wait().expect("it ends").success());
        let said = sandbox.said(&backup);
        assert_eq!(said.code, Some(0), "{said:#?}");
        let newest =
            sandbox.json(&["db-list"])["backups"][0]["name"].as_str().expect("a name").to_owned();
        kept.push(Kept { name: newest, messages: messages(&sandbox.live()) });
    }
    give_back(&sandbox, &kept[kept.len() - 1..], "prunings");
    sandbox.ok(&["db-verify", "--all"]);
}

/// Renames, as a user would.
fn move_file(from: &std::path::Path, to: &std::path::Path) {
    fs_err::hard_link(from, to).expect("linked");
    fs_err::remove_file(from).expect("removed");
}
