//! `db-export REF --output -`: rows flow while the backup is proved, and a damaged one never gives a complete export.

use crate::support::sandbox::{Said, Sandbox};

const FORMATS: [&str; 4] = ["jsonl", "json", "sql", "csv"];

/// The whole export of a backup by a pipe.
fn piped(sandbox: &Sandbox, format: &str) -> Said {
    let export =
        ["db-export", "latest", "--output", "-", "--table", "messages", "--format", format];
    sandbox.run(&export)
}

#[test]
fn a_pipe_gets_what_a_file_gets() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "INSERT INTO messages (content) WITH RECURSIVE n (i) AS
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT 'message ' || i FROM n",
    );
    sandbox.backup();
    for format in FORMATS {
        let file = format!("whole.{format}");
        let export = ["db-export", "latest", "--table", "messages", "--format", format];
        sandbox.ok(&[&export[..], &["--output", &file]].concat());
        let said = piped(&sandbox, format);
        assert_eq!((said.code, &*said.err), (Some(0), ""), "{format}");
        let file = fs_err::read_to_string(sandbox.path(&file)).expect("text");
        assert!(said.out == file && file.len() > 200_000, "{format}");
    }
}

#[test]
fn a_backup_whose_bytes_changed_gives_no_complete_export() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup_with("the balance is 1000");
    let path = sandbox.backup_path(&name);
    let mut bytes = fs_err::read(&path).expect("a backup");
    let at = bytes.windows(4).position(|bytes| bytes == b"1000").expect("the value");
    bytes[at] = b'9';
    fs_err::write(&path, bytes).expect("written");
    for format in FORMATS {
        let said = piped(&sandbox, format);
        assert_eq!(said.code, Some(1), "{format}: {said:#?}");
        assert!(said.err.contains("its bytes changed after it was taken"), "{said:#?}");
        let hint = "hint: the export ends early: do not use it; choose another backup";
        assert!(said.err.contains(hint), "{said:#?}");
        assert!(!said.out.ends_with('\n') && !said.out.contains("COMMIT"), "{format}: {said:#?}");
        let last = said.out.lines().last().unwrap_or_default();
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        match format {
            "jsonl" => assert!(!is_json(last), "{said:#?}"),
            "json" => assert!(!is_json(&said.out), "{said:#?}"),
            _ => {}
        }
        if format != "csv" {
            sandbox.write("part", &said.out);
            sandbox.fails(1, &["db-import", "part", "--into", &format!("{format}.db")]);
        }
    }
}
