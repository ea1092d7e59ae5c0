//! Retention of bundles: after a new one is proved, the configured policy removes old ones of the same place.

use crate::bundle::installation::{bundle, installation};
use crate::support::sandbox::Sandbox;

const KEEP_TWO: &str = "[workspace.metadata.db.keep]\nlast = 2\n";

/// The bundles and the records in the backups folder, sorted.
fn bundles(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs_err::read_dir(sandbox.path("backups")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
    names.retain(|name| name.contains(".tar.zst"));
    names.sort();
    names
}

fn with_records(paths: &[&String]) -> Vec<String> {
    let names = paths.iter().map(|path| path.trim_start_matches("backups/"));
    let mut names: Vec<_> = names.flat_map(|n| [n.to_owned(), format!("{n}.json")]).collect();
    names.sort();
    names
}

#[test]
fn old_bundles_go_with_their_records_and_a_line_for_each() {
    let sandbox = installation();
    sandbox.configure(KEEP_TWO);
    let first = bundle(&sandbox);
    let second = bundle(&sandbox);
    let said = sandbox.ok(&["db-bundle", "create", "--passphrase-file", "../passphrase"]);
    let name = first.trim_start_matches("backups/");
    let line = format!("Removed bundle {name}: no rule keeps it\n");
    assert!(said.err.ends_with(&line), "{said:#?}");
    let left = bundles(&sandbox);
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(left[..2], with_records(&[&second]));
    let document = sandbox.json(&["db-bundle", "create", "--passphrase-file", "../passphrase"]);
    assert_eq!(document["removed"][0], second.trim_start_matches("backups/"));
    // What is left is whole.
    sandbox.ok(&["db-bundle", "verify", "--passphrase-file", "../passphrase"]);
}

#[test]
fn without_a_policy_nothing_is_removed() {
    let sandbox = installation();
    let all = [bundle(&sandbox), bundle(&sandbox), bundle(&sandbox)];
    assert_eq!(bundles(&sandbox), with_records(&all.iter().collect::<Vec<_>>()));
    // Labels are for backups: such a policy says nothing about bundles.
    sandbox.configure("[workspace.metadata.db.keep]\nlabel = [\"release\"]\n");
    let last = bundle(&sandbox);
    let all: Vec<_> = all.iter().chain([&last]).collect();
    assert_eq!(bundles(&sandbox), with_records(&all));
}

#[test]
fn the_newest_proved_bundle_stays_behind_ones_that_nobody_has_opened() {
    let sandbox = installation();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let items = "[workspace.metadata.db.bundle.items]";
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let line = format!("recipients = [\"{recipient}\"]\n{items}");
    sandbox.write("Cargo.toml", manifest.replace(items, &line));
    let proved = bundle(&sandbox);
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 1\n");
    for _ in 0..2 {
        let document = sandbox.json(&["db-bundle", "create"]);
        assert_eq!(document["bundle"]["decryption"], "not-proved");
    }
    let left = bundles(&sandbox);
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(left[..2], with_records(&[&proved]));
}

#[test]
fn bundles_of_another_machine_or_project_or_name_stay() {
    let sandbox = installation();
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 1\n");
    let own = bundle(&sandbox);
    let name = own.trim_start_matches("backups/");
    let text = fs_err::read_to_string(sandbox.path(&format!("{own}.json"))).expect("a record");
    let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let bytes = fs_err::read(sandbox.path(&own)).expect("a bundle");
    let mut foreign = Vec::new();
    for (file, origin) in [
        ("root.2024-01-01_000000.tar.zst.age", Some("another machine")),
        ("root.2024-01-02_000000.tar.zst.age", None),
        ("other.2024-01-01_000000.tar.zst.age", record["origin"].as_str()),
    ] {
        let mut record = record.clone();
        record["file"] = file.into();
        record["origin"] = origin.into();
        sandbox.write(&format!("backups/{file}"), &bytes);
        sandbox.write(&format!("backups/{file}.json"), record.to_string());
        foreign.push(file.to_owned());
    }
    // No record at all; a name that is not a bundle's; one that was cut.
    sandbox.write("backups/root.2024-01-03_000000.tar.zst.age", &bytes);
    sandbox.write("backups/root.16.mar.2024.tar.zst", "x");
    record["file"] = "root.2024-01-04_000000.tar.zst.age".into();
    sandbox.write("backups/root.2024-01-04_000000.tar.zst.age", &bytes[..bytes.len() - 1]);
    sandbox.write("backups/root.2024-01-04_000000.tar.zst.age.json", record.to_string());
    let before = bundles(&sandbox);
    let said = sandbox.ok(&["db-bundle", "create", "--passphrase-file", "../passphrase"]);
    assert!(said.err.contains("3 bundles of the same name were not created here"), "{said:#?}");
    let after = bundles(&sandbox);
    let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
    assert_eq!(gone, [name, &format!("{name}.json")]);
    assert!(foreign.iter().all(|name| after.contains(name)), "{after:?}");
}
