//! What is relied upon in the page store is proved before: links, damage that is known, deep looks.

use crate::store::prune::packs;
use crate::support::sandbox::{Sandbox, open};

const CHECKPOINT: [&str; 3] = ["db-backup", "--kind", "branch"];

fn in_wal() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql("PRAGMA journal_mode=WAL");
    sandbox
}

#[test]
fn a_safety_backup_may_go_into_the_store_where_its_content_is_already() {
    let sandbox = in_wal();
    sandbox.configure("[workspace.metadata.db.format]\nsafety = 'pages'");
    sandbox.ok(&CHECKPOINT);
    let old = sandbox.content();
    sandbox.sql("INSERT INTO messages (content) VALUES ('new')");
    sandbox.ok(&CHECKPOINT);
    let new = sandbox.content();
    sandbox.ok(&["db-restore", "oldest", "--yes"]);
    assert_eq!(sandbox.content(), old);
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(sandbox.content(), new);
    assert_eq!(sandbox.records("safety").len(), 2);
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn two_databases_of_one_content_keep_backups_of_their_own() {
    let sandbox = in_wal();
    fs_err::copy(sandbox.live(), sandbox.path("twin.db")).expect("copied");
    sandbox.configure("[workspace.metadata.db.databases.twin]\npath = 'twin.db'");
    sandbox.ok(&["db-backup", "--kind", "branch", "--db", "kalito"]);
    sandbox.ok(&["db-backup", "--kind", "branch", "--db", "twin"]);
    for database in ["kalito", "twin"] {
        let list = sandbox.json(&["db-list", "--db", database]);
        let rows = list["backups"].as_array().expect("rows");
        assert_eq!(rows.len(), 1, "{database}: {list:#}");
        assert_eq!(rows[0]["database"], database);
    }
}

#[test]
fn a_checkpoint_before_a_migration_never_hangs_on_pages_that_are_gone() {
    let sandbox = in_wal();
    sandbox.configure("migrate = ['true']");
    sandbox.ok(&CHECKPOINT);
    let content = sandbox.content();
    for pack in packs(&sandbox) {
        fs_err::remove_file(pack).expect("removed");
    }
    sandbox.ok(&CHECKPOINT);
    sandbox.ok(&["db-restore", "latest", "--into", "copy.db"]);
    let count = |path| {
        let count = "SELECT count(*) FROM messages";
        open(path).query_row(count, [], |row| row.get::<_, i64>(0)).expect("counted")
    };
    assert_eq!(count(&sandbox.path("copy.db")), count(&sandbox.live()));
    assert_eq!(sandbox.content(), content);
}

#[test]
fn known_damage_is_not_built_upon() {
    let sandbox = in_wal();
    sandbox.ok(&CHECKPOINT);
    sandbox.sql("INSERT INTO messages (content) VALUES ('one more')");
    sandbox.ok(&CHECKPOINT);
    let packs = packs(&sandbox);
    let largest = packs.iter().max_by_key(|path| path.metadata().expect("a file").len());
    let largest = largest.expect("a pack");
    let mut bytes = fs_err::read(largest).expect("read");
    bytes[40] ^= 1;
    fs_err::write(largest, bytes).expect("damaged");
    assert_eq!(sandbox.run(&["db-verify", "oldest"]).code, Some(1));
    sandbox.sql("INSERT INTO messages (content) VALUES ('and another')");
    let content = sandbox.content();
    sandbox.ok(&CHECKPOINT);
    sandbox.sql("DELETE FROM messages");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_eq!(sandbox.content(), content);
}

#[test]
fn what_only_a_deep_look_saw_is_not_forgotten() {
    let sandbox = in_wal();
    sandbox.sql(
        "CREATE INDEX by_content ON messages (content);
         PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX by_content ON messages (id)'
         WHERE name = 'by_content';",
    );
    sandbox.ok(&CHECKPOINT);
    assert_eq!(sandbox.run(&["db-verify", "latest"]).code, Some(1));
    assert_eq!(sandbox.run(&["db-verify", "--all"]).code, Some(1));
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["state"], "damaged");
}

#[test]
fn who_wants_a_file_of_its_own_gets_one() {
    let sandbox = in_wal();
    sandbox.ok(&CHECKPOINT);
    sandbox.ok(&["db-backup", "--kind", "scheduled", "--format", "plain"]);
    let names = sandbox.backups();
    assert!(names.iter().any(|name| name.strip_suffix(".bak").is_some()), "{names:?}");
}

#[test]
fn without_the_folder_of_packs_everything_in_it_is_damaged_and_said_so() {
    let sandbox = in_wal();
    sandbox.ok(&CHECKPOINT);
    fs_err::remove_dir_all(sandbox.path("backups/packs")).expect("removed");
    let said = sandbox.fails(1, &["db-verify", "--all"]);
    assert!(said.out.contains("page data is missing"), "{said:#?}");
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["state"], "damaged");
    sandbox.ok(&CHECKPOINT);
    sandbox.ok(&["db-verify"]);
}

#[test]
fn packs_that_no_backup_names_go_only_with_a_yes() {
    let sandbox = in_wal();
    sandbox.ok(&CHECKPOINT);
    sandbox.sql("INSERT INTO messages (content) VALUES ('one more')");
    let before = packs(&sandbox);
    sandbox.ok(&CHECKPOINT);
    let newest = sandbox.backups().pop().expect("a checkpoint");
    let away = sandbox.path("moved-away.pages");
    let list = sandbox.path("backups").join(&newest);
    fs_err::copy(&list, &away).expect("copied");
    fs_err::remove_file(&list).expect("removed");
    let said = sandbox.fails(2, &["db-prune", "--keep-last", "9"]);
    assert!(said.err.contains("1 pack that no backup names needs `--yes`"), "{said:#?}");
    assert_eq!(packs(&sandbox).len(), before.len() + 1);
    sandbox.ok(&["db-prune", "--keep-last", "9", "--yes"]);
    assert_eq!(packs(&sandbox), before);
}
