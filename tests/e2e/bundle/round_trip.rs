//! A bundle of an installation, restored into an empty clone on another machine, over a changed installation, and undone.

use crate::bundle::installation::{self, BUNDLE, bundle, files, fill, installation};
use crate::support::markdown::workspace;
use crate::support::postgres_server::PostgresServer;
use crate::support::sandbox::{Sandbox, messages};

const OPEN: [&str; 2] = ["--passphrase-file", "../passphrase"];

/// A clone of a workspace on a machine that has nothing else.
fn clone_of(sandbox: &Sandbox) -> Sandbox {
    let clone = Sandbox::empty();
    let manifest = fs_err::read(sandbox.path("Cargo.toml")).expect("a manifest");
    clone.write("Cargo.toml", manifest);
    installation::passphrase(&clone);
    clone
}

fn restore(sandbox: &Sandbox, path: &str, more: &[&str]) -> crate::support::sandbox::Said {
    sandbox.ok(&[&["db-bundle", "restore", path, "--yes"], &OPEN[..], more].concat())
}

#[test]
fn an_empty_clone_becomes_the_installation() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    let clone = clone_of(&sandbox);
    let bundle = sandbox.path(&path);
    let said = restore(&clone, bundle.to_str().expect("UTF-8"), &[]);
    assert_eq!(files(&clone), files(&sandbox));
    assert_eq!(messages(&clone.live()), messages(&sandbox.live()));
    let by_hand = said.out.split_once("Left to do by hand:\n").expect("a remainder").1;
    assert!(by_hand.starts_with("  TLS certificates: re-issue them\n\n"), "{said:#?}");
    clone.ok(&["db-verify", "--all"]);
}

#[test]
fn both_engines_come_back_on_a_machine_without_an_environment() {
    let Some(server) = PostgresServer::shared() else { return };
    let one = server.database("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let two = server.database("CREATE TABLE u (b text); INSERT INTO u VALUES ('x')");
    let sandbox = Sandbox::new();
    sandbox.configure(
        "\n[workspace.metadata.db.databases.one]\nurl-env = \"ONE_URL\"\n\
         [workspace.metadata.db.databases.two]\nurl-env = \"TWO_URL\"\n",
    );
    sandbox.configure(BUNDLE);
    sandbox.write(".env", format!("ONE_URL={}\nTWO_URL={}\n", one.url(), two.url()));
    fill(&sandbox);
    let path = bundle(&sandbox);
    let (dump_of_one, dump_of_two) = (one.dump(), two.dump());
    // The other machine's server has neither.
    one.maintenance_sql(&format!("DROP DATABASE \"{}\"", one.name));
    two.maintenance_sql(&format!("DROP DATABASE \"{}\"", two.name));
    let clone = clone_of(&sandbox);
    restore(&clone, sandbox.path(&path).to_str().expect("UTF-8"), &[]);
    assert_eq!((one.dump(), two.dump()), (dump_of_one, dump_of_two));
    assert_eq!(files(&clone), files(&sandbox));
    assert_eq!(messages(&clone.live()), messages(&sandbox.live()));
}

#[test]
fn what_is_replaced_comes_back_by_an_undo() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    let new = (files(&sandbox), messages(&sandbox.live()));
    sandbox.write(".env", "API_KEY=other\n");
    fs_err::remove_dir_all(sandbox.path("groups/deep")).expect("removed");
    sandbox.write("groups/more.txt", "more");
    sandbox.sql("DELETE FROM messages WHERE id > 1");
    let old = (files(&sandbox), messages(&sandbox.live()));
    restore(&sandbox, &path, &[]);
    assert_eq!((files(&sandbox), messages(&sandbox.live())), new);
    let said = sandbox.ok(&["db-bundle", "restore", "--resume"]);
    assert_eq!(said.out, "Nothing to resume: the last restore is complete\n");
    sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
    assert_eq!((files(&sandbox), messages(&sandbox.live())), old);
    let said = sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
    assert_eq!(said.out, "Nothing to do: the last restore is undone\n");
    // And once more there: an undone restore is in nobody's way.
    restore(&sandbox, &path, &["--only", "groups"]);
    assert_eq!(files(&sandbox)["groups/one.txt"], new.0["groups/one.txt"]);
    assert_eq!(files(&sandbox)[".env"], old.0[".env"]);
}

