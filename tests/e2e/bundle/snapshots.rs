//! Snapshots of file systems before a bundle: ZFS through the contract of its command, btrfs on a disk of its own, and a
//! pair of commands.

use std::os::unix::fs::PermissionsExt as _;

use crate::bundle::volumes::{Disk, Host};
use crate::support::sandbox::Sandbox;

#[test]
fn zfs_takes_datasets_of_a_pool_in_one_call_and_each_pool_apart() {
    let host = Host::with_zfs("zfs = [\"zroot/app\", \"tank/media\", \"zroot/db\"]");
    let said = host.create();
    let name = "xtask-db_2025-09-13_142530";
    let taken: Vec<String> = host
        .text("../bin/zfs.calls")
        .lines()
        .filter(|l| l.contains("snapshot "))
        .map(Into::into)
        .collect();
    let taken: Vec<_> = taken.iter().filter(|line| line.starts_with("zfs snapshot ")).collect();
    assert_eq!(
        taken,
        [
            &format!("zfs snapshot tank/media@{name}"),
            &format!("zfs snapshot zroot/app@{name} zroot/db@{name}")
        ]
    );
    assert!(
        said.err.contains(&format!("Took snapshot {name} of jails (zfs zroot/app)")),
        "{said:#?}"
    );
    let said = host.ok(&["db-bundle", "snapshots"]);
    assert!(said.out.contains(&format!("zfs rollback -r zroot/app@{name}")), "{said:#?}");
    assert!(!said.out.contains("somebody"), "{said:#?}");
}

#[test]
fn old_snapshots_go_by_the_policy_and_those_of_others_stay() {
    let host = Host::with_zfs("zfs = [\"zroot/app\"]\nkeep = { daily = 2, monthly = 2 }");
    let days = ["2025-07-30", "2025-08-30", "2025-08-31", "2025-09-12", "2025-09-13"];
    for day in days {
        host.sandbox.set_clock(&format!("{day}T10:00:00+02:00"));
        host.create();
    }
    let said = host.create();
    let kept = ["2025-09-13_100100", "2025-09-12_100000", "2025-08-31_100000"];
    assert_eq!(host.listed(), kept.map(|time| format!("xtask-db_{time}")));
    let line =
        "Removed snapshot xtask-db_2025-09-13_100000 of jails (zfs zroot/app): no rule keeps it";
    assert!(said.err.contains(line), "{said:#?}");
    let removed = host.text("../bin/zfs.calls");
    let removed: Vec<_> = removed.lines().filter(|line| line.starts_with("zfs destroy ")).collect();
    assert!(
        removed.iter().all(|line| line.starts_with("zfs destroy zroot/app@xtask-db_")),
        "{removed:?}"
    );
}

