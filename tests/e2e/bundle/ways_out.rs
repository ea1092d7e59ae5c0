//! The ways out of a restore, `--resume` and `--undo`: they find what they need, and nobody removes it before.

use crate::bundle::installation::{bundle, files, installation, passphrase};
use crate::support::sandbox::{Sandbox, messages};

/// `.env` is one of the items that are still to come, and without it no database is known.
#[test]
fn a_restore_in_a_clone_is_resumed_wherever_the_backups_folder_is() {
    let configuration = "\n[workspace.metadata.db.databases.one]\nurl-env = \"ONE_URL\"\n\
         [workspace.metadata.db.bundle.items]\n\
         env = { path = \".env\", secret = true }\nallowlist = { path = \"~/.config/app/allowlist.json\" }\n";
    let sandbox = Sandbox::new();
    sandbox.configure(configuration);
    sandbox.write(".env", "ONE_URL=sqlite:one.db\n");
    fs_err::copy(sandbox.live(), sandbox.path("one.db")).expect("a database");
    sandbox.write("../home/.config/app/allowlist.json", "[\"a\"]");
    passphrase(&sandbox);
    let bundle = sandbox.path(&bundle(&sandbox)).display().to_string();
    for (backups, variable) in [("", None), ("deep/of/backups", None), ("", Some("../elsewhere"))] {
        let clone = Sandbox::empty();
        let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
        let section = "[workspace.metadata.db]\n";
        let line = format!("{section}backups = \"{backups}\"\n");
        let with = match backups {
            "" => manifest,
            _ if manifest.contains(section) => manifest.replace(section, &line),
            _ => format!("{manifest}\n{line}"),
        };
        clone.write("Cargo.toml", with);
        passphrase(&clone);
        // The parent of the first item is a file: the restore ends before `.env` is in its place.
        clone.write("../home/.config/app", "a file");
        let run = |arguments: &[&str]| {
            let mut command = clone.xtask(arguments);
            command.envs(variable.map(|folder| ("DATABASE_BACKUP_DIR", folder)));
            clone.said(&command.output().expect("the binary runs"))
        };
        let restore =
            ["db-bundle", "restore", &bundle, "--yes", "--passphrase-file", "../passphrase"];
        let said = run(&restore);
        assert!(said.code != Some(0) && said.err.contains("--resume"), "{said:#?}");
        assert!(!clone.path(".env").exists());
        let said = run(&["db-bundle", "restore", "--resume"]);
        assert!(!said.err.contains("no restore of a bundle has begun"), "{said:#?}");
        fs_err::remove_file(clone.path("../home/.config/app")).expect("removed");
        let said = run(&["db-bundle", "restore", "--resume"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert_eq!(files(&clone), files(&sandbox));
        assert_eq!(messages(&clone.path("one.db")), messages(&sandbox.live()));
        let said = run(&["db-bundle", "restore", "--undo", "--yes"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(!clone.path(".env").exists());
    }
    let said = clone_without_anything(&sandbox).fails(2, &["db-bundle", "restore", "--resume"]);
    assert!(said.err.contains("no restore of a bundle has begun in "), "{said:#?}");
    assert!(said.err.contains("DATABASE_BACKUP_DIR"), "{said:#?}");
}

fn clone_without_anything(sandbox: &Sandbox) -> Sandbox {
    let clone = Sandbox::empty();
    clone.write("Cargo.toml", fs_err::read(sandbox.path("Cargo.toml")).expect("a manifest"));
    clone
}

#[test]
fn pruning_leaves_what_an_undo_needs_until_it_is_undone() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    sandbox.sql("DELETE FROM messages WHERE id > 1");
    let old = messages(&sandbox.live());
    let open = ["--passphrase-file", "../passphrase"];
    sandbox.ok(&["db-bundle", "restore", &path, "--yes", open[0], open[1]]);
    let safeties = || {
        let names = sandbox.backups().into_iter().filter(|name| name.contains("SAFETY"));
        names.collect::<Vec<_>>()
    };
    let needed = safeties();
    assert_eq!(needed.len(), 1, "{needed:?}");
    // The newest three safety backups stay anyway.
    for n in 0..5 {
        sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('more {n}')"));
        sandbox.ok(&["db-backup"]);
        sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('even more {n}')"));
        sandbox.ok(&["db-restore", "latest", "--yes"]);
    }
    let prune = ["db-prune", "--keep-last", "1", "--yes"];
    let said = sandbox.ok(&prune);
    let line = said.out.lines().find(|line| line.contains(&needed[0])).expect("a line");
    assert!(line.ends_with("`db-bundle restore --undo` needs it"), "{said:#?}");
    assert!(safeties().contains(&needed[0]) && safeties().len() < 6, "{:?}", safeties());
    // By its name, it is removed only if that is meant.
    let said = sandbox.fails(1, &["db-remove", &needed[0], "--yes"]);
    assert!(said.err.contains("db-bundle restore --undo"), "{said:#?}");
    sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
    assert_eq!(messages(&sandbox.live()), old);
    // Undone, it needs nothing any more. Restores since have taken safety backups of their own.
    sandbox.ok(&prune);
    assert!(!safeties().contains(&needed[0]), "{:?}", safeties());
}

/// Its restore replaced nothing, so a safety backup of a later restore is not the one to go back to.
#[test]
fn a_database_that_was_not_there_stays_as_it_is_when_the_restore_is_undone() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.write(".env", "API_KEY=other\n");
    sandbox.ok(&["db-bundle", "restore", &path, "--yes", "--passphrase-file", "../passphrase"]);
    for content in ["later", "latest"] {
        sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        sandbox.sql("DELETE FROM messages WHERE id > 1");
    }
    let now = messages(&sandbox.live());
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--dry-run"]);
    assert!(!said.out.contains("--undo"), "{said:#?}");
    let said = sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
    assert!(said.err.contains("was not there before the restore, and stays"), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), now);
    assert_eq!(fs_err::read(sandbox.path(".env")).expect("read"), b"API_KEY=other\n");
}

#[test]
fn without_a_readable_journal_every_safety_backup_stays() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    sandbox.sql("DELETE FROM messages WHERE id > 1");
    sandbox.ok(&["db-bundle", "restore", &path, "--yes", "--passphrase-file", "../passphrase"]);
    for n in 0..5 {
        sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('more {n}')"));
        sandbox.ok(&["db-restore", "latest", "--yes"]);
    }
    let n_before = sandbox.backups().iter().filter(|name| name.contains("SAFETY")).count();
    let folders = fs_err::read_dir(sandbox.path("backups/bundle-restore")).expect("a folder");
    let mut journals = folders.map(|folder| folder.expect("an entry").path().join("journal.json"));
    let journal = journals.find(|path| path.exists()).expect("a journal");
    fs_err::write(journal, "{").expect("written");
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(said.out.contains("the journal of a restored bundle cannot be read"), "{said:#?}");
    let n_after = sandbox.backups().iter().filter(|name| name.contains("SAFETY")).count();
    assert_eq!(n_before, n_after);
}
