//! A backups folder with things in it that are not what their names say: refused in words, never waited
//! for, never followed.

use std::os::unix::fs::FileExt as _;

use crate::store::prune::{checkpoints, packs};
use crate::support::sandbox::{Said, Sandbox};

/// Creates a named pipe; `false`, with a note, if that is not possible.
fn pipe(sandbox: &Sandbox, path: &str) -> bool {
    let made = sandbox.command("mkfifo").arg(sandbox.path(path)).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        crate::support::strace::complain("SKIPPED: `mkfifo` is missing");
    }
    made
}

/// Runs the xtask, which must not wait for ever.
fn within_a_minute(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let output = sandbox.xtask_under(&["timeout", "60"], arguments).output().expect("it runs");
    let said = sandbox.said(&output);
    assert_ne!(said.code, Some(124), "{arguments:?} waits for ever: {said:#?}");
    said
}

#[test]
fn a_pipe_as_the_lock_is_refused_and_not_waited_for() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("backups")).expect("folder");
    if !pipe(&sandbox, "backups/.lock") {
        return;
    }
    for arguments in [&["db-backup"][..], &["db-restore", "latest", "--yes"], &["db-status"]] {
        within_a_minute(&sandbox, arguments);
    }
    let said = within_a_minute(&sandbox, &["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("`$ROOT/backups/.lock` is not a file"), "{}", said.err);
    assert!(said.err.contains("hint: remove it"), "{}", said.err);
    fs_err::remove_file(sandbox.path("backups/.lock")).expect("removed");
    sandbox.ok(&["db-backup"]);
}

#[test]
fn pipes_among_the_packs_records_and_notes_are_not_waited_for() {
    let (sandbox, _) = checkpoints(2);
    let pack = packs(&sandbox).remove(0);
    let relative = format!("backups/packs/{}", pack.file_name().expect("a name").to_string_lossy());
    fs_err::remove_file(&pack).expect("removed");
    fs_err::remove_file(sandbox.path("backups/.readings")).expect("removed");
    let record = "backups/kalito.db.2025-01-01_000000.bak.json";
    sandbox.write("backups/kalito.db.2025-01-01_000000.bak", "theirs");
    if ![relative.as_str(), "backups/.readings", record].iter().all(|path| pipe(&sandbox, path)) {
        return;
    }
    for arguments in [
        &["db-list"][..],
        &["db-status"],
        &["db-verify", "--all"],
        &["db-backup", "--kind", "branch"],
        &["db-prune", "--keep-last", "1", "--dry-run"],
        &["db-restore", "oldest", "--into", "../other.db"],
    ] {
        within_a_minute(&sandbox, arguments);
    }
    let newest = &sandbox.json(&["db-list"])["backups"][0];
    assert_eq!(newest["kind"], "branch");
    sandbox.ok(&["db-restore", newest["name"].as_str().expect("a name"), "--into", "../new.db"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a person moves a folder")]
fn a_symbolic_link_as_the_folder_of_packs_is_refused_and_nothing_behind_it_is_touched() {
    let (sandbox, _) = checkpoints(2);
    let (there, elsewhere) = (sandbox.path("backups/packs"), sandbox.path("../elsewhere"));
    fs_err::rename(&there, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &there).expect("linked");
    let before = crate::support::museum::names(&elsewhere);
    for arguments in [
        &["db-backup", "--kind", "branch"][..],
        &["db-prune", "--keep-last", "1", "--yes"],
        &["db-restore", "oldest", "--into", "../other.db"],
        &["db-status"],
    ] {
        let said = sandbox.run(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:#?}");
        assert!(said.err.contains("packs` is a symbolic link"), "{arguments:?}: {}", said.err);
    }
    assert_eq!(crate::support::museum::names(&elsewhere), before);
    // A plain backup needs no packs.
    sandbox.ok(&["db-backup"]);
}

/// Runs the xtask in a gigabyte of address space; `None`, with a note, if that cannot be bounded.
fn in_a_gigabyte(sandbox: &Sandbox, arguments: &[&str]) -> Option<Said> {
    let bounded = ["timeout", "60", "prlimit", "--as=1000000000"];
    if !sandbox.command("prlimit").arg("--version").output().is_ok_and(|said| said.status.success())
    {
        crate::support::strace::complain("SKIPPED: `prlimit` (util-linux) is missing");
        return None;
    }
    let output = sandbox.xtask_under(&bounded, arguments).output().expect("it runs");
    let said = sandbox.said(&output);
    assert!(matches!(said.code, Some(0..=2)), "{arguments:?} takes too much: {said:#?}");
    Some(said)
}

/// A page list whose 64 KiB of runs unpack to 2 GiB, with a right checksum: RLE blocks of 128 KiB
/// (<https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1.2>).
fn swollen_list(repeated: u8) -> Vec<u8> {
    const N_BLOCKS: u32 = 16_384;
    const BLOCK_BYTES: u32 = 128 << 10;
    const N_PACKS: u32 = 1000;
    // A window of 2 MiB, and the content's size in 4 bytes.
    let mut runs = vec![0x28, 0xb5, 0x2f, 0xfd, 0x80, 11 << 3];
    runs.extend((N_BLOCKS * BLOCK_BYTES).to_le_bytes());
    for number in 1..=N_BLOCKS {
        let header = BLOCK_BYTES << 3 | 1 << 1 | u32::from(number == N_BLOCKS);
        runs.extend(&header.to_le_bytes()[..3]);
        runs.push(repeated);
    }
    let mut list = b"xtask-db pages\x01\0".to_vec();
    list.extend((4096_u64 << 30).to_le_bytes());
    list.extend(4096_u64.to_le_bytes());
    list.extend([7; 32]);
    let n_runs = u32::try_from(runs.len()).expect("small");
    for number in [N_PACKS, N_BLOCKS * BLOCK_BYTES, n_runs] {
        list.extend(number.to_le_bytes());
    }
    list.resize(list.len() + 32 * N_PACKS as usize, 9);
    list.extend(runs);
    let checksum = blake3::hash(&list);
    list.extend(checksum.as_bytes());
    list
}

#[test]
fn page_lists_that_swell_are_refused_in_little_memory() {
    let (sandbox, _) = checkpoints(2);
    let names = ["kalito.db.2025-01-01_000000.pages", "kalito.db.2025-01-02_000000.pages"];
    for (name, repeated) in names.iter().zip([0, 2]) {
        sandbox.write(&format!("backups/{name}"), swollen_list(repeated));
    }
    for arguments in [
        &["db-list"][..],
        &["db-status"],
        &["db-verify", "--all"],
        &["db-backup", "--kind", "branch"],
        &["db-prune", "--keep-last", "1", "--dry-run"],
    ] {
        if in_a_gigabyte(&sandbox, arguments).is_none() {
            return;
        }
    }
    for (name, why) in names.iter().zip(["it has an empty run", "it names an impossible block"]) {
        let said = in_a_gigabyte(&sandbox, &["db-restore", name, "--into", "../other.db"]);
        let said = said.expect("prlimit is there");
        assert_ne!(said.code, Some(0), "{said:#?}");
        assert!(said.err.contains(why), "{}", said.err);
    }
}

#[test]
fn a_pack_whose_index_claims_more_than_there_is_is_refused_in_little_memory() {
    let (sandbox, _) = checkpoints(2);
    let pack = packs(&sandbox).remove(0);
    // All of it but the start and the footer are holes: 8,388,608 entries, and as many sections.
    let n = 8_u32 << 20;
    let entries_offset = 16 + u64::from(n);
    let footer_offset = entries_offset + u64::from(n) * (44 + 48);
    let start = b"xtask-db pack\0\x01\0";
    let mut footer = entries_offset.to_le_bytes().to_vec();
    footer.extend([n.to_le_bytes(), n.to_le_bytes()].concat());
    footer.extend(start);
    fs_err::remove_file(&pack).expect("removed");
    let file = fs_err::File::create(&pack).expect("created");
    file.file().write_all_at(start, 0).expect("written");
    file.file().write_all_at(&footer, footer_offset).expect("written");
    for arguments in [
        &["db-list"][..],
        &["db-status"],
        &["db-verify", "--all"],
        &["db-prune", "--keep-last", "1", "--dry-run"],
        &["db-backup", "--kind", "branch"],
    ] {
        if in_a_gigabyte(&sandbox, arguments).is_none() {
            return;
        }
    }
    let newest = &sandbox.json(&["db-list"])["backups"][0];
    sandbox.ok(&["db-restore", newest["name"].as_str().expect("a name"), "--into", "../new.db"]);
}