#[test]
fn a_failing_snapshot_stops_the_bundle_unless_none_is_wanted() {
    let host = Host::with_zfs("zfs = [\"tank/media\", \"zroot/app\"]");
    host.sandbox.write("../bin/zfs.fails", "zroot");
    let said = host.run(&["db-bundle", "create"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("out of space"), "{said:#?}");
    assert!(said.err.contains("--no-snapshot"), "{said:#?}");
    assert_eq!(host.n_bundles(), 0);
    // The one that was taken before is gone again.
    let name = "xtask-db_2025-09-13_142530";
    assert!(host.text("../bin/zfs.calls").contains(&format!("zfs snapshot tank/media@{name}\n")));
    assert_eq!(host.listed(), Vec::<String>::new());
    let before = host.text("../bin/zfs.calls");
    host.ok(&["db-bundle", "create", "--no-snapshot"]);
    assert_eq!(host.n_bundles(), 1);
    assert_eq!(host.text("../bin/zfs.calls"), before);
}

#[test]
fn a_missing_program_is_named() {
    let host = Host::new(
        "make = [\"no-such-program\", \"{name}\"]\nremove = [\"no-such-program\", \"{name}\"]",
    );
    let said = host.run(&["db-bundle", "create"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(
        said.err.contains("could not start `no-such-program`: it is not installed"),
        "{said:#?}"
    );
    assert!(said.err.contains("--no-snapshot"), "{said:#?}");
    assert_eq!(host.listed(), Vec::<String>::new());
}

#[test]
fn a_pair_of_commands_gets_names_and_what_it_made_is_remembered() {
    let host = Host::new(
        "make = [\"sh\", \"-c\", \"[ ! -e ../full ] && mkdir ../made/{name}\"]\n\
         remove = [\"rmdir\", \"../made/{name}\"]\n\
         keep = { hourly = 1 }",
    );
    host.sandbox.write("../made/of-others/file", "");
    host.create();
    assert_eq!(host.listed(), ["xtask-db_2025-09-13_142530"]);
    let said = host.create();
    assert!(said.err.contains("Removed snapshot xtask-db_2025-09-13_142530"), "{said:#?}");
    let kept = host.listed();
    assert_eq!(kept.len(), 1);
    let made = || {
        let entries = fs_err::read_dir(host.sandbox.path("../made")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
        let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
        names.sort();
        names
    };
    assert_eq!(made(), ["of-others".to_owned(), kept[0].clone()]);
    // What was not made is not remembered.
    host.sandbox.write("../full", "");
    assert_eq!(host.run(&["db-bundle", "create"]).code, Some(2));
    assert_eq!(host.listed(), kept);
    fs_err::remove_file(host.sandbox.path("../full")).expect("removed");
    // What cannot be removed is still remembered, and no reason to have no bundle.
    fs_err::remove_dir(host.sandbox.path("../made").join(&kept[0])).expect("removed");
    let said = host.create();
    assert!(said.err.contains(&format!("snapshot {} of jails", kept[0])), "{said:#?}");
    assert!(said.err.contains("stays: "), "{said:#?}");
    let note = format!("bundle-snapshots/jails/{}.json\n", kept[0]);
    assert!(said.err.contains(&note), "{said:#?}");
    assert_eq!(host.listed().len(), 2);
}

#[test]
fn a_snapshot_that_was_made_by_a_killed_run_is_remembered() {
    let host = Host::new(
        "make = [\"sh\", \"-c\", \"mkdir ../made/{name}; [ -e ../calm ] || kill -9 $PPID\"]\n\
         remove = [\"rmdir\", \"../made/{name}\"]\n\
         keep = { hourly = 1 }",
    );
    host.sandbox.write("../made/of-others/file", "");
    assert_eq!(host.run(&["db-bundle", "create"]).code, None);
    let first = host.listed();
    assert_eq!(first.len(), 1);
    host.sandbox.write("../calm", "");
    host.create();
    assert_eq!(host.listed().len(), 1);
    assert!(!host.sandbox.path("../made").join(&first[0]).exists());
}

#[test]
fn bundles_and_what_belongs_to_them_leave_the_backups_folder_ours() {
    let host = Host::new("make = [\"true\", \"{name}\"]\nremove = [\"true\", \"{name}\"]");
    host.create();
    host.ok(&["db-bundle", "restore", "latest", "--yes"]);
    assert!(host.sandbox.path("backups/bundle-restore").is_dir());
    let opened = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(host.sandbox.path("backups"), opened).expect("a mode");
    host.ok(&["db-backup"]);
    let mode = fs_err::metadata(host.sandbox.path("backups")).expect("a folder").permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
}

#[test]
fn without_configured_snapshots_the_list_says_so() {
    let said = Sandbox::new().ok(&["db-bundle", "snapshots"]);
    assert_eq!(said.out, "No snapshots are configured\n");
}

#[test]
fn btrfs_snapshots_are_read_only_apart_from_the_items_and_removed_by_the_policy() {
    let host = Host::new(
        "btrfs = [\"../mount/app\"]\nkeep = { hourly = 1 }\n\
         [workspace.metadata.db.bundle.items]\napp = { path = \"../mount/app\" }",
    );
    let Some(_disk) = Disk::new(&host.sandbox) else { return };
    host.sandbox.write("../mount/app/notes", "first");
    host.create();
    let first = host.listed();
    assert_eq!(first, ["xtask-db_2025-09-13_142530"]);
    host.sandbox.write("../mount/app/notes", "second");
    let folder = "../mount/app/.xtask-db-snapshots";
    assert_eq!(host.text(&format!("{folder}/{}/notes", first[0])), "first");
    let inside = host.sandbox.path(&format!("{folder}/{}/more", first[0]));
    assert!(fs_err::write(inside, "x").is_err());
    let said = host.ok(&["db-bundle", "snapshots"]);
    assert!(said.out.contains("btrfs subvolume snapshot "), "{said:#?}");
    // Somebody else's folder there is none of ours.
    host.sandbox.write(&format!("{folder}/by-hand/notes"), "kept");
    host.create();
    let second = host.listed();
    assert_eq!(second.len(), 1);
    assert_ne!(second, first);
    assert!(!host.sandbox.path(&format!("{folder}/{}", first[0])).exists());
    assert_eq!(host.text(&format!("{folder}/{}/notes", second[0])), "second");
    assert_eq!(host.text(&format!("{folder}/by-hand/notes")), "kept");
    // The bundle has the folder, and none of its snapshots.
    let said = host.ok(&["db-bundle", "list", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let path = document["bundles"][0]["path"].as_str().expect("a path");
    let path = path.rsplit('/').next().expect("a name");
    let said = host.ok(&["db-bundle", "list", path, "--json"]);
    assert!(
        said.out.contains("\"notes\"") && !said.out.contains("xtask-db-snapshots"),
        "{said:#?}"
    );
}

#[test]
fn a_folder_that_is_not_a_subvolume_is_refused_and_left_alone() {
    let host = Host::new("btrfs = [\"groups\"]");
    host.sandbox.write("groups/one", "one");
    let said = host.run(&["db-bundle", "create"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("is not a btrfs subvolume"), "{said:#?}");
    assert!(!host.sandbox.path("groups/.xtask-db-snapshots").exists());
}