#[test]
fn a_damaged_env_file_holds_up_no_restore() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    let new = files(&sandbox);
    sandbox.write(".env", "this is no variable\n");
    restore(&sandbox, &path, &[]);
    assert_eq!(files(&sandbox), new);
}

#[test]
fn a_dry_run_proves_the_bundle_and_changes_nothing() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    sandbox.write(".env", "API_KEY=other\n");
    let before = files(&sandbox);
    let said = sandbox.ok(&[&["db-bundle", "restore", &path, "--dry-run"], &OPEN[..]].concat());
    assert!(said.out.contains("[✓] The bundle is whole. Nothing was changed."), "{said:#?}");
    assert_eq!(files(&sandbox), before);
    assert!(!sandbox.path("backups/bundle-restore").exists());
}

#[test]
fn without_a_terminal_a_restore_needs_yes() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    let before = files(&sandbox);
    sandbox.write("groups/one.txt", "changed");
    let said = sandbox.fails(2, &[&["db-bundle", "restore", &path], &OPEN[..]].concat());
    assert!(said.err.contains("--yes"), "{said:#?}");
    assert_ne!(files(&sandbox), before);
}

#[test]
fn secrets_are_never_written_in_the_clear_unasked() {
    let sandbox = installation();
    let said = sandbox.fails(2, &["db-bundle", "create"]);
    assert!(said.err.contains("secrets without encryption: `env`"), "{said:#?}");
    let document = sandbox.json(&["db-bundle", "create", "--plaintext"]);
    assert_eq!(document["bundle"]["decryption"], "plain");
}

/// Written by the first program that wrote bundles; every later one must restore it.
#[test]
fn a_bundle_of_version_1_is_restored() {
    let sandbox = installation();
    let path = workspace().join("tests/fixtures/bundles/version-1.tar.zst");
    let path = path.to_str().expect("UTF-8");
    sandbox.ok(&["db-bundle", "verify", path]);
    sandbox.ok(&["db-bundle", "restore", path, "--yes"]);
    let found = files(&sandbox);
    assert_eq!(found[".env"].1, b"API_KEY=of-the-fixture\n");
    assert_eq!(found["groups/deep/run.sh"], (0o755, b"#!/bin/sh\n".to_vec()));
    assert_eq!(found["groups/link"].1, b"one.txt");
    assert_eq!(messages(&sandbox.live()), ["of the fixture"]);
}

#[test]
fn a_spot_check_names_files_and_tables_that_differ() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    let verify = [&["db-bundle", "verify", &path, "--spot"], &OPEN[..]].concat();
    let said = sandbox.ok(&verify);
    let equal = "every file and the rows of every table are as in the installation";
    assert!(said.out.contains(equal), "{said:#?}");
    sandbox.write("groups/one.txt", "eno");
    sandbox.sql("DELETE FROM messages WHERE id = 1");
    let said = sandbox.ok(&verify);
    assert!(said.out.contains("items/groups/one.txt"), "{said:#?}");
    assert!(said.out.contains("table `messages` has 2 rows, and 3 in the bundle"), "{said:#?}");
}

/// Otherwise it would end between two states.
#[test]
fn an_undo_whose_safety_backup_was_removed_changes_nothing() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    sandbox.write(".env", "API_KEY=other\n");
    sandbox.sql("DELETE FROM messages WHERE id > 1");
    restore(&sandbox, &path, &[]);
    let new = (files(&sandbox), messages(&sandbox.live()));
    let safety = sandbox.backups().into_iter().find(|name| name.contains("SAFETY"));
    sandbox.ok(&["db-remove", &safety.expect("a safety backup"), "--yes", "--force"]);
    let said = sandbox.fails(2, &["db-bundle", "restore", "--undo", "--yes"]);
    assert!(said.err.contains("is gone: the restore cannot be undone"), "{said:#?}");
    assert_eq!((files(&sandbox), messages(&sandbox.live())), new);
    assert!(!sandbox.ok(&["db-list"]).err.contains("was interrupted"));
}
