//! `db-export` of what is not as it should be: nothing that changed unnoticed gets a proof of its own.

use std::os::unix::ffi::OsStrExt as _;

use crate::store::prune::{checkpoints, packs};
use crate::support::sandbox::{Sandbox, open};

#[test]
fn a_backup_whose_bytes_changed_is_not_exported() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup_with("the balance is 1000");
    let path = sandbox.backup_path(&name);
    let whole = fs_err::read(&path).expect("a backup");
    let at = whole.windows(4).position(|bytes| bytes == b"1000").expect("the value");
    let mut changed = whole.clone();
    changed[at] = b'9';
    let longer = [&whole[..], &[0; 4096]].concat();
    for damaged in [changed, longer] {
        fs_err::write(&path, damaged).expect("written");
        for reference in ["latest", &name] {
            let said = sandbox.fails(1, &["db-export", reference, "--output", "e.jsonl"]);
            assert!(
                said.err.contains("it is damaged: ")
                    && said.err.contains("its bytes changed after it was taken")
                    && said.err.contains("hint: nothing was exported; choose another backup"),
                "{said:#?}"
            );
        }
        assert!(!sandbox.path("e.jsonl").exists());
    }
    fs_err::write(&path, whole).expect("written");
    sandbox.ok(&["db-export", &name, "--output", "e.jsonl"]);
}

#[test]
fn a_stored_backup_that_is_damaged_is_no_export_either() {
    let (sandbox, kept) = checkpoints(1);
    sandbox.ok(&["db-export", &kept[0].name, "--output", "whole.jsonl"]);
    for path in packs(&sandbox) {
        let mut bytes = fs_err::read(&path).expect("a pack");
        bytes[3000] ^= 1;
        fs_err::write(&path, bytes).expect("written");
    }
    let said = sandbox.fails(1, &["db-export", &kept[0].name, "--output", "e.jsonl"]);
    assert!(
        said.err.contains("page data is damaged: in the pack `packs/")
            && said.err.contains("hint: nothing was exported; choose another backup"),
        "{said:#?}"
    );
}

#[test]
fn a_part_is_not_exported_by_an_index_that_lacks_rows() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, n INTEGER);
         CREATE INDEX by_n ON notes (n); INSERT INTO notes VALUES (1, 1), (2, 2);
         PRAGMA writable_schema = ON;
         CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'by_n';
         DELETE FROM sqlite_schema WHERE name = 'by_n';",
    );
    sandbox.sql("INSERT INTO notes VALUES (3, 3);");
    sandbox.sql("PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept;");
    let part = ["db-export", "--root", "notes", "--where", "n > 1", "--output", "e.jsonl"];
    let said = sandbox.fails(1, &part);
    assert!(
        said.err.contains("the index `by_n` of `notes` leads to 2 rows, but there are 3 rows"),
        "{said:#?}"
    );
    assert!(!sandbox.path("e.jsonl").exists());
    open(&sandbox.live()).execute_batch("REINDEX").expect("mended");
    assert!(sandbox.ok(&part).out.contains("2 of 3"), "both rows");
}

#[test]
fn a_path_that_is_no_unicode_is_written_and_named_as_well_as_can_be() {
    let sandbox = Sandbox::new();
    sandbox.sql("INSERT INTO messages (content) VALUES ('five')");
    let odd = |bytes: &[u8]| std::ffi::OsStr::from_bytes(bytes).to_owned();
    for more in [&[][..], &["--json"]] {
        let mut export = sandbox.xtask(&["db-export", "--output"]);
        let output = export.arg(odd(b"e\xff.jsonl")).args(more).output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let new = odd(if more.is_empty() { b"n\xff.db" } else { b"m\xff.db" });
        let mut import = sandbox.xtask(&["db-import"]);
        let import = import.arg(odd(b"e\xff.jsonl")).arg("--into").arg(new).args(more);
        let output = import.output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}
